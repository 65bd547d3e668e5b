"""`python -m benchmarks`: measure, print, and write results.json beside this file. Needs Linux, and two minutes."""

import json
import os
import platform
import sys
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from benchmarks import cold_start, evaluation, first_fix, package_size, round_trips, throughput
from benchmarks.figure import Figure
from benchmarks.table import table

_RESULTS = Path(__file__).with_name("results.json")
_MODULES = (cold_start, first_fix, evaluation, throughput, round_trips, package_size)


def _main() -> None:
    machine = {
        "cores": os.process_cpu_count(),
        "load": round(os.getloadavg()[0], 2),
        "python": platform.python_version(),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    figures: list[Figure] = []
    for module in _MODULES:
        print(f"measuring {module.__name__.rpartition('.')[2]} ...", file=sys.stderr)
        figures += module.measure()
    _write(machine, figures)
    print(f"Python {machine['python']}, {machine['date']}")
    print(f"{machine['cores']} cores; {machine['load']} of them had other work before (load average)\n")
    print(table(figures))


def _write(machine: dict[str, object], figures: Sequence[Figure]) -> None:
    results = {"machine": machine, "figures": [_rounded(figure) for figure in figures]}
    _RESULTS.write_text(json.dumps(results, indent=2) + "\n")


def _rounded(figure: Figure) -> dict[str, object]:
    """Four digits behind the point are more than any of this is exact to."""
    samples = [round(sample, 4) for sample in figure.samples]
    return asdict(figure) | {"name": figure.name.strip(), "value": round(figure.value, 4), "samples": samples}


if __name__ == "__main__":
    _main()
