"""The decision table: every row of verdicts, modes, guards and problems."""

from dataclasses import replace
from datetime import timedelta
from itertools import product

import pytest

from shared.domain.contest import Attempt
from shared.domain.decision import Circumstances, Decision, Verdict, decide, guards_of
from shared.domain.drift import Finding
from shared.domain.guards import NOT_OUR_OWN, Guard
from shared.domain.mode import Mode
from shared.domain.remediation import FixMode
from shared.domain.settings import Operational, Settings
from tests.domain.making import NOW, RULE, finding, resource, rule_in

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
