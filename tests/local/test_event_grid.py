"""Event Grid, against a webhook that answers as it is told."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web

from local.event_grid import Delivery, EventGrid, HandshakeError
from tests.local.arm_world import serve, until

FAST = Delivery(time_scale=0.00001)
PATH = "/runtime/webhooks/EventGrid"

type Event = dict[str, Any]


class Webhook:
    """A Functions host, as far as Event Grid sees it. It answers each delivery with the next status, then 202."""

    def __init__(self, statuses: Iterable[int] = (), echo: Callable[[str], str] = str) -> None:
        self.taken: list[str] = []
        self.headers: list[dict[str, str]] = []
        self.bodies: list[Any] = []
        self.pause = 0.0
        self._statuses = iter(statuses)
        self._echo = echo

    def application(self) -> web.Application:
        app = web.Application()
        app.router.add_post(PATH, self._answer)
        return app

    async def _answer(self, request: web.Request) -> web.Response:
        body = await request.json()
        if request.headers["aeg-event-type"] == "SubscriptionValidation":
            code = self._echo(body[0]["data"]["validationCode"])
            return web.Response(body=json.dumps({"validationResponse": code}).encode())
        self.headers.append(dict(request.headers))
        self.bodies.append(body)
        await asyncio.sleep(self.pause)
        status = next(self._statuses, 202)
        if status == 202:
            event = body[0] if isinstance(body, list) else body
            self.taken.append(event["id"])
        return web.Response(status=status)


def event(name: str) -> Event:
    return {"id": name, "eventType": "T", "subject": "s", "data": {}, "dataVersion": "2", "eventTime": "t"}


def cloud_event(name: str) -> Event:
    return {"id": name, "type": "T", "source": "s", "specversion": "1.0", "data": {}}


@asynccontextmanager
async def subscribed(
    webhook: Webhook, delivery: Delivery = FAST, container: Callable[[Event], Awaitable[None]] | None = None
) -> AsyncIterator[EventGrid]:
    async with (
        serve(webhook.application()) as url,
        EventGrid(f"{url}{PATH}?functionName=f&code=hush", delivery, dead_letter_container=container) as grid,
    ):
        yield grid


async def test_an_event_is_delivered_as_an_array_of_one() -> None:
    webhook = Webhook()
    async with subscribed(webhook) as grid:
        await grid.publish(event("a"))
        await grid.drain()
    assert webhook.bodies == [[event("a")]]
    assert webhook.headers[0]["aeg-event-type"] == "Notification"
    assert webhook.headers[0]["aeg-delivery-count"] == "0"
    assert (grid.delivered, grid.attempts, grid.dead_lettered) == (1, 1, 0)


async def test_a_cloud_event_is_delivered_as_an_object() -> None:
    webhook = Webhook()
    async with subscribed(webhook) as grid:
        await grid.publish(cloud_event("a"))
        await grid.drain()
    assert webhook.bodies == [cloud_event("a")]
    assert webhook.headers[0]["Content-Type"].startswith("application/cloudevents+json")


@pytest.mark.parametrize("status", [301, 401, 404, 408, 429, 500, 503])
async def test_it_is_tried_again(status: int) -> None:
    webhook = Webhook([status, status])
    async with subscribed(webhook) as grid:
        await grid.publish(event("a"))
        await grid.drain()
    assert webhook.taken == ["a"]
    assert grid.attempts == 3
    assert [headers["aeg-delivery-count"] for headers in webhook.headers] == ["0", "1", "2"]


@pytest.mark.parametrize("status,outcome", [(400, "BadRequest"), (403, "Forbidden"), (413, "PayloadTooLarge")])
async def test_some_refusals_are_final(status: int, outcome: str) -> None:
    async with subscribed(Webhook([status])) as grid:
        await grid.publish(event("a"))
        await grid.drain()
    (dead,) = grid.dead_letters
    assert (dead["id"], dead["deliveryAttempts"], dead["lastDeliveryOutcome"]) == ("a", 1, outcome)
    assert {"deadLetterReason", "publishTime", "lastDeliveryAttemptTime"} <= dead.keys()
    assert "hush" not in str(dead)


async def test_it_is_given_up_after_so_many_attempts() -> None:
    delivery = Delivery(time_scale=0, max_attempts=4)
    async with subscribed(Webhook([500] * 9), delivery) as grid:
        await grid.publish(cloud_event("a"))
        await grid.drain()
    (dead,) = grid.dead_letters
    assert (dead["deadletterreason"], dead["deliveryattempts"]) == ("MaxDeliveryAttemptsExceeded", 4)


async def test_it_is_given_up_after_a_day() -> None:
    async with subscribed(Webhook([500] * 30), Delivery(time_scale=0)) as grid:
        await grid.publish(event("a"))
        await grid.drain()
    (dead,) = grid.dead_letters
    assert dead["deadLetterReason"] == "TimeToLiveExceeded"
    assert grid.attempts == 11


async def test_silence_is_tried_again_after_the_timeout() -> None:
    webhook = Webhook()
    webhook.pause = 0.3
    async with subscribed(webhook, Delivery(time_scale=0, timeout_seconds=0.1, max_attempts=2)) as grid:
        await grid.publish(event("a"))
        await grid.drain()
    assert [dead["lastDeliveryOutcome"] for dead in grid.dead_letters] == ["TimedOut"]


async def test_a_webhook_that_is_gone_is_tried_again() -> None:
    webhook = Webhook()
    async with serve(webhook.application()) as url:
        grid = EventGrid(f"{url}{PATH}?functionName=f", Delivery(time_scale=0, max_attempts=3))
        await grid.__aenter__()
    await grid.publish(event("a"))
    await grid.drain()
    await grid.__aexit__(None, None, None)
    assert [dead["lastDeliveryOutcome"] for dead in grid.dead_letters] == ["SocketError"]
    assert grid.attempts == 3


async def test_duplicates_and_disorder_come_from_the_seed() -> None:
    names = [str(n) for n in range(30)]
    copies = []
    for _ in range(2):
        webhook = Webhook()
        async with subscribed(webhook, Delivery(seed=5, duplicates=5, reordered=True)) as grid:
            for name in names:
                await grid.publish(event(name))
            await grid.drain()
        assert set(webhook.taken) == set(names)
        assert max(Counter(webhook.taken).values()) > 1
        assert list(dict.fromkeys(webhook.taken)) != names
        assert grid.delivered == len(webhook.taken)
        copies.append(Counter(webhook.taken))
    assert copies[0] == copies[1]


@pytest.mark.parametrize("echo", [lambda _: "wrong", lambda _: ""])
async def test_the_handshake_is_needed(echo: Callable[[str], str]) -> None:
    with pytest.raises(HandshakeError):
        async with subscribed(Webhook(echo=echo)):
            pytest.fail("entered without a handshake")


async def test_no_webhook_no_handshake() -> None:
    async with serve(Webhook().application()) as url:
        address = f"{url}/elsewhere"
    with pytest.raises(HandshakeError) as caught:
        async with EventGrid(f"{address}?code=hush"):
            pytest.fail("entered without a handshake")
    assert "hush" not in str(caught.value)


async def test_leaving_gives_up_what_waits() -> None:
    webhook = Webhook([500] * 5)
    async with subscribed(webhook, Delivery(time_scale=1)) as grid:
        await grid.publish(event("a"))
        await until(lambda: bool(webhook.bodies))
    assert grid.delivered == 0


@pytest.mark.parametrize("published", [event("a"), cloud_event("a")])
async def test_what_is_given_up_is_kept_in_the_container(published: Event) -> None:
    kept: list[Event] = []

    async def keep(letter: Event) -> None:
        kept.append(letter)

    async with subscribed(Webhook([400]), container=keep) as grid:
        await grid.publish(published)
        await grid.publish(event("b"))
        await grid.drain()
        assert kept == grid.dead_letters
    (letter,) = kept
    assert published.items() <= letter.items()
    told = {name.lower(): value for name, value in letter.items() if name not in published}
    assert (told["deadletterreason"], told["deliveryattempts"]) == ("NotRetried", 1)
    assert all(name.islower() for name in letter.keys() - published.keys()) == ("specversion" in published)


async def test_a_container_that_does_not_take_a_dead_letter_is_told() -> None:
    async def refuse(letter: Event) -> None:
        raise OSError(letter["id"])

    async with subscribed(Webhook([400]), container=refuse) as grid:
        await grid.publish(event("a"))
        with pytest.raises(OSError, match="a"):
            await grid.drain()


async def sent(delivery: Delivery) -> tuple[list[str], list[str], list[str]]:
    """The ids that were taken, lost and dead-lettered, of fifty events."""
    webhook = Webhook()
    async with subscribed(webhook, delivery) as grid:
        for number in range(50):
            await grid.publish(event(f"{number:02}"))
        await grid.drain()
        lost, dead = ([str(each["id"]) for each in some] for some in (grid.lost, grid.dead_letters))
        return sorted(webhook.taken), lost, dead


async def test_a_share_of_the_events_is_lost_for_good() -> None:
    taken, lost, dead = await sent(Delivery(time_scale=0, seed=7, lost=0.2))
    assert 5 <= len(lost) <= 15
    assert sorted(taken + lost) == [f"{number:02}" for number in range(50)]
    assert dead == []
    assert (await sent(Delivery(time_scale=0, seed=7, lost=0.2)))[1] == lost
    assert (await sent(Delivery(time_scale=0, seed=8, lost=0.2)))[1] != lost


@pytest.mark.parametrize("share,count", [(0.0, 0), (1.0, 50)])
async def test_none_or_all_are_lost(share: float, count: int) -> None:
    taken, lost, _ = await sent(Delivery(time_scale=0, lost=share))
    assert (len(taken), len(lost)) == (50 - count, count)
