"""The log's table and the stream of the data collection rule, from the record's own schema."""

from shared.domain.body import Json
from shared.domain.record import TABLE, schema

# Tables and streams spell one type in two ways (learn.microsoft.com/rest/api/loganalytics/tables and /rest/api/
# monitor/data-collection-rules, read 2026-11-24).
_IN_TABLES = {"datetime": "dateTime"}


def log_shape() -> Json:
    """Names and columns of both."""
    columns: list[Json] = [{"name": name, "type": _IN_TABLES.get(kind, kind)} for name, kind in schema().items()]
    stream: list[Json] = [{"name": name, "type": kind} for name, kind in schema().items()]
    return {"table": TABLE, "stream": f"Custom-{TABLE}", "columns": columns, "streamColumns": stream}
