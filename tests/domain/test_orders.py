"""What operators said about a rule: what an order holds for, and what it does not."""

import json
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.body import Json
from shared.domain.change import Change
from shared.domain.orders import Approval, Hold, approval_of, changes_of, fingerprint, hold_on
from shared.domain.record import canonical
from tests.domain.making import NOW, moments
from tests.hostile import NASTY, anything

RULE, OTHER = "AIR-900/storage", "AIR-901/storage"
SECOND = timedelta(seconds=1)
ON = Change("properties.isSftpEnabled", actual=True, desired=False)
TLS = Change("properties.minimumTlsVersion", "TLS1_0", "TLS1_2")
APPROVAL = Approval(RULE, fingerprint([ON, TLS]), NOW + SECOND, "oid", "f" * 32)

paths = st.sampled_from(["properties.a", "properties.b", "tags.x"])
changes = st.lists(st.builds(Change, paths, anything, anything), max_size=3)


def hold(until: datetime, rule: str = RULE, by: str = "oid") -> Hold:
    return Hold(rule, until, by)


class TestWanted:
    def test_it_is_sixteen_hex_digits(self) -> None:
        assert set(fingerprint([ON])) <= set("0123456789abcdef")
        assert [len(fingerprint(told)) for told in ([], [ON], [ON, TLS])] == [16, 16, 16]

    @given(changes, st.randoms(use_true_random=False), anything)
    def test_neither_order_nor_what_is_there_now_counts(self, told: list[Change], dice: object, now: Json) -> None:
        shuffled = [replace(change, actual=now) for change in told]
        dice.shuffle(shuffled)  # type: ignore[attr-defined] # a Random
        assert fingerprint(iter(shuffled)) == fingerprint(told)

    @given(changes, changes)
    def test_other_paths_or_values_are_others(self, one: list[Change], two: list[Change]) -> None:
        def spelt(told: list[Change]) -> list[tuple[str, str]]:
            return sorted((change.path, canonical(change.desired)) for change in told)

        assert (fingerprint(one) == fingerprint(two)) is (spelt(one) == spelt(two))

    @pytest.mark.parametrize(
        "other",
        [
            [],
            [ON],
            [ON, TLS, TLS],
            [ON, replace(TLS, desired="TLS1_1")],
            [ON, replace(TLS, path="properties.minimumTlsVersion2")],
            [Change(ON.path, None, TLS.desired), Change(TLS.path, None, ON.desired)],
        ],
    )
    def test_no_other_fix_has_the_same_one(self, other: list[Change]) -> None:
        assert fingerprint(other) != APPROVAL.wanted

    def test_the_same_object_in_another_order_is_the_same_value(self) -> None:
        one = Change("a", None, {"x": 1, "y": [{"p": 1, "q": 2}]})
        assert fingerprint([one]) == fingerprint([replace(one, desired={"y": [{"q": 2, "p": 1}], "x": 1})])
        assert fingerprint([one]) != fingerprint([replace(one, desired={"x": 1, "y": []})])


class TestChangesOf:
    @given(changes)
    def test_changes_come_back_from_a_record_s_column(self, told: list[Change]) -> None:
        column: list[Json] = [change.as_json() for change in told]
        assert changes_of(json.loads(json.dumps(column))) == tuple(told)
        assert fingerprint(changes_of(column)) == fingerprint(told)

    @pytest.mark.parametrize("odd", [*NASTY, {"path": 5}, {"path": None, "desired": None}])
    def test_what_is_no_change_names_no_path(self, odd: Json) -> None:
        assert [change.path for change in changes_of([odd])] == [""]

    def test_an_absent_value_is_none(self) -> None:
        assert changes_of([{"path": "a", "desired": 1}]) == (Change("a", None, 1),)


