"""Bugs that somebody could plant, each in a copy of the app, and the scenarios of the matrix that have to show it.

A harness that finds nothing proves something only if it finds these. Each is one exact replacement in the source. Some
need a second one, where two things hold: the gate holds when something above it went wrong, and keys are claimed both
when they are found to match and when they are about to be regenerated.

Those that are `quick` are part of the tests; `python -m tests.chaos --only bugs` plays them all.
"""

import asyncio
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import override

from local.faults import Fault
from tests.chaos import matrix, stories
from tests.chaos.effects import EFFECTS, Effect, Scenario, scenarios
from tests.chaos.matrix import Result, batches
from tests.chaos.seen import Body
from tests.chaos.session import Session
from tests.chaos.stories import Story, Tell
from tests.engine.running import REPOSITORY

_SHIPPED = ("function_app.py", "host.json", "shared", "remediations")
# Seconds, more than a lease: a bug may leave something open for ever.
_PATIENCE = 6.0
_APART = 0.3
_CALLS = 3


@dataclass(frozen=True, slots=True)
class Replacement:
    """One text of a file, found there exactly once, and what stands in its place."""

    file: str
    old: str
    new: str

    def apply(self, folder: Path) -> None:
        """Makes it in a copy of the app. Raises ValueError where the text is not there exactly once."""
        path = folder / self.file
        text = path.read_text(encoding="utf-8")
        if (count := text.count(self.old)) != 1:
            raise ValueError(f"{self.file} has {count} times what a planted bug replaces: {self.old!r}")
        path.write_text(text.replace(self.old, self.new), encoding="utf-8")


