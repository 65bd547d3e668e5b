"""When a fix keeps being undone: Airlock steps back, ever longer, and says so each time."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

WINDOW = timedelta(hours=24)
# So many fixes of one rule on one resource within the window are made at once.
_AT_ONCE = 3
_FIRST_WAIT = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Attempt:
    """A fix of a rule that ARM took, and when its record was written."""

    rule: str
    begun: datetime


@dataclass(frozen=True, slots=True)
class Contest:
    """How many fixes the window holds, and until when the next one waits."""

    count: int
    until: datetime


def contest(rule: str, history: Iterable[Attempt], now: datetime) -> Contest | None:
    """The contest that keeps the rule's fix waiting now; None if it may be made.

    The fourth fix waits an hour after the third, each later one twice as long as the one before, up to a day.
    """
    begun = sorted(attempt.begun for attempt in history if attempt.rule == rule and attempt.begun > now - WINDOW)
    if len(begun) < _AT_ONCE:
        return None
    wait = min(_FIRST_WAIT * 2.0 ** min(len(begun) - _AT_ONCE, 16), WINDOW)
    until = begun[-1] + wait
    return Contest(len(begun), until) if until > now else None


def recent(history: Iterable[Attempt], now: datetime) -> tuple[Attempt, ...]:
    """The part of the history that still counts."""
    return tuple(attempt for attempt in history if attempt.begun > now - WINDOW)
