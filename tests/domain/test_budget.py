"""How much may be changed within an hour, whoever asks and in whatever order."""

from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from shared.domain.budget import Budget, hour_of, next_hour
from tests.domain.making import NOW, moments

HOUR, SECOND = timedelta(hours=1), timedelta(seconds=1)

limits = st.integers(1, 7) | st.integers(1, 200)
# Whether each claim is for a critical fix, and how long after the one before it comes.
claims = st.lists(st.tuples(st.booleans(), st.sampled_from([timedelta(), SECOND, 20 * 60 * SECOND, HOUR])), max_size=60)


def taken(budget: Budget, times: int, limit: int, *, critical: bool, now: datetime = NOW) -> tuple[Budget, int]:
    """The budget after so many claims, and how many of them had room."""
    room = 0
    for _ in range(times):
        after = budget.take(now, limit, critical=critical)
        budget, room = (after, room + 1) if after is not None else (budget, room)
    return budget, room


@pytest.mark.parametrize(
    "limit, common, reserved",
    [(1, 1, 0), (2, 2, 0), (3, 3, 0), (4, 4, 0), (5, 4, 1), (6, 5, 1), (7, 6, 1), (100, 80, 20)],
)
def test_a_fifth_is_kept_for_critical_rules(limit: int, common: int, reserved: int) -> None:
    spent, room = taken(Budget(NOW), 2 * limit, limit, critical=False)
    assert room == common
    spent, room = taken(spent, 2 * limit, limit, critical=True)
    assert room == reserved
    assert (spent.common, spent.critical) == (common, reserved)
    assert spent.take(NOW, limit, critical=True) is None


@pytest.mark.parametrize("limit", [*range(1, 8), 100])
def test_critical_rules_may_use_all_of_it(limit: int) -> None:
    spent, room = taken(Budget(NOW), 2 * limit, limit, critical=True)
    assert room == limit
    assert taken(spent, 5, limit, critical=False) == (spent, 0)


def test_without_a_limit_above_nothing_there_is_no_room() -> None:
    for critical in (False, True):
        assert Budget(NOW).take(NOW, 0, critical=critical) is None


@given(limits, claims)
@example(5, [(False, timedelta())] * 4 + [(True, timedelta())] * 3 + [(False, HOUR)])
@example(1, [(True, timedelta()), (False, timedelta())])
def test_no_hour_has_more_than_the_limit_nor_common_fixes_more_than_their_share(
    limit: int, told: list[tuple[bool, timedelta]]
) -> None:
    budget, now = Budget(NOW - HOUR), NOW
    begun: Counter[tuple[datetime, bool]] = Counter()
    for critical, later in told:
        now += later
        after = budget.take(now, limit, critical=critical)
        if after is not None:
            budget = after
            begun[hour_of(now), critical] += 1
    for hour in {hour for hour, _ in begun}:
        assert begun[hour, False] + begun[hour, True] <= limit
        assert begun[hour, False] <= limit - limit // 5
    assert (budget.common, budget.critical) == (begun[budget.hour, False], begun[budget.hour, True])


@given(limits, st.lists(st.booleans(), max_size=60))
def test_nobody_is_turned_away_while_there_is_room_for_him(limit: int, told: list[bool]) -> None:
    budget = Budget(NOW)
    for critical in told:
        after = budget.take(NOW, limit, critical=critical)
        is_full = budget.common + budget.critical >= limit
        is_kept = not critical and budget.common >= limit - limit // 5
        assert (after is None) is (is_full or is_kept)
        budget = after or budget


@given(st.integers(5, 200), st.integers(0, 400))
def test_no_number_of_common_fixes_takes_the_room_of_a_critical_one(limit: int, decoys: int) -> None:
    spent, _ = taken(Budget(NOW), decoys, limit, critical=False)
    assert taken(spent, limit, limit, critical=True)[1] >= limit // 5


@pytest.mark.parametrize(
    "now, is_new",
    [
        (NOW, False),
        (NOW + HOUR - SECOND, False),
        (NOW + HOUR, True),
        (NOW + 25 * HOUR, True),
        # The same hour of another day is another hour.
        (NOW + 24 * HOUR, True),
    ],
)
def test_the_budget_begins_anew_with_the_hour_of_the_clock(now: datetime, is_new: bool) -> None:  # noqa: FBT001 - a column
    spent, _ = taken(Budget(NOW), 10, 10, critical=True)
    after = spent.take(now, 10, critical=False)
    assert after == (Budget(hour_of(now), common=1) if is_new else None)


def test_a_clock_that_is_behind_gives_nobody_more() -> None:
    """Workers' clocks differ by a little, and a claim waits for its turn after it looked at the clock."""
    begun = 0
    budget = Budget(NOW)
    for _ in range(10):
        for now in (NOW, NOW - SECOND):
            after = budget.take(now, 3, critical=False)
            budget, begun = (after, begun + 1) if after is not None else (budget, begun)
    assert begun <= 2 * 3, "the limits of the two hours"


@given(moments)
def test_every_moment_is_in_its_hour(now: datetime) -> None:
    assert hour_of(now) <= now < next_hour(now) == hour_of(now) + HOUR
    assert hour_of(hour_of(now)) == hour_of(now)
    assert hour_of(next_hour(now)) == next_hour(now)


def test_an_hour_begins_on_the_full() -> None:
    assert hour_of(datetime(2026, 11, 23, 12, 59, 59, 999_999, UTC)) == NOW
    assert next_hour(NOW) == NOW + HOUR
