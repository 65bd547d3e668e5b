"""Log Analytics' query API: answers the one query that reads a table's rows of a time, within the service's limits.

Sources: learn.microsoft.com/azure/azure-monitor/logs/api/ (request, response format, errors) and the Azure Monitor
service limits, read 2026-11-24. The messages are our own wording. Rows come back as the real service spells them: times
with up to seven digits, dynamic columns as text, absent text as empty, with the columns that every table has.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from aiohttp import web

from local.arm.front import read_body, refuse_stranger
from local.arm.refusal import RefusedError, bad_request
from local.faults import Faults

AUDIENCE = "https://api.loganalytics.io"
MOST_ROWS = 500_000
MOST_BYTES = 100 * 1024 * 1024
TIME = "TimeGenerated"
_QUERY = re.compile(
    rf"\s*(\w+)\s*\|\s*where {TIME} >= datetime\(([^()]+)\) and {TIME} < datetime\(([^()]+)\)\s*", re.ASCII
)
# Beside its own columns every table has these.
_STANDARD = {"TenantId": "string", "Type": "string", "_ResourceId": "string"}

type Row = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class QueryRequest:
    """One line of the journal: the time that was asked for, how many rows it has, and how it was answered."""

    since: str
    until: str
    rows: int
    status: int
    partial: bool


class LogQueryService:
    """One workspace with one table, whose rows are read anew for each query.

    `columns` gives the table's columns with their types. `most_rows` and `most_bytes` are what one answer holds: more
    comes as a part with an error beside it. `clock` gives epoch seconds.
    """

    def __init__(  # noqa: PLR0913 - what a workspace is made of
        self,
        workspace: str,
        table: str,
        columns: Mapping[str, str],
        rows: Sequence[Row],
        clock: Callable[[], float],
        *,
        faults: Faults | None = None,
        most_rows: int = MOST_ROWS,
        most_bytes: int = MOST_BYTES,
    ) -> None:
        self.requests: list[QueryRequest] = []
        self._workspace = workspace
        self._table = table
        self._columns = {**columns, **_STANDARD}
        self._rows = rows
        self._clock = clock
        self._faults = faults or Faults()
        self._most_rows = most_rows
        self._most_bytes = most_bytes

    def application(self) -> web.Application:
        """The server. To be served over TLS."""
        app = web.Application(middlewares=[self._faults.middleware("logs")])
        app.router.add_post("/v1/workspaces/{workspace}/query", self._query)
        return app

    async def _query(self, request: web.Request) -> web.Response:
        try:
            self._admit(request)
            body = await read_body(request)
            return self._answer(*self._window(body.get("query")))
        except RefusedError as refusal:
            return web.json_response(refusal.body, status=refusal.status)

    def _admit(self, request: web.Request) -> None:
        # In clouds of their own the endpoint is the audience.
        refuse_stranger(request, frozenset({AUDIENCE, str(request.url.origin())}), self._clock())
        if request.match_info["workspace"].lower() != self._workspace.lower():
            raise RefusedError(404, "WorkspaceNotFoundError", "The workspace could not be found.")

    def _window(self, query: object) -> tuple[datetime, datetime]:
        told = _QUERY.fullmatch(query) if isinstance(query, str) else None
        if told is None:
            raise bad_request("The request had some invalid properties: no such query.", "BadArgumentError")
        table, since, until = told.groups()
        if table != self._table:
            message = f"Failed to resolve table or column expression named '{table}'."
            raise bad_request(message, "BadArgumentError")
        try:
            return _moment(since), _moment(until)
        except ValueError as error:
            raise bad_request("The query holds a datetime that is none.", "BadArgumentError") from error

    def _answer(self, since: datetime, until: datetime) -> web.Response:
        found = [row for row in self._rows if since <= _moment(str(row[TIME])) < until]
        given = list(self._as_much_as_fits(found))
        columns = [{"name": name, "type": kind} for name, kind in self._columns.items()]
        answer: dict[str, object] = {"tables": [{"name": "PrimaryResult", "columns": columns, "rows": given}]}
        partial = len(given) < len(found)
        if partial:
            answer["error"] = _too_large(self._most_rows)
        told = since.isoformat(), until.isoformat()
        self.requests.append(QueryRequest(*told, rows=len(found), status=200, partial=partial))
        return web.json_response(answer)

    def _as_much_as_fits(self, found: Sequence[Row]) -> Iterator[list[object]]:
        size = 0
        for row in found[: self._most_rows]:
            told = [self._told(name, kind, row) for name, kind in self._columns.items()]
            size += len(json.dumps(told))
            if size > self._most_bytes:
                return
            yield told

    def _told(self, name: str, kind: str, row: Row) -> object:
        value = {"TenantId": self._workspace, "Type": self._table}.get(name, row.get(name))
        if value is None:
            return "" if kind in {"string", "dynamic"} else None
        if kind == "datetime":
            return _spelled(_moment(str(value)))
        return json.dumps(value) if kind == "dynamic" and not isinstance(value, str) else value


def _too_large(most_rows: int) -> dict[str, object]:
    code, message = "E_QUERY_RESULT_SET_TOO_LARGE", f"The result exceeds {most_rows} records or its size."
    inner = {"code": "-2133196797", "message": f"{message} ({code})", "severity": 2, "severityName": "Error"}
    outer = {"code": "EngineError", "message": "Something went wrong processing your query.", "innererror": inner}
    return {"code": "PartialError", "message": "There were some errors when processing your query.", "details": [outer]}


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)


def _spelled(moment: datetime) -> str:
    """As short as it can be told, in up to seven digits."""
    return moment.isoformat(timespec="microseconds").replace("+00:00", "").rstrip("0").rstrip(".") + "Z"
