"""Misbehaviour on demand: what a distant service does on a bad day, repeatably.

A fault of the wire (status, reset, truncate, hang) is done here, as an aiohttp middleware. A fault of the service
(stale, fail_operation, refuse_property) is asked for by the service at the moment it could happen.
"""

import asyncio
import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from random import Random
from types import MappingProxyType
from typing import Literal, Self

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

type FaultKind = Literal["status", "reset", "truncate", "hang", "stale", "fail_operation", "refuse_property"]

WIRE: tuple[FaultKind, ...] = ("status", "reset", "truncate", "hang")
MOST_IN_A_ROW = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One rule of misbehaviour: which requests it meets, how often, and what happens to them.

    `service` is "arm", "logs", "vault", "topic", "alerts", "tables", "queues" or "blobs"; "*" means any, as it does for
    `method`.
    `path_contains` compares without case. The first `skip` matching requests pass, the next `times` are hit; None
    means all of them.

    status           answers `status`, `code`, `headers`; with `after_effect` the request is carried out first
    reset            closes the connection without an answer; `after_effect` as above. An aiohttp client, and so an
                     async Azure SDK, silently sends GET, PUT and DELETE once more: they see only a second reset
    truncate         carries the request out and cuts the answer's body in half
    hang             waits `seconds` before carrying the request out; with `after_effect` before answering
    stale            a GET answers the state before the last write; reads before any write do not count
    fail_operation   the write is accepted and its operation ends Failed with `code`
    refuse_property  a write that names the dotted path `property` is refused with `status` and `code`
    """

    kind: FaultKind = "status"
    service: str = "*"
    method: str = "*"
    path_contains: str = ""
    times: int | None = 1
    skip: int = 0
    status: int = 500
    code: str = "InternalServerError"
    message: str = "A fault was asked for."
    headers: Mapping[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    property: str = ""
    after_effect: bool = False

    def meets(self, service: str, method: str, path: str) -> bool:
        """Whether the rule is about this request."""
        return (
            self.service in {"*", service}
            and self.method in {"*", method}
            and self.path_contains.lower() in path.lower()
        )


def label(fault: Fault) -> str:
    """What happens, in a few words: `429, Retry-After 1`, `reset after the effect`."""
    told = str(fault.status) if fault.kind == "status" else fault.kind.replace("_", " ")
    told += "".join(f", {name} {value}" for name, value in fault.headers.items())
    return f"{told} after the effect" if fault.after_effect else told


@dataclass(frozen=True, slots=True)
class Chaos:
    """Random faults: `intensity` is the chance, 0 to 1, that a request is hit. With `stale` reads may be behind too."""

    seed: int
    intensity: float
    stale: bool = True


class Faults:
    """The faults that are in force. `done` counts those that were met by kind, `injected` by service and label."""

    def __init__(self, faults: Iterable[Fault] = (), chaos: Chaos | None = None) -> None:
        self._faults = list(faults)
        self._met: Counter[int] = Counter()
        self._chaos = chaos
        self._rolled: Counter[tuple[str, ...]] = Counter()
        self._in_a_row: Counter[tuple[str, ...]] = Counter()
        self.done: Counter[FaultKind] = Counter()
        self.injected: Counter[tuple[str, str]] = Counter()

    @classmethod
    def chaos(cls, seed: int, intensity: float) -> Self:
        """Random faults that are the same for the same seed and the same requests of each path.

        At most three requests in a row on one path are hit, so a client that tries four times gets through.
        """
        return cls(chaos=Chaos(seed, intensity))

    def add(self, fault: Fault) -> None:
        """Put one more rule in force; rules are tried in the order they came."""
        self._faults.append(fault)

    def rage(self, chaos: Chaos) -> None:
        """Strike at random from now on, as if nothing had been asked for before."""
        self._chaos = chaos
        self._rolled.clear()
        self._in_a_row.clear()

    def clear(self) -> None:
        """Let everything pass from now on, chaos included."""
        self._faults.clear()
        self._met.clear()
        self._chaos = None

    def take(self, kind: FaultKind, service: str, method: str, path: str) -> Fault | None:
        """The fault of this kind that hits the request now, counted as used; None when none does."""
        fault = self._ruled((kind,), service, method, path)
        if fault is None and kind == "stale" and self._strikes("stale", service, method, path):
            return self.count(Fault(kind="stale"), service)
        return fault

    def count(self, fault: Fault, service: str) -> Fault:
        """The fault, counted as one that hit a request of the service."""
        self.done[fault.kind] += 1
        self.injected[service, label(fault)] += 1
        return fault

    def refusal(self, service: str, method: str, path: str, body: object) -> Fault | None:
        """The refusal of a property that `body` names, null included; None when all of it may be written."""
        for index, fault in enumerate(self._faults):
            named = fault.kind == "refuse_property" and _names(body, fault.property)
            if named and fault.meets(service, method, path) and self._use(index):
                return self.count(fault, service)
        return None

    def middleware(self, service: str) -> Middleware:
        """What puts the faults of the wire between the service's handlers and its clients."""

        @web.middleware
        async def misbehave(request: web.Request, handler: Handler) -> web.StreamResponse:
            fault = self.on_wire(service, request)
            return await handler(request) if fault is None else await inflict(fault, request, handler)

        return misbehave

    def on_wire(self, service: str, request: web.Request) -> Fault | None:
        """The fault of the wire that hits the request now, counted as used; None when none does."""
        fault = self._ruled(WIRE, service, request.method, request.path)
        if fault is None and (dice := self._strikes("wire", service, request.method, request.path)):
            return self.count(dice.choice(chaos_of(service)), service)
        return fault

    def _ruled(self, kinds: Iterable[FaultKind], service: str, method: str, path: str) -> Fault | None:
        for index, fault in enumerate(self._faults):
            if fault.kind in kinds and fault.meets(service, method, path) and self._use(index):
                return self.count(fault, service)
        return None

    def _use(self, index: int) -> bool:
        fault = self._faults[index]
        self._met[index] += 1
        return self._met[index] > fault.skip and (fault.times is None or self._met[index] <= fault.skip + fault.times)

    def _strikes(self, what: str, service: str, method: str, path: str) -> Random | None:
        """Dice for what happens when chaos strikes this request; None when it is spared."""
        if self._chaos is None or (what == "stale" and not self._chaos.stale):
            return None
        roll = (what, service, method, path.lower())
        self._rolled[roll] += 1
        dice = repeatable(self._chaos.seed, *roll, self._rolled[roll])
        line = (what, service, path.lower())
        struck = dice.random() < self._chaos.intensity and self._in_a_row[line] < MOST_IN_A_ROW
        self._in_a_row[line] = self._in_a_row[line] + 1 if struck else 0
        return dice if struck else None


