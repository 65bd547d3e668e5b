"""Stepping back from a fight."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.contest import WINDOW, Attempt, Contest, contest, recent
from tests.domain.making import NOW, moments

RULE = "AIR-900/storage"
HOUR = timedelta(hours=1)
histories = st.lists(st.builds(Attempt, st.sampled_from([RULE, "AIR-901/storage"]), moments), max_size=60)


def begun(*hours_ago: float) -> list[Attempt]:
    return [Attempt(RULE, NOW - HOUR * hours) for hours in hours_ago]


@pytest.mark.parametrize(
    "hours_ago, count, left",
    [
        ([3, 2, 0], 3, 1),
        ([0, 3, 2], 3, 1),
        ([3, 2, 0.5], 3, 0.5),
        ([4, 3, 2, 0], 4, 2),
        ([5, 4, 3, 2, 1], 5, 3),
        ([23, 22, 21, 20, 19, 18, 17], 7, None),
        ([9, 8, 7, 6, 5, 4, 0], 7, 16),
        ([9, 8, 7, 6, 5, 4, 3, 0], 8, 24),
        ([9, 8, 7, 6, 5, 4, 3, 2, 0], 9, 24),
    ],
)
def test_the_wait_doubles_up_to_a_day(hours_ago: list[float], count: int, left: float | None) -> None:
    expected = None if left is None else Contest(count, NOW + HOUR * left)
    assert contest(RULE, begun(*hours_ago), NOW) == expected


@pytest.mark.parametrize(
    "history",
    [
        [],
        begun(0, 0),
        begun(3, 2, 1),
        begun(72, 72, 72, 0, 0),
        [Attempt("AIR-901/storage", NOW)] * 9,
    ],
)
def test_no_contest(history: list[Attempt]) -> None:
    assert contest(RULE, history, NOW) is None


@given(histories)
def test_a_wait_ends_within_a_day(history: list[Attempt]) -> None:
    now = max((attempt.begun for attempt in history), default=NOW)
    found = contest(RULE, history, now)
    assert found is None or now < found.until <= now + WINDOW


def test_any_number_of_fixes_has_an_answer() -> None:
    assert contest(RULE, begun(*[0] * 2_000), NOW) == Contest(2_000, NOW + WINDOW)


@given(histories)
def test_what_is_forgotten_does_not_count(history: list[Attempt]) -> None:
    now = max((attempt.begun for attempt in history), default=NOW)
    kept = recent(history, now)
    assert set(kept) <= set(history)
    assert contest(RULE, kept, now) == contest(RULE, history, now)
