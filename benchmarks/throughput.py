"""Events a second from Event Grid to the log, and what the worker needed for it."""

import asyncio
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import batched
from statistics import mean, median

from benchmarks import process
from benchmarks.estate import Body, storage
from benchmarks.figure import Figure, told
from benchmarks.running import PATIENCE, CountingAzure, airlock
from local.arm.service import ArmConfig

_ROUNDS = 3
_SOUND, _DRIFTED = 200, 100
_LATENCY = 0.05
# Of a core: what uses more does nothing else.
_BUSY = 0.8


@dataclass(frozen=True, slots=True)
class _Round:
    """`rate` counts all events that went the whole way; the others are seconds of processor for an event."""

    rate: float
    worker: float
    others: float


def measure() -> tuple[Figure, ...]:
    """Events a second, what the worker needs of a processor for one, and its peak memory over all rounds."""
    rounds, peak = asyncio.run(_measure())
    rates = [each.rate for each in rounds]
    costs = [each.worker * 1000 for each in rounds]
    others = mean(each.others for each in rounds)
    note = (
        f"{_SOUND} sound and {_DRIFTED} drifted storage accounts, an event each, given at once, and the {_DRIFTED} "
        f"events of the fixes; to the last record in the log; ARM answers in {_LATENCY * 1000:.0f} ms; median of "
        f"{_ROUNDS} warm rounds. One worker process, at most 32 messages at a time. {_limit(rounds)}"
    )
    of_cost = (
        f"User and system time. A core of its own carries at most {1000 / median(costs):.0f} events a second. The "
        f"local Azure and its host, in a process of their own, needed {others * 1000:.1f} ms for an event."
    )
    return (
        told("Events end to end, one worker", median(rates), "/s", rates, note),
        told("  the worker's processor time for one", median(costs), "ms", costs, of_cost),
        told("  the worker's peak memory", peak / 2**20, "MiB", (peak / 2**20,), "VmHWM in /proc."),
    )


def _limit(rounds: Sequence[_Round]) -> str:
    """What the rounds were limited by, from how much of its time each process had a core."""
    worker = mean(each.rate * each.worker for each in rounds)
    others = mean(each.rate * each.others for each in rounds)
    cores = os.process_cpu_count() or 1
    shares = f"The worker had {worker:.0%} of a core, the local Azure with its host {others:.0%}, of {cores} cores"
    if max(worker, others) > _BUSY:
        return f"{shares}: {'the worker' if worker > others else 'the local Azure'} was the limit."
    if worker + others > _BUSY * cores:
        return f"{shares}: the cores were the limit."
    return f"{shares}: waiting was the limit, or other programs on this machine (see its load above)."


async def _measure() -> tuple[list[_Round], int]:
    first = storage(0, drifted=True)
    estates = [_estate(1 + number * (_SOUND + _DRIFTED)) for number in range(_ROUNDS)]
    everything = [first, *(resource for each in estates for resource in each)]
    async with airlock(everything, arm=ArmConfig(latency_seconds=_LATENCY, operation_seconds=0.05)) as azure:
        await azure.change([first])
        await azure.finish(PATIENCE)
        rounds = [await _round(azure, estate) for estate in estates]
        return rounds, process.peak_memory(process.worker())


def _estate(first: int) -> list[Body]:
    """Drifted accounts spread evenly among the sound ones."""
    every = (_SOUND + _DRIFTED) // _DRIFTED
    numbers = batched(range(first, first + _SOUND + _DRIFTED), every, strict=True)
    return [storage(number, drifted=number == group[0]) for group in numbers for number in group]


async def _round(azure: CountingAzure, estate: list[Body]) -> _Round:
    worker = process.worker()
    fixed, compliant = azure.records("Fixed"), azure.records("Compliant")
    used, own, began = process.processor_seconds(worker), time.process_time(), time.time()
    await azure.change(estate)
    await azure.finish(PATIENCE)
    seconds = azure.logs.requests[-1].time - began
    told_of = azure.records("Fixed") - fixed, azure.records("Compliant") - compliant
    if told_of != (_DRIFTED, _SOUND + _DRIFTED):
        raise RuntimeError(f"{told_of[0]} records Fixed and {told_of[1]} Compliant are not what was to be measured")
    events = sum(told_of)
    return _Round(
        rate=events / seconds,
        worker=(process.processor_seconds(worker) - used) / events,
        others=(time.process_time() - own) / events,
    )
