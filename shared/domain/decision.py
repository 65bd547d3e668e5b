"""What is to be done about a finding, and why: pure."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from shared.domain.baseline import Baseline
from shared.domain.contest import Attempt, contest
from shared.domain.drift import Finding, as_fixed
from shared.domain.exemption import Exemption, exemption
from shared.domain.guards import NOT_OUR_OWN, Guard, Reads
from shared.domain.mode import Mode
from shared.domain.orders import Approval, Hold, approval_of, hold_on
from shared.domain.remediation import FixMode, Severity
from shared.domain.resource import Resource
from shared.domain.settings import Settings


class Verdict(StrEnum):
    """What a decision comes to."""

    FIX = "fix"
    AUDIT = "audit"
    ADVISE = "advise"
    EXEMPT = "exempt"
    REFUSED = "refused"
    NEEDS_APPROVAL = "needs-approval"
    CONTESTED = "contested"
    HELD = "held"
    OVER_BUDGET = "over-budget"


@dataclass(frozen=True, slots=True)
class Decision:
    """A finding with its verdict. `code` is for machines (`guard.custom-subdomain`), `reason` for people.

    `until` is when a fix that has to wait may be made; None where nothing but a person or a change makes a difference.
    `approval` is what let a fix through that needs a person's word.
    """

    finding: Finding
    mode: Mode
    verdict: Verdict
    code: str
    reason: str
    until: datetime | None = None
    approval: Approval | None = None


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What a decision depends on beside the resource and the finding.

    `baseline` is the one that the findings were made with. With `needs_approval` nothing is fixed without a person.
    `reads` are the bodies that the findings' guards asked for, by ARM id key; `history` the fixes that were begun on
    the resource; `holds` and `approvals` what operators said about it.
    """

    settings: Settings
    reads: Reads
    history: tuple[Attempt, ...]
    now: datetime
    baseline: Baseline
    needs_approval: bool = False
    holds: tuple[Hold, ...] = ()
    approvals: tuple[Approval, ...] = ()


def guards_of(finding: Finding) -> tuple[Guard, ...]:
    """The guards that the finding's fix has to pass."""
    return (NOT_OUR_OWN, *finding.rule.guards)


def decide(resource: Resource, findings: Iterable[Finding], given: Circumstances) -> tuple[Decision, ...]:
    """One decision for every finding whose remediation is not off; a critical fix that is fought over has a second
    one, that says so."""
    return tuple(
        decision
        for finding in findings
        if (mode := given.settings.mode_of(finding.remediation, finding.rule)) is not Mode.OFF
        for decision in _decide(resource, finding, mode, given)
    )


def over_budget(decision: Decision, limit: int, until: datetime) -> Decision:
    """The decision to fix once the hour's budget is spent."""
    reason = f"{limit} fixes were begun in this subscription within the hour; the next ones wait until {until:%F %T}Z"
    return replace(decision, verdict=Verdict.OVER_BUDGET, code="over-budget", reason=reason, until=until)


def is_critical(decision: Decision) -> bool:
    """Whether the fix may use the reserved part of the budget."""
    return decision.finding.remediation.severity is Severity.CRITICAL


def _decide(resource: Resource, finding: Finding, mode: Mode, given: Circumstances) -> tuple[Decision, ...]:
    allowed = given.settings.operational.exemption_tags
    claim = exemption(resource, finding.remediation, given.now.date(), allowed=allowed)
    note = _note(claim)
    if claim is not None and claim.problem is None:
        return (Decision(finding, mode, Verdict.EXEMPT, "exempt.tag", f"exempt by tag: {claim.text}"),)
    if finding.rule.mode is FixMode.DETECT_ONLY:
        return (Decision(finding, mode, Verdict.ADVISE, "advise.detect-only", f"a person has to decide this{note}"),)
    if held := hold_on(finding.rule_id, finding.changes, given.holds, given.now):
        reason = f"held until {held.until:%F %T}Z by {held.by}{note}"
        return (Decision(finding, mode, Verdict.HELD, "held", reason, held.until),)
    refusal = _refusal(resource, finding, given)
    if mode is Mode.AUDIT:
        told = f"; a fix would be refused: {refusal[1]}" if refusal else ""
        why = "settings have problems, so nothing enforces" if given.settings.problems else "audit mode"
        return (Decision(finding, mode, Verdict.AUDIT, "audit", f"{why}{told}{note}"),)
    return _enforce(finding, given, refusal, note)


def _enforce(
    finding: Finding, given: Circumstances, refusal: tuple[str, str] | None, note: str
) -> tuple[Decision, ...]:
    mode = Mode.ENFORCE
    if refusal:
        return (Decision(finding, mode, Verdict.REFUSED, f"guard.{refusal[0]}", f"{refusal[1]}{note}"),)
    approval = None
    if finding.rule.mode is FixMode.APPROVAL or given.needs_approval:
        approval = approval_of(finding.rule_id, finding.changes, given.approvals, given.now)
        if approval is None:
            reason = f"a person has to approve this{note}"
            return (Decision(finding, mode, Verdict.NEEDS_APPROVAL, "approval.needed", reason),)
    fix = Decision(finding, mode, Verdict.FIX, "fix", f"{finding.remediation.title}{note}", approval=approval)
    fight = contest(finding.rule_id, given.history, given.now)
    if fight is None or approval is not None:
        return (fix,)
    told = f"fixed {fight.count} times without lasting"
    if is_critical(fix):
        # Whoever undoes a critical fix often enough must not be rewarded with an hour of rest.
        reason = f"{told}; it is critical and so fixed at once all the same{note}"
        return fix, Decision(finding, mode, Verdict.CONTESTED, "contested.critical", reason)
    reason = f"{told}; the next fix waits until {fight.until:%F %T}Z{note}"
    return (Decision(finding, mode, Verdict.CONTESTED, "contested", reason, fight.until),)


def _note(claim: Exemption | None) -> str:
    return f" (its exemption '{claim.text}' does not count: {claim.problem})" if claim and claim.problem else ""


def _refusal(resource: Resource, finding: Finding, given: Circumstances) -> tuple[str, str] | None:
    after = as_fixed(resource, [finding])
    for guard in guards_of(finding):
        if (sentence := guard.check(resource, after, given.reads, given.baseline)) is not None:
            return guard.name, sentence
    return None
