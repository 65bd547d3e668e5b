"""Queues and messages through azure-storage-queue, against this repository's storage and against Azurite."""

from datetime import timedelta

import pytest
from azure.core.exceptions import HttpResponseError, ResourceExistsError, ResourceNotFoundError
from azure.storage.queue import QueueMessage
from azure.storage.queue.aio import QueueClient

from tests.storage_account import Storage


async def receive(queue: QueueClient, seconds: int = 30) -> QueueMessage:
    message = await queue.receive_message(visibility_timeout=seconds)
    assert message is not None
    return message


async def peeked(queue: QueueClient) -> list[str]:
    return [str(message.content) for message in await queue.peek_messages(32)]


async def test_a_message_travels_unchanged(storage: Storage) -> None:
    queue = await storage.queue()
    text = "<signal> & 'quotes' \" ümlaut \U0001f512\n\t end "
    sent = await queue.send_message(text)
    received = await receive(queue)
    assert (received.content, received.id, received.dequeue_count) == (text, sent.id, 1)
    assert received.inserted_on == sent.inserted_on
    assert sent.inserted_on is not None
    assert sent.expires_on == sent.inserted_on + timedelta(days=7)
    await queue.delete_message(received)
    assert (await queue.get_queue_properties()).approximate_message_count == 0


async def test_a_received_message_hides_and_comes_back_counted(storage: Storage) -> None:
    queue = await storage.queue()
    await queue.send_message("work")
    first = await receive(queue, 1)
    assert await queue.receive_message() is None
    assert await peeked(queue) == []
    # A hidden message still counts.
    assert (await queue.get_queue_properties()).approximate_message_count == 1
    await storage.wait(1.1)
    second = await receive(queue, 1)
    await storage.wait(1.1)
    third = await receive(queue)
    assert [message.dequeue_count for message in (first, second, third)] == [1, 2, 3]
    assert len({message.pop_receipt for message in (first, second, third)}) == 3


async def test_a_stale_receipt_neither_deletes_nor_updates(storage: Storage) -> None:
    queue = await storage.queue()
    await queue.send_message("work")
    stale = await receive(queue, 1)
    await storage.wait(1.1)
    current = await receive(queue)
    for attempt in (queue.delete_message(stale), queue.update_message(stale, visibility_timeout=0, content="x")):
        with pytest.raises(HttpResponseError, match="ErrorCode:PopReceiptMismatch") as refused:
            await attempt
        assert refused.value.status_code == 400
    await queue.delete_message(current)
    with pytest.raises(ResourceNotFoundError, match="ErrorCode:MessageNotFound"):
        await queue.delete_message(current)


async def test_a_receipt_outlives_its_visibility_until_the_next_delivery(storage: Storage) -> None:
    queue = await storage.queue()
    await queue.send_message("work")
    received = await receive(queue, 1)
    await storage.wait(1.1)
    await queue.delete_message(received)
    assert await peeked(queue) == []


async def test_an_update_renews_visibility_receipt_and_text(storage: Storage) -> None:
    queue = await storage.queue()
    await queue.send_message("first")
    received = await receive(queue)
    hidden = await queue.update_message(received, visibility_timeout=60, content="second")
    assert hidden.pop_receipt != received.pop_receipt
    assert await queue.receive_message() is None
    # Without content the text stays; zero seconds put the message back at once.
    await queue.update_message(hidden, visibility_timeout=0)
    again = await receive(queue)
    assert (again.content, again.dequeue_count) == ("second", 2)


async def test_a_delayed_message_shows_when_its_time_has_come(storage: Storage) -> None:
    queue = await storage.queue()
    await queue.send_message("later", visibility_timeout=1)
    assert await queue.receive_message() is None
    await storage.wait(1.1)
    assert (await receive(queue)).content == "later"


async def test_messages_die_at_the_end_of_their_life(storage: Storage) -> None:
    queue = await storage.queue()
    await queue.send_message("short", time_to_live=1)
    eternal = await queue.send_message("eternal", time_to_live=-1)
    assert eternal.expires_on is not None
    assert eternal.expires_on.year == 9999
    await storage.wait(1.1)
    assert await peeked(queue) == ["eternal"]


async def test_many_messages_come_in_order_and_at_most_32_at_once(storage: Storage) -> None:
    queue = await storage.queue()
    texts = [f"{number:02}" for number in range(34)]
    for text in texts:
        await queue.send_message(text)
    assert await peeked(queue) == texts[:32]
    received = [
        message.content async for message in queue.receive_messages(messages_per_page=32, visibility_timeout=60)
    ]
    assert received == texts
    with pytest.raises(HttpResponseError, match="ErrorCode:OutOfRangeQueryParameterValue"):
        _ = [message async for message in queue.receive_messages(messages_per_page=33)]


async def test_the_largest_message_fits_and_one_more_byte_does_not(storage: Storage) -> None:
    queue = await storage.queue()
    largest = "x" * 65536
    await queue.send_message(largest)
    with pytest.raises(HttpResponseError, match="ErrorCode:RequestBodyTooLarge") as refused:
        await queue.send_message(largest + "x")
    assert refused.value.status_code == 413
    assert await peeked(queue) == [largest]


async def test_clearing_empties_a_queue(storage: Storage) -> None:
    queue = await storage.queue()
    for text in ("one", "two"):
        await queue.send_message(text)
    await receive(queue)
    await queue.clear_messages()
    assert (await queue.get_queue_properties()).approximate_message_count == 0


async def test_creating_a_queue_twice(storage: Storage) -> None:
    queue = await storage.queue()
    # 204 for the same queue, 409 for one with other metadata; the SDK raises for both.
    for status, metadata in ((204, None), (409, {"owner": "airlock"})):
        with pytest.raises(ResourceExistsError) as conflict:
            await queue.create_queue(metadata=metadata)
        assert conflict.value.status_code == status


async def test_queues_are_listed_by_prefix_with_their_metadata(storage: Storage) -> None:
    names = [f"list-{storage.unique}-{number}" for number in range(5)]
    for name in names:
        await storage.queues.create_queue(name, metadata={"number": name[-1]})
    found = storage.queues.list_queues(
        name_starts_with=f"list-{storage.unique}", include_metadata=True, results_per_page=2
    )
    listed = [(queue.name, queue.metadata) async for queue in found]
    assert listed == [(name, {"number": name[-1]}) for name in names]
    queue = storage.queues.get_queue_client(names[0])
    await queue.set_queue_metadata({"owner": "airlock"})
    assert (await queue.get_queue_properties()).metadata == {"owner": "airlock"}


async def test_a_deleted_queue_is_gone_with_its_messages(storage: Storage) -> None:
    queue = await storage.queue()
    await queue.send_message("work")
    await queue.delete_queue()
    for attempt in (queue.send_message("work"), queue.receive_message(), queue.get_queue_properties()):
        with pytest.raises(ResourceNotFoundError, match="ErrorCode:QueueNotFound"):
            await attempt
