"""How rows reach an outlet: many in one call, and off the ledger's list once they were taken."""

import asyncio
import logging
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from shared.azure.chunks import chunks
from shared.azure.failures import told_as_failures
from shared.azure.ledger import TableLedger
from shared.domain.body import JsonObject
from shared.domain.failure import AirlockError
from shared.domain.record import Outlet, Row

_LOG = logging.getLogger(__name__)
# Seconds that rows which were sent stay on the list, so that one transaction strikes many. A crash in between has
# them sent again, unchanged, and whoever reads them takes one by RecordId.
_LINGER = 1.0
# Seconds that a signal waits for its records to be taken.
_PATIENCE = 3.0
# Answers that another selection of rows may not meet.
_ABOUT_CONTENT = frozenset({400, 413})
# So many pages of unsent rows in one run, some 30,000 rows: a function ends after ten minutes.
_MOST_PAGES = 20


@dataclass(frozen=True, slots=True)
class _Sent:
    """What became of some rows: those that were taken, those that are refused for what they are, and whether the outlet
    takes nothing now."""

    taken: list[Row]
    refused: list[Row]
    is_down: bool = False

    def joined(self, other: "_Sent") -> "_Sent":
        """Both together."""
        return _Sent([*self.taken, *other.taken], [*self.refused, *other.refused], other.is_down)


class Courier(ABC):
    """`ports.Log` for one outlet. Rows that come while others are on their way leave together in the next call."""

    outlet: ClassVar[Outlet]

    def __init__(self, ledger: TableLedger) -> None:
        self._ledger = ledger
        self._waiting: list[Row] = []
        self._sent: list[Row] = []
        self._sending: asyncio.Task[None] | None = None
        self._striking: asyncio.Task[None] | None = None

    @abstractmethod
    async def send(self, told: Sequence[JsonObject]) -> None:
        """Sends that in one call."""

    def told(self, row: Row) -> JsonObject:
        """What is sent for a row: its columns."""
        return row.columns

    def wants(self, row: Row) -> bool:  # noqa: ARG002 - whoever is choosy looks at it
        """Whether the row goes there: each does."""
        return True

    async def deliver(self, rows: Sequence[Row]) -> None:
        """Sends the rows. Never raises for an outlet that does not answer: then they stay listed as unsent.

        Returns when they are sent, or after a few seconds: an outlet that hangs must not hold up fixes.
        """
        await self._take([row for row in rows if self.wants(row)])

    async def resend(self, before: datetime) -> None:
        """Sends what the ledger lists as written before then and unsent, oldest first, page by page.

        Ends early where the outlet does not take them: the next run goes on. Raises TryAgain when the ledger cannot
        say what they are.
        """
        refused: set[str] = set()
        for _ in range(_MOST_PAGES):
            page = await self._ledger.unsent(before, self.outlet)
            rows = [row for row in page if row.digest not in refused]
            for chunk in chunks(rows, self.told):
                sent = await self._send_what_can_be(chunk)
                await self._ledger.strike(sent.taken, self.outlet)
                refused |= {row.digest for row in sent.refused}
                if sent.is_down:
                    return  # the others would fare no better now
            if not rows:
                return

    async def _take(self, rows: Sequence[Row]) -> None:
        if not rows:
            return
        self._waiting += rows
        if self._sending is None or self._sending.done():
            self._sending = asyncio.create_task(self._send_waiting())
        done, _ = await asyncio.wait({self._sending}, timeout=_PATIENCE)
        for sending in done:
            sending.result()  # a mistake of ours is not taken for an outage

    async def _send_waiting(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting, []
            for chunk in chunks(batch, self.told):
                if not await self._send(chunk):
                    break  # the rest is listed too, and would fare no better now
        if self._sent and (self._striking is None or self._striking.done()):
            self._striking = asyncio.create_task(self._strike())

    async def _send(self, chunk: list[Row]) -> bool:
        sent = await self._send_what_can_be(chunk)
        self._sent += sent.taken
        return not sent.is_down

    async def _send_what_can_be(self, chunk: list[Row]) -> _Sent:
        """Sends the rows in one call; where that is refused for what is in it, in halves, so that one row which the
        service never takes does not keep the others from it."""
        try:
            async with told_as_failures(self.outlet.value):
                await self.send([self.told(row) for row in chunk])
        except AirlockError as problem:
            if problem.cause.status not in _ABOUT_CONTENT:
                _LOG.warning("%d records wait in the ledger: %s", len(chunk), problem)
                return _Sent([], [], is_down=True)
            half = len(chunk) // 2
            if not half:
                _LOG.warning("1 of the records waits in the ledger: %s", problem)
                return _Sent([], chunk)
            first = await self._send_what_can_be(chunk[:half])
            return first if first.is_down else first.joined(await self._send_what_can_be(chunk[half:]))
        return _Sent(chunk, [])

    async def _strike(self) -> None:
        while self._sent:
            await asyncio.sleep(_LINGER)
            rows, self._sent = self._sent, []
            try:
                await self._ledger.strike(rows, self.outlet)
            except AirlockError as problem:
                _LOG.warning("%d sent records stay listed and will be sent again: %s", len(rows), problem)
