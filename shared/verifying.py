"""Reading until what was written shows, or long enough."""

from collections.abc import Callable, Coroutine
from datetime import timedelta
from typing import Any

from tenacity import AsyncRetrying, RetryError, retry_if_result, stop_after_delay, wait_exponential

from shared.domain.body import JsonObject

# How long reads may go on showing the state before the write until it counts as unverified.
_STALE_READS = timedelta(seconds=8)


async def read_until(
    read: Callable[[], Coroutine[Any, Any, JsonObject | None]], is_behind: Callable[[JsonObject | None], bool]
) -> JsonObject | None:
    """The body of the first read that is not behind any more, else of the last one. Raises what `read` raises.

    `read` is a coroutine function: tenacity does not await what another callable returns.
    """
    patience = AsyncRetrying(
        retry=retry_if_result(is_behind),
        wait=wait_exponential(multiplier=0.25, max=2),
        stop=stop_after_delay(_STALE_READS),
    )
    try:
        return await patience(read)
    except RetryError as spent:
        last: JsonObject | None = spent.last_attempt.result()
    return last
