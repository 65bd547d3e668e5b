"""How long a worker takes until the app is indexed, beside the bare import of the SDKs."""

import os
import subprocess
import sys
from pathlib import Path
from statistics import median

from benchmarks.figure import Figure, at_most

_ROOT = Path(__file__).resolve().parent.parent
_PAIRS = 11
_GOAL = 1.4


def measure() -> tuple[Figure, ...]:
    """The ratio, of pairs of fresh processes that take turns."""
    for probe in ("app", "sdks"):
        _seconds(probe)  # not counted: it compiles what was edited since the last time
    pairs = [(_seconds("app"), _seconds("sdks")) for _ in range(_PAIRS)]
    ratios = [app / sdks for app, sdks in pairs]
    ours, theirs = (median(side) * 1000 for side in zip(*pairs, strict=True))
    note = (
        f"Import and index of function_app by azure-functions-runtime ({ours:.0f} ms) over the bare import of "
        f"azure-functions, azure-identity (aio), azure-core's ARM pipeline and tenacity ({theirs:.0f} ms). "
        f"Median of {_PAIRS} pairs of fresh processes, bytecode caches allowed, the runtime's own import left out of "
        "both. The app imports the SDKs with its first message, so the next figures belong to this one."
    )
    return (at_most("Cold start over import of SDKs alone", median(ratios), "x", _GOAL, ratios, note),)


def _seconds(probe: str) -> float:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    command = (sys.executable, "-m", "benchmarks.probe", probe)
    done = subprocess.run(command, cwd=_ROOT, env=environment, capture_output=True, text=True, check=True)  # noqa: S603 - our own module
    return float(done.stdout)
