"""A running Airlock that many scenarios share, one after the other or all at once."""

import asyncio
import base64
import json
import time
import zlib
from collections.abc import AsyncIterator, Coroutine, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any, override

from aiohttp import ClientError, ClientSession, ClientTimeout
from azure.data.tables.aio import TableClient

from local.arm.service import ArmConfig
from local.azure import LocalAzure, Plan
from local.credential import FixedToken
from local.event_grid import Delivery
from local.host.error import HostError
from local.storage.database import Database
from local.storage.message_store import Queue
from remediations import load_catalogue
from shared.azure.entities import entry_row
from shared.domain.catalogue import Catalogue
from shared.domain.record import schema
from shared.domain.settings import Settings, read_settings
from shared.domain.stores import ANCHORS, BURIED, DEAD_LETTERS, LEDGER_TABLE, POISON_QUEUE
from tests.chaos.seen import Body, LedgerRows, Order, Seen, Watcher, carrier, ledger_rows, subscription_of
from tests.chaos.wire import Wire
from tests.engine.running import REPOSITORY, STREAM

# Seconds.
LEASE = 5
_IDLE = 60.0
_QUIET = 90.0
_LOOK, _LONGER, _LONGEST_LOOK = 0.5, 1.4, 1.5
_SLOTS = ("key1", "key2", "primary", "secondary")
_SOON = timedelta(minutes=1)
_RECORDED, _SHORTLY = 20.0, 0.02
_BETWEEN_ORDERS = 0.5
# A fault fails one run, so the third one has nothing left.
_RUNS = 3
_ORDERED = 40.0
_TAKEN = range(200, 300)
# Until then an operator's command orders again (`shared.azure.operate`).
_PASSING = frozenset({0, 408, 429, *range(500, 600)})
# The chain of what belongs to no subscription.
OURS = "-"
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

    def poison(self, text: str) -> None:
        """Puts a message where the host puts those that made the function fail again and again."""
        self._messages.create_queue(Queue(POISON_QUEUE, {}))
        self._messages.put(POISON_QUEUE, base64.b64encode(text.encode()).decode(), timedelta(), None)

    def show_poison(self) -> None:
        """Lets poisoned messages that were taken and not dealt with show again: as if five minutes had passed."""
        # Nobody may be at them meanwhile.
        self.database.connection.execute(
            "UPDATE messages SET visible = inserted WHERE queue_id IN (SELECT id FROM queues WHERE name = ?)",
            (POISON_QUEUE,),
        )

    @property
    def unburied(self) -> list[str]:
        """What lies in the poison queue and among the dead letters."""
        rows = self.database.connection.execute(
            "SELECT text FROM messages WHERE queue_id IN (SELECT id FROM queues WHERE name = ?)", (POISON_QUEUE,)
        )
        poisoned = [base64.b64decode(text).decode() for (text,) in rows.fetchall()]
        letters = (self.blobs.read(DEAD_LETTERS, name) or b"" for name in self.blobs.names(DEAD_LETTERS))
        return [*poisoned, *(letter.decode() for letter in letters)]

    @property
    def buried(self) -> dict[str, str]:
        """What is kept for a replay, by the RecordId that it is kept under."""
        names = self.blobs.names(BURIED)
        return {name.removesuffix(".json"): (self.blobs.read(BURIED, name) or b"").decode() for name in names}

    @property
    def anchors(self) -> list[bytes]:
        """All anchors, the oldest first."""
        return [self.blobs.read(ANCHORS, name) or b"" for name in self.blobs.names(ANCHORS)]

    async def put_rows(self, *rows: Body) -> None:
        """Writes rows into the ledger's table."""
        address = self.environment["AzureWebJobsStorage__tableServiceUri"]
        trusted = str(self.certificate.ca_file)
        async with TableClient(address, LEDGER_TABLE, credential=FixedToken(), connection_verify=trusted) as table:
            for row in rows:
                await table.upsert_entity(row)

    def forget_records(self, chain: str) -> None:
        """Lets the chain not know any more which records it has, so that another one of the same id can be written."""
        row, connection = entry_row(chain), self.database.connection
        found = connection.execute("SELECT properties FROM entities WHERE row_key = ?", (row,)).fetchone()
        kept = json.loads(found[0])
        entry = json.loads(zlib.decompress(base64.b64decode(kept["Data0"][1])))
        entry["state"].pop("remembered", None)
        kept["Data0"][1] = base64.b64encode(zlib.compress(json.dumps(entry).encode())).decode()
        connection.execute("UPDATE entities SET properties = ? WHERE row_key = ?", (json.dumps(kept), row))


