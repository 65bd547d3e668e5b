"""What could not be dealt with: a record for each, the event kept for whoever mends it and wants it again."""

import hashlib
import json
from collections.abc import Coroutine, Sequence
from dataclasses import replace
from datetime import timedelta
from itertools import batched
from typing import Any

from shared.domain.body import Json, JsonObject, as_object, as_text
from shared.domain.drafting import of_signal, of_unreadable
from shared.domain.operator import undead
from shared.domain.ports import Poisoned
from shared.domain.record import Outcome, Record
from shared.domain.redact import one_line, redact
from shared.domain.signal import Unreadable, parse_message, refit
from shared.domain.stores import BURIED, DEAD_LETTERS
from shared.world import World, append_apart

# So many blobs of dead letters in one run; the rest waits for the next one.
_MOST_BLOBS = 200
# So many events are recorded with one transaction for each chain.
_AT_ONCE = 90
# How Event Grid says that an event was too large for the queue: cut down, it is not.
_TOO_LARGE = "dead-letter.payloadtoolarge"
# What the last delivery may have ended with (learn.microsoft.com/azure/event-grid/delivery-and-retry, read 2026-11-24).
_OUTCOMES = frozenset(
    {
        "notfound",
        "unauthorized",
        "forbidden",
        "badrequest",
        "payloadtoolarge",
        "timedout",
        "busy",
        "probation",
        "socketerror",
        "resolutionerror",
        "disabled",
        "full",
        "preconditionfailed",
        "invalidazurefunctiondestination",
    }
)


async def bury(world: World) -> None:
    """Deals with the messages that made the function crash, and with the events that Event Grid could not deliver.

    Each gets a record, is kept where `airlock replay` finds it, and only then deleted from where it was. One that
    cannot be dealt with does not keep the others from it: the first problem is raised at the end, and the next run
    goes on.
    """
    problems: list[Exception] = []
    while poisoned := await world.poison.take():
        for each in poisoned:
            await _try(_bury_message(each, world), problems)
    for name in await world.blobs.names(DEAD_LETTERS, most=_MOST_BLOBS):
        await _try(_bury_blob(name, world), problems)
    if problems:
        raise problems[0]


async def _try(part: Coroutine[Any, Any, None], problems: list[Exception]) -> None:
    try:
        await part
    except Exception as problem:  # noqa: BLE001 - it is raised, once the others had their turn
        problems.append(problem)


async def _bury_message(poisoned: Poisoned, world: World) -> None:
    error = await world.archive.crash_of(poisoned.text, world.now())
    await _lay_down([(poisoned.text, _of_poison(poisoned, error, world))], world)
    await world.poison.remove(poisoned)


async def _bury_blob(name: str, world: World) -> None:
    data = await world.blobs.read(DEAD_LETTERS, name)
    if data is None:
        return
    for events in batched(_events(data), _AT_ONCE, strict=False):
        dead = [(_text(event), _of_dead_letter(as_object(event), _text(event), name, world)) for event in events]
        # Of a run that was broken off, what is kept is done.
        left = [each for each in dead if await world.blobs.read(BURIED, _kept_as(each[1])) is None]
        for text, record in left:
            if record.reason_code == _TOO_LARGE:
                await world.queue.put(refit(text), timedelta())
        await _lay_down(left, world)
    await world.blobs.delete(DEAD_LETTERS, name)


def _text(event: Json) -> str:
    return json.dumps(undead(event) if isinstance(event, dict) else event)


def _events(data: bytes) -> list[Json]:
    """The events of a blob of dead letters; one that nobody can read is kept as the text that it is."""
    try:
        found: Json = json.loads(data)
    except (ValueError, RecursionError):
        return [data.decode(errors="replace")]
    return found if isinstance(found, list) else [found]


async def _lay_down(dead: Sequence[tuple[str, Record]], world: World) -> None:
    """Records the messages, at most a hundred, and then keeps them."""
    chains = sorted({record.chain for _, record in dead})
    rows = [
        row
        for chain in chains
        for row in await append_apart([record for _, record in dead if record.chain == chain], world)
    ]
    for text, record in dead:
        await world.blobs.create(BURIED, _kept_as(record), text.encode())
    await world.log.deliver(rows)


def _kept_as(record: Record) -> str:
    return f"{record.record_id}.json"


def _of_poison(poisoned: Poisoned, error: str, world: World) -> Record:
    last = error or "nothing that it could tell: the process went away"
    reason = f"the message made the function fail again and again; the last time with {last}"
    record = _about(poisoned.text, world)
    return replace(
        record,
        outcome=Outcome.DEAD_LETTERED,
        reason_code="poison",
        reason=redact(reason),
        severity="medium",
        cause=f"poison {_digest(poisoned.text)}",
    )


def _of_dead_letter(event: JsonObject, text: str, blob: str, world: World) -> Record:
    told = {name.lower(): value for name, value in event.items()}
    outcome = one_line(as_text(told.get("lastdeliveryoutcome")), 64) or "unknown"
    known = outcome.lower() if outcome.lower() in _OUTCOMES else "unknown"
    why = one_line(as_text(told.get("deadletterreason")), 64) or "an unknown reason"
    attempts = told.get("deliveryattempts")
    reason = f"Event Grid gave the event up after {attempts} attempts: {why}, the last one ended with {outcome}"
    record = _about(text, world)
    return replace(
        record,
        outcome=Outcome.DEAD_LETTERED,
        reason_code=f"dead-letter.{known}",
        reason=redact(reason + "; cut down and put into the queue" * (known == "payloadtoolarge")),
        severity="medium",
        evidence={**(record.evidence or {}), "deadLetter": one_line(blob, 512)},
        cause=f"dead-letter {_digest(text)}",
    )


def _about(text: str, world: World) -> Record:
    """A record of the signal that the text is, or would have been.

    It stands in the chain of the subscription: what is in the way of a look may well be the resource's own entry.
    """
    now = world.now()
    parsed = parse_message(text, now)
    if isinstance(parsed, Unreadable):
        return of_unreadable(parsed, world.stamp, now)
    record = of_signal(parsed, world.stamp, now, Outcome.DEAD_LETTERED, "", "")
    named: JsonObject = {"resource": record.resource_id} if record.resource_id else {}
    return replace(record, resource_id="", resource_group="", evidence=named)


def _digest(text: str) -> str:
    """The same for the same message, however often it is buried."""
    return hashlib.sha256(text.encode(errors="replace")).hexdigest()[:32]
