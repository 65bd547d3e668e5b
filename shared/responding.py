"""Answering an incident on one resource: evidence first, then the acts, each claimed before it is performed."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from shared.domain.act import Command, RegenerateKey
from shared.domain.arm_id import ArmId
from shared.domain.body import JsonObject
from shared.domain.decision import Verdict
from shared.domain.drafting import Scene, finished, interrupted, of_act, of_incident, of_proposal, performed, refused
from shared.domain.drift import changes
from shared.domain.evidence import snapshot
from shared.domain.failure import Refused, TryAgain
from shared.domain.incident import Incident
from shared.domain.ledger import Entry, Intention
from shared.domain.mode import Mode
from shared.domain.ports import Receipt
from shared.domain.proposal import Proposal, propose, wanted
from shared.domain.record import Outcome, Record, Row
from shared.domain.resource import Resource, place_of
from shared.domain.resource_types import COGNITIVE_ACCOUNTS
from shared.domain.response import Children
from shared.domain.signal import about, put_back
from shared.rotating import Rotating, prepare, rotate
from shared.verifying import read_until
from shared.world import Visit

# What evidence shows beside the resource itself.
_SHOWN_CHILDREN = ("deployments", "raiPolicies")


@dataclass(frozen=True, slots=True)
class Answered:
    """How far an incident is answered: the rows that stand in the ledger, and the records that have yet to.

    `acted` says that something was changed, so that the resource must be read anew.
    """

    entry: Entry
    rows: tuple[Row, ...] = ()
    records: tuple[Record, ...] = ()
    acted: bool = False


@dataclass(frozen=True, slots=True)
class _Errand:
    """One command with the draft of its record."""

    act: Command
    draft: Record


async def respond(visit: Visit, incident: Incident, entry: Entry, resource: Resource, began: datetime) -> Answered:
    """Does what the incident's row asks for as acts; containment that is a state is left to the rules.

    Raises TryAgain where it cannot be known yet how an act ended: its claim stays, and the next delivery goes on.
    """
    world = visit.world
    if _is_answered(entry, incident):
        return Answered(entry)
    children = await _children(visit, incident, resource)
    proposals = propose(resource, incident, children, world.catalogue, world.settings)
    evidence = snapshot(incident, resource, children, proposals)
    scene = Scene(visit.signal, world.stamp, resource, incident, began)
    records = [of_incident(scene, evidence)]
    drafts = {each.response.ref: of_proposal(scene, each) for each in proposals}
    records += [drafts[each.response.ref] for each in proposals if each.verdict not in {Verdict.FIX, Verdict.ADVISE}]
    doing = [each for each in proposals if each.verdict is Verdict.FIX]
    rotating = await prepare(visit, incident, entry, resource, _rotations(doing, drafts))
    errands = [
        _Errand(act, of_act(drafts[each.response.ref], act))
        for each in doing
        for act in each.plan.acts
        if isinstance(act, Command)
    ]
    await _contain_children(visit, incident, resource)
    handled = rotating.rules | {errand.draft.rule for errand in errands}
    records += [*rotating.records, *_left_open(rotating.entry, resource, handled)]
    if not rotating.drafts and not errands:
        return Answered(_without_acts(rotating.entry), (), tuple(records))
    return await _act(visit, rotating, errands, records)


def _is_answered(entry: Entry, incident: Incident) -> bool:
    """Whether an earlier delivery had the keys regenerated, and left nothing open."""
    claims = [rotation for rotation in entry.rotations if rotation.cause == incident.cause]
    return bool(claims) and all(claim.ended for claim in claims) and not _acts_open(entry)


async def _act(visit: Visit, rotating: Rotating, errands: Sequence[_Errand], records: Sequence[Record]) -> Answered:
    """Claims, performs, and writes down, so that what follows cannot lose it."""
    world = visit.world
    drafts = (*rotating.drafts, *(errand.draft for errand in errands))
    message = put_back(replace(visit.signal, recalled=True))
    begun = world.now()
    until = begun + world.settings.operational.lease_seconds
    claimed, early = rotating.entry.append(records)
    claimed = claimed.intend(Intention(message, begun, drafts), visit.ticket, until)
    entry = await world.ledger.commit(claimed, early)
    try:
        entry, made = await rotate(visit, replace(rotating, entry=entry))
        made += [await _perform(visit, errand) for errand in errands]
    except TryAgain:
        # What stands in the ledger already need not wait for the next try.
        await world.log.deliver(early)
        raise
    entry, rows = replace(entry, intention=None).append(made)
    entry = await world.ledger.commit(entry, rows)
    return Answered(entry, early + rows, (), acted=True)


async def _perform(visit: Visit, errand: _Errand) -> Record:
    """Performs a command and looks whether its target shows it."""
    world, begun = visit.world, visit.world.now()
    try:
        receipt = await world.arm.perform(errand.act)
        record = await _verified(visit, errand, receipt)
    except Refused as problem:
        record = refused(errand.draft, problem.cause)
    now = world.now()
    return finished(record, now, now - begun)


async def _verified(visit: Visit, errand: _Errand, receipt: Receipt) -> Record:
    draft = replace(errand.draft, arm_request_ids=list(receipt.request_ids))
    if receipt.failure is not None:
        return performed(draft, Outcome.FAILED, "arm.operation-failed", receipt.failure)
    act = errand.act

    async def look() -> JsonObject | None:
        return await visit.world.arm.read(act.target, act.read_api_version)

    body = await read_until(look, lambda body: not _shows(body, act))
    if _shows(body, act):
        return performed(draft, Outcome.FIXED, "performed", act.what)
    return performed(
        draft, Outcome.FIX_UNVERIFIED, "fix.unverified", "ARM took the act, but later reads do not show it"
    )


def _shows(body: JsonObject | None, act: Command) -> bool:
    return body is not None and not tuple(changes(body, act.shown))


def _rotations(doing: Sequence[Proposal], drafts: dict[str, Record]) -> tuple[tuple[RegenerateKey, ...], Record | None]:
    """The keys to be regenerated, with the record of the proposal that they belong to; none without one."""
    for proposal in doing:
        acts = tuple(act for act in proposal.plan.acts if isinstance(act, RegenerateKey))
        if acts:
            return acts, drafts[proposal.response.ref]
    return (), None


def _left_open(entry: Entry, resource: Resource, handled: frozenset[str]) -> list[Record]:
    """The records of acts that an interrupted worker had claimed and that nobody takes up again."""
    drafts = entry.intention.drafts if entry.intention else ()
    return [
        interrupted(draft, resource.body)
        for draft in drafts
        if draft.outcome is Outcome.UNCONFIRMED and draft.rule not in handled
    ]


def _without_acts(entry: Entry) -> Entry:
    """The entry without an intention of acts, which have their records now; one of fixes stays."""
    return replace(entry, intention=None) if _acts_open(entry) else entry


def _acts_open(entry: Entry) -> bool:
    return entry.intention is not None and any(draft.outcome is Outcome.UNCONFIRMED for draft in entry.intention.drafts)


async def _children(visit: Visit, incident: Incident, resource: Resource) -> Children:
    """The child resources that plans and evidence want to see; a kind that may not be read is left out."""
    world, row = visit.world, incident.row
    responses = wanted({*row.respond, *row.respond_on_approval}, resource, world.catalogue, world.settings)
    kinds = {kind for response in responses for kind in response.children}
    if resource.type is COGNITIVE_ACCOUNTS:
        kinds |= {*_SHOWN_CHILDREN}
    found: dict[str, Sequence[JsonObject]] = {}
    for kind in sorted(kinds):
        try:
            found[kind] = await world.arm.children(resource.id, kind, resource.type.api_version)
        except Refused:
            continue  # evidence without it says so by its absence, and a plan without it has no acts
    return found


async def _contain_children(visit: Visit, incident: Incident, resource: Resource) -> None:
    """Has the children looked at whose rules are part of the containment, each as a resource of its own."""
    world = visit.world
    for remediation in world.catalogue.remediations:
        for rule in remediation.rules if remediation.name in incident.row.contain else ():
            parent, _, kind = rule.type.name.rpartition("/")
            off = world.settings.mode_of(remediation, rule) is Mode.OFF
            if parent.lower() == resource.type.name.lower() and not off:
                for child in await _named(visit, resource, kind, rule.type.api_version):
                    await world.queue.put(about(visit.signal, child, world.now()), timedelta())


async def _named(visit: Visit, resource: Resource, kind: str, api_version: str) -> list[ArmId]:
    try:
        bodies = await visit.world.arm.children(resource.id, kind, api_version)
    except Refused:
        return []  # without a right to list them there is none to fix them either; their own events tell
    return [place for body in bodies if (place := place_of(body)) is not None]
