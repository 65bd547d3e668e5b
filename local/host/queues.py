"""The queue service, through Azure's own SDK, as triggers and outputs need it."""

import base64
import binascii
from collections.abc import Callable
from dataclasses import dataclass, field

from azure.core.exceptions import ResourceExistsError, ResourceNotFoundError
from azure.storage.queue.aio import QueueClient, QueueServiceClient


@dataclass(slots=True)
class Queues:
    """Queues by name. Text is encoded and decoded here, so that a message that is not base64 can be moved as it is."""

    service: QueueServiceClient
    base64: bool
    _clients: dict[str, QueueClient] = field(default_factory=dict)
    _watchers: dict[str, list[Callable[[], None]]] = field(default_factory=dict)

    def client(self, queue: str) -> QueueClient:
        """The client of one queue. It neither encodes nor decodes, whatever the service client was told."""
        if queue not in self._clients:
            self._clients[queue] = self.service.get_queue_client(queue)
        return self._clients[queue]

    def watch(self, queue: str, wake: Callable[[], None]) -> None:
        """Call `wake` whenever this host has written to `queue`."""
        self._watchers.setdefault(queue, []).append(wake)

    async def create(self, queue: str) -> None:
        """Create the queue unless it is there. Raises AzureError."""
        try:
            await self.client(queue).create_queue()
        except ResourceExistsError:
            return

    async def put(self, queue: str, body: bytes) -> None:
        """Write one message, to a queue that is created when absent. Raises AzureError."""
        await self.put_text(queue, base64.b64encode(body).decode() if self.base64 else body.decode())

    async def put_text(self, queue: str, text: str) -> None:
        """Write one message whose text is already encoded. Raises AzureError."""
        try:
            await self.client(queue).send_message(text)
        except ResourceNotFoundError:
            await self.create(queue)
            await self.client(queue).send_message(text)
        for wake in self._watchers.get(queue, ()):
            wake()

    def body(self, text: str) -> bytes | None:
        """The bytes that a message's text stands for; None when it is not base64 and should be."""
        if not self.base64:
            return text.encode()
        try:
            return base64.b64decode(text, validate=True)
        except binascii.Error:
            return None
