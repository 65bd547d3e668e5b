"""What a fix replaced is put back exactly, or not at all."""

import json
from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.body import Json, JsonObject, at
from shared.domain.catalogue import Catalogue
from shared.domain.change import Change
from shared.domain.decision import Decision, Verdict
from shared.domain.drift import Finding, as_fixed, evaluate
from shared.domain.failure import Cause
from shared.domain.fix import merge
from shared.domain.mode import Mode
from shared.domain.orders import Undo, changes_of
from shared.domain.resource import Resource
from shared.domain.resource_types import COGNITIVE_ACCOUNTS, RESOURCE_TYPES, SEARCH, STORAGE, ResourceType
from shared.domain.settings import Settings
from shared.domain.undo import UNDO, rule_of, take_back
from tests.domain.making import CATALOGUE as SFTP
from tests.domain.making import RULE, remediation, resource
from tests.domain.test_incident import CATALOGUE, settings_of
from tests.hostile import mutated
from tests.remediations import bodies

RECORD = "f" * 32
ENFORCE = settings_of()
OPEN: Mapping[ResourceType, JsonObject] = {
    kind: bodies.raw(kind, absent=("networkAcls", "networkRuleSet", "publicNetworkAccess", "disableLocalAuth"))
    for kind in RESOURCE_TYPES
}
SFTP_ON = Change("properties.isSftpEnabled", actual=True, desired=False)


def order(rule: str, *changes: Change) -> Undo:
    """The order to take back a fix, as the ledger gives it back."""
    column: list[Json] = [change.as_json() for change in changes]
    return Undo(rule, changes_of(json.loads(json.dumps(column))), RECORD, "oid", "request-1")


def sftp(told: object, *changes: Change, settings: Settings | None = None) -> Decision | Cause:
    """What becomes of the order to turn SFTP on again, or to take back those changes, where SFTP is as told."""
    live = resource({"properties": {"isSftpEnabled": told}})  # type: ignore[dict-item] # JSON all the same
    return take_back(order("AIR-900/storage", *(changes or (SFTP_ON,))), live, SFTP, settings or Settings(Mode.ENFORCE))


def back(live: Resource, found: Decision | Cause) -> Resource:
    """The resource as the undo leaves it."""
    assert isinstance(found, Decision)
    return as_fixed(live, [found.finding])


def assert_restored(before: Resource, finding: Finding) -> None:
    """Asserts that the finding can be fixed and taken back, every path byte for byte, and that it is found again."""
    live = as_fixed(before, [finding])
    found = take_back(order(finding.rule_id, *finding.changes), live, CATALOGUE, ENFORCE)
    assert isinstance(found, Decision)
    restored = back(live, found)
    for change in finding.changes:
        default = at(finding.rule.defaults, change.path)
        assert json.dumps(restored.at(change.path)) == json.dumps(default if change.actual is None else change.actual)
    again = take_back(order(finding.rule_id, *finding.changes), restored, CATALOGUE, ENFORCE)
    assert isinstance(again, Decision)
    assert again.finding.changes == ()
    if found.finding.changes:
        request = merge(live, (found,))
        assert (request.mode, request.rules) == (Mode.ENFORCE, (finding.rule_id,))
        for change in found.finding.changes:
            assert json.dumps(at(request.body, change.path)) == json.dumps(change.desired)


@pytest.mark.parametrize("kind", RESOURCE_TYPES, ids=lambda kind: kind.slug)
@pytest.mark.parametrize("form", [bodies.raw, lambda kind: OPEN[kind]], ids=["as made", "with much left out"])
def test_every_fix_of_the_catalogue_can_be_taken_back(kind: ResourceType, form: object) -> None:
    before = bodies.resource(kind, form(kind))  # type: ignore[operator] # a column of functions
    for finding in evaluate(before, CATALOGUE, ENFORCE.baseline):
        assert_restored(before, finding)


