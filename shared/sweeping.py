"""The sweep: every resource in scope is judged without an event, to catch the events that never came."""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import batched

from shared.domain.arm_id import ArmId
from shared.domain.body import Json, JsonObject
from shared.domain.drafting import of_airlock
from shared.domain.drift import evaluate
from shared.domain.failure import AirlockError, Refused, TryAgain
from shared.domain.mode import Mode
from shared.domain.record import Outcome, Record
from shared.domain.resource import Resource, place_of
from shared.domain.resource_types import RESOURCE_TYPES, ResourceType, known_type
from shared.domain.signal import SignalKind, of_ours
from shared.patience import patience
from shared.world import World, record_apart

# How long one account may keep the sweep waiting, how many are asked at a time, and how long the sweep may take at
# most: a function ends after ten minutes.
_PATIENCE = timedelta(seconds=10)
_AT_ONCE = 8
_LONGEST = timedelta(minutes=8)


@dataclass(slots=True)
class _Seen:
    """What a sweep has come across so far. `users` are the AI resources that name an attachable one, by its key;
    `parents` the resources that have judged children; `raised` the keys of resources that have their signal;
    `broken_off` why the sweep did not see everything."""

    users: dict[str, set[ArmId]] = field(default_factory=dict)
    parents: list[Resource] = field(default_factory=list)
    judged: Counter[str] = field(default_factory=Counter)
    drifted: Counter[str] = field(default_factory=Counter)
    unseen: Counter[str] = field(default_factory=Counter)
    raised: set[str] = field(default_factory=set)
    broken_off: str = ""


async def sweep(world: World) -> None:
    """Looks for drift in all that Resource Graph and Resource Manager show, and has a signal raised for each resource.

    AI resources come before what may be attached to them, children last, since each account has to be asked for them.
    Ends with a record of what was seen. Raises TryAgain where the sweep could not be brought to its end: the signals
    that were raised until then stand, and the record says so.
    """
    if world.settings.mode is Mode.OFF:
        return
    began, seen = world.now(), _Seen()
    failure: TryAgain | None = None
    try:
        for kinds in _in_order():
            async for resource in _resources(world, kinds, seen):
                await _judge(resource, began, seen, world)
        await _judge_children(began, seen, world)
    except TryAgain as again:
        failure, seen.broken_off = again, again.cause.text
    except Refused as refused:
        seen.broken_off = refused.cause.text
    await record_apart(_completed(began, seen, world), world)
    if failure is not None:
        raise failure


def _in_order() -> tuple[list[ResourceType], ...]:
    """The types that Resource Graph knows: AI first."""
    own = [kind for kind in RESOURCE_TYPES if not _is_child(kind)]
    return [kind for kind in own if not kind.attachable], [kind for kind in own if kind.attachable]


def _is_child(kind: ResourceType) -> bool:
    return kind.name.count("/") > 1


def _children_of(kind: ResourceType) -> list[ResourceType]:
    """The judged types of its children, which Resource Graph does not list."""
    return [each for each in RESOURCE_TYPES if each.name.rpartition("/")[0].lower() == kind.name.lower()]


async def _resources(world: World, kinds: Sequence[ResourceType], seen: _Seen) -> AsyncIterator[Resource]:
    async for body in world.arm.search([kind.name for kind in kinds]):
        place = place_of(body)
        kind = known_type(place.type) if place is not None else None
        if place is None or kind is None:
            continue
        resource = Resource(place, kind, body, frozenset(seen.users.get(place.key, ())))
        for attached in resource.attachments():
            seen.users.setdefault(attached.key, set()).add(place)
        if _children_of(kind):
            seen.parents.append(Resource(place, kind, {}))
        yield resource


async def _judge_children(began: datetime, seen: _Seen, world: World) -> None:
    """Some parents at a time, in another order each time: where time is short, not the same ones always miss out."""
    random.shuffle(seen.parents)
    for parents in batched(seen.parents, _AT_ONCE, strict=False):
        if world.now() - began > _LONGEST:
            seen.broken_off = "there was no time to list the children of every account"
            return
        for found in await asyncio.gather(*(_children(world, parent, seen) for parent in parents)):
            for child in found:
                await _judge(child, began, seen, world)


async def _children(world: World, parent: Resource, seen: _Seen) -> list[Resource]:
    found: list[Resource] = []
    for kind in _children_of(parent.type):
        name = kind.name.rpartition("/")[2]
        try:
            bodies: Sequence[JsonObject] = await patience(_PATIENCE)(
                world.arm.children, parent.id, name, kind.api_version
            )
        except AirlockError:
            # One account that does not answer must not keep the others from being seen; the record counts it.
            seen.unseen[kind.name] += 1
            continue
        found += [Resource(place, kind, body) for body in bodies if (place := place_of(body)) is not None]
    return found


async def _judge(resource: Resource, began: datetime, seen: _Seen, world: World) -> None:
    if not resource.in_scope:
        return
    seen.judged[resource.type.name] += 1
    findings = evaluate(resource, world.catalogue, world.settings.baseline)
    wanted = [each for each in findings if world.settings.mode_of(each.remediation, each.rule) is not Mode.OFF]
    if not wanted:
        return
    seen.drifted[resource.type.name] += 1
    # One cause a day: what only waits for a person is told once a day, however often it is swept.
    cause = f"sweep {began:%Y-%m-%d}"
    # Whose event was lost may be the AI resource that names this one: looked at first, it is noted as attached.
    for target in (*sorted(resource.attached_to, key=lambda user: user.key), resource.id):
        if target.key not in seen.raised:
            seen.raised.add(target.key)
            await world.queue.put(of_ours(SignalKind.SWEEP_HIT, target, cause, world.now()), timedelta())


def _completed(began: datetime, seen: _Seen, world: World) -> Record:
    evidence: JsonObject = {
        "judged": _told(seen.judged),
        "drifted": _told(seen.drifted),
        "signals": len(seen.raised),
        "seconds": round((world.now() - began).total_seconds(), 3),
    }
    if seen.unseen:
        evidence["unseen"] = _told(seen.unseen)
    told = f"; not everything was seen: {seen.broken_off}" if seen.broken_off else ""
    judged, drifted = seen.judged.total(), seen.drifted.total()
    code = "sweep.broken-off" if seen.broken_off else "sweep.completed"
    reason = f"{judged} resources judged, {drifted} of them drifted{told}"
    cause = f"sweep {began.isoformat()}"
    record = of_airlock(world.stamp, world.now(), Outcome.SWEEP_COMPLETED, code, reason, cause)
    return replace(record, mode=world.settings.mode.value, evidence=evidence)


def _told(counted: Counter[str]) -> dict[str, Json]:
    return dict(sorted(counted.items()))
