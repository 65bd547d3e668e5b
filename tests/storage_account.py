"""One storage account, twice: this repository's over TLS, and Azurite."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Self
from uuid import uuid4

import pytest
import trustme
from aiohttp import ClientSession, TCPConnector, web
from azure.core.credentials import AccessToken, AzureNamedKeyCredential
from azure.core.pipeline.transport import AioHttpTransport
from azure.data.tables.aio import TableClient, TableServiceClient
from azure.storage.blob.aio import BlobServiceClient, ContainerClient
from azure.storage.queue.aio import QueueClient, QueueServiceClient

from local.storage import blobs, queues, tables
from local.storage.blob_store import Shelves
from local.storage.database import Database
from tests.local import azurite

ACCOUNT = "rehearsal"


@dataclass
class Clock:
    """A clock that stands still until it is told to move."""

    instant: datetime = datetime(2026, 1, 1, 12, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.instant

    async def wait(self, seconds: float) -> None:
        self.instant += timedelta(seconds=seconds)


class FixedToken:
    """A credential that always has the same token: the local storage looks at its presence only."""

    async def get_token(self, *_scopes: str, **_options: object) -> AccessToken:
        return AccessToken("rehearsal", int(datetime(2100, 1, 1, tzinfo=UTC).timestamp()))

    async def close(self) -> None:
        """Nothing is held open."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_error: object) -> None:
        await self.close()


@dataclass(frozen=True)
class Storage:
    """A storage account under test, and the real SDK's clients for it."""

    tables: TableServiceClient
    queues: QueueServiceClient
    blobs: BlobServiceClient
    wait: Callable[[float], Awaitable[None]]
    table_url: str
    queue_url: str
    blob_url: str
    # Python's own way to the blobs, past the service; only this repository's storage has it.
    shelves: Shelves | None = None
    unique: str = field(default_factory=lambda: uuid4().hex[:12])

    async def table(self) -> TableClient:
        """Return a new table."""
        return await self.tables.create_table(f"table{self.unique}")

    async def queue(self) -> QueueClient:
        """Return a new queue."""
        return await self.queues.create_queue(f"queue-{self.unique}")

    async def container(self) -> ContainerClient:
        """Return a new container."""
        return await self.blobs.create_container(f"container-{self.unique}")


@dataclass(frozen=True)
class Authority:
    """A certificate authority for 127.0.0.1 only: the server's side, and the file that clients trust."""

    server: ssl.SSLContext
    bundle: Path


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    root = trustme.CA()
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    root.issue_cert("127.0.0.1").configure_cert(server)
    bundle = tmp_path_factory.mktemp("authority") / "ca.pem"
    root.cert_pem.write_to_path(bundle)
    return Authority(server, bundle)


@pytest.fixture(scope="session")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[azurite.Azurite]:
    reason = azurite.missing()
    if reason is not None:
        pytest.skip(reason)
    with azurite.running(tmp_path_factory.mktemp("azurite")) as started:
        yield started


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def local(authority: Authority, clock: Clock) -> AsyncIterator[Storage]:
    async with _local(authority, clock) as storage:
        yield storage


@pytest.fixture(params=["local", "azurite"])
async def storage(request: pytest.FixtureRequest, authority: Authority, clock: Clock) -> AsyncIterator[Storage]:
    is_local = request.param == "local"
    async with _local(authority, clock) if is_local else _emulated(request.getfixturevalue("emulator")) as storage:
        yield storage


@asynccontextmanager
async def _local(authority: Authority, clock: Clock) -> AsyncIterator[Storage]:
    def known() -> dict[str, Any]:
        # Given the bundle's path instead, azure-core loads it and shakes hands anew for every request.
        trusting = ssl.create_default_context(cafile=authority.bundle)
        transport = AioHttpTransport(session=ClientSession(connector=TCPConnector(ssl=trusting)))
        return {"credential": FixedToken(), "transport": transport, "retry_total": 0}

    with Database(None, clock) as database:
        async with (
            served(tables.application(database, ACCOUNT), authority.server) as table_url,
            served(queues.application(database, ACCOUNT), authority.server) as queue_url,
            served(blobs.application(database, ACCOUNT), authority.server) as blob_url,
            TableServiceClient(table_url, **known()) as table_client,
            QueueServiceClient(queue_url, **known()) as queue_client,
            BlobServiceClient(blob_url, **known()) as blob_client,
        ):
            clients = (table_client, queue_client, blob_client)
            shelves = Shelves(database, ACCOUNT)
            yield Storage(*clients, clock.wait, table_url, queue_url, blob_url, shelves)


@asynccontextmanager
async def _emulated(emulator: azurite.Azurite) -> AsyncIterator[Storage]:
    table_url = f"http://127.0.0.1:{emulator.table_port}/{azurite.ACCOUNT}"
    queue_url = f"http://127.0.0.1:{emulator.queue_port}/{azurite.ACCOUNT}"
    blob_url = f"http://127.0.0.1:{emulator.blob_port}/{azurite.ACCOUNT}"
    key = AzureNamedKeyCredential(azurite.ACCOUNT, azurite.KEY)
    async with (
        TableServiceClient(table_url, credential=key, retry_total=0) as table_client,
        QueueServiceClient(queue_url, credential=key, retry_total=0) as queue_client,
        BlobServiceClient(blob_url, credential=key, retry_total=0) as blob_client,
    ):
        yield Storage(table_client, queue_client, blob_client, asyncio.sleep, table_url, queue_url, blob_url)


@asynccontextmanager
async def served(application: web.Application, context: ssl.SSLContext) -> AsyncIterator[str]:
    """Serves the application over TLS, and answers its address with the account."""
    runner = web.AppRunner(application, shutdown_timeout=1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
        port = runner.addresses[0][1]
        yield f"https://127.0.0.1:{port}/{ACCOUNT}"
    finally:
        await runner.cleanup()
