"""One look at one resource: read, evaluate, decide, intend, apply, verify, record."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from shared.deciding import baseline_of, decisions_on, on_approval, within_budget
from shared.domain.arm_id import ArmId
from shared.domain.body import JsonObject, as_text
from shared.domain.containment import contained
from shared.domain.decision import Decision, Verdict
from shared.domain.drafting import interrupted, of_decision, of_fix, shows_part
from shared.domain.drift import evaluate
from shared.domain.failure import Cause, Refused, TryAgain
from shared.domain.ledger import Entry, next_look
from shared.domain.orders import Approval
from shared.domain.record import Outcome, Record, Row
from shared.domain.resource import Resource, place_of
from shared.domain.rotation import is_pending
from shared.domain.signal import about, put_back
from shared.fixing import Order, Workbench, carry_out
from shared.responding import Answered, contain_children, respond
from shared.undoing import nothing_to_undo, undo
from shared.world import Visit, World

# How long a look lets keys that are claimed alone before it comes back: no worker has to wait for that.
_KEYS_TAKE = timedelta(seconds=30)
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
    if entry.leaves_acts_to_another(signal.cause, began):
        raise TryAgain(Cause("acts.open", "acts of an incident are brought to their end first"), _KEYS_TAKE)
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
        # A resource of that name that is made one day is another one.
        left = replace(entry, names=frozenset(), undos=(), holds=(), approvals=())
        rows = await _commit(left, records, began, world)
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
    if entry.undos and resource.is_settled and not entry.has_open_acts:
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
        resource = await visit.read_again(resource) if answered.acted else resource
    if not resource.is_settled:
        # What an incident asked for stands in the ledger by now, so it can wait for the rest.
        await _keep(answered, world)
        raise TryAgain(Cause("arm.mid-update", f"the resource is {resource.state}"))
    findings = evaluate(resource, world.catalogue, visit.baseline)
    decisions = await decisions_on(visit, resource, findings, entry, began)
    decisions += await on_approval(visit, resource, findings, entry, began)
    decisions = await within_budget(visit, entry, decisions)
    fixes = [decision for decision in decisions if decision.verdict is Verdict.FIX]
    # Written with the intention: it takes the place of the one that they stood in until now.
    closed = [*answered.records, *_interrupted(entry, resource.body, fixes)]
    records = [_draft(visit, resource, decision, began) for decision in decisions if decision not in fixes]
    sent += answered.rows
    if fixes:
        entry, closing, made = await carry_out(
            _bench(visit, entry), entry, _order(visit, resource, fixes, closed, began)
        )
        sent += closing
        records += made
    else:
        records = [*closed, *records]
    waits = [decision.until for decision in decisions if decision.until is not None]
    if _may_have_missed(visit, began) and not any(record.outcome is Outcome.FIXED for record in records):
        waits.append(_next_look(visit))
    entry = (await _come_back(visit, entry, waits, began)).spent(_used(entry, answered, [*closed, *records]), began)
    if not findings and not closed and not records and visit.incident is None:
        records.append(visit.record(Outcome.COMPLIANT, "compliant", "every rule of its type is satisfied"))
    rows = await _commit(entry, records, began, world)
    await world.ledger.attach(resource.id, (), sorted(forgotten - entry.names))
    if incident is not None:
        await contain_children(visit, incident, resource)
    return sent + rows


def _used(entry: Entry, answered: Answered, records: Sequence[Record]) -> list[Approval]:
    """The approvals that let something through, now or before a worker died."""
    named = {as_text((record.evidence or {}).get("approvalOf")) for record in records if record.rule}
    return [*answered.approvals, *(approval for approval in entry.approvals if approval.record_id in named)]


async def _keep(answered: Answered, world: World) -> None:
    """Writes the records of an incident that has to be looked at again; those that stand already are not repeated."""
    entry, rows = answered.entry.append(answered.records)
    if rows:
        await world.ledger.commit(entry, rows)
    await world.log.deliver((*answered.rows, *rows))


def _bench(visit: Visit, entry: Entry) -> Workbench:
    world = visit.world

    async def decide_again(current: Resource, before: Decision) -> Decision | None:
        findings = evaluate(current, world.catalogue, baseline_of(visit, current, before))
        same_rule = [finding for finding in findings if finding.rule_id == before.finding.rule_id]
        return next(iter(await decisions_on(visit, current, same_rule, entry, world.now())), None)

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
    if until is None or (until in entry.returns and visit.signal.due != until):
        return entry  # unless this is the message that came back, and too early: the queue hides none for ever
    await visit.world.queue.put(put_back(visit.signal, due=until), until - now)
    return entry.coming_back(until, now)


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


def _interrupted(entry: Entry, body: JsonObject | None, fixes: Sequence[Decision] = ()) -> list[Record]:
    """The records of a fix whose worker did not come back, except where nothing shows that it was made and it is about
    to be made again. Of what shows, a part may have been reverted meanwhile: that it was written is told all the same.
    """
    if entry.intention is None:
        return []
    again = {decision.finding.rule_id for decision in fixes}
    closed = [interrupted(draft, body) for draft in entry.intention.drafts]
    return [
        record
        for record in closed
        if record.outcome in _DONE or record.rule not in again or (body is not None and shows_part(record, body))
    ]


async def _commit(entry: Entry, records: Sequence[Record], began: datetime, world: World) -> tuple[Row, ...]:
    """Commits the records with the watermark; only then may their rows be sent, so a crash between loses neither."""
    concluded, rows = entry.conclude(records, began)
    await world.ledger.commit(concluded, rows)
    return rows
