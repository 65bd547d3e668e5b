"""What one of several processes does of the whole."""

import asyncio
import sys
from collections.abc import Sequence

from tests.chaos import matrix, seeds
from tests.chaos.effects import PACES, Scenario, scenarios
from tests.chaos.matrix import Result
from tests.chaos.seeds import Tally


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
        if not own:
            continue
        async with matrix.stage(matrix.settings_of(own[0][1])) as running:
            for number, batch in own:
                result.add(await matrix.play(batch, running, number))
                sys.stderr.write(f"batch {number}: {len(batch)} scenarios\n")
    return result
