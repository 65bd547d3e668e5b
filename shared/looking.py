"""One look at one resource: read, evaluate, decide, intend, apply, verify, record."""

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from shared.domain.arm_id import ArmId
from shared.domain.body import JsonObject
from shared.domain.budget import next_hour
from shared.domain.containment import contained
from shared.domain.decision import (
    Circumstances,
    Decision,
    Verdict,
    decide,
    guards_of,
    is_critical,
    over_budget,
)
from shared.domain.drafting import interrupted, of_decision, of_fix
from shared.domain.drift import Finding, evaluate
from shared.domain.failure import Cause, Refused, TryAgain
from shared.domain.guards import Reads
from shared.domain.ledger import Entry, next_look
from shared.domain.mode import Mode
from shared.domain.orders import Approval
from shared.domain.ports import Arm
from shared.domain.record import Outcome, Record, Row
from shared.domain.resource import Resource, place_of
from shared.domain.resource_types import PRIVATE_ENDPOINT_API_VERSION
from shared.domain.rotation import is_pending
from shared.domain.signal import about, put_back
from shared.fixing import Order, Workbench, carry_out
from shared.responding import Answered, contain_children, respond
from shared.undoing import nothing_to_undo, undo
from shared.world import Visit, World

# How long a look lets keys that are claimed alone before it comes back: no worker has to wait for that.
_KEYS_TAKE = timedelta(seconds=30)
# What waits for the next hour's budget comes back within so many seconds of it.
_SPREAD_SECONDS = 300
_DONE = frozenset({Outcome.FIXED, Outcome.UNDONE})


async def look(visit: Visit) -> tuple[Row, ...]:
    """Deals with the resource as it is now, and answers the rows that are to be sent."""
    world, signal = visit.world, visit.signal
    entry = await world.ledger.open(visit.target.key)
    if entry.intention is None and visit.incident is None:
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
        entry, rows = entry.append((visit.record(Outcome.REFUSED, refused.cause.code, refused.cause.text),))
        await world.ledger.commit(entry, rows)
        return rows
    if body is None and _may_have_missed(visit, began):
        await world.queue.put(put_back(signal, due=_next_look(visit)), _next_look(visit) - began)
        return ()
    if body is None:
        gone = visit.record(Outcome.GONE, "gone", "there is no such resource any more")
        records = (*_interrupted(entry, None), *nothing_to_undo(visit, entry), gone)
        rows = await _commit(replace(entry, names=frozenset(), undos=()), records, began, world)
        await world.ledger.attach(visit.target, (), sorted(entry.names))
        return rows
    resource = Resource(_as_spelt(visit.target, body), visit.type, body, entry.attached_to)
    return await _judge(replace(visit, target=resource.id), entry, resource, began)


def _as_spelt(target: ArmId, body: JsonObject) -> ArmId:
    """The id as ARM spells it: events spell one resource in many ways, and queries of the log should find it in one."""
    own = place_of(body)
    return own if own is not None and own.key == target.key else target


async def _is_quiet(visit: Visit, entry: Entry) -> bool:
    """Whether the signal may be looked at now. If not, it waits in the queue, or a later one of its burst does."""
    world, signal = visit.world, visit.signal
    rest = signal.time + world.settings.operational.quiet_seconds - world.now()
    if rest <= timedelta() or signal.due:
        return not entry.awaits_later(signal.time)
    # Queue first: a crash between the two costs one evaluation more, never a signal.
    await world.queue.put(put_back(replace(signal, attempt=signal.attempt - 1)), rest)
    await world.ledger.wait_for_quiet(entry.key, *entry.burst(signal.time))
    return False


