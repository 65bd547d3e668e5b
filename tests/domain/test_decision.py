"""The decision table: every row of verdicts, modes, guards and problems."""

from dataclasses import replace
from datetime import timedelta
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.change import Change
from shared.domain.contest import Attempt
from shared.domain.decision import Circumstances, Decision, Verdict, decide, guards_of, is_critical, over_budget
from shared.domain.drift import Finding
from shared.domain.guards import NOT_OUR_OWN, Guard
from shared.domain.mode import Mode
from shared.domain.orders import Approval, Hold, fingerprint
from shared.domain.remediation import FixMode, Severity
from shared.domain.settings import Operational, Settings
from tests.domain.making import NOW, RULE, finding, resource, rule_in
from tests.domain.making import decision as decided
from tests.hostile import anything

REFUSES = Guard("refuses", lambda _before, _after, _reads, _baseline: "do this first")
PASSES = Guard("passes", lambda _before, _after, _reads, _baseline: None)
TAG = "airlock-exempt-disable-sftp"
FOUGHT = tuple(Attempt("AIR-900/storage", NOW - timedelta(minutes=minutes)) for minutes in (30, 20, 10))


def judge(
    found: Finding,
    settings: Settings,
    tags: dict[str, str] | None = None,
    history: tuple[Attempt, ...] = (),
) -> tuple[Decision, ...]:
    live = resource({"tags": {**(tags or {})}, "properties": {"isSftpEnabled": True}})
    return decide(live, [found], Circumstances(settings, {}, history, NOW, settings.baseline))


def expected(mode: Mode, kind: FixMode, guarded: bool, problem: bool, fought: bool) -> tuple[Verdict, str] | None:  # noqa: FBT001, PLR0911 # the table, a row for each
    if mode is Mode.OFF:
        return None
    if kind is FixMode.DETECT_ONLY:
        return Verdict.ADVISE, "advise.detect-only"
    if mode is Mode.AUDIT or problem:
        return Verdict.AUDIT, "audit"
    if guarded:
        return Verdict.REFUSED, "guard.refuses"
    if kind is FixMode.APPROVAL:
        return Verdict.NEEDS_APPROVAL, "approval.needed"
    if fought:
        return Verdict.CONTESTED, "contested"
    return Verdict.FIX, "fix"


@pytest.mark.parametrize("fought", [False, True], ids=["calm", "fought"])
@pytest.mark.parametrize("problem", [False, True], ids=["clear", "problem"])
@pytest.mark.parametrize("guarded", [False, True], ids=["open", "guarded"])
@pytest.mark.parametrize("kind", FixMode)
@pytest.mark.parametrize("mode", Mode)
def test_every_row(mode: Mode, kind: FixMode, guarded: bool, problem: bool, fought: bool) -> None:  # noqa: FBT001 # axes
    rule = replace(rule_in(kind), guards=(PASSES, REFUSES) if guarded else (PASSES,))
    settings = Settings(mode, problems=("AIRLOCK_TYPO is not a setting",) if problem else ())
    decisions = judge(finding(rule), settings, history=FOUGHT if fought else ())
    row = expected(mode, kind, guarded, problem, fought)
    assert [(decision.verdict, decision.code) for decision in decisions] == ([row] if row else [])
    for decision in decisions:
        assert decision.reason
        assert (decision.verdict is Verdict.FIX) <= (decision.mode is Mode.ENFORCE)
        assert (decision.until is not None) == (decision.verdict is Verdict.CONTESTED)


@pytest.mark.parametrize("mode, kind", list(product([Mode.AUDIT, Mode.ENFORCE], FixMode)))
def test_an_exemption_that_counts_leaves_it_alone(mode: Mode, kind: FixMode) -> None:
    settings = Settings(mode, operational=Operational(exemption_tags=True))
    (decision,) = judge(finding(rule_in(kind)), settings, {TAG: "2026-12-24 waits for the vendor"}, FOUGHT)
    assert (decision.verdict, decision.code) == (Verdict.EXEMPT, "exempt.tag")
    assert decision.reason == "exempt by tag: 2026-12-24 waits for the vendor"


def test_off_says_nothing_of_exemptions() -> None:
    settings = Settings(Mode.OFF, operational=Operational(exemption_tags=True))
    assert judge(finding(), settings, {TAG: "2026-12-24 waits for the vendor"}) == ()


