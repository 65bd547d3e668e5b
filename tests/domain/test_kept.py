"""What operators can come back to."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.body import Json
from shared.domain.change import Change
from shared.domain.kept import Kept, kept_of
from shared.domain.record import GENESIS, Outcome, Record, Row, seal
from tests.domain.making import TARGET, record
from tests.hostile import anything

OF_USE = {
    Outcome.FIXED,
    Outcome.FIX_UNVERIFIED,
    Outcome.FAILED,
    Outcome.AWAITING_APPROVAL,
    Outcome.CONTESTED,
    Outcome.HELD,
    Outcome.OVER_BUDGET,
}


def sealed(told: Record) -> Row:
    return seal(told, TARGET.key, GENESIS)


@pytest.mark.parametrize("outcome", Outcome)
def test_what_was_fixed_or_would_have_been_is_kept_and_nothing_else(outcome: Outcome) -> None:
    told = record(outcome=outcome, message="look again")
    kept = kept_of(sealed(told))
    assert (kept is not None) is (outcome in OF_USE)
    if kept is not None:
        assert kept == Kept(
            told.record_id,
            TARGET.path,
            "AIR-900/storage",
            outcome,
            (Change("properties.isSftpEnabled", actual=True, desired=False),),
            "look again",
        )


@pytest.mark.parametrize("outcome", sorted(OF_USE))
def test_a_record_without_a_rule_is_of_no_use(outcome: Outcome) -> None:
    assert kept_of(sealed(record(outcome=outcome, rule=""))) is None


def test_a_record_without_a_message_brings_nothing_about() -> None:
    kept = kept_of(sealed(record()))
    assert kept is not None
    assert kept.message == ""


@given(st.lists(st.builds(Change, st.text(max_size=9), anything, anything), max_size=3))
def test_changes_are_kept_as_they_were_recorded(changes: list[Change]) -> None:
    told: list[Json] = [change.as_json() for change in changes]
    kept = kept_of(sealed(record(changes=told)))
    assert kept is not None
    assert kept.changes == tuple(changes)


@pytest.mark.parametrize("changes", [None, []])
def test_a_record_without_changes_has_none_to_take_back(changes: list[Json] | None) -> None:
    kept = kept_of(sealed(record(changes=changes)))
    assert kept is not None
    assert kept.changes == ()


def test_changes_that_were_too_large_for_the_record_are_not_kept_in_part() -> None:
    """Half of what a fix replaced cannot be put back."""
    many: list[Json] = [{"path": f"properties.p{number}", "actual": "x" * 1_000, "desired": 1} for number in range(90)]
    told = record(changes=many)
    kept = kept_of(sealed(told))
    assert kept is not None
    assert (kept.record_id, kept.changes) == (told.record_id, ())
