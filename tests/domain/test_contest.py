"""Stepping back from a fight."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remediations import disallow_blob_public_access, enforce_tls
from shared.domain.body import Json, JsonObject
from shared.domain.catalogue import Catalogue
from shared.domain.contest import WINDOW, Attempt, Contest, contest, recent
from shared.domain.decision import Circumstances, Decision, Verdict, decide
from shared.domain.drafting import Stamp, applied, finished, of_decision, of_fix
from shared.domain.drift import as_fixed, evaluate
from shared.domain.ledger import Entry
from shared.domain.mode import Mode
from shared.domain.record import Outcome, Record
from shared.domain.resource import Resource
from shared.domain.resource_types import STORAGE
from shared.domain.settings import Settings
from tests.domain.making import NOW, moments, signal
from tests.remediations import bodies

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


# From here on: a pipeline that puts back what Airlock fixes, and a clock.

MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
TLS, BLOBS = "AIR-004/storage", "AIR-005/storage"
CATALOGUE = Catalogue((enforce_tls.REMEDIATION, disallow_blob_public_access.REMEDIATION))
OLD_TLS: JsonObject = {"minimumTlsVersion": "TLS1_0"}
PUBLIC: JsonObject = {"allowBlobPublicAccess": True}
SOUND = bodies.storage(allowBlobPublicAccess=False, minimumTlsVersion="TLS1_2", supportsHttpsTrafficOnly=True)
STAMP = Stamp("1.2.3", "0123456789ab")
ENFORCE = Settings(Mode.ENFORCE)


@dataclass
class Tug:
    """A storage account, what the ledger remembers of it, and what was decided when."""

    now: datetime = NOW
    entry: Entry = field(default_factory=lambda: Entry(""))
    live: Resource = field(default_factory=lambda: bodies.resource(STORAGE, SOUND))
    told: list[tuple[datetime, Decision]] = field(default_factory=list)
    records: list[Record] = field(default_factory=list)

    def fight(self, lasts: timedelta, *reverts: JsonObject, every: timedelta = MINUTE) -> None:
        """Somebody writes these properties again and again for so long, and each write is an event."""
        end = self.now + lasts
        while self.now < end:
            for revert in reverts:
                self.write(revert)
            self.now += every

    def write(self, properties: JsonObject) -> list[Decision]:
        """Somebody writes the properties; Airlock looks, fixes what it decides to fix, and records it."""
        changed: JsonObject = {**self.live.body, "properties": {**self._properties(), **properties}}
        before = Resource(self.live.id, STORAGE, changed)
        heard = signal(id=f"event-{len(self.told)}", cause=f"event-{len(self.told)}", time=self.now, received=self.now)
        findings = evaluate(before, CATALOGUE, ENFORCE.baseline)
        decisions = decide(before, findings, Circumstances(ENFORCE, {}, self.entry.history, self.now, ENFORCE.baseline))
        fixes = [decision for decision in decisions if decision.verdict is Verdict.FIX]
        self.live = as_fixed(before, [decision.finding for decision in fixes])
        records = [
            finished(applied(of_fix(heard, STAMP, before, fix, self.now), self.live.body, (), None), self.now)
            for fix in fixes
        ]
        # A wait has one record here, to save time; that it counts for nothing is told below.
        waits = {decision.until for _, decision in self.told}
        records += [
            of_decision(heard, STAMP, before, decision, self.now)
            for decision in decisions
            if decision.verdict is Verdict.CONTESTED and (decision.until is None or decision.until not in waits)
        ]
        self.entry, _ = self.entry.append(records)
        self.records += records
        self.told += [(self.now, decision) for decision in decisions]
        return [*decisions]

    def _properties(self) -> dict[str, Json]:
        known = self.live.body["properties"]
        assert isinstance(known, dict)
        return known

    def fixed(self, rule: str) -> list[int]:
        """The minutes in which the rule was fixed."""
        fixes = [now for now, each in self.told if each.finding.rule_id == rule and each.verdict is Verdict.FIX]
        return [round((now - NOW) / MINUTE) for now in fixes]

    def is_contested(self, rule: str) -> bool:
        """Whether the last word on the rule is that it is contested."""
        last = [each for _, each in self.told if each.finding.rule_id == rule][-1]
        return last.verdict is Verdict.CONTESTED


def waits(minutes: Sequence[int]) -> list[float]:
    """The hours between the fixes."""
    return [(later - earlier) / 60 for earlier, later in pairwise(minutes)]


class TestTugOfWar:
    def test_a_pipeline_that_reverts_every_minute_for_three_days_is_given_way_to(self) -> None:
        tug = Tug()
        tug.fight(3 * DAY, OLD_TLS)
        fixes = tug.fixed(TLS)
        assert fixes[:3] == [0, 1, 2]
        assert waits(fixes[2:]) == [1, 2, 4, 8, 16, 24]
        assert tug.is_contested(TLS)
        contested = [record for record in tug.records if record.outcome is Outcome.CONTESTED]
        assert len(contested) == len(fixes) - 2, "each wait is told"
        assert "claimed by dana@contoso.com" in contested[0].reason
        assert "waits until 2026-11-23 13:02:00Z" in contested[0].reason

    def test_it_goes_on_with_one_fix_a_day(self) -> None:
        tug = Tug()
        tug.fight(12 * DAY, OLD_TLS, every=timedelta(minutes=30))
        assert set(waits(tug.fixed(TLS))[-8:]) == {24}

    def test_another_rule_of_the_same_resource_is_still_fixed(self) -> None:
        tug = Tug()
        tug.fight(timedelta(hours=5), OLD_TLS)
        assert tug.is_contested(TLS)
        decisions = tug.write(PUBLIC)
        assert [(each.finding.rule_id, each.verdict) for each in decisions] == [
            (TLS, Verdict.CONTESTED),
            (BLOBS, Verdict.FIX),
        ]
        assert tug.live.at("properties.allowBlobPublicAccess") is False

    @pytest.mark.parametrize("quiet, is_over", [(47 * HOUR, False), (48 * HOUR, False), (48 * HOUR + MINUTE, True)])
    def test_after_two_quiet_days_a_fix_is_one_like_any_other(self, quiet: timedelta, is_over: bool) -> None:  # noqa: FBT001 - a column
        tug = Tug()
        tug.fight(DAY, OLD_TLS)
        last = tug.fixed(TLS)[-1]
        tug.now = NOW + last * MINUTE + quiet
        # The wait is over in any case; whether the fight is shows in what the next fixes meet.
        begun = len(tug.fixed(TLS))
        tug.fight(10 * MINUTE, OLD_TLS)
        assert len(tug.fixed(TLS)) - begun == (3 if is_over else 1)

    def test_once_released_the_next_fix_is_made_at_once(self) -> None:
        tug = Tug()
        tug.fight(DAY, OLD_TLS)
        assert tug.is_contested(TLS)
        tug.entry = tug.entry.released(BLOBS, ())
        assert [each.verdict for each in tug.write(OLD_TLS)] == [Verdict.CONTESTED], "that was another rule"
        tug.entry = tug.entry.released(TLS, ())
        begun = len(tug.fixed(TLS))
        tug.fight(10 * MINUTE, OLD_TLS)
        assert len(tug.fixed(TLS)) - begun == 3
        assert tug.is_contested(TLS), "a new fight is one"

    def test_reverts_within_the_wait_do_not_prolong_it(self) -> None:
        tug = Tug()
        tug.fight(3 * MINUTE, OLD_TLS)
        tug.fight(58 * MINUTE, OLD_TLS, every=timedelta(seconds=20))
        assert len(tug.fixed(TLS)) == 3
        tug.now = NOW + 62 * MINUTE
        assert [each.verdict for each in tug.write(OLD_TLS)] == [Verdict.FIX]

    def test_a_critical_rule_is_fixed_every_minute_and_told_as_contested(self) -> None:
        tug = Tug()
        tug.fight(4 * HOUR, PUBLIC)
        assert tug.fixed(BLOBS) == list(range(240))
        contested = [record for record in tug.records if record.outcome is Outcome.CONTESTED]
        assert {record.reason_code for record in contested} == {"contested.critical"}
        assert len(contested) == 240 - 3
        assert tug.live.at("properties.allowBlobPublicAccess") is False
        assert "claimed by dana@contoso.com" in contested[-1].reason

    def test_a_fix_once_a_day_is_no_fight(self) -> None:
        tug = Tug()
        tug.fight(20 * DAY, OLD_TLS, every=DAY)
        assert len(tug.fixed(TLS)) == 20

    def test_a_critical_rule_that_is_fought_over_too_makes_no_difference_to_another(self) -> None:
        """A pipeline reverts all that its template says, not one property."""
        tug = Tug()
        tug.fight(10 * HOUR, {**OLD_TLS, **PUBLIC})
        assert len(tug.fixed(BLOBS)) == 600
        assert waits(tug.fixed(TLS)[2:]) == [1, 2, 4]

    def test_only_what_arm_took_counts_as_a_round(self) -> None:
        tug = Tug()
        tug.fight(3 * MINUTE, OLD_TLS)
        history = tug.entry.history
        told = [record for record in tug.records if record.outcome is Outcome.FIXED]
        others = [
            outcome for outcome in Outcome if outcome not in {Outcome.FIXED, Outcome.FIX_UNVERIFIED, Outcome.FAILED}
        ]
        for outcome in others:
            tug.entry, _ = tug.entry.append([Record(time_generated=tug.now, outcome=outcome, rule=told[0].rule)])
        assert tug.entry.history == history
