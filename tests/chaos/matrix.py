"""Part one: every effect meets every fault, and its worker dies before it, after it, or not at all.

Scenarios share a running Airlock, each with resources of its own. Those whose worker has to die all wait at their place
until the last one is there, and share the death. What timers do comes in batches of its own, since a sweep looks at
everything: there those without a death take turns, and of those with one there is one of each lane.
"""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from local.arm.service import ArmRequest
from tests.chaos.effects import APART, Lane, Pace, Scenario
from tests.chaos.invariants import OVERALL, violations
from tests.chaos.seen import Body, Seen
from tests.chaos.session import Mark, Session, about, seen_since, session
from tests.chaos.stories import Hour, Story
from tests.chaos.wire import Strike
from tests.engine.running import REPOSITORY, storage

PER_BATCH = 32
# Seconds. A request that hangs is given up by the app after half a minute.
_ARRIVAL = 24.0
_STEP = 0.1
_IMPATIENCE = 2.0
_SETTINGS: Mapping[Pace, Mapping[str, str]] = {
    "quick": {},
    # Reads are behind for longer than it takes to start a worker anew.
    "slow": {"AIRLOCK_QUIET_SECONDS": "4", "AIRLOCK_GRACE_SECONDS": "30"},
}
# One message after another comes into an empty queue, which the host looks into less and less.
_AWAKE = {"AzureFunctionsJobHost__extensions__queues__maxPollingInterval": "00:00:00.200"}
# A sign of life is given once an hour, and the harness makes the ledger forget it once a batch.
_FIRST = "sign of life"
# What hangs later hangs behind all that needs the same sender.
_LANES: tuple[Lane, ...] = ("strike", "strike of published", "topic", "log")


@dataclass(frozen=True, slots=True)
class Violation:
    """What was broken, and the command that shows it again."""

    sentence: str
    replay: str


@dataclass
class Result:
    """What came of some scenarios. `idle` are those whose fault or crash never came to be."""

    ran: Counter[str] = field(default_factory=Counter)
    injected: Counter[tuple[str, str]] = field(default_factory=Counter)
    kills: int = 0
    violations: list[Violation] = field(default_factory=list)
    idle: list[str] = field(default_factory=list)

    @property
    def is_good(self) -> bool:
        """Whether all is as it must be, and everything that was meant to go wrong did."""
        return not self.violations and not self.idle

    def add(self, other: "Result") -> None:
        """Takes in what came of others."""
        self.ran += other.ran
        self.injected += other.injected
        self.kills += other.kills
        self.violations += other.violations
        self.idle += other.idle


def batches(chosen: Sequence[Scenario], size: int = PER_BATCH) -> list[list[Scenario]]:
    """The scenarios in lists that can be played at once: of one pace, all with a death or none, and of each lane one
    alone if it is with a death."""
    found: list[list[Scenario]] = []
    for pace in _SETTINGS:
        own = [scenario for scenario in chosen if scenario.pace == pace and not scenario.effect.is_apart]
        found += _cut([each for each in own if not each.crash], size)
        free = [each for each in own if each.crash and not each.effect.lane]
        lanes = [[each for each in own if each.crash and each.effect.lane == lane] for lane in _LANES]
        most = max(map(len, lanes))
        crowds = _cut(free, size - len(_LANES), most)
        for number in range(max(most, len(crowds))):
            single = [lane[number] for lane in lanes if number < len(lane)]
            found.append([*(crowds[number] if number < len(crowds) else ()), *single])
    return [batch for batch in found if batch] + _apart([each for each in chosen if each.effect.is_apart], size)


def is_apart(batch: Sequence[Scenario]) -> bool:
    """Whether the batch is one of what timers do: it waits for most of its time."""
    return batch[0].effect.is_apart


def _apart(chosen: Sequence[Scenario], size: int) -> list[list[Scenario]]:
    """Those without a death in turn, but only one with the first run of an hour; those with one as they fit."""
    free = [each for each in chosen if not each.crash]
    found = _cut(free, size, sum(each.effect.name == _FIRST for each in free))
    dying: list[list[Scenario]] = []
    for lane in APART:
        own = [each for each in chosen if each.crash and each.effect.lane == lane]
        open_ = [batch for batch in dying if batch[-1].effect.lane != lane]
        for scenario in own:
            batch = next((each for each in open_ if _fits(scenario, each)), None)
            if batch is None:
                dying.append([scenario])
            else:
                batch.append(scenario)
                open_.remove(batch)
    return found + dying


