"""The one order of things: parse, read, evaluate, decide, intend, apply, verify, record."""

import logging
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from shared.domain.arm_id import ArmId, parse_arm_id
from shared.domain.body import JsonObject, as_text
from shared.domain.catalogue import Catalogue
from shared.domain.contest import Attempt
from shared.domain.decision import Circumstances, Decision, Verdict, decide, guards_of
from shared.domain.drafting import Stamp, interrupted, of_decision, of_fix, of_signal, of_unreadable
from shared.domain.drift import Finding, evaluate
from shared.domain.failure import Cause, Refused, TryAgain
from shared.domain.guards import Reads
from shared.domain.ledger import Entry, next_look
from shared.domain.mode import Mode
from shared.domain.ports import Arm, Ledger, Log, Queue
from shared.domain.record import Outcome, Record, Row
from shared.domain.resource import Resource
from shared.domain.resource_types import PRIVATE_ENDPOINT_API_VERSION, ResourceType, judged_ancestor, known_type
from shared.domain.settings import Settings
from shared.domain.signal import Signal, Unreadable, about, parse_message, put_back
from shared.fixing import Order, Workbench, carry_out
from shared.patience import patience
from shared.turns import Turns

_LOG = logging.getLogger(__name__)
# How long a worker waits for a resource or a service before the signal goes back to the queue.
PATIENCE = timedelta(seconds=10)
_LONGEST_DELAY = timedelta(hours=6)
_FIRST_DELAY = timedelta(seconds=5)


@dataclass(frozen=True, slots=True)
class World:
    """Everything outside, and what was decided before the first signal came."""

    arm: Arm
    ledger: Ledger
    log: Log
    queue: Queue
    now: Callable[[], datetime]
    settings: Settings
    catalogue: Catalogue
    app_version: str
    turns: Turns

    @property
    def stamp(self) -> Stamp:
        """What every record of this process carries."""
        return Stamp(self.app_version, self.settings.digest)


@dataclass(frozen=True, slots=True)
class _Visit:
    """One worker's look at one resource for one signal."""

    world: World
    signal: Signal
    target: ArmId
    type: ResourceType
    ticket: str


async def remediate(message: str, world: World) -> None:
    """Does all that one queue message asks for.

    Returns when the signal has its records, is covered by a later read, or is back in the queue. Raises TryAgain
    only if not even the queue could take it back: then the host delivers the message again.
    """
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
        await _record_apart(of_unreadable(parsed, world.stamp, world.now()), world)
        return
    target = judged_ancestor(parsed.target)
    kind = known_type(target.type) if target else None
    if target is None or kind is None:
        await _ignore(parsed, "ignored.type", f"no rule judges resources of type {parsed.target.type}", world)
        return
    if parsed.failed:
        # Our own refused writes raise these too; looking again would send the same write for ever.
        reason = "an operation that did not succeed is no reason to look"
        await _ignore(replace(parsed, target=target), "ignored.failed-operation", reason, world)
        return
    async with world.turns.of(target.key):
        rows = await _look(_Visit(world, parsed, target, kind, ticket))
    await world.log.deliver(rows)


async def _ignore(signal: Signal, code: str, reason: str, world: World) -> None:
    await _record_apart(of_signal(signal, world.stamp, world.now(), Outcome.IGNORED, code, reason), world)


async def _record_apart(record: Record, world: World) -> None:
    """Writes a record that no look at a resource stands behind."""
    async with world.turns.of(record.chain):
        entry, rows = (await world.ledger.open(record.chain)).append((record,))
        await world.ledger.commit(entry, rows)
    await world.log.deliver(rows)


