"""What is remembered of one resource, and how it changes."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.change import Change
from shared.domain.contest import Attempt
from shared.domain.ledger import LONGEST_UNREST, Entry, Intention, Version, next_look
from shared.domain.orders import Approval, Hold, Undo, approval_of, hold_on
from shared.domain.record import GENESIS, Outcome
from shared.domain.signal import Signal, SignalKind, parse_message
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


# From here on: what operators said.

RULE, OTHER = "AIR-900/storage", "AIR-901/storage"
WEEK = timedelta(days=7)
HOLD = Hold(RULE, NOW + WEEK, "oid")
APPROVAL = Approval(RULE, "0123456789abcdef", NOW + SECOND, "oid", "f" * 32)

rules = st.sampled_from([RULE, OTHER, "AIR-902/search"])
holds = st.builds(Hold, rules, moments, st.sampled_from(["a", "b"]))
approvals = st.builds(
    Approval, rules, st.sampled_from(["0" * 16, "1" * 16]), moments, st.sampled_from(["a", "b"]), st.just("f" * 32)
)


def test_a_hold_stands_in_place_of_the_one_before() -> None:
    other = replace(HOLD, rule=OTHER)
    shorter = replace(HOLD, until=NOW + SECOND)
    assert ENTRY.held(HOLD).holds == (HOLD,)
    # An operator may well make it shorter.
    assert ENTRY.held(HOLD).held(other).held(shorter).holds == (other, shorter)


@given(st.lists(holds, max_size=5), holds, moments)
def test_whoever_held_a_rule_last_is_who_counts(before: list[Hold], hold: Hold, now: datetime) -> None:
    entry = replace(ENTRY, holds=tuple(before)).held(hold)
    assert hold_on(hold.rule, (), entry.holds, now) == (hold if hold.until > now else None)
    for rule in {RULE, OTHER} - {hold.rule}:
        assert hold_on(rule, (), entry.holds, now) == hold_on(rule, (), before, now)


def test_a_release_ends_hold_and_fight_of_its_rule_alone() -> None:
    own, others = Attempt(RULE, NOW), Attempt(OTHER, NOW)
    undo = Undo(RULE, (), "f" * 32, "oid", "request-1")
    entry = replace(
        ENTRY,
        holds=(HOLD, replace(HOLD, rule=OTHER)),
        history=(own, others, own),
        approvals=(APPROVAL,),
        undos=(undo,),
        head="a" * 64,
    )
    released = entry.released(RULE, ())
    assert released == replace(entry, holds=(replace(HOLD, rule=OTHER),), history=(others,))
    assert released.released(RULE, ()) == released


def test_a_release_ends_the_hold_of_another_rule_on_the_same_values() -> None:
    """Else the operator would be told that it is no longer held, and it would be."""
    twin = replace(HOLD, rule=OTHER, paths=frozenset({"properties.networkAcls"}))
    entry = replace(ENTRY, holds=(twin,))
    change = Change("properties.networkAcls.defaultAction", "Allow", "Deny")
    assert entry.released(RULE, (change,)).holds == ()
    assert entry.released(RULE, (replace(change, path="properties.publicNetworkAccess"),)).holds == (twin,)


def test_an_approval_stands_beside_others_and_in_place_of_its_like() -> None:
    other_values, other_rule = replace(APPROVAL, wanted="f" * 16), replace(APPROVAL, rule=OTHER)
    again = replace(APPROVAL, until=NOW + WEEK, by="second", record_id="e" * 32)
    entry = ENTRY.approved(APPROVAL, NOW).approved(other_values, NOW).approved(other_rule, NOW)
    assert entry.approvals == (APPROVAL, other_values, other_rule)
    assert entry.approved(again, NOW).approvals == (other_values, other_rule, again)


@pytest.mark.parametrize("until, stays", [(NOW - SECOND, False), (NOW, False), (NOW + SECOND, True)])
def test_approvals_that_are_over_go_with_the_next_one(until: datetime, stays: bool) -> None:  # noqa: FBT001 - a column
    old = replace(APPROVAL, rule=OTHER, until=until)
    assert (old in replace(ENTRY, approvals=(old,)).approved(APPROVAL, NOW).approvals) is stays


def test_an_approval_lets_its_fix_through_once() -> None:
    other = replace(APPROVAL, wanted="f" * 16)
    entry = replace(ENTRY, approvals=(APPROVAL, other), holds=(HOLD,))
    after = entry.spent(iter([APPROVAL]), NOW)
    assert (after.approvals, after.holds) == ((other,), (HOLD,))
    assert entry.spent([], NOW) == entry
    assert entry.spent([APPROVAL, other], NOW).approvals == ()


def test_an_approval_that_was_spent_is_remembered_as_such() -> None:
    """Else the same record could be approved again, and let its fix through once more."""
    other = replace(APPROVAL, wanted="f" * 16, record_id="e" * 32)
    entry = replace(ENTRY, approvals=(APPROVAL, other))
    assert not entry.has_spent(APPROVAL.record_id)
    after = entry.spent([APPROVAL], NOW)
    assert after.has_spent(APPROVAL.record_id)
    assert not after.has_spent(other.record_id)
    assert not ENTRY.spent([APPROVAL], NOW).has_spent(APPROVAL.record_id), "nobody had given that one"
    assert not entry.spent([], NOW + WEEK).has_spent(APPROVAL.record_id), "it was over"


def test_a_word_that_was_given_anew_is_not_spent_with_the_old_one() -> None:
    again = replace(APPROVAL, until=NOW + WEEK, record_id="e" * 32)
    assert ENTRY.approved(again, NOW).spent([APPROVAL], NOW).approvals == (again,)


@given(st.lists(approvals, max_size=4), st.lists(holds, max_size=4), moments)
def test_what_is_over_is_dropped_and_nothing_else(before: list[Approval], held: list[Hold], now: datetime) -> None:
    entry = replace(ENTRY, approvals=tuple(before), holds=tuple(held)).spent((), now)
    assert entry.approvals == tuple(each for each in before if each.until > now)
    assert entry.holds == tuple(each for each in held if each.until > now)
    for rule in (RULE, OTHER):
        assert hold_on(rule, (), entry.holds, now) == hold_on(rule, (), held, now)
        assert approval_of(rule, (), entry.approvals, now) == approval_of(rule, (), before, now)


def test_a_record_that_was_written_is_known() -> None:
    entry, _ = ENTRY.append([record()])
    assert entry.knows(record())
    assert entry.knows(record(reason="told in other words", attempt=7))
    assert not entry.knows(record(outcome=Outcome.FIXED))
    assert not entry.knows(record(cause="event-2"))
    assert not ENTRY.knows(record())


@given(st.lists(st.integers(0, 400), max_size=260))
def test_what_is_known_is_not_written_again(causes: list[int]) -> None:
    entry = ENTRY
    for cause in causes[:20]:
        known = entry.knows(record(cause=str(cause)))
        entry, rows = entry.append([record(cause=str(cause))])
        assert bool(rows) is not known
        assert entry.knows(record(cause=str(cause)))


def test_no_order_touches_the_chain_the_lease_or_the_watermark() -> None:
    entry = replace(ENTRY, head="a" * 64, watermark=NOW, remembered=("x",)).intend(INTENTION, "me", NOW + SECOND)
    for after in (
        entry.held(HOLD),
        entry.released(RULE, ()),
        entry.approved(APPROVAL, NOW),
        entry.spent([], NOW),
    ):
        assert replace(after, holds=(), approvals=(), history=()) == entry


@given(st.lists(moments, max_size=6), moments)
def test_what_comes_back_is_known_until_it_came(times: list[datetime], now: datetime) -> None:
    entry = ENTRY
    for moment in times:
        entry = entry.coming_back(moment, now)
        assert moment in entry.returns
    assert {*entry.returns} >= {moment for moment in times if moment > now}
    assert list(entry.returns) == sorted({*entry.returns})
    assert sum(moment <= now for moment in entry.returns) <= 1


def test_an_order_to_undo_is_open_work_and_brings_itself_back() -> None:
    assert not ENTRY.is_open
    with pytest.raises(ValueError, match="nothing is open"):
        ENTRY.recall(NOW)
    ordered = replace(ENTRY, undos=(Undo(RULE, (), "f" * 32, "oid", "request-1"),))
    assert ordered.is_open
    found = parse_message(ordered.recall(NOW), NOW)
    assert isinstance(found, Signal)
    assert (found.kind, found.id) == (SignalKind.OPERATOR_REQUEST, "operator request-1")
    assert found.target is not None
    assert found.target.key == ENTRY.key
    begun = ordered.intend(INTENTION, "me", NOW + SECOND)
    assert begun.is_open
    assert begun.recall(NOW) == INTENTION.message


@pytest.mark.parametrize(
    "outcome, cause, age, leaves",
    [
        (Outcome.UNCONFIRMED, "alert a", timedelta(), True),
        (Outcome.UNCONFIRMED, "alert a", timedelta(minutes=30), True),
        (Outcome.UNCONFIRMED, "alert a", timedelta(minutes=31), False),
        # Its own message.
        (Outcome.UNCONFIRMED, "event-1", timedelta(), False),
        # A fix is brought to its end by whoever comes next.
        (Outcome.FIX_UNVERIFIED, "alert a", timedelta(), False),
    ],
)
def test_open_acts_are_left_for_a_while_to_whoever_began_them(
    outcome: Outcome,
    cause: str,
    age: timedelta,
    leaves: bool,  # noqa: FBT001 - a column
) -> None:
    drafts = (record(cause="event-1"), record(outcome=outcome, cause=cause))
    entry = replace(ENTRY, intention=Intention("message", NOW - age, drafts))
    assert entry.leaves_acts_to_another("event-1", NOW) is leaves
    assert entry.has_open_acts is (outcome is Outcome.UNCONFIRMED)
    assert not ENTRY.leaves_acts_to_another("event-1", NOW)
