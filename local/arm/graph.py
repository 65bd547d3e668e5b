"""Azure Resource Graph, as far as a paged listing of resources by type goes.

Source: Microsoft.ResourceGraph/resources, api-version 2021-03-01 (reviewed 2026-11).
"""

import re
from dataclasses import dataclass

from local.arm.body import Body, at, section
from local.arm.estate import Estate
from local.arm.reads import tracked
from local.arm.refusal import bad_request
from local.arm.resource_id import parse

PATH = "/providers/microsoft.resourcegraph/resources"
PAGE_SIZE = 1000
_TYPES = re.compile(r"where\s+type\s+(?:in~|=~)\s*\(?\s*((?:'[^']*'\s*,?\s*)+)\)?", re.IGNORECASE)
_PROJECT = re.compile(r"project\s+([a-z]+(?:\s*,\s*[a-z]+)*)", re.IGNORECASE)
_ORDER = re.compile(r"order\s+by\s+id(\s+asc)?", re.IGNORECASE)
_SHOWN = ("name", "kind", "location", "managedBy", "sku", "plan", "properties", "tags", "identity", "zones")


@dataclass(frozen=True, slots=True)
class Query:
    """What is asked: the types, lower-cased, and the columns; None means all."""

    types: frozenset[str] | None
    columns: tuple[str, ...] | None


def parse_query(text: str) -> Query:
    """Read `Resources | where type in~ (...) | project ... | order by id asc`; the three parts are optional.

    Raises RefusedError (400 InvalidQuery) for any other KQL.
    """
    table, *steps = [step.strip() for step in text.split("|")]
    query = Query(None, None)
    for step in steps:
        if found := _TYPES.fullmatch(step):
            query = Query(frozenset(re.findall(r"'([^']*)'", found[1].lower())), query.columns)
        elif found := _PROJECT.fullmatch(step):
            query = Query(query.types, tuple(re.split(r"\s*,\s*", found[1])))
        elif not _ORDER.fullmatch(step):
            raise bad_request(f"This part of the query is not understood here: {step[:80]!r}.", "InvalidQuery")
    if table.lower() != "resources":
        raise bad_request("Only the table Resources is served here.", "InvalidQuery")
    return query


def answer(estate: Estate, request: Body, page_size: int = PAGE_SIZE) -> Body:
    """One page: rows ordered by id, and `$skipToken` when there are more. Raises RefusedError."""
    query = parse_query(str(request.get("query") or "Resources"))
    options = section(request, "options")
    asked = request.get("subscriptions")
    subscriptions = {str(item).lower() for item in asked} if isinstance(asked, list) else None
    rows = [row for row in map(_row, tracked(estate)) if _is_asked(row, query, subscriptions)]
    rows.sort(key=lambda row: str(row["id"]).lower())
    start = _number(options.get("$skipToken"), 0)
    top = min(_number(options.get("$top"), page_size), page_size) or page_size
    page = rows[start : start + top]
    shown = [_projected(row, query.columns) for row in page]
    body: Body = {"totalRecords": len(rows), "count": len(page), "data": shown, "facets": []}
    more = start + top < len(rows)
    return {**body, "resultTruncated": "false"} | ({"$skipToken": str(start + top)} if more else {})


def _row(body: Body) -> Body:
    address = parse(str(body["id"]))
    row: Body = {name: body.get(name) for name in _SHOWN}
    names: Body = {"id": body["id"], "type": str(body.get("type", address.type if address else "")).lower()}
    if address is not None:
        names |= {"subscriptionId": address.subscription, "resourceGroup": (address.group or "").lower()}
    return {**names, **row}


def _is_asked(row: Body, query: Query, subscriptions: set[str] | None) -> bool:
    of_type = query.types is None or row["type"] in query.types
    return of_type and (not subscriptions or str(at(row, "subscriptionId")).lower() in subscriptions)


def _projected(row: Body, columns: tuple[str, ...] | None) -> Body:
    return row if columns is None else {name: row.get(name) for name in columns}


def _number(value: object, absent: int) -> int:
    if value is None:
        return absent
    if not str(value).isascii() or not str(value).isdigit():
        raise bad_request("Paging options are whole numbers.", "InvalidOptions")
    return int(str(value)[:9])
