"""A running Airlock that many scenarios share, one after the other or all at once."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any, override

from local.arm.service import ArmConfig
from local.azure import LocalAzure, Plan
from local.event_grid import Delivery
from local.host.error import HostError
from local.storage.database import Database
from remediations import load_catalogue
from shared.domain.catalogue import Catalogue
from shared.domain.record import schema
from shared.domain.settings import Settings, read_settings
from tests.chaos.seen import Body, LedgerRows, Seen, Watcher, carrier, ledger_rows
from tests.chaos.wire import Wire
from tests.engine.running import REPOSITORY, STREAM

# Seconds.
LEASE = 5
_IDLE = 60.0
_QUIET = 90.0
_LOOK = 0.5
_SLOTS = ("key1", "key2", "primary", "secondary")
_SOON = timedelta(minutes=1)
_SETTINGS = {
    "AIRLOCK_MODE": "enforce",
    "AIRLOCK_QUIET_SECONDS": "0",
    "AIRLOCK_GRACE_SECONDS": "0",
    "AIRLOCK_LEASE_SECONDS": str(LEASE),
    "AIRLOCK_MAX_FIXES_PER_HOUR": "10000",
    # Whoever waits for a crash takes up a place, and so does what waits for its turn behind it.
    "AzureFunctionsJobHost__extensions__queues__batchSize": "32",
    "AzureFunctionsJobHost__extensions__queues__newBatchThreshold": "160",
    "AzureFunctionsJobHost__extensions__queues__visibilityTimeout": "00:00:01",
}
# The timers that the app has are run when all is quiet, in this order.
_TIMERS = ("settle", "bury", "sweep")


class ChaosAzure(LocalAzure):
    """A local Azure that tells the watcher of every write, and shows its database."""

    database: Database

    def __init__(self, plan: Plan, watcher: Watcher) -> None:
        super().__init__(plan, self._hear, watcher.logged.append)
        self._watcher = watcher

    def _hear(self, event: Body) -> None:
        subject = carrier(str(event.get("subject")))
        now = self.arm.estate.view(subject) if subject.startswith("/subscriptions/") else None
        self._watcher.hear(event, now, time.time())

    @override
    async def _tables(self, run: AsyncExitStack, database: Database) -> str:
        self.database = database
        return await super()._tables(run, database)

    @property
    def is_due(self) -> bool:
        """Whether a signal waits that comes back soon."""
        return self._messages.is_due(_SOON)


@dataclass
class Session:
    """One running Airlock. `kills` counts the workers that were killed, `dead` the keys that were ever in force.

    `patience` is how many seconds it may take until all is quiet.
    """

    azure: ChaosAzure
    wire: Wire
    watcher: Watcher
    settings: Settings
    catalogue: Catalogue
    workers: int
    kills: int = 0
    patience: float = _QUIET
    dead: set[str] = field(default_factory=set)

    def place(self, bodies: Iterable[Body]) -> None:
        """Lets resources stand in the estate that nobody wrote."""
        placed = list(bodies)
        for body in placed:
            self.azure.arm.estate.take_in(body)
        self.watcher.note(placed)
        self.remember_keys(placed)

    def remember_keys(self, bodies: Iterable[Body]) -> None:
        """Remembers the keys that are in force now as secrets."""
        for body in bodies:
            for slot in _SLOTS:
                try:
                    self.dead.add(self.azure.key_of(str(body["id"]), slot))
                except ValueError:
                    continue  # most resources have no keys, and none has all of these

    def remove(self, bodies: Iterable[Body]) -> None:
        """Takes the resources out of the estate again."""
        for body in bodies:
            self.azure.arm.estate.remove(str(body["id"]))

    async def kill(self) -> None:
        """Kills every worker at once, and ends what hung for it."""
        await asyncio.gather(*(self.azure.host.kill_worker(index) for index in range(self.workers)))
        self.kills += self.workers
        self.wire.release()

    async def run_timers(self) -> None:
        """Runs the timers that the app has; one that fails for a fault of ours is run again by whoever waits."""
        names = {function.name for function in self.azure.host.functions}
        for name in _TIMERS:
            if name in names:
                await self.run_timer(name)

    async def run_timer(self, name: str) -> None:
        """Runs one timer. That it failed stands in the log of the host."""
        try:
            await self.azure.host.run_timer(name)
        except HostError:
            return

    async def quiet(self) -> bool:
        """Hurries whatever waits, and runs the timers, until nothing is left to do; whether that came in time."""
        deadline = time.monotonic() + self.patience
        while time.monotonic() < deadline:
            self.azure.hurry()
            await self.azure.grid.drain()
            await self.azure.alerts_grid.drain()
            try:
                await self.azure.host.wait_idle(_IDLE)
            except TimeoutError:
                return False
            if not self.azure.is_due and not self.ledger.open:
                return True
            await self.run_timer("settle")
            await asyncio.sleep(_LOOK)
        return False

    @property
    def ledger(self) -> LedgerRows:
        """The ledger as it is now."""
        return ledger_rows(self.azure.database)


@dataclass(frozen=True, slots=True)
class Mark:
    """How much had been seen at some moment."""

    events: int
    writes: int
    rows: int
    told: int
    requests: int
    logged: int

    @classmethod
    def of(cls, session: Session) -> "Mark":
        """The present moment."""
        azure, watcher = session.azure, session.watcher
        return cls(
            len(watcher.events),
            len(watcher.writes),
            len(azure.logs.rows),
            len(azure.notifications.events),
            len(azure.arm.requests),
            len(watcher.logged),
        )


def seen_since(mark: Mark, session: Session) -> Seen:
    """Everything since then, of all resources."""
    azure, watcher = session.azure, session.watcher
    estate = azure.export()
    return Seen(
        events=watcher.events[mark.events :],
        rows=azure.logs.rows[mark.rows :],
        told=[dict(event) for event in azure.notifications.events[mark.told :]],
        writes=watcher.writes[mark.writes :],
        requests=azure.arm.requests[mark.requests :],
        live={str(body["id"]).lower(): body for body in estate},
        estate=estate,
        ledger=session.ledger,
        regenerations=azure.arm.regenerations,
        logged=watcher.logged[mark.logged :],
        settings=session.settings,
        catalogue=session.catalogue,
        secrets=frozenset(session.dead),
        earlier=frozenset(str(row["Digest"]) for row in azure.logs.rows[: mark.rows]),
    )


def about(token: str, seen: Seen) -> Seen:
    """The part that is about the resources, alerts and events whose names hold the token; the log lines stay out."""
    ids = {str(event["id"]) for event in seen.events if token in _text(event)}
    return replace(
        seen,
        events=[event for event in seen.events if str(event["id"]) in ids],
        rows=[row for row in seen.rows if token in str(row.get("ResourceId")).lower() or row.get("SignalId") in ids],
        told=[event for event in seen.told if token in str(event["subject"]).lower()],
        writes=[write for write in seen.writes if token in write.resource],
        requests=[request for request in seen.requests if token in request.path.lower()],
        live={name: body for name, body in seen.live.items() if token in name},
        ledger=LedgerRows(
            {row: key for row, key in seen.ledger.open.items() if token in key},
            {key: head for key, head in seen.ledger.heads.items() if token in key},
            {key: time for key, time in seen.ledger.watermarks.items() if token in key},
        ),
        regenerations={key: times for key, times in seen.regenerations.items() if token in key[0]},
        logged=[],
    )


def _text(event: Mapping[str, Any]) -> str:
    data = event.get("data")
    named = data.get("id") or data.get("resourceId") if isinstance(data, dict) else ""
    return f"{event.get('subject')} {event.get('id')} {named}".lower()


@asynccontextmanager
async def session(  # noqa: PLR0913 - each is a choice of its own, with a default
    estate: Sequence[Body],
    *,
    settings: Mapping[str, str] | None = None,
    arm: ArmConfig | None = None,
    delivery: Delivery | None = None,
    workers: int = 1,
    app_directory: Path = REPOSITORY,
) -> AsyncIterator[Session]:
    """Airlock with a vault and a topic over that estate, quick to look and to lease."""
    chosen = _SETTINGS | dict(settings or {})
    catalogue = load_catalogue()
    wire, watcher = Wire(), Watcher()
    plan = Plan(
        app_directory=app_directory,
        webhook="on_resource_change",
        alerts_webhook="on_defender_alert",
        settings=chosen,
        stream=STREAM,
        columns=schema(),
        estate=estate,
        arm=arm or ArmConfig(operation_seconds=0.05, settle_seconds=1.0),
        delivery=delivery or Delivery(),
        faults=wire,
        workers=workers,
        vault=True,
        notify=True,
    )
    async with ChaosAzure(plan, watcher) as azure:
        running = Session(azure, wire, watcher, read_settings(chosen, catalogue), catalogue, workers)
        watcher.note(azure.export())
        running.remember_keys(azure.export())
        await running.run_timer("settle")
        yield running
