"""The ledger in Azure Table Storage: one query opens an entry, one transaction changes it."""

import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from shared.azure.entities import (
    SHARDS,
    attachment_row,
    entry_entity,
    entry_row,
    filed_row,
    head_row,
    intention_row,
    kept_entity,
    month_of,
    quiet_row,
    read_entry,
    read_row,
    row_entity,
    shard,
    unsent_list,
    unsent_row,
)
from shared.azure.failures import own_store
from shared.azure.ledger_table import MOST, LedgerTable, Operation, swap
from shared.domain.arm_id import ArmId
from shared.domain.failure import TryAgain
from shared.domain.kept import kept_of
from shared.domain.ledger import Entry, Version
from shared.domain.record import Outlet, Row, is_notable

_LOG = logging.getLogger(__name__)
# Bytes of one transaction, under the service's limit of 4 MiB, and what each operation takes beside its values.
_LARGEST, _FRAME = 3_900_000, 2048


def utc_now() -> datetime:
    """The time that entries are filed under."""
    return datetime.now(UTC)


class TableLedger:
    """`ports.Ledger` over one table. Every method raises TryAgain; Refused where the table may not be used at all.

    With `notifies`, notable rows are listed for the topic too.
    """

    def __init__(self, table: LedgerTable, now: Callable[[], datetime] = utc_now, *, notifies: bool = False) -> None:
        self._table = table
        self._now = now
        self._notifies = notifies

    async def open(self, key: str) -> Entry:
        """The entry of that key; a new one if there is none."""
        prefix = entry_row(key)
        async with own_store("ledger"):
            return read_entry(key, [entity async for entity in self._table.range(shard(key), prefix, f"{prefix}~")])

    async def commit(self, entry: Entry, rows: Sequence[Row] = ()) -> Entry:
        """Writes the entry and the rows that wait to be sent, all or nothing.

        What is to be published, or come back to, and has no room in the one transaction is listed before it: an event
        of a record that is not written in the end is better than a record that nobody is told of.
        """
        month = month_of(self._now())
        filed = replace(entry, filed=month)
        kept = [swap(entry_entity(filed), _etag(filed)), *_list(entry), *_grown(entry, rows)]
        kept += [("upsert", row_entity(row)) for row in rows]
        last, *ahead = _transactions(kept, [*_filed(entry, month), *self._notices(rows), *_archived(rows)])
        async with own_store("ledger"):
            for transaction in ahead:
                await self._table.submit(transaction)
            answers = await self._table.submit(last)
        if entry.filed not in {"", month}:
            await self._unfile(entry)
        return _renewed(filed, str(answers[0]["etag"]))

    async def _unfile(self, entry: Entry) -> None:
        """Takes the entry off the list of an earlier month. It is written by now, so whatever comes of this is no
        reason to write it again: `forget` sees that the entry is filed elsewhere."""
        try:
            async with own_store("ledger"):
                await self._table.delete(shard(entry.key), [filed_row(entry.filed, entry.key)])
        except TryAgain as again:
            _LOG.info("an entry stays listed under an earlier month: %s", again)

    def _notices(self, rows: Sequence[Row]) -> list[Operation]:
        notable = [row for row in rows if self._notifies and is_notable(row)]
        return [("upsert", row_entity(row, Outlet.TOPIC)) for row in notable]

    async def attach(self, owner: ArmId, added: Sequence[str], removed: Sequence[str]) -> None:
        """Notes, beside the entries of the keys, that the owner names them, or no longer does."""
        async with own_store("ledger"):
            for key in added:
                note = {"PartitionKey": shard(key), "RowKey": attachment_row(key, owner), "Owner": owner.path}
                await self._table.submit([("upsert", note)])
            for key in removed:
                await self._table.delete(shard(key), [attachment_row(key, owner)])

    async def wait_for_quiet(self, key: str, first: datetime, last: datetime) -> None:
        """Notes beside the entry the oldest and the newest change of the burst it waits out."""
        note = {"PartitionKey": shard(key), "RowKey": quiet_row(key)}
        times = {"First": first.isoformat(), "Last": last.isoformat()}
        async with own_store("ledger"):
            await self._table.submit([("upsert", note | times)])

    async def interrupted(self, now: datetime) -> tuple[str, ...]:
        """The messages that bring open work to its end: intentions whose lease has run out, and orders to undo."""

        async def of_one(partition: str) -> list[str]:
            async with own_store("ledger"):
                keys = [str(row["Key"]) async for row in self._table.range(partition, "i|", "i|~")]
            entries = [await self.open(key) for key in keys]
            return [each.recall(now) for each in entries if each.is_open and not each.held_by_another("", now)]

        return tuple(await _of_all(of_one))

    async def unsent(self, before: datetime, outlet: Outlet = Outlet.LOG) -> tuple[Row, ...]:
        """The oldest rows that were written before then and are not known to have been sent there, oldest first: one
        page of each partition."""
        first = unsent_list(outlet)
        until = f"{first}{before:%Y-%m-%dT%H:%M:%S}"

        async def of_one(partition: str) -> list[Row]:
            async with own_store("ledger"):
                return [read_row(entity) for entity in await self._table.page(partition, first, until)]

        return tuple(sorted(await _of_all(of_one), key=lambda row: str(row.columns["TimeGenerated"])))

    async def strike(self, rows: Sequence[Row], outlet: Outlet = Outlet.LOG) -> None:
        """Takes rows that were sent there off the list of unsent ones; whoever struck them before is as good."""
        for partition in SHARDS:
            own = sorted({unsent_row(row, outlet) for row in rows if shard(row.chain) == partition})
            async with own_store("ledger"):
                await self._table.delete(partition, own)


