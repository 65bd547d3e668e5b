"""Playing a script on the local Azure: what goes in, and everything that can be seen of how it went."""

import asyncio
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from local.arm.service import ArmConfig
from local.azure import APP, LocalAzure, Plan
from local.contoso import Deed
from local.event_grid import Delivery
from local.faults import Faults
from shared.domain.body import JsonObject, as_text
from shared.domain.record import TABLE, schema

# The checkout or the installed package that the command itself came with: what is rehearsed is what ships.
APP_DIRECTORY = Path(__file__).resolve().parent.parent
_TIMEOUT_SECONDS = 240.0
_CHAOS_INTENSITY = 0.15
_TICK_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class Script:
    """What is played: the estate as it was given, the events in their order, then what people do, then late events.

    `settings` are app settings; `chaos` seeds an Azure that misbehaves, None for one that does not. A signal that comes
    back later than the `horizon` is not waited for.
    """

    estate: Sequence[JsonObject]
    events: Sequence[JsonObject]
    settings: Mapping[str, str]
    deeds: Sequence[Deed] = ()
    late: Sequence[JsonObject] = ()
    chaos: int | None = None
    horizon: timedelta = timedelta(minutes=1)


@dataclass(slots=True)
class Played:
    """What was seen. `events` are those that Airlock's own writes did not raise, `own_writes` counts the others.

    `given` tells when Event Grid was given the event of that id, in UTC. `rows` is the log as a query sees it: one row
    for each record. `unfinished` says what still waited when time was up.
    """

    estate: list[JsonObject] = field(default_factory=list)
    events: list[JsonObject] = field(default_factory=list)
    given: dict[str, datetime] = field(default_factory=dict)
    rows: list[JsonObject] = field(default_factory=list)
    own_writes: int = 0
    seconds: float = 0.0
    unfinished: str | None = None

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
            await _perform(script, azure)
        except TimeoutError:
            played.unfinished = f"some signals still waited after {_TIMEOUT_SECONDS:.0f} s"
        finally:
            ticker.cancel()
        played.seconds = time.monotonic() - started
        _look(played, azure)
        played.estate = azure.export()
    return played


async def _tick(played: Played, azure: LocalAzure, watch: Callable[[Played], None]) -> None:
    while True:
        _look(played, azure)
        watch(played)
        await asyncio.sleep(_TICK_SECONDS)


async def _perform(script: Script, azure: LocalAzure) -> None:
    await azure.host.run_timer("settle")
    for event in script.events:
        await azure.publish(event)
    await azure.finish(_TIMEOUT_SECONDS)
    for deed in script.deeds:
        await azure.act(deed)
    for event in script.late:
        await azure.publish(event)
    await azure.finish(_TIMEOUT_SECONDS)
    if script.chaos is not None:
        await _calm_down(script, azure)


async def _calm_down(script: Script, azure: LocalAzure) -> None:
    """After the bad day everything works again, and the timer brings back what is left open past its lease."""
    azure.faults.clear()
    await asyncio.sleep(float(script.settings["AIRLOCK_LEASE_SECONDS"]))
    await azure.host.run_timer("settle")
    await azure.finish(_TIMEOUT_SECONDS)


def _look(played: Played, azure: LocalAzure) -> None:
    played.rows = list({str(row["RecordId"]): dict(row) for row in azure.rows}.values())


def _plan(script: Script) -> Plan:
    seed = script.chaos
    delivery = Delivery() if seed is None else Delivery(seed=seed, duplicates=5, reordered=True, delay_seconds=300)
    return Plan(
        app_directory=APP_DIRECTORY,
        webhook="on_resource_change",
        settings=script.settings,
        stream=f"Custom-{TABLE}",
        columns=schema(),
        estate=script.estate,
        arm=ArmConfig(seed=seed or 0),
        delivery=delivery,
        horizon=script.horizon,
        faults=Faults() if seed is None else Faults.chaos(seed, _CHAOS_INTENSITY),
    )
