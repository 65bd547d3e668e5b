"""Containers and blobs through azure-storage-blob, against this repository's storage and against Azurite."""

import asyncio
from collections.abc import Awaitable
from datetime import UTC, timedelta

import pytest
from azure.core import MatchConditions
from azure.core.exceptions import HttpResponseError, ResourceExistsError, ResourceModifiedError, ResourceNotFoundError
from azure.storage.blob import ContentSettings
from azure.storage.blob.aio import ContainerClient

from local.storage.service import StorageError
from tests.storage_account import Clock, Storage


async def read(container: ContainerClient, name: str, offset: int | None = None, length: int | None = None) -> bytes:
    return await (await container.download_blob(name, offset, length)).readall()


async def names(container: ContainerClient, prefix: str = "", page: int | None = None) -> list[str]:
    return [name async for name in container.list_blob_names(name_starts_with=prefix, results_per_page=page)]


async def refused(attempt: Awaitable[object]) -> tuple[int | None, str]:
    """The status and the code of the error that the attempt ends with."""
    with pytest.raises(HttpResponseError) as error:
        await attempt
    code = getattr(error.value, "error_code", None)
    return error.value.status_code, str(getattr(code, "value", code))


@pytest.mark.parametrize("content", [b"", b"x", b"\x00\xff<&\r\n", b"0123456789abcdef" * 50_000])
async def test_a_blob_travels_unchanged(storage: Storage, content: bytes) -> None:
    container = await storage.container()
    await container.upload_blob("a/b", content)
    assert await read(container, "a/b") == content
    assert (await container.get_blob_client("a/b").get_blob_properties()).size == len(content)


@pytest.mark.parametrize(
    "name",
    ["x", "x" * 1024, "a/b//c.json", "TOPIC/AIRLOCK/2026/11/24/9/{1}.json", "1 + 1 = 2 & <3>?#%41'\"", "ü\U0001f512"],
)
async def test_names(storage: Storage, name: str) -> None:
    container = await storage.container()
    await container.upload_blob(name, b"1")
    assert await read(container, name) == b"1"
    assert await names(container) == [name]
    await container.delete_blob(name)
    assert await names(container) == []


async def test_what_is_there_is_not_written_over_unasked(storage: Storage) -> None:
    container = await storage.container()
    await container.upload_blob("a", b"first")
    assert await refused(container.upload_blob("a", b"second")) == (409, "BlobAlreadyExists")
    assert await read(container, "a") == b"first"
    await container.upload_blob("a", b"third", overwrite=True)
    assert await read(container, "a") == b"third"


async def test_of_many_writers_at_once_one_is_first(storage: Storage) -> None:
    container = await storage.container()
    attempts = (container.upload_blob("a", str(number).encode()) for number in range(5))
    ended = await asyncio.gather(*attempts, return_exceptions=True)
    assert sum(isinstance(end, ResourceExistsError) for end in ended) == 4
    winner = next(number for number, end in enumerate(ended) if not isinstance(end, ResourceExistsError))
    assert await read(container, "a") == str(winner).encode()


async def test_an_etag_is_a_version(storage: Storage) -> None:
    container = await storage.container()
    blob = await container.upload_blob("a", b"1")
    first = await blob.get_blob_properties()
    await blob.upload_blob(b"2", overwrite=True, etag=first.etag, match_condition=MatchConditions.IfNotModified)
    second = await blob.get_blob_properties()
    assert second.etag != first.etag
    for attempt in (
        blob.upload_blob(b"3", overwrite=True, etag=first.etag, match_condition=MatchConditions.IfNotModified),
        blob.upload_blob(b"3", overwrite=True, etag=second.etag, match_condition=MatchConditions.IfModified),
        blob.delete_blob(etag=first.etag, match_condition=MatchConditions.IfNotModified),
        blob.download_blob(etag=first.etag, match_condition=MatchConditions.IfNotModified),
    ):
        with pytest.raises(ResourceModifiedError, match="ConditionNotMet"):
            await attempt
    assert await refused(blob.download_blob(etag=second.etag, match_condition=MatchConditions.IfModified)) == (
        *(304, "ConditionNotMet"),
    )
    assert await read(container, "a") == b"2"


