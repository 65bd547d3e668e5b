"""The real console command, in a process of its own or, where many inputs are tried, in ours."""

import io
import os
import subprocess
import sys
from pathlib import Path
from unittest import mock

from cli.main import run

EXPORTS = Path(__file__).parent / "exports"


def airlock(*arguments: str | Path, stdin: bytes = b"", **environment: str) -> subprocess.CompletedProcess[str]:
    """Runs `airlock` without any settings of whoever runs the tests, in 80 columns."""
    done = subprocess.run(  # noqa: S603 - our own command with the tests' own arguments
        [sys.executable, "-m", "cli.main", *map(str, arguments)],
        input=stdin,
        capture_output=True,
        check=False,
        env=_environment(environment),
        timeout=60,
    )
    return subprocess.CompletedProcess(done.args, done.returncode, done.stdout.decode(), done.stderr.decode())


def airlock_inside(*arguments: str | Path, stdin: bytes = b"", **environment: str) -> subprocess.CompletedProcess[str]:
    """Runs the same command in this process, which spares it the imports; all else is as `airlock` does it."""
    words = ["airlock", *map(str, arguments)]
    given, out, error = (io.TextIOWrapper(io.BytesIO(told), "utf-8") for told in (stdin, b"", b""))
    with (
        mock.patch.dict(os.environ, _environment(environment), clear=True),
        mock.patch.multiple(sys, argv=words, stdin=given, stdout=out, stderr=error),
    ):
        code: object = 0
        try:
            run()
        except SystemExit as end:
            code = end.code or 0
    assert isinstance(code, int)
    return subprocess.CompletedProcess(words, code, _written(out), _written(error))


def measured() -> dict[str, str]:
    """What has coverage learn of a process of its own all the same."""
    return {name: value for name, value in os.environ.items() if name.startswith("COVERAGE_")}


def _environment(more: dict[str, str]) -> dict[str, str]:
    # A process of its own is not measured, which would take it twice the time: other tests run the same in ours.
    others = ("AIRLOCK_", "COVERAGE_", "FORCE_", "TTY_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(others)}
    return {**kept, "COLUMNS": "80", "PYTHONIOENCODING": "utf-8", **more}


def _written(stream: io.TextIOWrapper) -> str:
    stream.flush()
    assert isinstance(stream.buffer, io.BytesIO)
    return stream.buffer.getvalue().decode()
