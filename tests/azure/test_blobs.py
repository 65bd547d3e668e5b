"""Blobs in our own storage: on this repository's service, on Azurite, and on services that answer something odd."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
from azure.storage.blob.aio import BlobServiceClient, _download_async

from local.faults import Fault, Faults
from local.storage.blob_store import Shelves
from local.storage.blobs import application
from local.storage.database import Database
from shared.azure import blobs
from shared.azure.blobs import BlobStore
from shared.domain.failure import TryAgain
from shared.domain.settings import HostStorage, Operational
from tests.azure.making import Answer, Script, TrustingClients, scripted
from tests.local.arm_world import serve
from tests.storage_account import Authority, Storage

type Attempt = Callable[[BlobStore], Awaitable[object]]

EVERY: dict[str, Attempt] = {
    "create": lambda store: store.create("box", "a", b"1"),
    "read": lambda store: store.read("box", "a"),
    "names": lambda store: store.names("box"),
    "delete": lambda store: store.delete("box", "a"),
}
every = pytest.mark.parametrize("attempt", EVERY.values(), ids=EVERY)


def connected(storage: Storage) -> tuple[BlobStore, str]:
    """The adapter, and a container that nobody has created yet."""
    return BlobStore(lambda: storage.blobs), f"box-{storage.unique}"


async def test_the_container_is_made_with_the_first_blob(storage: Storage) -> None:
    store, box = connected(storage)
    assert await store.create(box, "a/b.json", b"[1]")
    assert await store.create(box, "a/c.json", b"")
    assert [await store.read(box, name) for name in await store.names(box)] == [b"[1]", b""]


async def test_what_is_there_stays_as_it_is(storage: Storage) -> None:
    store, box = connected(storage)
    assert await store.create(box, "a", b"first")
    assert not await store.create(box, "a", b"second")
    assert await store.read(box, "a") == b"first"


async def test_many_writers_of_one_blob_in_a_new_container(storage: Storage) -> None:
    store, box = connected(storage)
    written = await asyncio.gather(*(store.create(box, "a", str(number).encode()) for number in range(5)))
    assert sorted(written) == [False, False, False, False, True]
    assert await store.read(box, "a") == str(written.index(True)).encode()


async def test_what_is_not_there_is_nothing(storage: Storage) -> None:
    store, box = connected(storage)
    for _ in ("no container", "a container without the blob"):
        assert await store.read(box, "a") is None
        assert await store.names(box) == []
        await store.delete(box, "a")
        await store.create(box, "b", b"1")
        await store.delete(box, "b")


async def test_deleting(storage: Storage) -> None:
    store, box = connected(storage)
    await store.create(box, "a", b"1")
    await store.create(box, "b", b"2")
    await store.delete(box, "a")
    assert await store.names(box) == ["b"]
    assert await store.create(box, "a", b"again")


async def test_names_are_in_order_and_no_more_than_asked_for(storage: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blobs, "_PAGE", 2)
    store, box = connected(storage)
    for name in ("a/3", "b", "a/1", "a/2", "A"):
        await store.create(box, name, b"")
    assert await store.names(box) == ["A", "a/1", "a/2", "a/3", "b"]
    assert await store.names(box, most=3) == ["A", "a/1", "a/2"]
    assert await store.names(box, "a/", most=1) == ["a/1"]
    assert await store.names(box, "a/") == ["a/1", "a/2", "a/3"]


async def test_an_immutable_container(local: Storage) -> None:
    store, box = connected(local)
    assert local.shelves is not None
    await store.create(box, "a", b"1")
    local.shelves.set_immutable(box)
    assert not await store.create(box, "a", b"2")
    assert await store.create(box, "b", b"2")
    with pytest.raises(TryAgain) as told:
        await store.delete(box, "a")
    assert told.value.cause.code == "blobs.blob-immutable-due-to-policy"
    assert await store.names(box) == ["a", "b"]


async def test_one_client_is_made_with_the_first_blob(local: Storage) -> None:
    made: list[BlobServiceClient] = []

    def connect() -> BlobServiceClient:
        made.append(local.blobs)
        return made[-1]

    store = BlobStore(connect)
    assert made == []
    for name in ("a", "b", "c"):
        await store.create("box", name, b"")
    assert len(made) == 1


def refusal(status: int, code: str) -> Answer:
    """An error as the service spells it."""
    document = f'<?xml version="1.0" encoding="utf-8"?><Error><Code>{code}</Code><Message>no</Message></Error>'
    return Answer(status, document.encode(), {"x-ms-error-code": code, "Content-Type": "application/xml"})


@asynccontextmanager
async def answering(*answers: Answer) -> AsyncIterator[tuple[BlobStore, Script]]:
    """The adapter, on a service that gives those answers."""
    async with scripted(*answers) as script:
        storage = HostStorage("st", blobs=f"{script.url}/st")
        async with TrustingClients(Operational(), storage, script.ca_file) as clients, clients.blobs() as client:
            yield BlobStore(lambda: client), script


@every
@pytest.mark.parametrize(
    "answer,code",
    [
        (refusal(403, "AuthorizationPermissionMismatch"), "blobs.authorization-permission-mismatch"),
        (refusal(409, "ContainerBeingDeleted"), "blobs.container-being-deleted"),
        (refusal(400, "InvalidUri"), "blobs.invalid-uri"),
        (refusal(503, "ServerBusy"), "blobs.server-busy"),
    ],
)
@pytest.mark.usefixtures("identity")
async def test_every_refusal_can_be_tried_again(answer: Answer, code: str, attempt: Attempt) -> None:
    async with answering(answer) as (store, script):
        with pytest.raises(TryAgain) as told:
            await attempt(store)
        assert len(script.asked) == 1, "the SDK does not try again by itself"
    assert told.value.cause.code == code


@every
@pytest.mark.parametrize("answer", [Answer(500, b"<html>"), Answer(503, {"error": {"code": "ServiceUnavailable"}})])
@pytest.mark.usefixtures("identity")
async def test_refusals_of_something_in_between_can_be_tried_again(answer: Answer, attempt: Attempt) -> None:
    async with answering(answer) as (store, script):
        with pytest.raises(TryAgain):
            await attempt(store)
        assert len(script.asked) == 1


@pytest.mark.usefixtures("identity")
async def test_a_refusal_to_write_over_an_immutable_blob_says_that_it_is_there() -> None:
    async with answering(refusal(409, "BlobImmutableDueToPolicy")) as (store, _):
        assert not await store.create("box", "a", b"1")


@pytest.mark.usefixtures("identity")
async def test_a_container_that_cannot_be_made() -> None:
    absent, going = refusal(404, "ContainerNotFound"), refusal(409, "ContainerBeingDeleted")
    async with answering(absent, going) as (store, script):
        with pytest.raises(TryAgain) as told:
            await store.create("box", "a", b"1")
        assert script.asked == ["PUT /st/box/a", "PUT /st/box"]
    assert told.value.cause.code == "blobs.container-being-deleted"


@pytest.mark.usefixtures("identity")
async def test_a_container_that_another_worker_made() -> None:
    absent, made = refusal(404, "ContainerNotFound"), refusal(409, "ContainerAlreadyExists")
    async with answering(absent, made, Answer(201, b"")) as (store, script):
        assert await store.create("box", "a", b"1")
        assert script.asked == ["PUT /st/box/a", "PUT /st/box", "PUT /st/box/a"]


@pytest.mark.usefixtures("identity")
@pytest.mark.parametrize(
    "attempt,answer",
    [
        (EVERY["read"], Answer(200, b"no range")),
        (EVERY["read"], Answer(206, b"x", {"Content-Range": "bytes"})),
        (EVERY["names"], Answer(200, b"<html>", {"Content-Type": "application/xml"})),
    ],
)
async def test_answers_that_no_blob_service_gives(attempt: Attempt, answer: Answer) -> None:
    async with answering(answer) as (store, _):
        with pytest.raises(TryAgain):
            await attempt(store)


@asynccontextmanager
async def misbehaving(authority: Authority, *faults: Fault) -> AsyncIterator[BlobStore]:
    """The adapter, on a service that holds one blob and misbehaves so."""
    with Database(None, lambda: datetime.now(UTC)) as database:
        Shelves(database, "st").put("box", "a", b"content")
        service = application(database, "st")
        service.middlewares.append(Faults(faults).middleware("blobs"))
        async with serve(service, authority.server) as url:
            storage = HostStorage("st", blobs=f"{url}/st")
            async with TrustingClients(Operational(), storage, authority.bundle) as clients, clients.blobs() as client:
                yield BlobStore(lambda: client)


@every
@pytest.mark.parametrize("fault", [Fault(status=429, times=None), Fault(kind="reset", times=None)])
@pytest.mark.usefixtures("identity")
async def test_a_bad_day(authority: Authority, fault: Fault, attempt: Attempt) -> None:
    async with misbehaving(authority, fault) as store:
        with pytest.raises(TryAgain):
            await attempt(store)


@pytest.mark.usefixtures("identity")
async def test_a_blob_whose_end_never_comes(authority: Authority, monkeypatch: pytest.MonkeyPatch) -> None:
    async def at_once(seconds: float) -> None:
        del seconds

    # The SDK asks three times for what broke off, and no option turns that off: here without its pauses.
    monkeypatch.setattr(_download_async, "asyncio", SimpleNamespace(sleep=at_once))
    async with misbehaving(authority, Fault(kind="truncate", times=3)) as store:
        with pytest.raises(TryAgain):
            await store.read("box", "a")
        assert await store.read("box", "a") == b"content"


@pytest.mark.usefixtures("identity")
async def test_a_write_whose_answer_was_lost_is_there_already(authority: Authority) -> None:
    async with misbehaving(authority, Fault(kind="reset", method="PUT", after_effect=True)) as store:
        # Nothing below us sends it again; whoever tries again finds it there.
        with pytest.raises(TryAgain):
            await store.create("box", "b", b"mine")
        assert not await store.create("box", "b", b"mine")
        assert await store.read("box", "b") == b"mine"


@every
@pytest.mark.usefixtures("identity")
async def test_a_service_that_is_not_there(attempt: Attempt) -> None:
    storage = HostStorage("st", blobs="https://127.0.0.1:9/st")
    async with TrustingClients(Operational(), storage) as clients, clients.blobs() as client:
        with pytest.raises(TryAgain) as told:
            await attempt(BlobStore(lambda: client))
    assert told.value.cause.code == "blobs.unreachable"
