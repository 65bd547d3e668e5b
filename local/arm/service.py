"""The simulated Azure Resource Manager: one aiohttp application over an estate."""

import asyncio
import json
import re
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from uuid import UUID

from aiohttp import web
from aiohttp.typedefs import Handler

from local.arm import deployments, front, graph, tags
from local.arm.body import Body
from local.arm.estate import Estate
from local.arm.events import Announcer, Happening
from local.arm.exchange import Answer, Call, Caller
from local.arm.keys import KeyRing
from local.arm.locks import refuse_locked
from local.arm.operations import Operations
from local.arm.providers import provider_of
from local.arm.reads import Reader
from local.arm.refusal import RefusedError, bad_request, missing
from local.arm.resource_id import SUBSCRIPTION
from local.arm.throttle import Throttle
from local.arm.world import World
from local.arm.writes import Writer, current, has_group
from local.faults import Faults, repeatable

SUBSCRIPTIONS = "/subscriptions"
MAX_BODY_BYTES = 4 * 1024 * 1024
# An action of search services that has the key itself in its path.
_SECRET_STEP = re.compile(r"(/deleteQueryKey/).*", re.IGNORECASE)
# A timer of the event loop may fire a little before the wall clock agrees.
_SLACK_SECONDS = 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmConfig:
    """How this Azure behaves. Times are seconds.

    `operation_seconds` is how long an accepted write takes, `settle_seconds` how long resources that stand in the
    estate in the middle of an update still take, `latency_seconds` what every request waits first. `throttled`
    switches the token buckets on. `cloud_events` chooses CloudEvents 1.0. `seed` makes ids and keys. `page_size`
    is the page of a collection (None: all of it), `graph_page_size` that of Resource Graph.
    """

    operation_seconds: float = 0.3
    settle_seconds: float = 2.0
    latency_seconds: float = 0.0
    throttled: bool = False
    cloud_events: bool = False
    seed: int = 0
    page_size: int | None = None
    graph_page_size: int = graph.PAGE_SIZE


@dataclass(frozen=True, slots=True)
class ArmRequest:
    """One line of the journal. No query, header or body is kept, so no secret is. Status 0: no answer was sent."""

    method: str
    path: str
    api_version: str
    status: int
    time: float


