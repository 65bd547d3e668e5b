"""Logs Ingestion: takes rows for a custom table, and is as silent about what it drops as the real one.

Sources: Logs Ingestion API in Azure Monitor, api-version 2023-01-01; Azure Monitor service limits (reviewed 2026-11).
"""

import json
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import MappingProxyType
from uuid import UUID

from aiohttp import web

from local.arm.front import no_constant, refuse_stranger
from local.arm.refusal import RefusedError, bad_request
from local.faults import Faults

API_VERSION = "2023-01-01"
AUDIENCES = frozenset({"https://monitor.azure.com"})
LIMIT_BYTES = 1024 * 1024
FIELD_BYTES = 64 * 1024
TIME = "TimeGenerated"
_OLDEST, _NEWEST = timedelta(days=2), timedelta(days=1)

type Row = dict[str, object]


@dataclass(frozen=True, slots=True)
class LogsRequest:
    """One line of the journal: how many rows came in how many bytes (unpacked), and how it was answered."""

    stream: str
    rows: int
    size: int
    status: int
    time: float


class LogsService:
    """One data collection rule with its streams.

    `streams` gives each stream's columns with their types: dynamic, string, datetime, int, long, real, boolean, guid.
    `clock` gives epoch seconds. Rows are kept in `rows` and, where `file` is given, appended to it as JSON lines.
    `dropped` counts what the service does not tell the sender: no_object,
    unknown_column, wrong_type, truncated, time_replaced.

    Raises ValueError for a column type that no table has.
    """

    def __init__(
        self,
        rule_id: str,
        streams: Mapping[str, Mapping[str, str]],
        clock: Callable[[], float],
        faults: Faults,
        file: Path | None = None,
    ) -> None:
        self.rows: list[Row] = []
        self.requests: list[LogsRequest] = []
        self.dropped: Counter[str] = Counter()
        self._rule_id = rule_id
        self._streams = {stream: dict(columns) for stream, columns in streams.items()}
        self._clock = clock
        self._faults = faults
        self._file = file
        unknown = {kind for columns in self._streams.values() for kind in columns.values()} - _FITS.keys()
        if unknown:
            raise ValueError(f"No such column type: {', '.join(sorted(unknown))}")

    def application(self) -> web.Application:
        """The server. To be served over TLS, and with aiohttp's unpacking of request bodies left on."""
        app = web.Application(client_max_size=LIMIT_BYTES, middlewares=[self._faults.middleware("logs")])
        app.router.add_post("/dataCollectionRules/{rule}/streams/{stream}", self._ingest)
        return app

    async def _ingest(self, request: web.Request) -> web.Response:
        rows: list[object] = []
        size, status, body = 0, 204, b""
        try:
            columns = self._columns(request)
            content = await _read(request)
            size, rows = len(content), _parse(content)
            objects = [row for row in rows if isinstance(row, dict)]
            self.dropped["no_object"] += len(rows) - len(objects)
            self._keep([self._row(row, columns) for row in objects])
        except RefusedError as refusal:
            status, body = refusal.status, json.dumps(refusal.body).encode()
        self.requests.append(LogsRequest(request.match_info["stream"], len(rows), size, status, self._clock()))
        return web.Response(status=status, body=body, content_type="application/json" if body else None)

    def _columns(self, request: web.Request) -> dict[str, str]:
        refuse_stranger(request, AUDIENCES, self._clock())
        if request.query.get("api-version") != API_VERSION:
            raise bad_request(f"Ask with api-version={API_VERSION}.", "InvalidApiVersion")
        if request.match_info["rule"] != self._rule_id:
            raise RefusedError(404, "NotFound", "No data collection rule has this immutable id.")
        columns = self._streams.get(request.match_info["stream"])
        if columns is None:
            raise RefusedError(404, "NotFound", "The data collection rule has no such stream.")
        return columns

    def _row(self, given: Row, columns: dict[str, str]) -> Row:
        self.dropped["unknown_column"] += len(given.keys() - columns.keys())
        row = {name: self._value(given.get(name), kind) for name, kind in columns.items()}
        now = datetime.fromtimestamp(self._clock(), UTC)
        if TIME in columns and not _is_recent(row[TIME], now):
            row[TIME] = now.isoformat()
            self.dropped["time_replaced"] += 1
        return row

    def _value(self, value: object, kind: str) -> object:
        if value is None:
            return None
        if not _FITS[kind](value):
            self.dropped["wrong_type"] += 1
            return None
        if kind not in {"string", "dynamic"}:
            return value
        text = (value if isinstance(value, str) else json.dumps(value)).encode(errors="replace")
        if len(text) <= FIELD_BYTES:
            return value
        self.dropped["truncated"] += 1
        return text[:FIELD_BYTES].decode(errors="ignore")

    def _keep(self, rows: list[Row]) -> None:
        self.rows.extend(rows)
        if self._file is not None:
            with self._file.open("a", encoding="utf-8") as lines:
                lines.writelines(json.dumps(row) + "\n" for row in rows)


async def _read(request: web.Request) -> bytes:
    try:
        return await request.read()
    except web.HTTPRequestEntityTooLarge as error:
        message = f"Maximum allowed content length: {LIMIT_BYTES} bytes (1 MB)."
        raise RefusedError(413, "ContentLengthLimitExceeded", message) from error
    except web.RequestPayloadError as error:
        raise bad_request("The content cannot be unpacked.", "InvalidContent") from error


def _parse(content: bytes) -> list[object]:
    try:
        rows = json.loads(content, parse_constant=no_constant)
    except (ValueError, RecursionError) as error:
        raise bad_request("The content is not valid JSON.", "InvalidContent") from error
    if not isinstance(rows, list):
        raise bad_request("The content must be a JSON array.", "InvalidContent")
    return rows


def _is_recent(value: object, now: datetime) -> bool:
    if not isinstance(value, str):
        return False
    time = datetime.fromisoformat(value)
    aware = time if time.tzinfo else time.replace(tzinfo=UTC)
    return now - _OLDEST <= aware <= now + _NEWEST


def _is_datetime(value: object) -> bool:
    return isinstance(value, str) and _reads(datetime.fromisoformat, value)


def _is_guid(value: object) -> bool:
    return isinstance(value, str) and _reads(UUID, value)


def _reads(read: Callable[[str], object], value: str) -> bool:
    try:
        read(value)
    except ValueError:
        return False
    return True


def _is_whole(value: object, bits: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and -(2 ** (bits - 1)) <= value < 2 ** (bits - 1)


_FITS: Mapping[str, Callable[[object], bool]] = MappingProxyType(
    {
        "dynamic": lambda _: True,
        "string": lambda value: isinstance(value, str),
        "datetime": _is_datetime,
        "int": lambda value: _is_whole(value, 32),
        "long": lambda value: _is_whole(value, 64),
        "real": lambda value: isinstance(value, int | float) and not isinstance(value, bool),
        "boolean": lambda value: isinstance(value, bool),
        "guid": _is_guid,
    }
)
