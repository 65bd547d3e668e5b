"""How many rows go into one call of the Logs Ingestion API, or of Event Grid."""

import json
from collections.abc import Callable, Iterable, Iterator

from shared.domain.body import JsonObject
from shared.domain.record import Row

# Both services take 1 MB of JSON a call (azure-monitor-docs, service limits, and learn.microsoft.com/azure/event-grid/
# quotas-limits, read 2026-11-23); azure-monitor-ingestion's own chunks leave out the separators and overshoot it.
LARGEST = 900 * 1024


def _columns(row: Row) -> JsonObject:
    return row.columns


def chunks(rows: Iterable[Row], told: Callable[[Row], JsonObject] = _columns) -> Iterator[list[Row]]:
    """The rows in their order, in lists whose JSON stays under the limit, separators and brackets included.

    `told` is what is sent for a row.
    """
    chunk: list[Row] = []
    size = 2
    for row in rows:
        own = len(json.dumps(told(row))) + 2
        if chunk and size + own > LARGEST:
            yield chunk
            chunk, size = [], 2
        chunk.append(row)
        size += own
    if chunk:
        yield chunk