@pytest.mark.parametrize(
    "text, problem", [("2026-01-01 long ago", "it ended on 2026-01-01"), ("x", "it does not begin")]
)
@pytest.mark.parametrize("kind", FixMode)
@pytest.mark.parametrize("history", [(), FOUGHT], ids=["calm", "fought"])
def test_an_exemption_that_does_not_count_is_told(
    text: str, problem: str, kind: FixMode, history: tuple[Attempt, ...]
) -> None:
    for mode, guards in product([Mode.AUDIT, Mode.ENFORCE], [(), (REFUSES,)]):
        settings = Settings(mode, operational=Operational(exemption_tags=True))
        (decision,) = judge(finding(replace(rule_in(kind), guards=guards)), settings, {TAG: text}, history)
        assert decision.verdict is not Verdict.EXEMPT
        assert f"(its exemption '{text}' does not count: {problem}" in decision.reason


def test_without_exemption_tags_none_counts() -> None:
    (decision,) = judge(finding(), Settings(Mode.ENFORCE), {TAG: "2026-12-24 waits for the vendor"})
    assert decision.verdict is Verdict.FIX
    assert "AIRLOCK_EXEMPTION_TAGS is off" in decision.reason


def test_audit_tells_what_enforcing_would_come_to() -> None:
    guarded = finding(replace(RULE, guards=(REFUSES,)))
    assert judge(guarded, Settings())[0].reason == "audit mode; a fix would be refused: do this first"
    assert judge(finding(), Settings())[0].reason == "audit mode"
    broken = Settings(Mode.ENFORCE, problems=("x",))
    assert judge(finding(), broken)[0].reason == "settings have problems, so nothing enforces"


def test_a_contested_fix_says_until_when() -> None:
    (decision,) = judge(finding(), Settings(Mode.ENFORCE), history=FOUGHT)
    assert decision.until == NOW + timedelta(minutes=50)
    assert decision.reason.startswith("fixed 3 times without lasting")
    assert "waits until 2026-11-23 12:50:00Z" in decision.reason


def test_a_switch_of_the_rule_counts() -> None:
    settings = Settings(Mode.ENFORCE, {"AIRLOCK_DISABLE_SFTP_STORAGE": Mode.AUDIT})
    assert [decision.verdict for decision in judge(finding(), settings)] == [Verdict.AUDIT]


def test_the_first_guard_that_refuses_is_told() -> None:
    other = Guard("other", lambda _before, _after, _reads, _baseline: "do that first")
    (decision,) = judge(finding(replace(RULE, guards=(REFUSES, other))), Settings(Mode.ENFORCE))
    assert (decision.code, decision.reason) == ("guard.refuses", "do this first")


def test_no_rule_has_to_remember_our_own_resources() -> None:
    assert guards_of(finding()) == (NOT_OUR_OWN,)
    assert guards_of(finding(replace(RULE, guards=(PASSES,)))) == (NOT_OUR_OWN, PASSES)
    settings = Settings(Mode.ENFORCE, operational=Operational(own_resources=frozenset({"stmlprodweu"})))
    assert [decision.code for decision in judge(finding(), settings)] == ["guard.not-our-own"]


def test_guards_see_the_resource_as_it_would_be() -> None:
    def sees(before: object, after: object, _reads: object, _baseline: object) -> str | None:
        wanted = resource({"tags": {}, "properties": {"isSftpEnabled": False}})
        return None if (before, after) == (replace(wanted, body=before.body), wanted) else "wrong"  # type: ignore[attr-defined] # a Resource

    (decision,) = judge(finding(replace(RULE, guards=(Guard("sees", sees),))), Settings(Mode.ENFORCE))
    assert decision.verdict is Verdict.FIX


# From here on: what operators said, and what a critical rule is granted.

ID = "AIR-900/storage"
SECOND = timedelta(seconds=1)
HELD = Hold(ID, NOW + timedelta(days=7), "oid")
CALM = Circumstances(Settings(Mode.ENFORCE), {}, (), NOW, Settings().baseline)
FIGHT = replace(CALM, history=FOUGHT)


def approval(found: Finding, **changes: object) -> Approval:
    """A person's word for exactly this fix; `changes` are of the approval."""
    told = Approval(found.rule_id, fingerprint(found.changes), NOW + SECOND, "oid", "f" * 32)
    return replace(told, **changes)  # type: ignore[arg-type] # each test names fields of Approval


def critical(rule: FixMode = FixMode.AUTO) -> Finding:
    """The finding of a rule whose remediation is critical."""
    found = finding(rule_in(rule))
    return replace(found, remediation=replace(found.remediation, severity=Severity.CRITICAL))


