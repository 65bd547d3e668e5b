"""Events in each form that Event Grid has, honest and otherwise."""

import json
from datetime import datetime

from hypothesis import strategies as st

from shared.domain.body import Json, JsonObject, as_object
from shared.domain.signal import Signal, parse_message
from tests.domain.making import NOW, TARGET
from tests.hostile import anything, places, put

KIB_48 = 48 * 1024
UPN = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/upn"
OBJECT_ID = "http://schemas.microsoft.com/identity/claims/objectidentifier"
CLAIMS: JsonObject = {UPN: "dana@contoso.com", OBJECT_ID: "object-1", "appid": "app-1", "ipaddr": "203.0.113.8"}
DATA: JsonObject = {
    "resourceUri": TARGET.path,
    "operationName": "Microsoft.Storage/storageAccounts/write",
    "correlationId": "correlation-1",
    "tenantId": "tenant-1",
    "claims": CLAIMS,
    "httpRequest": {"clientIpAddress": "203.0.113.7", "method": "PATCH"},
}
EVENT: JsonObject = {
    "id": "event-1",
    "topic": "/subscriptions/S-1",
    "subject": TARGET.path,
    "eventType": "Microsoft.Resources.ResourceWriteSuccess",
    "eventTime": "2026-11-23T11:59:30.1234567Z",
    "dataVersion": "2",
    "data": DATA,
}
CLOUD_EVENT: JsonObject = {
    "specversion": "1.0",
    "id": "event-1",
    "source": "/subscriptions/S-1",
    "subject": TARGET.path,
    "type": "Microsoft.Resources.ResourceWriteSuccess",
    "time": "2026-11-23T11:59:30.1234567Z",
    "data": DATA,
}
NOTIFICATION: JsonObject = {
    **EVENT,
    "eventType": "Microsoft.ResourceNotifications.Resources.CreatedOrUpdated",
    "data": {"resourceInfo": {"id": TARGET.path, "properties": {}}, "apiVersion": "2024-01-01"},
}
EVENTS = (EVENT, CLOUD_EVENT, NOTIFICATION)


def told(found: Signal) -> tuple[object, ...]:
    """Everything about the signal but the message it came in."""
    return tuple(value for name, value in vars_of(found).items() if name != "raw")


def vars_of(found: Signal) -> dict[str, object]:
    return {name: getattr(found, name) for name in Signal.__slots__}


def read(event: Json, received: datetime = NOW) -> Signal:
    found = parse_message(json.dumps(event), received)
    assert isinstance(found, Signal), found
    return found


def changed(event: JsonObject, **members: Json) -> JsonObject:
    return {**event, **members}


def with_data(**members: Json) -> JsonObject:
    return {**EVENT, "data": {**DATA, **members}}


# Short names for texts that would fill pages where a failing example is shown.
LONG = {"<long>": "x" * 30_000, "<long, wide>": "\U0001d538" * 9_000, "<long, control>": "\x00" * 9_000 + "x"}


@st.composite
def hostile_events(draw: st.DrawFn) -> JsonObject:
    event: Json = draw(st.sampled_from(EVENTS))
    for place in draw(st.lists(st.sampled_from(list(places(event))), max_size=4)):
        event = put(event, place, draw(anything | st.sampled_from(list(LONG))))
    return as_object(event)


def spelt_out(value: Json) -> Json:
    match value:
        case str():
            return LONG.get(value, value)
        case list():
            return [spelt_out(item) for item in value]
        case dict():
            return {name: spelt_out(child) for name, child in value.items()}
        case _:
            return value