async def _judge(visit: Visit, entry: Entry, resource: Resource, began: datetime) -> tuple[Row, ...]:
    world = visit.world
    sent: tuple[Row, ...] = ()
    if entry.undos and resource.is_settled:
        undone = await undo(visit, entry, resource, _interrupted(entry, resource.body))
        entry, sent, resource = undone.entry, undone.rows, undone.resource
    forgotten = entry.names
    entry = await _attach(visit, entry, resource)
    if not resource.in_scope:
        reason = "neither tagged airlock=protect nor used by an AI resource that was seen"
        ignored = visit.record(Outcome.IGNORED, "ignored.scope", reason)
        return sent + await _commit(entry, (*_interrupted(entry, resource.body), ignored), began, world)
    if is_pending(entry.rotations, began, besides=visit.incident.cause if visit.incident else ""):
        raise TryAgain(Cause("keys.pending", "the keys are about to be regenerated for an incident"), _KEYS_TAKE)
    answered = Answered(entry)
    if (incident := visit.incident) is not None:
        visit = replace(visit, baseline=contained(world.settings.baseline, resource, incident))
        answered = await respond(visit, incident, entry, resource, began)
        entry = answered.entry
        resource = await _as_left(visit, resource) if answered.acted else resource
    if not resource.is_settled:
        # What an incident asked for stands in the ledger by now, so it can wait for the rest.
        await _keep(answered, world)
        raise TryAgain(Cause("arm.mid-update", f"the resource is {resource.state}"))
    findings = evaluate(resource, world.catalogue, visit.baseline)
    decisions = await _decide(visit, resource, findings, entry, began)
    decisions += await _on_approval(visit, resource, findings, entry, began)
    decisions = await _within_budget(visit, entry, decisions)
    fixes = [decision for decision in decisions if decision.verdict is Verdict.FIX]
    closed = _interrupted(entry, resource.body, fixes)
    records = [_draft(visit, resource, decision, began) for decision in decisions if decision not in fixes]
    records = [*answered.records, *records]
    sent += answered.rows
    if fixes:
        entry, closing, made = await carry_out(
            _bench(visit, entry), entry, _order(visit, resource, fixes, closed, began)
        )
        sent += closing
        records += made
    else:
        records += closed
    waits = [decision.until for decision in decisions if decision.until is not None]
    if _may_have_missed(visit, began) and not any(record.outcome is Outcome.FIXED for record in records):
        waits.append(_next_look(visit))
    entry = (await _come_back(visit, entry, waits, began)).spent(_used(answered, fixes), began)
    if not findings and not records and visit.incident is None:
        records.append(visit.record(Outcome.COMPLIANT, "compliant", "every rule of its type is satisfied"))
    rows = await _commit(entry, records, began, world)
    await world.ledger.attach(resource.id, (), sorted(forgotten - entry.names))
    if incident is not None:
        await contain_children(visit, incident, resource)
    return sent + rows


async def _decide(
    visit: Visit, resource: Resource, findings: Sequence[Finding], entry: Entry, now: datetime
) -> tuple[Decision, ...]:
    reads = await _guard_reads(resource, findings, visit.world)
    return decide(resource, findings, _given(visit, entry, reads, now))


def _given(visit: Visit, entry: Entry, reads: Reads, now: datetime) -> Circumstances:
    given = Circumstances(visit.world.settings, reads, entry.history, now, visit.baseline)
    return replace(given, holds=entry.holds, approvals=entry.approvals)


async def _within_budget(visit: Visit, entry: Entry, decisions: tuple[Decision, ...]) -> tuple[Decision, ...]:
    """The decisions with the fixes that the hour has room for; the others wait for the next one.

    A fix that was begun before was counted then.
    """
    fixes = [decision for decision in decisions if decision.verdict is Verdict.FIX]
    if not fixes or entry.intention is not None:
        return decisions
    world, now, subscription = visit.world, visit.world.now(), visit.target.subscription.lower()
    limit = world.settings.operational.max_fixes_per_hour
    urgent = [decision for decision in fixes if is_critical(decision) or visit.incident is not None]
    if len(urgent) < len(fixes) and await world.budgets.claim(subscription, now, limit, critical=False):
        return decisions
    if urgent and await world.budgets.claim(subscription, now, limit, critical=True):
        fixes = [decision for decision in fixes if decision not in urgent]
    until = next_hour(now) + _spread(visit)
    return tuple(over_budget(decision, limit, until) if decision in fixes else decision for decision in decisions)


def _spread(visit: Visit) -> timedelta:
    """Where in the first minutes of an hour this resource has its turn, so that not all of them come at once."""
    return timedelta(seconds=int(hashlib.sha256(visit.target.key.encode()).hexdigest()[:4], 16) % _SPREAD_SECONDS)


