"""The sweep: every resource in scope is judged without an event, to catch the events that never came."""

from collections import Counter
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from shared.domain.arm_id import ArmId
from shared.domain.body import Json, JsonObject
from shared.domain.drift import evaluate
from shared.domain.failure import Refused
from shared.domain.mode import Mode
from shared.domain.record import Outcome, Record
from shared.domain.resource import Resource, place_of
from shared.domain.resource_types import RESOURCE_TYPES, ResourceType, known_type
from shared.domain.signal import SignalKind, of_ours
from shared.world import World, record_apart


@dataclass(slots=True)
class _Seen:
    """What a sweep has come across so far. `users` are the AI resources that name an attachable one, by its key."""

    users: dict[str, set[ArmId]] = field(default_factory=dict)
    judged: Counter[str] = field(default_factory=Counter)
    drifted: Counter[str] = field(default_factory=Counter)
    unseen: Counter[str] = field(default_factory=Counter)
    signals: int = 0


async def sweep(world: World) -> None:
    """Looks for drift in all that Resource Graph and Resource Manager show, and has a signal raised for each resource.

    AI resources come before what may be attached to them. Ends with a record of what was seen. Raises TryAgain where
    the sweep could not be brought to its end: the signals that were raised until then stand.
    """
    if world.settings.mode is Mode.OFF:
        return
    began, seen = world.now(), _Seen()
    for kinds in _in_order():
        async for resource in _resources(world, kinds, seen):
            await _judge(resource, began, seen, world)
    await record_apart(_completed(began, seen, world), world)


def _in_order() -> tuple[list[ResourceType], ...]:
    """The types that Resource Graph knows: AI first."""
    own = [kind for kind in RESOURCE_TYPES if not _is_child(kind)]
    return [kind for kind in own if not kind.attachable], [kind for kind in own if kind.attachable]


def _is_child(kind: ResourceType) -> bool:
    return kind.name.count("/") > 1


async def _resources(world: World, kinds: Sequence[ResourceType], seen: _Seen) -> AsyncIterator[Resource]:
    async for body in world.arm.search([kind.name for kind in kinds]):
        place = place_of(body)
        kind = known_type(place.type) if place is not None else None
        if place is None or kind is None:
            continue
        resource = Resource(place, kind, body, frozenset(seen.users.get(place.key, ())))
        for attached in resource.attachments():
            seen.users.setdefault(attached.key, set()).add(place)
        yield resource
        async for child in _children(world, resource, seen):
            yield child


async def _children(world: World, resource: Resource, seen: _Seen) -> AsyncIterator[Resource]:
    """The judged children, which Resource Graph does not list."""
    for kind in RESOURCE_TYPES:
        parent, _, name = kind.name.rpartition("/")
        if not _is_child(kind) or parent.lower() != resource.type.name.lower():
            continue
        try:
            bodies = await world.arm.children(resource.id, name, kind.api_version)
        except Refused:
            seen.unseen[kind.name] += 1
            continue
        for body in bodies:
            if (place := place_of(body)) is not None:
                yield Resource(place, kind, body)


async def _judge(resource: Resource, began: datetime, seen: _Seen, world: World) -> None:
    if not resource.in_scope:
        return
    seen.judged[resource.type.name] += 1
    findings = evaluate(resource, world.catalogue, world.settings.baseline)
    wanted = [each for each in findings if world.settings.mode_of(each.remediation, each.rule) is not Mode.OFF]
    if not wanted:
        return
    seen.drifted[resource.type.name] += 1
    # One cause a day: what cannot be fixed is told once a day, however often it is swept.
    cause = f"sweep {began:%Y-%m-%d}"
    # Whose event was lost may be the AI resource that names this one: looked at first, it is noted as attached.
    for target in (*sorted(resource.attached_to, key=lambda user: user.key), resource.id):
        await world.queue.put(of_ours(SignalKind.SWEEP_HIT, target, cause, world.now()), timedelta())
        seen.signals += 1


def _completed(began: datetime, seen: _Seen, world: World) -> Record:
    evidence: JsonObject = {
        "judged": _told(seen.judged),
        "drifted": _told(seen.drifted),
        "signals": seen.signals,
        "seconds": round((world.now() - began).total_seconds(), 3),
    }
    if seen.unseen:
        evidence["unseen"] = _told(seen.unseen)
    judged, drifted = seen.judged.total(), seen.drifted.total()
    return Record(
        time_generated=world.now(),
        outcome=Outcome.SWEEP_COMPLETED,
        mode=world.settings.mode.value,
        reason_code="sweep.completed",
        reason=f"{judged} resources judged, {drifted} of them drifted",
        evidence=evidence,
        app_version=world.stamp.app_version,
        settings_digest=world.stamp.settings_digest,
        cause=f"sweep {began.isoformat()}",
    )


def _told(counted: Counter[str]) -> dict[str, Json]:
    return dict(sorted(counted.items()))
