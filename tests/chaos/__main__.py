"""`python -m tests.chaos`: the proof that no event is lost, no fix lacks its record, and nothing is done twice."""

import argparse
import asyncio
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

from tests.chaos import bugs, jobs, report
from tests.chaos.effects import Scenario, scenarios
from tests.chaos.matrix import Result, batches
from tests.chaos.seeds import Tally


def main(arguments: Sequence[str] | None = None) -> int:
    """Plays what was asked for, prints what came of it, and answers the exit code."""
    given = _parser().parse_args(arguments)
    if given.only == "bugs":
        return int(bool(asyncio.run(bugs.prove())))
    is_good = True
    if given.only != "seeds":
        began = time.monotonic()
        result = _matrix(_chosen(given.scenarios, given.scenario), given.jobs)
        sys.stdout.write(report.text(result, time.monotonic() - began))
        is_good = result.is_good
    if given.only != "matrix":
        began = time.monotonic()
        tally = _seeds([given.seed] if given.seed is not None else range(given.seeds), given.jobs)
        sys.stdout.write(report.of_seeds(tally, time.monotonic() - began))
        is_good = is_good and not tally.violations
    return int(not is_good)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument(
        "--only", choices=("matrix", "seeds", "bugs"), help="one part instead of both, or the bugs that they find"
    )
    parser.add_argument("--scenarios", type=int, metavar="N", help="play about so many scenarios of the matrix")
    parser.add_argument("--scenario", metavar="NAME", help="play the scenarios whose names hold this")
    parser.add_argument("--seeds", type=int, default=500, metavar="N", help="play the seeds from 0 to N - 1")
    parser.add_argument("--seed", type=int, metavar="S", help="play this seed alone")
    parser.add_argument("--jobs", type=int, default=2, metavar="N", help="in so many processes at once")
    return parser


def _chosen(count: int | None, name: str | None) -> list[Scenario]:
    """The scenarios that were asked for; of a count, evenly from the whole matrix."""
    found = [scenario for scenario in scenarios() if name is None or name in scenario.name]
    return found[:: max(1, -(-len(found) // count))] if count else found


def _matrix(chosen: Sequence[Scenario], processes: int) -> Result:
    numbered = [(number, [each.name for each in batch]) for number, batch in enumerate(batches(chosen))]
    shares = [share for first in range(processes) if (share := numbered[first::processes])]
    result = Result()
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        for part in pool.map(jobs.play_matrix, shares):
            result.add(part)
    return result


def _seeds(chosen: Sequence[int], processes: int) -> Tally:
    shares = [share for first in range(processes) if (share := chosen[first::processes])]
    tally = Tally()
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        for part in pool.map(jobs.play_seeds, shares):
            tally.add(part)
    return tally


if __name__ == "__main__":
    sys.exit(main())
