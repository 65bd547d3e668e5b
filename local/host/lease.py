"""The hold on one received queue message, kept while its function runs.

After UpdateQueueMessageVisibilityCommand.cs of the Storage extension (Azure/azure-sdk-for-net at 1cceaac, read
2026-11-23): ten minutes in Azure, renewed at half time.
"""

import asyncio
import math
from datetime import timedelta
from types import TracebackType
from typing import Self

from azure.core.exceptions import AzureError
from azure.storage.queue import QueueMessage
from azure.storage.queue.aio import QueueClient

from local.host.log import Log, LogLine


def whole_seconds(time: timedelta) -> int:
    """Visibility as the service counts it, rounded up."""
    return math.ceil(time.total_seconds())


class Lease:
    """Renews while it is entered. Afterwards the message is deleted or released, once."""

    def __init__(self, client: QueueClient, message: QueueMessage, time: timedelta, log: Log) -> None:
        self._client = client
        self._id = message.id
        self._receipt = message.pop_receipt
        self._time = time
        self._log = log
        self._over = asyncio.Event()
        self._renewing: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._renewing = asyncio.create_task(self._renew())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # Not cancelled: a renewal on its way brings the receipt that deleting needs.
        self._over.set()
        if self._renewing is not None:
            await self._renewing

    async def delete(self) -> None:
        """The message is done. One that somebody else has taken over is theirs to delete."""
        try:
            await self._client.delete_message(self._id, self._receipt)
        except AzureError as error:
            self._log(LogLine("", "Warning", f"message {self._id} was not deleted and will come again: {error}"))

    async def release(self, after: timedelta) -> None:
        """Let the message be seen again, `after` this time."""
        try:
            await self._client.update_message(self._id, self._receipt, visibility_timeout=whole_seconds(after))
        except AzureError as error:
            self._log(LogLine("", "Warning", f"message {self._id} stays hidden until its lease ends: {error}"))

    async def _renew(self) -> None:
        while not await self._ends_within(self._time / 2):
            try:
                renewed = await self._client.update_message(
                    self._id, self._receipt, visibility_timeout=whole_seconds(self._time)
                )
            except AzureError as error:
                self._log(LogLine("", "Warning", f"the lease of message {self._id} was not renewed: {error}"))
                return
            self._receipt = renewed.pop_receipt

    async def _ends_within(self, time: timedelta) -> bool:
        try:
            async with asyncio.timeout(time.total_seconds()):
                await self._over.wait()
        except TimeoutError:
            return False
        return True
