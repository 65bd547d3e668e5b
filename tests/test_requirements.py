"""What is deployed is what the lock file says."""

import shutil
import subprocess
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]
# The command of `make requirements`, writing to its output instead.
EXPORT = ("export", "--frozen", "--no-dev", "--no-default-groups", "--no-emit-project", "--format", "requirements-txt")


def uv() -> str | None:
    """The uv that make keeps here, else that of the path."""
    kept = REPOSITORY / ".uv" / "bin" / "uv"
    return str(kept) if kept.exists() else shutil.which("uv")


def packages(text: str) -> list[str]:
    """The lines without the header, which tells how the file was made."""
    lines = text.splitlines()
    return lines[next(at for at, line in enumerate(lines) if not line.startswith("#")) :]


def test_requirements_are_those_of_the_lock_file() -> None:
    command = uv()
    if command is None:
        pytest.skip("uv is neither in .uv nor on the path: run `make demo`")
    exported = subprocess.run(  # noqa: S603 - the command is ours
        [command, *EXPORT], cwd=REPOSITORY, capture_output=True, text=True, check=True
    )
    written = (REPOSITORY / "requirements.txt").read_text()
    assert packages(written) == packages(exported.stdout), "run `make requirements`"


def test_make_exports_with_the_same_command() -> None:
    assert " ".join(EXPORT[1:]) in (REPOSITORY / "Makefile").read_text()


def test_every_requirement_is_pinned_by_its_hashes() -> None:
    lines = packages((REPOSITORY / "requirements.txt").read_text())
    named = [line for line in lines if not line.startswith((" ", "#"))]
    assert len(named) > 10
    assert all("==" in line and line.endswith("\\") for line in named)
    assert "--hash=sha256:" in "\n".join(lines)