CHAOS: tuple[Fault, ...] = (
    Fault(status=408, code="RequestTimeout"),
    Fault(status=409, code="RequestConflict"),
    Fault(status=429, code="TooManyRequests", headers={"Retry-After": "1"}),
    Fault(status=429, code="TooManyRequests"),
    Fault(status=500, code="InternalServerError"),
    Fault(status=500, code="InternalServerError", after_effect=True),
    Fault(status=502, code="BadGateway"),
    Fault(status=503, code="ServiceUnavailable"),
    Fault(status=504, code="GatewayTimeout", after_effect=True),
    Fault(kind="reset"),
    Fault(kind="reset", after_effect=True),
    Fault(kind="truncate"),
    Fault(kind="hang", seconds=0.5),
)
# What only some services answer, beside the rest.
_OWN_CHAOS = MappingProxyType(
    {
        "arm": (Fault(status=412, code="PreconditionFailed"),),
        "tables": (Fault(status=412, code="UpdateConditionNotSatisfied"),),
        "logs": (Fault(status=403, code="OperationFailed"), Fault(status=413, code="ContentLengthLimitExceeded")),
    }
)


def chaos_of(service: str) -> tuple[Fault, ...]:
    """What a bad day of the service is made of."""
    return CHAOS + _OWN_CHAOS.get(service, ())


def repeatable(*seed: object) -> Random:
    """A generator whose numbers depend on nothing but `seed`."""
    return Random("|".join(map(str, seed)))  # noqa: S311 (a rehearsal must be repeatable; nothing here is secret)


async def inflict(fault: Fault, request: web.Request, handler: Handler) -> web.StreamResponse:
    """The answer to a request that a fault of the wire hits; `handler` carries it out."""
    if fault.kind == "hang":
        early = await handler(request) if fault.after_effect else None
        await asyncio.sleep(fault.seconds)
        return early or await handler(request)
    carried_out = fault.after_effect or fault.kind == "truncate"
    answer = await handler(request) if carried_out else None
    return await _spoil(fault, request, answer)


async def _spoil(fault: Fault, request: web.Request, answer: web.StreamResponse | None) -> web.StreamResponse:
    if fault.kind == "status":
        error = {"error": {"code": fault.code, "message": fault.message}}
        return web.Response(
            body=json.dumps(error).encode(),
            status=fault.status,
            headers=dict(fault.headers),
            content_type="application/json",
        )
    body = answer.body if isinstance(answer, web.Response) else None
    if fault.kind == "truncate" and answer is not None and isinstance(body, bytes) and len(body) > 1:
        await _send_half(request, answer, body)
    elif request.transport is not None:
        request.transport.abort()
    # The connection is gone; aiohttp still wants an answer, and drops it.
    return web.Response(status=500)


async def _send_half(request: web.Request, answer: web.StreamResponse, body: bytes) -> None:
    half = web.StreamResponse(status=answer.status, headers=answer.headers)
    half.content_length = len(body)
    await half.prepare(request)
    await half.write(body[: len(body) // 2])
    if request.transport is not None:
        request.transport.close()


def _names(body: object, path: str) -> bool:
    for step in path.split("."):
        if not isinstance(body, dict) or step not in body:
            return False
        body = body[step]
    return True
