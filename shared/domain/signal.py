"""From a raw queue message to one Signal, or to the reason why there is none."""

import hashlib
import ipaddress
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum

from shared.domain.alert import Alert, essence, is_alert, parse_alert
from shared.domain.arm_id import ArmId, parse_arm_id
from shared.domain.body import Json, JsonObject, as_object, as_text, at
from shared.domain.exposure import SECRET_EXPOSED, Exposure, parse_exposure
from shared.domain.redact import one_line, redact

_SUBSCRIPTION_EVENTS = "Microsoft.Resources.Resource"
_NOTIFICATION_EVENTS = "Microsoft.ResourceNotifications.Resources."
_MOST_ATTEMPTS = 10_000
_ACTORS = (
    "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/upn",
    "http://schemas.microsoft.com/identity/claims/objectidentifier",
    "appid",
)
_ENVELOPE = frozenset(
    {"specversion", "id", "source", "type", "subject", "time", "topic", "eventType", "eventTime", "dataVersion"}
)
# A queue message holds 64 KiB after base64 (learn.microsoft.com/azure/storage/queues/scalability-targets, 2026-11-23).
_LARGEST = 48 * 1024
# One character more than an ARM id can have: what is too long stays too long.
_TOO_LONG_FOR_AN_ID = 2049


class SignalKind(StrEnum):
    """Why we look."""

    RESOURCE_CHANGE = "ResourceChange"
    DEFENDER_ALERT = "DefenderAlert"
    SECRET_EXPOSED = "SecretExposed"  # noqa: S105 - the name of a kind
    SWEEP_HIT = "SweepHit"
    OPERATOR_REQUEST = "OperatorRequest"


_OUR_KINDS = frozenset({SignalKind.SWEEP_HIT, SignalKind.OPERATOR_REQUEST})


@dataclass(frozen=True, slots=True)
class Signal:
    """One reason to look at one resource. Everything but `target` is a claim: recorded, never decided on.

    `target` is the resource that changed, of an alert the alert itself, of an exposed key the resource that it is said
    to open; None where nobody told. `alert` and `exposure` are what an event of those kinds claims. `place` is the
    resource that acts were begun on for it before its worker died; None where there was none. A signal that goes
    `elsewhere` asks for a plain look at its target, for the reason of another resource's signal.

    `cause` is what makes two signals one: a redelivered event has the cause of its first delivery. `time` is when the
    change happened, never later than when we received it. `raw` is the event as it came, to be put back on the queue.
    `ticket` is the lease that the signal held when it was put back, empty on its first delivery. `failed` is an
    operation that is said to have failed or been cancelled. Our own sweeps and operators have no event behind them:
    what they want stands in the ledger, so that nobody can order anything by a message. `due` is set on a signal that
    was put back to be looked at once more at that time, `recalled` on one that the timer brings back as long as its fix
    is open.
    """

    kind: SignalKind
    id: str
    cause: str
    time: datetime
    received: datetime
    target: ArmId | None
    raw: JsonObject
    alert: Alert | None = None
    exposure: Exposure | None = None
    place: ArmId | None = None
    elsewhere: bool = False
    operation: str = ""
    actor: str = ""
    actor_ip: str = ""
    correlation_id: str = ""
    tenant_id: str = ""
    attempt: int = 1
    ticket: str = ""
    failed: bool = False
    due: datetime | None = None
    recalled: bool = False


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A message that names nothing to look at: a reason code, what was wrong, and what could still be read.

    `cause` is the same for the same message, however often it comes.
    """

    code: str
    text: str
    received: datetime
    id: str = ""
    subscription: str = "-"
    cause: str = ""


@dataclass(frozen=True, slots=True)
class _Envelope:
    """The four attributes that both Event Grid forms have, under one name each."""

    type: str
    subject: str
    id: str
    time: str


def parse_message(text: str, received: datetime) -> Signal | Unreadable:
    """What a queue message says: an Event Grid event, a CloudEvent, or either as `put_back` wrote it.

    Never raises: whatever the text, the answer is a Signal or the reason for none.
    """
    parsed = _parse(text, received)
    if isinstance(parsed, Unreadable):
        return replace(parsed, cause=hashlib.sha256(text.encode(errors="replace")).hexdigest())
    return parsed


def _parse(text: str, received: datetime) -> Signal | Unreadable:
    try:
        message: Json = json.loads(text)
    except (ValueError, RecursionError):
        return Unreadable("unreadable.json", "the message is not JSON", received)
    if isinstance(message, list) and len(message) == 1:
        message = message[0]
    if not isinstance(message, dict):
        return Unreadable("unreadable.shape", "the message is not one event", received)
    again = message.get("airlock")
    if isinstance(again, dict):
        first = _time(as_text(again.get("received")), received)
        found = _ours(again, first) if "kind" in again else _signal(as_object(message.get("event")), first)
        if isinstance(found, Unreadable):
            return found
        if "target" in again:
            found = _elsewhere(found, as_text(again.get("target")))
            if isinstance(found, Unreadable):
                return found
        if "place" in again:
            found = replace(found, place=_parsed(as_text(again.get("place"))))
        ticket = one_line(as_text(again.get("ticket")), 64)
        # Not looked at before it is due, so a read that began before does not cover it.
        due = _moment(as_text(again.get("due")))
        time = max(found.time, min(due, received)) if due else found.time
        recalled = again.get("recalled") is True
        return replace(
            found, time=time, due=due, attempt=_count(again.get("attempt")), ticket=ticket, recalled=recalled
        )
    return _signal(message, received)


def _ours(told: JsonObject, received: datetime) -> Signal | Unreadable:
    """A reason to look that Airlock itself found: in a sweep, or in an operator's request."""
    kind = as_text(told.get("kind"))
    if kind not in _OUR_KINDS:
        return Unreadable("unreadable.kind", "no kind of signal that Airlock itself raises", received)
    cause = one_line(as_text(told.get("cause")), 256)
    try:
        target = parse_arm_id(as_text(told.get("about")))
    except ValueError as problem:
        return Unreadable("unreadable.target", str(problem), received, cause)
    return Signal(SignalKind(kind), cause, f"{cause} {target.key}", received, received, target, {})