class ArmService:
    """Serves `estate` as Azure Resource Manager would.

    `clock` gives epoch seconds. `on_event` is awaited with the event of each write, delete and action once its
    outcome is known; it should hand the event on, not deliver it. `requests` is the journal.
    """

    def __init__(
        self,
        estate: Estate,
        clock: Callable[[], float],
        faults: Faults,
        on_event: Callable[[Body], Awaitable[None]],
        config: ArmConfig | None = None,
    ) -> None:
        config = config or ArmConfig()
        self.estate = estate
        self.requests: list[ArmRequest] = []
        self._config = config
        self._clock = clock
        self._faults = faults
        self._ids = repeatable("requests", config.seed)
        self._announcer = Announcer(config.seed, clock, on_event, cloud_events=config.cloud_events)
        self._throttle = Throttle(clock, on=config.throttled)
        self._keys = KeyRing(estate, config.seed, clock)
        operations = Operations(estate)
        operations.adopt(clock(), clock() + config.settle_seconds)
        world = World(estate, operations, faults, clock)
        self._writer = Writer(world, config.operation_seconds, config.seed)
        self._reader = Reader(world, config.page_size)
        self._waiting: set[asyncio.Task[None]] = set()

    def application(self) -> web.Application:
        """The server. To be served over TLS: SDKs send their token over nothing else."""
        app = web.Application(
            client_max_size=MAX_BODY_BYTES,
            middlewares=[self._journal, self._faults.middleware("arm")],
        )
        app.router.add_route("*", "/{path:.*}", self._handle)
        app.cleanup_ctx.append(self._run)
        return app

    @property
    def regenerations(self) -> Counter[tuple[str, str]]:
        """How often each key was regenerated, by the account's id in lower case and the slot, such as "key1"."""
        return self._keys.regenerations

    def key_of(self, resource_id: str, slot: str) -> str:
        """The key that is in force in a slot, such as "Key1" or "primary". Raises ValueError where there is none."""
        return self._keys.key_of(resource_id, slot)

    async def settle(self) -> None:
        """End the operations that are due and raise their events.

        Every request does this first, so it is needed only where nobody asks and time is not the real one.
        """
        for operation in self._writer.settle():
            if operation.happening is not None:
                await self._announcer.announce(operation.happening, succeeded=operation.failure is None)

    @web.middleware
    async def _journal(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        await asyncio.sleep(self._config.latency_seconds)
        answer = await handler(request)
        sent = request.transport is not None and not request.transport.is_closing()
        self.requests.append(
            ArmRequest(
                method=request.method,
                path=_SECRET_STEP.sub(r"\1-", request.path),
                api_version=request.query.get("api-version", ""),
                status=answer.status if sent else 0,
                time=self._clock(),
            )
        )
        return answer

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        await self.settle()
        correlation = request.headers.get("x-ms-correlation-request-id") or self._new_id()
        headers = {"x-ms-request-id": self._new_id(), "x-ms-correlation-request-id": correlation}
        try:
            answer = await self._answer(request, correlation, headers)
        except RefusedError as refusal:
            answer = Answer(refusal.status, refusal.body, refusal.headers)
        except RecursionError:
            answer = Answer(400, bad_request("The request content is nested too deeply.").body)
        return _response(answer, headers)

    async def _answer(self, request: web.Request, correlation: str, headers: dict[str, str]) -> Answer:
        claims = front.refuse_stranger(request, front.AUDIENCES, self._clock())
        version = front.api_version_of(request)
        caller = Caller(
            claims=claims,
            address=str(claims.get("ipaddr") or request.remote or ""),
            correlation_id=correlation,
            client_request_id=request.headers.get("x-ms-client-request-id"),
        )
        if request.path.lower().rstrip("/") == graph.PATH:
            return Answer(200, graph.answer(self.estate, await front.read_body(request), self._config.graph_page_size))
        if (request.method, request.path.lower().rstrip("/")) == ("GET", SUBSCRIPTIONS):
            return self._reader.subscriptions(caller, str(request.url.origin()), request.query)
        action = ""
        if request.method == "POST":
            address, action = front.action_of(request.path)
        else:
            address = front.address_of(request.path)
        headers |= self._throttle.draw(address.subscription, caller.principal, request.method)
        if not self.estate.has_subscription(address.subscription):
            raise RefusedError(404, "SubscriptionNotFound", f"No subscription '{address.subscription}' was found.")
        call = front.call_of(request, address, version, caller, await front.read_body(request))
        return await self._dispatch(call, action)

    async def _dispatch(self, call: Call, action: str) -> Answer:
        address, writer = call.address, self._writer
        carrier = tags.carrier(address)
        writable = address.name is not None and address.type != SUBSCRIPTION and carrier is None
        patchable = provider_of(address.type).patchable != frozenset()
        match call.method:
            case "GET":
                return self._reader.get(call)
            case "HEAD":
                return Answer(204 if self._reader.get(call).status == 200 else 404)
            case "PATCH" if carrier is not None:
                return await self._announced(call, "write", lambda call, _: writer.retag(call, carrier))
            case "PUT" | "PATCH" if writable and (patchable or call.method == "PUT"):
                return await self._announced(call, "write", writer.write)
            case "DELETE" if writable:
                return await self._announced(call, "delete", writer.delete)
            case "POST":
                verb = f"{action.partition('/')[0]}/action"
                return await self._announced(call, verb, lambda call, _: self._act(call, action))
            case _:
                raise RefusedError(405, "MethodNotAllowed", f"{call.method} is not served here.")

    async def _announced(self, call: Call, verb: str, perform: Callable[[Call, Happening], Answer]) -> Answer:
        """Perform a call and raise its event, unless an operation has yet to tell how it ends."""
        existed = current(self.estate, tags.carrier(call.address) or call.address) is not None
        happening = Happening(call.address, verb, call.method, call.path_and_query, call.caller, existed)
        try:
            answer = perform(call, happening)
        except RefusedError:
            await self._announcer.announce(happening, succeeded=False)
            raise
        if answer.pending:
            self._wake_later()
        elif answer.status != 204:
            await self._announcer.announce(happening, succeeded=True)
        return answer

    def _act(self, call: Call, action: str) -> Answer:
        if call.address.type.lower() == deployments.TYPE:
            return self._writer.act(call, lambda body: deployments.switched(body, action, call.api_version))
        account = self.estate.find(call.address.path)
        if account is None:
            raise missing(call.address, group_exists=has_group(self.estate, call.address))
        refuse_locked(self.estate, call.address, call.method)
        return Answer(200, self._keys.act(call.address.type, account, action, call.body))

    def _wake_later(self, seconds: float | None = None) -> None:
        delay = self._config.operation_seconds if seconds is None else seconds
        task = asyncio.create_task(self._wake(delay))
        self._waiting.add(task)
        task.add_done_callback(self._waiting.discard)

    async def _wake(self, delay: float) -> None:
        await asyncio.sleep(delay + _SLACK_SECONDS)
        await self.settle()

    async def _run(self, app: web.Application) -> AsyncIterator[None]:
        del app
        self._wake_later(self._config.settle_seconds)
        yield
        for task in tuple(self._waiting):
            task.cancel()
        await asyncio.gather(*self._waiting, return_exceptions=True)

    def _new_id(self) -> str:
        return str(UUID(int=self._ids.getrandbits(128), version=4))


def _response(answer: Answer, headers: dict[str, str]) -> web.Response:
    body = b"" if answer.body is None else json.dumps(answer.body).encode()
    kind = None if answer.body is None else "application/json"
    return web.Response(body=body, status=answer.status, headers=headers | dict(answer.headers), content_type=kind)
