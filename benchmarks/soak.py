"""`python -m benchmarks.soak`: 20,000 events over 2,000 resources at full speed; what is lost, and what memory does.

Needs Linux, and about five minutes. Ends with 1 where an event was lost or the worker's memory grew.
"""

import asyncio
import random
import sys
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from statistics import mean

from benchmarks import process
from benchmarks.estate import Body, storage
from benchmarks.running import CountingAzure, airlock
from local.contoso import write_event

_EVENTS, _RESOURCES, _DRIFTED = 20_000, 2_000, 200
# So many events are given at once: a storm, and never an empty queue.
_BATCH = 500
_PATIENCE = 600.0
_FLAT = 0.10


@dataclass(frozen=True, slots=True)
class _Soak:
    """What was seen. `memory` are bytes that were resident, in the order of time; `lost` the ids of events."""

    seconds: float
    memory: tuple[int, ...]
    lost: tuple[str, ...]
    open_: int

    def quarter(self, number: int) -> float:
        """The mean of the samples of one quarter, 0 to 3, in MiB."""
        size = len(self.memory) // 4
        return mean(self.memory[number * size : (number + 1) * size]) / 2**20


def _main() -> int:
    soak = asyncio.run(_run())
    quarters = [soak.quarter(number) for number in range(4)]
    growth = quarters[3] / quarters[1] - 1
    print(
        f"{_EVENTS} events over {_RESOURCES} resources in {soak.seconds:.0f} s, {_EVENTS / soak.seconds:.0f} a second"
    )
    print(f"events lost: {len(soak.lost)}; drifted resources left: {soak.open_}")
    print(f"worker memory by quarter: {', '.join(f'{each:.1f}' for each in quarters)} MiB")
    print(f"the last quarter is {growth:+.1%} of the second (at most {_FLAT:+.0%})")
    return int(bool(soak.lost) or soak.open_ > 0 or growth > _FLAT)


async def _run() -> _Soak:
    estate = [storage(number, drifted=number < _DRIFTED) for number in range(_RESOURCES)]
    dice = random.Random(20_000)  # noqa: S311 - which resource changes next is no secret
    async with airlock(estate) as azure:
        worker, began = process.worker(), time.monotonic()
        memory: list[int] = []
        sampling = asyncio.create_task(_sample(worker, memory))
        given: list[Body] = []
        for _ in range(_EVENTS // _BATCH):
            batch = [write_event(dice.choice(estate), datetime.now(UTC)) for _ in range(_BATCH)]
            for event in batch:
                await azure.publish(event)
            given += batch
            await azure.finish(_PATIENCE)
        sampling.cancel()
        seconds = time.monotonic() - began
        return _Soak(seconds, tuple(memory), tuple(_lost(given, azure.rows)), _open(azure, estate[:_DRIFTED]))


async def _sample(worker: int, memory: list[int]) -> None:
    while True:
        memory.append(process.memory(worker))
        await asyncio.sleep(0.5)


def _lost(given: Sequence[Body], rows: Sequence[Mapping[str, object]]) -> list[str]:
    """The events of which no record tells, and after which no record of the same resource was written."""
    latest: defaultdict[str, str] = defaultdict(str)
    for row in rows:
        key = str(row.get("ResourceId")).lower()
        latest[key] = max(latest[key], str(row["TimeGenerated"]))
    told = {row.get("SignalId") for row in rows}
    return [
        str(event["id"])
        for event in given
        if event["id"] not in told and latest[str(event["subject"]).lower()] < _moment(event)
    ]


def _moment(event: Body) -> str:
    moment = datetime.fromisoformat(str(event["eventTime"])).astimezone(UTC)
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")


def _open(azure: CountingAzure, drifted: Sequence[Body]) -> int:
    live = {str(body["id"]): body for body in azure.export()}
    return sum(live[str(body["id"])]["properties"]["minimumTlsVersion"] != "TLS1_2" for body in drifted)


if __name__ == "__main__":
    sys.exit(_main())