@pytest.mark.parametrize("kind", RESOURCE_TYPES, ids=lambda kind: kind.slug)
def test_there_is_a_default_for_whatever_a_fix_adds(kind: ResourceType) -> None:
    before = bodies.resource(kind, OPEN[kind])
    added = [
        (finding.rule_id, change.path)
        for finding in evaluate(before, CATALOGUE, ENFORCE.baseline)
        for change in finding.changes
        if change.actual is None and at(finding.rule.defaults, change.path) is None
    ]
    assert added == []


def test_there_is_something_to_take_back_for_every_remediation_but_what_is_sound_as_made() -> None:
    found = {
        finding.remediation.name
        for kind in RESOURCE_TYPES
        for finding in evaluate(bodies.resource(kind, OPEN[kind]), CATALOGUE, ENFORCE.baseline)
    }
    sound = {"harden-content-filters", "restrict-network-rules", "enforce-tls", "disallow-blob-public-access"}
    assert found >= {each.name for each in CATALOGUE.remediations} - sound


@given(
    st.sampled_from(RESOURCE_TYPES).flatmap(
        lambda kind: st.tuples(st.just(kind), mutated([bodies.raw(kind), OPEN[kind]]))
    )
)
def test_any_body_that_is_fixed_can_be_taken_back(told: tuple[ResourceType, JsonObject]) -> None:
    kind, body = told
    before = bodies.resource(kind, body)
    for finding in evaluate(before, CATALOGUE, ENFORCE.baseline):
        assert_restored(before, finding)


def test_a_value_that_was_absent_becomes_the_explicit_default() -> None:
    before = bodies.resource(STORAGE, bodies.storage(absent=("allowBlobPublicAccess",)))
    finding = next(each for each in evaluate(before, CATALOGUE, ENFORCE.baseline) if each.remediation.ref == "AIR-005")
    live = as_fixed(before, [finding])
    found = take_back(order("AIR-005/storage", *finding.changes), live, CATALOGUE, ENFORCE)
    assert isinstance(found, Decision)
    assert found.finding.changes == (Change("properties.allowBlobPublicAccess", actual=False, desired=True),)


def test_the_decision_says_what_it_takes_back_and_who_ordered_it() -> None:
    found = sftp(False)
    assert isinstance(found, Decision)
    assert found.finding.changes == (Change("properties.isSftpEnabled", actual=False, desired=True),)
    assert (found.verdict, found.code, found.mode) == (Verdict.FIX, UNDO, Mode.ENFORCE)
    assert found.finding.rule_id == "AIR-900/storage"
    assert "ordered by oid" in found.reason


@pytest.mark.parametrize("live", [True, "true", 1, "True"])
def test_what_is_as_it_was_needs_no_write(live: object) -> None:
    found = sftp(live)
    assert isinstance(found, Decision)
    assert found.finding.changes == ()


@pytest.mark.parametrize("live", ["maybe", None, 7, {}, []])
def test_what_somebody_changed_since_is_left_to_a_person(live: object) -> None:
    found = sftp(live)
    assert isinstance(found, Cause)
    assert found.code == "undo.changed-since"
    assert "properties.isSftpEnabled" in found.text


def test_a_value_is_the_fixed_one_however_it_is_spelt() -> None:
    found = sftp("FALSE")
    assert isinstance(found, Decision)
    assert found.finding.changes == (Change("properties.isSftpEnabled", "FALSE", desired=True),)


PUBLIC = Change("properties.publicNetworkAccess", "Enabled", "Disabled")
RULES = Change("properties.networkAcls.defaultAction", None, "Deny")


