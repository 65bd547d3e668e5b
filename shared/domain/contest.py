"""When a fix keeps being undone: Airlock steps back, ever longer, and says so each time."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

WINDOW = timedelta(hours=24)
# A fight is over once no fix was needed for so long: more than the longest wait between two.
_PEACE = timedelta(hours=48)
_MOST_REMEMBERED = 16
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
    fight = _fight(sorted(attempt.begun for attempt in history if attempt.rule == rule), now)
    is_contested = any(third - first < WINDOW for first, third in zip(fight, fight[_AT_ONCE - 1 :], strict=False))
    if not is_contested:
        return None
    wait = min(_FIRST_WAIT * 2.0 ** min(len(fight) - _AT_ONCE, 16), WINDOW)
    until = fight[-1] + wait
    return Contest(len(fight), until) if until > now else None


def _fight(begun: list[datetime], now: datetime) -> list[datetime]:
    """The last fixes that no peace lies between."""
    fight: list[datetime] = []
    for moment in reversed(begun):
        if (fight[-1] if fight else now) - moment > _PEACE:
            break
        fight.append(moment)
    return fight[::-1]


def recent(history: Iterable[Attempt], now: datetime) -> tuple[Attempt, ...]:
    """The part of the history that can still count: the fights that go on, the newest attempt last.

    Of each rule the last ones are enough: by then the wait is the longest. One that is fixed each time, however often,
    must not drive out what is known of the others.
    """
    ordered = sorted(history, key=lambda attempt: attempt.begun)
    fights = {
        rule: set(_fight([attempt.begun for attempt in ordered if attempt.rule == rule], now)[-_MOST_REMEMBERED:])
        for rule in {attempt.rule for attempt in ordered}
    }
    return tuple(attempt for attempt in ordered if attempt.begun in fights[attempt.rule])
