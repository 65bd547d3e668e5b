"""The baseline while an incident is answered: stricter where its row says so, and never looser but where asked for."""

from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.baseline import Baseline
from shared.domain.body import Json, JsonObject
from shared.domain.containment import contained, is_pre_approved
from shared.domain.drift import evaluate
from shared.domain.incident import Incident
from shared.domain.resource import Resource
from shared.domain.resource_types import COGNITIVE_ACCOUNTS, STORAGE
from tests.domain.test_incident import CATALOGUE, incident, leak, tagged
from tests.engine.alerts import TOR, USER_AGENT
from tests.remediations import bodies

CLOSE, DENY, KEYLESS = "disable-public-network-access", "restrict-network-rules", "disable-local-authentication"
BASELINE = Baseline(min_ipv4_prefix=16, protected=frozenset({"stairlock"}))
HOSTILE = "203.0.113.7"
ACCOUNT = bodies.resource(COGNITIVE_ACCOUNTS, bodies.account())
AUTO = tagged(ACCOUNT, airlock_containment="auto")


def with_row(*contain: str, on_approval: tuple[str, ...] = (), auto: tuple[str, ...] = ()) -> Incident:
    """An alert with a hostile address whose row contains these."""
    told = incident(dict(ACCOUNT.body), addresses=(HOSTILE,))
    return replace(told, row=replace(told.row, contain=contain, contain_on_approval=on_approval, auto_when_tagged=auto))


@pytest.mark.parametrize(
    "tags, approved",
    [
        ({"airlock-containment": "auto"}, True),
        ({"AIRLOCK-Containment": "AUTO"}, True),
        ({"airlock-containment": "Auto", "airlock": "protect"}, True),
        ({"airlock-containment": "auto "}, False),
        ({"airlock-containment": ""}, False),
        ({"airlock-containment": "true"}, False),
        ({"airlock-containment": True}, False),
        ({"airlock_containment": "auto"}, False),
        ({"airlock": "auto"}, False),
        ({}, False),
    ],
)
def test_an_owner_s_standing_approval_is_that_tag_alone(tags: JsonObject, approved: bool) -> None:  # noqa: FBT001 - a column
    body = bodies.account({"tags": tags})
    assert is_pre_approved(bodies.resource(COGNITIVE_ACCOUNTS, body)) is approved


@pytest.mark.parametrize("tags", [None, [], "auto", {"airlock-containment": ["auto"]}])
def test_tags_that_are_none_approve_nothing(tags: Json) -> None:
    assert not is_pre_approved(bodies.resource(COGNITIVE_ACCOUNTS, bodies.account({"tags": tags})))


@pytest.mark.parametrize(
    "told, resource, approved, changes",
    [
        (with_row(), ACCOUNT, False, {}),
        (with_row(CLOSE), ACCOUNT, False, {"allow_lists": False}),
        (with_row(DENY), ACCOUNT, False, {"hostile": frozenset({HOSTILE})}),
        (with_row(CLOSE, DENY), ACCOUNT, False, {"allow_lists": False, "hostile": frozenset({HOSTILE})}),
        (with_row(KEYLESS), ACCOUNT, False, {}),
        # What needs approval changes nothing until it is there.
        (with_row(on_approval=(CLOSE, DENY)), ACCOUNT, False, {}),
        (
            with_row(on_approval=(CLOSE, DENY)),
            ACCOUNT,
            True,
            {"allow_lists": False, "hostile": frozenset({HOSTILE})},
        ),
        (with_row(CLOSE, on_approval=(DENY,)), ACCOUNT, False, {"allow_lists": False}),
        # The owner's tag lets a resource be closed that nobody could reach afterwards, and only where it is closed.
        (with_row(CLOSE), AUTO, False, {"allow_lists": False, "allow_isolation": True}),
        (with_row(DENY), AUTO, False, {"hostile": frozenset({HOSTILE})}),
        (with_row(), AUTO, False, {}),
        (with_row(on_approval=(CLOSE,)), AUTO, False, {}),
    ],
)
def test_what_becomes_stricter(
    told: Incident,
    resource: Resource,
    approved: bool,  # noqa: FBT001 - a column
    changes: Mapping[str, object],
) -> None:
    assert contained(BASELINE, resource, told, approved=approved) == replace(BASELINE, **changes)  # type: ignore[arg-type] # fields of Baseline


