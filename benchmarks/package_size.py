"""How much is deployed: the files of every distribution in requirements.txt."""

import re
from importlib.metadata import files
from pathlib import Path

from benchmarks.figure import Figure, told

_REQUIREMENTS = Path(__file__).resolve().parent.parent / "requirements.txt"
_PINNED = re.compile(r"^([A-Za-z0-9_.-]+)==", re.MULTILINE)
_BIGGEST = 3


def measure() -> tuple[Figure, ...]:
    """Megabytes in all; the biggest are named."""
    sizes = {name: _size(name) for name in _PINNED.findall(_REQUIREMENTS.read_text())}
    biggest = sorted(sizes, key=lambda name: -sizes[name])[:_BIGGEST]
    named = ", ".join(f"{name} {sizes[name]:.1f}" for name in biggest)
    note = f"The files of the {len(sizes)} distributions in requirements.txt, without bytecode. The biggest: {named}."
    total = sum(sizes.values())
    return (told("Size of what is deployed", total, "MB", (total,), note),)


def _size(distribution: str) -> float:
    """Megabytes. Raises PackageNotFoundError for one that is not installed."""
    listed = (Path(str(file.locate())) for file in files(distribution) or ())
    return sum(path.stat().st_size for path in listed if path.suffix != ".pyc" and path.is_file()) / 1e6