@dataclass
class Session:
    """One running Airlock. `kills` counts the workers that were killed, `dead` the keys that were ever in force.

    `patience` is how many seconds it may take until all is quiet. `failed` are the timers whose last run failed, which
    are run again then. `orders` are all that operators ordered.
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
    failed: set[str] = field(default_factory=set)
    orders: list[Order] = field(default_factory=list)
    _begun: set[asyncio.Task[None]] = field(default_factory=set)

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
        self.failed.discard(name)
        try:
            await self.azure.host.run_timer(name)
        except HostError:
            self.failed.add(name)

    def start(self, deed: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Begins something that may hang; nothing is quiet before it has ended."""
        task = asyncio.create_task(deed)
        self._begun.add(task)
        task.add_done_callback(self._begun.discard)
        return task

    async def rest(self) -> None:
        """Waits for the end of what was begun, and for timers that failed to have done what they left."""
        await asyncio.gather(*self._begun)
        for _ in range(_RUNS):
            await self._run_failed()

    async def _run_failed(self) -> None:
        self.azure.show_poison()
        for name in sorted(self.failed - {"settle"}):
            await self.run_timer(name)

    async def order(self, order: Order, body: Body) -> None:
        """Orders something as an operator's command does: again, until it is taken or refused."""
        self.orders.append(order)
        deadline = time.monotonic() + _ORDERED
        while time.monotonic() < deadline:
            order.answers.append(await self._asked(body))
            if order.answers[-1][0] not in _PASSING:
                return
            await asyncio.sleep(_BETWEEN_ORDERS)

    async def _asked(self, body: Body) -> tuple[int, tuple[str, ...]]:
        headers = {"Authorization": f"Bearer {self.azure.operator_token()}"}
        patient = ClientTimeout(total=_IDLE)
        try:
            async with (
                ClientSession(timeout=patient) as client,
                client.post(self.azure.operate_url, json=body, headers=headers) as answer,
            ):
                told = await answer.json() if answer.status in _TAKEN else {}
                return answer.status, tuple(told.get("records", ()))
        except (ClientError, TimeoutError):
            return 0, ()

    async def recorded(self, resource: str) -> None:
        """Waits until the log has a record of the resource, but not for ever."""
        deadline = time.monotonic() + _RECORDED
        while time.monotonic() < deadline:
            if any(row.get("ResourceId") == resource for row in reversed(self.azure.logs.rows)):
                return
            await asyncio.sleep(_SHORTLY)

    async def quiet(self) -> bool:
        """Hurries whatever waits, and runs the timers, until nothing is left to do; whether that came in time."""
        deadline, pause = time.monotonic() + self.patience, _LOOK
        while time.monotonic() < deadline:
            self.azure.hurry()
            await self.azure.grid.drain()
            await self.azure.alerts_grid.drain()
            try:
                await self.azure.host.wait_idle(_IDLE)
            except TimeoutError:
                return False
            if not (self.azure.is_due or self._begun or self.failed - {"settle"} or self.ledger.open):
                return True
            await self.run_timer("settle")
            await self._run_failed()
            await asyncio.sleep(pause)
            # What waits for a lease to run out waits for seconds, and each look asks every partition.
            pause = min(pause * _LONGER, _LONGEST_LOOK)
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
    orders: int

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
            len(session.orders),
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
        unburied=azure.unburied,
        buried=azure.buried,
        orders=session.orders[mark.orders :],
    )


def about(token: str, seen: Seen) -> Seen:
    """The part that is about the resources, alerts and events whose names hold the token, and about the subscription
    that they have for themselves; the log lines stay out."""
    ids = {str(event["id"]) for event in seen.events if token in _text(event)}
    own = subscription_of(token)
    orders = [order for order in seen.orders if token in order.resource]
    given = {record for order in orders for _, records in order.answers for record in records}
    rows = [
        row for row in seen.rows if _is_of(row, token, own) or {row.get("SignalId"), row["RecordId"]} & (ids | given)
    ]
    known = {row["RecordId"] for row in rows}
    return replace(
        seen,
        events=[event for event in seen.events if str(event["id"]) in ids],
        rows=rows,
        told=[event for event in seen.told if token in str(event["subject"]).lower() or event["id"] in known],
        writes=[write for write in seen.writes if token in write.resource],
        requests=[request for request in seen.requests if token in request.path.lower()],
        live={name: body for name, body in seen.live.items() if token in name},
        ledger=LedgerRows(
            {row: key for row, key in seen.ledger.open.items() if token in key or own in key},
            {key: head for key, head in seen.ledger.heads.items() if token in key or own == key},
            {key: time for key, time in seen.ledger.watermarks.items() if token in key},
            seen.ledger.budgets,
        ),
        regenerations={key: times for key, times in seen.regenerations.items() if token in key[0]},
        logged=[],
        unburied=[text for text in seen.unburied if token in text],
        orders=orders,
        # An order may be recorded in a chain that others write to as well.
        earlier=seen.earlier | {str(row["Digest"]) for row in seen.rows},
    )


def _is_of(row: Mapping[str, Any], token: str, subscription: str) -> bool:
    return token in str(row.get("ResourceId")).lower() or row.get("SubscriptionId") == subscription


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