async def test_only_what_is_there_can_be_changed(storage: Storage) -> None:
    blob = (await storage.container()).get_blob_client("a")
    with pytest.raises(ResourceModifiedError):
        await blob.upload_blob(b"1", overwrite=True, etag='"0x1"', match_condition=MatchConditions.IfNotModified)
    assert not await blob.exists()


async def test_properties(storage: Storage) -> None:
    container = await storage.container()
    settings = ContentSettings("application/json", cache_control="no-store", content_language="en")
    written = await container.upload_blob("a", b"{}", metadata={"owner": "airlock"}, content_settings=settings)
    told = await written.get_blob_properties()
    assert (told.metadata, told.size, told.blob_type) == ({"owner": "airlock"}, 2, "BlockBlob")
    sent = told.content_settings
    assert (sent.content_type, sent.cache_control, sent.content_language) == ("application/json", "no-store", "en")
    assert told.last_modified.tzinfo is not None
    (listed,) = [blob async for blob in container.list_blobs()]
    assert (listed.name, listed.size, f'"{listed.etag}"') == ("a", 2, told.etag)
    assert (listed.last_modified, listed.content_settings.content_type) == (told.last_modified, "application/json")
    await written.upload_blob(b"[]", overwrite=True)
    assert (await written.get_blob_properties()).metadata == {}


@pytest.mark.parametrize(
    "offset,length,found", [(2, 3, b"234"), (2, 300, b"23456789"), (9, 1, b"9"), (0, 10, b"0123456789")]
)
async def test_a_part_of_a_blob(storage: Storage, offset: int, length: int, found: bytes) -> None:
    container = await storage.container()
    await container.upload_blob("a", b"0123456789")
    assert await read(container, "a", offset=offset, length=length) == found


@pytest.mark.parametrize("content", [b"", b"0123456789"])
async def test_a_part_behind_the_end(storage: Storage, content: bytes) -> None:
    container = await storage.container()
    await container.upload_blob("a", content)
    assert await refused(container.download_blob("a", offset=11, length=1)) == (416, "InvalidRange")


async def test_a_large_blob_comes_in_parts(storage: Storage) -> None:
    container = await storage.container()
    await container.upload_blob("a", b"0123456789")
    # What the SDK does beyond 32 MiB, with numbers that a test can afford.
    container._config.max_single_get_size, container._config.max_chunk_get_size = 4, 3  # noqa: SLF001
    assert await read(container, "a") == b"0123456789"


async def test_lists_are_in_order_by_prefix_and_in_pages(storage: Storage) -> None:
    container = await storage.container()
    some = ["B", "a/1", "a/10", "a/2", "a0", "b"]
    for name in reversed(some):
        await container.upload_blob(name, b"")
    assert await names(container) == some
    assert await names(container, page=2) == some
    assert await names(container, "a/", page=1) == ["a/1", "a/10", "a/2"]
    assert await names(container, "c") == []


async def test_a_page_can_be_taken_up_later(storage: Storage) -> None:
    container = await storage.container()
    for name in ("1", "2 & <3>", "3"):
        await container.upload_blob(name, b"")
    first = container.list_blobs(results_per_page=1).by_page()
    _ = [blob async for blob in await anext(first)]
    token = first.continuation_token  # type: ignore[attr-defined] # a page iterator of the SDK
    later = container.list_blobs(results_per_page=5).by_page(token)
    assert [blob.name async for blob in await anext(later)] == ["2 & <3>", "3"]


async def test_deleting(storage: Storage) -> None:
    container = await storage.container()
    await container.upload_blob("a", b"1")
    await container.delete_blob("a")
    for attempt in (container.delete_blob("a"), container.download_blob("a")):
        assert await refused(attempt) == (404, "BlobNotFound")
    with pytest.raises(ResourceNotFoundError):
        await container.get_blob_client("a").get_blob_properties()


