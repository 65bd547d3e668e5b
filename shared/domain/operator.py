"""What an operator asks of Airlock, and who asks: the body of a request to `operate`, read once and whole. Pure."""

import json
import re
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import NoReturn

from shared.domain.body import Json, JsonObject, as_text

# The app role that lets somebody order anything.
ROLE = "Airlock.Operator"
MOST_EVENTS = 200
MOST_BYTES = 1024 * 1024
# The stores that `replay` can empty, as operators call them.
BURIED, DEAD_LETTERS = "buried", "dead-letters"
STORES = (BURIED, DEAD_LETTERS)
SPANS = "90m, 12h, 7d or 2w: at least a minute, at most 90 days"
_RECORD_ID = re.compile(r"[0-9a-f]{32}")
_SPAN = re.compile(r"([0-9]{1,6})([mhdw])")
_UNITS = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}
_SHORTEST, _LONGEST = timedelta(minutes=1), timedelta(days=90)
# What Event Grid writes on an event that it could not deliver; lower-case on CloudEvents. Source:
# learn.microsoft.com/azure/event-grid/manage-event-delivery, "Dead-letter events", read 2026-11-24.
_OF_DEAD_LETTERS = (
    "deadLetterReason",
    "deliveryAttempts",
    "lastDeliveryOutcome",
    "publishTime",
    "lastDeliveryAttemptTime",
)
_ADDED = frozenset(_OF_DEAD_LETTERS) | {name.lower() for name in _OF_DEAD_LETTERS}
_CLOUD_EVENTS = "1.0"


class OperatorAct(StrEnum):
    """What an operator can ask for."""

    APPROVE = "approve"
    UNDO = "undo"
    HOLD = "hold"
    RELEASE = "release"
    REPLAY = "replay"


# The field that says how long, for the acts that have one.
_SPAN_FIELDS = {OperatorAct.UNDO: "hold", OperatorAct.HOLD: "for"}


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks, as Entra vouches for it.

    `object_id` and `tenant_id` are GUIDs in lower case. `name` is for people to read and decides nothing.
    """

    object_id: str
    name: str
    tenant_id: str
    may_operate: bool


@dataclass(frozen=True, slots=True)
class OperatorRequest:
    """One act. All acts name one record by its `record_id`; `replay` names a record, `events`, or a `store`.

    `span` is how long to leave the rule alone; None where the request leaves that to us. `events` are as Event Grid
    would deliver them, whatever form they came in.
    """

    act: OperatorAct
    record_id: str = ""
    span: timedelta | None = None
    events: tuple[JsonObject, ...] = ()
    store: str = ""


def parse_request(body: bytes) -> OperatorRequest:
    """The request that the body spells. Raises ValueError with a sentence for anything else.

    The sentence names fields and never repeats what they hold. A field that the act does not have is refused: a
    misspelt `hold` would else be a hold of another length.
    """
    told = _object(body)
    act = _act(told.get("act"))
    _refuse_unknown(told, act)
    if act is OperatorAct.REPLAY:
        return _replay(told)
    field = _SPAN_FIELDS.get(act)
    return OperatorRequest(act, _record_id(told.get("record")), _span(told, field) if field else None)


def parse_record_id(text: str) -> str:
    """The RecordId in lower case. Raises ValueError for anything but 32 hex digits."""
    if not _RECORD_ID.fullmatch(text.lower()):
        raise ValueError("a RecordId has 32 hex digits")
    return text.lower()


def parse_span(text: str) -> timedelta:
    """How long `90m`, `12h`, `7d` or `2w` is. Raises ValueError for what is none of these, too short or too long."""
    found = _SPAN.fullmatch(text)
    span = int(found[1]) * _UNITS[found[2]] if found else timedelta()
    if not _SHORTEST <= span <= _LONGEST:
        raise ValueError(f"a span is like {SPANS}")
    return span


def undead(event: JsonObject) -> JsonObject:
    """The event without what Event Grid adds when it dead-letters it, in the spelling of either schema.

    A CloudEvent gets its `specversion` back, which Event Grid's own sample of a dead letter lacks: without it nobody
    would know the event for one.
    """
    kept = {name: value for name, value in event.items() if name not in _ADDED}
    if as_text(kept.get("type")) and as_text(kept.get("source")) and not {"specversion", "eventType"} & kept.keys():
        kept["specversion"] = _CLOUD_EVENTS
    return kept


def is_event(value: Json) -> bool:
    """Whether the value is an event in either schema, and not one of Airlock's own messages."""
    if not isinstance(value, dict) or "airlock" in value:
        # Such a message could name the lease of somebody else.
        return False
    event = undead(value)
    return bool(as_text(event.get("type" if "specversion" in event else "eventType")))


def _object(body: bytes) -> JsonObject:
    if len(body) > MOST_BYTES:
        raise ValueError(f"the body is larger than {MOST_BYTES // 1024**2} MB")
    try:
        told: Json = json.loads(body.decode(), parse_constant=_no_number)
    except (ValueError, RecursionError):
        told = None
    if not isinstance(told, dict):
        raise ValueError("the body must be a JSON object")  # noqa: TRY004 - all that is wrong here is a ValueError
    return told


def _no_number(_: str) -> NoReturn:
    raise ValueError


def _act(value: Json) -> OperatorAct:
    try:
        return OperatorAct(as_text(value))
    except ValueError:
        raise ValueError(f"'act' must be one of {', '.join(OperatorAct)}") from None


def _refuse_unknown(told: JsonObject, act: OperatorAct) -> None:
    fields = {"act", "record"}
    if act is OperatorAct.REPLAY:
        fields |= {"events", "store"}
    elif act in _SPAN_FIELDS:
        fields.add(_SPAN_FIELDS[act])
    if told.keys() - fields:
        raise ValueError(f"a request to {act} has no fields but {', '.join(sorted(fields))}")


def _record_id(value: Json) -> str:
    try:
        return parse_record_id(as_text(value))
    except ValueError:
        raise ValueError("'record' must be a RecordId: 32 hex digits") from None


def _span(told: JsonObject, field: str) -> timedelta | None:
    value = told.get(field)
    if value is None:
        return None
    try:
        return parse_span(as_text(value))
    except ValueError:
        raise ValueError(f"'{field}' must be like {SPANS}") from None


def _replay(told: JsonObject) -> OperatorRequest:
    match [(name, told[name]) for name in ("record", "events", "store") if told.get(name) is not None]:
        case [("record", value)]:
            return OperatorRequest(OperatorAct.REPLAY, _record_id(value))
        case [("events", value)]:
            return OperatorRequest(OperatorAct.REPLAY, events=_events(value))
        case [("store", value)] if value in STORES:
            return OperatorRequest(OperatorAct.REPLAY, store=as_text(value))
        case [("store", _)]:
            raise ValueError(f"'store' must be {BURIED} or {DEAD_LETTERS}")
        case _:
            raise ValueError("a request to replay has one of record, events and store")


def _events(value: Json) -> tuple[JsonObject, ...]:
    if not isinstance(value, list) or not 1 <= len(value) <= MOST_EVENTS:
        raise ValueError(f"'events' must be a list of 1 to {MOST_EVENTS} events")
    return tuple(_event(event, number) for number, event in enumerate(value))


def _event(value: Json, number: int) -> JsonObject:
    if not isinstance(value, dict) or not is_event(value):
        raise ValueError(f"'events[{number}]' is neither an Event Grid event nor a CloudEvent")
    return undead(value)
