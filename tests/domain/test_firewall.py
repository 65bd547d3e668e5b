"""Network rules, whichever shape their type gives them."""

import pytest

from shared.domain import firewall
from shared.domain.baseline import Baseline
from shared.domain.body import Json, JsonObject
from shared.domain.resource_types import COGNITIVE_ACCOUNTS, ML_WORKSPACES, SEARCH, STORAGE, ResourceType
from tests.domain.making import resource

NARROW: JsonObject = {"value": "203.0.113.0/24"}


@pytest.mark.parametrize(
    "access, closed",
    [
        ("Disabled", True),
        ("disabled", True),
        ("SecuredByPerimeter", True),
        ("securedByPerimeter", True),
        ("Enabled", False),
        ("", False),
        (None, False),
        (False, False),
        (["Disabled"], False),
    ],
)
def test_is_closed(access: Json, closed: bool) -> None:  # noqa: FBT001 # a column of the table
    assert firewall.is_closed(resource({"properties": {"publicNetworkAccess": access}})) is closed


@pytest.mark.parametrize(
    "kind, path, found",
    [
        (COGNITIVE_ACCOUNTS, "networkAcls", True),
        (STORAGE, "networkAcls", True),
        (SEARCH, "networkRuleSet", True),
        (SEARCH, "networkAcls", False),
        (ML_WORKSPACES, "networkAcls", False),
    ],
)
def test_where_rules_stand(kind: ResourceType, path: str, found: bool) -> None:  # noqa: FBT001 # a column of the table
    live = resource({"properties": {path: {"ipRules": [NARROW]}}}, kind)
    assert firewall.ip_rules(live) == ([NARROW] if found else [])
    assert bool(firewall.rules(live)) is found


@pytest.mark.parametrize(
    "kind, rules, lets_in, denies",
    [
        (STORAGE, {}, False, False),
        (STORAGE, {"defaultAction": "Deny"}, False, True),
        (STORAGE, {"defaultAction": "deny", "ipRules": []}, False, True),
        (STORAGE, {"defaultAction": "Allow", "ipRules": [NARROW]}, True, False),
        (STORAGE, {"defaultAction": None, "ipRules": [NARROW]}, True, False),
        (STORAGE, {"ipRules": [NARROW]}, True, False),
        (STORAGE, {"virtualNetworkRules": [{"id": "x"}]}, True, False),
        (STORAGE, {"resourceAccessRules": [{"resourceId": "x"}]}, True, False),
        (STORAGE, {"ipRules": {"value": "x"}}, False, False),
        (STORAGE, None, False, False),
        (SEARCH, {"ipRules": [NARROW]}, True, True),
        (SEARCH, {"ipRules": []}, False, False),
        (SEARCH, None, False, False),
        (ML_WORKSPACES, {"ipRules": [NARROW]}, False, False),
    ],
)
def test_who_comes_in(kind: ResourceType, rules: Json, lets_in: bool, denies: bool) -> None:  # noqa: FBT001 # columns
    live = resource({"properties": {"networkAcls": rules, "networkRuleSet": rules}}, kind)
    assert firewall.lets_someone_in(live) is lets_in
    assert firewall.denies_the_rest(live) is denies


def test_wide_ranges() -> None:
    live = resource({"properties": {"networkAcls": {"ipRules": [NARROW, {"value": "0.0.0.0/0"}, {}, None]}}})
    assert firewall.wide_ranges(live, Baseline()) == {"0.0.0.0/0", ""}
    assert firewall.wide_ranges(live, Baseline(min_ipv4_prefix=25)) == {"0.0.0.0/0", "", "203.0.113.0/24"}


HOSTILE = Baseline(hostile=frozenset({"198.51.100.7", "2001:db8::7"}))


@pytest.mark.parametrize(
    "ranges, kept",
    [
        (["203.0.113.0/24"], ["203.0.113.0/24"]),
        (["198.51.100.0/24", "203.0.113.0/24"], ["203.0.113.0/24"]),
        (["203.0.113.0/24", "0.0.0.0/0", "2001:db8::/48", "192.0.2.1"], ["203.0.113.0/24", "192.0.2.1"]),
        (["198.51.100.7"], []),
        (["everyone"], []),
        # Without the hostile one they were less than half of the internet: an attack is no reason to let more in.
        ([*(f"{first}.0.0.0/8" for first in range(127)), "198.0.0.0/8"], []),
        ([], []),
    ],
)
@pytest.mark.parametrize(
    "kind, path", [(COGNITIVE_ACCOUNTS, "networkAcls"), (STORAGE, "networkAcls"), (SEARCH, "networkRuleSet")]
)
def test_kept_rules(ranges: list[str], kept: list[str], kind: ResourceType, path: str) -> None:
    named: list[Json] = [{"value": text, "action": "Allow"} for text in ranges]
    live = resource({"properties": {path: {"bypass": "None", "ipRules": named}}}, kind)
    rules: list[Json] = [{"value": text, "action": "Allow"} for text in kept]
    assert firewall.kept_rules(live, HOSTILE) == rules
    assert firewall.cleared(live, HOSTILE).body == {"properties": {path: {"bypass": "None", "ipRules": rules}}}


@pytest.mark.parametrize("kind", [STORAGE, SEARCH, ML_WORKSPACES])
def test_nothing_to_clear(kind: ResourceType) -> None:
    live = resource({"properties": {"networkAcls": None}}, kind)
    assert firewall.kept_rules(live, HOSTILE) == []
    assert firewall.cleared(live, HOSTILE) == live


def test_denying_names_the_rules_only_where_one_goes() -> None:
    live = resource({"properties": {"networkAcls": {"ipRules": [NARROW, {"value": "198.51.100.7"}]}}})
    assert firewall.denying(live, Baseline()) == {"defaultAction": "Deny"}
    assert firewall.denying(live, HOSTILE) == {"defaultAction": "Deny", "ipRules": [NARROW]}


@pytest.mark.parametrize(
    "rule, value", [(NARROW, "203.0.113.0/24"), ({}, ""), (None, ""), ({"value": 7}, ""), ("x", "")]
)
def test_ip_value(rule: Json, value: str) -> None:
    assert firewall.ip_value(rule) == value
