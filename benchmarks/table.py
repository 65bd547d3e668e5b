"""The figures as they are printed: a plain table of 80 columns, and below it what has to be known to read it."""

import textwrap
from collections.abc import Iterator, Sequence

from benchmarks.figure import Figure, number

_WIDTH = 80
_ROW = "{:<44}  {:>17}  {:>9}  {:>4}"


def table(figures: Sequence[Figure]) -> str:
    """The whole print."""
    return "\n".join((*_rows(figures), "", *_notes(figures)))


def _rows(figures: Sequence[Figure]) -> Iterator[str]:
    yield _ROW.format("Figure", "Measured", "Goal", "Met")
    yield "-" * _WIDTH
    for index, figure in enumerate(figures, 1):
        met = "-" if figure.met is None else "yes" if figure.met else "NO"
        measured = f"{number(figure.value)} {figure.unit}".rstrip()
        yield _ROW.format(f"{index:>2} {figure.name}", measured, figure.goal or "-", met)


def _notes(figures: Sequence[Figure]) -> Iterator[str]:
    for index, figure in enumerate(figures, 1):
        if figure.note:
            yield textwrap.fill(figure.note, _WIDTH, initial_indent=f"{index:>2} ", subsequent_indent="   ")
