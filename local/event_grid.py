"""Event Grid: at least once, in no order, patient for a day, and then the dead-letter list.

Sources: "Event Grid message delivery and retry"; the webhook of the Functions Event Grid trigger (reviewed 2026-11).
"""

import asyncio
import itertools
import json
import ssl
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from types import TracebackType
from typing import Self
from uuid import UUID

from aiohttp import ClientError, ClientSession, ClientTimeout

from local.arm.events import event_time
from local.faults import repeatable

# Seconds between attempts; the last one repeats.
SCHEDULE = (10, 30, 60, 300, 600, 1800, 3600, 10800, 21600, 43200)
TIME_TO_LIVE_SECONDS = 24 * 3600
# Some answers are not tried again before this many seconds.
_AT_LEAST = {401: 300, 404: 300, 408: 120, 503: 30}
_TAKEN = frozenset({200, 201, 202, 203, 204})
_NOT_RETRIED = frozenset({400, 403, 413})
_OUTCOMES = {
    0: "SocketError",
    400: "BadRequest",
    401: "Unauthorized",
    403: "Forbidden",
    404: "NotFound",
    408: "TimedOut",
    413: "PayloadTooLarge",
}
_REORDER_SECONDS = 0.05
MOST_DUPLICATES = 5
MOST_CONNECTIONS = 64

type Event = dict[str, object]


