"""The queue that the Functions host moves messages to that made the function crash again and again."""

import base64
from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING

from azure.core.exceptions import ResourceNotFoundError

from shared.azure.failures import odd_answers_as_failures, own_store
from shared.domain.ports import Poisoned

if TYPE_CHECKING:
    from azure.storage.queue import QueueMessage
    from azure.storage.queue.aio import QueueClient

_HIDDEN = timedelta(minutes=5)
# The most messages in one answer (learn.microsoft.com/rest/api/storageservices/get-messages, read 2026-11-24).
_PAGE = 32


class PoisonQueue:
    """`ports.Poison` over Azure Queue Storage.

    `connect` makes the client with the first call; it must not decode messages.
    """

    def __init__(self, connect: "Callable[[], QueueClient]") -> None:
        self._connect = connect
        self._client: QueueClient | None = None

    async def take(self, most: int = 32) -> list[Poisoned]:
        """Up to so many messages, hidden for five minutes; none where there is no queue. Raises TryAgain."""
        client = self._queue()
        hidden = int(_HIDDEN.total_seconds())
        async with own_store("poison"), odd_answers_as_failures("poison"):
            found = client.receive_messages(
                messages_per_page=min(most, _PAGE), max_messages=most, visibility_timeout=hidden
            )
            try:
                return [_poisoned(message) async for message in found]
            except ResourceNotFoundError:
                return []

    async def remove(self, poisoned: Poisoned) -> None:
        """Takes the message out, if it is still there. Raises TryAgain, also where it was taken by another since."""
        client = self._queue()
        async with own_store("poison"):
            try:
                await client.delete_message(poisoned.id, poisoned.receipt)
            except ResourceNotFoundError:
                return

    def _queue(self) -> "QueueClient":
        self._client = self._client or self._connect()
        return self._client


def _poisoned(message: "QueueMessage") -> Poisoned:
    if message.inserted_on is None or message.pop_receipt is None:
        raise ValueError("a message without its time or its receipt")
    return Poisoned(message.id, _decoded(message.content or ""), message.inserted_on, message.pop_receipt)


def _decoded(content: str) -> str:
    """The text as it was put in. What nobody can decode was never a signal, and is shown as it stands."""
    try:
        return base64.b64decode(content, validate=True).decode()
    except ValueError:
        return content
