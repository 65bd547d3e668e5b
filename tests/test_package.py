"""What azd puts into the package: the app, and nothing that only a developer or a rehearsal needs."""

import subprocess
import sys
from pathlib import Path

import pytest

_ROOT = Path(__file__).resolve().parent.parent
_DEPLOYED = {"LICENSE", "function_app.py", "host.json", "remediations", "requirements.txt", "shared"}


def _git(*arguments: str, given: str = "") -> list[str]:
    command = ["git", "-C", str(_ROOT), *arguments]
    done = subprocess.run(command, input=given, capture_output=True, text=True, check=False)  # noqa: S603 - reads only
    return done.stdout.splitlines()


def test_the_package_holds_the_app_and_no_more() -> None:
    files = _git("ls-files")
    if not files:
        pytest.skip("not a clone: nothing tells which files are ours")
    # .funcignore is written like .gitignore, so git can say what it leaves out.
    ignoring = ("-c", f"core.excludesFile={_ROOT / '.funcignore'}", "check-ignore", "--no-index", "--stdin")
    left_out = set(_git(*ignoring, given="\n".join(files)))
    assert {Path(file).parts[0] for file in files if file not in left_out} == _DEPLOYED


def test_dependencies_are_fetched_for_the_python_that_is_deployed_and_by_hash() -> None:
    told = subprocess.run(
        [sys.executable, "-c", "import package, pathlib; print(*package.command(pathlib.Path('x')))"],
        cwd=_ROOT / "infra" / "hooks",
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    deployed = (_ROOT / "infra" / "modules" / "app.bicep").read_text(encoding="utf-8")
    assert "version: '3.13'" in deployed
    for wanted in ("--python-version 3.13", "--require-hashes", "--only-binary :all:", "manylinux_2_28_x86_64"):
        assert wanted in told
