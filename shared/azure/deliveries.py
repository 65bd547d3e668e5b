"""Records that go to more than one place."""

import asyncio
from collections.abc import Awaitable, Iterable, Sequence
from datetime import datetime

from shared.domain.ports import Log
from shared.domain.record import Row


class Deliveries:
    """`ports.Log` for several outlets, all at the same time: who waits for them waits as long as for the slowest."""

    def __init__(self, *outlets: Log) -> None:
        self._outlets = outlets

    async def deliver(self, rows: Sequence[Row]) -> None:
        """Delivers the rows to every outlet, whatever the others meet with."""
        await _each(outlet.deliver(rows) for outlet in self._outlets)

    async def resend(self, before: datetime) -> None:
        """Resends to every outlet what it did not take. Raises the first failure once all had their turn."""
        await _each(outlet.resend(before) for outlet in self._outlets)


async def _each(turns: Iterable[Awaitable[None]]) -> None:
    ends = await asyncio.gather(*turns, return_exceptions=True)
    for end in ends:
        if end is not None:
            raise end