def verdicts(found: Finding, given_: Circumstances, tags: dict[str, str] | None = None) -> list[str]:
    """The codes of what is decided about the finding."""
    live = resource({"tags": {**(tags or {})}, "properties": {"isSftpEnabled": True}})
    return [decision.code for decision in decide(live, [found], given_)]


class TestHolds:
    @pytest.mark.parametrize("mode", [Mode.AUDIT, Mode.ENFORCE])
    @pytest.mark.parametrize("guards", [(), (REFUSES,)], ids=["open", "guarded"])
    @pytest.mark.parametrize("kind", [FixMode.AUTO, FixMode.APPROVAL])
    @pytest.mark.parametrize("history", [(), FOUGHT], ids=["calm", "fought"])
    def test_a_hold_comes_before_refusals_approvals_and_fights_and_in_audit_too(
        self, mode: Mode, guards: tuple[Guard, ...], kind: FixMode, history: tuple[Attempt, ...]
    ) -> None:
        found = finding(replace(rule_in(kind), guards=guards))
        given_ = replace(CALM, settings=Settings(mode), history=history, holds=(HELD,), approvals=(approval(found),))
        (told,) = decide(resource({"properties": {"isSftpEnabled": True}}), [found], given_)
        assert (told.verdict, told.code, told.until) == (Verdict.HELD, "held", HELD.until)
        assert told.reason == "held until 2026-11-30 12:00:00Z by oid"

    def test_a_critical_rule_can_be_held_too(self) -> None:
        assert verdicts(critical(), replace(FIGHT, holds=(HELD,))) == ["held"]

    def test_what_nobody_would_fix_is_not_called_held(self) -> None:
        held = replace(CALM, holds=(HELD,))
        assert verdicts(finding(rule_in(FixMode.DETECT_ONLY)), held) == ["advise.detect-only"]
        assert verdicts(finding(), replace(held, settings=Settings(Mode.OFF))) == []
        exempt = Settings(Mode.ENFORCE, operational=Operational(exemption_tags=True))
        assert verdicts(finding(), replace(held, settings=exempt), {TAG: "2026-12-24 waits"}) == ["exempt.tag"]

    def test_a_hold_tells_of_an_exemption_that_does_not_count(self) -> None:
        live = resource({"tags": {TAG: "2026-12-24 waits"}, "properties": {"isSftpEnabled": True}})
        (told,) = decide(live, [finding()], replace(CALM, holds=(HELD,)))
        assert "AIRLOCK_EXEMPTION_TAGS is off" in told.reason

    @pytest.mark.parametrize(
        "hold",
        [replace(HELD, until=NOW), replace(HELD, until=NOW - SECOND), replace(HELD, rule="AIR-901/storage")],
        ids=["just over", "over", "another rule's"],
    )
    def test_what_is_over_or_of_another_rule_holds_nothing(self, hold: Hold) -> None:
        assert verdicts(finding(), replace(CALM, holds=(hold,))) == ["fix"]

    def test_the_longest_of_several_is_told(self) -> None:
        longer = replace(HELD, until=HELD.until + SECOND, by="other")
        for holds in ((HELD, longer), (longer, HELD)):
            (told,) = decide(resource({}), [finding()], replace(CALM, holds=holds))
            assert told.until == longer.until
            assert "by other" in told.reason


class TestCriticalRules:
    def test_a_critical_fix_that_is_fought_over_is_made_and_told(self) -> None:
        fix, told = decide(resource({}), [critical()], FIGHT)
        assert (fix.verdict, fix.code, fix.until) == (Verdict.FIX, "fix", None)
        assert (told.verdict, told.code, told.until) == (Verdict.CONTESTED, "contested.critical", None)
        assert told.finding == fix.finding
        assert "fixed 3 times without lasting" in told.reason
        assert "at once all the same" in told.reason

    def test_whoever_fights_is_told_of_an_exemption_that_does_not_count(self) -> None:
        live = resource({"tags": {TAG: "2026-12-24 waits"}})
        assert all("AIRLOCK_EXEMPTION_TAGS is off" in told.reason for told in decide(live, [critical()], FIGHT))

    def test_calm_a_critical_fix_is_one_like_any_other(self) -> None:
        assert verdicts(critical(), CALM) == ["fix"]

    @pytest.mark.parametrize("severity", Severity)
    def test_no_other_severity_is_granted_that(self, severity: Severity) -> None:
        found = replace(finding(), remediation=replace(finding().remediation, severity=severity))
        is_told = severity is Severity.CRITICAL
        assert verdicts(found, FIGHT) == (["fix", "contested.critical"] if is_told else ["contested"])
        assert is_critical(decided(found=found)) is is_told

    def test_in_audit_nobody_fights(self) -> None:
        assert verdicts(critical(), replace(FIGHT, settings=Settings())) == ["audit"]

    def test_a_critical_fix_that_needs_a_person_waits_for_one_all_the_same(self) -> None:
        assert verdicts(critical(FixMode.APPROVAL), FIGHT) == ["approval.needed"]

    def test_every_finding_has_its_own_fight(self) -> None:
        other = replace(finding(), remediation=replace(finding().remediation, ref="AIR-901"))
        told = decide(resource({}), [finding(), other, critical()], FIGHT)
        assert [(each.finding.rule_id, each.code) for each in told] == [
            (ID, "contested"),
            ("AIR-901/storage", "fix"),
            (ID, "fix"),
            (ID, "contested.critical"),
        ]


