"""Playing a script on the local Azure: what goes in, and everything that can be seen of how it went."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from local.arm.service import ArmConfig
from local.azure import APP, LocalAzure, Plan
from local.contoso import Deed, Leak
from local.event_grid import Delivery
from local.faults import Faults, repeatable
from local.host.error import HostError
from shared.domain.arm_id import parse_arm_id
from shared.domain.body import JsonObject, as_object, as_text
from shared.domain.exposure import SECRET_EXPOSED, Exposure
from shared.domain.record import TABLE, schema
from shared.domain.secret import digest
from shared.domain.settings import PREFIX
from shared.domain.signal import Signal, parse_message

# The checkout or the installed package that the command itself came with: what is rehearsed is what ships.
APP_DIRECTORY = Path(__file__).resolve().parent.parent
_TIMEOUT_SECONDS = 240.0
_CHAOS_INTENSITY = 0.15
_CHAOS_LOSES = 0.1
# How often the worker is killed on a bad day, and the longest time between two deaths in seconds.
_DEATHS, _LONGEST_LIFE = 3, 6.0
_HURRY_SECONDS = 3.0
_TICK_SECONDS = 0.1
# What the subscriptions' own topics raise; everything else reaches Airlock through the topic of alerts.
_RESOURCE_EVENTS = ("Microsoft.Resources.", "Microsoft.ResourceNotifications.")
_VAULT, _NOTIFY = f"{PREFIX}KEY_VAULT_URI", f"{PREFIX}NOTIFY_TOPIC"
_SLOTS = ("key1", "key2", "primary", "secondary")


@dataclass(frozen=True, slots=True)
class Script:
    """What is played: the estate as it was given, the events in their order, then what people do, then late events.

    `alerts` are Defender's own. When all is quiet, events `told` it of alerts, and keys are `leaked`; with `again` all
    of these events come once more. Events of alerts that Defender does not have come last: Airlock would ask for them
    for half an hour. `settings` are app settings, of which those of a vault and of a topic for outcomes only say that
    the local Azure should have one. `chaos` seeds an Azure that misbehaves, None for one that does not. A signal that
    comes back later than the `horizon` is not waited for.
    """

    estate: Sequence[JsonObject]
    events: Sequence[JsonObject]
    settings: Mapping[str, str]
    deeds: Sequence[Deed] = ()
    late: Sequence[JsonObject] = ()
    alerts: Sequence[JsonObject] = ()
    told: Sequence[JsonObject] = ()
    leaked: Sequence[Leak] = ()
    again: bool = False
    chaos: int | None = None
    horizon: timedelta = timedelta(minutes=1)


@dataclass(slots=True)
class Played:
    """What was seen. `events` are those that Airlock's own writes did not raise, `own_writes` counts the others.

    `given` tells when Event Grid was given the event of that id, in UTC. `rows` is the log as a query sees it: one row
    for each record. `unfinished` says what still waited when time was up.

    `repeated` is how many records came of events that were delivered again, None where none were. `regenerations`
    counts by account and slot, both in lower case. `alive` are the causes of exposed keys that still open an account
    of the estate. `published` tells of each secret that a record names whether a key in force is in the vault.
    `notified` are the RecordIds that the topic for outcomes was told, None where there is none. `lost` are the ids of
    the events that Event Grid never delivered, `deaths` counts the workers that were killed.
    """

    estate: list[JsonObject] = field(default_factory=list)
    events: list[JsonObject] = field(default_factory=list)
    given: dict[str, datetime] = field(default_factory=dict)
    rows: list[JsonObject] = field(default_factory=list)
    own_writes: int = 0
    seconds: float = 0.0
    unfinished: str | None = None
    repeated: int | None = None
    regenerations: dict[tuple[str, str], int] = field(default_factory=dict)
    alive: set[str] = field(default_factory=set)
    published: dict[str, bool] = field(default_factory=dict)
    notified: set[str] | None = None
    lost: set[str] = field(default_factory=set)
    deaths: int = 0

    def hear(self, event: JsonObject) -> None:
        """Notes an event that Event Grid was given."""
        if APP.object_id in json.dumps(event):
            self.own_writes += 1
            return
        self.events.append(event)
        self.given.setdefault(as_text(event.get("id")), datetime.now(UTC))


async def play(script: Script, watch: Callable[[Played], None]) -> Played:
    """Plays the script to its end. `watch` is told, several times a second, how far it is."""
    played = Played()
    async with LocalAzure(_plan(script), played.hear) as azure:
        started = time.monotonic()
        ticker = asyncio.create_task(_tick(played, azure, watch))
        try:
            await _perform(script, played, azure)
        except TimeoutError:
            played.unfinished = f"some signals still waited after {_TIMEOUT_SECONDS:.0f} s"
        finally:
            ticker.cancel()
        played.seconds = time.monotonic() - started
        _look(played, azure)
        played.estate = azure.export()
        played.lost = {str(event.get("id")) for grid in (azure.grid, azure.alerts_grid) for event in grid.lost}
        _look_at_keys(played, azure)
        if script.settings.get(_NOTIFY):
            played.notified = {str(event.get("id")) for event in azure.notifications.events}
    return played


async def _tick(played: Played, azure: LocalAzure, watch: Callable[[Played], None]) -> None:
    while True:
        _look(played, azure)
        watch(played)
        await asyncio.sleep(_TICK_SECONDS)


async def _perform(script: Script, played: Played, azure: LocalAzure) -> None:
    for alert in script.alerts:
        azure.report_alert(alert)
    # On a bad day it may fail: the timers that follow do what it could not.
    with suppress(HostError) if script.chaos is not None else nullcontext():
        await azure.host.run_timer("settle")
    unknown: list[JsonObject] = []
    if script.chaos is None:
        await _perform_all(script, played, azure, unknown)
    else:
        async with _meanwhile(_hurry(azure)):
            async with _meanwhile(_kill(script.chaos, played, azure)):
                await _perform_all(script, played, azure, unknown)
            await _calm_down(script, azure)
    for event in unknown:
        await azure.publish_alert(event)
    await azure.alerts_grid.drain()
    await azure.host.wait_idle(_TIMEOUT_SECONDS)


async def _perform_all(script: Script, played: Played, azure: LocalAzure, unknown: list[JsonObject]) -> None:
    """Everything but the events of alerts that Defender does not have: those are left in `unknown`."""
    known = {as_text(body.get("id")).lower() for body in (*script.alerts, *script.estate)}
    for event in script.events:
        if _is_unknown(event, known):
            unknown.append(event)
        else:
            await _publish(event, azure)
    await azure.finish(_TIMEOUT_SECONDS)
    for deed in script.deeds:
        await azure.act(deed)
    for event in script.late:
        await azure.publish(event)
    await azure.finish(_TIMEOUT_SECONDS)
    await _attack(script, played, azure)


@asynccontextmanager
async def _meanwhile(doing: Coroutine[None, None, None]) -> AsyncIterator[None]:
    """Does that until it is left."""
    task = asyncio.create_task(doing)
    try:
        yield
    finally:
        task.cancel()


async def _hurry(azure: LocalAzure) -> None:
    """Lets what is put back for later come soon: on a bad day that is much, and its waits add up to minutes."""
    while True:
        await asyncio.sleep(_HURRY_SECONDS)
        azure.hurry()


async def _kill(seed: int, played: Played, azure: LocalAzure) -> None:
    """Kills the worker now and then."""
    dice = repeatable("deaths", seed)
    for _ in range(_DEATHS):
        await asyncio.sleep(dice.random() * _LONGEST_LIFE)
        await azure.host.kill_worker()
        played.deaths += 1


async def _publish(event: JsonObject, azure: LocalAzure) -> None:
    """Gives the event to the topic that it belongs to."""
    kind = as_text(event.get("eventType")) or as_text(event.get("type"))
    await (azure.publish if kind.startswith(_RESOURCE_EVENTS) else azure.publish_alert)(event)


def _is_unknown(event: JsonObject, known: set[str]) -> bool:
    """Whether the event is of an alert that is not among those ids."""
    signal = parse_message(json.dumps(event), datetime.now(UTC))
    claimed = signal.alert if isinstance(signal, Signal) else None
    return claimed is not None and claimed.id is not None and claimed.id.key not in known


async def _attack(script: Script, played: Played, azure: LocalAzure) -> None:
    """Alerts and leaked keys; then, where the script wants that, every event of them once more."""
    events = [*script.told, *(_leak_event(leak, azure) for leak in script.leaked)]
    for event in events:
        await azure.publish_alert(event)
    await azure.finish(_TIMEOUT_SECONDS)
    if not script.again or script.chaos is not None:
        return  # an Azure that misbehaves delivers again as it likes
    _look(played, azure)
    before = len(played.rows)
    for event in events:
        await azure.publish_alert(event)
    await azure.finish(_TIMEOUT_SECONDS)
    _look(played, azure)
    played.repeated = len(played.rows) - before


def _leak_event(leak: Leak, azure: LocalAzure) -> JsonObject:
    """What `airlock leak` publishes about the key that is in force now."""
    sha256 = digest(azure.key_of(leak.id, leak.slot))
    exposure = Exposure(sha256, leak.found_at, parse_arm_id(leak.id))
    now = datetime.now(UTC)
    return {
        "specversion": "1.0",
        "id": f"leak-{now.timestamp():.6f}-{leak.slot}",
        "source": "airlock/leak",
        "type": SECRET_EXPOSED,
        "subject": leak.id,
        "time": now.isoformat(),
        "data": exposure.as_json(),
    }


async def _calm_down(script: Script, azure: LocalAzure) -> None:
    """After the bad day everything works again. Timers bring back what is left open past its lease, and find what no
    event told of."""
    azure.faults.clear()
    lease = float(script.settings["AIRLOCK_LEASE_SECONDS"])
    await azure.finish(_TIMEOUT_SECONDS)
    for name in ("settle", "sweep", "settle"):
        await asyncio.sleep(lease if name == "settle" else 0)
        await azure.host.run_timer(name)
        await azure.finish(_TIMEOUT_SECONDS)


def _look(played: Played, azure: LocalAzure) -> None:
    played.rows = list({str(row["RecordId"]): dict(row) for row in azure.rows}.values())


def _look_at_keys(played: Played, azure: LocalAzure) -> None:
    """Which keys were regenerated, and what the exposed and the published ones open now."""
    played.regenerations = dict(azure.arm.regenerations)
    in_force = set(_keys_in_force(played, azure))
    hashes = {digest(key) for key in in_force}
    for event in played.events:
        signal = parse_message(json.dumps(event), datetime.now(UTC))
        exposure = signal.exposure if isinstance(signal, Signal) else None
        if exposure is not None and exposure.sha256 in hashes:
            played.alive.add(exposure.cause)
    for row in played.rows:
        if name := as_text(as_object(row.get("Evidence")).get("publishedAs")):
            played.published[name] = bool(in_force.intersection(azure.vault.versions(name)[-1:]))


def _keys_in_force(played: Played, azure: LocalAzure) -> Iterator[str]:
    for body in played.estate:
        for slot in _SLOTS:
            with suppress(ValueError):  # most resources have no keys, and none has all of these
                yield azure.key_of(as_text(body.get("id")), slot)


def _plan(script: Script) -> Plan:
    seed = script.chaos
    settings, delivery = dict(script.settings), Delivery()
    if seed is not None:
        delivery = Delivery(seed=seed, duplicates=5, reordered=True, delay_seconds=300, lost=_CHAOS_LOSES)
        # Whoever kills workers does not want to wait for their messages as long as Azure does.
        settings["AzureFunctionsJobHost__extensions__queues__visibilityTimeout"] = "00:00:01"
    return Plan(
        app_directory=APP_DIRECTORY,
        webhook="on_resource_change",
        alerts_webhook="on_defender_alert",
        settings=settings,
        stream=f"Custom-{TABLE}",
        columns=schema(),
        estate=script.estate,
        arm=ArmConfig(seed=seed or 0),
        delivery=delivery,
        vault=bool(script.settings.get(_VAULT)),
        notify=bool(script.settings.get(_NOTIFY)),
        horizon=script.horizon,
        faults=Faults() if seed is None else Faults.chaos(seed, _CHAOS_INTENSITY),
    )
