"""What is to be done about an incident on one resource, and why: pure, and the counterpart of a decision."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from shared.domain.act import changed_by
from shared.domain.baseline import Baseline
from shared.domain.catalogue import Catalogue
from shared.domain.change import Change
from shared.domain.containment import is_pre_approved
from shared.domain.decision import Verdict
from shared.domain.guards import NOT_OUR_OWN
from shared.domain.incident import Incident
from shared.domain.mode import Mode
from shared.domain.orders import Approval, approval_of
from shared.domain.resource import Resource
from shared.domain.response import Children, Plan, Response
from shared.domain.settings import Settings


@dataclass(frozen=True, slots=True)
class Proposal:
    """A response with its plan for the resource and the verdict on it.

    `code` is for machines, `reason` for people. A plan without acts has the verdict `ADVISE`: there is nothing to do.
    """

    response: Response
    mode: Mode
    verdict: Verdict
    code: str
    reason: str
    plan: Plan
    approval: Approval | None = None

    @property
    def changes(self) -> tuple[Change, ...]:
        """What all of its acts change."""
        return tuple(change for act in self.plan.acts for change in changed_by(act))


@dataclass(frozen=True, slots=True)
class Word:
    """What people have approved on a resource, as of now."""

    approvals: tuple[Approval, ...]
    now: datetime


def propose(  # noqa: PLR0913, PLR0917 - what a proposal depends on
    resource: Resource,
    incident: Incident,
    children: Children,
    catalogue: Catalogue,
    settings: Settings,
    word: Word | None = None,
) -> tuple[Proposal, ...]:
    """One proposal for every response that the incident's row names, that knows the type, and that is not off.

    `approval` in it is the word that let it through; without `word` nobody has given one.
    """
    row = incident.row
    approved = {*row.respond, *(row.auto_when_tagged if is_pre_approved(resource) else ())}
    names = {*row.respond, *row.respond_on_approval}
    found = (
        _propose(response, resource, incident, children, settings, needs_approval=response.name not in approved)
        for response in wanted(names, resource, catalogue, settings)
    )
    return tuple(_as_approved(proposal, resource, word) for proposal in found)


def _as_approved(proposal: Proposal, resource: Resource, word: Word | None) -> Proposal:
    if word is None or proposal.verdict is not Verdict.NEEDS_APPROVAL:
        return proposal
    rule = proposal.response.rule_id(resource.type)
    approval = approval_of(rule, proposal.changes, word.approvals, word.now)
    if approval is None:
        return proposal
    return replace(proposal, verdict=Verdict.FIX, code="respond", reason=proposal.plan.reason, approval=approval)


def wanted(names: Iterable[str], resource: Resource, catalogue: Catalogue, settings: Settings) -> Sequence[Response]:
    """The responses of those names that know the resource's type and are not off."""
    named = set(names)
    return [
        response
        for response in catalogue.responses
        if response.name in named
        and resource.type in response.types
        and settings.mode_for(response, resource.type) is not Mode.OFF
    ]


def _propose(  # noqa: PLR0913 - what a proposal depends on
    response: Response,
    resource: Resource,
    incident: Incident,
    children: Children,
    settings: Settings,
    *,
    needs_approval: bool,
) -> Proposal:
    mode = settings.mode_for(response, resource.type)
    plan = response.plan(resource, incident, children, mode)
    if not plan.acts:
        return Proposal(response, mode, Verdict.ADVISE, "response.nothing-to-do", plan.reason, plan)
    refusal = _refusal(response, resource, settings.baseline)
    if mode is Mode.AUDIT:
        why = "settings have problems, so nothing enforces" if settings.problems else "audit mode"
        told = f"; it would be refused: {refusal[1]}" if refusal else "; it would wait for approval" * needs_approval
        return Proposal(response, mode, Verdict.AUDIT, "audit", f"{why}, so not done: {plan.reason}{told}", plan)
    if refusal:
        return Proposal(response, mode, Verdict.REFUSED, f"guard.{refusal[0]}", refusal[1], plan)
    if needs_approval:
        reason = f"a person has to approve this: {plan.reason}"
        return Proposal(response, mode, Verdict.NEEDS_APPROVAL, "approval.needed", reason, plan)
    return Proposal(response, mode, Verdict.FIX, "respond", plan.reason, plan)


def _refusal(response: Response, resource: Resource, baseline: Baseline) -> tuple[str, str] | None:
    """An act leaves the body as it is, so a guard sees the same before and after."""
    for guard in (NOT_OUR_OWN, *response.guards):
        if (sentence := guard.check(resource, resource, {}, baseline)) is not None:
            return guard.name, sentence
    return None
