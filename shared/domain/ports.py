"""What the pipeline needs of the world, as Protocols: Azure stands behind them in `shared/azure`."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from shared.domain.arm_id import ArmId
from shared.domain.body import JsonObject
from shared.domain.fix import Fix
from shared.domain.ledger import Entry, Intention
from shared.domain.record import Row


class Arm(Protocol):
    """Azure Resource Manager. Both methods raise TryAgain or Refused."""

    async def read(self, target: ArmId, api_version: str) -> JsonObject | None:
        """The live body; None where there is no such resource."""
        ...

    async def send(self, fix: Fix) -> "Receipt":
        """Sends the fix and waits until ARM says that the operation has ended."""
        ...


@dataclass(frozen=True, slots=True)
class Receipt:
    """ARM's answer to a fix it took: its request ids, and what went wrong in the operation (None: nothing)."""

    request_ids: tuple[str, ...]
    failure: str | None = None


class Ledger(Protocol):
    """The memory. Every method raises TryAgain when the storage cannot answer or another worker came first."""

    async def open(self, key: str) -> Entry:
        """The entry of that key (an ARM id key, or a subscription's); a new one if there is none."""
        ...

    async def commit(self, entry: Entry, rows: Sequence[Row] = ()) -> Entry:
        """Writes the entry and the rows that wait to be sent, all or nothing.

        Raises TryAgain if the entry changed since it was opened.
        """
        ...

    async def attach(self, owner: ArmId, added: Sequence[str], removed: Sequence[str]) -> None:
        """Notes, beside the entries of the keys, that the owner names them, or no longer does."""
        ...

    async def wait_for_quiet(self, key: str, first: datetime, last: datetime) -> None:
        """Notes beside the entry the oldest and the newest change that wait for the resource to become quiet."""
        ...

    async def interrupted(self, now: datetime) -> tuple[Intention, ...]:
        """The intentions whose lease has run out."""
        ...

    async def unsent(self, before: datetime) -> tuple[Row, ...]:
        """The rows that were written before then and are not known to have been sent, oldest first."""
        ...


class Log(Protocol):
    """The remediation log."""

    async def deliver(self, rows: Sequence[Row]) -> None:
        """Sends the rows and strikes those that were taken off the ledger's list of unsent ones.

        Never raises for a log that does not answer: the rows stay listed and `settle` sends them again.
        """
        ...


class Queue(Protocol):
    """The queue that signals wait in."""

    async def put(self, message: str, delay: timedelta) -> None:
        """Puts a message in, visible after the delay. Raises TryAgain."""
        ...
