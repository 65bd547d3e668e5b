"""The webhook of the Event Grid trigger.

After HttpRequestProcessor.cs and EventGridExtensionConfigProvider.cs of Microsoft.Azure.WebJobs.Extensions.EventGrid
(Azure/azure-sdk-for-net at 26c9e5f and 12b09e2, read 2026-11-23). Added to it: the OPTIONS handshake of CloudEvents
(https://learn.microsoft.com/azure/event-grid/end-point-validation-cloud-events-schema), and 400 where the extension
would fail on a body that is not JSON.
"""

import asyncio
import json
from collections.abc import Iterable
from typing import Any

from aiohttp import web

from local.host.function import EventGridTrigger, FunctionDefinition
from local.host.invocations import Invocations
from local.host.wire import Datum


class EventGridWebhook:
    """Answers Event Grid for every function that it triggers."""

    def __init__(self, functions: Iterable[FunctionDefinition], invocations: Invocations) -> None:
        self._functions = {f.name: f for f in functions if isinstance(f.trigger, EventGridTrigger)}
        self._invocations = invocations

    async def answer(self, request: web.Request) -> web.Response:
        """Answer one request whose key is right."""
        name = request.query.get("functionName", "")
        function = self._functions.get(name)
        if function is None:
            return web.Response(status=404, text=f"cannot find function: '{name}'")
        if request.method == "OPTIONS":
            return _abuse_protection(request)
        kind = request.headers.get("aeg-event-type", "").lower()
        if kind == "unsubscribe":
            return web.Response(status=202)
        try:
            message = _parse(kind, await request.read())
        except (ValueError, TypeError, LookupError):
            return web.Response(status=400, text="aeg-event-type is missing, or the body is not what it says")
        if isinstance(message, str):
            return web.json_response({"validationResponse": message})
        return await self._notify(function, message)

    async def _notify(self, function: FunctionDefinition, events: list[Any]) -> web.Response:
        runs = (self._invocations.run(function, Datum("json", json.dumps(event))) for event in events)
        failures = [answer.failure for answer in await asyncio.gather(*runs) if answer.failure is not None]
        if failures:
            return web.Response(status=500, text=failures[0].message)
        return web.Response(status=202)


def _abuse_protection(request: web.Request) -> web.Response:
    origin = request.headers.get("WebHook-Request-Origin")
    if origin is None:
        return web.Response(status=400)
    return web.Response(headers={"WebHook-Allowed-Origin": origin, "WebHook-Allowed-Rate": "*"})


def _parse(kind: str, body: bytes) -> str | list[Any]:
    """The code of a handshake or the events of a notification. Raises ValueError, TypeError or LookupError."""
    match kind:
        case "subscriptionvalidation":
            return _validation_code(json.loads(body))
        case "notification":
            message = json.loads(body)
            events = message if isinstance(message, list) else [message]
            if not all(isinstance(event, dict) for event in events):
                raise TypeError("an event is an object")
            return events
        case _:
            raise ValueError(f"{kind!r} is not an event type of the webhook")


def _validation_code(message: Any) -> str:  # noqa: ANN401 -- a body is any JSON until it is looked at
    """An EventGridEvent comes in an array; a CloudEvent alone, its data a JSON text of its own."""
    data = message[0]["data"] if isinstance(message, list) else message["data"]
    if isinstance(data, str):
        data = json.loads(data)
    return str(data["validationCode"])
