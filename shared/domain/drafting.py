"""From what happened to the records that say so: pure, and the only place that fills in a record's columns."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from shared.domain.act import Act, changed_by
from shared.domain.arm_id import ArmId
from shared.domain.body import Json, JsonObject, as_object, as_text, same
from shared.domain.body import at as value_at
from shared.domain.decision import Decision, Verdict
from shared.domain.drift import Finding
from shared.domain.failure import Cause
from shared.domain.incident import Incident
from shared.domain.orders import Approval
from shared.domain.proposal import Proposal
from shared.domain.record import Outcome, Record
from shared.domain.redact import redact
from shared.domain.resource import Resource
from shared.domain.signal import Signal, Unreadable, put_back
from shared.domain.undo import UNDO

_OUTCOMES = {
    Verdict.AUDIT: Outcome.AUDITED,
    Verdict.ADVISE: Outcome.ADVISED,
    Verdict.EXEMPT: Outcome.EXEMPT,
    Verdict.REFUSED: Outcome.REFUSED,
    Verdict.NEEDS_APPROVAL: Outcome.AWAITING_APPROVAL,
    Verdict.CONTESTED: Outcome.CONTESTED,
    Verdict.HELD: Outcome.HELD,
    Verdict.OVER_BUDGET: Outcome.OVER_BUDGET,
    # What a fix is drafted as before it is made; what came of it is written over this.
    Verdict.FIX: Outcome.FIX_UNVERIFIED,
}
# The same for an act, of which nothing shows afterwards whether it was performed.
_OUTCOMES_OF_ACTS = _OUTCOMES | {Verdict.FIX: Outcome.UNCONFIRMED}


@dataclass(frozen=True, slots=True)
class Stamp:
    """What every record of this process carries: the app's version and the digest of its settings."""

    app_version: str
    settings_digest: str


@dataclass(frozen=True, slots=True)
class Scene:
    """Where an incident is answered: on which resource, for which signal, since when."""

    signal: Signal
    stamp: Stamp
    resource: Resource
    incident: Incident
    began: datetime


def of_airlock(stamp: Stamp, now: datetime, outcome: Outcome, code: str, reason: str, cause: str) -> Record:  # noqa: PLR0913, PLR0917 - each is a column that only the caller knows
    """A record of what Airlock did of its own accord, or was asked to: no event stands behind it."""
    return Record(
        time_generated=now,
        outcome=outcome,
        reason_code=code,
        reason=redact(reason),
        app_version=stamp.app_version,
        settings_digest=stamp.settings_digest,
        cause=cause,
    )


def of_signal(  # noqa: PLR0913, PLR0917 - each is a column that only the caller knows
    signal: Signal, stamp: Stamp, now: datetime, outcome: Outcome, code: str, reason: str, target: ArmId | None = None
) -> Record:
    """A record about the signal as a whole. `target` is the resource looked at; None takes the signal's own, if any."""
    about = target or signal.target
    return Record(
        time_generated=now,
        signal_id=signal.id,
        signal_kind=signal.kind.value,
        signal_time=signal.time,
        operation=signal.operation,
        actor=signal.actor,
        actor_ip=signal.actor_ip,
        correlation_id=signal.correlation_id,
        resource_tenant_id=signal.tenant_id,
        subscription_id=about.subscription.lower() if about else "",
        resource_group=(about.resource_group or "") if about else "",
        resource_id=about.path if about else "",
        resource_type=about.type if about else "",
        outcome=outcome,
        reason_code=code,
        reason=redact(reason),
        total_ms=_ms(now - signal.time),
        attempt=signal.attempt,
        app_version=stamp.app_version,
        settings_digest=stamp.settings_digest,
        cause=signal.cause,
    )


def of_unreadable(unreadable: Unreadable, stamp: Stamp, now: datetime) -> Record:
    """The record of a message that names nothing to look at."""
    return Record(
        time_generated=now,
        signal_id=unreadable.id,
        subscription_id="" if unreadable.subscription == "-" else unreadable.subscription,
        outcome=Outcome.UNREADABLE,
        reason_code=unreadable.code,
        reason=redact(unreadable.text),
        app_version=stamp.app_version,
        settings_digest=stamp.settings_digest,
        cause=unreadable.cause,
    )


