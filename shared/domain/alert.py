"""A Defender for Cloud alert, whatever form it came in."""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from itertools import islice

from shared.domain.alert_forms import (
    ALERT_TYPE,
    Told,
    account_of,
    address_of,
    first_text,
    mentioned_resources,
    named_resources,
    objects,
    read,
    unpacked,
)
from shared.domain.arm_id import ArmId, extension, parse_arm_id
from shared.domain.body import Json, JsonObject, as_text
from shared.domain.redact import one_line, redact
from shared.domain.remediation import Severity

_LONGEST_WORD = 128
_LONGEST_TEXT = 256
_MOST_RESOURCES = 32
_MOST_ADDRESSES = 64
_MOST_ACCOUNTS = 32
_MOST_EXTENDED = 32
_MOST_INTENTS = 32
_MOST_UNUSABLE = 16
_LARGEST_ESSENCE = 15 * 1024
_SEVERITIES = {
    "informational": Severity.INFO,
    "low": Severity.LOW,
    "medium": Severity.MEDIUM,
    "high": Severity.HIGH,
}
# The only place where an exported alert tells its location.
_LINK = re.compile(
    r"/alertId/(?P<name>[^/]+)"
    r"(?:/subscriptionId/(?P<subscription>[^/]*))?"
    r"(?:/resourceGroup/(?P<group>[^/]*))?"
    r"(?:/referencedFrom/[^/]*)?"
    r"/location/(?P<location>[^/?#]+)\Z",
    re.IGNORECASE,
)


class AlertStatus(StrEnum):
    """Whether anybody still has to care."""

    ACTIVE = "Active"
    IN_PROGRESS = "InProgress"
    RESOLVED = "Resolved"
    DISMISSED = "Dismissed"


# Exports say `New` where ARM says `Active`.
_STATUSES = {"new": AlertStatus.ACTIVE} | {status.value.lower(): status for status in AlertStatus}


@dataclass(frozen=True, slots=True)
class Alert:
    """What an alert says. Of one that came as an event, everything is a claim until it was read back through ARM.

    `name` is the alert's own name (`2518..._guid`, or a GUID alone). `id` is where ARM has it
    (`/subscriptions/…/providers/Microsoft.Security/locations/{location}/alerts/{name}`); None where the form does not
    tell the location. `type` is `AI.Azure_…` and the like, empty where the form (the activity log) does not tell it.
    `resources` are the affected resources, each once, the one that the alert is said to be about first; `unusable`
    says of every named id that is none what is wrong with it, each thing once. `addresses` are IP addresses of the
    entities in canonical spelling, `accounts` the names or ids of accounts. `extended` are the extended properties as
    texts. `started` and `ended` are in UTC, None where not told. Every text is short and on one line, every tuple is
    short too, whoever wrote the alert.
    """

    name: str
    id: ArmId | None
    type: str
    title: str
    severity: Severity
    status: AlertStatus
    intent: tuple[str, ...] = ()
    resources: tuple[ArmId, ...] = ()
    unusable: tuple[str, ...] = ()
    started: datetime | None = None
    ended: datetime | None = None
    addresses: tuple[str, ...] = ()
    accounts: tuple[str, ...] = ()
    extended: JsonObject | None = None
    is_incident: bool = False

    @property
    def is_open(self) -> bool:
        """Whether the alert still stands."""
        return self.status in {AlertStatus.ACTIVE, AlertStatus.IN_PROGRESS}


def is_alert(data: JsonObject) -> bool:
    """Whether the object is an alert in any of its forms."""
    return read(data) is not None


def parse_alert(data: JsonObject) -> Alert:
    """The alert that the object spells.

    Raises ValueError, saying what is wrong without repeating any of it, for what is no alert or has no name.
    """
    told = read(data)
    if told is None:
        raise ValueError("the object is no alert in any form that Defender has")
    entities = objects(unpacked(told.members.get("entities")))
    resources, unusable = _resources(named_resources(told))
    if not resources:
        # Where the alert names none itself an entity has to do; else it may be a bystander, and nothing is done to it.
        resources, more = _resources(mentioned_resources(entities))
        unusable = tuple(dict.fromkeys((*unusable, *more)))
    arm_id, problem = _located(told, resources)
    name = arm_id.name if arm_id else _word(told.name)
    if not name:
        raise ValueError("the alert has no name")
    kind = _word(first_text(told.members, "alerttype", "alertname"))
    return Alert(
        name=name,
        id=arm_id,
        type=kind,
        title=redact(first_text(told.members, "alertdisplayname", "displayname", "alertname"), _LONGEST_TEXT) or kind,
        severity=_severity(first_text(told.members, "severity", "alertseverity", "reportedseverity")),
        status=_status(told.status),
        intent=_intent(told.members.get("intent") or told.members.get("tactics")),
        resources=resources,
        unusable=_distinct((problem, *unusable), _MOST_UNUSABLE),
        started=_time(first_text(told.members, "starttimeutc", "starttime", "detectedtimeutc")),
        ended=_time(first_text(told.members, "endtimeutc", "endtime")),
        addresses=_distinct(map(address_of, entities), _MOST_ADDRESSES),
        accounts=_distinct((redact(account_of(entity), _LONGEST_TEXT) for entity in entities), _MOST_ACCOUNTS),
        extended=_texts(told.extended),
        is_incident=_is_true(told.members.get("isincident")),
    )


