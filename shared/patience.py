"""Waiting for what can still succeed: the only place that repeats anything (SDK retries are off)."""

import random
from datetime import timedelta

from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type, stop_before_delay

from shared.domain.failure import TryAgain


def patience(budget: timedelta, first: timedelta = timedelta(seconds=0.5)) -> AsyncRetrying:
    """Repeats after TryAgain, waiting as long as the service asked, else `first` and then twice as long each time.

    Gives up, with the last TryAgain, as soon as the next wait would end after the budget.
    """

    def wait(state: RetryCallState) -> float:
        failure = state.outcome.exception() if state.outcome else None
        asked = failure.after if isinstance(failure, TryAgain) else None
        # Spread, so that workers that met at one resource do not meet again.
        spread = random.uniform(0.75, 1.25)  # noqa: S311 - nothing secret
        grown: float = first.total_seconds() * 2.0 ** (state.attempt_number - 1) * spread
        return max(grown, asked.total_seconds()) if asked else grown

    return AsyncRetrying(
        retry=retry_if_exception_type(TryAgain), wait=wait, stop=stop_before_delay(budget), reraise=True
    )