def of_decision(signal: Signal, stamp: Stamp, resource: Resource, decision: Decision, began: datetime) -> Record:
    """The record of a decision, before anything is done about it. `began` is when the resource was read."""
    finding = decision.finding
    outcome = _OUTCOMES[decision.verdict]
    reason = decision.reason
    if decision.verdict is Verdict.CONTESTED:
        reason += f"; the last change is claimed by {signal.actor or 'nobody'}"
    record = of_signal(signal, stamp, began, outcome, decision.code, reason, resource.id)
    return replace(
        record,
        location=resource.location,
        remediation=finding.remediation.name,
        ref=finding.remediation.ref,
        rule=finding.rule_id,
        severity=finding.remediation.severity.value,
        mode=decision.mode.value,
        changes=[change.as_json() for change in finding.changes],
        evidence=_attached(resource) | _approved_by(decision.approval) or None,
        controls=list(finding.remediation.controls),
        detect_ms=_ms(began - signal.time),
        message=once_approved(signal, began) if decision.verdict is Verdict.NEEDS_APPROVAL else "",
    )


def _attached(resource: Resource) -> JsonObject:
    users: list[Json] = [user.path for user in sorted(resource.attached_to, key=lambda user: user.key)]
    return {"attachedTo": users} if users else {}


def _approved_by(approval: Approval | None) -> JsonObject:
    """Whose word let a fix through, and which record it was given on."""
    return {"approvedBy": approval.by, "approvalOf": approval.record_id} if approval else {}


def once_approved(signal: Signal, now: datetime) -> str:
    """What brings the same look about again, whatever was looked at before."""
    return put_back(replace(signal, attempt=0, recalled=False), due=now)


def of_fix(signal: Signal, stamp: Stamp, resource: Resource, decision: Decision, began: datetime) -> Record:
    """The draft of a fix's record. Each fix is a cause of its own: a second one for the same signal is recorded too."""
    record = of_decision(signal, stamp, resource, decision, began)
    return replace(record, cause=f"{record.cause} {began.isoformat()}")


def of_incident(scene: Scene, evidence: JsonObject) -> Record:
    """The record that an incident is being answered: what a person has to know, and to do."""
    reason = f"{scene.incident.title}. {scene.incident.row.advice}"
    record = _of_scene(scene, Outcome.ADVISED, "incident.confirmed", reason)
    return replace(record, evidence=evidence)


def of_proposal(scene: Scene, proposal: Proposal) -> Record:
    """The record of a proposal as a whole: what its acts come to, whether they are performed or not."""
    response = proposal.response
    record = _of_scene(scene, _OUTCOMES_OF_ACTS[proposal.verdict], proposal.code, proposal.reason)
    return replace(
        record,
        remediation=response.name,
        ref=response.ref,
        rule=response.rule_id(scene.resource.type),
        mode=proposal.mode.value,
        changes=[change.as_json() for change in proposal.changes],
        evidence={"incident": scene.incident.name, **_approved_by(proposal.approval)},
        controls=list(response.controls),
        message=once_approved(scene.signal, scene.began) if proposal.verdict is Verdict.NEEDS_APPROVAL else "",
    )


def _of_scene(scene: Scene, outcome: Outcome, code: str, reason: str) -> Record:
    record = of_signal(scene.signal, scene.stamp, scene.began, outcome, code, reason, scene.resource.id)
    return replace(
        record,
        location=scene.resource.location,
        severity=scene.incident.severity.value,
        detect_ms=_ms(scene.began - scene.signal.time),
    )


def of_act(record: Record, act: Act) -> Record:
    """The draft of one act's record, from the record of the proposal that it belongs to."""
    changes: list[Json] = [change.as_json() for change in changed_by(act)]
    reason = "the worker was interrupted around the act, and nothing shows whether it was performed"
    return replace(record, reason_code="act.unconfirmed", reason=reason, changes=changes)


