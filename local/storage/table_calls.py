"""Calls to the Table service, read: which entity, which change, which page."""

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from local.storage.edm import invalid_input
from local.storage.entity import Metadata, check_key, read_json, read_key, read_properties
from local.storage.odata import Filter, FilterError, parse
from local.storage.service import Call, StorageError
from local.storage.table_store import Change

LARGEST_PAGE = 1000
MOST_OPERATIONS = 100

QUOTED = r"'((?:[^']|'')*)'"
TABLE = re.compile(rf"/Tables\({QUOTED}\)")
ENTITIES = re.compile(r"/([^/()]+)(?:\(\))?")
ENTITY = re.compile(rf"/([^/()]+)\(PartitionKey={QUOTED},\s*RowKey={QUOTED}\)", re.DOTALL)
_ETAG = re.compile(r'\*|(?:W/)?"[^"]*"')
_TOKEN = re.compile(r"1!([0-9]{1,5})!([A-Za-z0-9_-]*)")


@dataclass(frozen=True, slots=True)
class Query:
    """What one page shall hold; None for `filter` and `select` means everything."""

    filter: Filter | None
    select: Sequence[str] | None
    top: int


def plan(call: Call) -> Change:
    """Read a write to one entity out of its call; raises StorageError when it is none."""
    method = method_of(call)
    if method == "POST":
        return _plan_insert(call)
    table, partition_key, row_key = entity_address(call)
    condition = _condition(call)
    if method == "DELETE":
        if condition is None:
            raise StorageError(
                400, "MissingRequiredHeader", "An HTTP header that's mandatory for this request is not specified."
            )
        return Change("delete", table, partition_key, row_key, {}, condition)
    kinds: Mapping[str, Literal["merge", "replace"]] = {"PUT": "replace", "PATCH": "merge", "MERGE": "merge"}
    if method not in kinds:
        raise not_allowed()
    document = read_json(call.body)
    if document.get("PartitionKey", partition_key) != partition_key or document.get("RowKey", row_key) != row_key:
        raise invalid_input()
    return Change(kinds[method], table, partition_key, row_key, read_properties(document), condition)


def not_allowed() -> StorageError:
    """Return the refusal of a method that the address does not have."""
    return StorageError(405, "MethodNotAllowed", "The requested method is not allowed on the specified resource.")


def _plan_insert(call: Call) -> Change:
    table = ENTITIES.fullmatch(call.path)
    if table is None:
        raise not_allowed()
    document = read_json(call.body)
    keys = read_key(document, "PartitionKey"), read_key(document, "RowKey")
    return Change("insert", table[1], *keys, read_properties(document), None)


def plan_all(operations: Sequence[Call]) -> list[Change]:
    """Plan all operations of a transaction and hold them to its rules; a StorageError names the failing index."""
    if len(operations) > MOST_OPERATIONS:
        raise invalid_input("The batch request operation exceeds the maximum 100 changes per change set.").at(
            MOST_OPERATIONS
        )
    changes: list[Change] = []
    for index, operation in enumerate(operations):
        try:
            changes.append(plan(operation))
            _check_group(changes)
        except StorageError as error:
            raise error.at(index) from error
    return changes


def _check_group(changes: Sequence[Change]) -> None:
    *earlier, last = changes
    if earlier and (last.table.lower(), last.partition_key) != (earlier[0].table.lower(), earlier[0].partition_key):
        raise StorageError(
            400, "CommandsInBatchActOnDifferentPartitions", "All commands in a batch must operate on same entity group."
        )
    if any(change.row_key == last.row_key for change in earlier):
        raise StorageError(
            400,
            "InvalidDuplicateRow",
            f"A command with RowKey '{last.row_key}' is already present in the batch. "
            "An entity can appear only once in a batch.",
        )


def method_of(call: Call) -> str:
    """Return the method, looking through the X-HTTP-Method that clients without PATCH tunnel in a POST."""
    return call.headers.get("X-HTTP-Method", call.method).upper() if call.method == "POST" else call.method


def entity_address(call: Call) -> tuple[str, str, str]:
    """Return table, PartitionKey and RowKey that the path names; raises StorageError when it names no entity."""
    match = ENTITY.fullmatch(call.path)
    if match is None:
        raise not_allowed()
    table, partition_key, row_key = match[1], unquoted(match[2]), unquoted(match[3])
    check_key("PartitionKey", partition_key)
    check_key("RowKey", row_key)
    return table, partition_key, row_key


def _condition(call: Call) -> str | None:
    condition = call.headers.get("If-Match")
    if condition is not None and not _ETAG.fullmatch(condition):
        raise invalid_input(
            f"The etag value '{condition}' specified in one of the request headers is not valid. "
            "Please make sure only one etag value is specified and is valid."
        )
    return condition


def read_query(call: Call) -> Query:
    """Read the query options; raises StorageError for a filter, `$top` or continuation token that is not one."""
    names = [name.strip() for name in call.query.get("$select", "*").split(",")]
    select = None if "*" in names or names == [""] else names
    return Query(_filter(call.query.get("$filter", "")), select, _top(call.query.get("$top", str(LARGEST_PAGE))))


def metadata_of(call: Call) -> Metadata:
    """Return how much OData control information the caller wants beside the data."""
    asked = call.query.get("$format", call.headers.get("Accept", ""))
    return "nometadata" if "odata=nometadata" in asked.replace(" ", "").lower() else "minimalmetadata"


def _filter(text: str) -> Filter | None:
    try:
        return parse(text) if text.strip() else None
    except FilterError as error:
        raise invalid_input(f"A filter expression is not valid: {error}.") from error


def _top(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,4}", text) or not 1 <= int(text) <= LARGEST_PAGE:
        raise invalid_input()
    return int(text)


def token_of(key: str) -> str:
    """Wrap a key into ASCII that may stand in a header: keys may hold any character."""
    encoded = urlsafe_b64encode(key.encode()).decode().rstrip("=")
    return f"1!{len(encoded)}!{encoded}"


def read_token(token: str | None) -> str:
    """Return the key inside a continuation token; the empty key, which is first in order, when there is none."""
    if token is None:
        return ""
    match = _TOKEN.fullmatch(token)
    if match is None or int(match[1]) != len(match[2]):
        raise _invalid_parameter()
    try:
        return urlsafe_b64decode(match[2] + "=" * (-len(match[2]) % 4)).decode()
    except ValueError as error:
        raise _invalid_parameter() from error


def _invalid_parameter() -> StorageError:
    return StorageError(
        400,
        "InvalidQueryParameterValue",
        "Value for one of the query parameters specified in the request URI is invalid.",
    )


def unquoted(text: str) -> str:
    """Return a quoted key without the doubling of its quotes."""
    return text.replace("''", "'")
