"""What came of it, for people: plain text of at most 80 columns."""

import textwrap
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence

from tests.chaos.matrix import Result, Violation
from tests.chaos.seeds import Tally

_COLUMNS = 80


def text(result: Result, seconds: float) -> str:
    """The whole report."""
    return "".join(f"{line}\n" for line in _lines(result, seconds))


def of_seeds(tally: Tally, seconds: float) -> str:
    """The report on the seeds."""
    return "".join(f"{line}\n" for line in _seed_lines(tally, seconds))


def _seed_lines(tally: Tally, seconds: float) -> Iterator[str]:
    yield f"{tally.seeds} seeds in {seconds:.0f} s"
    told = f"{tally.events} events, {tally.lost} of them lost, {tally.dead_letters} given up, {tally.copies} copies"
    yield from _wrapped(told, "  ")
    records = ", ".join(f"{count} {outcome}" for outcome, count in sorted(tally.records.items()))
    yield from _wrapped(f"{sum(tally.records.values())} records: {records}", "  ")
    yield from _injuries(tally.kills, tally.injected)
    yield from _violations(tally.violations)


def _lines(result: Result, seconds: float) -> Iterator[str]:
    yield f"{sum(result.ran.values())} scenarios of {len(result.ran)} effects in {seconds:.0f} s"
    yield from _injuries(result.kills, result.injected)
    yield f"{len(result.idle)} never came to be"
    for name in result.idle:
        yield from _wrapped(f"  - {name}", "    ")
    yield from _violations(result.violations)


def _injuries(kills: int, injected: Counter[tuple[str, str]]) -> Iterator[str]:
    yield f"{kills} workers killed, {sum(injected.values())} faults injected:"
    by_service: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for (service, name), count in injected.items():
        by_service[service][name] += count
    for service, counts in sorted(by_service.items()):
        told = "; ".join(f"{name}: {count}" for name, count in sorted(counts.items()))
        yield from _wrapped(f"{service:>8}  {told}", " " * 10)


def _violations(violations: Sequence[Violation]) -> Iterator[str]:
    yield f"{len(violations)} violations"
    for violation in violations:
        yield from _wrapped(f"  - {violation.sentence}", "    ")
        yield f"    {violation.replay}"


def _wrapped(line: str, indent: str) -> list[str]:
    return textwrap.wrap(line, _COLUMNS, subsequent_indent=indent, drop_whitespace=True, break_long_words=False)
