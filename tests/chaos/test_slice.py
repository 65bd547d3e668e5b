"""A slice of the matrix in every run of the tests: as many effects as one running Airlock can have, each once.

`python -m tests.chaos` plays the whole.
"""

from collections.abc import Iterator

from tests.chaos import matrix
from tests.chaos.effects import CRASHES, EFFECTS, STALE, Effect, Scenario
from tests.chaos.matrix import Result, batches

# Each of them puts a place in the pipeline, or a kind of death, to the test that no other one does.
MOST = 12
# How far apart the faults are that neighbours meet: with no common divisor all kinds come up.
_STRIDE = 5


def the_slice() -> Iterator[Scenario]:
    """Effects evenly from the whole list, each with the next death and another fault than the one before."""
    own = [effect for effect in EFFECTS if effect.pace == "quick"]
    step = max(1, len(own) / MOST)
    for index in range(min(MOST, len(own))):
        yield _scenario(own[int(index * step)], index)


def _scenario(effect: Effect, index: int) -> Scenario:
    faults = [fault for fault in effect.faults if fault != STALE]
    crash = CRASHES[index % len(CRASHES)]
    # After the last effect nothing is left to do that a fault could meet.
    fault = None if effect.last and crash == "after" else faults[index * _STRIDE % len(faults)]
    return Scenario(effect, fault, crash)


async def test_a_slice_of_the_matrix() -> None:
    chosen = list(the_slice())
    assert len({scenario.effect.name for scenario in chosen}) == MOST
    assert {scenario.crash for scenario in chosen} == {*CRASHES}
    result = Result()
    async with matrix.stage(matrix.settings_of(chosen)) as running:
        for number, batch in enumerate(batches(chosen)):
            result.add(await matrix.play(batch, running, number))
    assert not result.violations
    assert not result.idle, "what was meant to go wrong there never did"
    assert sum(result.ran.values()) == MOST
    assert result.kills
