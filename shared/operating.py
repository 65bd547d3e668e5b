"""What operators may order, and what becomes of it: everything but the order itself comes from the ledger."""

import json
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from shared.domain import operator
from shared.domain.arm_id import parse_arm_id
from shared.domain.body import JsonObject
from shared.domain.drafting import of_airlock
from shared.domain.failure import Cause, Refused, TryAgain
from shared.domain.kept import Kept
from shared.domain.ledger import Entry
from shared.domain.mode import Mode
from shared.domain.operator import Caller, OperatorAct, OperatorRequest, parse_request, undead
from shared.domain.orders import APPROVED_FOR, HELD_FOR, Approval, Hold, Undo, fingerprint
from shared.domain.record import Outcome, Record, Row
from shared.domain.resource_types import known_type
from shared.domain.signal import SignalKind, due_at, fit, of_ours, refit
from shared.domain.stores import BURIED, DEAD_LETTERS
from shared.domain.undo import rule_of
from shared.patience import patience
from shared.world import World, record_apart

# How long the ledger may be busy before the operator is told to try again, and of that how long one blob may.
_PATIENCE = timedelta(seconds=15)
_DELETED = timedelta(seconds=5)
_CONTAINERS = {operator.BURIED: BURIED, operator.DEAD_LETTERS: DEAD_LETTERS}
_MOST = 500
_UNDOABLE = frozenset({Outcome.FIXED, Outcome.FIX_UNVERIFIED})
_STATUS = {
    "operator.unreadable": 400,
    "operator.wrong-record": 409,
    "operator.mode": 409,
    "operator.nothing-kept": 404,
}


@dataclass(frozen=True, slots=True)
class Reply:
    """The HTTP answer to an operator."""

    status: int
    body: JsonObject


@dataclass(frozen=True, slots=True)
class _Ordered:
    """One operator's request, and the id under which all that comes of it is known."""

    caller: Caller
    request: OperatorRequest
    id: str


async def operate(body: bytes, authorization: str, world: World) -> Reply:
    """Does what a request asks for, if its token proves an operator. Raises nothing that an operator could cause.

    Whoever may not, and whatever is not to be done, is recorded: once an hour for the same caller and reason.
    """
    caller = None
    try:
        caller = await world.tokens.caller(authorization)
        ordered = _Ordered(caller, _allowed(caller, body), uuid.uuid4().hex)
        return await patience(_PATIENCE)(_do, ordered, world)
    except Refused as refused:
        return await _refused(caller, refused.cause, world)
    except TryAgain as again:
        # Whoever has proven nothing need not know what of ours is down.
        return _error(503, again.cause if caller else Cause("operator.busy", "try again in a minute"))


def _allowed(caller: Caller, body: bytes) -> OperatorRequest:
    if not caller.may_operate:
        raise Refused(Cause("operator.not-allowed", f"the caller does not have the app role {operator.ROLE}"))
    try:
        return parse_request(body)
    except ValueError as problem:
        raise Refused(Cause("operator.unreadable", str(problem))) from problem


async def _refused(caller: Caller | None, cause: Cause, world: World) -> Reply:
    try:
        await patience(_PATIENCE)(_tell_refused, caller, cause, world)
    except TryAgain:
        # What nobody could record was not refused either.
        return _error(503, Cause("operator.busy", "try again in a minute"))
    return _error(_STATUS.get(cause.code, 403), cause)


def _error(status: int, cause: Cause) -> Reply:
    return Reply(status, {"error": {"code": cause.code, "message": cause.text}})


async def _tell_refused(caller: Caller | None, cause: Cause, world: World) -> None:
    now = world.now()
    who = caller.object_id if caller else ""
    record = _record(who, Outcome.REFUSED, cause.code, cause.text, f"{cause.code} {who} {now:%Y-%m-%dT%H}", world)
    await record_apart(replace(record, severity="medium"), world)


def _record(who: str, outcome: Outcome, code: str, reason: str, cause: str, world: World) -> Record:  # noqa: PLR0913, PLR0917 - each is a column
    record = of_airlock(world.stamp, world.now(), outcome, code, reason, cause)
    return replace(record, signal_kind=SignalKind.OPERATOR_REQUEST.value, actor=who)


