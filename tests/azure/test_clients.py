"""The factory: where its clients point, whom their tokens are for, and that each works end to end."""

import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from socket import AF_INET

import pytest
import trustme
from aiohttp import web
from aiohttp.abc import AbstractResolver, ResolveResult
from azure.core.exceptions import HttpResponseError
from yarl import URL

from local.identity import bearer_of, claims_of
from local.storage import blobs, queues, tables
from local.storage.database import Database
from shared.azure.arm import ArmClient
from shared.azure.blobs import BlobStore
from shared.azure.ledger import TableLedger
from shared.azure.ledger_table import LedgerTable
from shared.azure.poison import PoisonQueue
from shared.azure.queue import SignalQueue
from shared.domain.failure import TryAgain
from shared.domain.ledger import Entry
from shared.domain.settings import HostStorage, Operational
from tests.azure.making import API_VERSION, TARGET, Identity, TrustingClients, concluded
from tests.local import azurite
from tests.local.arm_world import DEV, serve
from tests.storage_account import Authority

GOVERNMENT, CHINA = "https://management.usgovcloudapi.net", "https://management.chinacloudapi.cn"
NAMES = (
    *("management.azure.com", "management.usgovcloudapi.net", "management.chinacloudapi.cn", "arm.example"),
    *("dce.ingest.monitor.azure.com", "dce.ingest.monitor.azure.us", "dce.ingest.monitor.azure.cn"),
)
KEYED = f"DefaultEndpointsProtocol=https;AccountName=st;AccountKey={azurite.KEY};EndpointSuffix=core.windows.net"


def named(pattern: str) -> tuple[str, str, str]:
    """The addresses of tables, queues and blobs."""
    table, queue, blob = (pattern.format(service) for service in ("table", "queue", "blob"))
    return table, queue, blob


EMULATED = (
    "http://127.0.0.1:10002/devstoreaccount1",
    "http://127.0.0.1:10001/devstoreaccount1",
    "http://127.0.0.1:10000/devstoreaccount1",
)


@pytest.mark.parametrize(
    "storage,where",
    [
        (HostStorage(connection="UseDevelopmentStorage=true"), EMULATED),
        (HostStorage(connection=KEYED), named("https://st.{}.core.windows.net")),
        (HostStorage("st", *named("https://st.{}.core.windows.net")), named("https://st.{}.core.windows.net")),
        (
            HostStorage("", *named("https://St.{}.core.usgovcloudapi.net/")),
            named("https://St.{}.core.usgovcloudapi.net"),
        ),
    ],
)
async def test_where_the_stores_are(storage: HostStorage, where: tuple[str, str, str]) -> None:
    table_url, queue_url, blob_url = where
    clients = TrustingClients(Operational(), storage)
    async with (
        clients,
        clients.ledger() as table,
        clients.signals() as queue,
        clients.poison() as poison,
        clients.blobs() as blob,
    ):
        assert table.url.rstrip("/") == table_url
        assert table.table_name == "AirlockLedger"
        assert queue.url == f"{queue_url}/signals"
        assert poison.url == f"{queue_url}/signals-poison"
        assert blob.url.rstrip("/") == blob_url


@asynccontextmanager
async def account(authority: Authority) -> AsyncIterator[HostStorage]:
    """A storage account that is reached by identity, as the app settings name it."""
    with Database(None, lambda: datetime.now(UTC)) as database:
        async with (
            serve(tables.application(database, "st"), authority.server) as table_url,
            serve(queues.application(database, "st"), authority.server) as queue_url,
            serve(blobs.application(database, "st"), authority.server) as blob_url,
        ):
            yield HostStorage("st", f"{table_url}/st", f"{queue_url}/st/", f"{blob_url}/st/")


async def assert_works(clients: TrustingClients) -> None:
    """The ledger, the queues and the blobs are made, written to and read through the gate."""
    async with (
        clients.ledger() as table,
        clients.signals() as queue,
        clients.poison() as poison,
        clients.blobs() as blob,
    ):
        ledger = TableLedger(LedgerTable(table))
        entry, rows = concluded(Entry(TARGET.key))
        entry = await ledger.commit(entry, rows)
        await ledger.attach(TARGET, ["k"], [])
        await ledger.attach(TARGET, [], ["k"])
        await ledger.strike([*rows, *rows])
        await ledger.strike(rows)
        assert await ledger.open(TARGET.key) == entry
        await SignalQueue(lambda: queue).put("signal", timedelta())
        assert len(await queue.peek_messages()) == 1
        await poison.create_queue()
        await poison.send_message("e30=")
        poisoned = await PoisonQueue(lambda: poison).take()
        assert [each.text for each in poisoned] == ["{}"]
        await PoisonQueue(lambda: poison).remove(poisoned[0])
        store = BlobStore(lambda: blob)
        assert await store.create("box", "a/b", b"1")
        assert [await store.read("box", name) for name in await store.names("box", "a")] == [b"1"]
        await store.delete("box", "a/b")