def of_ours(kind: SignalKind, target: ArmId, cause: str, now: datetime) -> str:
    """A message that asks for a look at the resource at once, whatever was looked at before now.

    `cause` is what makes two of them one. Raises ValueError for a kind that events have.
    """
    if kind not in _OUR_KINDS:
        raise ValueError(f"signals of kind {kind} come from events")
    return put_back(Signal(kind, cause, cause, now, now, target, {}, attempt=0), due=now)


def _elsewhere(signal: Signal, named: str) -> Signal | Unreadable:
    """The signal as a reason for a plain look at the named resource: a cause of its own."""
    try:
        target = parse_arm_id(named)
    except ValueError as problem:
        return Unreadable("unreadable.target", str(problem), signal.received, signal.id)
    cause = f"{signal.cause} {target.key}"
    return replace(signal, target=target, cause=cause, alert=None, exposure=None, elsewhere=True)


def _parsed(path: str) -> ArmId | None:
    try:
        return parse_arm_id(path)
    except ValueError:
        return None


def _count(attempt: Json) -> int:
    if isinstance(attempt, int) and not isinstance(attempt, bool) and 1 <= attempt <= _MOST_ATTEMPTS:
        return attempt
    return 1


def fit(event: JsonObject) -> str:
    """The event as a queue message. One that no message can hold is cut down to what `parse_message` reads."""
    return _fitting(event, lambda kept: kept)


def refit(text: str) -> str:
    """A message as it was kept, cut down where it was an event that no message can hold. What is no event at all is
    cut to what will be called unreadable."""
    if len(text.encode(errors="replace")) <= _LARGEST:
        return text
    try:
        event: Json = json.loads(text)
    except (ValueError, RecursionError):
        event = None
    return fit(event) if isinstance(event, dict) else one_line(text, 1024)


def _fitting(event: JsonObject, wrap: Callable[[JsonObject], JsonObject]) -> str:
    try:
        text = json.dumps(wrap(event), separators=(",", ":"))
    except RecursionError:  # the reader takes a little deeper nesting than the writer
        text = ""
    return text if 0 < len(text) <= _LARGEST else json.dumps(wrap(_essence(event)), separators=(",", ":"))


