"""What one evaluation gathers: what is deployed, and what is wrong."""

from dataclasses import dataclass, field
from pathlib import Path

from tests.infra.bicep.deployment import Deployed, Nested, Problem
from tests.infra.bicep.scopes import Surroundings
from tests.infra.bicep.syntax import At
from tests.infra.bicep.values import Fault


class PlacedFault(Fault):
    """A fault with the place in which it came up."""

    def __init__(self, file: Path, at: At, what: str) -> None:
        super().__init__(what)
        self.problem = Problem(file, at.line, at.column, what)


class ToldFault(Fault):
    """What follows from a fault that is told already."""


@dataclass(frozen=True, slots=True)
class Session:
    """What all files of one evaluation share."""

    surroundings: Surroundings
    problems: list[Problem] = field(default_factory=list)
    resources: list[Deployed] = field(default_factory=list)
    modules: list[Nested] = field(default_factory=list)

    def tell(self, fault: Fault, file: Path, at: At) -> None:
        """Keeps the problem, unless it is told already."""
        if isinstance(fault, ToldFault):
            return
        problem = fault.problem if isinstance(fault, PlacedFault) else Problem(file, at.line, at.column, str(fault))
        if problem not in self.problems:
            self.problems.append(problem)