async def test_creating_a_container_twice(storage: Storage) -> None:
    container = await storage.container()
    assert await refused(container.create_container()) == (409, "ContainerAlreadyExists")
    told = await container.get_container_properties()
    assert (told.name, told.has_immutability_policy) == (container.container_name, False)


async def test_containers_have_metadata(storage: Storage) -> None:
    container = storage.blobs.get_container_client(f"told-{storage.unique}")
    await container.create_container(metadata={"owner": "airlock"})
    assert (await container.get_container_properties()).metadata == {"owner": "airlock"}


async def test_without_its_container_there_is_no_blob(storage: Storage) -> None:
    absent = storage.blobs.get_container_client(f"absent-{storage.unique}")
    for attempt in (absent.upload_blob("a", b""), absent.download_blob("a"), absent.delete_blob("a"), names(absent)):
        assert await refused(attempt) == (404, "ContainerNotFound")


@pytest.mark.parametrize(
    "name,code", [("a--b", "InvalidResourceName"), ("Upper", "InvalidResourceName"), ("ab", "OutOfRangeInput")]
)
async def test_names_that_no_container_has(storage: Storage, name: str, code: str) -> None:
    assert await refused(storage.blobs.create_container(name)) == (400, code)


async def test_an_immutable_container_takes_what_is_new_and_keeps_what_it_has(local: Storage) -> None:
    # Azurite knows no policies.
    container, shelves = await local.container(), local.shelves
    assert shelves is not None
    await container.upload_blob("a", b"first")
    shelves.set_immutable(container.container_name)
    await container.upload_blob("b", b"new")
    for attempt in (container.upload_blob("a", b"x", overwrite=True), container.delete_blob("b")):
        assert await refused(attempt) == (409, "BlobImmutableDueToPolicy")
    assert await refused(container.upload_blob("a", b"x")) == (409, "BlobAlreadyExists")
    assert await refused(container.delete_blob("c")) == (404, "BlobNotFound")
    assert (await container.get_container_properties()).has_immutability_policy
    assert [await read(container, name) for name in await names(container)] == [b"first", b"new"]


async def test_python_and_the_service_see_the_same_blobs(local: Storage) -> None:
    container, shelves = await local.container(), local.shelves
    assert shelves is not None
    name = container.container_name
    await container.upload_blob("a/1", b"by the service")
    shelves.put(name, "a/2", b"by Python")
    shelves.put(name, "b", b"1")
    shelves.put(name, "b", b"2")
    assert shelves.names(name) == await names(container) == ["a/1", "a/2", "b"]
    assert shelves.names(name, "a/") == ["a/1", "a/2"]
    assert shelves.read(name, "a/1") == b"by the service"
    assert await read(container, "a/2") == b"by Python"
    assert await read(container, "b") == b"2"
    shelves.set_immutable(name)
    with pytest.raises(StorageError, match="immutable"):
        shelves.put(name, "b", b"3")


async def test_python_is_answered_nothing_where_nothing_is(local: Storage) -> None:
    shelves = local.shelves
    assert shelves is not None
    assert (shelves.names("absent"), shelves.read("absent", "a")) == ([], None)
    shelves.set_immutable("made-by-it")
    assert (shelves.names("made-by-it"), shelves.read("made-by-it", "a")) == ([], None)
    with pytest.raises(StorageError, match="length"):
        shelves.names("ab")


async def test_last_modified_is_the_clock_s_and_etags_differ_while_it_stands_still(
    local: Storage, clock: Clock
) -> None:
    container = await local.container()
    etags = set()
    for _ in range(3):
        written = await container.upload_blob("a", b"1", overwrite=True)
        told = await written.get_blob_properties()
        etags.add(told.etag)
        assert told.last_modified.astimezone(UTC) == clock()
    assert len(etags) == 3
    await local.wait(60)
    changed = await (await container.upload_blob("a", b"1", overwrite=True)).get_blob_properties()
    assert changed.last_modified - told.last_modified == timedelta(minutes=1)
