"""Token buckets of Azure Resource Manager.

Source: "Understand how Azure Resource Manager throttles requests" (reviewed 2026-11): per subscription, principal
and kind of operation, reads 250 and 25 a second, writes and deletes 200 and 10 a second. POSTs count as writes.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from local.arm.refusal import RefusedError

type Kind = Literal["reads", "writes", "deletes"]

_SIZES: dict[Kind, tuple[float, float]] = {"reads": (250, 25), "writes": (200, 10), "deletes": (200, 10)}
_KINDS: dict[str, Kind] = {"GET": "reads", "HEAD": "reads", "DELETE": "deletes"}


def kind_of(method: str) -> Kind:
    """Which bucket a request draws from."""
    return _KINDS.get(method, "writes")


@dataclass(slots=True)
class _Bucket:
    tokens: float
    filled_at: float


class Throttle:
    """The buckets. With `on` false nothing is ever refused and the remaining count stays full."""

    def __init__(self, clock: Callable[[], float], *, on: bool) -> None:
        self._clock = clock
        self._on = on
        self._buckets: dict[tuple[str, str, Kind], _Bucket] = {}

    def draw(self, subscription: str, principal: str, method: str) -> dict[str, str]:
        """Take one token; the answer's rate limit header.

        Raises RefusedError (429 with Retry-After in seconds) when the bucket is empty.
        """
        kind = kind_of(method)
        size, refill = _SIZES[kind]
        header = f"x-ms-ratelimit-remaining-subscription-{kind}"
        if not self._on:
            return {header: str(int(size) - 1)}
        now = self._clock()
        bucket = self._buckets.setdefault((subscription.lower(), principal, kind), _Bucket(size, now))
        bucket.tokens = min(size, bucket.tokens + (now - bucket.filled_at) * refill)
        bucket.filled_at = now
        if bucket.tokens < 1:
            wait = max(1, math.ceil((1 - bucket.tokens) / refill))
            message = f"Too many {kind} for the subscription. Please try again after {wait} seconds."
            headers = {"Retry-After": str(wait), header: "0"}
            raise RefusedError(429, "SubscriptionRequestsThrottled", message, headers)
        bucket.tokens -= 1
        return {header: str(int(bucket.tokens))}