async def _of_all[T](of_one: Callable[[str], Awaitable[list[T]]]) -> list[T]:
    """What the partitions hold. One that does not answer does not keep the others from it: it is asked again with the
    next run. Raises TryAgain where none of the rest holds anything either."""
    found: list[T] = []
    failure: TryAgain | None = None
    for partition in SHARDS:
        try:
            found += await of_one(partition)
        except TryAgain as again:
            failure = again
            _LOG.info("a partition of the ledger is passed over: %s", again)
    if failure is not None and not found:
        raise failure
    return found


def _transactions(kept: Sequence[Operation], notices: Sequence[Operation]) -> list[list[Operation]]:
    """What is kept and as many notices as the service takes with it, then the notices that are left."""
    transactions = [list(kept)]
    size = sum(map(_size, kept))
    for notice in notices:
        if len(transactions[-1]) >= MOST or size + _size(notice) > _LARGEST:
            transactions.append([])
            size = 0
        transactions[-1].append(notice)
        size += _size(notice)
    return transactions


def _size(operation: Operation) -> int:
    """How many bytes the operation takes on its way, or a few more: binary values travel as base64."""
    values = operation[1].values()
    return _FRAME + sum(len(value) * 4 // 3 if isinstance(value, bytes) else len(str(value)) for value in values)


def _list(entry: Entry) -> list[Operation]:
    """Lists the entry as one with open work, or strikes it from the list it is known to be on."""
    listed = {"PartitionKey": shard(entry.key), "RowKey": intention_row(entry.key)}
    if entry.is_open:
        return [("upsert", listed | {"Key": entry.key})]
    return [("delete", listed)] if entry.version and entry.version.listed else []


def _filed(entry: Entry, month: str) -> list[Operation]:
    """Lists the entry under the month in which it is touched."""
    if entry.filed == month:
        return []
    return [("upsert", {"PartitionKey": shard(entry.key), "RowKey": filed_row(month, entry.key)})]


def _grown(entry: Entry, rows: Sequence[Row]) -> list[Operation]:
    """Lists the chain as one whose head has to be anchored."""
    if not rows:
        return []
    grown = {"PartitionKey": shard(entry.key), "RowKey": head_row(entry.key), "Key": entry.key, "Head": entry.head}
    return [("upsert", grown)]


def _archived(rows: Sequence[Row]) -> list[Operation]:
    return [("upsert", kept_entity(kept, row)) for row in rows if (kept := kept_of(row)) is not None]


def _etag(entry: Entry) -> str | None:
    return entry.version.etag if entry.version else None


def _renewed(entry: Entry, etag: str) -> Entry:
    return replace(entry, version=Version(etag, entry.is_open))
