"""Regenerating keys: claimed first, secondary before primary, published in between, never twice for one cause."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from shared.domain.act import ListKeys, ListQueryKeys, PublishKey, RegenerateKey, changed_by
from shared.domain.body import Json
from shared.domain.drafting import finished, of_act, once_approved, performed, refused
from shared.domain.failure import Cause, Refused, TryAgain
from shared.domain.incident import Incident
from shared.domain.ledger import Entry
from shared.domain.orders import approval_of
from shared.domain.record import Outcome, Record
from shared.domain.resource import Resource
from shared.domain.resource_types import SEARCH
from shared.domain.rotation import Rotation, Step, Turn, steps, with_claims, without_claim
from shared.domain.secret import Secret
from shared.domain.vault import secret_name
from shared.world import Progress, Visit, lease

# So long the primary key is left alive for a vault that does not answer; then a person has to decide.
_VAULT_MAY_FAIL_FOR = timedelta(minutes=30)


@dataclass(frozen=True, slots=True)
class KeyTurn:
    """One key that is dealt with: the act that would regenerate it, its turn, and the draft of its record."""

    act: RegenerateKey
    step: Step
    draft: Record


@dataclass(frozen=True, slots=True)
class Rotating:
    """What is known before a key is regenerated.

    `entry` holds the claims, not yet written. `keys` are the current ones. `records` are of what needs no act.
    `query_keys` are the names of those that survive; None where there are none.
    """

    entry: Entry
    resource: Resource
    keys: Mapping[str, Secret]
    turns: tuple[KeyTurn, ...] = ()
    records: tuple[Record, ...] = ()
    query_keys: tuple[str, ...] | None = None


async def prepare(
    visit: Visit,
    incident: Incident,
    entry: Entry,
    resource: Resource,
    wanted: tuple[Sequence[RegenerateKey], Record | None],
) -> Rotating:
    """Looks at the keys and settles whose turn it is. Lists them only if there is something to regenerate."""
    acts, draft = wanted
    nothing = Rotating(entry, resource, {})
    if not acts or draft is None:
        return nothing
    ended = {rotation.slot for rotation in entry.rotations if rotation.cause == incident.cause and rotation.ended}
    if ended.issuperset(act.slot for act in acts):
        return nothing  # a later delivery: listing keys once more would only look like an attack
    entry = await lease(entry, visit.ticket, visit.world)
    taken = replace(nothing, entry=entry)
    first = acts[0]
    try:
        keys = await visit.world.keys.current(ListKeys(resource.id, first.scheme, first.mode))
    except Refused as problem:
        return _unseen(taken, incident, acts, draft) or replace(taken, records=(refused(draft, problem.cause),))
    known = any(rotation.cause == incident.cause for rotation in entry.rotations)
    if incident.exposure is not None and not known and not _matches(keys, incident.exposure.sha256):
        text = "no current key matches"
        return replace(taken, records=(performed(draft, Outcome.REFUSED, "secret.no-match", text),))
    by_slot = {act.slot: act for act in acts}
    now = visit.world.now()
    approved = {act.slot for act in acts if approval_of(draft.rule, changed_by(act), entry.approvals, now)}
    found = steps(entry.rotations, keys, tuple(by_slot), incident.cause, now, approved=approved)
    late = [step for step in found if step.turn is Turn.LATELY]
    turns = tuple(
        KeyTurn(by_slot[step.claim.slot], step, of_act(draft, by_slot[step.claim.slot]))
        for step in found
        if step.turn is not Turn.LATELY
    )
    claimed = replace(entry, rotations=with_claims(entry.rotations, [key.step.claim for key in turns]))
    return Rotating(
        entry=claimed if turns else entry,
        resource=resource,
        keys=keys,
        turns=turns,
        records=tuple(_lately(visit, of_act(draft, by_slot[step.claim.slot]), step.claim) for step in late),
        query_keys=await _query_keys(visit, resource, first) if turns else None,
    )


async def rotate(visit: Visit, rotating: Rotating, key: KeyTurn, progress: Progress) -> tuple[Rotating, Progress]:
    """Regenerates one claimed key, and ends its claim. Answers what is known of the keys then.

    Raises TryAgain where it is not known how the regeneration ended; the claim stays open.
    """
    begun = visit.world.now()
    entry, keys = progress.entry, dict(rotating.keys)
    try:
        published = await _publish_before(visit, rotating, key)
        if key.step.turn is Turn.REGENERATE:
            keys |= await visit.world.keys.regenerate(key.act)
    except Refused as problem:
        # Nothing happened to the key, so it counts for no limit.
        entry = replace(entry, rotations=without_claim(entry.rotations, key.step.claim))
        record = refused(key.draft, problem.cause)
    else:
        entry = replace(entry, rotations=with_claims(entry.rotations, [replace(key.step.claim, ended=True)]))
        record = _regenerated(rotating.query_keys, key, keys, published)
    now = visit.world.now()
    progress = await replace(progress, entry=entry).end(key.draft, finished(record, now, now - begun), visit.world)
    return replace(rotating, keys=keys), progress


async def _publish_before(visit: Visit, rotating: Rotating, key: KeyTurn) -> str | None:
    """Before the primary key dies, whoever reads the vault gets the secondary one. Answers the secret's name; None
    where nothing was published. A vault that does not answer is waited for, but not for ever."""
    secondary, primary = key.act.scheme.slots
    is_due = key.act.slot == primary and key.step.turn is Turn.REGENERATE and secondary in rotating.keys
    if visit.world.vault is None or not is_due:
        return None
    name = secret_name(rotating.resource.id)
    try:
        await visit.world.vault.publish(PublishKey(name, key.act.mode), rotating.keys[secondary])
    except TryAgain as again:
        if visit.world.now() < visit.signal.received + _VAULT_MAY_FAIL_FOR:
            raise
        text = f"{key.act.slot} still works: the new key could not be published before it ({again.cause.text})"
        raise Refused(Cause(again.cause.code, text)) from again
    return name


def _regenerated(
    query_keys: tuple[str, ...] | None, key: KeyTurn, keys: Mapping[str, Secret], published: str | None
) -> Record:
    dead, now = key.step.claim.fingerprint, keys.get(key.act.slot)
    evidence: dict[str, Json] = {}
    if published is not None:
        evidence["publishedAs"] = published
    if query_keys is not None:
        evidence["survivingQueryKeys"] = [*query_keys]
    if now is None or now.fingerprint == dead:
        reason = f"{key.act.slot} was regenerated, but the provider still answers with the old key"
        return performed(key.draft, Outcome.FIX_UNVERIFIED, "key.unverified", reason, **evidence)
    reason = f"{key.act.slot} was regenerated; the old key is dead"
    if key.step.turn is Turn.DONE:
        evidence["interrupted"] = True
        reason = f"a worker was interrupted around the regeneration of {key.act.slot}; the old key is dead"
    return performed(key.draft, Outcome.FIXED, "key.regenerated", reason, deadKey=dead, **evidence)


def _lately(visit: Visit, draft: Record, other: Rotation) -> Record:
    done = f"{'regenerated' if other.ended else 'claimed'} at {other.begun:%F %T}Z"
    reason = f"{other.slot} was {done} for another cause; a second time within 24 h needs a person's approval"
    record = performed(draft, Outcome.AWAITING_APPROVAL, "approval.rotated-lately", reason)
    return replace(record, message=once_approved(visit.signal, visit.world.now()))


def _unseen(taken: Rotating, incident: Incident, acts: Sequence[RegenerateKey], draft: Record) -> Rotating | None:
    """The end of claims of which nobody can see any more what became of them; None where none was open."""
    claims = {claim.slot: claim for claim in taken.entry.rotations if claim.cause == incident.cause and not claim.ended}
    if not claims:
        return None
    ended = [replace(claim, ended=True) for claim in claims.values()]
    reason = "the worker was interrupted around the regeneration, and the keys cannot be listed now"
    return replace(
        taken,
        entry=replace(taken.entry, rotations=with_claims(taken.entry.rotations, ended)),
        records=tuple(
            performed(of_act(draft, act), Outcome.UNCONFIRMED, "act.unconfirmed", reason)
            for act in acts
            if act.slot in claims
        ),
    )


def _matches(keys: Mapping[str, Secret], sha256: str) -> bool:
    return any(key.matches(sha256) for key in keys.values())


async def _query_keys(visit: Visit, resource: Resource, act: RegenerateKey) -> tuple[str, ...] | None:
    """The names of the keys that rotation leaves alone, for whoever has to delete them; None where there are none."""
    if resource.type is not SEARCH:
        return None
    try:
        names = await visit.world.keys.query_key_names(ListQueryKeys(resource.id, act.mode))
    except Refused:
        return ("(may not be listed)",)
    return tuple(name or "(default)" for name in names)
