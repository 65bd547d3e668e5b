"""Azure Table Storage over REST (learn.microsoft.com, "Table service REST API", reviewed 2026-11).

What differs from the service: signatures and tokens are not verified (any Bearer, SharedKey or SharedKeyLite header is
let in), SAS is not understood, a deleted table's name is free at once, `fullmetadata` is answered as `minimalmetadata`,
and access policies, service properties and statistics answer 501 NotImplemented.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from local.storage.batch import read_batch, render_batch
from local.storage.database import Database
from local.storage.entity import Entity, Metadata, read_json
from local.storage.moment import moment
from local.storage.service import Call, Reply, StorageError, not_implemented, serve
from local.storage.table_calls import (
    ENTITIES,
    ENTITY,
    TABLE,
    entity_address,
    metadata_of,
    method_of,
    not_allowed,
    plan,
    plan_all,
    read_query,
    read_token,
    token_of,
    unquoted,
)
from local.storage.table_store import Change, TableStore

LARGEST_BODY = 4 * 1024 * 1024


def application(database: Database, account: str) -> web.Application:
    """Return the Table service of `account`; the caller serves it, and closes `database` afterwards."""
    return serve(TableService(database, account), database, account)


@dataclass(frozen=True, slots=True)
class TableService:
    """Calls to replies, over the tables of one account."""

    database: Database
    account: str

    @property
    def largest_body(self) -> int:
        """4 MiB, the limit of a batch."""
        return LARGEST_BODY

    def answer(self, call: Call) -> Reply:
        """Do what the call asks; raises StorageError."""
        method = method_of(call)
        if call.path == "/$batch" and method == "POST":
            return self._transaction(call)
        if "comp" in call.query:
            raise not_implemented()
        if call.path in ("/Tables", "/Tables()"):
            return self._tables(method, call)
        if table := TABLE.fullmatch(call.path):
            return self._table(method, unquoted(table[1]))
        if ENTITY.fullmatch(call.path) and method == "GET":
            return self._point(call)
        if (entities := ENTITIES.fullmatch(call.path)) and method == "GET":
            return self._query(entities[1], call)
        change = plan(call)
        return _changed(change, self._store.apply(change), call)

    def refuse(self, error: StorageError, request_id: str) -> Reply:
        """Render the OData error document."""
        trailer = f"\nRequestId:{request_id}\nTime:{moment(self.database.now()).exact}"
        message = {"lang": "en-US", "value": error.message + trailer}
        return _json(error.status, {"odata.error": {"code": error.code, "message": message}}, "minimalmetadata")

    @property
    def _store(self) -> TableStore:
        return TableStore(self.database, self.account)

    def _tables(self, method: str, call: Call) -> Reply:
        if method == "POST":
            name = read_json(call.body).get("TableName")
            if not isinstance(name, str):
                raise StorageError(
                    400, "PropertiesNeedValue", "The values are not specified for all properties in the entity."
                )
            self._store.create_table(name)
            return _created({"TableName": name}, call, {})
        if method != "GET":
            raise not_allowed()
        start = read_token(call.query.get("NextTableName"))
        query = read_query(call)
        page = self._store.list_tables(start, query.filter, query.top)
        headers = {} if page.following is None else {"x-ms-continuation-NextTableName": token_of(page.following)}
        return _json(200, {"value": [{"TableName": name} for name in page.items]}, metadata_of(call), headers)

    def _table(self, method: str, name: str) -> Reply:
        if method != "DELETE":
            raise not_implemented() if method == "GET" else not_allowed()
        self._store.delete_table(name)
        return Reply(204)

    def _point(self, call: Call) -> Reply:
        table, partition_key, row_key = entity_address(call)
        entity = self._store.get(table, partition_key, row_key)
        metadata = metadata_of(call)
        return _json(200, entity.render(metadata, read_query(call).select), metadata, {"ETag": entity.etag})

    def _query(self, table: str, call: Call) -> Reply:
        start = (read_token(call.query.get("NextPartitionKey")), read_token(call.query.get("NextRowKey")))
        query, metadata = read_query(call), metadata_of(call)
        page = self._store.query(table, start, query.filter, query.top)
        values = [entity.render(metadata, query.select) for entity in page.items]
        return _json(200, {"value": values}, metadata, _continuation(page.following))

    def _transaction(self, call: Call) -> Reply:
        operations = read_batch(call, self.account)
        try:
            changes = plan_all(operations)
            with self.database.transaction():
                replies = [self._operation(*numbered) for numbered in enumerate(zip(changes, operations, strict=True))]
        except StorageError as error:
            return render_batch([(self.refuse(error, call.request_id), None)], call.request_id)
        identifiers = [operation.headers.get("Content-ID") for operation in operations]
        return render_batch(list(zip(replies, identifiers, strict=True)), call.request_id)

    def _operation(self, index: int, planned: tuple[Change, Call]) -> Reply:
        change, call = planned
        try:
            return _changed(change, self._store.apply(change), call)
        except StorageError as error:
            raise error.at(index) from error


def _continuation(following: Entity | None) -> dict[str, str]:
    if following is None:
        return {}
    return {
        "x-ms-continuation-NextPartitionKey": token_of(following.partition_key),
        "x-ms-continuation-NextRowKey": token_of(following.row_key),
    }


def _changed(change: Change, entity: Entity | None, call: Call) -> Reply:
    if entity is None:
        return Reply(204)
    if change.kind != "insert":
        return Reply(204, headers={"ETag": entity.etag})
    return _created(entity.render(metadata_of(call), None), call, {"ETag": entity.etag})


def _created(document: Mapping[str, Any], call: Call, headers: Mapping[str, str]) -> Reply:
    preference = call.headers.get("Prefer", "").strip().lower()
    applied = {"Preference-Applied": preference} if preference in ("return-content", "return-no-content") else {}
    if preference == "return-no-content":
        return Reply(204, headers={**headers, **applied})
    return _json(201, document, metadata_of(call), {**headers, **applied})


def _json(
    status: int, document: Mapping[str, Any], metadata: Metadata, headers: Mapping[str, str] | None = None
) -> Reply:
    content_type = f"application/json;odata={metadata};streaming=true;charset=utf-8"
    return Reply(status, json.dumps(document).encode(), {"Content-Type": content_type, **(headers or {})})
