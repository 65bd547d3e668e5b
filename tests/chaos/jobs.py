"""What one of several processes does of the whole."""

import asyncio
import itertools
import sys
from collections.abc import Iterator, Sequence

from tests.chaos import matrix, seeds
from tests.chaos.effects import PACES, Scenario, scenarios
from tests.chaos.matrix import Result
from tests.chaos.seeds import Tally

# Batches wait for most of their time, those of what timers do for nearly all of it.
_AT_ONCE, _APART_AT_ONCE = 2, 6


def play_matrix(named: Sequence[tuple[int, list[str]]]) -> Result:
    """Plays numbered batches of scenarios, given by name, and tells how far it is on the standard error."""
    known = {scenario.name: scenario for scenario in scenarios()}
    return asyncio.run(_play([(number, [known[name] for name in names]) for number, names in named]))


def play_seeds(chosen: Sequence[int]) -> Tally:
    """Plays the seeds, and tells how far it is on the standard error."""
    return asyncio.run(seeds.play_all(chosen, sys.stderr.write))


async def _play(numbered: Sequence[tuple[int, list[Scenario]]]) -> Result:
    result = Result()
    for pace in PACES:
        own = [(number, batch) for number, batch in numbered if batch[0].pace == pace]
        plain = [each for each in own if not matrix.is_apart(each[1])]
        apart = [each for each in own if matrix.is_apart(each[1])]
        await _side_by_side(plain, _AT_ONCE, result)
        await _side_by_side(apart, _APART_AT_ONCE, result)
    return result


async def _side_by_side(numbered: Sequence[tuple[int, list[Scenario]]], count: int, result: Result) -> None:
    """Plays the batches in so many Airlocks at once."""
    left = iter(numbered)
    await asyncio.gather(*(_lane(left, result) for _ in range(min(count, len(numbered)))))


async def _lane(left: Iterator[tuple[int, list[Scenario]]], result: Result) -> None:
    first = next(left, None)
    if first is None:
        return
    async with matrix.stage(matrix.settings_of(first[1])) as running:
        for number, batch in itertools.chain([first], left):
            result.add(await matrix.play(batch, running, number))
            sys.stderr.write(f"batch {number}: {len(batch)} scenarios\n")
