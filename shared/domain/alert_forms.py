"""The forms that Defender's alerts come in, and what each of them says, under one set of names.

Defender spells its properties in camel case (ARM), in Pascal case (continuous export, workflow automation, Log
Analytics) and puts JSON into strings (Log Analytics, activity log): here names are compared without case and strings
are unpacked, so that nothing behind this module knows one form from another. Nothing is judged here.
"""

import ipaddress
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass

from shared.domain.body import Json, JsonObject, as_object, as_text

ALERT_TYPE = "Microsoft.Security/locations/alerts"
_ACTIVATED = f"{ALERT_TYPE}/activate/action".lower()
# The activity log has an entry's own id, which lies under the id of the alert.
_ENTRY = re.compile(r"/events/[^/]*(?:/ticks/[^/]*)?\Z", re.IGNORECASE)
# Objects within objects count too. Defender's own alerts have a few dozen.
_MOST_OBJECTS = 1_000


@dataclass(frozen=True, slots=True)
class Told:
    """What an alert says of itself: claims, as they were spelt.

    `members` are its properties by lower-case names. `arm_id` is where ARM has it, empty where the form does not say.
    `status` is empty where one should be told and is not. `extended` are the properties of its type alone.
    """

    members: JsonObject
    arm_id: str
    name: str
    status: str
    extended: JsonObject


def read(data: JsonObject) -> Told | None:
    """What the object says if it is an alert in one of its forms, else None."""
    members = folded(data)
    return _resource(members) or _activity(members) or _flat(members)


def folded(item: JsonObject) -> JsonObject:
    """The object with the names of its members in lower case; of two that differ in case only the first counts."""
    members: JsonObject = {}
    for name, value in item.items():
        members.setdefault(name.lower(), value)
    return members


def first_text(members: JsonObject, *names: str) -> str:
    """The first of the named members that is a text and not blank; empty where none is."""
    return next((text for name in names if (text := as_text(members.get(name))).strip()), "")


def unpacked(value: Json) -> Json:
    """The value that a JSON string holds, None for one that holds none; anything but a string as it is."""
    if not isinstance(value, str):
        return value
    try:
        inner: Json = json.loads(value)
    except (ValueError, RecursionError):
        return None
    return inner


def objects(value: Json) -> list[JsonObject]:
    """Every object in the value, the outer before the inner, folded; the first thousand of more.

    Exports write an object once, with an `$id`, and `{"$ref": id}` wherever else it belongs. What a reference stands
    for is therefore met anyway: none has to be followed, and none can lead in circles.
    """
    found: list[JsonObject] = []
    waiting = [value]
    # No recursion: whoever wrote the alert chose how deep it is.
    while waiting and len(found) < _MOST_OBJECTS:
        item = waiting.pop()
        if isinstance(item, dict):
            found.append(folded(item))
        if isinstance(item, dict | list):
            waiting.extend(reversed([child for child in _children(item) if isinstance(child, dict | list)]))
    return found


def named_resources(told: Told) -> Iterator[str]:
    """The texts by which the alert itself names the affected resources, the most trusted first."""
    yield from map(_resource_id, objects(unpacked(told.members.get("resourceidentifiers"))))
    for name in ("azureresourceid", "resourceid", "associatedresource"):
        yield first_text(told.members, name)
    yield first_text(folded(told.extended), "effectiveazureresourceid")


def mentioned_resources(entities: list[JsonObject]) -> Iterator[str]:
    """The texts by which entities name resources: those that are affected, and others that took part."""
    yield from map(_resource_id, entities)


def address_of(entity: JsonObject) -> str:
    """The address that an `ip` entity is, in canonical spelling; empty for any other entity."""
    text = first_text(entity, "address") if _kind(entity) == "ip" else ""
    # Behind a percent sign an IPv6 address may hold any text at all.
    if "%" in text:
        return ""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return ""
    # Ranges of IPv4 have to hold an address that only a dual-stack socket spells otherwise.
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return str(mapped or address)


def account_of(entity: JsonObject) -> str:
    """The name that an `account` entity has, else its id; empty for any other entity."""
    if _kind(entity) != "account":
        return ""
    name, suffix = first_text(entity, "name"), first_text(entity, "upnsuffix")
    if name and suffix and "@" not in name:
        return f"{name}@{suffix}"
    return name or first_text(entity, "aaduserid", "objectguid", "sid", "displayname")


def _children(item: JsonObject | list[Json]) -> list[Json]:
    return list(item.values()) if isinstance(item, dict) else item


def _kind(item: JsonObject) -> str:
    """The type of an entity or identifier: `AzureResource` and `azure-resource` are one."""
    return as_text(item.get("type")).lower().replace("-", "")


def _resource_id(item: JsonObject) -> str:
    return first_text(item, "azureresourceid", "resourceid") if _kind(item) in {"azureresource", ""} else ""


def _resource(members: JsonObject) -> Told | None:
    """As ARM answers it; `state`, `alertName` and the like are of its api-version 2019-01-01."""
    if as_text(members.get("type")).lower() != ALERT_TYPE.lower() or not isinstance(members.get("properties"), dict):
        return None
    own = folded(as_object(members["properties"]))
    name = first_text(members, "name") or first_text(own, "systemalertid")
    # ARM tells the status of every alert: without one, nothing says that it still stands.
    status = first_text(own, "status", "state")
    return Told(own, as_text(members.get("id")), name, status, as_object(unpacked(own.get("extendedproperties"))))


def _activity(members: JsonObject) -> Told | None:
    """As the activity log tells it, where its `resourceId` is the alert and its properties are of the alert's type.

    The operations of people, who dismiss alerts and resolve them, are no alerts.
    """
    operation = _value(members.get("operationname")).lower()
    if operation != _ACTIVATED or not isinstance(members.get("properties"), dict):
        return None
    extended = as_object(members["properties"])
    entry: JsonObject = {
        "alertdisplayname": _value(members.get("eventname")),
        "starttimeutc": members.get("eventtimestamp"),
    }
    arm_id = _ENTRY.sub("", first_text(members, "resourceid", "id"))
    name = first_text(members, "correlationid", "eventdataid")
    return Told(entry | folded(extended), arm_id, name, _event_status(members.get("status")), extended)


def _flat(members: JsonObject) -> Told | None:
    """As continuous export and workflow automation send it, and as a row of Log Analytics has it.

    Microsoft Sentinel gives such a row a `SystemAlertId` of its own; `VendorOriginalId` is then Defender's.
    """
    if not first_text(members, "systemalertid") or not first_text(members, "alerttype", "alertname"):
        return None
    name = first_text(members, "vendororiginalid", "systemalertid")
    extended = as_object(unpacked(members.get("extendedproperties")))
    return Told(members, "", name, _event_status(members.get("status")), extended)


def _event_status(status: Json) -> str:
    """An event is sent because an alert was raised: one that tells no status is of a new alert."""
    return "New" if status is None or status == "" else _value(status)


def _value(member: Json) -> str:
    """The activity log has `{"value": …, "localizedValue": …}` where other logs have the value."""
    return as_text(member) or as_text(folded(as_object(member)).get("value"))
