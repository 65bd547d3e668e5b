"""The queue of signals, on this repository's storage and on Azurite, read as the Functions host reads it."""

from datetime import timedelta

import pytest
from azure.storage.queue import TextBase64EncodePolicy
from azure.storage.queue.aio import QueueClient, QueueServiceClient

from local.host.queues import Queues
from shared.azure.queue import SignalQueue
from shared.domain.failure import TryAgain
from tests.storage_account import Storage

NOW = timedelta()


def connected(storage: Storage) -> QueueClient:
    """A client of a queue that nobody has created yet, as the factory makes it."""
    name = f"signals-{storage.unique}"
    return storage.queues.get_queue_client(name, message_encode_policy=TextBase64EncodePolicy())


async def visible(storage: Storage, take: bool = False) -> list[str]:  # noqa: FBT001, FBT002 - reads as said
    """The messages that can be seen now, decoded by the host."""
    plain = storage.queues.get_queue_client(f"signals-{storage.unique}")
    found = [message async for message in plain.receive_messages(visibility_timeout=60)] if take else None
    found = await plain.peek_messages(32) if found is None else found
    decoded = [Queues(storage.queues, base64=True).body(message.content) for message in found]
    return [body.decode() for body in decoded if body is not None]


async def test_the_queue_is_made_with_the_first_message(storage: Storage) -> None:
    queue = SignalQueue(lambda: connected(storage))
    for text in ("first", "second"):
        await queue.put(text, NOW)
    assert await visible(storage) == ["first", "second"]


@pytest.mark.parametrize("text", ["", "{}", "<signal> & 'ümlaut' \U0001f512\n", "%7B", "x" * 48 * 1024])
async def test_the_host_reads_what_was_put(storage: Storage, text: str) -> None:
    await SignalQueue(lambda: connected(storage)).put(text, NOW)
    assert await visible(storage, take=True) == [text]


async def test_a_message_is_kept_until_somebody_takes_it(storage: Storage) -> None:
    await SignalQueue(lambda: connected(storage)).put("signal", NOW)
    received = await connected(storage).receive_message()
    assert received is not None
    assert received.expires_on is not None
    assert received.inserted_on is not None
    assert received.expires_on - received.inserted_on > timedelta(days=365)


@pytest.mark.parametrize("seconds", [1, 30, 3600])
async def test_a_message_is_seen_once_its_delay_is_over(local: Storage, seconds: int) -> None:
    await SignalQueue(lambda: connected(local)).put("later", timedelta(seconds=seconds))
    await local.wait(seconds - 0.1)
    assert await visible(local) == []
    await local.wait(0.1)
    assert await visible(local) == ["later"]


async def test_a_delay_is_never_cut_short(storage: Storage) -> None:
    """What comes back too early finds that its time has not come, and is not put back again."""
    await SignalQueue(lambda: connected(storage)).put("later", timedelta(seconds=1.2))
    await storage.wait(1.05)
    assert await visible(storage) == []
    await storage.wait(1)
    assert await visible(storage) == ["later"]


@pytest.mark.parametrize("delay", [timedelta(days=7), timedelta(days=400), timedelta.max])
async def test_a_delay_is_at_most_what_the_service_allows(local: Storage, delay: timedelta) -> None:
    await SignalQueue(lambda: connected(local)).put("much later", delay)
    await local.wait(7 * 24 * 3600 - 1)
    assert await visible(local) == []
    await local.wait(1)
    assert await visible(local) == ["much later"]


@pytest.mark.parametrize("delay", [NOW, timedelta(seconds=-5), -timedelta(days=9)])
async def test_what_is_due_is_seen_at_once(storage: Storage, delay: timedelta) -> None:
    await SignalQueue(lambda: connected(storage)).put("now", delay)
    assert await visible(storage) == ["now"]


async def test_one_client_is_made_with_the_first_message(local: Storage) -> None:
    made: list[QueueClient] = []

    def connect() -> QueueClient:
        made.append(connected(local))
        return made[-1]

    queue = SignalQueue(connect)
    assert made == []
    for _ in range(3):
        await queue.put("signal", NOW)
    assert len(made) == 1


async def test_a_queue_that_is_not_there_can_be_tried_again() -> None:
    async with QueueServiceClient("http://127.0.0.1:9/st", credential="a2V5", retry_total=0) as service:
        with pytest.raises(TryAgain) as told:
            await SignalQueue(lambda: service.get_queue_client("signals")).put("signal", NOW)
    assert told.value.cause.code == "queue.unreachable"


async def test_a_message_that_the_queue_does_not_take_can_be_tried_again(storage: Storage) -> None:
    with pytest.raises(TryAgain) as told:
        await SignalQueue(lambda: connected(storage)).put("x" * 64 * 1024, NOW)
    assert told.value.cause.code == "queue.request-body-too-large"
