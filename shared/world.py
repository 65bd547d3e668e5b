"""Everything outside the engine, and one worker's visit to one resource."""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from shared.domain.arm_id import ArmId
from shared.domain.baseline import Baseline
from shared.domain.catalogue import Catalogue
from shared.domain.drafting import Stamp, of_signal
from shared.domain.failure import Cause, Refused, TryAgain
from shared.domain.incident import Incident
from shared.domain.ledger import Entry
from shared.domain.ports import Archive, Arm, Blobs, Budgets, Keys, Ledger, Log, Poison, Queue, Tokens, Vault
from shared.domain.record import Outcome, Record, Row
from shared.domain.resource import Resource
from shared.domain.resource_types import ResourceType
from shared.domain.rotation import Rotation, with_claims
from shared.domain.settings import Settings
from shared.domain.signal import Signal
from shared.patience import patience
from shared.turns import Turns

# How long a record that belongs to no look may be in the way of others.
_APART = timedelta(seconds=8)


@dataclass(frozen=True, slots=True)
class World:
    """Everything outside, and what was decided before the first signal came. `vault` is None where none is named."""

    arm: Arm
    keys: Keys
    vault: Vault | None
    ledger: Ledger
    budgets: Budgets
    archive: Archive
    blobs: Blobs
    poison: Poison
    tokens: Tokens
    log: Log
    queue: Queue
    now: Callable[[], datetime]
    settings: Settings
    catalogue: Catalogue
    app_version: str
    turns: Turns

    @property
    def stamp(self) -> Stamp:
        """What every record of this process carries."""
        return Stamp(self.app_version, self.settings.digest)


@dataclass(frozen=True, slots=True)
class Visit:
    """One worker's look at one resource for one signal.

    `ticket` is its lease. `incident` is what was confirmed and is answered here; None for a plain look.
    """

    world: World
    signal: Signal
    target: ArmId
    type: ResourceType
    ticket: str
    baseline: Baseline
    incident: Incident | None = None

    def record(self, outcome: Outcome, code: str, reason: str) -> Record:
        """A record about the signal as a whole, on the visited resource."""
        return of_signal(self.signal, self.world.stamp, self.world.now(), outcome, code, reason, self.target)

    async def read_again(self, resource: Resource) -> Resource:
        """The resource as what was done in this visit left it. Raises TryAgain."""
        try:
            body = await self.world.arm.read(resource.id, resource.type.api_version)
        except Refused as refused:
            raise TryAgain(refused.cause) from refused  # a new look will meet it, and record it
        if body is None:
            raise TryAgain(Cause("arm.vanished", "the resource went away in the middle of a visit"))
        return replace(resource, body=body)


async def lease(entry: Entry, ticket: str, world: World, claims: Iterable[Rotation] = ()) -> Entry:
    """The entry with the ticket's lease on it, for as long as a worker may take, and with the claims.

    Whoever is about to look at keys takes it first: a plain look that turns keys off meanwhile would leave keys that
    nobody can list any more, and that open the account again once keys are back. Raises TryAgain if another came first.
    """
    now, lasting = world.now(), world.settings.operational.lease_seconds
    if entry.held_by_another(ticket, now):
        raise TryAgain(Cause("ledger.held", "another worker is at this resource"))
    rotations = with_claims(entry.rotations, claims)
    lasts = entry.holder == ticket and entry.held_until is not None and entry.held_until > now + lasting / 2
    if lasts and rotations == entry.rotations:
        return entry
    return await world.ledger.commit(replace(entry, holder=ticket, held_until=now + lasting, rotations=rotations))


@dataclass(frozen=True, slots=True)
class Progress:
    """How far acts have come: the entry as it stands in the ledger, and the rows that are to be sent."""

    entry: Entry
    rows: tuple[Row, ...] = ()

    async def end(self, draft: Record, record: Record, world: World) -> "Progress":
        """Writes the record of one act at once, so that nothing that befalls the next one can lose it."""
        until = world.now() + world.settings.operational.lease_seconds
        entry, rows = self.entry.end_act(draft, record, until)
        return Progress(await world.ledger.commit(entry, rows), self.rows + rows)


async def do_each(world: World, *parts: Callable[[World], Awaitable[None]]) -> None:
    """Does all of it, whatever befalls a part. Raises the first TryAgain at the end; the next run does what this one
    did not."""
    failures: list[TryAgain] = []
    for part in parts:
        try:
            await part(world)
        except TryAgain as failure:
            failures.append(failure)
    if failures:
        raise failures[0]


async def record_apart(record: Record, world: World) -> None:
    """Writes a record that no look at a resource stands behind."""
    await world.log.deliver(await append_apart((record,), world))


async def append_apart(records: Sequence[Record], world: World) -> tuple[Row, ...]:
    """Commits such records of one chain, at most a hundred, and answers the rows that are to be sent.

    Those that stand in the chain already cost a read and no more. Many workers write to the chains of subscriptions:
    whoever comes second tries again here, where nothing but the record depends on it.
    """
    async with world.turns.of(records[0].chain):
        rows: tuple[Row, ...] = await patience(_APART)(_append, records, world)
    return rows


async def _append(records: Sequence[Record], world: World) -> tuple[Row, ...]:
    entry, rows = (await world.ledger.open(records[0].chain)).append(records)
    if rows:
        await world.ledger.commit(entry, rows)
    return rows


async def ignore(signal: Signal, target: ArmId | None, code: str, reason: str, world: World) -> None:
    """Records that nothing is done about a signal. `target` is what it was about; None takes the signal's own."""
    record = of_signal(signal, world.stamp, world.now(), Outcome.IGNORED, code, reason, target)
    await record_apart(record, world)
