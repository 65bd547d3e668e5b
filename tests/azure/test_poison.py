"""The queue of poison, on this repository's storage and on Azurite, filled as the Functions host fills it."""

import base64
from datetime import timedelta

import pytest
from azure.storage.queue import TextBase64EncodePolicy
from azure.storage.queue.aio import QueueClient, QueueServiceClient

from shared.azure.poison import PoisonQueue
from shared.azure.queue import SignalQueue
from shared.domain.failure import TryAgain
from tests.storage_account import Clock, Storage


def connected(storage: Storage) -> QueueClient:
    """A client of a queue that nobody has created yet, as the factory makes it."""
    return storage.queues.get_queue_client(f"poison-{storage.unique}")


async def filled(storage: Storage, *contents: str) -> PoisonQueue:
    """The adapter, over messages that stand in the queue as given."""
    queue = connected(storage)
    await queue.create_queue()
    for content in contents:
        await queue.send_message(content)
    return PoisonQueue(lambda: queue)


@pytest.mark.parametrize("text", ["{}", "<signal> & 'ümlaut' \U0001f512\n", "%7B", "x" * 48 * 1024])
async def test_a_signal_comes_out_as_it_was_put_in(storage: Storage, text: str) -> None:
    encoding = storage.queues.get_queue_client(
        f"poison-{storage.unique}", message_encode_policy=TextBase64EncodePolicy()
    )
    await SignalQueue(lambda: encoding).put(text, timedelta())
    (peeked,) = await connected(storage).peek_messages()
    (poisoned,) = await PoisonQueue(lambda: connected(storage)).take()
    assert (poisoned.text, poisoned.id, poisoned.inserted) == (text, peeked.id, peeked.inserted_on)


@pytest.mark.parametrize(
    "content", ["not base64!", "ümlaut", "{}", "abc", base64.b64encode(b"\xff\xfe").decode(), "e30=\n", " "]
)
async def test_what_is_no_signal_comes_out_as_it_stands(storage: Storage, content: str) -> None:
    (poisoned,) = await (await filled(storage, content)).take()
    assert poisoned.text == content


async def test_an_empty_message(storage: Storage) -> None:
    (poisoned,) = await (await filled(storage, "")).take()
    assert poisoned.text == ""


async def test_what_was_taken_is_hidden_for_five_minutes(local: Storage, clock: Clock) -> None:
    queue = await filled(local, "e30=")
    (first,) = await queue.take()
    assert first.inserted == clock()
    await local.wait(299)
    assert await queue.take() == []
    await local.wait(1)
    (second,) = await queue.take()
    assert (second.id, second.text) == (first.id, first.text)
    assert second.receipt != first.receipt


@pytest.mark.parametrize("most,taken", [(1, 1), (32, 32), (33, 33), (99, 34)])
async def test_no_more_are_taken_than_asked_for(local: Storage, most: int, taken: int) -> None:
    queue = await filled(local, *(f"{number:02}" for number in range(34)))
    assert [poisoned.text for poisoned in await queue.take(most)] == [f"{number:02}" for number in range(taken)]


async def test_what_was_dealt_with_is_removed(storage: Storage) -> None:
    queue = await filled(storage, "first", "second")
    first, second = await queue.take()
    await queue.remove(first)
    await queue.remove(first)
    assert (await connected(storage).get_queue_properties()).approximate_message_count == 1
    await queue.remove(second)
    assert (await connected(storage).get_queue_properties()).approximate_message_count == 0


async def test_what_another_has_taken_since_is_not_removed(local: Storage) -> None:
    queue = await filled(local, "e30=")
    (first,) = await queue.take()
    await local.wait(300)
    (second,) = await queue.take()
    with pytest.raises(TryAgain) as told:
        await queue.remove(first)
    assert told.value.cause.code == "poison.pop-receipt-mismatch"
    await queue.remove(second)


async def test_a_queue_that_does_not_exist_is_empty(storage: Storage) -> None:
    queue = PoisonQueue(lambda: connected(storage))
    assert await queue.take() == []
    queue_client = connected(storage)
    await queue_client.create_queue()
    await queue_client.send_message("gone")
    (poisoned,) = await queue.take()
    await queue_client.delete_queue()
    await queue.remove(poisoned)


async def test_one_client_is_made_with_the_first_call(local: Storage) -> None:
    made: list[QueueClient] = []

    def connect() -> QueueClient:
        made.append(connected(local))
        return made[-1]

    queue = PoisonQueue(connect)
    assert made == []
    for _ in range(3):
        assert await queue.take() == []
    assert len(made) == 1


async def test_a_service_that_is_not_there_can_be_tried_again(local: Storage) -> None:
    (poisoned,) = await (await filled(local, "e30=")).take()
    async with QueueServiceClient("http://127.0.0.1:9/st", credential="a2V5", retry_total=0) as service:
        queue = PoisonQueue(lambda: service.get_queue_client("poison"))
        for attempt in (queue.take(), queue.remove(poisoned)):
            with pytest.raises(TryAgain) as told:
                await attempt
            assert told.value.cause.code == "poison.unreachable"
