"""Before packaging: the dependencies are put beside the app, as Python 3.13 on Azure's Linux takes them."""

import shutil
import subprocess
import sys
from pathlib import Path

from azd import give_up, say

_ROOT = Path(__file__).resolve().parent.parent.parent
_TARGET = _ROOT / ".python_packages" / "lib" / "site-packages"
_PYTHON = "3.13"
_PLATFORMS = ("manylinux2014_x86_64", "manylinux_2_17_x86_64", "manylinux_2_28_x86_64")


def main() -> None:
    """Fills .python_packages anew. Nothing is compiled: what has no wheel for Azure ends here."""
    shutil.rmtree(_TARGET, ignore_errors=True)
    done = subprocess.run(command(_TARGET), check=False)  # noqa: S603 - our own command
    if done.returncode != 0:
        give_up("the dependencies could not be fetched; what pip says above is why")
    say(f"the package brings its dependencies for Python {_PYTHON}")


def command(target: Path) -> list[str]:
    """What fetches the dependencies, each by the hash that requirements.txt names."""
    platforms = [option for platform in _PLATFORMS for option in ("--platform", platform)]
    return [
        *(sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-compile"),
        *("--require-hashes", "--only-binary", ":all:", "--implementation", "cp", "--python-version", _PYTHON),
        *platforms,
        *("--target", str(target), "-r", str(_ROOT / "requirements.txt")),
    ]


if __name__ == "__main__":
    main()
