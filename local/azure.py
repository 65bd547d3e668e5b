"""The whole local Azure: every service on its own loopback port, one estate, one app."""

import asyncio
import json
import ssl
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from uuid import uuid4

from aiohttp import ClientSession, TCPConnector, web
from aiohttp.typedefs import Handler, Middleware
from azure.core.pipeline.transport import AioHttpTransport
from azure.storage.queue.aio import QueueServiceClient

from local.arm.estate import Estate
from local.arm.service import ArmConfig, ArmService
from local.certificate import Certificate
from local.contoso import GROUP, Deed
from local.credential import FixedToken
from local.entra import OPERATOR_ROLE, EntraService, operator_token
from local.event_grid import Delivery, EventGrid
from local.faults import Faults
from local.host.host import FunctionsHost
from local.host.log import LogLine
from local.identity import PATH as IDENTITY_PATH
from local.identity import IdentityService, Principal, bearer_of, claims_of, issue_token
from local.logs import LogsService
from local.storage import blobs, queues, tables
from local.storage.blob_store import Shelves
from local.storage.database import Database
from local.storage.message_store import MessageStore
from local.topic import PATH as TOPIC_PATH
from local.topic import Topic
from local.vault import VaultService

type Body = dict[str, Any]

ACCOUNT = "stairlock"
DEAD_LETTERS = "airlock-dead-letters"
_ARM_AUDIENCE = "https://management.azure.com"
_LOOK_SECONDS = 0.05
# A request that hangs on purpose is not waited for.
_SHUTDOWN_SECONDS = 0.2
RULE_ID = "dcr-00000000000000000000000000000000"
TENANT = "99999999-8888-7777-6666-555555555555"
# The client id of the app registration that operators get tokens for.
OPERATORS = "c3c3c3c3-0000-4000-8000-000000000003"
_TOPICS = f"{GROUP.rpartition('/resourceGroups/')[0]}/resourceGroups/rg-airlock/providers/Microsoft.EventGrid/topics"
APP = Principal("a1a1a1a1-0000-4000-8000-000000000001", "a1a1a1a1-0000-4000-8000-0000000000ff", TENANT)
PERSON = Principal(
    "b2b2b2b2-0000-4000-8000-000000000002",
    "04b07795-8ddb-461a-bbee-02f9e1bf7b46",
    TENANT,
    "Dev",
    "dev@contoso.com",
    "203.0.113.7",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is rehearsed.

    `app_directory` holds the function app; `webhook` names its function that Event Grid calls, `alerts_webhook` the
    one that it calls with what the alerts topic was given, where that is another one. `settings` are the app settings
    beside those that say where the services are. With `vault` the app is given a key vault, with `notify` a topic to
    publish to. `stream` is the log's stream, `columns` its table. `workers` is how many worker processes the host
    keeps. A signal that comes back later than the `horizon` is not waited for.
    """

    app_directory: Path
    webhook: str
    settings: Mapping[str, str]
    stream: str
    columns: Mapping[str, str]
    estate: Sequence[Body]
    arm: ArmConfig = field(default_factory=ArmConfig)
    delivery: Delivery = field(default_factory=Delivery)
    faults: Faults = field(default_factory=Faults)
    horizon: timedelta = timedelta(minutes=1)
    workers: int = 1
    timers: bool = False
    alerts_webhook: str | None = None
    vault: bool = False
    notify: bool = False


class LocalAzure:
    """Runs the plan while it is entered.

    `directory` holds all its files. `arm`, `entra`, `logs`, `vault`, `notifications`, `alerts_topic`, `grid`,
    `alerts_grid`, `blobs` and `host` are the parts. The vault and the topic for notifications are served where the plan
    says so; without an `alerts_webhook` both grids are one. What Event Grid gives up is put into the container
    `airlock-dead-letters`, one array of events per blob. Among the faults the services are "arm", "entra", "logs",
    "vault", "topic", "alerts", "tables", "queues" and "blobs"; those of "queues" meet the app, and never the host.
    `on_event` and `on_log` hear of every event that Event Grid is given and of every line that the host or the app
    logs.
    """

    directory: Path
    arm: ArmService
    entra: EntraService
    logs: LogsService
    vault: VaultService
    notifications: Topic
    alerts_topic: Topic
    alerts_topic_url: str
    grid: EventGrid
    alerts_grid: EventGrid
    blobs: Shelves
    host: FunctionsHost

    def __init__(
        self,
        plan: Plan,
        on_event: Callable[[Body], None] | None = None,
        on_log: Callable[[LogLine], None] | None = None,
    ) -> None:
        self._plan = plan
        self._on_event = on_event
        self._on_log = on_log
        self._run = AsyncExitStack()

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as run:
            await self._start(run)
            self._run = run.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._run.aclose()

    @property
    def faults(self) -> Faults:
        """What goes wrong, to be changed while it runs."""
        return self._plan.faults

    @property
    def rows(self) -> Sequence[Mapping[str, Any]]:
        """The log as it was ingested, rows that came twice included."""
        return self.logs.rows

    def export(self) -> list[Body]:
        """The estate as it is now, in the form it was given."""
        return self.arm.estate.export()

    async def publish(self, event: Body) -> None:
        """Gives Event Grid an event."""
        if self._on_event is not None:
            self._on_event(event)
        await self.grid.publish(event)

    async def publish_alert(self, event: Body) -> None:
        """Gives Event Grid an event as one that the alerts topic was given."""
        if self._on_event is not None:
            self._on_event(event)
        await self.alerts_grid.publish(event)

    def report_alert(self, body: Body) -> None:
        """Lets Defender have an alert, so that ARM shows it; no event tells of it.

        Raises ValueError for a body without a usable id.
        """
        self.arm.estate.take_in(body)

    def key_of(self, resource_id: str, slot: str) -> str:
        """The key of an account that is in force in a slot, such as "Key1" or "primary".

        Raises ValueError for a resource that does not exist or has no such key.
        """
        return self.arm.key_of(resource_id, slot)

    @property
    def operate_url(self) -> str:
        """Where operators send their requests."""
        return f"{self.host.url}/api/operate"

    def operator_token(self, principal: Principal = PERSON, roles: Sequence[str] = (OPERATOR_ROLE,)) -> str:
        """An access token of the principal for the app, with these app roles."""
        return operator_token(principal, self.environment["AIRLOCK_OPERATOR_AUDIENCE"], roles, time.time())

    async def act(self, deed: Deed) -> int:
        """Does the deed as a person would, through ARM with a token of their own, and answers ARM's status."""
        token = issue_token(PERSON, f"{_ARM_AUDIENCE}/", time.time())
        url = f"{self.arm_url}{deed.id}?api-version={deed.api_version}"
        headers = {"Authorization": f"Bearer {token}"}
        async with (
            ClientSession(connector=TCPConnector(ssl=self.certificate.client)) as session,
            session.request(deed.method, url, json=deed.body or None, headers=headers) as answer,
        ):
            return answer.status

    def hurry(self) -> None:
        """Lets the signals that were put back for later come now."""
        self._messages.show_all()

    async def finish(self, timeout: float) -> None:  # noqa: ASYNC109 - told on to the host, which names what is open
        """Waits until every event is delivered and every signal done, those that come back within the horizon included.

        Raises TimeoutError after `timeout` seconds.
        """
        async with asyncio.timeout(timeout):
            while True:
                await self.grid.drain()
                await self.alerts_grid.drain()
                await self.host.wait_idle(timeout)
                delivered = self.grid.is_idle and self.alerts_grid.is_idle
                if delivered and not self._messages.is_due(self._plan.horizon):
                    return
                await asyncio.sleep(_LOOK_SECONDS)

    async def _start(self, run: AsyncExitStack) -> None:
        plan = self._plan
        directory = Path(run.enter_context(tempfile.TemporaryDirectory(prefix="airlock-")))
        self.directory = directory
        self.certificate = Certificate.issue(directory)
        database = Database(directory / "storage.db", lambda: datetime.now(UTC))
        run.callback(database.close)
        self._messages = MessageStore(database, ACCOUNT)
        self.blobs = Shelves(database, ACCOUNT)
        self.arm = ArmService(Estate(plan.estate), time.time, plan.faults, self.publish, plan.arm)
        self.logs = LogsService(RULE_ID, {plan.stream: plan.columns}, time.time, plan.faults)
        self.vault = VaultService(TENANT, time.time, plan.faults, plan.arm.seed)
        self.notifications = Topic(f"{_TOPICS}/notifications", time.time, plan.faults)
        self.alerts_topic = Topic(f"{_TOPICS}/alerts", time.time, plan.faults, self.publish_alert, "alerts")
        header = uuid4().hex
        identity = IdentityService([APP], header, time.time)
        tls = self.certificate.server
        self.arm_url = await _serve(run, self.arm.application(), tls)
        self.alerts_topic_url = await _serve(run, self.alerts_topic.application(), tls) + TOPIC_PATH
        queues_url = await self._storage(run, queues.application(database, ACCOUNT), _of_app(plan.faults))
        blobs_url = await self._storage(run, blobs.application(database, ACCOUNT), plan.faults.middleware("blobs"))
        self.entra = EntraService(TENANT, plan.faults)
        self.environment = {
            "AIRLOCK_TENANT_ID": TENANT,
            "AIRLOCK_OPERATOR_AUDIENCE": OPERATORS,
            "AIRLOCK_ENTRA_ENDPOINT": await _serve(run, self.entra.application(), tls),
            **plan.settings,
            "IDENTITY_ENDPOINT": await _serve(run, identity.application(), None) + IDENTITY_PATH,
            "IDENTITY_HEADER": header,
            "SSL_CERT_FILE": str(self.certificate.ca_file),
            "REQUESTS_CA_BUNDLE": str(self.certificate.ca_file),
            "AzureWebJobsStorage__accountName": ACCOUNT,
            "AzureWebJobsStorage__blobServiceUri": blobs_url,
            "AzureWebJobsStorage__queueServiceUri": queues_url,
            "AzureWebJobsStorage__tableServiceUri": await self._tables(run, database),
            "AIRLOCK_ARM_ENDPOINT": self.arm_url,
            "AIRLOCK_LOGS_ENDPOINT": await _serve(run, self.logs.application(), tls),
            "AIRLOCK_LOGS_RULE": RULE_ID,
        }
        if plan.vault:
            self.environment["AIRLOCK_KEY_VAULT_URI"] = await _serve(run, self.vault.application(), tls)
        if plan.notify:
            url = await _serve(run, self.notifications.application(), tls)
            self.environment["AIRLOCK_NOTIFY_TOPIC"] = url + TOPIC_PATH
        self.host = await run.enter_async_context(self._functions_host(queues_url))
        self.grid = self.alerts_grid = await self._subscription(run, "changes", plan.webhook)
        if plan.alerts_webhook is not None:
            self.alerts_grid = await self._subscription(run, "alerts", plan.alerts_webhook)

    async def _subscription(self, run: AsyncExitStack, topic: str, function: str) -> EventGrid:
        webhook = f"{self.host.url}/runtime/webhooks/EventGrid?functionName={function}&code={self.host.system_key}"

        async def keep(letter: Body) -> None:
            self.blobs.put(DEAD_LETTERS, _dead_letter_name(topic, datetime.now(UTC)), json.dumps([letter]).encode())

        return await run.enter_async_context(EventGrid(webhook, self._plan.delivery, dead_letter_container=keep))

    async def _tables(self, run: AsyncExitStack, database: Database) -> str:
        """The Table service's address with the account; who wants another service in its place answers that one's."""
        return await self._storage(run, self.table_service(database), self._plan.faults.middleware("tables"))

    async def _storage(self, run: AsyncExitStack, app: web.Application, faults: Middleware) -> str:
        """Serves a storage service behind its faults, and answers its address with the account."""
        app.middlewares.insert(0, faults)
        return f"{await _serve(run, app, self.certificate.server)}/{ACCOUNT}"

    def table_service(self, database: Database) -> web.Application:
        """The Table service; what wants to see its requests wraps it."""
        return tables.application(database, ACCOUNT)

    def _functions_host(self, queues_url: str) -> FunctionsHost:
        tls = self.certificate.client

        def connect() -> QueueServiceClient:
            # With connection_verify, azure-core would make a new TLS context, and so a new connection, per request.
            transport = AioHttpTransport(session=ClientSession(connector=TCPConnector(ssl=tls)))
            return QueueServiceClient(queues_url, credential=FixedToken(), transport=transport)

        plan = self._plan
        return FunctionsHost(
            plan.app_directory,
            self.environment,
            connect,
            workers=plan.workers,
            log=self._on_log,
            timers=plan.timers,
        )


def _dead_letter_name(topic: str, now: datetime) -> str:
    """The name of a blob of dead letters: the subscription in capitals, then the hour (UTC) without leading zeros.

    Source: learn.microsoft.com/azure/event-grid/manage-event-delivery, read 2026-11-24. Its example has no topic in
    front; nothing may depend on more than that the names end so.
    """
    return f"{topic.upper()}/AIRLOCK/{now.year}/{now.month}/{now.day}/{now.hour}/{uuid4()}.json"


def _of_app(faults: Faults) -> Middleware:
    """The faults of the queue service, for what the app itself asks of it.

    The host's poller asks the same service on its own account, all the time: it would use the faults up, and Azure
    watches over the host, so that an app need not prove itself against a host that cannot read its queue.
    """
    misbehave = faults.middleware("queues")

    @web.middleware
    async def misbehave_to_app(request: web.Request, handler: Handler) -> web.StreamResponse:
        claims = claims_of(bearer_of(request) or "")
        return await (misbehave(request, handler) if claims.get("oid") == APP.object_id else handler(request))

    return misbehave_to_app


async def _serve(run: AsyncExitStack, app: web.Application, tls: ssl.SSLContext | None) -> str:
    """Serves the application until the stack is left, and answers its address."""
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=_SHUTDOWN_SECONDS)
    await runner.setup()
    run.push_async_callback(runner.cleanup)
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls)
    await site.start()
    port: int = runner.addresses[0][1]
    return f"{'https' if tls else 'http'}://127.0.0.1:{port}"