def test_hostile_addresses_add_up() -> None:
    before = replace(BASELINE, hostile=frozenset({"198.51.100.1"}))
    assert contained(before, ACCOUNT, with_row(DENY)).hostile == {"198.51.100.1", HOSTILE}


def test_an_exposed_key_has_no_addresses() -> None:
    told = leak()
    strict = contained(BASELINE, ACCOUNT, replace(told, row=replace(told.row, contain=(DENY,))))
    assert strict == BASELINE


def test_choices_of_the_settings_stay() -> None:
    chosen = Baseline(allow_lists=False, allow_isolation=True, min_ipv4_prefix=24)
    assert contained(chosen, ACCOUNT, with_row(CLOSE)) == chosen


@given(
    st.builds(Baseline, st.booleans(), st.booleans(), st.integers(1, 32)),
    st.lists(st.sampled_from([CLOSE, DENY, KEYLESS]), unique=True),
    st.lists(st.sampled_from([CLOSE, DENY, KEYLESS]), unique=True),
    st.booleans(),
)
def test_containment_only_ever_narrows(
    baseline: Baseline,
    contain: list[str],
    on_approval: list[str],
    approved: bool,  # noqa: FBT001 - one of the axes
) -> None:
    told = with_row(*contain, on_approval=tuple(on_approval))
    strict = contained(baseline, ACCOUNT, told, approved=approved)
    assert strict.allow_lists <= baseline.allow_lists
    assert strict.hostile >= baseline.hostile
    assert (strict.allow_isolation, strict.min_ipv4_prefix, strict.protected) == (
        baseline.allow_isolation,
        baseline.min_ipv4_prefix,
        baseline.protected,
    )
    assert contained(strict, ACCOUNT, told, approved=approved) == strict


@pytest.mark.parametrize(
    "allowed, found",
    [(("192.0.2.0/24",), {CLOSE}), (("203.0.113.0/24",), {CLOSE, DENY}), ((HOSTILE,), {CLOSE, DENY})],
)
def test_rules_find_what_the_real_map_contains(allowed: tuple[str, ...], found: set[str]) -> None:
    """From the raw body and alert to findings: an allow-list that was good enough in peace is not any more."""
    acls = bodies.acls("Deny", *allowed)
    body = bodies.account(networkAcls=acls, publicNetworkAccess="Enabled", disableLocalAuth=True)
    resource = bodies.resource(COGNITIVE_ACCOUNTS, body)
    told = incident(dict(body), kind=TOR, addresses=(HOSTILE,))
    strict = contained(BASELINE, resource, told)
    assert not {each.remediation.name for each in evaluate(resource, CATALOGUE, BASELINE)} & {CLOSE, DENY}
    assert {each.remediation.name for each in evaluate(resource, CATALOGUE, strict)} & {CLOSE, DENY} == found


def test_what_the_map_leaves_to_a_person_is_not_done_by_itself() -> None:
    told = incident(dict(ACCOUNT.body), kind=USER_AGENT)
    assert told.row.contain_on_approval == (CLOSE,)
    assert contained(BASELINE, ACCOUNT, told) == BASELINE
    assert contained(BASELINE, ACCOUNT, told, approved=True) == replace(BASELINE, allow_lists=False)


def test_other_types_are_contained_alike() -> None:
    storage = bodies.resource(STORAGE, bodies.storage())
    assert contained(BASELINE, storage, with_row(CLOSE)) == replace(BASELINE, allow_lists=False)
