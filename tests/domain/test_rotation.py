"""Which key is regenerated for which cause, and that none ever is twice."""

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import pairwise

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from shared.domain.resource_types import RESOURCE_TYPES
from shared.domain.rotation import ONE_IN, Rotation, Step, Turn, is_pending, steps, with_claims, without_claim
from shared.domain.secret import Secret
from tests.domain.making import NOW, moments

SLOTS = ("Key2", "Key1")
OLD, NEW = Secret("old"), Secret("new")
KEYS = {"Key1": OLD, "Key2": OLD}
SECOND, MINUTE, HOUR, DAY = (timedelta(seconds=count) for count in (1, 60, 3600, 86_400))


def claim(cause: str = "a", slot: str = "Key2", begun: datetime = NOW, *, ended: bool = False) -> Rotation:
    """The claim on a key that is the old one."""
    return Rotation(cause, slot, OLD.fingerprint, begun, ended)


def told(found: tuple[Step, ...]) -> list[tuple[str, str, str]]:
    """The turns as (turn, slot, cause)."""
    return [(step.turn.value, step.claim.slot, step.claim.cause) for step in found]


@pytest.mark.parametrize(
    "rotations, key, turn",
    [
        # Nobody was here.
        ((), OLD, "regenerate a"),
        ((), None, None),
        # This cause was: a worker may have died around the act.
        ((claim(),), OLD, "regenerate a"),
        ((claim(),), NEW, "done a"),
        ((claim(begun=NOW - 20 * DAY),), OLD, "regenerate a"),
        ((claim(begun=NOW - 20 * DAY),), NEW, "done a"),
        ((claim(),), None, None),
        ((claim(ended=True),), OLD, None),
        ((claim(ended=True),), NEW, None),
        ((claim(begun=NOW - 20 * DAY, ended=True),), OLD, None),
        # Another cause was.
        ((claim("b"),), OLD, "lately b"),
        ((claim("b"),), NEW, "lately b"),
        ((claim("b", ended=True),), NEW, "lately b"),
        ((claim("b", begun=NOW - DAY + SECOND, ended=True),), NEW, "lately b"),
        ((claim("b", begun=NOW - DAY, ended=True),), NEW, "regenerate a"),
        ((claim("b", begun=NOW - DAY - SECOND),), NEW, "regenerate a"),
        # The clock of the other worker is ahead.
        ((claim("b", begun=NOW + MINUTE, ended=True),), NEW, "lately b"),
        # The newest of several is told.
        ((claim("b", begun=NOW - 2 * HOUR), claim("c", begun=NOW - HOUR)), NEW, "lately c"),
        ((claim("c", begun=NOW - HOUR), claim("b", begun=NOW - 2 * HOUR)), NEW, "lately c"),
        # Both were: the own claim counts.
        ((claim("b"), claim()), OLD, "regenerate a"),
        ((claim("b"), claim()), NEW, "done a"),
        ((claim("b"), claim(ended=True)), NEW, None),
        # The other key's claims say nothing about this one.
        ((claim("b", "Key1"),), OLD, "regenerate a"),
        ((claim("a", "Key1", ended=True),), OLD, "regenerate a"),
    ],
)
def test_whose_turn_it_is(rotations: tuple[Rotation, ...], key: Secret | None, turn: str | None) -> None:
    keys = {} if key is None else {"Key2": key}
    found = steps(rotations, keys, ("Key2",), "a", NOW)
    assert [f"{step.turn.value} {step.claim.cause}" for step in found] == ([turn] if turn else [])
    assert all(step.claim.slot == "Key2" for step in found)


@pytest.mark.parametrize(
    "rotations, key, turn",
    [
        ((), OLD, "regenerate a"),
        ((), None, None),
        # Another cause's regeneration is what a person approved a second one of.
        ((claim("b", ended=True),), NEW, "regenerate a"),
        ((claim("b", begun=NOW - HOUR), claim("c")), NEW, "regenerate a"),
        # What this cause itself did stands, whatever a person approved.
        ((claim(ended=True),), NEW, None),
        ((claim(),), OLD, "regenerate a"),
        ((claim(),), NEW, "done a"),
        ((claim("b"), claim(ended=True)), NEW, None),
        # The approval is for this key alone.
        ((claim("b", "Key1"),), OLD, "regenerate a"),
    ],
)
def test_a_person_s_word_lets_a_key_be_regenerated_that_another_cause_regenerated_lately(
    rotations: tuple[Rotation, ...], key: Secret | None, turn: str | None
) -> None:
    keys = {} if key is None else {"Key2": key}
    found = steps(rotations, keys, ("Key2",), "a", NOW, approved={"Key2"})
    assert [f"{step.turn.value} {step.claim.cause}" for step in found] == ([turn] if turn else [])
    assert steps(rotations, keys, ("Key2",), "a", NOW, approved={"Key1"}) == steps(rotations, keys, ("Key2",), "a", NOW)


