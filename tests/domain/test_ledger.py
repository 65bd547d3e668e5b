"""What is remembered of one resource, and how it changes."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.contest import Attempt
from shared.domain.ledger import LONGEST_UNREST, Entry, Intention, Version, next_look
from shared.domain.record import GENESIS, Outcome
from tests.domain.making import NOW, TARGET, moments, record

ENTRY = Entry(TARGET.key)
SECOND = timedelta(seconds=1)
GRACE = timedelta(seconds=60)
INTENTION = Intention("message", NOW, (record(), record(rule="AIR-901/storage")))


@pytest.mark.parametrize(
    "began, covered",
    [
        (None, False),
        (NOW - SECOND, False),
        (NOW, False),
        (NOW + GRACE - SECOND, False),
        (NOW + GRACE, True),
        (NOW + timedelta(days=9), True),
    ],
)
def test_a_read_covers_what_happened_a_grace_before(began: datetime | None, covered: bool) -> None:  # noqa: FBT001 # a column
    assert replace(ENTRY, watermark=began).covers(NOW, GRACE) is covered


@pytest.mark.parametrize(
    "first, last, awaits",
    [
        (None, None, False),
        (NOW, None, False),
        (None, NOW, False),
        (NOW, NOW, False),
        (NOW, NOW + SECOND, True),
        (NOW - timedelta(minutes=4), NOW + SECOND, True),
        (NOW - timedelta(minutes=4), NOW - SECOND, False),
        # It has not been quiet for too long: this one is looked at although a later one waits.
        (NOW - LONGEST_UNREST, NOW + SECOND, False),
    ],
)
def test_the_last_of_a_burst_is_looked_at(first: datetime | None, last: datetime | None, awaits: bool) -> None:  # noqa: FBT001 # a column
    assert replace(ENTRY, first_signal=first, last_signal=last).awaits_later(NOW) is awaits


@pytest.mark.parametrize(
    "first, last, watermark, burst",
    [
        (None, None, None, (NOW, NOW)),
        (NOW - SECOND, None, None, (NOW, NOW)),
        (NOW - SECOND, NOW - SECOND, None, (NOW - SECOND, NOW)),
        (NOW + SECOND, NOW + SECOND, None, (NOW, NOW + SECOND)),
        (NOW - SECOND, NOW + SECOND, None, (NOW - SECOND, NOW + SECOND)),
        (NOW - SECOND, NOW - SECOND, NOW - 2 * SECOND, (NOW - SECOND, NOW)),
        # Looked at since: a new burst begins.
        (NOW - 2 * SECOND, NOW - 2 * SECOND, NOW - SECOND, (NOW, NOW)),
    ],
)
def test_burst(
    first: datetime | None,
    last: datetime | None,
    watermark: datetime | None,
    burst: tuple[datetime, datetime],
) -> None:
    entry = replace(ENTRY, first_signal=first, last_signal=last, watermark=watermark)
    assert entry.burst(NOW) == burst


@given(moments, moments, moments)
def test_a_burst_holds_the_change_and_never_shrinks(first: datetime, last: datetime, time: datetime) -> None:
    entry = replace(ENTRY, first_signal=min(first, last), last_signal=max(first, last))
    begin, end = entry.burst(time)
    assert begin <= time <= end
    assert begin <= min(first, last)
    assert max(first, last) <= end


@pytest.mark.parametrize(
    "holder, until, held",
    [
        ("", None, False),
        ("other", NOW + SECOND, True),
        ("other", NOW, False),
        ("other", NOW - SECOND, False),
        ("me", NOW + SECOND, False),
        ("", NOW + SECOND, True),
    ],
)
def test_held_by_another(holder: str, until: datetime | None, held: bool) -> None:  # noqa: FBT001 # a column
    assert replace(ENTRY, holder=holder, held_until=until).held_by_another("me", NOW) is held


def test_without_a_grace_a_read_covers_what_happened_before_it() -> None:
    assert replace(ENTRY, watermark=NOW).covers(NOW, timedelta())
    assert not replace(ENTRY, watermark=NOW).covers(NOW + SECOND, timedelta())


def test_an_intention_takes_the_lease() -> None:
    entry = ENTRY.intend(INTENTION, "me", NOW + SECOND)
    assert (entry.intention, entry.holder, entry.held_until) == (INTENTION, "me", NOW + SECOND)
    assert entry.history == ()
    assert entry.held_by_another("other", NOW)
    assert not entry.held_by_another("me", NOW)


def test_release_keeps_the_intention() -> None:
    entry = ENTRY.intend(INTENTION, "me", NOW + SECOND).release()
    assert (entry.intention, entry.holder, entry.held_until) == (INTENTION, "", None)


def test_conclude_closes_the_intention_and_continues_the_chain() -> None:
    open_ = replace(ENTRY, head="a" * 64, version=Version("etag", listed=True)).intend(INTENTION, "me", NOW + SECOND)
    entry, rows = open_.conclude([record(), record(outcome=Outcome.FIXED)], NOW)
    assert [row.columns["PreviousDigest"] for row in rows] == ["a" * 64, rows[0].digest]
    assert (entry.head, entry.watermark) == (rows[1].digest, NOW)
    assert (entry.intention, entry.holder, entry.held_until) == (None, "", None)
    assert entry.remembered == tuple(row.record_id[:12] for row in rows)
    assert all(row.chain == ENTRY.key for row in rows)
    assert entry.version == open_.version


def test_a_chain_begins_with_genesis() -> None:
    _, (row,) = ENTRY.conclude([record()], NOW)
    assert row.columns["PreviousDigest"] == GENESIS


def test_a_record_is_written_once() -> None:
    entry, rows = ENTRY.conclude([record(), record(reason="told again")], NOW)
    assert len(rows) == 1
    again, none = entry.conclude([record(attempt=2)], NOW)
    assert none == ()
    assert again.head == entry.head
    _, (other,) = again.conclude([record(outcome=Outcome.FIXED)], NOW)
    assert other.columns["PreviousDigest"] == entry.head


def test_nothing_to_record_leaves_the_chain_alone() -> None:
    entry, rows = replace(ENTRY, head="a" * 64).conclude([], NOW)
    assert rows == ()
    assert (entry.head, entry.watermark) == ("a" * 64, NOW)


def test_a_memory_has_an_end() -> None:
    entry, rows = ENTRY.conclude([record(cause=str(number)) for number in range(300)], NOW)
    assert len(rows) == 300
    assert entry.remembered == tuple(row.record_id[:12] for row in rows[-len(entry.remembered) :])
    # More than one look at a resource can have, so that its repetition adds nothing.
    assert 100 <= len(entry.remembered) < 300


@given(st.lists(moments, max_size=6))
def test_the_watermark_never_goes_back(reads: list[datetime]) -> None:
    entry = ENTRY
    for began in reads:
        after, _ = entry.conclude([], began)
        assert entry.watermark is None or (after.watermark is not None and after.watermark >= entry.watermark)
        entry = after
    assert entry.watermark == max(reads, default=None)


@pytest.mark.parametrize(
    "outcome, counts",
    [(outcome, outcome in {Outcome.FIXED, Outcome.FIX_UNVERIFIED, Outcome.FAILED}) for outcome in Outcome],
)
def test_fixes_that_azure_took_are_remembered_for_a_while(outcome: Outcome, counts: bool) -> None:  # noqa: FBT001 # a column
    old = Attempt("AIR-900/storage", NOW - timedelta(days=9))
    young = Attempt("AIR-901/storage", NOW - timedelta(hours=2))
    entry, _ = replace(ENTRY, history=(old, young)).conclude([record(outcome=outcome)], NOW)
    assert entry.history == ((young, Attempt("AIR-900/storage", NOW)) if counts else (old, young))


@given(moments, st.timedeltas(timedelta(), timedelta(minutes=10)))
def test_the_next_look_misses_nothing_and_is_shared(time: datetime, grace: timedelta) -> None:
    look = next_look(time, grace)
    assert time + grace <= look < time + grace + max(grace / 2, timedelta(milliseconds=1))
    assert next_look(look - grace, grace) == look
