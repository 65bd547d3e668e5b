"""Answering an incident on one resource: evidence first, then the acts, each claimed before it is performed."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from shared.domain.act import Command, RegenerateKey, changed_by
from shared.domain.body import JsonObject
from shared.domain.decision import Circumstances, Verdict, decide
from shared.domain.drafting import (
    Scene,
    finished,
    interrupted,
    of_act,
    of_decision,
    of_incident,
    of_proposal,
    performed,
    refused,
)
from shared.domain.drift import changes, evaluate
from shared.domain.evidence import snapshot
from shared.domain.failure import Refused, TryAgain
from shared.domain.incident import Incident
from shared.domain.ledger import Entry, Intention
from shared.domain.mode import Mode
from shared.domain.orders import Approval, approval_of
from shared.domain.ports import Receipt
from shared.domain.proposal import Proposal, Word, propose, wanted
from shared.domain.record import Outcome, Record, Row
from shared.domain.remediation import Remediation
from shared.domain.resource import Resource, place_of
from shared.domain.resource_types import COGNITIVE_ACCOUNTS, ResourceType
from shared.domain.response import Children
from shared.domain.signal import about, put_back
from shared.rotating import Rotating, prepare, rotate
from shared.verifying import read_until
from shared.world import Progress, Visit, record_apart

# What evidence shows beside the resource itself.
_SHOWN_CHILDREN = ("deployments", "raiPolicies")


@dataclass(frozen=True, slots=True)
class Answered:
    """How far an incident is answered: the rows that stand in the ledger, and the records that have yet to.

    `acted` says that something was changed, so that the resource must be read anew; `approvals` are the ones that let
    something through.
    """

    entry: Entry
    rows: tuple[Row, ...] = ()
    records: tuple[Record, ...] = ()
    acted: bool = False
    approvals: tuple[Approval, ...] = ()


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
    word = Word(entry.approvals, began)
    proposals = propose(resource, incident, children, world.catalogue, world.settings, word)
    evidence = snapshot(incident, resource, children, proposals)
    scene = Scene(visit.signal, world.stamp, resource, incident, began)
    records = [of_incident(scene, evidence)]
    drafts = {each.response.ref: of_proposal(scene, each) for each in proposals}
    records += [drafts[each.response.ref] for each in proposals if each.verdict not in {Verdict.FIX, Verdict.ADVISE}]
    doing = [each for each in proposals if each.verdict is Verdict.FIX]
    rotating = await prepare(visit, incident, entry, resource, _rotations(doing, drafts))
    errands = [errand for each in doing for errand in _errands(each, drafts[each.response.ref], entry, incident)]
    claimed = [*(key.draft for key in rotating.turns), *(errand.draft for errand in errands)]
    records += [*rotating.records, *_closed(rotating.entry, resource, claimed)]
    if not claimed:
        # All that was approved may have been done by a worker that died before it could say so.
        return Answered(
            replace(rotating.entry, intention=None), (), tuple(records), approvals=_used(doing, rotating, word)
        )
    tokens = [errand.act.token(incident.cause) for errand in errands]
    progress = await _begin(visit, rotating.entry.begin_acts(tokens), records, claimed)
    answered = await _act(visit, rotating, errands, progress)
    return replace(answered, approvals=_used(doing, rotating, word))


def _used(doing: Sequence[Proposal], rotating: Rotating, word: Word) -> tuple[Approval, ...]:
    """The approvals of whole responses, and those of single keys that had been regenerated lately."""
    whole = [proposal.approval for proposal in doing if proposal.approval is not None]
    keys = [approval_of(turn.draft.rule, changed_by(turn.act), word.approvals, word.now) for turn in rotating.turns]
    return (*whole, *(approval for approval in keys if approval is not None))


def _is_answered(entry: Entry, incident: Incident) -> bool:
    """Whether an earlier delivery had the keys regenerated, and nothing at all is left open."""
    claims = [rotation for rotation in entry.rotations if rotation.cause == incident.cause]
    done = bool(claims) and all(claim.ended for claim in claims) and entry.intention is None
    return done and not entry.approvals


def _errands(proposal: Proposal, draft: Record, entry: Entry, incident: Incident) -> list[_Errand]:
    """The commands of the proposal that were not begun for this cause before, or whose worker died around them."""
    commands = [_Errand(act, of_act(draft, act)) for act in proposal.plan.acts if isinstance(act, Command)]
    open_ = {each.record_id for each in entry.intention.drafts} if entry.intention else set()
    return [
        errand
        for errand in commands
        if errand.draft.record_id in open_ or errand.act.token(incident.cause) not in entry.performed
    ]


def _closed(entry: Entry, resource: Resource, claimed: Sequence[Record]) -> list[Record]:
    """The records of what an interrupted worker had begun, fixes and acts, and that is not taken up again here."""
    again = {draft.record_id for draft in claimed}
    drafts = entry.intention.drafts if entry.intention else ()
    return [interrupted(draft, resource.body) for draft in drafts if draft.record_id not in again]


async def _begin(visit: Visit, entry: Entry, records: Sequence[Record], claimed: Sequence[Record]) -> Progress:
    """Writes the claims, and what there is to say so far."""
    world = visit.world
    message = put_back(replace(visit.signal, recalled=True, place=visit.target))
    begun = world.now()
    entry, rows = entry.append(records)
    entry = entry.intend(
        Intention(message, begun, tuple(claimed)), visit.ticket, begun + world.settings.operational.lease_seconds
    )
    return Progress(await world.ledger.commit(entry, rows), rows)


async def _act(visit: Visit, rotating: Rotating, errands: Sequence[_Errand], progress: Progress) -> Answered:
    try:
        for key in rotating.turns:
            rotating, progress = await rotate(visit, rotating, key, progress)
        for errand in errands:
            progress = await progress.end(errand.draft, await _perform(visit, errand), visit.world)
    except TryAgain:
        # What stands in the ledger already need not wait for the next try.
        await visit.world.log.deliver(progress.rows)
        raise
    return Answered(progress.entry, progress.rows, acted=True)


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


async def contain_children(visit: Visit, incident: Incident, resource: Resource) -> None:
    """Has the children looked at whose rules are part of the containment, each as a resource of its own; what of it
    waits for a person is recorded on the child."""
    world, row = visit.world, incident.row
    named = {*row.contain, *row.contain_on_approval}
    for remediation in world.catalogue.remediations:
        for rule in remediation.rules if remediation.name in named else ():
            parent, _, kind = rule.type.name.rpartition("/")
            off = world.settings.mode_of(remediation, rule) is Mode.OFF
            if parent.lower() != resource.type.name.lower() or off:
                continue
            for child in await _named(visit, resource, rule.type, kind):
                if remediation.name in row.contain:
                    await world.queue.put(about(visit.signal, child.id, world.now()), timedelta())
                else:
                    await _leave_to_a_person(visit, child, remediation)


async def _leave_to_a_person(visit: Visit, child: Resource, remediation: Remediation) -> None:
    world, now = visit.world, visit.world.now()
    findings = [
        finding for finding in evaluate(child, world.catalogue, visit.baseline) if finding.remediation is remediation
    ]
    given = Circumstances(world.settings, {}, (), now, visit.baseline, needs_approval=True)
    for decision in decide(child, findings, given):
        record = of_decision(visit.signal, world.stamp, child, decision, now)
        await record_apart(replace(record, message=about(visit.signal, child.id, now)), world)


async def _named(visit: Visit, resource: Resource, kind: ResourceType, name: str) -> list[Resource]:
    try:
        bodies = await visit.world.arm.children(resource.id, name, kind.api_version)
    except Refused:
        return []  # without a right to list them there is none to fix them either; their own events tell
    return [Resource(place, kind, body) for body in bodies if (place := place_of(body)) is not None]
