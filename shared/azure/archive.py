"""What the ledger knows beside its entries: what operators come back to, crashes, heads, and what may be forgotten."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from shared.azure.entities import (
    SHARDS,
    crash_row,
    entry_row_of,
    head_row,
    kept_row,
    month_of,
    quiet_row,
    read_entry,
    read_kept,
    read_key,
    shard,
)
from shared.azure.failures import own_store
from shared.azure.ledger_table import LedgerTable
from shared.domain.kept import Kept
from shared.domain.ledger import Entry
from shared.domain.ports import Head
from shared.domain.record import FORGOTTEN_AFTER


class TableArchive:
    """`ports.Archive` in the ledger's table. Every method raises TryAgain."""

    def __init__(self, table: LedgerTable) -> None:
        self._table = table

    async def kept(self, record_id: str, now: datetime) -> Kept | None:
        """What is kept of the record; None for one that is unknown, or older than the month before this one."""
        for month in _lately(now):
            for partition in SHARDS:
                async with own_store("ledger"):
                    row = await self._table.get(partition, kept_row(month, record_id))
                if row is not None:
                    return read_kept(record_id, row)
        return None

    async def note_crash(self, message: str, error: str, now: datetime) -> None:
        """Notes what the message made the function fail with."""
        note = {"PartitionKey": shard(message), "RowKey": crash_row(month_of(now), message), "Error": error}
        async with own_store("ledger"):
            await self._table.submit([("upsert", note)])

    async def crash_of(self, message: str, now: datetime) -> str:
        """What was noted last for the message; empty where nothing was."""
        for month in _lately(now):
            async with own_store("ledger"):
                row = await self._table.get(shard(message), crash_row(month, message))
            if row is not None:
                return str(row["Error"])
        return ""

    async def heads(self) -> list[Head]:
        """The chains that grew since their heads were struck off."""
        found: list[Head] = []
        for partition in SHARDS:
            async with own_store("ledger"):
                rows = [row async for row in self._table.range(partition, "h|", "h|~")]
            found += [Head(str(row["Key"]), str(row["Head"]), str(row.metadata["etag"])) for row in rows]
        return found

    async def strike_heads(self, heads: Sequence[Head]) -> None:
        """Takes heads off the list; one that moved on meanwhile stays."""
        for partition in SHARDS:
            own = {head_row(head.chain): head.etag for head in heads if shard(head.chain) == partition}
            async with own_store("ledger"):
                await self._table.delete_unless_changed(partition, own)

    async def forget(self, now: datetime) -> int:
        """Deletes what nobody has touched for so long that nothing rests on it any more; answers how much."""
        count = 0
        for partition in SHARDS:
            async with own_store("ledger"):
                count += await self._forget_kept(partition, now) + await self._forget_entries(partition, now)
        return count

    async def _forget_kept(self, partition: str, now: datetime) -> int:
        oldest = _lately(now)[-1]
        names: list[str] = []
        for kind in ("d|", "e|"):
            names += [str(row["RowKey"]) for row in await self._table.page(partition, kind, f"{kind}{oldest}")]
        await self._table.delete(partition, names)
        return len(names)

    async def _forget_entries(self, partition: str, now: datetime) -> int:
        """Entries filed under a month that ended long ago: whatever touches an entry files it anew."""
        until = f"x|{month_of(now - FORGOTTEN_AFTER)}"
        listed = await self._table.page(partition, "x|", until)
        for filed in listed:
            _, month, name = str(filed["RowKey"]).split("|")
            row = await self._table.get(partition, entry_row_of(name))
            names = {str(filed["RowKey"]): str(filed.metadata["etag"])}
            if row is not None and _is_idle(read_entry(read_key(row), [row]), month, now):
                names[str(row["RowKey"])] = str(row.metadata["etag"])
                await self._table.delete(partition, [quiet_row(read_key(row))])
            await self._table.delete_unless_changed(partition, names)
        return len(listed)


def _is_idle(entry: Entry, month: str, now: datetime) -> bool:
    """Whether nothing rests on the entry. One that names others is kept: only it can take that back."""
    is_open = entry.intention is not None or entry.undos or entry.names
    return entry.filed == month and not is_open and not any(hold.until > now for hold in entry.holds)


def _lately(now: datetime) -> tuple[str, str]:
    """This month and the one before it."""
    first = now.astimezone(UTC).replace(day=1)
    return month_of(first), month_of(first - timedelta(days=1))