@pytest.mark.parametrize(
    "access, action, paths",
    [
        ("Disabled", "Deny", [PUBLIC.path, RULES.path]),
        # Somebody put one of them back already: the other is left to do.
        ("Enabled", "Deny", [RULES.path]),
        ("Disabled", "Allow", [PUBLIC.path]),
        ("Enabled", "Allow", []),
        # One that is a third value stops all.
        ("SecuredByPerimeter", "Deny", None),
        ("SecuredByPerimeter", "Allow", None),
    ],
)
def test_all_of_it_is_put_back_or_nothing(access: str, action: str, paths: list[str] | None) -> None:
    defaults: JsonObject = {"properties": {"publicNetworkAccess": "Enabled", "networkAcls": {"defaultAction": "Allow"}}}
    known = Catalogue((remediation(rules=(replace(RULE, defaults=defaults),)),))
    live = resource({"properties": {"publicNetworkAccess": access, "networkAcls": {"defaultAction": action}}})
    found = take_back(order("AIR-900/storage", PUBLIC, RULES), live, known, Settings(Mode.ENFORCE))
    if paths is None:
        assert isinstance(found, Cause)
        assert found.code == "undo.changed-since"
        return
    assert isinstance(found, Decision)
    assert [change.path for change in found.finding.changes] == paths


@pytest.mark.parametrize(
    "settings",
    [
        Settings(Mode.AUDIT),
        Settings(Mode.OFF),
        Settings(Mode.ENFORCE, problems=("AIRLOCK_TYPO is not a setting",)),
        Settings(Mode.ENFORCE, {"AIRLOCK_DISABLE_SFTP": Mode.AUDIT}),
        Settings(Mode.ENFORCE, {"AIRLOCK_DISABLE_SFTP_STORAGE": Mode.OFF}),
    ],
)
@pytest.mark.parametrize("live", [False, True, "maybe"])
def test_where_nothing_is_enforced_nothing_is_taken_back(settings: Settings, live: object) -> None:
    found = sftp(live, settings=settings)
    assert isinstance(found, Cause)
    assert found.code == "undo.mode"
    assert "by hand" in found.text


def test_a_rule_may_be_enforced_where_the_others_are_not() -> None:
    settings = Settings(Mode.AUDIT, {"AIRLOCK_DISABLE_SFTP_STORAGE": Mode.ENFORCE})
    assert isinstance(sftp(False, settings=settings), Decision)


@pytest.mark.parametrize("rule", ["AIR-901/storage", "AIR-900/search", "AIR-900", "", "air-900/storage"])
@pytest.mark.parametrize("mode", Mode)
def test_a_rule_that_is_gone_cannot_be_taken_back(rule: str, mode: Mode) -> None:
    live = resource({"properties": {"isSftpEnabled": False}})
    found = take_back(order(rule, SFTP_ON), live, SFTP, Settings(mode))
    assert isinstance(found, Cause)
    assert found.code == "undo.unknown-rule"


def test_a_rule_of_another_type_is_none_of_the_resource_s() -> None:
    assert rule_of("AIR-900/storage", STORAGE, SFTP) == (SFTP.remediations[0], RULE)
    assert rule_of("AIR-900/storage", SEARCH, SFTP) is None
    assert rule_of("AIR-900/storage", STORAGE, Catalogue(())) is None


@pytest.mark.parametrize("kind", RESOURCE_TYPES, ids=lambda kind: kind.slug)
def test_every_rule_is_found_by_its_id(kind: ResourceType) -> None:
    for told, rule in CATALOGUE.rules(kind):
        assert rule_of(told.rule_id(rule), kind, CATALOGUE) == (told, rule)


@pytest.mark.parametrize("path", ["properties.other", "tags.owner", "identity", "", "properties.isSftpEnabled.x"])
def test_what_the_rule_never_sets_is_not_written(path: str) -> None:
    """Whoever could forge a record must not have us write what he likes."""
    live = resource({"properties": {"isSftpEnabled": False, "other": 2}, "tags": {"owner": "x"}})
    for changes in ([Change(path, 1, live.at(path))], [SFTP_ON, Change(path, 1, live.at(path))]):
        found = take_back(order("AIR-900/storage", *changes), live, SFTP, Settings(Mode.ENFORCE))
        assert isinstance(found, Cause)
        assert found.code == "undo.foreign-path"


def test_an_order_without_changes_takes_nothing_back() -> None:
    live = bodies.resource(COGNITIVE_ACCOUNTS, bodies.account())
    found = take_back(order("AIR-001/cognitive-accounts"), live, CATALOGUE, ENFORCE)
    assert isinstance(found, Decision)
    assert back(live, found) == live