def test_one_key_may_be_approved_while_the_other_waits() -> None:
    rotations = (claim("b", "Key2", ended=True), claim("b", "Key1", ended=True))
    keys = {"Key1": NEW, "Key2": NEW}
    assert told(steps(rotations, keys, SLOTS, "a", NOW, approved=["Key1"])) == [
        ("lately", "Key2", "b"),
        ("regenerate", "Key1", "a"),
    ]


def test_a_new_claim_says_which_key_is_to_die_and_since_when() -> None:
    (step,) = steps((), {"Key2": OLD}, ("Key2",), "a", NOW)
    assert step.claim == Rotation("a", "Key2", OLD.fingerprint, NOW, ended=False)
    assert "old" not in repr(step)


@pytest.mark.parametrize("kind", [kind for kind in RESOURCE_TYPES if kind.keys], ids=lambda kind: kind.slug)
def test_turns_come_in_the_order_of_the_slots(kind: object) -> None:
    slots = kind.keys.slots  # type: ignore[attr-defined] # a ResourceType with keys
    keys = dict.fromkeys(sorted(slots), OLD)
    assert [step.claim.slot for step in steps((), keys, slots, "a", NOW)] == list(slots)
    assert [step.claim.slot for step in steps((), keys, slots[::-1], "a", NOW)] == list(slots[::-1])


def test_a_key_that_the_scheme_does_not_know_has_no_turn() -> None:
    assert told(steps((), KEYS | {"kerb1": OLD}, SLOTS, "a", NOW)) == [
        ("regenerate", "Key2", "a"),
        ("regenerate", "Key1", "a"),
    ]


def test_one_key_may_be_done_while_the_other_has_its_turn() -> None:
    rotations = (claim(slot="Key2"), claim(slot="Key1"))
    assert told(steps(rotations, {"Key2": NEW, "Key1": OLD}, SLOTS, "a", NOW)) == [
        ("done", "Key2", "a"),
        ("regenerate", "Key1", "a"),
    ]


@pytest.mark.parametrize(
    "rotations, pending",
    [
        ((), False),
        ((claim(),), True),
        ((claim(begun=NOW - 29 * MINUTE),), True),
        ((claim(begun=NOW - 30 * MINUTE),), False),
        ((claim(begun=NOW - DAY),), False),
        ((claim(ended=True),), False),
        ((claim(ended=True), claim("b", "Key1")), True),
        ((claim(ended=True), claim("b", "Key1", NOW - HOUR)), False),
    ],
)
def test_whether_keys_are_about_to_be_regenerated(rotations: tuple[Rotation, ...], pending: bool) -> None:  # noqa: FBT001 - a column
    assert is_pending(rotations, NOW) is pending
    assert is_pending(iter(rotations), NOW) is pending


def test_a_cause_does_not_wait_for_itself() -> None:
    assert not is_pending((claim(),), NOW, "a")
    assert not is_pending((claim(), claim("b", "Key1", ended=True)), NOW, "a")
    assert is_pending((claim(), claim("b", "Key1")), NOW, "a")


def test_nobody_waits_for_ever_for_a_claim() -> None:
    assert not is_pending((claim(),), NOW + 365 * DAY)


