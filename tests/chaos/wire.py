"""Faults and crashes at one chosen request: the n-th of a service whose path or body contains something."""

import asyncio
import base64
import re
from binascii import Error as NotBase64
from collections import Counter
from collections.abc import Iterable
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import override
from urllib.parse import unquote

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from local.faults import Chaos, Fault, FaultKind, Faults, inflict

# A row of the ledger that holds an entry, and one that holds a record which waits to be sent.
_ENTRY = re.compile(r'"(r\|[0-9a-f]{32})"')
_WAITING = re.compile(r"[on]\|[^|'\"]*\|([0-9a-f]{32})")
_MESSAGE = re.compile(rb"<MessageText>([^<]*)</MessageText>")
_OPERATION = "Azure-AsyncOperation"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Some requests of a service: those with that method that contain all of `texts` and none of `without`.

    Path, query and body are compared without case and unescaped, queue messages without their Base64. What names no
    resource itself is taken to name those that it is known to be about: an operation the resource that was written, a
    row of the ledger the entry that it was written with. The first `skip` requests pass; those that come before one
    of `behind` do not count.
    """

    service: str
    method: str = "*"
    texts: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    skip: int = 0
    behind: "Place | None" = None

    def holds(self, service: str, method: str, text: str) -> bool:
        """Whether the request is one of them, wherever it stands in the row."""
        return (
            self.service == service
            and self.method in {"*", method}
            and all(part.lower() in text for part in self.texts)
            and not any(part.lower() in text for part in self.without)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Strike:
    """What happens at a place, so many `times` in a row: a fault; without one the request hangs until it is released.

    A request that hangs is never answered; `carried_out` says whether it has its effect before. `name` is what
    `Wire.fired` and `Wire.hung` know it by.
    """

    name: str
    place: Place
    fault: Fault | None = None
    carried_out: bool = False
    times: int = 1


@dataclass(slots=True)
class _Armed:
    strike: Strike
    met: int = 0
    ready: bool = False

    def hits(self, service: str, method: str, text: str) -> bool:
        place = self.strike.place
        if place.behind is not None and not self.ready:
            self.ready = place.behind.holds(service, method, text)
            return False
        if not place.holds(service, method, text):
            return False
        self.met += 1
        return place.skip < self.met <= place.skip + self.strike.times


@dataclass(slots=True)
class _Owners:
    """What requests are about that do not say so themselves: an entry's row or a resource's path, by what they name."""

    known: dict[str, str] = field(default_factory=dict)

    def learn_rows(self, text: str) -> None:
        """Remembers which entry the rows of a transaction belong to."""
        entries = _ENTRY.findall(text)
        if len(set(entries)) == 1:
            self.known |= dict.fromkeys(_WAITING.findall(text), entries[0])

    def learn_operation(self, request: web.Request, answer: web.StreamResponse) -> None:
        """Remembers which resource an operation writes."""
        if address := answer.headers.get(_OPERATION):
            self.known[address.partition("?")[0].rpartition("/")[2].lower()] = request.path.lower()

    def of(self, service: str, text: str) -> str:
        """The owners of what the request names, one a line."""
        if service == "tables" and not _ENTRY.search(text):
            names = set(_WAITING.findall(text))
        elif service == "arm" and "/operation" in text:
            names = {text.partition("?")[0].rpartition("/")[2]}
        else:
            return ""
        return "\n".join(sorted({self.known[name] for name in names if name in self.known}))


_STALE: ContextVar[Strike | None] = ContextVar("_STALE", default=None)


class Wire(Faults):
    """Faults that strikes may be added to. `fired` counts by name how often each came to be, `hung` names the requests
    that hang now."""

    def __init__(self, faults: Iterable[Fault] = (), chaos: Chaos | None = None) -> None:
        super().__init__(faults, chaos)
        self.fired: Counter[str] = Counter()
        self.hung: set[str] = set()
        self._armed: list[_Armed] = []
        self._owners = _Owners()
        self._released = asyncio.Event()

    def arm(self, *strikes: Strike) -> None:
        """Puts strikes in force; of several that meet one request the first one hits it."""
        self._armed += map(_Armed, strikes)

    def go_wild(self, chaos: Chaos) -> None:
        """Strikes at random from now on."""
        self._chaos = chaos

    def release(self) -> None:
        """Ends what hangs. The requests that were not carried out never are."""
        self._released.set()
        self._released = asyncio.Event()
        self.hung.clear()

    @override
    def clear(self) -> None:
        """Lets everything pass from now on, except what hangs."""
        super().clear()
        self._armed.clear()

    @override
    def take(self, kind: FaultKind, service: str, method: str, path: str) -> Fault | None:
        """As before, and the stale reads of strikes."""
        strike = _STALE.get()
        if kind == "stale" and strike is not None and strike.fault is not None:
            self.fired[strike.name] += 1
            return self.count(strike.fault, service)
        return super().take(kind, service, method, path)

    @override
    def middleware(self, service: str) -> Middleware:
        """What puts strikes, then faults, between the service's handlers and its clients."""

        @web.middleware
        async def misbehave(request: web.Request, handler: Handler) -> web.StreamResponse:
            text = await _text(service, request)
            if service == "tables":
                self._owners.learn_rows(text)
            strike = self._strike(service, request.method, f"{text}\n{self._owners.of(service, text)}")
            answer = await self._answer(service, strike, request, handler)
            if service == "arm":
                self._owners.learn_operation(request, answer)
            return answer

        return misbehave

    def _strike(self, service: str, method: str, text: str) -> Strike | None:
        # Every strike counts the requests at its place, also those that another one hits.
        hits = [armed.strike for armed in self._armed if armed.hits(service, method, text)]
        return hits[0] if hits else None

    async def _answer(
        self, service: str, strike: Strike | None, request: web.Request, handler: Handler
    ) -> web.StreamResponse:
        if strike is None:
            fault = self.on_wire(service, request)
            return await handler(request) if fault is None else await inflict(fault, request, handler)
        if strike.fault is None:
            return await self._hang(strike, request, handler)
        if strike.fault.kind == "stale":
            return await _stale(strike, request, handler)
        self.fired[strike.name] += 1
        return await inflict(self.count(strike.fault, service), request, handler)

    async def _hang(self, strike: Strike, request: web.Request, handler: Handler) -> web.StreamResponse:
        released = self._released
        if strike.carried_out:
            await handler(request)
        self.hung.add(strike.name)
        self.fired[strike.name] += 1
        await released.wait()
        if request.transport is not None:
            request.transport.abort()
        return web.Response(status=500)


async def _stale(strike: Strike, request: web.Request, handler: Handler) -> web.StreamResponse:
    """Asks the service for its earlier state; whether it has one, `take` hears."""
    token = _STALE.set(strike)
    try:
        return await handler(request)
    finally:
        _STALE.reset(token)


async def _text(service: str, request: web.Request) -> str:
    body = await request.read()
    if service == "queues" and (message := _MESSAGE.search(body)):
        try:
            body = base64.b64decode(message[1], validate=True)
        except NotBase64:
            body = message[1]
    shown = body.decode(errors="replace")
    return f"{unquote(request.path_qs)}\n{unquote(shown) if service == 'tables' else shown}".lower()