async def _do(ordered: _Ordered, world: World) -> Reply:
    request = ordered.request
    if world.settings.mode is Mode.OFF and request.act not in {OperatorAct.HOLD, OperatorAct.RELEASE}:
        raise Refused(Cause("operator.mode", "AIRLOCK_MODE is off here, so nothing is looked at"))
    if request.act is OperatorAct.REPLAY:
        return await _replay(ordered, world)
    kept = await world.archive.kept(request.record_id, world.now())
    if kept is None:
        # Another deployment's, or one too old: which of them is nobody's business who only guesses.
        raise Refused(Cause("operator.unknown-record", "this deployment keeps no such record"))
    match request.act:
        case OperatorAct.APPROVE:
            return await _approve(ordered, kept, world)
        case OperatorAct.UNDO:
            return await _undo(ordered, kept, world)
        case OperatorAct.HOLD:
            return await _hold(ordered, kept, world)
        case _:
            return await _release(ordered, kept, world)


async def _approve(ordered: _Ordered, kept: Kept, world: World) -> Reply:
    if kept.outcome is not Outcome.AWAITING_APPROVAL:
        raise _wrong(f"the record says {kept.outcome}: only AwaitingApproval can be approved")
    if not kept.changes:
        raise _wrong("the record does not hold what would be done, so nobody can approve it")
    until = world.now() + APPROVED_FOR
    approval = Approval(kept.rule, fingerprint(kept.changes), until, ordered.caller.object_id, kept.record_id)
    text = f"{kept.rule} is let through once, until {until:%F %T}Z"
    entry = await _opened(kept, world)
    record = _about(ordered, kept, Outcome.APPROVED, "operator.approve", text, world)
    if entry.has_spent(kept.record_id) and not entry.knows(record):
        raise _wrong("an approval of this record let its fix through already")
    entry = entry.approved(approval, world.now())
    message = due_at(kept.message, world.now()) if kept.message else _look(ordered, kept, world)
    return await _commit(entry, record, [message], world)


async def _undo(ordered: _Ordered, kept: Kept, world: World) -> Reply:
    if kept.outcome not in _UNDOABLE:
        raise _wrong(f"the record says {kept.outcome}: only a fix can be undone")
    target = parse_arm_id(kept.resource_id)
    kind = known_type(target.type)
    found = rule_of(kept.rule, kind, world.catalogue) if kind else None
    if found is None:
        raise _wrong(f"{kept.rule} has no state to go back to: a regenerated key, for one, stays regenerated")
    if not kept.changes:
        raise _wrong("the record does not hold what was replaced: it was too large")
    if (mode := world.settings.mode_of(*found)) is not Mode.ENFORCE:
        text = f"undoing is a write, and {found[0].name} is in mode {mode.value} here: set it to enforce first"
        raise Refused(Cause("operator.mode", text))
    who = ordered.caller.object_id
    until = world.now() + (ordered.request.span or HELD_FOR)
    # The hold comes with the order: the event of the undo must not have it fixed again.
    undo = Undo(kept.rule, kept.changes, kept.record_id, who, ordered.id)
    entry = (await _opened(kept, world)).held(_hold_of(kept, until, who))
    entry = replace(entry, undos=(*(each for each in entry.undos if each.rule != kept.rule), undo))
    text = f"{kept.rule} is to be taken back, and held until {until:%F %T}Z"
    record = _about(ordered, kept, Outcome.HELD, "operator.undo", text, world)
    return await _commit(entry, record, [_look(ordered, kept, world)], world)


async def _hold(ordered: _Ordered, kept: Kept, world: World) -> Reply:
    until = world.now() + (ordered.request.span or HELD_FOR)
    entry = (await _opened(kept, world)).held(_hold_of(kept, until, ordered.caller.object_id))
    text = f"{kept.rule} is held until {until:%F %T}Z"
    return await _commit(entry, _about(ordered, kept, Outcome.HELD, "operator.hold", text, world), [], world)


def _hold_of(kept: Kept, until: datetime, who: str) -> Hold:
    return Hold(kept.rule, until, who, frozenset(change.path for change in kept.changes))