async def test_stores_by_identity(identity: Identity, authority: Authority) -> None:
    async with account(authority) as storage, TrustingClients(Operational(), storage, authority.bundle) as clients:
        await assert_works(clients)
        assert set(identity.resources) == {"https://storage.azure.com"}
        assert len(identity.asked) == 1, "the credential keeps its tokens for all clients"


async def test_stores_by_connection_string(emulator: azurite.Azurite) -> None:
    where = f"http://127.0.0.1:{{}}/{azurite.ACCOUNT}"
    connection = (
        f"DefaultEndpointsProtocol=http;AccountName={azurite.ACCOUNT};AccountKey={azurite.KEY};"
        f"QueueEndpoint={where.format(emulator.queue_port)};TableEndpoint={where.format(emulator.table_port)};"
        f"BlobEndpoint={where.format(emulator.blob_port)};"
    )
    async with TrustingClients(Operational(), HostStorage(connection=connection)) as clients:
        await assert_works(clients)


async def test_stores_that_do_not_answer_are_asked_once_and_soon_given_up(identity: Identity) -> None:
    del identity
    storage = HostStorage("st", "https://127.0.0.1:9/st", "https://127.0.0.1:9/st")
    clients = TrustingClients(Operational(), storage)
    async with clients, clients.ledger() as table, clients.signals() as queue:
        with pytest.raises(TryAgain):
            await TableLedger(LedgerTable(table)).open(TARGET.key)
        with pytest.raises(TryAgain):
            await SignalQueue(lambda: queue).put("signal", timedelta())


@dataclass
class Internet(AbstractResolver):
    """A server that stands in for every name of the clouds; nothing leaves this machine.

    `asked` are the names that were called and whom the tokens were for.
    """

    ca_file: Path = field(default_factory=Path)
    port: int = 0
    asked: list[tuple[str, object]] = field(default_factory=list)

    async def resolve(self, host: str, port: int = 0, family: socket.AddressFamily = AF_INET) -> list[ResolveResult]:
        del port, family
        return [ResolveResult(hostname=host, host="127.0.0.1", port=self.port, family=AF_INET, proto=0, flags=0)]

    async def close(self) -> None:
        """Nothing is held open."""

    async def answer(self, request: web.Request) -> web.Response:
        self.asked.append((request.host, claims_of(bearer_of(request) or "").get("aud")))
        return web.Response(body=b"{}")


@pytest.fixture
async def internet() -> AsyncIterator[Internet]:
    app, internet = web.Application(), Internet()
    app.router.add_route("*", "/{path:.*}", internet.answer)
    root, server = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    root.issue_cert(*NAMES).configure_cert(server)
    with root.cert_pem.tempfile() as ca_file:
        internet.ca_file = Path(ca_file)
        async with serve(app, server) as url:
            internet.port = URL(url).port or 0
            yield internet


@pytest.mark.parametrize(
    "endpoint,audience",
    [
        ("https://management.azure.com", "https://management.azure.com"),
        (GOVERNMENT, GOVERNMENT),
        (CHINA, CHINA),
        ("https://arm.example", "https://management.azure.com"),
    ],
)
@pytest.mark.usefixtures("identity")
async def test_whom_arm_tokens_are_for(endpoint: str, audience: str, internet: Internet) -> None:
    clients = TrustingClients(Operational(arm_endpoint=endpoint), HostStorage(), internet.ca_file, internet)
    client = clients.arm()
    async with clients, client:
        assert await ArmClient(client, endpoint).read(TARGET, API_VERSION) == {}
    assert internet.asked == [(URL(endpoint).host, audience)]


@pytest.mark.parametrize(
    "endpoint,logs,audience",
    [
        ("https://management.azure.com", "https://dce.ingest.monitor.azure.com", "https://monitor.azure.com"),
        (GOVERNMENT, "https://dce.ingest.monitor.azure.us", "https://monitor.azure.us"),
        (CHINA, "https://dce.ingest.monitor.azure.cn", "https://monitor.azure.cn"),
    ],
)
@pytest.mark.usefixtures("identity")
async def test_whom_log_tokens_are_for(endpoint: str, logs: str, audience: str, internet: Internet) -> None:
    """Source: learn.microsoft.com/azure/azure-monitor/logs/logs-ingestion-api-overview, read 2026-11-23."""
    options = Operational(arm_endpoint=endpoint, logs_endpoint=logs)
    clients = TrustingClients(options, HostStorage(), internet.ca_file, internet)
    async with clients, clients.logs() as client:
        with suppress(HttpResponseError):  # it wants 204
            await client.upload("dcr-1", "Custom-A_CL", [{}])
    assert internet.asked == [(URL(logs).host, audience)]


@pytest.mark.parametrize("client_id,asked", [("", None), (DEV.client_id, DEV.client_id)])
async def test_which_identity_is_asked_for(
    client_id: str, asked: str | None, identity: Identity, internet: Internet
) -> None:
    options = Operational(client_id=client_id)
    clients = TrustingClients(options, HostStorage(), internet.ca_file, internet)
    client = clients.arm()
    async with clients, client:
        await ArmClient(client, options.arm_endpoint).read(TARGET, API_VERSION)
    assert [query.get("client_id") for query in identity.asked] == [asked]
