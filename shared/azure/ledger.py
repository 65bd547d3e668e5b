"""The ledger in Azure Table Storage: one query opens an entry, one transaction changes it."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from azure.core import MatchConditions
from azure.core.exceptions import HttpResponseError, ResourceExistsError, ResourceNotFoundError
from azure.data.tables import UpdateMode
from azure.data.tables.aio import TableClient

from shared.azure.entities import (
    SHARDS,
    Entity,
    attachment_row,
    entry_entity,
    entry_row,
    intention_row,
    quiet_row,
    read_entry,
    read_row,
    row_entity,
    shard,
    unsent_list,
    unsent_row,
)
from shared.azure.failures import own_store
from shared.domain.arm_id import ArmId
from shared.domain.ledger import Entry, Intention, Version
from shared.domain.record import Outlet, Row, is_notable

type Operation = tuple[str, Entity] | tuple[str, Entity, dict[str, Any]]

# The service's own limit on one transaction, and on one page of rows to send again.
_MOST = 100
# Bytes of one transaction, under the service's limit of 4 MiB, and what each operation takes beside its values.
_LARGEST, _FRAME = 3_900_000, 2048


class TableLedger:
    """`ports.Ledger` over one table. Every method raises TryAgain; Refused where the table may not be used at all.

    With `notifies`, notable rows are listed for the topic too.
    """

    def __init__(self, table: TableClient, *, notifies: bool = False) -> None:
        self._table = table
        self._notifies = notifies

    async def open(self, key: str) -> Entry:
        """The entry of that key; a new one if there is none."""
        prefix = entry_row(key)
        async with own_store("ledger"):
            return read_entry(key, [entity async for entity in self._range(shard(key), prefix, f"{prefix}~")])

    async def commit(self, entry: Entry, rows: Sequence[Row] = ()) -> Entry:
        """Writes the entry and the rows that wait to be sent, all or nothing.

        What is to be published and has no room in the one transaction is listed before it: an event of a record that is
        not written in the end is better than a record that nobody is told of.
        """
        kept = [_write(entry), *_list(entry), *(("upsert", row_entity(row)) for row in rows)]
        notable = [row for row in rows if self._notifies and is_notable(row)]
        last, *ahead = _transactions(kept, [("upsert", row_entity(row, Outlet.TOPIC)) for row in notable])
        async with own_store("ledger"):
            for transaction in ahead:
                await self._submit(transaction)
            answers = await self._submit(last)
        return _renewed(entry, str(answers[0]["etag"]))

    async def attach(self, owner: ArmId, added: Sequence[str], removed: Sequence[str]) -> None:
        """Notes, beside the entries of the keys, that the owner names them, or no longer does."""
        async with own_store("ledger"):
            for key in added:
                note = {"PartitionKey": shard(key), "RowKey": attachment_row(key, owner), "Owner": owner.path}
                await self._submit([("upsert", note)])
            for key in removed:
                await self._delete(shard(key), attachment_row(key, owner))

    async def wait_for_quiet(self, key: str, first: datetime, last: datetime) -> None:
        """Notes beside the entry the oldest and the newest change of the burst it waits out."""
        note = {"PartitionKey": shard(key), "RowKey": quiet_row(key)}
        times = {"First": first.isoformat(), "Last": last.isoformat()}
        async with own_store("ledger"):
            await self._submit([("upsert", note | times)])

    async def interrupted(self, now: datetime) -> tuple[Intention, ...]:
        """The intentions whose lease has run out."""
        found: list[Intention] = []
        for partition in SHARDS:
            async with own_store("ledger"):
                keys = [str(row["Key"]) async for row in self._range(partition, "i|", "i|~")]
            for key in keys:
                entry = await self.open(key)
                if entry.intention and not entry.held_by_another("", now):
                    found.append(entry.intention)
        return tuple(found)

    async def unsent(self, before: datetime, outlet: Outlet = Outlet.LOG) -> tuple[Row, ...]:
        """The rows that were written before then and are not known to have been sent there, oldest first."""
        first = unsent_list(outlet)
        until = f"{first}{before:%Y-%m-%dT%H:%M:%S}"
        found: list[Row] = []
        for partition in SHARDS:
            async with own_store("ledger"):
                found += await self._oldest(partition, first, until)
        return tuple(sorted(found, key=lambda row: str(row.columns["TimeGenerated"])))

    async def _oldest(self, partition: str, first: str, until: str) -> list[Row]:
        """One page of a partition's rows: after an outage the rest waits for the next run."""
        rows: list[Row] = []
        async for entity in self._range(partition, first, until):
            rows.append(read_row(entity))
            if len(rows) == _MOST:
                break
        return rows

    async def strike(self, rows: Sequence[Row], outlet: Outlet = Outlet.LOG) -> None:
        """Takes rows that were sent there off the list of unsent ones; whoever struck them before is as good."""
        for partition in SHARDS:
            own = sorted({unsent_row(row, outlet) for row in rows if shard(row.chain) == partition})
            for at in range(0, len(own), _MOST):
                async with own_store("ledger"):
                    await self._strike(partition, own[at : at + _MOST])

    async def _strike(self, partition: str, names: list[str]) -> None:
        gone = [("delete", {"PartitionKey": partition, "RowKey": name}) for name in names]
        try:
            await self._table.submit_transaction(gone)
        except HttpResponseError:
            # One row that is gone already fails the whole transaction; deleting alone passes over it.
            for name in names:
                await self._delete(partition, name)

    async def _delete(self, partition: str, name: str) -> None:
        try:
            await self._table.delete_entity(partition, name)
        except ResourceNotFoundError:
            return  # the row, or the whole table, is not there: that is what was asked for

    async def _submit(self, operations: Sequence[Operation]) -> list[Any]:
        try:
            return await self._table.submit_transaction(operations)
        except HttpResponseError as error:
            if error.status_code != 404:
                raise
        await self._create()
        return await self._table.submit_transaction(operations)

    async def _create(self) -> None:
        """The deployment makes the table; under Core Tools and Azurite nobody else does."""
        try:
            await self._table.create_table()
        except ResourceExistsError:
            return

    async def _range(self, partition: str, first: str, until: str) -> AsyncIterator[Any]:
        wanted = "PartitionKey eq @partition and RowKey ge @first and RowKey lt @until"
        limits = {"partition": partition, "first": first, "until": until}
        try:
            async for entity in self._table.query_entities(wanted, parameters=limits, results_per_page=_MOST):
                yield entity
        except ResourceNotFoundError:
            return  # no table yet: nothing is remembered


def _write(entry: Entry) -> Operation:
    entity = entry_entity(entry)
    if entry.version is None:
        return ("create", entity)
    guard = {"etag": entry.version.etag, "match_condition": MatchConditions.IfNotModified}
    return ("update", entity, {"mode": UpdateMode.REPLACE} | guard)


def _transactions(kept: Sequence[Operation], notices: Sequence[Operation]) -> list[list[Operation]]:
    """What is kept and as many notices as the service takes with it, then the notices that are left."""
    transactions = [list(kept)]
    size = sum(map(_size, kept))
    for notice in notices:
        if len(transactions[-1]) >= _MOST or size + _size(notice) > _LARGEST:
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
    """Lists an intention as open, or strikes it from the list it is known to be on."""
    listed = {"PartitionKey": shard(entry.key), "RowKey": intention_row(entry.key)}
    if entry.intention is not None:
        return [("upsert", listed | {"Key": entry.key})]
    return [("delete", listed)] if entry.version and entry.version.listed else []


def _renewed(entry: Entry, etag: str) -> Entry:
    return replace(entry, version=Version(etag, entry.intention is not None))
