"""What lets a write through the gate below all Azure clients."""

from typing import Protocol

from shared.domain.mode import Mode


class Permit(Protocol):
    """What lets a write through the gate: a fix or an act."""

    @property
    def mode(self) -> Mode:
        """The effective mode; only `enforce` passes."""
        ...

    @property
    def method(self) -> str:
        """The HTTP method of the one request."""
        ...

    @property
    def path(self) -> str:
        """The path of the one request, unescaped, compared without case."""
        ...
