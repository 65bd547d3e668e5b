"""Small complete values for the tests of the adapters, and servers that answer what they are told to."""

import hashlib
import json
import random
import ssl
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Self

from aiohttp import ClientSession, TCPConnector, web
from aiohttp.abc import AbstractResolver
from azure.core.rest import HttpRequest

from local.certificate import Certificate
from shared.azure.arm import ArmClient
from shared.azure.clients import Clients
from shared.azure.gate import GatedTransport
from shared.domain.arm_id import ArmId, parse_arm_id
from shared.domain.body import JsonObject
from shared.domain.fix import Fix
from shared.domain.ledger import Entry, Intention
from shared.domain.mode import Mode
from shared.domain.record import GENESIS, Outcome, Record, Row
from shared.domain.settings import HostStorage, Operational
from tests.local.arm_world import ACCOUNT, ArmWorld, serve

NOW = datetime.fromisoformat("2026-11-23T12:00:00+00:00")
SECOND = timedelta(seconds=1)
TARGET = parse_arm_id(ACCOUNT)
API_VERSION = "2025-06-01"
CLOSED: JsonObject = {"properties": {"publicNetworkAccess": "Disabled"}}


def fix(target: ArmId = TARGET, mode: Mode = Mode.ENFORCE, body: JsonObject = CLOSED, etag: str | None = None) -> Fix:
    """A fix that closes public access."""
    return Fix(target, API_VERSION, body, etag, mode, ("AIR-001/cognitive-accounts",))


def key(number: int) -> str:
    """The key of one resource of many; a few dozen of them stand in every partition."""
    return f"{TARGET.key}-{number}"


def record(number: int = 0, time: datetime = NOW, **changes: object) -> Record:
    """The record of one cause of many."""
    told = Record(
        time_generated=time,
        signal_time=time,
        resource_id=TARGET.path,
        rule="AIR-001/cognitive-accounts",
        outcome=Outcome.AUDITED,
        changes=[{"path": "properties.publicNetworkAccess", "actual": "Enabled", "desired": "Disabled"}],
        cause=f"event-{number}",
    )
    return replace(told, **changes)  # type: ignore[arg-type] # each test names fields of Record


def concluded(entry: Entry, count: int = 1, time: datetime = NOW, first: int = 0) -> tuple[Entry, tuple[Row, ...]]:
    """The entry with so many records more, each a millisecond younger than the one before, and their rows."""
    records = [record(first + at, time + timedelta(milliseconds=at)) for at in range(count)]
    return entry.conclude(records, time)


def intended(entry: Entry, until: datetime, message: str = "signal") -> Entry:
    """The entry while some worker carries a fix out, until then."""
    return entry.intend(Intention(message, NOW, (record(),)), "worker", until)


def incompressible(size: int, seed: int = 0) -> str:
    """Text that takes as many bytes compressed as it takes characters, more or less."""
    dice = random.Random(seed)  # noqa: S311 - repeatable, nothing secret
    return "".join(chr(dice.randrange(0x4E00, 0x9FA5)) for _ in range(size // 2))


def assert_chain(rows: Iterable[Row], head: str) -> None:
    """The rows are one chain, from its beginning to that head, and each seals what it shows."""
    following = {str(row.columns["PreviousDigest"]): row for row in rows}
    last = GENESIS
    while (row := following.pop(last, None)) is not None:
        sealed = str(row.columns["Sealed"])
        assert hashlib.sha256((last + sealed).encode()).hexdigest() == row.digest == row.columns["Digest"]
        assert json.loads(sealed).items() <= row.columns.items()
        last = row.digest
    assert last == head
    assert not following, "rows that follow none of the chain"


@dataclass(frozen=True)
class Identity:
    """What the identity endpoint was asked."""

    asked: list[dict[str, str]]

    @property
    def resources(self) -> list[str]:
        """Whom the tokens were for."""
        return [query["resource"] for query in self.asked]


def trusting(ca_file: Path, resolver: AbstractResolver | None = None) -> ClientSession:
    """A session for an SDK's transport, which closes it with its client.

    Given the file's path instead, azure-core loads it and shakes hands anew for every request.
    """
    context = ssl.create_default_context(cafile=ca_file)
    return ClientSession(connector=TCPConnector(ssl=context, resolver=resolver), auto_decompress=False)


class TrustingClients(Clients):
    """The factory as it ships, but for the certificate authority that it trusts and where it looks up names."""

    def __init__(
        self,
        options: Operational,
        storage: HostStorage,
        ca_file: Path | None = None,
        resolver: AbstractResolver | None = None,
    ) -> None:
        super().__init__(options, storage)
        self._ca_file = ca_file
        self._resolver = resolver

    def _transport(self, *own_addresses: str, permitted: str = "") -> GatedTransport:
        transport = super()._transport(*own_addresses, permitted=permitted)
        if self._ca_file is not None:
            transport.session = trusting(self._ca_file, self._resolver)
        return transport

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._credential.close()


@asynccontextmanager
async def arm_client(url: str, ca_file: Path) -> AsyncIterator[ArmClient]:
    """Our client for the ARM at that address, from the factory that ships; it needs the fixture `identity`."""
    clients = TrustingClients(Operational(arm_endpoint=url), HostStorage(), ca_file)
    client = clients.arm()
    async with clients, client:
        yield ArmClient(client, url)


def arm_of(world: ArmWorld) -> AbstractAsyncContextManager[ArmClient]:
    """Our client for a local ARM."""
    return arm_client(world.url, world.ca_file)


@dataclass(frozen=True)
class Answer:
    """One answer of a scripted server. `{url}` in a header becomes the server's own address."""

    status: int = 200
    body: object = None
    headers: Mapping[str, str] = field(default_factory=dict)

    def response(self, url: str) -> web.Response:
        body = self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()
        headers = {name: value.replace("{url}", url) for name, value in self.headers.items()}
        return web.Response(status=self.status, body=body, headers=headers)


@dataclass
class Script:
    """A server that gives its answers one after the other, whatever it is asked, and the last one for ever."""

    answers: Sequence[Answer]
    url: str = ""
    ca_file: Path = field(default_factory=Path)
    asked: list[str] = field(default_factory=list)

    async def answer(self, request: web.Request) -> web.Response:
        self.asked.append(f"{request.method} {request.path}")
        return self.answers[min(len(self.asked), len(self.answers)) - 1].response(self.url)


@asynccontextmanager
async def scripted(*answers: Answer) -> AsyncIterator[Script]:
    """A server of those answers, over TLS."""
    script = Script(answers)
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", script.answer)
    with TemporaryDirectory() as directory:
        certificate = Certificate.issue(Path(directory))
        async with serve(app, certificate.server) as script.url:
            script.ca_file = certificate.ca_file
            yield script


def patch(url: str, target: ArmId = TARGET) -> HttpRequest:
    """The write that a fix of that target makes, by hand."""
    return HttpRequest("PATCH", f"{url}{target.path}?api-version={API_VERSION}", json=CLOSED)