async def _look(visit: _Visit) -> tuple[Row, ...]:
    """Deals with the resource as it is now, and answers the rows that are to be sent."""
    world, signal = visit.world, visit.signal
    entry = await world.ledger.open(visit.target.key)
    if entry.intention is None:
        if entry.covers(signal.time, world.settings.operational.grace_seconds):
            return ()
        if not await _is_quiet(visit, entry):
            return ()
    began = world.now()
    if entry.held_by_another(visit.ticket, began):
        raise TryAgain(Cause("ledger.held", "another worker is at this resource"))
    try:
        body = await world.arm.read(visit.target, visit.type.api_version)
    except Refused as refused:
        # An open intention stays: the resource may be read again one day.
        entry, rows = entry.append((_about(visit, Outcome.REFUSED, refused.cause.code, refused.cause.text),))
        await world.ledger.commit(entry, rows)
        return rows
    if body is None and _may_have_missed(visit, began):
        await world.queue.put(put_back(signal, due=_next_look(visit)), _next_look(visit) - began)
        return ()
    if body is None:
        gone = _about(visit, Outcome.GONE, "gone", "there is no such resource any more")
        rows = await _commit(replace(entry, names=frozenset()), (*_interrupted(entry, None), gone), began, world)
        await world.ledger.attach(visit.target, (), sorted(entry.names))
        return rows
    resource = Resource(_as_spelt(visit.target, body), visit.type, body, entry.attached_to)
    return await _judge(replace(visit, target=resource.id), entry, resource, began)


def _as_spelt(target: ArmId, body: JsonObject) -> ArmId:
    """The id as ARM spells it: events spell one resource in many ways, and queries of the log should find it in one."""
    try:
        own = parse_arm_id(as_text(body.get("id")))
    except ValueError:
        return target
    return own if own.key == target.key else target


async def _is_quiet(visit: _Visit, entry: Entry) -> bool:
    """Whether the signal may be looked at now. If not, it waits in the queue, or a later one of its burst does."""
    world, signal = visit.world, visit.signal
    rest = signal.time + world.settings.operational.quiet_seconds - world.now()
    if rest <= timedelta() or signal.due:
        return not entry.awaits_later(signal.time)
    # Queue first: a crash between the two costs one evaluation more, never a signal.
    await world.queue.put(put_back(replace(signal, attempt=signal.attempt - 1)), rest)
    await world.ledger.wait_for_quiet(entry.key, *entry.burst(signal.time))
    return False


async def _judge(visit: _Visit, entry: Entry, resource: Resource, began: datetime) -> tuple[Row, ...]:
    world = visit.world
    if not resource.is_settled:
        raise TryAgain(Cause("arm.mid-update", f"the resource is {resource.state}"))
    forgotten = entry.names
    entry = await _attach(visit, entry, resource)
    if not resource.in_scope:
        reason = "neither tagged airlock=protect nor used by an AI resource that was seen"
        ignored = _about(visit, Outcome.IGNORED, "ignored.scope", reason)
        return await _commit(entry, (*_interrupted(entry, resource.body), ignored), began, world)
    findings = evaluate(resource, world.catalogue, world.settings.baseline)
    decisions = await _decide(visit, resource, findings, entry.history, began)
    fixes = [decision for decision in decisions if decision.verdict is Verdict.FIX]
    closed = _interrupted(entry, resource.body, fixes)
    records = [_draft(visit, resource, decision, began) for decision in decisions if decision not in fixes]
    sent: tuple[Row, ...] = ()
    if fixes:
        entry, sent, made = await carry_out(_bench(visit, entry), entry, _order(visit, resource, fixes, closed, began))
        records += made
    else:
        records += closed
    waits = [decision.until for decision in decisions if decision.until is not None]
    if _may_have_missed(visit, began) and not any(record.outcome is Outcome.FIXED for record in records):
        waits.append(_next_look(visit))
    entry = await _come_back(visit, entry, waits, began)
    if not findings and not records:
        records.append(_about(visit, Outcome.COMPLIANT, "compliant", "every rule of its type is satisfied"))
    rows = await _commit(entry, records, began, world)
    await world.ledger.attach(resource.id, (), sorted(forgotten - entry.names))
    return sent + rows


async def _decide(
    visit: _Visit, resource: Resource, findings: Sequence[Finding], history: tuple[Attempt, ...], now: datetime
) -> tuple[Decision, ...]:
    world = visit.world
    reads = await _guard_reads(resource, findings, world)
    return decide(resource, findings, Circumstances(world.settings, reads, history, now))


