"""A local Azure Resource Manager on a port of its own, and clients for it."""

import asyncio
import json
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from ssl import SSLContext
from typing import Any, Self, TypedDict, Unpack

from aiohttp import ClientSession, TCPConnector, web
from azure.core.credentials import AccessToken
from multidict import CIMultiDictProxy

from local.arm import ArmConfig, ArmService, Estate
from local.certificate import Certificate
from local.faults import Faults
from local.identity import Principal, issue_token

SUBSCRIPTION = "11111111-2222-3333-4444-555555555555"
TENANT = "99999999-8888-7777-6666-555555555555"
GROUP = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg-ai"
ACCOUNT = f"{GROUP}/providers/Microsoft.CognitiveServices/accounts/aoai"
SEARCH = f"{GROUP}/providers/Microsoft.Search/searchServices/find"
STORAGE = f"{GROUP}/providers/Microsoft.Storage/storageAccounts/stai"
VAULT = f"{GROUP}/providers/Microsoft.KeyVault/vaults/kv"
WORKSPACE = f"{GROUP}/providers/Microsoft.MachineLearningServices/workspaces/ml"
ARM = "https://management.azure.com"
DEV = Principal(
    "aaaaaaaa-0000-0000-0000-000000000001",
    "04b07795-8ddb-461a-bbee-02f9e1bf7b46",
    TENANT,
    "Dev",
    "dev@contoso.com",
    "203.0.113.7",
)
OURS = Principal("bbbbbbbb-0000-0000-0000-0000000000bb", "bbbbbbbb-0000-0000-0000-0000000000aa", TENANT)

type Body = dict[str, Any]


def resource(resource_id: str, properties: Body | None = None, **more: object) -> Body:
    """An ARM body as it stands in an estate."""
    provider, *steps = resource_id.rpartition("/providers/")[2].split("/")
    return {
        "id": resource_id,
        "name": steps[-1],
        "type": "/".join([provider, *steps[::2]]),
        "location": "westeurope",
        "properties": properties if properties is not None else {},
        **more,
    }


def account(**properties: object) -> Body:
    """An Azure OpenAI account that is at rest."""
    known = {"provisioningState": "Succeeded", "customSubDomainName": "aoai", "publicNetworkAccess": "Enabled"}
    return resource(ACCOUNT, known | properties, kind="OpenAI", sku={"name": "S0"}, etag='"0001"')


class Config(TypedDict, total=False):
    """Fields of ArmConfig."""

    operation_seconds: float
    settle_seconds: float
    latency_seconds: float
    throttled: bool
    cloud_events: bool
    seed: int
    page_size: int
    graph_page_size: int


async def until(condition: Callable[[], bool | Awaitable[bool]]) -> None:
    """Wait, at most five seconds, until the condition holds."""
    for _ in range(500):
        held = condition()
        if held if isinstance(held, bool) else await held:
            return
        await asyncio.sleep(0.01)
    raise TimeoutError


@dataclass
class Clock:
    """Epoch seconds that pass only when told."""

    now: float = field(default_factory=time.time)

    def __call__(self) -> float:
        return self.now


class Token:
    """A credential for one principal, for whatever the scope asks."""

    def __init__(self, principal: Principal = OURS) -> None:
        self._principal = principal

    async def get_token(self, *scopes: str, **_options: object) -> AccessToken:
        resource_asked = scopes[0].removesuffix("/.default")
        return AccessToken(issue_token(self._principal, resource_asked, time.time()), int(time.time()) + 3600)

    async def close(self) -> None:
        """Nothing is held open."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_error: object) -> None:
        await self.close()


@dataclass(frozen=True)
class Reply:
    status: int
    body: Any
    headers: CIMultiDictProxy[str]

    @property
    def code(self) -> str:
        """The ARM error code."""
        return str(self.body["error"]["code"])


@dataclass(frozen=True)
class ArmWorld:
    """A served estate, the events it raised so far, and a plain client that speaks as a developer."""

    service: ArmService
    url: str
    ca_file: Path
    events: list[Body]
    session: ClientSession

    @property
    def sdk(self) -> dict[str, Any]:
        """Keyword arguments that point a management client here."""
        return {"base_url": self.url, "connection_verify": str(self.ca_file), "polling_interval": 1, "retry_total": 0}

    async def send(
        self, method: str, path: str, body: object = None, *, version: str | None = "2025-01-01", **headers: str
    ) -> Reply:
        """Send one request; `If_Match="x"` becomes a header."""
        query = {"api-version": version} if version else {}
        if "?" in path:
            query = {}
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        async with self.session.request(method, path, json=body, params=query, headers=named) as answer:
            text = await answer.read()
            return Reply(answer.status, json.loads(text) if text else None, answer.headers)

    async def properties(self, path: str) -> Body:
        """The properties of a resource as a GET shows them."""
        reply = await self.send("GET", path)
        return dict(reply.body["properties"])


@asynccontextmanager
async def serve(app: web.Application, tls: SSLContext | None = None) -> AsyncIterator[str]:
    """Serve an application on an ephemeral port; its address."""
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls).start()
        port = runner.addresses[0][1]
        yield f"{'https' if tls else 'http'}://127.0.0.1:{port}"
    finally:
        await runner.cleanup()


@asynccontextmanager
async def arm_world(
    bodies: Iterable[Body] = (),
    *,
    faults: Faults | None = None,
    clock: Callable[[], float] = time.time,
    **config: Unpack[Config],
) -> AsyncIterator[ArmWorld]:
    """Serve an estate of `bodies`; `config` are fields of ArmConfig."""
    events: list[Body] = []

    async def on_event(event: dict[str, object]) -> None:
        events.append(event)

    settings: Config = {"operation_seconds": 0.05, "settle_seconds": 0.05}
    settings.update(config)
    service = ArmService(Estate(bodies), clock, faults or Faults(), on_event, ArmConfig(**settings))
    async with AsyncExitStack() as stack:
        directory = stack.enter_context(tempfile.TemporaryDirectory())
        certificate = Certificate.issue(Path(directory))
        url = await stack.enter_async_context(serve(service.application(), certificate.server))
        headers = {"Authorization": f"Bearer {issue_token(DEV, ARM, time.time())}"}
        connector = TCPConnector(ssl=certificate.client)
        session = await stack.enter_async_context(ClientSession(url, headers=headers, connector=connector))
        yield ArmWorld(service, url, certificate.ca_file, events, session)