# Every record names the version of the app: here it names the module that made it.
_WITNESS = Replacement(
    "shared/world.py",
    "        return Stamp(self.app_version, self.settings.digest)\n",
    "        return Stamp(__file__, self.settings.digest)\n",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bug:
    """What is replaced, the scenarios that show it, and a part of the sentence that has to say so.

    `old` and `new` stand in `file`; `besides` is what makes the bug felt where something else holds without it.
    """

    name: str
    file: str
    old: str
    new: str
    scenarios: tuple[str, ...]
    says: str
    besides: tuple[Replacement, ...] = ()
    settings: Mapping[str, str] = field(default_factory=dict)
    workers: int = 1
    quick: bool = False

    @property
    def replacements(self) -> tuple[Replacement, ...]:
        """All of it."""
        return (*self.besides, Replacement(self.file, self.old, self.new))

    @property
    def stage(self) -> str:
        """What bugs have in common whose scenarios can be played by one Airlock that has none."""
        told = [f"{name}={value}" for name, value in sorted(self.settings.items())]
        return ", ".join([*told, f"{self.workers} workers"])


@dataclass(frozen=True, slots=True)
class Trial:
    """What came of it: the app ran in `folder`, and its records name the modules `made_by`."""

    folder: Path
    result: Result
    made_by: frozenset[str]

    @property
    def said(self) -> list[str]:
        """What was violated."""
        return [violation.sentence for violation in self.result.violations]

    @property
    def is_of_copy(self) -> bool:
        """Whether the workers ran the copy, and nothing else."""
        return self.made_by == {str(self.folder / _WITNESS.file)}

    def finds(self, bug: Bug) -> bool:
        """Whether a violation says what the bug does."""
        return self.is_of_copy and any(bug.says in sentence for sentence in self.said)


class _ToldAgain(Story):
    """A story whose incident Event Grid delivers several times, to every worker."""

    @override
    async def begin(self, session: Session) -> tuple[Body, ...]:
        events = await super().begin(session)
        for event in events * _CALLS:
            await asyncio.sleep(_APART)
            # The timer takes the turn of a worker, so that the event's signal comes to another one than the last.
            await session.run_timer("settle")
            await session.azure.publish_alert(event)
        return events


def _leak_told_again(token: str) -> Story:
    told = stories.leak(token)
    return _ToldAgain(subject=told.subject, leaks=True, excused=told.excused)


def _as_in(name: str, story: Tell, told: str) -> Effect:
    """An effect of the matrix in another story."""
    known = next(effect for effect in EFFECTS if effect.name == name)
    return Effect(name=f"{name}, {told}", story=story, place=known.place)


# A worker takes long to regenerate a key, and another one hears of the same leak.
_TOLD_AGAIN = Scenario(_as_in("regenerate key 2", _leak_told_again, "told again"), Fault(kind="hang", seconds=6.0), "")
# Of an alert the tag is the first act.
_TAGGED = Scenario(_as_in("tags patch", stories.alarm, "of an alert"), None, "after")
_CLAIMED_LATE = Replacement(
    "shared/exposing.py",
    "    await lease(entry, search.ticket, search.world, claims)\n",
    "    await lease(entry, search.ticket, search.world)\n",
)
_AUDITS_SEND = Replacement(
    "shared/domain/decision.py",
    'return (Decision(finding, mode, Verdict.AUDIT, "audit", f"{why}{told}{note}"),)',
    'return (Decision(finding, mode, Verdict.FIX, "audit", f"{why}{told}{note}"),)',
)
_AUDIT = {"AIRLOCK_MODE": "audit"}

BUGS: tuple[Bug, ...] = (
    Bug(
        name="claims are not written before keys are regenerated",
        file="shared/rotating.py",
        old="        entry=claimed if turns else entry,\n",
        new="        entry=entry,\n",
        besides=(_CLAIMED_LATE,),
        scenarios=("regenerate key 2/-/after",),
        says="was regenerated 2 times",
    ),
    Bug(
        name="claims that ended are not remembered",
        file="shared/rotating.py",
        old="rotations=with_claims(entry.rotations, [replace(key.step.claim, ended=True)])",
        new="rotations=without_claim(entry.rotations, key.step.claim)",
        scenarios=("end of key 2/-/after",),
        says="was regenerated 2 times",
    ),
    Bug(
        name="acts begin without an intention",
        file="shared/responding.py",
        old="    return Progress(await world.ledger.commit(entry, rows), rows)\n",
        new="    return Progress(entry, rows)\n",
        scenarios=(_TAGGED.name,),
        says="tags.airlock-incident of oai-m000x00 was written, and no record says so",
    ),
    Bug(
        name="fixes begin without an intention",
        quick=True,
        file="shared/fixing.py",
        old="    return await bench.ledger.commit("
        "entry.intend(intention, order.ticket, bench.now() + bench.lease), rows)\n",
        new="    return entry\n",
        scenarios=("patch/-/after",),
        says="was written, and no record says so",
    ),
    Bug(
        name="looks leave no watermark",
        file="shared/domain/ledger.py",
        old="return replace(entry.release(), intention=None, watermark=watermark), rows",
        new="return replace(entry.release(), intention=None), rows",
        scenarios=("signal read/503/-",),
        says="an event that came again led to GET",
    ),
    Bug(
        name="nothing sends unsent records again",
        file="shared/settle.py",
        old="    await do_each(world, _recall, _send_again, _tell_settings)\n",
        new="    await do_each(world, _recall, _tell_settings)\n",
        scenarios=("log post/503/-",),
        says="the ledger still holds",
    ),
    Bug(
        name="poisoned messages are removed before they are kept",
        file="shared/burying.py",
        old="    await _lay_down([(poisoned.text, _of_poison(poisoned, error, world))], world)\n"
        "    await world.poison.remove(poisoned)\n",
        new="    await world.poison.remove(poisoned)\n"
        "    await _lay_down([(poisoned.text, _of_poison(poisoned, error, world))], world)\n",
        scenarios=("put of a burial/-/before",),
        says="is not kept as it was",
    ),
    Bug(
        name="heads are struck off before they are anchored",
        file="shared/hourly.py",
        old="    data = Anchor(now, ",
        new="    await world.archive.strike_heads(heads)\n    data = Anchor(now, ",
        scenarios=("anchor put/-/before",),
        says="is not anchored",
    ),
    Bug(
        name="fixes are not counted",
        file="shared/azure/budgets.py",
        old="                if await self._wrote(subscription, taken, known.etag):\n",
        new="                if taken or await self._wrote(subscription, taken, known.etag):\n",
        scenarios=("budget read/503/-",),
        says="the hour counts 0 fixes",
    ),
    Bug(
        name="the courier sends nothing again",
        file="shared/azure/courier.py",
        old="        for _ in range(_MOST_PAGES):\n",
        new="        for _ in range(0):\n",
        scenarios=("log post/503/-",),
        says="the ledger still holds",
    ),
    Bug(
        name="fixes are not verified",
        file="shared/fixing.py",
        old="    body = await _verify(bench, order.resource, taken) if taken else None\n",
        new="    from shared.domain.drift import as_fixed\n\n"
        "    body = as_fixed(order.resource, [each.finding for each in order.decisions]).body\n",
        scenarios=("patch/503/-",),
        says="nobody read it after the write",
    ),
    Bug(
        name="the gate is open",
        quick=True,
        file="shared/azure/gate.py",
        old="        if refusal is not None:\n",
        new="        if False:\n",
        besides=(_AUDITS_SEND,),
        scenarios=("signal read/503/-",),
        says="nothing enforces, and Airlock did",
        settings=_AUDIT,
    ),
    Bug(
        name="leases keep nobody off",
        file="shared/domain/ledger.py",
        old="        return self.held_until is not None and self.held_until > now and self.holder != worker\n",
        new="        return False\n",
        scenarios=(_TOLD_AGAIN.name,),
        says="was regenerated 2 times",
        # The other worker has time to begin, and nobody's lease runs out meanwhile.
        settings={"AIRLOCK_LEASE_SECONDS": "30"},
        workers=2,
    ),
)


async def trial(bug: Bug) -> Trial:
    """Plays the bug's scenarios on a copy of the app that has it."""
    return await _trial(bug, bug.scenarios, bug.replacements)


async def trial_of_rest(bug: Bug) -> Trial:
    """Plays them on a copy that has only what is `besides`: what the bug takes away still holds."""
    return await _trial(bug, bug.scenarios, bug.besides)


async def trial_of_none(stage: str, among: Sequence[Bug] = BUGS) -> Trial:
    """Plays the scenarios of all bugs of that stage on a copy that has none."""
    own = [bug for bug in among if bug.stage == stage]
    return await _trial(own[0], tuple(dict.fromkeys(name for bug in own for name in bug.scenarios)), ())


def stages(among: Sequence[Bug] = BUGS) -> list[str]:
    """The stages of these bugs."""
    return list(dict.fromkeys(bug.stage for bug in among))


async def prove() -> list[str]:
    """Plays everything. Answers what it did not prove, and tells how far it is on the standard error."""
    unproven: list[str] = []
    for bug in BUGS:
        _tell(unproven, f"found: {bug.name}", good=(await trial(bug)).finds(bug))
    for stage in stages():
        clean = await trial_of_none(stage)
        _tell(unproven, f"nothing found without a bug ({stage})", good=clean.is_of_copy and clean.result.is_good)
    return unproven


def _tell(unproven: list[str], told: str, *, good: bool) -> None:
    sys.stderr.write(f"{'ok' if good else 'FAILED':>6}  {told}\n")
    unproven += [] if good else [told]


async def _trial(bug: Bug, names: Sequence[str], replacements: Sequence[Replacement]) -> Trial:
    chosen = _named(names)
    settings = {**matrix.settings_of(chosen), **bug.settings}
    result = Result()
    with _copied(replacements) as folder:
        async with matrix.stage(settings, folder, bug.workers) as running:
            if replacements:
                running.patience = _PATIENCE
            for number, batch in enumerate(batches(chosen)):
                result.add(await matrix.play(batch, running, number))
            made_by = frozenset(str(row["AppVersion"]) for row in running.azure.logs.rows)
    return Trial(folder, result, made_by)


@contextmanager
def _copied(replacements: Sequence[Replacement]) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="airlock-bug-") as made:
        folder = Path(made).resolve()
        copy(folder, (_WITNESS, *replacements))
        yield folder


def copy(folder: Path, replacements: Sequence[Replacement]) -> None:
    """Puts the app there, with the replacements. Raises ValueError for one that does not fit."""
    for name in _SHIPPED:
        source = REPOSITORY / name
        if source.is_dir():
            # With what is compiled: it is good for a file of the same age and size.
            shutil.copytree(source, folder / name)
        else:
            shutil.copy2(source, folder)
    for replacement in replacements:
        replacement.apply(folder)


def _named(names: Sequence[str]) -> list[Scenario]:
    known = {scenario.name: scenario for scenario in (*scenarios(), _TOLD_AGAIN, _TAGGED)}
    return [known[name] for name in names]