class TestClaims:
    def test_a_claim_stands_in_place_of_the_one_before(self) -> None:
        before = (claim(), claim(slot="Key1"), claim("b", begun=NOW - 2 * DAY))
        after = with_claims(before, [claim(ended=True)])
        assert {(each.cause, each.slot): each.ended for each in after} == {
            ("a", "Key2"): True,
            ("a", "Key1"): False,
            ("b", "Key2"): False,
        }

    def test_without_any_nothing_changes(self) -> None:
        before = (claim(), claim(slot="Key1"))
        assert with_claims(before, ()) == before
        assert with_claims((), ()) == ()

    @pytest.mark.parametrize(
        "age, kept", [(DAY, True), (29 * DAY, True), (30 * DAY, True), (30 * DAY + SECOND, False), (90 * DAY, False)]
    )
    def test_what_is_long_past_is_forgotten(self, age: timedelta, kept: bool) -> None:  # noqa: FBT001 - a column
        old = claim("b", begun=NOW - age, ended=True)
        assert (old in with_claims((old,), [claim()])) is kept

    def test_the_oldest_are_forgotten_first(self) -> None:
        many = [claim(f"cause {number}", begun=NOW - number * MINUTE) for number in range(200)]
        kept = with_claims(many, ())
        assert set(kept) == set(many[: len(kept)])
        assert len(kept) < 100

    def test_a_claim_that_was_refused_is_taken_back(self) -> None:
        both = (claim(), claim(slot="Key1"), claim("b"))
        assert without_claim(both, claim()) == (claim(slot="Key1"), claim("b"))
        assert without_claim(both, claim(begun=NOW + HOUR, ended=True)) == (claim(slot="Key1"), claim("b"))
        assert without_claim(both, claim("c")) == both
        assert without_claim((), claim()) == ()

    @given(
        st.lists(
            st.builds(Rotation, st.sampled_from("abc"), st.sampled_from(SLOTS), st.text(), moments, st.booleans())
        ),
        st.lists(
            st.builds(Rotation, st.sampled_from("abc"), st.sampled_from(SLOTS), st.text(), moments, st.booleans())
        ),
    )
    def test_any_claims_can_be_put_together(self, rotations: list[Rotation], claims: list[Rotation]) -> None:
        kept = with_claims(rotations, claims)
        assert len({(each.cause, each.slot) for each in kept}) == len(kept)
        assert list(kept) == sorted(kept, key=lambda each: each.begun)
        assert set(kept) <= {*rotations, *claims}
        if kept:
            assert max(each.begun for each in kept) - min(each.begun for each in kept) <= 30 * DAY
        assert with_claims(kept, ()) == kept
        for each in kept:
            assert with_claims(without_claim(kept, each), [each]) == kept or len({e.begun for e in kept}) < len(kept)


# From here on: a model of an account, and workers that come and die.


class Fate(StrEnum):
    """What becomes of a worker at one key."""

    WORKS = "it does its work"
    DIES_BEFORE = "it dies before the request"
    DIES_AFTER = "it dies before it heard of the answer"
    REFUSED = "it is refused for good"


@dataclass
class Account:
    """The keys of an account, what the ledger remembers of it, and when which key was regenerated for whom."""

    now: datetime = NOW
    rotations: tuple[Rotation, ...] = ()
    generation: dict[str, int] = field(default_factory=lambda: dict.fromkeys(SLOTS, 0))
    regenerated: list[tuple[str, str, datetime]] = field(default_factory=list)
    claimed: list[tuple[str, datetime]] = field(default_factory=list)

    @property
    def keys(self) -> dict[str, Secret]:
        """The keys that are in force."""
        return {slot: Secret(f"{slot} {number}") for slot, number in self.generation.items()}

    def deliver(self, cause: str, fates: tuple[Fate, ...]) -> tuple[Step, ...]:
        """One delivery of a cause: claims first, then key by key until the worker dies."""
        found = steps(self.rotations, self.keys, SLOTS, cause, self.now)
        turns = [step for step in found if step.turn is not Turn.LATELY]
        self.rotations = with_claims(self.rotations, [step.claim for step in turns])
        for step, fate in zip(turns, fates, strict=False):
            if step.turn is Turn.REGENERATE:
                if fate is Fate.DIES_BEFORE:
                    break
                if fate is Fate.REFUSED:
                    self.rotations = without_claim(self.rotations, step.claim)
                    continue
                self._regenerate(cause, step)
            if fate is Fate.DIES_AFTER:
                break
            self.rotations = with_claims(self.rotations, [replace(step.claim, ended=True)])
        return found

    def _regenerate(self, cause: str, step: Step) -> None:
        self.generation[step.claim.slot] += 1
        self.regenerated.append((cause, step.claim.slot, self.now))
        self.claimed.append((step.claim.slot, step.claim.begun))


