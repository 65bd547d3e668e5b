"""Part two: whole small rehearsals on random bad days.

A seed says what resources there are, what befalls them, what fails, and when workers die. Seeds follow one another in a
running Airlock, each with resources of its own and with the faults that it would have alone.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from random import Random

from aiohttp import ClientError

from local.arm.service import ArmRequest
from local.contoso import Deed
from local.event_grid import Delivery, EventGrid
from local.faults import Chaos, Fault, repeatable
from local.host.error import HostError
from shared.domain.record import Outcome
from tests.chaos import matrix
from tests.chaos.estate import Scene, api_version, scene
from tests.chaos.invariants import violations
from tests.chaos.matrix import Violation
from tests.chaos.seen import Body, Seen
from tests.chaos.session import Mark, Session, seen_since
from tests.chaos.stories import Story

# So many seeds share a running Airlock: its ledger is read as a whole, again and again.
PER_STAGE = 15
# So many Airlocks run side by side in one process: a seed waits for most of its time.
LANES = 5
# Seconds. Within the first two all begins; whatever is not quiet so long after the bad day never will be.
_BEGINNING, _DAY = 1.2, 3.0
_LONGEST = 180.0
_TIME_SCALE = 0.0003
_INTENSITIES = (0.0, 0.05, 0.1, 0.2, 0.3)
_KILLS = (0, 0, 1, 1, 1, 2, 3)
_LOST = (0.0, 0.0, 0.1, 0.3)
# Event Grid gives up soon in some seeds.
_ATTEMPTS = (30, 30, 30, 2)
_DELAYS = (0.0, 300.0, 3000.0)
_OUTAGES = (0, 0, 5, 20)
_CONFLICTS = (0, 0, 2, 6)
_AT_NIGHT = ("settle", "settle", "sweep", "bury", "hourly")
_TIMERS = ("settle", "bury", "sweep", "settle", "hourly")
# A person tries again when ARM does not answer, but not for ever.
_TRIES = 4
_BUSY = frozenset({408, 409, 412, 429, 500, 502, 503, 504})

type Happening = tuple[float, Callable[[], Awaitable[object]]]


@dataclass
class Tally:
    """What came of some seeds. `copies` are the deliveries beyond one for each event that was not lost."""

    seeds: int = 0
    events: int = 0
    lost: int = 0
    copies: int = 0
    dead_letters: int = 0
    records: Counter[str] = field(default_factory=Counter)
    injected: Counter[tuple[str, str]] = field(default_factory=Counter)
    kills: int = 0
    violations: list[Violation] = field(default_factory=list)

    def add(self, other: "Tally") -> None:
        """Takes in what came of others."""
        self.seeds += other.seeds
        self.events += other.events
        self.lost += other.lost
        self.copies += other.copies
        self.dead_letters += other.dead_letters
        self.records += other.records
        self.injected += other.injected
        self.kills += other.kills
        self.violations += other.violations


@dataclass(frozen=True, slots=True)
class _Weather:
    """How bad the day is."""

    chaos: Chaos
    delivery: Delivery
    faults: tuple[Fault, ...]
    kills: tuple[float, ...]
    timers: tuple[tuple[float, str], ...]

    @classmethod
    def of(cls, seed: int) -> "_Weather":
        dice = repeatable("weather", seed)
        return cls(
            chaos=Chaos(seed, dice.choice(_INTENSITIES), stale=dice.random() < 0.3),
            delivery=Delivery(
                time_scale=_TIME_SCALE,
                max_attempts=dice.choice(_ATTEMPTS),
                seed=seed,
                duplicates=dice.randint(0, 5),
                reordered=dice.random() < 0.7,
                delay_seconds=dice.choice(_DELAYS),
                lost=dice.choice(_LOST),
            ),
            faults=(*_outage(dice), *_conflicts(dice)),
            kills=tuple(sorted(dice.uniform(0.2, _DAY) for _ in range(dice.choice(_KILLS)))),
            timers=tuple((dice.uniform(0.3, _DAY), name) for name in dice.sample(_AT_NIGHT, dice.randint(0, 2))),
        )


def _outage(dice: Random) -> Iterator[Fault]:
    """The log does not answer for a while: so many requests fail in a row."""
    if times := dice.choice(_OUTAGES):
        yield Fault(service="logs", status=503, code="ServiceUnavailable", times=times, skip=dice.randint(0, 5))


def _conflicts(dice: Random) -> Iterator[Fault]:
    """Another worker, or so it seems, is always a little quicker at the ledger."""
    for status, code in ((412, "UpdateConditionNotSatisfied"), (409, "EntityAlreadyExists")):
        if times := dice.choice(_CONFLICTS):
            skip = dice.randint(0, 40)
            yield Fault(service="tables", method="POST", status=status, code=code, times=times, skip=skip)


async def _act(deed: Deed, running: Session) -> None:
    """What a person does, who spells ids so that the journal of requests tells it from what Airlock does."""
    spelt = replace(deed, id=_by_person(deed.id))
    for _ in range(_TRIES):
        try:
            status = await running.azure.act(spelt)
        except ClientError:
            continue
        if status not in _BUSY:
            return


def _by_person(path: str) -> str:
    return path.replace("/resourceGroups/", "/RESOURCEGROUPS/")


async def play_all(chosen: Sequence[int], tell: Callable[[str], object]) -> Tally:
    """Plays the seeds in as many lanes as there are, and tells of each."""
    tally, left = Tally(), iter(chosen)
    await asyncio.gather(*(_lane(left, tally, tell) for _ in range(min(LANES, len(chosen)))))
    return tally


async def _lane(left: Iterator[int], tally: Tally, tell: Callable[[str], object]) -> None:
    while (seed := next(left, None)) is not None:
        async with AsyncExitStack() as run:
            running = await run.enter_async_context(matrix.stage({}))
            running.azure.grid.change(Delivery(time_scale=_TIME_SCALE))
            for number in range(PER_STAGE):
                seed = seed if number == 0 else next(left, None)
                if seed is None:
                    break
                begun = time.monotonic()
                came, is_clean = await play(seed, running)
                tally.add(came)
                tell(f"seed {seed}: {time.monotonic() - begun:.1f} s\n")
                for violation in came.violations:
                    tell(f"  {violation.sentence}\n")
                if not is_clean:
                    break


async def play(seed: int, running: Session) -> tuple[Tally, bool]:
    """Plays one seed to its end and judges it; and whether the next one may follow in the same Airlock."""
    stage, weather = scene(seed), _Weather.of(seed)
    mark, kills, injected = Mark.of(running), running.kills, running.wire.injected.copy()
    before = _Delivered.of(running)
    problem = ""
    try:
        async with asyncio.timeout(_LONGEST):
            await _bad_day(stage, weather, running)
            problem = await _calm(stage, running)
    except (TimeoutError, HostError) as error:
        problem = f"{type(error).__name__} {error}; {_waiting(running)}"
    seen = _judged(stage, weather, seen_since(mark, running))
    lost = before.lost_since(running)
    said = violations(replace(seen, lost=lost)) if not problem else [problem]
    after = _Delivered.of(running)
    tally = Tally(
        seeds=1,
        events=len(seen.events),
        lost=len(lost),
        copies=max(0, after.accepted - before.accepted - (len(seen.events) - len(lost))),
        dead_letters=after.dead - before.dead,
        records=Counter(str(row["Outcome"]) for row in seen.records),
        injected=running.wire.injected - injected,
        kills=running.kills - kills,
        violations=[Violation(f"seed {seed}: {sentence}", _replay(seed)) for sentence in said],
    )
    running.remove(stage.bodies)
    return tally, not problem


@dataclass(frozen=True, slots=True)
class _Delivered:
    """What Event Grid had done at some moment."""

    accepted: int
    dead: int
    lost: tuple[int, ...]

    @classmethod
    def of(cls, running: Session) -> "_Delivered":
        grids = _grids(running)
        return cls(
            sum(grid.delivered for grid in grids),
            sum(grid.dead_lettered for grid in grids),
            tuple(len(grid.lost) for grid in grids),
        )

    def lost_since(self, running: Session) -> frozenset[str]:
        """The ids of the events that were lost since then."""
        grids = zip(_grids(running), self.lost, strict=True)
        return frozenset(str(event["id"]) for grid, count in grids for event in grid.lost[count:])


def _grids(running: Session) -> list[EventGrid]:
    azure = running.azure
    return [azure.grid] if azure.alerts_grid is azure.grid else [azure.grid, azure.alerts_grid]


async def _bad_day(stage: Scene, weather: _Weather, running: Session) -> None:
    running.place(stage.bodies)
    for grid in _grids(running):
        grid.change(weather.delivery)
    for fault in weather.faults:
        running.wire.add(fault)
    running.wire.rage(weather.chaos)
    async with asyncio.TaskGroup() as group:
        for moment, happens in _happenings(stage, weather, running):
            group.create_task(_at(moment, happens))


async def _at(moment: float, happens: Callable[[], Awaitable[object]]) -> None:
    await asyncio.sleep(moment)
    await happens()


def _happenings(stage: Scene, weather: _Weather, running: Session) -> Iterator[Happening]:
    dice = repeatable("happenings", weather.chaos.seed)
    for story in stage.stories:
        yield dice.uniform(0, _BEGINNING), _begins(story, running)
    for deed in stage.reverts:
        yield dice.uniform(_BEGINNING / 2, _DAY), _does(deed, running)
    if (body := stage.deleted) is not None:
        yield dice.uniform(_BEGINNING, _DAY), _does(Deed("DELETE", str(body["id"]), api_version(body)), running)
    for moment in weather.kills:
        yield moment, running.kill
    for moment, name in weather.timers:
        yield moment, _runs(name, running)


def _begins(story: Story, running: Session) -> Callable[[], Awaitable[object]]:
    return lambda: story.begin(running)


def _does(deed: Deed, running: Session) -> Callable[[], Awaitable[object]]:
    return lambda: _act(deed, running)


def _runs(name: str, running: Session) -> Callable[[], Awaitable[object]]:
    return lambda: running.run_timer(name)


async def _calm(stage: Scene, running: Session) -> str:
    """Everything works again, and all that waits comes to its end. Answers what did not."""
    running.wire.clear()
    for grid in _grids(running):
        grid.change(Delivery(time_scale=_TIME_SCALE))
    running.remember_keys(stage.bodies)
    if not await running.quiet():
        return f"not quiet after the bad day; {_waiting(running)}"
    for name in _TIMERS:
        await running.azure.host.run_timer(name)
        if not await running.quiet():
            return f"not quiet after {name}; {_waiting(running)}"
    running.remember_keys(stage.bodies)
    return ""


def _waiting(running: Session) -> str:
    """What is not done."""
    azure = running.azure
    parts = {
        "Event Grid still delivers": not all(grid.is_idle for grid in _grids(running)),
        "signals wait in the queue": azure.is_due,
        f"the ledger holds {', '.join(sorted(running.ledger.open))}": bool(running.ledger.open),
        f"these hang: {', '.join(sorted(running.wire.hung))}": bool(running.wire.hung),
    }
    return "; ".join(name for name, holds in parts.items() if holds) or "nothing waits that is known"


def _judged(stage: Scene, weather: _Weather, seen: Seen) -> Seen:
    """What was seen, without what people asked of ARM, and with what excuses what stays open."""
    excused = dict(stage.excused)
    if stage.locked is not None:
        excused[str(stage.locked["id"]).lower()] = _rules_with(seen, stage.locked, {Outcome.REFUSED.value})
    for story in stage.stories:
        name = str(story.subject["id"]).lower()
        fought = _rules_with(seen, story.subject, {Outcome.CONTESTED.value})
        excused[name] = excused.get(name, frozenset()) | fought
    return replace(
        seen,
        requests=[request for request in seen.requests if _is_own(request)],
        excused=excused,
        regenerations={key: times for key, times in seen.regenerations.items() if stage.token in key[0]},
        causes=stage.causes,
        stale=weather.chaos.stale,
    )


def _is_own(request: ArmRequest) -> bool:
    return request.method == "GET" or request.path != _by_person(request.path)


def _rules_with(seen: Seen, body: Body, outcomes: set[str]) -> frozenset[str]:
    """The rules that the resource's records say that of."""
    rows = seen.records_of(str(body["id"]).lower())
    return frozenset(str(row.get("Rule")) for row in rows if row["Outcome"] in outcomes)


def _replay(seed: int) -> str:
    return f"python -m tests.chaos --only seeds --seed {seed}"