def _used(answered: Answered, fixes: Sequence[Decision]) -> list[Approval]:
    """The approvals that let something through in this look."""
    return [*answered.approvals, *(decision.approval for decision in fixes if decision.approval is not None)]


async def _on_approval(
    visit: Visit, resource: Resource, findings: Sequence[Finding], entry: Entry, now: datetime
) -> tuple[Decision, ...]:
    """What the incident's row contains only if a person approves, beyond what is found anyway."""
    if visit.incident is None or not visit.incident.row.contain_on_approval:
        return ()
    world = visit.world
    strict = contained(world.settings.baseline, resource, visit.incident, approved=True)
    more = [
        finding
        for finding in evaluate(resource, world.catalogue, strict)
        if finding.remediation.name in visit.incident.row.contain_on_approval and finding not in findings
    ]
    reads = await _guard_reads(resource, more, world)
    return decide(resource, more, replace(_given(visit, entry, reads, now), baseline=strict, needs_approval=True))


async def _as_left(visit: Visit, resource: Resource) -> Resource:
    """The resource as acts left it."""
    try:
        body = await visit.world.arm.read(resource.id, resource.type.api_version)
    except Refused as refused:
        raise TryAgain(refused.cause) from refused  # a new look will meet it, and record it
    if body is None:
        raise TryAgain(Cause("arm.vanished", "the resource went away while an incident was answered"))
    return replace(resource, body=body)


async def _keep(answered: Answered, world: World) -> None:
    """Writes the records of an incident that has to be looked at again; those that stand already are not repeated."""
    entry, rows = answered.entry.append(answered.records)
    if rows:
        await world.ledger.commit(entry, rows)
    await world.log.deliver((*answered.rows, *rows))


def _bench(visit: Visit, entry: Entry) -> Workbench:
    world = visit.world

    async def decide_again(current: Resource, before: Decision) -> Decision | None:
        findings = evaluate(current, world.catalogue, visit.baseline)
        same_rule = [finding for finding in findings if finding.rule_id == before.finding.rule_id]
        return next(iter(await _decide(visit, current, same_rule, entry, world.now())), None)

    return Workbench(world.arm, world.ledger, world.now, world.settings.operational.lease_seconds, decide_again)


def _order(
    visit: Visit, resource: Resource, fixes: Sequence[Decision], closed: Sequence[Record], began: datetime
) -> Order:
    drafts = [of_fix(visit.signal, visit.world.stamp, resource, decision, began) for decision in fixes]
    recall = put_back(replace(visit.signal, recalled=True))
    return Order(resource, fixes, drafts, closed, recall, visit.ticket)


def _may_have_missed(visit: Visit, began: datetime) -> bool:
    """Whether a read that began then may still have shown the state before the change. An incident is no change."""
    signal = visit.signal
    return (
        not signal.due
        and visit.incident is None
        and began < signal.time + visit.world.settings.operational.grace_seconds
    )


def _next_look(visit: Visit) -> datetime:
    return next_look(visit.signal.time, visit.world.settings.operational.grace_seconds)


async def _come_back(visit: Visit, entry: Entry, waits: Sequence[datetime], now: datetime) -> Entry:
    """Puts the signal back until the first of the times, unless a message comes back for that one already."""
    until = min(waits, default=None)
    if until is None or (entry.returns == until and not visit.signal.due):
        return entry  # unless this is the message that came back, and too early
    await visit.world.queue.put(put_back(visit.signal, due=until), until - now)
    return replace(entry, returns=until)


def _draft(visit: Visit, resource: Resource, decision: Decision, began: datetime) -> Record:
    return of_decision(visit.signal, visit.world.stamp, resource, decision, began)


async def _attach(visit: Visit, entry: Entry, resource: Resource) -> Entry:
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
    return [record for record in closed if record.outcome in _DONE or record.rule not in again]


async def _commit(entry: Entry, records: Sequence[Record], began: datetime, world: World) -> tuple[Row, ...]:
    """Commits the records with the watermark; only then may their rows be sent, so a crash between loses neither."""
    concluded, rows = entry.conclude(records, began)
    await world.ledger.commit(concluded, rows)
    return rows
