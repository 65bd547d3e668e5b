"""From a Defender alert that somebody claims there is to the resources that it is about: read back before acting."""

from collections.abc import Sequence
from datetime import timedelta

from shared.domain.alert import Alert, parse_alert
from shared.domain.arm_id import ArmId
from shared.domain.failure import Refused
from shared.domain.incident import AlertRow, Incident, row_for
from shared.domain.resource_types import RESOURCE_TYPES, judged_ancestor
from shared.domain.signal import Signal, about, put_back
from shared.incidents import answer, each_body
from shared.world import World, ignore

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
    else:
        await _fan_out(signal, alert, world)
        for target in _targets(alert):
            await answer(signal, target, _incident(signal, alert, row), ticket, world)


def _incident(signal: Signal, alert: Alert, row: AlertRow) -> Incident:
    return Incident(cause=signal.cause, name=alert.name, title=row.title, severity=alert.severity, row=row, alert=alert)


def _problem(alert: Alert, place: ArmId) -> tuple[str, str] | None:
    """Why an open alert is not acted upon all the same: a reason code and a sentence."""
    targets, scopes = _targets(alert), _scopes(alert)
    if not alert.resources:
        told = f": {alert.unusable[0]}" if alert.unusable else ""
        return "ignored.alert-without-resource", f"the alert names no resource{told}"
    # Defender keeps an alert in the subscription of what it is about.
    if any(named.subscription.lower() != place.subscription.lower() for named in alert.resources):
        return "ignored.alert-elsewhere", "the alert names a resource of another subscription than its own"
    if len(targets) > _MOST_TARGETS:
        told = f"the alert names {len(targets)} resources; more than {_MOST_TARGETS} need a person"
        return "ignored.too-many-resources", told
    if not targets and not scopes:
        return "ignored.type", "no rule judges a resource that the alert names"
    return None


def _targets(alert: Alert) -> Sequence[ArmId]:
    """The judged resources that the alert is about, each once."""
    judged = [judged_ancestor(named) for named in alert.resources]
    return list({target.key: target for target in judged if target is not None}.values())


def _scopes(alert: Alert) -> Sequence[ArmId]:
    """The subscriptions that the alert is about as a whole."""
    return [named for named in alert.resources if named.resource_group is None and not named.providers]


async def _fan_out(signal: Signal, alert: Alert, world: World) -> None:
    """An alert about a whole subscription has every AI resource of it looked at: what was weakened is set again."""
    for scope in _scopes(alert):
        kinds = [kind for kind in RESOURCE_TYPES if not kind.attachable and "/" not in kind.name.partition("/")[2]]
        async for _, target, _ in each_body(world, scope, kinds):
            await world.queue.put(about(signal, target, world.now()), timedelta())
        text = f"the alert '{alert.type}' is about the subscription; its AI resources are looked at one by one"
        await ignore(signal, scope, "ignored.subscription", text, world)


async def _leave(signal: Signal, alert: Alert, code: str, reason: str, world: World) -> None:
    """Records that the alert leads to no act, and has its resources looked at as after any change."""
    for target in _targets(alert)[:_MOST_TARGETS]:
        await world.queue.put(about(signal, target, world.now()), timedelta())
    await _pass_over(signal, alert, code, reason, world)


async def _pass_over(signal: Signal, alert: Alert, code: str, reason: str, world: World) -> None:
    """Records that the alert leads to nothing at all: whoever attacks, or forges, must not drive the automation."""
    named = next(iter((*_targets(alert), *alert.resources)), None)
    await ignore(signal, named, code, reason, world)
