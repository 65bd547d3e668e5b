"""An Event Grid custom topic: takes batches of events in either schema and hands each event on.

Sources: Event Grid data plane, api-version 2018-01-01; "Event Grid event schema"; CloudEvents 1.0 (reviewed 2026-11).
A real topic takes one schema, the one that it was made with.
"""

import json
from collections.abc import Awaitable, Callable

from aiohttp import web

from local.arm.body import Body
from local.arm.front import no_constant, refuse_stranger
from local.arm.refusal import RefusedError, bad_request
from local.faults import Faults

PATH = "/api/events"
API_VERSION = "2018-01-01"
AUDIENCES = frozenset({"https://eventgrid.azure.net"})
LIMIT_BYTES = 1024 * 1024
_CLOUD_BATCH, _CLOUD_EVENT = "application/cloudevents-batch+json", "application/cloudevents+json"
_CLOUD_NEEDS = ("id", "source", "specversion", "type")
_GRID_NEEDS = ("id", "subject", "eventType", "eventTime")


class Topic:
    """One topic, with Entra tokens only.

    `topic_id` is its ARM id, which it writes on events in the Event Grid schema. `service` is its name among the
    faults. `clock` gives epoch seconds. `events` are those that were taken; `on_event` is awaited with each of them
    before the publisher is answered.
    """

    def __init__(
        self,
        topic_id: str,
        clock: Callable[[], float],
        faults: Faults,
        on_event: Callable[[Body], Awaitable[None]] | None = None,
        service: str = "topic",
    ) -> None:
        self.events: list[Body] = []
        self._id = topic_id
        self._clock = clock
        self._faults = faults
        self._on_event = on_event
        self._service = service

    def application(self) -> web.Application:
        """The server, to be served over TLS; publishers are given https://127.0.0.1:<port>/api/events."""
        app = web.Application(client_max_size=LIMIT_BYTES, middlewares=[self._faults.middleware(self._service)])
        app.router.add_post(PATH, self._publish)
        return app

    async def _publish(self, request: web.Request) -> web.Response:
        try:
            refuse_stranger(request, AUDIENCES, self._clock())
            if request.query.get("api-version") != API_VERSION:
                raise bad_request(f"Ask with api-version={API_VERSION}.", "InvalidApiVersion")
            events = self._read(request.content_type, await _content(request))
        except RefusedError as refusal:
            content = json.dumps(refusal.body).encode()
            return web.Response(status=refusal.status, body=content, content_type="application/json")
        for event in events:
            self.events.append(event)
            if self._on_event is not None:
                await self._on_event(event)
        return web.Response()

    def _read(self, media: str, content: bytes) -> list[Body]:
        """The events, or RefusedError: a batch is taken whole or not at all."""
        found = _parse(content)
        events = [found] if media == _CLOUD_EVENT else found
        if not isinstance(events, list):
            raise bad_request("The content must be a JSON array of events.", "InvalidContent")
        if media in {_CLOUD_BATCH, _CLOUD_EVENT}:
            return [_cloud_event(event) for event in events]
        if media == "application/json":
            return [self._grid_event(event) for event in events]
        raise RefusedError(415, "UnsupportedMediaType", f"The content type '{media}' is not supported.")

    def _grid_event(self, found: object) -> Body:
        event = _with_texts(found, _GRID_NEEDS)
        topic = event.get("topic") or self._id
        if str(topic).lower() != self._id.lower():
            raise bad_request("The topic of an event must be this topic, or absent.", "InvalidEvent")
        return {"dataVersion": "", **event, "topic": self._id, "metadataVersion": "1"}


def _cloud_event(found: object) -> Body:
    event = _with_texts(found, _CLOUD_NEEDS)
    if event["specversion"] != "1.0":
        raise bad_request("Only CloudEvents of specversion 1.0 are supported.", "InvalidEvent")
    if "data" in event and "data_base64" in event:
        raise bad_request("An event has data or data_base64, not both.", "InvalidEvent")
    return event


def _with_texts(event: object, names: tuple[str, ...]) -> Body:
    if not isinstance(event, dict):
        raise bad_request("An event must be a JSON object.", "InvalidEvent")
    missing = [name for name in names if not isinstance(event.get(name), str) or not event[name]]
    if missing:
        raise bad_request(f"An event lacks {', '.join(missing)}.", "InvalidEvent")
    return event


async def _content(request: web.Request) -> bytes:
    try:
        return await request.read()
    except web.HTTPRequestEntityTooLarge as error:
        message = f"The maximum size ({LIMIT_BYTES}) has been exceeded."
        raise RefusedError(413, "PayloadTooLarge", message) from error
    except web.RequestPayloadError as error:
        raise bad_request("The content cannot be unpacked.", "InvalidContent") from error


def _parse(content: bytes) -> object:
    try:
        return json.loads(content, parse_constant=no_constant)
    except (ValueError, RecursionError) as error:
        raise bad_request("The content is not valid JSON.", "InvalidContent") from error
