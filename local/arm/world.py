"""What reads and writes share: the state, what is under way, what goes wrong, and the time."""

from collections.abc import Callable
from dataclasses import dataclass

from local.arm.estate import Estate
from local.arm.operations import Operations
from local.faults import Faults


@dataclass(frozen=True, slots=True)
class World:
    """`clock` gives epoch seconds."""

    estate: Estate
    operations: Operations
    faults: Faults
    clock: Callable[[], float]
