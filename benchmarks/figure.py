"""One figure: what was measured, in what unit, and what it was meant to be."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Figure:
    """`value` is what counts of the `samples`, both in `unit`.

    `goal` says in words what was aimed at and `met` whether the value is there; both are None for a figure that has
    no goal. `note` is what has to be known to read the figure.
    """

    name: str
    value: float
    unit: str
    goal: str | None
    met: bool | None
    samples: tuple[float, ...]
    note: str = ""


def at_most(name: str, value: float, unit: str, goal: float, samples: Sequence[float], note: str = "") -> Figure:  # noqa: PLR0913, PLR0917 - the fields of a Figure
    """A figure that must not be above its goal."""
    return Figure(name, value, unit, f"<= {number(goal)}", value <= goal, tuple(samples), note)


def at_least(name: str, value: float, unit: str, goal: float, samples: Sequence[float], note: str = "") -> Figure:  # noqa: PLR0913, PLR0917 - the fields of a Figure
    """A figure that must not be below its goal."""
    return Figure(name, value, unit, f">= {number(goal)}", value >= goal, tuple(samples), note)


def told(name: str, value: float, unit: str, samples: Sequence[float], note: str = "") -> Figure:
    """A figure without a goal."""
    return Figure(name, value, unit, None, None, tuple(samples), note)


def number(value: float) -> str:
    """The value with the digits that mean something, thousands set apart: 0.57, 3.25, 42.1, 31,500."""
    if value == int(value):
        return f"{value:,.0f}"
    return f"{value:,.{2 if value < 10 else 1 if value < 100 else 0}f}"
