"""Regenerating keys: claimed first, secondary before primary, published in between, never twice for one cause."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from shared.domain.act import ListKeys, ListQueryKeys, PublishKey, RegenerateKey
from shared.domain.body import Json
from shared.domain.drafting import finished, of_act, performed, refused
from shared.domain.failure import Refused
from shared.domain.incident import Incident
from shared.domain.ledger import Entry
from shared.domain.record import Outcome, Record
from shared.domain.resource import Resource
from shared.domain.resource_types import SEARCH
from shared.domain.rotation import Rotation, Step, Turn, steps, with_claims, without_claim
from shared.domain.secret import Secret
from shared.domain.vault import secret_name
from shared.world import Visit, hold


@dataclass(frozen=True, slots=True)
class _Key:
    """One key that is dealt with: the act that would regenerate it, its turn, and the draft of its record."""

    act: RegenerateKey
    step: Step
    draft: Record


@dataclass(frozen=True, slots=True)
class Rotating:
    """What is known before the first key is regenerated.

    `entry` holds the claims, not yet written. `records` are of what needs no act. `rules` are the rules that were
    taken up, whatever came of them. `query_keys` are the names of those that survive; None where there are none.
    """

    entry: Entry
    resource: Resource
    keys: Mapping[str, Secret]
    turns: tuple[_Key, ...] = ()
    records: tuple[Record, ...] = ()
    rules: frozenset[str] = frozenset()
    query_keys: tuple[str, ...] | None = None

    @property
    def drafts(self) -> tuple[Record, ...]:
        """The drafts of what is to be claimed."""
        return tuple(key.draft for key in self.turns)


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
    taken = replace(nothing, rules=frozenset({draft.rule}))
    ended = {rotation.slot for rotation in entry.rotations if rotation.cause == incident.cause and rotation.ended}
    if ended.issuperset(act.slot for act in acts):
        return taken  # a later delivery: listing keys once more would only look like an attack
    entry = await hold(entry, visit.ticket, visit.world)
    taken = replace(taken, entry=entry)
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
    found = steps(entry.rotations, keys, tuple(by_slot), incident.cause, visit.world.now())
    late = [step for step in found if step.turn is Turn.LATELY]
    turns = tuple(
        _Key(by_slot[step.claim.slot], step, of_act(draft, by_slot[step.claim.slot]))
        for step in found
        if step.turn is not Turn.LATELY
    )
    claimed = replace(entry, rotations=with_claims(entry.rotations, [key.step.claim for key in turns]))
    return Rotating(
        entry=claimed if turns else entry,
        resource=resource,
        keys=keys,
        turns=turns,
        records=tuple(_lately(of_act(draft, by_slot[step.claim.slot]), step.claim) for step in late),
        rules=taken.rules,
        query_keys=await _query_keys(visit, resource, first) if turns else None,
    )


async def rotate(visit: Visit, rotating: Rotating) -> tuple[Entry, list[Record]]:
    """Regenerates the claimed keys in their order. Answers the entry with the claims ended, and a record for each.

    Raises TryAgain where it is not known how a regeneration ended; the claims stay open.
    """
    entry, keys, records = rotating.entry, dict(rotating.keys), list[Record]()
    for key in rotating.turns:
        begun = visit.world.now()
        try:
            published = await _publish_before(visit, rotating, key, keys)
            if key.step.turn is Turn.REGENERATE:
                keys |= await visit.world.keys.regenerate(key.act)
        except Refused as problem:
            # Nothing happened to the key, so it counts for no limit.
            entry = replace(entry, rotations=without_claim(entry.rotations, key.step.claim))
            records.append(_timed(refused(key.draft, problem.cause), visit, begun))
            continue
        ended = replace(key.step.claim, ended=True)
        entry = replace(entry, rotations=with_claims(entry.rotations, [ended]))
        records.append(_timed(_regenerated(rotating, key, keys, published), visit, begun))
    return entry, records


async def _publish_before(visit: Visit, rotating: Rotating, key: _Key, keys: Mapping[str, Secret]) -> str | None:
    """Before the primary key dies, whoever reads the vault gets the secondary one. Answers the secret's name; None
    where nothing was published."""
    secondary, primary = key.act.scheme.slots
    is_due = key.act.slot == primary and key.step.turn is Turn.REGENERATE and secondary in keys
    if visit.world.vault is None or not is_due:
        return None
    name = secret_name(rotating.resource.id)
    await visit.world.vault.publish(PublishKey(name, key.act.mode), keys[secondary])
    return name


def _regenerated(rotating: Rotating, key: _Key, keys: Mapping[str, Secret], published: str | None) -> Record:
    dead, now = key.step.claim.fingerprint, keys.get(key.act.slot)
    evidence: dict[str, Json] = {}
    if published is not None:
        evidence["publishedAs"] = published
    if rotating.query_keys is not None:
        evidence["survivingQueryKeys"] = [*rotating.query_keys]
    if key.step.turn is Turn.DONE:
        evidence["interrupted"] = True
    if now is None or now.fingerprint == dead:
        reason = f"{key.act.slot} was regenerated, but the provider still answers with the old key"
        return performed(key.draft, Outcome.FIX_UNVERIFIED, "key.unverified", reason, **evidence)
    reason = f"{key.act.slot} was regenerated; the old key is dead"
    return performed(key.draft, Outcome.FIXED, "key.regenerated", reason, deadKey=dead, **evidence)


def _lately(draft: Record, other: Rotation) -> Record:
    reason = (
        f"{other.slot} was regenerated at {other.begun:%F %T}Z for another cause; a second time within 24 h needs a "
        "person's approval"
    )
    return performed(draft, Outcome.AWAITING_APPROVAL, "approval.rotated-lately", reason)


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


def _timed(record: Record, visit: Visit, begun: datetime) -> Record:
    now = visit.world.now()
    return finished(record, now, now - begun)


async def _query_keys(visit: Visit, resource: Resource, act: RegenerateKey) -> tuple[str, ...] | None:
    """The names of the keys that rotation leaves alone, for whoever has to delete them; None where there are none."""
    if resource.type is not SEARCH:
        return None
    try:
        names = await visit.world.keys.query_key_names(ListQueryKeys(resource.id, act.mode))
    except Refused:
        return ("(may not be listed)",)
    return tuple(name or "(default)" for name in names)