async def _release(ordered: _Ordered, kept: Kept, world: World) -> Reply:
    entry = (await _opened(kept, world)).released(kept.rule, kept.changes)
    text = f"{kept.rule} is no longer held, and whoever fought over it is forgotten"
    record = _about(ordered, kept, Outcome.APPROVED, "operator.release", text, world)
    return await _commit(entry, record, [_look(ordered, kept, world)], world)


async def _replay(ordered: _Ordered, world: World) -> Reply:
    request, count, more = ordered.request, 0, False
    buried: list[str] = []
    if request.events:
        for event in request.events:
            await world.queue.put(fit(undead(event)), timedelta())
        count = len(request.events)
    else:
        container = _CONTAINERS[request.store] if request.store else BURIED
        names = [f"{request.record_id}.json"] if request.record_id else await world.blobs.names(container, most=_MOST)
        more = len(names) == _MOST
        for name in names:
            count += await _put_back(container, name, world)
        # Event Grid's own are left to `bury`, which has yet to record them.
        buried = names if container == BURIED else []
        if request.record_id and not count:
            raise Refused(Cause("operator.nothing-kept", "no event is kept for such a record"))
    text = f"{count} {'event is' if count == 1 else 'events are'} in the queue again{'; there are more' * more}"
    record = _record(
        ordered.caller.object_id, Outcome.APPROVED, "operator.replay", text, f"operator {ordered.id}", world
    )
    await record_apart(record, world)
    for name in buried:
        # Not with the rest of the order: whoever looks again finds nothing where only the answer was lost.
        await patience(_DELETED)(world.blobs.delete, BURIED, name)
    return Reply(202, {"text": text, "records": [record.record_id]})


async def _put_back(container: str, name: str, world: World) -> int:
    """Puts into the queue what a blob holds, and answers how much."""
    data = await world.blobs.read(container, name)
    messages = _messages(data or b"", container)
    for message in messages:
        await world.queue.put(message, timedelta())
    return len(messages)


def _messages(data: bytes, container: str) -> list[str]:
    """The messages of a blob: one as it was buried, or all the events of one of Event Grid's dead letters."""
    text = data.decode(errors="replace")
    if container == BURIED:
        return [refit(text)] if text else []
    try:
        events = json.loads(text)
    except (ValueError, RecursionError):
        return []  # `bury` keeps it for people
    return [fit(undead(event)) for event in events if isinstance(event, dict)] if isinstance(events, list) else []


def _wrong(text: str) -> Refused:
    return Refused(Cause("operator.wrong-record", text))


async def _opened(kept: Kept, world: World) -> Entry:
    return await world.ledger.open(parse_arm_id(kept.resource_id).key)


def _look(ordered: _Ordered, kept: Kept, world: World) -> str:
    target = parse_arm_id(kept.resource_id)
    return of_ours(SignalKind.OPERATOR_REQUEST, target, f"operator {ordered.id}", world.now())


def _about(ordered: _Ordered, kept: Kept, outcome: Outcome, code: str, text: str, world: World) -> Record:  # noqa: PLR0913, PLR0917 - each is a column
    target = parse_arm_id(kept.resource_id)
    record = _record(ordered.caller.object_id, outcome, code, text, f"operator {ordered.id}", world)
    return replace(
        record,
        signal_id=ordered.id,
        signal_time=world.now(),
        operation=ordered.request.act.value,
        resource_tenant_id=ordered.caller.tenant_id,
        subscription_id=target.subscription.lower(),
        resource_group=target.resource_group or "",
        resource_id=target.path,
        resource_type=target.type,
        ref=kept.rule.partition("/")[0],
        rule=kept.rule,
        severity="medium",
        evidence={"record": kept.record_id, "callerName": ordered.caller.name},
    )


async def _commit(entry: Entry, record: Record, messages: Sequence[str], world: World) -> Reply:
    """Writes the order with its record; only then is the resource looked at.

    An earlier try may have come so far, and a look may have carried the order out since: then it is not given again.
    """
    rows: tuple[Row, ...] = ()
    if not entry.knows(record):
        entry, rows = entry.append((record,))
        await world.ledger.commit(entry, rows)
    for message in messages:
        await world.queue.put(message, timedelta())
    await world.log.deliver(rows)
    return Reply(202, {"text": record.reason, "records": [record.record_id]})