def _essence(event: JsonObject) -> JsonObject:
    """What `_signal` reads of the event, decided as it decides. Every length here is a share of the largest message,
    at twelve bytes for a letter."""
    data = as_object(event.get("data"))
    kind = as_text(event.get(_kind_and_time(event)[0]))
    if kind == SECRET_EXPOSED:
        return _outside(event) | {"data": _exposed_essence(data)}
    if is_alert(data):
        return _outside(event) | {"data": essence(data)}
    claims = _claims(data)
    kept: JsonObject = {"operationName": one_line(as_text(data.get("operationName")))}
    kept |= {name: one_line(as_text(data.get(name)), 64) for name in ("correlationId", "tenantId")}
    actors: JsonObject = {name: one_line(as_text(claims.get(name))) for name in _ACTORS}
    kept["claims"] = actors | {"ipaddr": one_line(as_text(claims.get("ipaddr")), 64)}
    kept["httpRequest"] = {"clientIpAddress": one_line(as_text(at(data, "httpRequest.clientIpAddress")), 64)}
    named = _named(kind, as_text(event.get("subject")), data)
    return _outside(event) | {"subject": named[:_TOO_LONG_FOR_AN_ID], "data": kept}


def _exposed_essence(data: JsonObject) -> JsonObject:
    """Hash and id are cut but not cleaned: what is none must not become one."""
    return {
        "sha256": as_text(data.get("sha256"))[:65],
        "foundAt": one_line(as_text(data.get("foundAt")), 1024),
        "resourceId": as_text(data.get("resourceId"))[:_TOO_LONG_FOR_AN_ID],
    }


def _outside(event: JsonObject) -> JsonObject:
    """The envelope without its subject, in the form that it came in."""
    kind, time = _kind_and_time(event)
    envelope: JsonObject = {name: one_line(as_text(event.get(name)), 128) for name in ("id", time)}
    if "specversion" in event:
        envelope["specversion"] = "1.0"
    return envelope | {kind: one_line(as_text(event.get(kind))), "topic": f"/subscriptions/{_subscription(event)}"}


def _named(kind: str, subject: str, data: JsonObject) -> str:
    if kind.startswith(_NOTIFICATION_EVENTS):
        return as_text(at(data, "resourceInfo.id")) or subject
    return subject or as_text(data.get("resourceUri"))


def about(signal: Signal, other: ArmId, now: datetime) -> str:
    """A message that asks for a look at another resource for the same reason, whatever was looked at before now."""
    return put_back(replace(signal, target=other, elsewhere=True, attempt=0), due=now)


def due_at(message: str, now: datetime) -> str:
    """The message of a signal that was put back, asking for a look after that time instead."""
    told = as_object(json.loads(message))
    return json.dumps(told | {"airlock": as_object(told.get("airlock")) | {"due": now.isoformat()}})


def put_back(signal: Signal, ticket: str = "", due: datetime | None = None) -> str:
    """The message that `parse_message` reads as the same signal, one attempt later, with the lease of that ticket.

    With `due` it asks for a look after that time, whatever was looked at before.
    """
    again: JsonObject = {
        "attempt": min(signal.attempt + 1, _MOST_ATTEMPTS),
        "received": signal.received.isoformat(),
        "ticket": ticket,
    }
    if due is not None or signal.due:
        again["due"] = (due or signal.due or signal.time).isoformat()
    if signal.recalled:
        again["recalled"] = True
    if signal.place is not None:
        again["place"] = signal.place.path
    if signal.kind in _OUR_KINDS and signal.target is not None:
        again |= {"kind": signal.kind.value, "cause": signal.id, "about": signal.target.path}
    elif signal.elsewhere and signal.target is not None:
        again["target"] = signal.target.path
    return _fitting(signal.raw, lambda event: {"airlock": again, "event": event})