def _fits(scenario: Scenario, batch: Sequence[Scenario]) -> bool:
    """Whether none of the batch waits for the same requests."""
    place = scenario.effect.place(scenario.story("x"))
    return all(place != each.effect.place(each.story("x")) for each in batch)


def _cut(items: Sequence[Scenario], size: int, least: int = 0) -> list[list[Scenario]]:
    """In as many lists as it takes, dealt in turn, so that each is a mixture."""
    count = max(-(-len(items) // size), min(least, len(items)))
    return [list(items[first::count]) for first in range(count)]


def settings_of(batch: Sequence[Scenario]) -> Mapping[str, str]:
    """What the app is told for the batch."""
    return {**_SETTINGS[batch[0].pace], **(_AWAKE if is_apart(batch) else {})}


@asynccontextmanager
async def stage(
    settings: Mapping[str, str], app_directory: Path = REPOSITORY, workers: int = 1
) -> AsyncIterator[Session]:
    """An Airlock to play batches on; its estate is empty but for one sound resource."""
    sound = storage("stnobody", minimumTlsVersion="TLS1_2", supportsHttpsTrafficOnly=True)
    async with session([sound], settings=settings, app_directory=app_directory, workers=workers) as running:
        yield running


@dataclass
class _Play:
    """One scenario while it is played."""

    scenario: Scenario
    token: str
    story: Story
    events: tuple[Body, ...] = ()

    def is_about(self, asked: ArmRequest) -> bool:
        """Whether the request came of an event of the story that was told once more."""
        return bool(self.events) and self.token in asked.path.lower()

    @property
    def is_last(self) -> bool:
        """Whether it begins when all others hang."""
        return bool(self.scenario.crash and self.scenario.effect.lane)

    @property
    def crash(self) -> str:
        return f"{self.token} crash"

    @property
    def fault(self) -> str:
        return f"{self.token} fault"

    @property
    def wants(self) -> list[str]:
        """The strikes that have to come to be."""
        wanted = [self.crash] if self.scenario.crash else []
        return [*wanted, self.fault] if self.scenario.fault else wanted

    def strikes(self) -> Iterator[Strike]:
        """What is in force from the beginning."""
        place = self.scenario.effect.place(self.story)
        if self.scenario.crash:
            yield Strike(name=self.crash, place=place, carried_out=self.scenario.crash == "after")
        else:
            yield Strike(name=self.fault, place=place, fault=self.scenario.fault, times=self.scenario.times)

    def later(self) -> Iterator[Strike]:
        """What is in force once the worker died."""
        if self.scenario.crash and self.scenario.fault:
            place = self.scenario.after_death(self.story)
            yield Strike(name=self.fault, place=place, fault=self.scenario.fault, times=self.scenario.times)


async def play(batch: Sequence[Scenario], running: Session, number: int) -> Result:
    """Plays the scenarios to their end, and judges each. `number` tells their resources from those of other batches."""
    plays = [_play(scenario, f"m{number:03}x{index:02}") for index, scenario in enumerate(batch)]
    if is_apart(batch):
        # So that there is an anchor to follow, and a sign of life to be given anew: of that nothing may come later.
        await running.run_timer("hourly")
        await running.quiet()
    mark, before, kills = Mark.of(running), running.wire.injected.copy(), running.kills
    for each in () if is_apart(batch) else plays:
        running.place(each.story.bodies)
    await _prepare(plays, running)
    for each in plays:
        for fault in each.story.faults:
            running.wire.add(fault)
    await (_take_turns(plays, running) if is_apart(batch) and not batch[0].crash else _begin(plays, running))
    fired = await _end(plays, running)
    if is_apart(batch):
        await running.run_timer("hourly")
        await running.quiet()
    seen = _whole(plays, running, seen_since(mark, running))
    repeated = await _repeat(plays, running)
    result = Result(kills=running.kills - kills, injected=running.wire.injected - before)
    for each in plays:
        result.ran[each.scenario.effect.name] += 1
        result.idle += [each.scenario.name] * any(name not in fired for name in each.wants)
        own = replace(_seen(each, seen), repeated=[asked for asked in repeated if each.is_about(asked)])
        result.violations += [_violation(each.scenario.name, said) for said in violations(own)]
    together = " + ".join(sorted({each.scenario.effect.name for each in plays}))
    overall = [sentence for invariant in OVERALL for sentence in invariant(seen)]
    result.violations += [_violation("", f"{said} (in a batch of {together})") for said in overall]
    for each in plays:
        running.remove(each.story.bodies)
    return result


def _play(scenario: Scenario, token: str) -> _Play:
    return _Play(scenario, token, scenario.story(token))


async def _prepare(plays: Sequence[_Play], running: Session) -> None:
    """Lets happen what comes before the stories."""
    if any(each.scenario.effect.is_ordered for each in plays):
        for each in plays:
            await each.story.prepare(running)
        await running.quiet()
    for each in plays:
        each.story = each.story.prepared(running)


async def _take_turns(plays: Sequence[_Play], running: Session) -> None:
    """Lets one after the other happen: what strikes the first run of a timer is met by nothing of the next one."""
    for each in plays:
        running.place(each.story.bodies)
        running.wire.arm(*each.strikes())
        each.events = await each.story.begin(running)
        await running.rest()


async def _begin(plays: Sequence[_Play], running: Session) -> None:
    """Lets everything happen; where workers have to die, what hangs last begins last."""
    first = [each for each in plays if not each.is_last]
    for each in plays:
        if not each.scenario.effect.is_apart:
            running.wire.arm(*each.strikes())
    for each in first:
        each.events = await each.story.begin(running)
    if not any(each.scenario.crash for each in plays):
        return
    await _arrived(first, running)
    for lane in (*_LANES, *APART):
        for each in plays:
            if each.is_last and each.scenario.effect.lane == lane:
                await _hang(each, running)
    await running.kill()
    for each in plays:
        running.wire.arm(*each.later())


async def _hang(each: _Play, running: Session) -> None:
    if each.scenario.effect.is_apart:
        # What stood there before would be found by a sweep that hangs already.
        running.place(each.story.bodies)
        running.wire.arm(*each.strikes())
    each.events = await each.story.begin(running)
    await _arrived([each], running)


async def _arrived(plays: Sequence[_Play], running: Session) -> None:
    """Waits until each hangs at its place; what does not come in time has its name among the idle ones."""
    deadline, wanted = time.monotonic() + _ARRIVAL, {each.crash for each in plays if each.scenario.crash}
    hurried = time.monotonic()
    while not wanted <= running.wire.hung and time.monotonic() < deadline:
        if time.monotonic() - hurried > _IMPATIENCE:
            running.azure.hurry()
            hurried = time.monotonic()
        await asyncio.sleep(_STEP)


async def _end(plays: Sequence[_Play], running: Session) -> frozenset[str]:
    """Lets everything come to its end, first with the faults that have not struck yet; the names of those that did."""
    await running.quiet()
    fired = frozenset(running.wire.fired)
    running.wire.clear()
    running.wire.fired.clear()
    for each in plays:
        running.remember_keys(each.story.bodies)
        for fault in each.story.faults:
            if fault.times is None:
                running.wire.add(fault)
    await running.quiet()
    return fired


async def _repeat(plays: Sequence[_Play], running: Session) -> list[ArmRequest]:
    """Delivers the events of plain changes once more, and answers what ARM was asked for it. Incidents are left out:
    those are read back whenever somebody tells of them."""
    before = len(running.azure.arm.requests)
    for each in plays:
        if each.story.changed and each.scenario.pace == "quick":
            for event in each.events:
                await running.azure.publish(event)
    await running.quiet()
    return running.azure.arm.requests[before:]


def _whole(plays: Sequence[_Play], running: Session, seen: Seen) -> Seen:
    """With what the stories of the whole batch tell."""
    apart = any(each.scenario.effect.is_apart for each in plays)
    return replace(
        seen,
        dead=[dead for each in plays for dead in each.story.dead],
        untold=frozenset().union(*(each.story.untold for each in plays)),
        anchors=running.azure.anchors if apart else None,
        awaits_sign=any(isinstance(each.story, Hour) and each.story.beat for each in plays),
    )


def _seen(each: _Play, seen: Seen) -> Seen:
    own = about(each.token, seen)
    subject = str(each.story.subject["id"]).lower()
    return replace(
        own,
        excused={subject: each.story.excused},
        causes={subject: each.story.causes},
        stale=each.scenario.fault is not None and each.scenario.fault.kind == "stale",
        # Only who has a subscription alone knows whose fixes its hour counts.
        struck=len(each.wants) * each.scenario.times if each.scenario.effect.lane == "budget" else None,
        dead=each.story.dead,
        untold=each.story.untold,
        anchors=None,
        awaits_sign=False,
    )


def _violation(name: str, sentence: str) -> Violation:
    replay = (
        f"python -m tests.chaos --only matrix --scenario '{name}'" if name else "python -m tests.chaos --only matrix"
    )
    return Violation(f"{name}: {sentence}" if name else sentence, replay)
