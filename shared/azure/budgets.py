"""How many fixes each subscription has begun within the hour, for all workers together."""

import asyncio
from dataclasses import dataclass
from datetime import datetime

from azure.core.exceptions import HttpResponseError

from shared.azure.entities import budget_entity, budget_row, read_budget, shard
from shared.azure.failures import own_store
from shared.azure.ledger_table import LedgerTable, swap
from shared.domain.budget import Budget, hour_of
from shared.domain.failure import Cause, TryAgain

# So often another worker may come first before the signal goes back to the queue.
_MOST_TRIES = 10
_LOST = frozenset({409, 412})


@dataclass(frozen=True, slots=True)
class _Known:
    """A budget as it was last seen; no ETag where there is no row yet."""

    budget: Budget
    etag: str | None


class TableBudgets:
    """`ports.Budgets` in the ledger's table: one row for each subscription, changed by compare and swap."""

    def __init__(self, table: LedgerTable) -> None:
        self._table = table
        self._known: dict[str, _Known] = {}
        # The coroutines of one worker would otherwise lose most of their tries to each other.
        self._one = asyncio.Lock()

    async def claim(self, subscription: str, now: datetime, limit: int, *, critical: bool) -> bool:
        """Counts one fix more; False, and nothing counted, where the hour has no room for it. Raises TryAgain."""
        async with self._one, own_store("ledger"):
            for _ in range(_MOST_TRIES):
                known = self._known.get(subscription) or await self._read(subscription, now)
                taken = known.budget.take(now, limit, critical=critical)
                if taken is None:
                    return False
                if await self._wrote(subscription, taken, known.etag):
                    return True
        raise TryAgain(Cause("ledger.busy", "other workers kept changing the budget"))

    async def _read(self, subscription: str, now: datetime) -> _Known:
        row = await self._table.get(shard(subscription), budget_row(subscription))
        return _Known(read_budget(row), row.metadata["etag"]) if row is not None else _Known(Budget(hour_of(now)), None)

    async def _wrote(self, subscription: str, budget: Budget, etag: str | None) -> bool:
        self._known.pop(subscription, None)
        try:
            (answer,) = await self._table.submit([swap(budget_entity(subscription, budget), etag)])
        except HttpResponseError as error:
            if error.status_code not in _LOST:
                raise
            return False
        self._known[subscription] = _Known(budget, str(answer["etag"]))
        return True
