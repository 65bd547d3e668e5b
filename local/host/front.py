"""What listens: the webhooks and the HTTP functions, as behind Azure's front end."""

import socket
from collections.abc import Iterable, Mapping

from aiohttp import web

from local.host.activity import Activity
from local.host.error import HostError
from local.host.eventgrid import EventGridWebhook
from local.host.function import FunctionDefinition
from local.host.invocations import Invocations
from local.host.keys import Keys
from local.host.routes import Route, routes
from local.host.wire import Cookie, Datum, HttpCall, HttpReply

# Bytes of a request body: the limit of Azure Functions.
# https://learn.microsoft.com/azure/azure-functions/functions-bindings-http-webhook-trigger#limits (read 2026-11-23)
_LARGEST_BODY = 100 * 1024 * 1024
# Seconds to wait for open requests at the very end: whoever stops the host has already waited for them.
_SHUTDOWN = 0.1
_FRAMING = {"content-length", "transfer-encoding", "connection"}


class Front:
    """Serves plain HTTP on 127.0.0.1, on a port of the system's choice."""

    def __init__(
        self, functions: Iterable[FunctionDefinition], invocations: Invocations, keys: Keys, prefix: str
    ) -> None:
        functions = tuple(functions)
        self._routes = routes(functions)
        self._event_grid = EventGridWebhook(functions, invocations)
        self._invocations = invocations
        self._keys = keys
        self._prefix = f"/{prefix}" if prefix else ""
        self._runner = web.AppRunner(self._application(), access_log=None, shutdown_timeout=_SHUTDOWN)
        self.url = ""

    async def open(self) -> None:
        """Begin to listen."""
        listening = socket.socket()
        listening.bind(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        await self._runner.setup()
        await web.SockSite(self._runner, listening).start()

    async def close(self) -> None:
        """Take no new connection; open requests go on."""
        for site in tuple(self._runner.sites):
            await site.stop()

    async def finish(self) -> None:
        """End what is still open."""
        await self._runner.cleanup()

    @property
    def _activity(self) -> Activity:
        return self._invocations.activity

    def _application(self) -> web.Application:
        application = web.Application(client_max_size=_LARGEST_BODY)
        application.router.add_route("*", "/runtime/webhooks/{extension}", self._webhook)
        application.router.add_route("*", "/{path:.*}", self._call)
        return application

    async def _webhook(self, request: web.Request) -> web.Response:
        if request.match_info["extension"].lower() != "eventgrid":
            return web.Response(status=404)
        if not self._keys.admit(request, "system"):
            return web.Response(status=401)
        return await self._guarded(request, None)

    async def _call(self, request: web.Request) -> web.Response:
        path = request.rel_url.raw_path
        if not path.lower().startswith(f"{self._prefix}/".lower()):
            return web.Response(status=404)
        local = path[len(self._prefix) :].rstrip("/")
        for route in self._routes:
            params = route.match(request.method, local)
            if params is not None:
                if not self._keys.admit(request, route.trigger.auth_level):
                    return web.Response(status=401)
                return await self._guarded(request, (route, params))
        return web.Response(status=404)

    async def _guarded(self, request: web.Request, call: tuple[Route, Mapping[str, str]] | None) -> web.Response:
        with self._activity.one():
            try:
                if call is None:
                    return await self._event_grid.answer(request)
                return await self._function(request, *call)
            except HostError:
                # No worker starts any more; `wait_idle` tells why.
                return web.Response(status=503)

    async def _function(self, request: web.Request, route: Route, params: Mapping[str, str]) -> web.Response:
        call = HttpCall(
            method=request.method,
            url=str(request.url),
            headers={name.lower(): ",".join(request.headers.getall(name)) for name in request.headers},
            query={name: ",".join(request.query.getall(name)) for name in request.query},
            params=params,
            body=await request.read(),
        )
        answer = await self._invocations.run(route.function, Datum("http", call))
        if answer.failure is not None:
            return web.Response(status=500)
        returned = answer.outputs.get(route.function.http_output or "")
        if returned is None:
            return web.Response(status=204)
        if isinstance(returned.value, HttpReply):
            return _response(returned.value)
        return web.Response(body=returned.to_bytes(), content_type="text/plain", charset="utf-8")


def _response(reply: HttpReply) -> web.Response:
    headers = {name: value for name, value in reply.headers.items() if name.lower() not in _FRAMING}
    response = web.Response(status=reply.status, headers=headers, body=reply.body)
    for cookie in reply.cookies:
        _set(response, cookie)
    return response


def _set(response: web.Response, cookie: Cookie) -> None:
    response.set_cookie(
        cookie.name,
        cookie.value,
        domain=cookie.domain or None,
        path=cookie.path or "/",
        expires=None if cookie.expires is None else f"{cookie.expires:%a, %d %b %Y %H:%M:%S} GMT",
        max_age=None if cookie.max_age is None else int(cookie.max_age),
        secure=cookie.secure,
        httponly=cookie.http_only,
        samesite=cookie.same_site,
    )