def essence(data: JsonObject) -> JsonObject:
    """The part of an alert that fits any queue message, as ARM would answer it: less than 16 KiB of JSON.

    `parse_alert` reads the same name, id, type, severity and status from it, the beginning of the title, and the first
    resources: all of them, unless their ids are longer than any that Azure gives. What has no name or is no alert
    comes out as something that is refused for the same reason.
    """
    try:
        alert = parse_alert(data)
    except ValueError:
        return {"type": ALERT_TYPE, "properties": {}} if is_alert(data) else {}
    own: JsonObject = {
        "alertType": alert.type,
        "alertDisplayName": alert.title[:64],
        "severity": next(word for word, severity in _SEVERITIES.items() if severity is alert.severity),
        "status": alert.status.value,
        "isIncident": alert.is_incident,
    }
    kept: JsonObject = {"type": ALERT_TYPE, "properties": own}
    kept |= {"id": alert.id.path} if alert.id else {"name": alert.name}
    return kept | {"properties": own | {"resourceIdentifiers": _fitting(alert.resources, _size(kept))}}


def _fitting(resources: Iterable[ArmId], taken: int) -> list[Json]:
    fitting: list[Json] = []
    for resource in resources:
        item: JsonObject = {"type": "AzureResource", "azureResourceId": resource.path}
        taken += _size(item) + 2
        if taken > _LARGEST_ESSENCE:
            break
        fitting.append(item)
    return fitting


def _size(value: JsonObject) -> int:
    return len(json.dumps(value))


def _resources(claimed: Iterable[str]) -> tuple[tuple[ArmId, ...], tuple[str, ...]]:
    """The ids among the texts, each once, and what is wrong with the others."""
    found: dict[str, ArmId] = {}
    unusable: dict[str, None] = {}
    for text in filter(None, claimed):
        try:
            arm_id = parse_arm_id(text)
        except ValueError as problem:
            unusable[str(problem)] = None
        else:
            found.setdefault(arm_id.key, arm_id)
    return tuple(islice(found.values(), _MOST_RESOURCES)), tuple(unusable)


def _located(told: Told, resources: tuple[ArmId, ...]) -> tuple[ArmId | None, str]:
    """Where ARM has the alert, or None and what is wrong with the place that is told."""
    try:
        return (_own_id(told.arm_id) if told.arm_id else _linked_id(told, resources)), ""
    except ValueError as problem:
        return None, str(problem)


def _own_id(text: str) -> ArmId:
    arm_id = parse_arm_id(text)
    # ARM keeps alerts under a subscription or a group, never under a resource.
    if len(arm_id.providers) != 1 or arm_id.type.lower() != ALERT_TYPE.lower():
        raise ValueError("the alert's ARM id is not of an alert")
    return arm_id


def _linked_id(told: Told, resources: tuple[ArmId, ...]) -> ArmId | None:
    """The id that name and portal link tell together; None where there is no link, or it tells no location."""
    link = _LINK.search(first_text(told.members, "alerturi", "alertlink"))
    if link is None:
        return None
    if link["name"].lower() != told.name.lower():
        raise ValueError("the alert's link leads to another alert")
    return extension(
        _scope(link["subscription"] or "", link["group"] or "", resources),
        "Microsoft.Security",
        ("locations", link["location"]),
        ("alerts", told.name),
    )


def _scope(subscription: str, group: str, resources: tuple[ArmId, ...]) -> ArmId:
    """Subscription and group as the link tells them, else those of the first resource there. Not yet validated."""
    wanted = subscription.lower()
    near = next((resource for resource in resources if wanted in {"", resource.subscription.lower()}), ArmId(""))
    return ArmId(subscription or near.subscription, group or near.resource_group)


def _severity(text: str) -> Severity:
    # An unknown word must neither hide an alert nor make the loudest of it.
    return _SEVERITIES.get(text.strip().lower(), Severity.MEDIUM)


def _status(text: str) -> AlertStatus:
    # Acts cannot be taken back: they follow only what is known to be open, so a word that is unknown closes.
    return _STATUSES.get(text.replace(" ", "").lower(), AlertStatus.DISMISSED)


def _is_true(value: Json) -> bool:
    # Log Analytics can have it as a text.
    return value is True or as_text(value).lower() == "true"


def _intent(value: Json) -> tuple[str, ...]:
    """A list, the JSON of one in a string (activity log), or names with commas between them."""
    listed = unpacked(value)
    names = map(as_text, listed) if isinstance(listed, list) else as_text(value).split(",")
    return _distinct(map(_word, names), _MOST_INTENTS)


def _time(text: str) -> datetime | None:
    """The moment that the text spells, in UTC, which is also what a text without an offset means."""
    try:
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _texts(extended: JsonObject) -> JsonObject | None:
    told = ((name, value) for name, value in extended.items() if value is not None)
    texts: JsonObject = {
        redact(name, _LONGEST_TEXT): redact(_spelt(value), _LONGEST_TEXT)
        for name, value in islice(told, _MOST_EXTENDED)
    }
    return texts or None


def _spelt(value: Json) -> str:
    if isinstance(value, str):
        return value
    try:
        return json.dumps(value, ensure_ascii=False)
    except (ValueError, RecursionError):  # numbers too long to spell, and nesting too deep
        return ""


def _word(text: str) -> str:
    return one_line(text, _LONGEST_WORD).strip()


def _distinct(texts: Iterable[str], most: int) -> tuple[str, ...]:
    return tuple(islice(dict.fromkeys(filter(None, texts)), most))
