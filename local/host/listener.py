"""The queue trigger: polls one queue and runs one function for each message.

After QueueListener.cs, QueueProcessor.cs and RandomizedExponentialBackoffStrategy.cs of the Storage extension
(Azure/azure-sdk-for-net at 22354f3, 041cac9 and a256d07, read 2026-11-23).
"""

import asyncio
import json
import random
from datetime import datetime, timedelta
from types import TracebackType
from typing import Self

from azure.core.exceptions import AzureError, ResourceNotFoundError
from azure.storage.queue import QueueMessage

from local.host.activity import Activity
from local.host.function import FunctionDefinition, QueueTrigger
from local.host.invocations import Invocations
from local.host.lease import Lease, whole_seconds
from local.host.log import LogLine
from local.host.process import Answer, Failure
from local.host.queues import Queues
from local.host.settings import SHORTEST_POLL, QueueSettings
from local.host.wire import Datum

_POISON = "-poison"
_LONGEST_NAME = 63


class QueueListener:
    """Polls while it is entered. On leaving it takes no more messages; those under way go on."""

    def __init__(
        self,
        function: FunctionDefinition,
        trigger: QueueTrigger,
        invocations: Invocations,
        settings: QueueSettings,
        message_lease: timedelta,
    ) -> None:
        self._function = function
        self._trigger = trigger
        self._invocations = invocations
        self._settings = settings
        self._lease_time = message_lease
        self._client = invocations.queues.client(trigger.queue)
        self._wake = asyncio.Event()
        # Held from asking for messages until each of them is counted as under way: who holds it sees no message that
        # is hidden in the queue and not yet here.
        self._receiving = asyncio.Lock()
        self._under_way: set[asyncio.Task[None]] = set()
        self._polling: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        """Start to poll, a queue that is created when absent. Raises AzureError."""
        await self._queues.create(self._trigger.queue)
        self._queues.watch(self._trigger.queue, self._wake.set)
        self._polling = self._activity.keep(self._poll())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._polling is not None:
            # Not while messages are on their way here: they would stay hidden for a whole lease.
            async with self._receiving:
                self._polling.cancel()
            await asyncio.wait((self._polling,))

    async def waiting(self, *, hidden: bool) -> bool:
        """Whether the queue holds a message; `hidden`: also one that is not visible. Raises AzureError."""
        async with self._receiving:
            if hidden:
                found = bool((await self._client.get_queue_properties()).approximate_message_count)
            else:
                found = bool(await self._client.peek_messages(max_messages=1))
        if found:
            self._wake.set()
        return found

    @property
    def _queues(self) -> Queues:
        return self._invocations.queues

    @property
    def _activity(self) -> Activity:
        return self._invocations.activity

    async def _poll(self) -> None:
        backoff = _Backoff(self._settings.max_polling_interval.total_seconds())
        while not self._activity.failed:
            self._wake.clear()
            async with self._receiving:
                found = await self._receive()
            if found:
                backoff.reset()
                while len(self._under_way) > self._settings.new_batch_threshold:
                    await asyncio.wait(self._under_way, return_when=asyncio.FIRST_COMPLETED)
            else:
                await self._pause(backoff.next())

    async def _pause(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._wake.wait()
        except TimeoutError:
            return

    async def _receive(self) -> bool:
        """Take one batch and start its invocations; whether there was any message."""
        try:
            batch = await self._batch()
        except AzureError as error:
            self._tell("Error", f"queue {self._trigger.queue!r} cannot be polled: {error}")
            return False
        for message in batch:
            task = self._activity.spawn(self._handle(message))
            self._under_way.add(task)
            task.add_done_callback(self._under_way.discard)
        return bool(batch)

    async def _batch(self) -> list[QueueMessage]:
        pages = self._client.receive_messages(
            messages_per_page=self._settings.batch_size, visibility_timeout=whole_seconds(self._lease_time)
        ).by_page()
        try:
            # One page: the pager would ask again until the queue is empty.
            async for page in pages:
                return [message async for message in page]
        except ResourceNotFoundError:
            await self._queues.create(self._trigger.queue)
        return []

    async def _handle(self, message: QueueMessage) -> None:
        dequeues = message.dequeue_count or 1
        lease = Lease(self._client, message, self._lease_time, self._invocations.log)
        body = self._queues.body(message.content)
        if body is None or dequeues > self._settings.max_dequeue_count:
            await self._bury(message, lease)
            return
        async with lease:
            answer = await self._run(message, body)
        if answer.failure is None:
            await lease.delete()
        elif dequeues >= self._settings.max_dequeue_count:
            await self._bury(message, lease)
        else:
            await lease.release(self._settings.visibility_timeout)

    async def _run(self, message: QueueMessage, body: bytes) -> Answer:
        try:
            datum = Datum("bytes", body) if self._trigger.binary else Datum("string", body.decode())
        except UnicodeDecodeError as error:
            self._tell("Error", f"message {message.id} is not text: {error}")
            return Answer(Failure(str(error)))
        return await self._invocations.run(self._function, datum, _metadata(message))

    async def _bury(self, message: QueueMessage, lease: Lease) -> None:
        """Move a message to the poison queue, as it is. Without one it stays hidden until its lease ends."""
        poison = self._trigger.queue + _POISON
        if self._trigger.queue.endswith(_POISON) or len(poison) > _LONGEST_NAME:
            return
        self._tell("Warning", f"message {message.id} is moved to queue {poison!r}")
        try:
            await self._queues.put_text(poison, message.content)
        except AzureError as error:
            self._tell("Error", f"message {message.id} was not moved and will come again: {error}")
            return
        await lease.delete()

    def _tell(self, level: str, message: str) -> None:
        self._invocations.log(LogLine(self._function.name, level, message))


def _metadata(message: QueueMessage) -> dict[str, Datum]:
    """What the runtime makes a `func.QueueMessage` of. It takes text and JSON only, so numbers and times are JSON."""
    texts = {"Id": message.id, "PopReceipt": message.pop_receipt}
    values = {
        "DequeueCount": message.dequeue_count,
        "InsertionTime": message.inserted_on,
        "ExpirationTime": message.expires_on,
        "NextVisibleTime": message.next_visible_on,
    }
    plain = {n: v.isoformat() if isinstance(v, datetime) else v for n, v in values.items()}
    return {n: Datum("string", v) for n, v in texts.items() if v is not None} | {
        n: Datum("json", json.dumps(v)) for n, v in plain.items() if v is not None
    }


class _Backoff:
    """Delays between empty polls: 100 ms, then growing about twofold to the longest, with a fifth of chance in it."""

    def __init__(self, longest: float) -> None:
        self._longest = longest
        self._shortest = SHORTEST_POLL.total_seconds()
        self._empty = 0

    def reset(self) -> None:
        """A message was there: begin anew."""
        self._empty = 0

    def next(self) -> float:
        """Seconds until the next poll, after one more that found nothing."""
        doubled = 2.0 ** min(self._empty - 1, 32) if self._empty else 0.0
        self._empty += 1
        return min(self._longest, self._shortest * (1 + doubled * random.uniform(0.8, 1.2)))  # noqa: S311 -- no secret