class TestHolds:
    @pytest.mark.parametrize(
        "holds, found",
        [
            ((), None),
            ((hold(NOW - SECOND),), None),
            ((hold(NOW),), None),
            ((hold(NOW + SECOND),), hold(NOW + SECOND)),
            ((hold(NOW + SECOND, OTHER),), None),
            ((hold(NOW + SECOND, OTHER), hold(NOW + SECOND)), hold(NOW + SECOND)),
            # Rule ids are ours and spelt in one way.
            ((hold(NOW + SECOND, RULE.lower()),), None),
            ((hold(NOW + SECOND), hold(NOW + 2 * SECOND)), hold(NOW + 2 * SECOND)),
            ((hold(NOW + 2 * SECOND), hold(NOW + SECOND), hold(NOW - SECOND)), hold(NOW + 2 * SECOND)),
        ],
    )
    def test_the_hold_in_force(self, holds: tuple[Hold, ...], found: Hold | None) -> None:
        assert hold_on(RULE, (), holds, NOW) == found
        assert hold_on(RULE, (), iter(holds), NOW) == found

    @pytest.mark.parametrize(
        "path, is_held",
        [
            ("properties.isSftpEnabled", True),
            # Whatever it stands in, or what stands in it, is written with it.
            ("properties", True),
            ("properties.isSftpEnabled.x", True),
            ("properties.isSftpEnabled2", False),
            ("properties.isSftp", False),
            ("tags", False),
            ("", False),
        ],
    )
    def test_another_rule_does_not_set_what_was_taken_back(self, path: str, is_held: bool) -> None:  # noqa: FBT001 - a column
        held = Hold(RULE, NOW + SECOND, "oid", frozenset({"properties.isSftpEnabled", "identity.type"}))
        changes = [TLS, Change(path, None, 1)]
        assert hold_on(OTHER, changes, [held], NOW) == (held if is_held else None)
        assert hold_on(OTHER, changes, [held], NOW + SECOND) is None
        assert hold_on(RULE, changes, [held], NOW) == held
        assert hold_on(OTHER, [TLS], [held], NOW) is None

    @given(st.lists(st.builds(Hold, st.sampled_from([RULE, OTHER]), moments, st.text(max_size=3))), moments)
    def test_a_hold_holds_its_rule_until_its_time_and_no_longer(self, holds: list[Hold], now: datetime) -> None:
        found = hold_on(RULE, (), holds, now)
        longest = max((each.until for each in holds if each.rule == RULE), default=now)
        assert (found is not None) is (longest > now)
        assert found is None or (found in holds and (found.rule, found.until) == (RULE, longest))


class TestApprovals:
    @pytest.mark.parametrize(
        "approval, is_good",
        [
            (APPROVAL, True),
            (replace(APPROVAL, until=NOW), False),
            (replace(APPROVAL, until=NOW - SECOND), False),
            (replace(APPROVAL, rule=OTHER), False),
            (replace(APPROVAL, wanted=fingerprint([ON])), False),
            (replace(APPROVAL, wanted=""), False),
        ],
    )
    def test_an_approval_is_for_its_rule_its_values_and_its_time(self, approval: Approval, is_good: bool) -> None:  # noqa: FBT001 - a column
        assert approval_of(RULE, [TLS, ON], [approval], NOW) == (approval if is_good else None)

    def test_the_first_good_one_of_several_is_used(self) -> None:
        over, other = replace(APPROVAL, until=NOW), replace(APPROVAL, wanted=fingerprint([ON]))
        assert approval_of(RULE, [ON, TLS], [over, other, APPROVAL], NOW) == APPROVAL
        assert approval_of(RULE, [ON, TLS], [], NOW) is None

    @given(changes, changes, moments)
    def test_nothing_but_the_approved_values_comes_through(
        self, approved: list[Change], found: list[Change], now: datetime
    ) -> None:
        word = Approval(RULE, fingerprint(approved), NOW, "oid", "f" * 32)
        assert (approval_of(RULE, found, [word], now) is not None) is (fingerprint(found) == word.wanted and now < NOW)
