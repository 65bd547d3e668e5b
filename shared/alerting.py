"""From a Defender alert that somebody claims there is to the resources that it is about: read back before acting."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from shared.domain.alert import Alert, parse_alert
from shared.domain.arm_id import ArmId
from shared.domain.drafting import of_signal
from shared.domain.evidence import of_alert
from shared.domain.failure import Refused
from shared.domain.incident import AlertRow, Incident, row_for
from shared.domain.record import Outcome, Record
from shared.domain.resource_types import RESOURCE_TYPES, judged_ancestor
from shared.domain.signal import Signal, about, put_back
from shared.incidents import answer, each_body
from shared.world import World, record_apart

# Microsoft.Security alerts, azure-rest-api-specs security 2022-01-01, read 2026-11-23.
_API_VERSION = "2022-01-01"
# So long an alert that was announced may be missing in ARM.
_LAG = timedelta(minutes=30)
_ASK_AGAIN = timedelta(seconds=30)
_MOST_TARGETS = 16


async def answer_alert(signal: Signal, claimed: Alert, ticket: str, world: World) -> None:
    """Answers an alert that Defender confirms; of one that it does not, the resource is looked at and no more.

    Type, severity and target come from what is read back, never from the event. Raises TryAgain.
    """
    if claimed.id is None:
        await _leave(signal, claimed, "ignored.alert-unverifiable", "the alert does not tell where to read it", world)
        return
    try:
        body = await world.arm.read(claimed.id, _API_VERSION)
    except Refused as refused:
        text = f"the alert cannot be read: {refused.cause.text}"
        await _leave(signal, claimed, "ignored.alert-unreadable", text, world)
        return
    if body is None:
        await _wait_for(signal, claimed, world)
        return
    try:
        alert = parse_alert(body)
    except ValueError as problem:
        await _leave(
            signal, claimed, "ignored.alert-unreadable", f"what Defender answers is no alert: {problem}", world
        )
        return
    await _answer_confirmed(signal, alert, claimed.id, ticket, world)


async def _wait_for(signal: Signal, claimed: Alert, world: World) -> None:
    """ARM shows an alert minutes after it was announced."""
    if world.now() >= signal.received + _LAG:
        text = "Defender does not know the alert, half an hour after it was announced"
        await _leave(signal, claimed, "ignored.alert-not-found", text, world)
    elif not signal.recalled:  # the timer brings that one again
        await world.queue.put(put_back(signal, ticket=signal.ticket), _ASK_AGAIN)


async def _answer_confirmed(signal: Signal, alert: Alert, place: ArmId, ticket: str, world: World) -> None:
    row = row_for(alert.type, world.catalogue.alerts)
    if not alert.is_open:
        await _leave(signal, alert, "ignored.alert-closed", f"the alert is {alert.status.value.lower()}", world)
    elif row is None:
        await _leave(signal, alert, "ignored.alert-type", "alerts of this type lead to nothing", world)
    elif row.blocked:
        await _pass_over(signal, alert, "ignored.blocked-attempt", row.reason, world)
    elif problem := _problem(alert, place):
        await _pass_over(signal, alert, *problem, world)
    elif targets := _targets(alert):
        for target in targets:
            await answer(signal, target, _incident(signal, alert, row), ticket, world)
    else:
        await _advise(signal, alert, row, world)


def _incident(signal: Signal, alert: Alert, row: AlertRow) -> Incident:
    return Incident(cause=signal.cause, name=alert.name, title=row.title, severity=alert.severity, row=row, alert=alert)


def _problem(alert: Alert, place: ArmId) -> tuple[str, str] | None:
    """Why an open alert is not acted upon all the same: a reason code and a sentence."""
    if not alert.resources:
        told = f": {alert.unusable[0]}" if alert.unusable else ""
        return "ignored.alert-without-resource", f"the alert names no resource{told}"
    # Defender keeps an alert in the subscription of what it is about.
    if any(named.subscription.lower() != place.subscription.lower() for named in alert.resources):
        return "ignored.alert-elsewhere", "the alert names a resource of another subscription than its own"
    if (count := len(_targets(alert))) > _MOST_TARGETS:
        return (
            "ignored.too-many-resources",
            f"the alert names {count} resources; more than {_MOST_TARGETS} need a person",
        )
    return None


def _targets(alert: Alert) -> Sequence[ArmId]:
    """The judged resources that the alert is about, each once."""
    judged = [judged_ancestor(named) for named in alert.resources]
    return list({target.key: target for target in judged if target is not None}.values())


async def _advise(signal: Signal, alert: Alert, row: AlertRow, world: World) -> None:
    """An alert about what no rule judges is for people. One about a whole subscription also has every AI resource of it
    looked at: what was weakened there is set again."""
    about_what = alert.resources[0]
    reason = f"{row.title}. {row.advice}"
    record = of_signal(signal, world.stamp, world.now(), Outcome.ADVISED, "incident.not-judged", reason, about_what)
    record = replace(record, severity=alert.severity.value, evidence={"alert": of_alert(alert), "atlas": [*row.atlas]})
    if await _is_told(record, world):
        return
    kinds = [kind for kind in RESOURCE_TYPES if not kind.attachable and "/" not in kind.name.partition("/")[2]]
    for scope in alert.resources:
        if scope.resource_group is None and not scope.providers:
            async for _, target, _ in each_body(world, scope, kinds):
                await world.queue.put(about(signal, target, world.now()), timedelta())
    await record_apart(record, world)


async def _leave(signal: Signal, alert: Alert, code: str, reason: str, world: World) -> None:
    """Records that the alert leads to no act, and has its resources looked at as after any change."""
    record = _ignored(signal, alert, code, reason, world)
    if await _is_told(record, world):
        return
    for target in _targets(alert)[:_MOST_TARGETS]:
        await world.queue.put(about(signal, target, world.now()), timedelta())
    await record_apart(record, world)


async def _pass_over(signal: Signal, alert: Alert, code: str, reason: str, world: World) -> None:
    """Records that the alert leads to nothing at all: whoever attacks, or forges, must not drive the automation."""
    await record_apart(_ignored(signal, alert, code, reason, world), world)


def _ignored(signal: Signal, alert: Alert, code: str, reason: str, world: World) -> Record:
    named = next(iter((*_targets(alert), *alert.resources)), None)
    return of_signal(signal, world.stamp, world.now(), Outcome.IGNORED, code, reason, named)


async def _is_told(record: Record, world: World) -> bool:
    """Whether an earlier delivery had the record written, and with it all that goes before it done."""
    return (await world.ledger.open(record.chain)).knows(record)