class HandshakeError(Exception):
    """The webhook did not answer the validation event with its code."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """How events are delivered.

    Azure's waits are multiplied by `time_scale`; `timeout_seconds`, how long an answer may take, is not. An event
    is given up after `max_attempts` (1 to 30). From `seed` come: up to `duplicates` (at most 5) further copies of an
    event, disorder where `reordered`, a first wait of up to `delay_seconds` (scaled), and which events are `lost`: a
    share from 0 to 1 that is neither delivered nor dead-lettered.
    """

    time_scale: float = 0.001
    timeout_seconds: float = 30.0
    max_attempts: int = 30
    seed: int = 0
    duplicates: int = 0
    reordered: bool = False
    delay_seconds: float = 0.0
    lost: float = 0.0


class EventGrid:
    """One event subscription to one webhook; an async context manager.

    `webhook` is the whole address with functionName and code. Entering does the validation handshake and raises
    HandshakeError when it fails; leaving gives up what is not delivered yet. `delivered` counts accepted copies,
    `attempts` all tries; `dead_letters` are the copies that were given up, `lost` the events that were lost. `tls` is
    what an https webhook is checked with; None means the system's own authorities. `clock` gives epoch seconds.
    `dead_letter_container` is awaited with every dead letter, in the form that it is stored in.
    """

    def __init__(
        self,
        webhook: str,
        delivery: Delivery | None = None,
        tls: ssl.SSLContext | None = None,
        clock: Callable[[], float] = time.time,
        dead_letter_container: Callable[[Event], Awaitable[None]] | None = None,
    ) -> None:
        self.delivered = 0
        self.attempts = 0
        self.dead_letters: list[Event] = []
        self.lost: list[Event] = []
        self._webhook = webhook
        self._delivery = delivery or Delivery()
        self._tls = tls
        self._clock = clock
        self._dead_letter_container = dead_letter_container
        self._dice = repeatable("event grid", self._delivery.seed)
        # Dice of their own: where nothing is lost, a seed means the deliveries that it means without them.
        self._losses = repeatable("event grid losses", self._delivery.seed)
        self._connections = asyncio.Semaphore(MOST_CONNECTIONS)
        self._under_way: set[asyncio.Task[None]] = set()
        self._run = AsyncExitStack()

    @property
    def dead_lettered(self) -> int:
        """How many copies were given up."""
        return len(self.dead_letters)

    @property
    def is_idle(self) -> bool:
        """Whether no copy waits to be delivered."""
        return not self._under_way

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as run:
            timeout = ClientTimeout(total=self._delivery.timeout_seconds)
            self._session = await run.enter_async_context(ClientSession(timeout=timeout))
            run.push_async_callback(self._give_up)
            await self._shake_hands()
            self._run = run.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._run.aclose()

    def change(self, delivery: Delivery) -> None:
        """Deliver what is published from now on in another way."""
        self._delivery = delivery
        self._dice = repeatable("event grid", delivery.seed)
        self._losses = repeatable("event grid losses", delivery.seed)

    async def publish(self, event: Event) -> None:
        """Take an event in the Event Grid schema or as CloudEvent 1.0; it is delivered in the background.

        Nobody is told that an event is lost.
        """
        if self._losses.random() < self._delivery.lost:
            self.lost.append(event)
            return
        copies = 1 + self._dice.randint(0, min(self._delivery.duplicates, MOST_DUPLICATES))
        for _ in range(copies):
            wait = self._dice.random() * self._delivery.delay_seconds * self._delivery.time_scale
            wait += self._dice.random() * _REORDER_SECONDS * self._delivery.reordered
            task = asyncio.create_task(self._deliver(event, wait))
            self._under_way.add(task)
            task.add_done_callback(self._under_way.discard)

    async def drain(self) -> None:
        """Wait until every event is delivered or given up, those published meanwhile included."""
        while self._under_way:
            # Not gather: it answers for finished tasks at once, without letting the loop take them off the list.
            done, _ = await asyncio.wait(tuple(self._under_way))
            for delivery in done:
                delivery.result()

    async def _deliver(self, event: Event, wait: float) -> None:
        await asyncio.sleep(wait)
        published, age = event_time(self._clock()), 0
        for attempt in itertools.count(1):
            tried = event_time(self._clock())
            status = await self._attempt(event, attempt)
            if status in _TAKEN:
                self.delivered += 1
                return
            pause = max(SCHEDULE[min(attempt, len(SCHEDULE)) - 1], _AT_LEAST.get(status, 0))
            age += pause
            reason = self._give_up_reason(status, attempt, age)
            if reason is not None:
                end = _End(reason, attempt, _OUTCOMES.get(status, "Busy"), published, tried)
                await self._bury(_dead_letter(event, end))
                return
            await asyncio.sleep(pause * self._delivery.time_scale)

    async def _bury(self, letter: Event) -> None:
        self.dead_letters.append(letter)
        if self._dead_letter_container is not None:
            await self._dead_letter_container(letter)

    def _give_up_reason(self, status: int, attempt: int, next_age: int) -> str | None:
        if status in _NOT_RETRIED:
            return "NotRetried"
        if attempt >= self._delivery.max_attempts:
            return "MaxDeliveryAttemptsExceeded"
        return "TimeToLiveExceeded" if next_age > TIME_TO_LIVE_SECONDS else None

    async def _attempt(self, event: Event, attempt: int) -> int:
        """Post one copy; the answer's status, 408 when none came in time and 0 when there was no connection."""
        self.attempts += 1
        try:
            # The wait for a free connection is no part of the time that the webhook has to answer.
            async with self._connections:
                status, _ = await self._post(event, "Notification", attempt)
        except TimeoutError:
            return 408
        except ClientError:
            return 0
        return status

    async def _post(self, event: Event, kind: str, attempt: int) -> tuple[int, bytes]:
        is_cloud_event = "specversion" in event
        media = "application/cloudevents+json" if is_cloud_event else "application/json"
        headers = {
            "aeg-event-type": kind,
            "aeg-subscription-name": "AIRLOCK",
            "aeg-delivery-count": str(attempt - 1),
            "Content-Type": f"{media}; charset=utf-8",
        }
        body = json.dumps(event if is_cloud_event else [event]).encode()
        tls = self._tls or True
        async with self._session.post(
            self._webhook, data=body, headers=headers, ssl=tls, allow_redirects=False
        ) as answer:
            return answer.status, await answer.read()

    async def _shake_hands(self) -> None:
        code = str(UUID(int=self._dice.getrandbits(128), version=4))
        event: Event = {
            "id": str(UUID(int=self._dice.getrandbits(128), version=4)),
            "topic": "",
            "subject": "",
            "data": {"validationCode": code},
            "eventType": "Microsoft.EventGrid.SubscriptionValidationEvent",
            "eventTime": event_time(self._clock()),
            "metadataVersion": "1",
            "dataVersion": "2",
        }
        try:
            status, body = await self._post(event, "SubscriptionValidation", 1)
            answer = json.loads(body) if status == 200 else None
        except (ClientError, TimeoutError, ValueError) as error:
            raise HandshakeError("The webhook did not answer the validation event.") from error
        if not isinstance(answer, dict) or answer.get("validationResponse") != code:
            raise HandshakeError(f"The webhook answered the validation event with {status} and without its code.")

    async def _give_up(self) -> None:
        for task in self._under_way:
            task.cancel()
        await asyncio.gather(*self._under_way, return_exceptions=True)


@dataclass(frozen=True, slots=True)
class _End:
    reason: str
    attempts: int
    outcome: str
    published: str
    tried: str


def _dead_letter(event: Event, end: _End) -> Event:
    """The event as the dead-letter container gets it; CloudEvents attributes are lower-case."""
    fields: Event = {
        "deadLetterReason": end.reason,
        "deliveryAttempts": end.attempts,
        "lastDeliveryOutcome": end.outcome,
        "publishTime": end.published,
        "lastDeliveryAttemptTime": end.tried,
    }
    if "specversion" in event:
        fields = {name.lower(): value for name, value in fields.items()}
    return {**event, **fields}
