"""The queue that signals wait in."""

import math
from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING

from azure.core.exceptions import ResourceNotFoundError

from shared.azure.failures import own_store

if TYPE_CHECKING:
    from azure.storage.queue.aio import QueueClient

# The longest that the service hides a message (learn.microsoft.com/rest/api/storageservices/put-message, 2026-11-23).
_LONGEST = timedelta(days=7)
_FOR_EVER = -1


class SignalQueue:
    """`ports.Queue` over Azure Queue Storage. `connect` makes the client when the first message is put back."""

    def __init__(self, connect: "Callable[[], QueueClient]") -> None:
        self._connect = connect
        self._client: QueueClient | None = None

    async def put(self, message: str, delay: timedelta) -> None:
        """Puts a message in, visible after the delay, kept until somebody takes it. Raises TryAgain."""
        self._client = self._client or self._connect()
        hidden = math.ceil(min(max(delay, timedelta()), _LONGEST).total_seconds())
        async with own_store("queue"):
            try:
                await self._client.send_message(message, visibility_timeout=hidden, time_to_live=_FOR_EVER)
            except ResourceNotFoundError:
                await self._client.create_queue()
                await self._client.send_message(message, visibility_timeout=hidden, time_to_live=_FOR_EVER)
