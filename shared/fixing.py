"""Making fixes: the intention first, then the write, then a read that shows it."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from shared.domain.body import JsonObject
from shared.domain.decision import Decision, Verdict
from shared.domain.drafting import applied, changed, finished, refused, shows_fix
from shared.domain.failure import Cause, Refused, TryAgain
from shared.domain.fix import merge
from shared.domain.ledger import Entry, Intention
from shared.domain.ports import Arm, Ledger, Receipt
from shared.domain.record import Record, Row
from shared.domain.resource import Resource
from shared.verifying import read_until


@dataclass(frozen=True, slots=True)
class Workbench:
    """What a fix needs of the world.

    `lease` is how long the resource stays with this worker if it dies. `decide_again` judges one rule anew on a body
    that was just read; None where the rule is satisfied by now.
    """

    arm: Arm
    ledger: Ledger
    now: Callable[[], datetime]
    lease: timedelta
    decide_again: Callable[[Resource, Decision], Awaitable[Decision | None]]


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be fixed: the decisions with the draft of a record for each.

    `closed` are the records of an interrupted fix that this one follows. `message` brings the signal back if this
    worker dies, `ticket` is its lease.
    """

    resource: Resource
    decisions: Sequence[Decision]
    drafts: Sequence[Record]
    closed: Sequence[Record]
    message: str
    ticket: str


@dataclass(frozen=True, slots=True)
class _Answer:
    """What ARM said to one rule's fix, and the record's draft as it was finally sent."""

    draft: Record
    said: Receipt | Cause


async def carry_out(bench: Workbench, entry: Entry, order: Order) -> tuple[Entry, tuple[Row, ...], list[Record]]:
    """Makes the fixes. Answers the entry with its intention, the rows of what was closed before, and a record for
    every draft.

    Raises TryAgain where it cannot be known yet how a write ended: the intention stays, and the next look closes it.
    """
    begun = bench.now()
    chained, rows = entry.append(order.closed)
    entry = await _intend(bench, chained, order, begun, rows)
    entry, answers = await _apply(bench, entry, order, begun)
    taken = [answer.draft for answer in answers if isinstance(answer.said, Receipt) and answer.said.failure is None]
    body = await _verify(bench, order.resource, taken) if taken else None
    now = bench.now()
    return entry, rows, [finished(_ended(answer, body), now, now - begun) for answer in answers]


async def _intend(bench: Workbench, entry: Entry, order: Order, begun: datetime, rows: Sequence[Row] = ()) -> Entry:
    """Writes the intention, or renews its lease. Raises TryAgain if another worker came first: nothing is sent then."""
    intention = Intention(order.message, begun, tuple(order.drafts))
    return await bench.ledger.commit(entry.intend(intention, order.ticket, bench.now() + bench.lease), rows)


def _ended(answer: _Answer, body: JsonObject | None) -> Record:
    if isinstance(answer.said, Cause):
        return refused(answer.draft, answer.said)
    return applied(answer.draft, body, answer.said.request_ids, answer.said.failure)


async def _apply(bench: Workbench, entry: Entry, order: Order, begun: datetime) -> tuple[Entry, list[_Answer]]:
    """All in one request, or, where that is refused for good, rule by rule, once."""
    try:
        receipt = await bench.arm.send(merge(order.resource, order.decisions))
    except Refused as problem:
        if len(order.decisions) == 1:
            return entry, [_Answer(order.drafts[0], problem.cause)]
    else:
        return entry, [_Answer(draft, receipt) for draft in order.drafts]
    answers: list[_Answer] = []
    for decision, draft in zip(order.decisions, order.drafts, strict=True):
        entry = await _intend(bench, entry, order, begun)
        if answer := await _apply_alone(bench, order.resource, decision, draft):
            answers.append(answer)
    return entry, answers


async def _apply_alone(bench: Workbench, resource: Resource, decision: Decision, draft: Record) -> _Answer | None:
    """One rule on a new read: each write changes the ETag and the lists that the next one sends as a whole.

    None if the rule needs no fix any more, since another one's satisfies it too.
    """
    try:
        current = await _read(bench.arm, resource)
        again = await bench.decide_again(current, decision)
        if again is None:
            return None
        draft = changed(draft, again.finding)
        if again.verdict is not Verdict.FIX:
            return _Answer(draft, Cause(again.code, again.reason))
        return _Answer(draft, await bench.arm.send(merge(current, (again,))))
    except Refused as problem:
        return _Answer(draft, problem.cause)


async def _read(arm: Arm, resource: Resource) -> Resource:
    body = await arm.read(resource.id, resource.type.api_version)
    if body is None:
        raise TryAgain(Cause("arm.vanished", "the resource went away while it was being fixed"))
    current = replace(resource, body=body)
    if not current.is_settled:
        raise TryAgain(Cause("arm.mid-update", f"the resource is {current.state}"))
    return current


async def _verify(bench: Workbench, resource: Resource, taken: Sequence[Record]) -> JsonObject | None:
    """The body of the first read that shows all that was written, else of the last one.

    None if the resource went, or may not be read any more: then nothing is proven. Raises TryAgain while the provider
    is still at it: the next look closes the intention.
    """

    async def look() -> JsonObject | None:
        try:
            return await bench.arm.read(resource.id, resource.type.api_version)
        except Refused:
            return None

    def is_behind(body: JsonObject | None) -> bool:
        if body is None:
            return False
        settled = replace(resource, body=body).is_settled
        return not settled or not all(shows_fix(record, body) for record in taken)

    last = await read_until(look, is_behind)
    if last is not None and not replace(resource, body=last).is_settled:
        raise TryAgain(Cause("arm.mid-update", "the provider is still at the fix"))
    return last
