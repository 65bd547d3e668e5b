"""Reads the remediation log back from Log Analytics, with an Entra token of whoever runs the command."""

from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from azure.core.exceptions import ClientAuthenticationError, HttpResponseError

from shared.azure.failures import odd_answers_as_failures, told_as_failures
from shared.domain.failure import Cause, Refused
from shared.domain.link import shown
from shared.domain.record import TABLE
from shared.domain.redact import redact
from shared.patience import patience

if TYPE_CHECKING:
    from azure.monitor.query import LogsTable
    from azure.monitor.query.aio import LogsQueryClient

ENDPOINT = "https://api.loganalytics.io"
# Codes of what a person can mend; a command says how.
NO_TOKEN = "log-query.no-token"  # noqa: S105 - a reason code
NOT_ALLOWED = "log-query.not-allowed"
NOT_FOUND = "log-query.not-found"
NO_TABLE = "log-query.no-table"
_SERVICE = "log-query"
_CODES = {400: NO_TABLE, 401: NOT_ALLOWED, 403: NOT_ALLOWED, 404: NOT_FOUND}
# What a query answers that has too much to say. A result that reaches a limit, 500,000 rows or some 100 MB, comes as a
# part of itself with an error of code PartialError (learn.microsoft.com/azure/azure-monitor/service-limits, section
# "Log queries and language", and .../logs/api/errors, read 2026-11-24).
_TOO_MUCH = frozenset({413, 504})
_MOST_ROWS = 500_000
# A slice with fewer rows than this may be followed by one twice as wide.
_FEW_ROWS = 20_000
_FIRST, _NARROWEST = timedelta(days=1), timedelta(seconds=1)
_BUDGET = timedelta(minutes=3)
# Seconds. The service works on one query for as long as it is asked to, ten minutes at most.
_CONNECT, _QUERY, _READ = 5, 600, 630


async def read_log(
    workspace: str, since: datetime, until: datetime, endpoint: str = ENDPOINT, budget: timedelta = _BUDGET
) -> AsyncGenerator[Iterator[dict[str, object]]]:
    """The rows of the log with a TimeGenerated from `since` to before `until`, slice by slice, none left out.

    `workspace` is the workspace's id, a GUID. A slice is to be used before the next one is asked for. Repeats what can
    still succeed until the budget is spent, for each slice; then raises TryAgain, or Refused at once.
    """
    # 300 ms that only asking needs, not showing help.
    from azure.identity.aio import DefaultAzureCredential  # noqa: PLC0415 - as above
    from azure.monitor.query.aio import LogsQueryClient  # noqa: PLC0415 - as above

    # It would follow redirects, and the service has no reason to send anyone elsewhere.
    options: dict[str, Any] = {"retry_total": 0, "permit_redirects": False}
    options |= {"connection_timeout": _CONNECT, "read_timeout": _READ}
    async with (
        DefaultAzureCredential(retry_total=0) as credential,
        LogsQueryClient(credential, endpoint=endpoint, **options) as client,
    ):
        begin, width = since, _FIRST
        while begin < until:
            end = min(begin + width, until)
            table: LogsTable | None = await patience(budget)(_ask, client, workspace, begin, end)
            if table is None:
                width = (end - begin) / 2
                if width < _NARROWEST:
                    text = f"the rows from {shown(begin)} to {shown(end)} are more than one answer holds"
                    raise Refused(Cause(f"{_SERVICE}.too-much", text))
                continue
            yield _rows(table)
            begin = end
            width = width * 2 if len(table.rows) < _FEW_ROWS else width


async def _ask(client: "LogsQueryClient", workspace: str, begin: datetime, end: datetime) -> "LogsTable | None":
    """The table of the rows of that time; None where they are too many for one answer."""
    from azure.monitor.query import LogsQueryPartialResult  # noqa: PLC0415 - loaded by now

    window = f"TimeGenerated >= datetime({shown(begin)}) and TimeGenerated < datetime({shown(end)})"
    async with _told_as_failures():
        try:
            query = f"{TABLE} | where {window}"
            answer = await client.query_workspace(workspace, query, timespan=None, server_timeout=_QUERY)
        except HttpResponseError as error:
            if error.status_code in _TOO_MUCH:
                return None
            raise
        if isinstance(answer, LogsQueryPartialResult):
            return None
        (table,) = answer.tables
        return table if len(table.rows) < _MOST_ROWS else None


def _rows(table: "LogsTable") -> Iterator[dict[str, object]]:
    for row in table.rows:
        values = (shown(value) if isinstance(value, datetime) else value for value in row)
        yield dict(zip(table.columns, values, strict=True))


@asynccontextmanager
async def _told_as_failures() -> AsyncIterator[None]:
    """As for every service, but a missing token, role or table is a person's to mend: waiting would not help."""
    async with told_as_failures(_SERVICE), odd_answers_as_failures(_SERVICE):
        try:
            yield
        except HttpResponseError as error:
            code = _code(error)
            if code is None:
                raise
            raise Refused(Cause(code, redact(error.message, 512))) from error


def _code(error: HttpResponseError) -> str | None:
    # The SDK makes one kind of error of all, also of those that the credential raised before anything was asked.
    if error.status_code is None:
        return NO_TOKEN if isinstance(error.__context__, ClientAuthenticationError) else None
    return _CODES.get(error.status_code)
