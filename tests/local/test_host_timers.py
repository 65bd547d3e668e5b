"""Timer functions, and the schedules they follow."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local.host.error import HostError
from local.host.schedule import Schedule
from tests.local.hosting import PATIENCE, hosting
from tests.storage_account import Authority

MOMENTS = st.datetimes(datetime(1999, 1, 1), datetime(2199, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 -- hypothesis wants them naive


async def test_timers_fire_by_schedule_and_on_startup(authority: Authority) -> None:
    async with hosting(authority) as case, case.host("timers", {"EVERY": "* * * * * *"}, timers=True):
        startup = await case.heard.line("started up")
        year = datetime.now(UTC).year
        assert startup.message in {
            f"started up, past due False, next {y}-01-01T00:00:00+00:00" for y in (year, year + 1)
        }
        assert (await case.heard.line("tick")).function == "often"


async def test_a_startup_run_is_waited_for(authority: Authority) -> None:
    async with hosting(authority) as case, case.host("timers", {"EVERY": "0 0 0 30 2 *"}, timers=True) as host:
        await host.wait_idle(PATIENCE)
        assert host.invocations == 1


async def test_timers_that_are_off_run_on_demand_only(authority: Authority) -> None:
    async with hosting(authority) as case, case.host("timers", {"EVERY": "* * * * * *"}) as host:
        await host.run_timer("often")
        assert host.invocations == 1
        with pytest.raises(HostError, match="LookupError: asked for anyway"):
            await host.run_timer("never")
        with pytest.raises(HostError, match="no timer function 'absent'"):
            await host.run_timer("absent")


async def test_a_retry_policy_is_the_hosts_to_apply(authority: Authority) -> None:
    async with hosting(authority) as case, case.host("timers", {"EVERY": "* * * * * *"}) as host:
        await host.run_timer("stubborn")
        assert (await case.heard.line("attempts")).message == "attempts [0, 1, 2]"
        assert host.invocations == 3


@pytest.mark.parametrize(
    "text,after,expected",
    [
        ("0 */5 * * * *", "2026-11-23T18:04:59", "2026-11-23T18:05:00"),
        ("0 */5 * * * *", "2026-11-23T18:05:00", "2026-11-23T18:10:00"),
        ("*/15 * * * * *", "2026-11-23T18:05:00.5", "2026-11-23T18:05:15"),
        ("0 30 9 * * Mon-Fri", "2026-11-20T09:30:00", "2026-11-23T09:30:00"),
        ("0 0 0 29 2 *", "2096-02-29T00:00:00", "2104-02-29T00:00:00"),
        # Both day fields must match: the 13th of a month, if a Friday.
        ("0 0 12 13 * fri", "2026-11-23T00:00:00", "2027-08-13T12:00:00"),
        ("0 5/20 * * * *", "2026-11-23T18:26:00", "2026-11-23T18:45:00"),
        ("0 0 22-20 * * *", "2026-11-23T22:00:00", "2026-11-24T20:00:00"),
        ("30 2 * * *", "2026-11-23T02:30:00", "2026-11-24T02:30:00"),
        ("59 59 23 31 DEC 0", "2026-11-23T00:00:00", "2028-12-31T23:59:59"),
    ],
)
def test_the_next_firing(text: str, after: str, expected: str) -> None:
    start = datetime.fromisoformat(after).replace(tzinfo=UTC)
    assert Schedule.parse(text).next_after(start) == datetime.fromisoformat(expected).replace(tzinfo=UTC)


def test_days_that_never_come() -> None:
    assert Schedule.parse("0 0 0 30 2 *").next_after(datetime.now(UTC)) is None
    assert Schedule.parse("0 0 0 1 1 *").next_after(datetime(9999, 6, 1, tzinfo=UTC)) is None


@pytest.mark.parametrize(
    "text",
    [
        *("", "* * * *", "* * * * * * *", "00:05:00", "60 * * * * *", "* * 24 * * *", "* * * 0 * *", "* * * * 13 *"),
        *("* * * * * 7", "* * * * foo *", "*/x * * * * *", "1- * * * * *", "-1 * * * * *", "1,,2 * * * * *"),
        *("mon * * * * *", "٣ * * * * *"),
    ],
)
def test_what_is_no_schedule(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        Schedule.parse(text)


def fields(moment: datetime) -> tuple[int, ...]:
    return (moment.second, moment.minute, moment.hour, moment.day, moment.month, moment.isoweekday() % 7)


@st.composite
def schedules_with_a_firing(draw: st.DrawFn) -> tuple[Schedule, datetime]:
    """A schedule and one moment at which it certainly fires."""
    firing = draw(MOMENTS).replace(microsecond=0)
    parts = []
    for value, (low, high) in zip(fields(firing), ((0, 59), (0, 59), (0, 23), (1, 31), (1, 12), (0, 6)), strict=True):
        near, far = draw(st.integers(low, value)), draw(st.integers(value, high))
        step = draw(st.integers(1, 7))
        choices = ("*", str(value), f"{near}-{far}", f"{far}-{near}", f"{low},{value}", f"{value}/{step}")
        parts.append(draw(st.sampled_from(choices)))
    return Schedule.parse(" ".join(parts)), firing


@given(schedules_with_a_firing(), MOMENTS)
def test_the_next_firing_is_a_firing_and_none_is_skipped(known: tuple[Schedule, datetime], moment: datetime) -> None:
    schedule, firing = known
    found = schedule.next_after(moment)
    if moment < firing:
        # Whatever moment is certainly a firing cannot come before the one that was found.
        assert found is not None
        assert found <= firing
    if found is not None:
        assert found > moment
        sets = (schedule.seconds, schedule.minutes, schedule.hours, schedule.days, schedule.months, schedule.weekdays)
        assert all(value in chosen for value, chosen in zip(fields(found), sets, strict=True))
        assert schedule.next_after(found - timedelta(microseconds=1)) == found
    assert schedule.next_after(firing - timedelta(seconds=1)) == firing