def _bench(visit: _Visit, entry: Entry) -> Workbench:
    world = visit.world

    async def decide_again(current: Resource, before: Decision) -> Decision | None:
        findings = evaluate(current, world.catalogue, world.settings.baseline)
        same_rule = [finding for finding in findings if finding.rule_id == before.finding.rule_id]
        return next(iter(await _decide(visit, current, same_rule, entry.history, world.now())), None)

    return Workbench(world.arm, world.ledger, world.now, world.settings.operational.lease_seconds, decide_again)


def _order(
    visit: _Visit, resource: Resource, fixes: Sequence[Decision], closed: Sequence[Record], began: datetime
) -> Order:
    drafts = [of_fix(visit.signal, visit.world.stamp, resource, decision, began) for decision in fixes]
    recall = put_back(replace(visit.signal, recalled=True))
    return Order(resource, fixes, drafts, closed, recall, visit.ticket)


def _may_have_missed(visit: _Visit, began: datetime) -> bool:
    """Whether a read that began then may still have shown the state before the change."""
    signal = visit.signal
    return not signal.due and began < signal.time + visit.world.settings.operational.grace_seconds


def _next_look(visit: _Visit) -> datetime:
    return next_look(visit.signal.time, visit.world.settings.operational.grace_seconds)


async def _come_back(visit: _Visit, entry: Entry, waits: Sequence[datetime], now: datetime) -> Entry:
    """Puts the signal back until the first of the times, unless a message comes back for that one already."""
    until = min(waits, default=None)
    if until is None or (entry.returns == until and not visit.signal.due):
        return entry  # unless this is the message that came back, and too early
    await visit.world.queue.put(put_back(visit.signal, due=until), until - now)
    return replace(entry, returns=until)


def _draft(visit: _Visit, resource: Resource, decision: Decision, began: datetime) -> Record:
    return of_decision(visit.signal, visit.world.stamp, resource, decision, began)


def _about(visit: _Visit, outcome: Outcome, code: str, reason: str) -> Record:
    return of_signal(visit.signal, visit.world.stamp, visit.world.now(), outcome, code, reason, visit.target)


async def _attach(visit: _Visit, entry: Entry, resource: Resource) -> Entry:
    """The entry with what the resource names now. What is named is noted before the entry says so, what is not any more
    is struck after it. What is named for the first time is looked at: its own events came while it was no business of
    ours."""
    named = {attached.key: attached for attached in resource.attachments()}
    if named.keys() != entry.names:
        await visit.world.ledger.attach(resource.id, sorted(named), ())
    for key in sorted(named.keys() - entry.names):
        await visit.world.queue.put(about(visit.signal, named[key], visit.world.now()), timedelta())
    return replace(entry, names=frozenset(named))


async def _guard_reads(resource: Resource, findings: Sequence[Finding], world: World) -> Reads:
    """The bodies that the guards of the findings ask for; None for one that is absent or not ours to see."""
    wanted: set[ArmId] = set()
    for finding in findings:
        if world.settings.mode_of(finding.remediation, finding.rule) is not Mode.OFF:
            wanted.update(*(guard.reads(resource) for guard in guards_of(finding)))
    return {target.key: await _read_if_ours(target, world.arm) for target in sorted(wanted, key=lambda id_: id_.key)}


async def _read_if_ours(target: ArmId, arm: Arm) -> JsonObject | None:
    try:
        return await arm.read(target, PRIVATE_ENDPOINT_API_VERSION)
    except Refused:
        return None  # what we may not see, a guard must not count on


def _interrupted(entry: Entry, body: JsonObject | None, fixes: Sequence[Decision] = ()) -> list[Record]:
    """The records of a fix whose worker did not come back, except where the fix is about to be made again."""
    if entry.intention is None:
        return []
    again = {decision.finding.rule_id for decision in fixes}
    closed = [interrupted(draft, body) for draft in entry.intention.drafts]
    return [record for record in closed if record.outcome is Outcome.FIXED or record.rule not in again]


async def _commit(entry: Entry, records: Sequence[Record], began: datetime, world: World) -> tuple[Row, ...]:
    """Commits the records with the watermark; only then may their rows be sent, so a crash between loses neither."""
    concluded, rows = entry.conclude(records, began)
    await world.ledger.commit(concluded, rows)
    return rows
