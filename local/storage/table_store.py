"""Tables and entities in SQLite: what each operation does to the rows, without HTTP."""

import json
import re
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from local.storage.database import Database
from local.storage.edm import Edm, Value
from local.storage.entity import Entity, Properties, check_limits
from local.storage.moment import Moment
from local.storage.odata import Filter, Operator, necessary
from local.storage.service import StorageError

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9]{2,62}")
_RESERVED = "tables"
_COLUMNS = {"PartitionKey": "partition_key", "RowKey": "row_key"}
_SQL_OPERATORS: dict[Operator, str] = {"eq": "=", "ne": "<>", "gt": ">", "ge": ">=", "lt": "<", "le": "<="}


@dataclass(frozen=True, slots=True)
class Change:
    """One write to one entity.

    `condition` is the If-Match header: an ETag, `*`, or None, which makes a merge or replace an upsert.
    """

    kind: Literal["insert", "merge", "replace", "delete"]
    table: str
    partition_key: str
    row_key: str
    properties: Properties
    condition: str | None


@dataclass(frozen=True, slots=True)
class Page[Item]:
    """Some items in order, and the first one that did not fit; None means that these were the last."""

    items: Sequence[Item]
    following: Item | None


class TableStore:
    """The tables of one account. Every method raises StorageError in the service's words."""

    def __init__(self, database: Database, account: str) -> None:
        self._database = database
        self._account = account

    def create_table(self, name: str) -> None:
        """Create an empty table: 409 TableAlreadyExists when there is one, in whatever case."""
        check_table_name(name)
        try:
            self._run("INSERT INTO tables (account, name) VALUES (?, ?)", self._account, name)
        except sqlite3.IntegrityError as error:
            raise StorageError(409, "TableAlreadyExists", "The table specified already exists.") from error

    def delete_table(self, name: str) -> None:
        """Delete a table and its entities at once (the real service keeps the name busy for a while)."""
        if self._run("DELETE FROM tables WHERE account = ? AND name = ?", self._account, name).rowcount == 0:
            raise not_found()

    def list_tables(self, start: str, found: Filter | None, limit: int) -> Page[str]:
        """Return up to `limit` table names from `start` on that match the filter over `TableName`; None matches all."""
        rows = self._run("SELECT name FROM tables WHERE account = ? AND name >= ? ORDER BY name", self._account, start)
        return _page((name for (name,) in rows if found is None or _names(found, name)), limit)

    def get(self, table: str, partition_key: str, row_key: str) -> Entity:
        """Return one entity: 404 ResourceNotFound when there is none."""
        entity = self._find(self._table(table), partition_key, row_key)
        if entity is None:
            raise not_found()
        return entity

    def query(self, table: str, start: tuple[str, str], found: Filter | None, limit: int) -> Page[Entity]:
        """Return up to `limit` matching entities by PartitionKey, then RowKey, from the keys `start` on."""
        bounds = () if found is None else necessary(found, frozenset(_COLUMNS))
        narrowed = "".join(f" AND {_COLUMNS[bound.name]} {_SQL_OPERATORS[bound.operator]} ?" for bound in bounds)
        # SQLite would rather use the continuation as its index range than the filter's bounds, which are the narrower
        # ones; a plus makes an expression of a column and so keeps it from the index.
        index = "+" if any(bound.name == "PartitionKey" for bound in bounds) else ""
        rows = self._run(
            "SELECT partition_key, row_key, ticks, properties FROM entities WHERE table_id = ?"  # noqa: S608 # columns and operators are ours
            f" AND ({index}partition_key, {index}row_key) >= (?, ?){narrowed} ORDER BY partition_key, row_key",
            self._table(table),
            *start,
            *(bound.constant for bound in bounds),
        )
        entities = (_entity(row) for row in rows)
        return _page((entity for entity in entities if found is None or found.matches(entity.lookup)), limit)

    def apply(self, change: Change) -> Entity | None:
        """Write one entity and return its new state; None after a delete.

        409 EntityAlreadyExists, 404 ResourceNotFound or TableNotFound, 412 UpdateConditionNotSatisfied.
        """
        table_id = self._table(change.table)
        current = self._find(table_id, change.partition_key, change.row_key)
        _check_condition(change, current)
        if change.kind == "delete":
            self._run(
                "DELETE FROM entities WHERE table_id = ? AND partition_key = ? AND row_key = ?",
                *(table_id, change.partition_key, change.row_key),
            )
            return None
        kept = current.properties if current is not None and change.kind == "merge" else {}
        entity = Entity(change.partition_key, change.row_key, self._database.stamp(), {**kept, **change.properties})
        check_limits(entity.partition_key, entity.row_key, entity.properties)
        self._run(
            "INSERT OR REPLACE INTO entities (table_id, partition_key, row_key, ticks, properties)"
            " VALUES (?, ?, ?, ?, ?)",
            *(table_id, entity.partition_key, entity.row_key, entity.stamp.ticks, _stored(entity.properties)),
        )
        return entity

    def _table(self, name: str) -> int:
        check_table_name(name)
        row = self._run("SELECT id FROM tables WHERE account = ? AND name = ?", self._account, name).fetchone()
        if row is None:
            raise StorageError(404, "TableNotFound", "The table specified does not exist.")
        return int(row[0])

    def _find(self, table_id: int, partition_key: str, row_key: str) -> Entity | None:
        row = self._run(
            "SELECT partition_key, row_key, ticks, properties FROM entities"
            " WHERE table_id = ? AND partition_key = ? AND row_key = ?",
            *(table_id, partition_key, row_key),
        ).fetchone()
        return None if row is None else _entity(row)

    def _run(self, statement: str, *parameters: object) -> sqlite3.Cursor:
        return self._database.connection.execute(statement, parameters)


def check_table_name(name: str) -> None:
    """Raise StorageError for what the service does not take as a table's name."""
    if not 3 <= len(name) <= 63:
        raise StorageError(
            400, "OutOfRangeInput", "The specified resource name length is not within the permissible limits."
        )
    if not _NAME.fullmatch(name) or name.lower() == _RESERVED:
        raise StorageError(400, "InvalidResourceName", "The specified resource name contains invalid characters.")


def not_found() -> StorageError:
    """Return the refusal for an entity or table that does not exist."""
    return StorageError(404, "ResourceNotFound", "The specified resource does not exist.")


def _check_condition(change: Change, current: Entity | None) -> None:
    if change.kind == "insert":
        if current is not None:
            raise StorageError(409, "EntityAlreadyExists", "The specified entity already exists.")
    elif change.condition is not None:
        if current is None:
            raise not_found()
        if change.condition not in ("*", current.etag):
            raise StorageError(
                412,
                "UpdateConditionNotSatisfied",
                "The update condition specified in the request was not satisfied.",
            )


def _names(found: Filter, name: str) -> bool:
    return found.matches(lambda property_name: name if property_name == "TableName" else None)


def _page[Item](items: Iterator[Item], limit: int) -> Page[Item]:
    taken = [item for _, item in zip(range(limit), items, strict=False)]
    return Page(taken, next(items, None))


def _entity(row: tuple[str, str, int, str]) -> Entity:
    partition_key, row_key, ticks, stored = row
    properties = {name: Value(Edm(kind), wire) for name, (kind, wire) in json.loads(stored).items()}
    return Entity(partition_key, row_key, Moment(ticks), properties)


def _stored(properties: Properties) -> str:
    return json.dumps({name: (value.type, value.wire) for name, value in properties.items()})
