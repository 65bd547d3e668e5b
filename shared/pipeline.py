"""From a raw queue message to whatever it asks for: a look at a resource, or the answer to an incident."""

import logging
import uuid
from dataclasses import replace
from datetime import timedelta

from shared.alerting import answer_alert
from shared.domain.drafting import of_unreadable
from shared.domain.failure import TryAgain
from shared.domain.mode import Mode
from shared.domain.redact import redact
from shared.domain.resource_types import judged_ancestor, known_type
from shared.domain.signal import Signal, Unreadable, parse_message, put_back
from shared.exposing import answer_exposure
from shared.looking import look
from shared.patience import patience
from shared.world import Visit, World, ignore, record_apart

_LOG = logging.getLogger(__name__)
# How long a worker waits for a resource or a service before the signal goes back to the queue.
PATIENCE = timedelta(seconds=10)
_LONGEST_DELAY = timedelta(hours=6)
_FIRST_DELAY = timedelta(seconds=5)


async def remediate(message: str, world: World) -> None:
    """Does all that one queue message asks for.

    Returns when the signal has its records, is covered by a later read, or is back in the queue. Raises TryAgain
    only if not even the queue could take it back: then the host delivers the message again. What else it raises is a
    mistake of ours; it is noted for whoever finds the message among the poisoned ones.
    """
    try:
        await _deal_with(message, world)
    except TryAgain:
        raise
    except Exception as mistake:
        await _note(mistake, message, world)
        raise


async def _note(mistake: Exception, message: str, world: World) -> None:
    try:
        await world.archive.note_crash(message, redact(f"{type(mistake).__name__}: {mistake}", 256), world.now())
    except TryAgain as again:
        _LOG.warning("what a message failed with could not be noted: %s", again)


async def _deal_with(message: str, world: World) -> None:
    parsed = parse_message(message, world.now())
    is_recalled = isinstance(parsed, Signal) and parsed.recalled
    if world.settings.mode is Mode.OFF and not is_recalled:
        return  # only what was begun before is still brought to its record
    ticket = (parsed.ticket if isinstance(parsed, Signal) else "") or uuid.uuid4().hex
    try:
        async for attempt in patience(PATIENCE):
            with attempt:
                await _once(parsed, ticket, world)
    except TryAgain as again:
        _LOG.info("put back: %s", again)
        if is_recalled:
            return  # the timer brings it again as long as its fix is open
        if isinstance(parsed, Signal):
            await world.queue.put(put_back(parsed, ticket), _delay(again, parsed.attempt))
        else:
            await world.queue.put(message, _FIRST_DELAY)


def _delay(again: TryAgain, attempt: int) -> timedelta:
    """How long a signal waits in the queue: what the service asked for, at least 5 s, doubled each time up to 6 h."""
    grown = min(_FIRST_DELAY * 2.0 ** min(attempt - 1, 16), _LONGEST_DELAY)
    return min(max(grown, again.after or grown), _LONGEST_DELAY)


async def _once(parsed: Signal | Unreadable, ticket: str, world: World) -> None:
    if isinstance(parsed, Unreadable):
        await record_apart(of_unreadable(parsed, world.stamp, world.now()), world)
    elif parsed.alert is not None:
        await answer_alert(parsed, parsed.alert, ticket, world)
    elif parsed.exposure is not None:
        await answer_exposure(parsed, parsed.exposure, ticket, world)
    else:
        await _look_at_target(parsed, ticket, world)


async def _look_at_target(signal: Signal, ticket: str, world: World) -> None:
    target = judged_ancestor(signal.target) if signal.target else None
    kind = known_type(target.type) if target else None
    if target is None or kind is None:
        named = signal.target.type if signal.target else "none"
        await ignore(signal, None, "ignored.type", f"no rule judges resources of type {named}", world)
        return
    if signal.failed:
        # Our own refused writes raise these too; looking again would send the same write for ever.
        reason = "an operation that did not succeed is no reason to look"
        await ignore(replace(signal, target=target), None, "ignored.failed-operation", reason, world)
        return
    async with world.turns.of(target.key):
        rows = await look(Visit(world, signal, target, kind, ticket, world.settings.baseline))
    await world.log.deliver(rows)