def performed(record: Record, outcome: Outcome, code: str, reason: str, **evidence: Json) -> Record:
    """The record of an act once it is known how it ended, with what else is to be known of it."""
    kept: JsonObject = {**(record.evidence or {}), **evidence}
    return replace(record, outcome=outcome, reason_code=code, reason=redact(reason), evidence=kept)


def changed(record: Record, finding: Finding) -> Record:
    """The draft with the changes that are sent after all."""
    return replace(record, changes=[change.as_json() for change in finding.changes])


def finished(record: Record, now: datetime, fix_time: timedelta | None = None) -> Record:
    """The record as it is written: with its time and how long everything took."""
    total = _ms(now - record.signal_time) if record.signal_time else None
    took = _ms(fix_time) if fix_time is not None else record.fix_ms
    return replace(record, time_generated=now, total_ms=total, fix_ms=took)


def refused(record: Record, cause: Cause) -> Record:
    """The record of a fix that ARM refused for good."""
    ids: list[Json] | None = [cause.request_id] if cause.request_id else None
    return replace(
        record, outcome=Outcome.REFUSED, reason_code=cause.code, reason=redact(cause.text), arm_request_ids=ids
    )


def applied(record: Record, body: JsonObject | None, request_ids: Iterable[str], failure: str | None) -> Record:
    """The record of a fix that ARM took. `body` is what a later read showed, `failure` how it ended badly."""
    ids: list[Json] = list(request_ids)
    if failure is not None:
        outcome, code, reason = Outcome.FAILED, "arm.operation-failed", redact(failure)
    elif body is not None and shows_fix(record, body):
        outcome, code, reason = *_done(record), record.reason
    else:
        reason = "ARM took the fix, but later reads do not show it"
        outcome, code = Outcome.FIX_UNVERIFIED, "fix.unverified"
    return replace(record, outcome=outcome, reason_code=code, reason=reason, arm_request_ids=ids)


def interrupted(record: Record, body: JsonObject | None) -> Record:
    """The record of a fix or an act whose worker did not come back: what the live resource says is what counts.

    None for a resource that went: then nobody will know.
    """
    evidence: JsonObject = {**(record.evidence or {}), "interrupted": True}
    if record.outcome is Outcome.UNCONFIRMED and not (body and record.changes and shows_fix(record, body)):
        return replace(record, evidence=evidence)
    if not body:
        reason = "the worker was interrupted around the write, and the resource is gone"
        return replace(record, reason_code="fix.unknown", reason=reason, evidence=evidence)
    if shows_fix(record, body):
        reason = record.reason
        if record.outcome is Outcome.UNCONFIRMED:
            reason = "the worker was interrupted around the act, and the resource shows that it was performed"
        outcome, code = _done(record)
        return replace(record, outcome=outcome, reason_code=code, reason=reason, evidence=evidence)
    reason = "the worker was interrupted around the write, and the resource does not show the fix"
    return replace(record, reason_code="fix.interrupted", reason=reason, evidence=evidence)


def _done(draft: Record) -> tuple[Outcome, str]:
    """How what was drafted is called once it is done: its outcome and reason code."""
    return (Outcome.UNDONE, "undone") if draft.reason_code == UNDO else (Outcome.FIXED, "fixed")


def shows_fix(record: Record, body: JsonObject) -> bool:
    """Whether the body has every value that the record's changes want."""
    return all(_shown(record, body))


def shows_part(record: Record, body: JsonObject) -> bool:
    """Whether the body has any of the values that the record's changes want."""
    return any(_shown(record, body))


def _shown(record: Record, body: JsonObject) -> list[bool]:
    wanted = [as_object(change) for change in record.changes or []]
    return [same(value_at(body, as_text(change.get("path"))), change.get("desired")) for change in wanted]


def _ms(span: timedelta) -> int:
    return max(0, round(span / timedelta(milliseconds=1)))