fates = st.tuples(*[st.sampled_from(Fate)] * len(SLOTS))
spans = st.sampled_from(
    [timedelta(), SECOND, MINUTE, HOUR, 6 * HOUR, 12 * HOUR, DAY - SECOND, DAY, DAY + SECOND, 2 * DAY]
)
deliveries = st.lists(st.tuples(st.sampled_from("abc"), spans, fates), max_size=12)
type Deliveries = list[tuple[str, timedelta, tuple[Fate, ...]]]
WORKS = (Fate.WORKS, Fate.WORKS)
DIES = (Fate.DIES_BEFORE, Fate.DIES_BEFORE)


def played(sequence: Deliveries) -> Account:
    """The account after those deliveries, each so long after the one before."""
    account = Account()
    for cause, after, fate in sequence:
        account.now += after
        account.deliver(cause, fate)
    return account


def apart(times: list[datetime]) -> list[timedelta]:
    """How far each of the times is from the one before."""
    return [later - earlier for earlier, later in pairwise(sorted(times))]


@given(deliveries)
def test_one_cause_never_has_a_key_regenerated_twice(sequence: Deliveries) -> None:
    by_cause = [(cause, slot) for cause, slot, _ in played(sequence).regenerated]
    assert len(set(by_cause)) == len(by_cause)


@settings(max_examples=200)
@given(deliveries)
def test_no_two_claims_on_a_key_are_carried_out_within_a_day(sequence: Deliveries) -> None:
    account = played(sequence)
    for slot in SLOTS:
        assert all(gap >= ONE_IN for gap in apart([begun for key, begun in account.claimed if key == slot]))


@settings(max_examples=200)
@given(deliveries)
@example([("a", timedelta(), DIES), ("a", DAY - SECOND, WORKS), ("b", SECOND, WORKS)])
def test_no_key_is_regenerated_twice_within_a_day(sequence: Deliveries) -> None:
    """A claim may be taken up long after it was made: while ARM refuses to work its signal waits up to six hours, again
    and again. The day begins with the regeneration, not with the claim."""
    account = played(sequence)
    for slot in SLOTS:
        gaps = apart([when for _, key, when in account.regenerated if key == slot])
        assert all(gap >= ONE_IN for gap in gaps)


@given(deliveries)
def test_turns_of_any_account_come_in_order_and_each_key_has_one(sequence: Deliveries) -> None:
    account = played(sequence)
    for cause in "abcd":
        slots = [step.claim.slot for step in steps(account.rotations, account.keys, SLOTS, cause, account.now)]
        assert slots == [slot for slot in SLOTS if slot in slots]


@given(deliveries, fates)
def test_a_cause_that_comes_once_more_after_a_death_comes_to_its_end(
    sequence: Deliveries, fate: tuple[Fate, ...]
) -> None:
    """Whatever came before, a cause whose worker survives has no key left whose turn it is."""
    account = played(sequence)
    account.deliver("d", fate)
    account.deliver("d", WORKS)
    left = steps(account.rotations, account.keys, SLOTS, "d", account.now)
    assert {step.turn for step in left} <= {Turn.LATELY}
    assert not [each for each in account.rotations if each.cause == "d" and not each.ended]


@given(deliveries)
def test_the_ledger_remembers_every_cause_of_the_last_month(sequence: Deliveries) -> None:
    account = played(sequence)
    known = {(each.cause, each.slot) for each in account.rotations}
    recent = {(cause, slot) for cause, slot, when in account.regenerated if account.now - when < 20 * DAY}
    assert recent <= known


def test_a_month_of_daily_leaks_is_remembered_whole() -> None:
    account = Account()
    for number in range(40):
        account.deliver(f"cause {number}", WORKS)
        account.now += DAY
    assert len(account.regenerated) == 80
    for number in range(12, 40):
        assert told(steps(account.rotations, account.keys, SLOTS, f"cause {number}", account.now)) == [], number


@given(deliveries, st.sets(st.sampled_from(SLOTS)))
def test_a_word_changes_nothing_but_that_approved_keys_need_not_wait(sequence: Deliveries, approved: set[str]) -> None:
    account = played(sequence)
    for cause in "abcd":
        plain = steps(account.rotations, account.keys, SLOTS, cause, account.now)
        with_word = steps(account.rotations, account.keys, SLOTS, cause, account.now, approved=approved)
        assert [step.claim.slot for step in with_word] == [step.claim.slot for step in plain]
        for before, after in zip(plain, with_word, strict=True):
            is_let = before.turn is Turn.LATELY and before.claim.slot in approved
            assert (after.turn, after.claim.cause) == (Turn.REGENERATE, cause) if is_let else after == before
