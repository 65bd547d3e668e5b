"""The real console command, in a process of its own."""

import os
import subprocess
import sys
from pathlib import Path

EXPORTS = Path(__file__).parent / "exports"


def airlock(*arguments: str | Path, stdin: bytes = b"", **environment: str) -> subprocess.CompletedProcess[str]:
    """Runs `airlock` without any settings of whoever runs the tests, in 80 columns."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AIRLOCK_", "FORCE_", "TTY_"))}
    done = subprocess.run(  # noqa: S603 - our own command with the tests' own arguments
        [sys.executable, "-m", "cli.main", *map(str, arguments)],
        input=stdin,
        capture_output=True,
        check=False,
        env={**kept, "COLUMNS": "80", "PYTHONIOENCODING": "utf-8", **environment},
        timeout=60,
    )
    return subprocess.CompletedProcess(done.args, done.returncode, done.stdout.decode(), done.stderr.decode())