def _signal(event: JsonObject, received: datetime) -> Signal | Unreadable:
    envelope = _envelope(event)
    if envelope is None:
        return Unreadable("unreadable.shape", "neither an Event Grid event nor a CloudEvent", received)
    data = as_object(event.get("data"))
    if envelope.type == SECRET_EXPOSED:
        return _exposed(event, envelope, data, received)
    if is_alert(data):
        return _alerted(event, envelope, data, received)
    named = _named(envelope.type, envelope.subject, data)
    if not envelope.type.startswith((_NOTIFICATION_EVENTS, _SUBSCRIPTION_EVENTS)):
        text = f"events of type '{one_line(envelope.type, 128)}' say nothing about a resource"
        return Unreadable("unreadable.event-type", text, received, envelope.id, _subscription(event))
    try:
        target = parse_arm_id(named)
    except ValueError as problem:
        return Unreadable("unreadable.target", str(problem), received, envelope.id, _subscription(event))
    claims = _claims(data)
    return Signal(
        kind=SignalKind.RESOURCE_CHANGE,
        id=envelope.id,
        cause=envelope.id or f"{target.key} {one_line(envelope.time, 64)}",
        time=_time(envelope.time, received),
        received=received,
        target=target,
        raw=event,
        operation=one_line(as_text(data.get("operationName")) or envelope.type),
        actor=_actor(claims),
        actor_ip=_address(as_text(at(data, "httpRequest.clientIpAddress")) or as_text(claims.get("ipaddr"))),
        correlation_id=one_line(as_text(data.get("correlationId")), 64),
        tenant_id=one_line(as_text(data.get("tenantId")), 64),
        failed=envelope.type.startswith(_SUBSCRIPTION_EVENTS) and envelope.type.endswith(("Failure", "Cancel")),
    )


def _alerted(event: JsonObject, envelope: _Envelope, data: JsonObject, received: datetime) -> Signal | Unreadable:
    """A Defender alert: a reason to read the alert itself. All deliveries of one alert have one cause."""
    try:
        alert = parse_alert(data)
    except ValueError as problem:
        return Unreadable("unreadable.alert", str(problem), received, envelope.id, _subscription(event))
    return Signal(
        kind=SignalKind.DEFENDER_ALERT,
        id=envelope.id,
        # ARM answers one alert under its subscription and under its group: both are the same cause.
        cause=f"alert {alert.id.subscription if alert.id else '-'} {alert.name}".lower(),
        time=_time(envelope.time, received),
        received=received,
        target=alert.id,
        raw=event,
        alert=alert,
        operation=redact(alert.type, 256),
    )


def _exposed(event: JsonObject, envelope: _Envelope, data: JsonObject, received: datetime) -> Signal | Unreadable:
    """A key that was found somewhere. Its hash stays in the event, which is kept to be put back, and in no record."""
    try:
        exposure = parse_exposure(data)
    except ValueError as problem:
        return Unreadable("unreadable.exposure", str(problem), received, envelope.id, _subscription(event))
    return Signal(
        kind=SignalKind.SECRET_EXPOSED,
        id=envelope.id,
        cause=exposure.cause,
        time=_time(envelope.time, received),
        received=received,
        target=exposure.resource,
        raw=event,
        exposure=exposure,
        operation=envelope.type,
    )


def _envelope(event: JsonObject) -> _Envelope | None:
    kind_name, time_name = _kind_and_time(event)
    kind, subject = as_text(event.get(kind_name)), as_text(event.get("subject"))
    if not kind:
        return None
    return _Envelope(kind, subject, one_line(as_text(event.get("id")), 128), as_text(event.get(time_name)))


def _kind_and_time(event: JsonObject) -> tuple[str, str]:
    """How the event's form names its type and its time."""
    return ("type", "time") if "specversion" in event else ("eventType", "eventTime")


def _claims(data: JsonObject) -> JsonObject:
    """Claims came as a JSON string in older events, are absent or empty in some."""
    claims = data.get("claims")
    if isinstance(claims, str):
        try:
            claims = json.loads(claims)
        except (ValueError, RecursionError):
            return {}
    return as_object(claims)


def _actor(claims: JsonObject) -> str:
    """Who is said to have done it, as a person would look them up: name, else object id, else application id.

    `authorization.evidence.principalId` is not used: it names the holder of the role assignment, often a group.
    """
    for name in _ACTORS:
        if value := as_text(claims.get(name)):
            return one_line(value)
    return ""


def _address(text: str) -> str:
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        return ""


def _time(text: str, received: datetime) -> datetime:
    """The moment the text spells, at most `received`: a forged future would hide every change before it."""
    moment = _moment(text)
    return min(moment, received) if moment else received


def _moment(text: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _subscription(event: JsonObject) -> str:
    source = as_text(event.get("topic")) or as_text(event.get("source"))
    try:
        return parse_arm_id(source).subscription.lower()
    except ValueError:
        return "-"
