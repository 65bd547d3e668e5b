"""What is decided in one look: with what the guards read, what operators said, and what the hour has room for."""

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from shared.domain.arm_id import ArmId
from shared.domain.baseline import Baseline
from shared.domain.body import JsonObject
from shared.domain.budget import next_hour
from shared.domain.containment import contained
from shared.domain.decision import (
    Circumstances,
    Decision,
    Verdict,
    decide,
    guards_of,
    is_critical,
    over_budget,
)
from shared.domain.drift import Finding, evaluate
from shared.domain.failure import Refused
from shared.domain.guards import Reads
from shared.domain.ledger import Entry
from shared.domain.mode import Mode
from shared.domain.ports import Arm
from shared.domain.resource import Resource
from shared.domain.resource_types import PRIVATE_ENDPOINT_API_VERSION
from shared.world import Visit, World

# What waits for the next hour's budget comes back within so many seconds of it.
_SPREAD_SECONDS = 3300


async def decisions_on(
    visit: Visit, resource: Resource, findings: Sequence[Finding], entry: Entry, now: datetime
) -> tuple[Decision, ...]:
    """The decisions on findings of the resource. Raises TryAgain where a guard's read does."""
    reads = await _guard_reads(resource, findings, visit.world)
    return decide(resource, findings, _given(visit, entry, reads, now))


def _given(visit: Visit, entry: Entry, reads: Reads, now: datetime) -> Circumstances:
    given = Circumstances(visit.world.settings, reads, entry.history, now, visit.baseline)
    return replace(given, holds=entry.holds, approvals=entry.approvals)


async def within_budget(visit: Visit, entry: Entry, decisions: tuple[Decision, ...]) -> tuple[Decision, ...]:
    """The decisions with the fixes that the hour has room for; the others wait for the next one.

    A fix that was begun before was counted then.
    """
    fixes = [decision for decision in decisions if decision.verdict is Verdict.FIX]
    if not fixes or entry.intention is not None:
        return decisions
    world, now, subscription = visit.world, visit.world.now(), visit.target.subscription.lower()
    limit = world.settings.operational.max_fixes_per_hour
    urgent = [decision for decision in fixes if is_critical(decision) or visit.incident is not None]
    if len(urgent) < len(fixes) and await world.budgets.claim(subscription, now, limit, critical=False):
        return decisions
    if urgent and await world.budgets.claim(subscription, now, limit, critical=True):
        fixes = [decision for decision in fixes if decision not in urgent]
    until = next_hour(now) + _spread(visit)
    return tuple(over_budget(decision, limit, until) if decision in fixes else decision for decision in decisions)


def _spread(visit: Visit) -> timedelta:
    """Where in the next hour this resource has its turn: each hour another one, so that not all come at once, and none
    is always the last."""
    salted = f"{visit.target.key} {visit.world.now():%Y%m%d%H}"
    return timedelta(seconds=int(hashlib.sha256(salted.encode()).hexdigest()[:8], 16) % _SPREAD_SECONDS)


async def on_approval(
    visit: Visit, resource: Resource, findings: Sequence[Finding], entry: Entry, now: datetime
) -> tuple[Decision, ...]:
    """What the incident's row contains only if a person approves, beyond what is found anyway."""
    if visit.incident is None or not visit.incident.row.contain_on_approval:
        return ()
    world = visit.world
    strict = contained(world.settings.baseline, resource, visit.incident, approved=True)
    more = [
        finding
        for finding in evaluate(resource, world.catalogue, strict)
        if finding.remediation.name in visit.incident.row.contain_on_approval and finding not in findings
    ]
    reads = await _guard_reads(resource, more, world)
    return decide(resource, more, replace(_given(visit, entry, reads, now), baseline=strict, needs_approval=True))


def baseline_of(visit: Visit, current: Resource, decision: Decision) -> Baseline:
    """What the decision was made with: a person's word lets through what the incident's row leaves to one."""
    incident, name = visit.incident, decision.finding.remediation.name
    if incident is None or decision.approval is None or name not in incident.row.contain_on_approval:
        return visit.baseline
    return contained(visit.world.settings.baseline, current, incident, approved=True)


async def _guard_reads(resource: Resource, findings: Sequence[Finding], world: World) -> Reads:
    """The bodies that the guards of the findings ask for; None for one that is absent or not ours to see."""
    wanted: set[ArmId] = set()
    for finding in findings:
        if world.settings.mode_of(finding.remediation, finding.rule) is not Mode.OFF:
            wanted.update(*(guard.reads(resource) for guard in guards_of(finding)))
    return {target.key: await _read_if_ours(target, world.arm) for target in sorted(wanted, key=lambda id_: id_.key)}


async def _read_if_ours(target: ArmId, arm: Arm) -> JsonObject | None:
    try:
        return await arm.read(target, PRIVATE_ENDPOINT_API_VERSION)
    except Refused:
        return None  # what we may not see, a guard must not count on
