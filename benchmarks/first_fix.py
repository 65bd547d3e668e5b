"""How long a cold worker takes to its first fixed event, and how much of that is importing."""

import asyncio
import re
import time
from statistics import median

from benchmarks.estate import storage
from benchmarks.figure import Figure, told
from benchmarks.running import PATIENCE, CountingAzure, airlock, until
from local.host.log import LogLine

_ROUNDS = 7
# What the interpreter prints for each module: its own microseconds, those with what it imports, its name.
_IMPORT = re.compile(r"import time:\s+(\d+) \|\s+\d+ \|")


def measure() -> tuple[Figure, ...]:
    """The first and the second fixed event of a worker, and the share of imports in the first."""
    return asyncio.run(_measure())


async def _measure() -> tuple[Figure, ...]:
    cold, warm = await _rounds()
    total, before, after = await _imports()
    share = 100 * (before + after) / total
    of_imports = (
        f"By the interpreter's own import timer in one more cold worker, which it slows to {total * 1000:.0f} ms: "
        f"{before * 1000:.0f} ms before the message, the Functions runtime's own among them, "
        f"{after * 1000:.0f} ms with it."
    )
    of_first = (
        f"From the event, given to Event Grid while no worker process is there, to the record Fixed in the log: "
        f"process start, index, read, write, verify, record. Median of {_ROUNDS}, local services answering at once."
    )
    return (
        told("Cold worker to its first fixed event", median(cold) * 1000, "ms", _milliseconds(cold), of_first),
        told("  of it, imports", share, "%", (share,), of_imports),
        told("The same worker, second fixed event", median(warm) * 1000, "ms", _milliseconds(warm)),
    )


async def _rounds() -> tuple[list[float], list[float]]:
    estate = [storage(number, drifted=True) for number in range(2 * _ROUNDS + 1)]
    cold: list[float] = []
    warm: list[float] = []
    async with airlock(estate) as azure:
        await _seconds_to_fix(azure, estate.pop())  # makes the table
        for _ in range(_ROUNDS):
            await azure.host.kill_worker()
            cold.append(await _seconds_to_fix(azure, estate.pop()))
            warm.append(await _seconds_to_fix(azure, estate.pop()))
    return cold, warm


async def _imports() -> tuple[float, float, float]:
    """Seconds: of the whole, of imports before the message came, of imports with it."""
    spent: list[int] = []

    def hear(line: LogLine) -> None:
        spent.extend(int(found) for found in _IMPORT.findall(line.message))

    estate = [storage(number, drifted=True) for number in range(2)]
    async with airlock(estate, settings={"PYTHONPROFILEIMPORTTIME": "1"}, on_log=hear) as azure:
        await _seconds_to_fix(azure, estate.pop())
        spent.clear()
        began = time.monotonic()
        await azure.host.kill_worker()
        await azure.host.wait_idle(PATIENCE)
        before = sum(spent) / 1e6
        await azure.change([estate.pop()])
        await until(lambda: azure.records("Fixed") > 1, "record Fixed")
        total = time.monotonic() - began
        await azure.finish(PATIENCE)
    return total, before, sum(spent) / 1e6 - before


async def _seconds_to_fix(azure: CountingAzure, resource: dict[str, object]) -> float:
    already = azure.records("Fixed")
    began = time.monotonic()
    await azure.change([resource])
    await until(lambda: azure.records("Fixed") > already, "record Fixed")
    seconds = time.monotonic() - began
    await azure.finish(PATIENCE)
    return seconds


def _milliseconds(seconds: list[float]) -> list[float]:
    return [each * 1000 for each in seconds]
