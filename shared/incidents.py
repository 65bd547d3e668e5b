"""What alerts and exposed keys have in common: a resource to be answered on, and lists of resources to search."""

from collections.abc import AsyncIterator, Iterable

from shared.domain.arm_id import ArmId
from shared.domain.body import JsonObject
from shared.domain.failure import Refused
from shared.domain.incident import Incident
from shared.domain.resource import place_of
from shared.domain.resource_types import ResourceType, known_type
from shared.domain.signal import Signal
from shared.looking import look
from shared.world import Visit, World, ignore


async def answer(signal: Signal, target: ArmId, incident: Incident, ticket: str, world: World) -> None:
    """Answers the incident on one resource. Raises TryAgain; Refused never, since it has a record of its own."""
    kind = known_type(target.type)
    if kind is None:
        await ignore(signal, target, "ignored.type", f"no rule judges resources of type {target.type}", world)
        return
    visit = Visit(world, signal, target, kind, ticket, world.settings.baseline, incident)
    async with world.turns.of(target.key):
        rows = await look(visit)
    await world.log.deliver(rows)


async def each_body(
    world: World, subscription: ArmId, kinds: Iterable[ResourceType]
) -> AsyncIterator[tuple[ResourceType, ArmId, JsonObject]]:
    """Every resource of those types in a subscription, with its body as lists show it.

    A type that may not be listed there is passed over. Raises TryAgain.
    """
    for kind in kinds:
        try:
            bodies = await world.arm.children(subscription, kind.name, kind.api_version)
        except Refused:
            continue  # no right to list them, or no such provider there: then there is nothing to find either
        for body in bodies:
            if (place := place_of(body)) is not None:
                yield kind, place, body
