"""All checks of infra/."""

from collections.abc import Callable
from pathlib import Path

from tests.infra import deliveries, lint, posture, types

CHECKS: tuple[Callable[[Path], list[str]], ...] = (
    lint.problems,
    types.problems,
    posture.problems,
    deliveries.problems,
)


def problems(root: Path) -> list[str]:
    """Everything that is wrong with the infra/ of the repository at `root`."""
    return [problem for check in CHECKS for problem in check(root)]
