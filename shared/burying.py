"""What could not be dealt with: a record for each, the event kept for whoever mends it and wants it again."""

import hashlib
import json
from dataclasses import replace
from datetime import timedelta

from shared.domain.body import Json, JsonObject, as_object, as_text
from shared.domain.drafting import of_signal, of_unreadable
from shared.domain.operator import undead
from shared.domain.ports import Poisoned
from shared.domain.record import Outcome, Record
from shared.domain.redact import one_line, redact
from shared.domain.signal import Unreadable, fit, parse_message
from shared.domain.stores import BURIED, DEAD_LETTERS
from shared.world import World, record_apart

# So many blobs of dead letters in one run; the rest waits for the next one.
_MOST_BLOBS = 200
# How Event Grid says that an event was too large for the queue: cut down, it is not.
_TOO_LARGE = frozenset({"payloadtoolarge", "requestentitytoolarge"})


async def bury(world: World) -> None:
    """Deals with the messages that made the function crash, and with the events that Event Grid could not deliver.

    Each gets a record, is kept where `airlock replay` finds it, and only then deleted from where it was. Raises
    TryAgain; the next run goes on.
    """
    while poisoned := await world.poison.take():
        for each in poisoned:
            error = await world.archive.crash_of(each.text, world.now())
            await _lay_down(each.text, _of_poison(each, error, world), world)
            await world.poison.remove(each)
    for name in await world.blobs.names(DEAD_LETTERS, most=_MOST_BLOBS):
        await _bury_blob(name, world)


async def _bury_blob(name: str, world: World) -> None:
    data = await world.blobs.read(DEAD_LETTERS, name)
    if data is None:
        return
    for event in _events(data):
        text = json.dumps(undead(event)) if isinstance(event, dict) else json.dumps(event)
        record = _of_dead_letter(as_object(event), text, name, world)
        if record.reason_code in {f"dead-letter.{outcome}" for outcome in _TOO_LARGE} and isinstance(event, dict):
            await world.queue.put(fit(undead(event)), timedelta())
            record = replace(record, reason=f"{record.reason}; cut down and put into the queue")
        await _lay_down(text, record, world)
    await world.blobs.delete(DEAD_LETTERS, name)


def _events(data: bytes) -> list[Json]:
    """The events of a blob of dead letters; one that nobody can read is kept as the text that it is."""
    try:
        found: Json = json.loads(data)
    except (ValueError, RecursionError):
        return [data.decode(errors="replace")]
    return found if isinstance(found, list) else [found]


async def _lay_down(text: str, record: Record, world: World) -> None:
    await world.blobs.create(BURIED, f"{record.record_id}.json", text.encode())
    await record_apart(record, world)


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
        cause=f"poison {poisoned.id}",
    )


def _of_dead_letter(event: JsonObject, text: str, blob: str, world: World) -> Record:
    told = {name.lower(): value for name, value in event.items()}
    outcome = one_line(as_text(told.get("lastdeliveryoutcome")), 64) or "unknown"
    why = one_line(as_text(told.get("deadletterreason")), 64) or "an unknown reason"
    attempts = told.get("deliveryattempts")
    reason = f"Event Grid gave the event up after {attempts} attempts: {why}, the last one ended with {outcome}"
    record = _about(text, world)
    return replace(
        record,
        outcome=Outcome.DEAD_LETTERED,
        reason_code=f"dead-letter.{outcome.lower()}",
        reason=redact(reason),
        severity="medium",
        evidence={**(record.evidence or {}), "deadLetter": one_line(blob, 512)},
        cause=f"dead-letter {hashlib.sha256(f'{blob} {text}'.encode()).hexdigest()[:32]}",
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
