"""Making fixes: the intention first, then the write, then a read that shows it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from tenacity import AsyncRetrying, RetryError, retry_if_result, stop_after_delay, wait_exponential

from shared.domain.body import JsonObject
from shared.domain.decision import Decision
from shared.domain.drafting import applied, finished, refused, shows_fix
from shared.domain.failure import Cause, Refused, TryAgain
from shared.domain.fix import merge
from shared.domain.ledger import Entry, Intention
from shared.domain.ports import Arm, Ledger, Receipt
from shared.domain.record import Record
from shared.domain.resource import Resource

# How long reads may go on showing the state before the write until the fix counts as unverified.
_STALE_READS = timedelta(seconds=8)


@dataclass(frozen=True, slots=True)
class Workbench:
    """What a fix needs of the world. `lease` is how long the resource stays with this worker if it dies."""

    arm: Arm
    ledger: Ledger
    now: Callable[[], datetime]
    lease: timedelta


async def carry_out(  # noqa: PLR0913, PLR0917 - the hand-over from deciding to doing, each part a value of its own
    bench: Workbench,
    entry: Entry,
    resource: Resource,
    decisions: Sequence[Decision],
    drafts: Sequence[Record],
    message: str,
    ticket: str,
) -> tuple[Entry, list[Record]]:
    """Makes the fixes and answers the entry with its intention, and one record for every draft.

    `drafts` belong to the decisions one by one; `message` is what brings the signal back if this worker dies. Raises
    TryAgain where it cannot be known yet how a write ended: the intention stays, and the next look closes it.
    """
    begun = bench.now()
    intention = Intention(message, begun, tuple(drafts))
    entry = await bench.ledger.commit(entry.intend(intention, ticket, begun + bench.lease))
    answers = await _apply(bench, resource, decisions)
    taken = [draft for draft in drafts if _was_taken(answers[draft.rule])]
    body = await _verify(bench, resource, taken) if taken else None
    now = bench.now()
    records = [_ended(draft, answers[draft.rule], body) for draft in drafts]
    return entry, [finished(record, now, now - begun) for record in records]


def _was_taken(answer: Receipt | Cause) -> bool:
    return isinstance(answer, Receipt) and answer.failure is None


def _ended(draft: Record, answer: Receipt | Cause, body: JsonObject | None) -> Record:
    if isinstance(answer, Cause):
        return refused(draft, answer)
    return applied(draft, body, answer.request_ids, answer.failure)


async def _apply(bench: Workbench, resource: Resource, decisions: Sequence[Decision]) -> Mapping[str, Receipt | Cause]:
    """ARM's answer by rule id: all in one request, or, where that is refused for good, rule by rule, once."""
    fix = merge(resource, decisions)
    try:
        receipt = await bench.arm.send(fix)
    except Refused as problem:
        if len(decisions) == 1:
            return {fix.rules[0]: problem.cause}
    else:
        return dict.fromkeys(fix.rules, receipt)
    answers: dict[str, Receipt | Cause] = {}
    for decision in decisions:
        # Each write changes the ETag and the lists that the next one sends as a whole.
        answers[decision.finding.rule_id] = await _apply_alone(bench.arm, resource, decision)
    return answers


async def _apply_alone(arm: Arm, resource: Resource, decision: Decision) -> Receipt | Cause:
    try:
        return await arm.send(merge(await _read(arm, resource), (decision,)))
    except Refused as problem:
        return problem.cause


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

    None if the resource went, or may not be read any more: then nothing is proven.
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

    patience = AsyncRetrying(
        retry=retry_if_result(is_behind),
        wait=wait_exponential(multiplier=0.25, max=2),
        stop=stop_after_delay(_STALE_READS),
    )
    try:
        return await patience(look)
    except RetryError as spent:
        last: JsonObject | None = spent.last_attempt.result()
        return last
