"""How many requests one event costs: to ARM by its own journal, to the ledger as the Table service counts them."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.estate import SUBSCRIPTIONS, Body, endpoint, openai, storage
from benchmarks.figure import Figure, at_most, told
from benchmarks.running import PATIENCE, CountingAzure, airlock, until
from local.arm.service import ArmRequest

_EVENTS = 20
_PURPOSES = ("read", "write", "poll", "guard")


@dataclass(frozen=True, slots=True)
class _Trips:
    """Requests for one event, on average: to ARM by purpose, and to the ledger."""

    arm: Counter[str]
    ledger: float
    strikes: float

    def of(self, *purposes: str) -> float:
        return sum(self.arm[purpose] for purpose in purposes) / _EVENTS


def measure() -> tuple[Figure, ...]:
    """ARM calls and ledger round trips, for an event that finds nothing and for one that leads to a fix."""
    sound, fixed, long = asyncio.run(_measure())
    twice = asyncio.run(_measure_twice())
    of_arm = (
        "Read, write, verify. The event that the fix itself raises costs what a compliant one costs and is not in here."
    )
    of_long = (
        f"An OpenAI account whose private endpoint stands in another subscription: {long.of('read', 'write'):g} as "
        f"above, {long.of('guard'):g} read for the guards, {long.of('poll'):g} polls of an operation of 50 ms."
    )
    of_ledger = (
        "Open, count in the budget, intend, commit; a worker's first fix in a subscription reads its budget, too. "
        "Striking sent rows is apart: at most one transaction a second for each of 16 partitions, here "
        f"{fixed.strikes:g} for an event."
    )
    of_twice = (
        "While reads may be behind (AIRLOCK_GRACE_SECONDS, 60 unless set) an event is looked at twice, the second "
        f"time once for all changes of the resource in half that time: {twice.ledger:g} ledger round trips then, and "
        "one message put back. The figures above are of single looks."
    )
    return (
        _at_most("ARM calls, compliant event", sound.of(*_PURPOSES), 1),
        _at_most("ARM calls, fixed event", fixed.of("read", "write"), 3, of_arm),
        _told("  the same, long operation and guard", long.of(*_PURPOSES), of_long),
        _at_most("Ledger round trips, compliant event", sound.ledger, 2),
        _at_most("Ledger round trips, fixed event", fixed.ledger, 4, of_ledger),
        _told("ARM calls, compliant event, both looks", twice.of(*_PURPOSES), of_twice),
    )


def _at_most(name: str, value: float, goal: float, note: str = "") -> Figure:
    return at_most(name, value, "", goal, (value,), note)


def _told(name: str, value: float, note: str) -> Figure:
    return told(name, value, "", (value,), note)


async def _measure() -> tuple[_Trips, _Trips, _Trips]:
    first = [storage(number, drifted=True) for number in range(SUBSCRIPTIONS)]
    others = range(SUBSCRIPTIONS, SUBSCRIPTIONS + _EVENTS)
    sound = [storage(number, drifted=False) for number in others]
    drifted = [storage(number, drifted=True) for number in others]
    long = [openai(number) for number in range(_EVENTS)]
    endpoints = [endpoint(number) for number in range(_EVENTS)]
    async with airlock([*first, *sound, *drifted, *long, *endpoints], echo=False) as azure:
        await _trips(azure, first, "Fixed")  # makes the table, and each subscription's budget known
        return (
            await _trips(azure, sound, "Compliant"),
            await _trips(azure, drifted, "Fixed"),
            await _trips(azure, long, "Fixed"),
        )


async def _measure_twice() -> _Trips:
    first = storage(0, drifted=True)
    sound = [storage(1 + number, drifted=False) for number in range(_EVENTS)]
    async with airlock([first, *sound], echo=False, settings={"AIRLOCK_GRACE_SECONDS": "3"}) as azure:
        await _trips(azure, [first], "Fixed")
        return await _trips(azure, sound, "Compliant")


async def _trips(azure: CountingAzure, resources: Sequence[Body], outcome: str) -> _Trips:
    azure.arm.requests.clear()
    azure.table_calls.clear()
    before, rows = len(_named(azure, outcome)), len(azure.rows)
    await azure.change(resources)
    await azure.finish(PATIENCE)
    if len(_named(azure, outcome)) - before != len(resources):
        raise RuntimeError(f"not every event ended as {outcome}")
    own = {str(resource["id"]).lower() for resource in resources}
    sent = {row["RecordId"] for row in azure.rows[rows:]}
    await until(lambda: sum(call.struck for call in azure.table_calls) >= len(sent), "end to the list of unsent rows")
    strikes = sum(call.struck > 0 for call in azure.table_calls)
    return _Trips(
        arm=Counter(_purpose(request, own) for request in azure.arm.requests),
        ledger=(len(azure.table_calls) - strikes) / len(resources),
        strikes=strikes / len(resources),
    )


def _named(azure: CountingAzure, outcome: str) -> set[object]:
    """The resources that have a record of that outcome."""
    return {row["ResourceId"] for row in azure.rows if row["Outcome"] == outcome}


def _purpose(request: ArmRequest, own: set[str]) -> str:
    if request.method != "GET":
        return "write"
    if request.path.lower() in own:
        return "read"
    return "guard" if "/providers/Microsoft.Network/" in request.path else "poll"
