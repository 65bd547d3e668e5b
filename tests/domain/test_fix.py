"""From decisions to one request."""

import copy

import pytest

from shared.domain.arm_id import parse_arm_id
from shared.domain.body import Json, JsonObject
from shared.domain.change import Change
from shared.domain.fix import merge
from shared.domain.mode import Mode
from shared.domain.permit import Permit
from shared.domain.resource import Resource
from shared.domain.resource_types import COGNITIVE_ACCOUNTS, RAI_POLICIES, SEARCH, STORAGE, ResourceType
from tests.domain.making import RULE, decision, finding, resource

RULES: JsonObject = {
    "bypass": "AzureServices",
    "defaultAction": "Allow",
    "ipRules": [{"value": "203.0.113.7"}],
    "virtualNetworkRules": [{"id": "subnet"}],
}
DENY = Change("properties.networkAcls.defaultAction", "Allow", "Deny")
CLOSE = Change("properties.publicNetworkAccess", "Enabled", "Disabled")
BODY: JsonObject = {"etag": 'W/"1"', "properties": {"publicNetworkAccess": "Enabled", "networkAcls": RULES, "other": 1}}


def test_what_is_replaced_as_a_whole_is_sent_as_a_whole() -> None:
    fix = merge(resource(BODY), [decision(found=finding(RULE, DENY))])
    assert fix.body == {"properties": {"networkAcls": {**RULES, "defaultAction": "Deny"}}}


def test_what_is_merged_is_sent_alone() -> None:
    assert merge(resource(BODY), [decision(found=finding(RULE, CLOSE))]).body == {
        "properties": {"publicNetworkAccess": "Disabled"}
    }


def test_all_findings_are_one_request() -> None:
    lists = Change("properties.networkAcls.ipRules", [{"value": "0.0.0.0/0"}], [])
    fix = merge(resource(BODY), [decision(found=finding(RULE, DENY)), decision(found=finding(RULE, CLOSE, lists))])
    assert fix.body == {
        "properties": {
            "publicNetworkAccess": "Disabled",
            "networkAcls": {**RULES, "defaultAction": "Deny", "ipRules": []},
        }
    }
    assert fix.rules == ("AIR-900/storage", "AIR-900/storage")


def test_a_null_is_sent_as_null() -> None:
    live = resource({"properties": {"authOptions": {"apiKeyOnly": {}}}}, SEARCH)
    fix = merge(live, [decision(found=finding(RULE, Change("properties.authOptions", {"apiKeyOnly": {}}, None)))])
    assert fix.body == {"properties": {"authOptions": None}}


@pytest.mark.parametrize("rules", [None, {}, "x", []])
def test_rules_that_are_not_there_add_nothing(rules: object) -> None:
    live = resource({"properties": {"networkAcls": rules}})  # type: ignore[dict-item] # any JSON
    fix = merge(live, [decision(found=finding(RULE, DENY))])
    assert fix.body == {"properties": {"networkAcls": {"defaultAction": "Deny"}}}


@pytest.mark.parametrize(
    "kind, body, etag",
    [
        (COGNITIVE_ACCOUNTS, BODY, 'W/"1"'),
        (COGNITIVE_ACCOUNTS, {"etag": ""}, None),
        (COGNITIVE_ACCOUNTS, {"etag": None}, None),
        (COGNITIVE_ACCOUNTS, {"etag": 5}, None),
        (COGNITIVE_ACCOUNTS, {}, None),
        (STORAGE, BODY, None),
    ],
)
def test_if_match(kind: ResourceType, body: JsonObject, etag: str | None) -> None:
    assert merge(resource(body, kind), [decision(found=finding(RULE, CLOSE))]).if_match == etag


@pytest.mark.parametrize(
    "modes, mode",
    [
        ([Mode.ENFORCE], Mode.ENFORCE),
        ([Mode.ENFORCE, Mode.ENFORCE], Mode.ENFORCE),
        ([Mode.ENFORCE, Mode.AUDIT], Mode.AUDIT),
        ([Mode.AUDIT], Mode.AUDIT),
        ([Mode.OFF], Mode.AUDIT),
        ([], Mode.AUDIT),
    ],
)
def test_only_what_is_all_enforced_is_enforced(modes: list[Mode], mode: Mode) -> None:
    assert merge(resource(BODY), [decision(mode=each) for each in modes]).mode is mode


def test_the_request_goes_where_the_resource_is() -> None:
    live = resource(BODY)
    fix = merge(live, [decision()])
    permit: Permit = fix
    assert (fix.target, fix.api_version) == (live.id, STORAGE.api_version)
    assert (permit.mode, permit.method, permit.path) == (Mode.ENFORCE, "PATCH", live.id.path)


def test_the_live_body_is_not_touched() -> None:
    kept = copy.deepcopy(BODY)
    merge(resource(BODY), [decision(found=finding(RULE, DENY))])
    assert kept == BODY


POLICY: JsonObject = {
    "id": "i",
    "name": "n",
    "type": "t",
    "etag": 'W/"1"',
    "systemData": {"createdBy": "dana@contoso.com"},
    "tags": {"type": "stays"},
    "properties": {"type": "UserManaged", "mode": "Deferred", "other": {"type": 1}, "nothing": None},
}
POLICY_ID = parse_arm_id("/subscriptions/s/providers/Microsoft.CognitiveServices/accounts/a/raiPolicies/strict")
SYNCHRONOUS = Change("properties.mode", "Deferred", "Default")
FILTERS = Change("properties.contentFilters", None, [{"name": "Jailbreak"}])


def test_what_is_written_by_put_is_the_live_body_without_what_is_read_only() -> None:
    kept = copy.deepcopy(POLICY)
    found = [decision(found=finding(RULE, SYNCHRONOUS)), decision(found=finding(RULE, FILTERS))]
    fix = merge(Resource(POLICY_ID, RAI_POLICIES, POLICY), found)
    # This provider shows an ETag and takes no If-Match.
    assert (fix.method, fix.path, fix.if_match) == ("PUT", POLICY_ID.path, "*")
    assert fix.body == {
        "tags": {"type": "stays"},
        "properties": {
            "mode": "Default",
            "other": {"type": 1},
            "nothing": None,
            "contentFilters": [{"name": "Jailbreak"}],
        },
    }
    assert kept == POLICY


@pytest.mark.parametrize("properties", [None, {}, "x", [], {"type": None}])
def test_a_put_of_next_to_nothing(properties: Json) -> None:
    live = Resource(POLICY_ID, RAI_POLICIES, {"properties": properties})
    fix = merge(live, [decision(found=finding(RULE, SYNCHRONOUS))])
    assert fix.body == {"properties": {"mode": "Default"}}
