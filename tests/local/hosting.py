"""A function app under the local host, with the local queue service beside it."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from aiohttp import ClientSession, TCPConnector, web
from azure.core.exceptions import ResourceExistsError
from azure.core.pipeline.transport import AioHttpTransport
from azure.storage.queue import BinaryBase64DecodePolicy, BinaryBase64EncodePolicy
from azure.storage.queue.aio import QueueClient, QueueServiceClient

from local.host.host import FunctionsHost
from local.host.log import LogLine
from local.storage import queues
from local.storage.database import Database
from tests.storage_account import Authority, FixedToken

APPS = Path(__file__).parent / "apps"
# Seconds after which a condition that does not come is a failure.
PATIENCE = 10.0


@dataclass
class Heard:
    """What the host said."""

    lines: list[LogLine] = field(default_factory=list)
    more: asyncio.Event = field(default_factory=asyncio.Event)

    def __call__(self, line: LogLine) -> None:
        self.lines.append(line)
        self.more.set()

    async def line(self, text: str, times: int = 1) -> LogLine:
        """Wait until `times` lines hold `text`; the last of them."""
        async with asyncio.timeout(PATIENCE):
            while len(found := [line for line in self.lines if text in line.message]) < times:
                self.more.clear()
                await self.more.wait()
        return found[times - 1]


@dataclass
class Hosting:
    """A queue service's clients, and a session for whoever calls the host."""

    queues: Callable[[], QueueServiceClient]
    session: ClientSession
    heard: Heard = field(default_factory=Heard)

    def host(
        self,
        app: str,
        environment: Mapping[str, str] | None = None,
        *,
        workers: int = 1,
        timers: bool = False,
        message_lease: timedelta = timedelta(minutes=10),
    ) -> FunctionsHost:
        return FunctionsHost(
            APPS / app,
            environment or {},
            self.queues,
            workers=workers,
            log=self.heard,
            timers=timers,
            message_lease=message_lease,
        )

    @asynccontextmanager
    async def queue(self, name: str) -> AsyncIterator[QueueClient]:
        """A queue that exists, read and written as the host does it: base64."""
        policies = {
            "message_encode_policy": BinaryBase64EncodePolicy(),
            "message_decode_policy": BinaryBase64DecodePolicy(),
        }
        async with self.queues() as service, service.get_queue_client(name, **policies) as client:
            with suppress(ResourceExistsError):
                await client.create_queue()
            yield client

    async def send(self, queue: str, *bodies: str) -> None:
        async with self.queue(queue) as client:
            for body in bodies:
                await client.send_message(body.encode())

    async def messages(self, queue: str) -> list[str]:
        """The bodies of the visible messages, sorted."""
        async with self.queue(queue) as client:
            return sorted(message.content.decode() for message in await client.peek_messages(max_messages=32))


def client(url: str, authority: Authority) -> QueueServiceClient:
    # Given the bundle's path instead, azure-core loads it and shakes hands anew for every request.
    trusting = ssl.create_default_context(cafile=str(authority.bundle))
    transport = AioHttpTransport(session=ClientSession(connector=TCPConnector(ssl=trusting)))
    return QueueServiceClient(url, credential=FixedToken(), transport=transport, retry_total=0)


@asynccontextmanager
async def hosting(authority: Authority) -> AsyncIterator[Hosting]:
    with Database(None, lambda: datetime.now(UTC)) as database:
        runner = web.AppRunner(queues.application(database, "rehearsal"), shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=authority.server).start()
        try:
            async with ClientSession() as session:
                url = f"https://127.0.0.1:{runner.addresses[0][1]}/rehearsal"
                yield Hosting(lambda: client(url, authority), session)
        finally:
            await runner.cleanup()