class TestApprovals:
    @pytest.mark.parametrize("kind, needs", [(FixMode.APPROVAL, False), (FixMode.AUTO, True), (FixMode.APPROVAL, True)])
    def test_a_person_s_word_lets_the_fix_through(self, kind: FixMode, needs: bool) -> None:  # noqa: FBT001 - a column
        found = finding(rule_in(kind))
        word = approval(found)
        given_ = replace(CALM, needs_approval=needs)
        assert verdicts(found, given_) == ["approval.needed"]
        (told,) = decide(resource({}), [found], replace(given_, approvals=(word,)))
        assert (told.verdict, told.approval, told.until) == (Verdict.FIX, word, None)

    def test_without_need_for_one_none_is_used(self) -> None:
        (told,) = decide(resource({}), [finding()], replace(CALM, approvals=(approval(finding()),)))
        assert (told.verdict, told.approval) == (Verdict.FIX, None)

    def test_what_a_person_approved_does_not_wait_for_a_fight_to_end(self) -> None:
        found = finding(rule_in(FixMode.APPROVAL))
        assert verdicts(found, replace(FIGHT, approvals=(approval(found),))) == ["fix"]

    def test_no_word_opens_a_guard_or_turns_audit_into_enforce(self) -> None:
        found = finding(replace(rule_in(FixMode.APPROVAL), guards=(REFUSES,)))
        given_ = replace(CALM, approvals=(approval(found),))
        assert verdicts(found, given_) == ["guard.refuses"]
        assert verdicts(found, replace(given_, settings=Settings())) == ["audit"]
        assert verdicts(found, replace(given_, settings=Settings(Mode.ENFORCE, problems=("x",)))) == ["audit"]

    @pytest.mark.parametrize(
        "changes",
        [{"until": NOW}, {"until": NOW - SECOND}, {"rule": "AIR-901/storage"}, {"wanted": fingerprint([])}],
        ids=["just over", "over", "another rule's", "other values"],
    )
    def test_what_is_over_or_for_something_else_lets_nothing_through(self, changes: dict[str, object]) -> None:
        found = finding(rule_in(FixMode.APPROVAL))
        assert verdicts(found, replace(CALM, approvals=(approval(found, **changes),))) == ["approval.needed"]

    @given(
        st.lists(
            st.builds(Change, st.sampled_from(["properties.a", "properties.b.c"]), anything, anything), max_size=2
        ),
        st.lists(
            st.builds(Change, st.sampled_from(["properties.a", "properties.b.c"]), anything, anything), max_size=2
        ),
    )
    def test_exactly_the_approved_values_come_through(self, approved: list[Change], found: list[Change]) -> None:
        rule = rule_in(FixMode.APPROVAL)
        one, two = replace(finding(rule), changes=tuple(approved)), replace(finding(rule), changes=tuple(found))
        let = verdicts(two, replace(CALM, approvals=(approval(one),))) == ["fix"]
        assert let is (fingerprint(approved) == fingerprint(found))


def test_what_is_over_budget_waits_for_the_next_hour() -> None:
    until = NOW + timedelta(minutes=62)
    fix = replace(decided(), approval=approval(finding()))
    told = over_budget(fix, 100, until)
    assert (told.verdict, told.code, told.until) == (Verdict.OVER_BUDGET, "over-budget", until)
    assert told.reason == (
        "100 fixes were begun in this subscription within the hour; the next ones wait until 2026-11-23 13:02:00Z"
    )
    assert (told.finding, told.mode) == (fix.finding, fix.mode)
