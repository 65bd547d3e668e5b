"""How many rows go into one call of the Logs Ingestion API."""

import json
from collections.abc import Iterable, Iterator

from shared.domain.record import Row

# The service takes 1 MB of JSON a call (azure-monitor-docs, service limits, read 2026-11-23); azure-monitor-ingestion's
# own chunks leave out the separators and overshoot it.
LARGEST = 900 * 1024


def chunks(rows: Iterable[Row]) -> Iterator[list[Row]]:
    """The rows in their order, in lists whose JSON stays under the limit, separators and brackets included."""
    chunk: list[Row] = []
    size = 2
    for row in rows:
        own = len(json.dumps(row.columns)) + 2
        if chunk and size + own > LARGEST:
            yield chunk
            chunk, size = [], 2
        chunk.append(row)
        size += own
    if chunk:
        yield chunk
