"""The ledger's table: rows in sixteen partitions, read by ranges of their keys and never as a whole."""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

from azure.core import MatchConditions
from azure.core.exceptions import HttpResponseError, ResourceExistsError, ResourceNotFoundError
from azure.data.tables import UpdateMode
from azure.data.tables.aio import TableClient

from shared.azure.entities import Entity

type Operation = tuple[str, Entity] | tuple[str, Entity, dict[str, Any]]

# The service's own limit on one transaction, and on one page.
MOST = 100


class LedgerTable:
    """What the parts of the ledger share. Methods raise what the SDK raises, but for a table that is not there yet."""

    def __init__(self, table: TableClient) -> None:
        self._table = table

    async def range(self, partition: str, first: str, until: str) -> AsyncIterator[Any]:
        """The rows of a partition from one key up to another, in order."""
        wanted = "PartitionKey eq @partition and RowKey ge @first and RowKey lt @until"
        limits = {"partition": partition, "first": first, "until": until}
        try:
            async for entity in self._table.query_entities(wanted, parameters=limits, results_per_page=MOST):
                yield entity
        except ResourceNotFoundError:
            return  # no table yet: nothing is remembered

    async def page(self, partition: str, first: str, until: str) -> list[Any]:
        """The first rows of a range: the rest waits for the next run."""
        rows: list[Any] = []
        async for entity in self.range(partition, first, until):
            rows.append(entity)
            if len(rows) == MOST:
                break
        return rows

    async def get(self, partition: str, name: str) -> Any | None:  # noqa: ANN401 - the SDK's own type, untyped
        """One row; None where there is none."""
        try:
            return await self._table.get_entity(partition, name)
        except ResourceNotFoundError:
            return None

    async def submit(self, operations: Sequence[Operation]) -> list[Any]:
        """One transaction, all or nothing."""
        try:
            return await self._table.submit_transaction(operations)
        except HttpResponseError as error:
            if error.status_code != 404:
                raise
        await self._create()
        return await self._table.submit_transaction(operations)

    async def delete(self, partition: str, names: Sequence[str]) -> None:
        """Deletes rows, however many; one that is gone already is as good."""
        for at in range(0, len(names), MOST):
            some = names[at : at + MOST]
            try:
                await self._table.submit_transaction(
                    [("delete", {"PartitionKey": partition, "RowKey": name}) for name in some]
                )
            except HttpResponseError:
                # One row that is gone already fails the whole transaction; deleting alone passes over it.
                for name in some:
                    await self._delete(partition, name)

    async def delete_unless_changed(self, partition: str, rows: Mapping[str, str]) -> None:
        """Deletes rows, by name and ETag; those that changed meanwhile stay."""
        names = [*rows]
        for at in range(0, len(names), MOST):
            some = names[at : at + MOST]
            try:
                await self._table.submit_transaction(
                    [("delete", {"PartitionKey": partition, "RowKey": name}, _unchanged(rows[name])) for name in some]
                )
            except HttpResponseError:
                for name in some:
                    await self._delete(partition, name, **_unchanged(rows[name]))

    async def _delete(self, partition: str, name: str, **guard: Any) -> None:  # noqa: ANN401 - the SDK's own options
        try:
            await self._table.delete_entity(partition, name, **guard)
        except ResourceNotFoundError:
            return  # the row, or the whole table, is not there: that is what was asked for
        except HttpResponseError as error:
            if not guard or error.status_code != 412:
                raise

    async def _create(self) -> None:
        """The deployment makes the table; under Core Tools and Azurite nobody else does."""
        try:
            await self._table.create_table()
        except ResourceExistsError:
            return


def swap(entity: Entity, etag: str | None) -> Operation:
    """Writes the entity in place of the version with that ETag; None creates it."""
    return ("update", entity, {"mode": UpdateMode.REPLACE} | _unchanged(etag)) if etag else ("create", entity)


def _unchanged(etag: str) -> dict[str, Any]:
    return {"etag": etag, "match_condition": MatchConditions.IfNotModified}
