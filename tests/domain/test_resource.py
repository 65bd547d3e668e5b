"""A live resource as rules see it."""

import pytest

from shared.domain.arm_id import parse_arm_id
from shared.domain.body import Json, JsonObject
from shared.domain.resource import Resource
from shared.domain.resource_types import COGNITIVE_ACCOUNTS, ML_WORKSPACES, RAI_POLICIES, SEARCH, STORAGE, ResourceType
from tests.domain.making import TARGET, resource
from tests.remediations import bodies

WORKSPACE = parse_arm_id(str(bodies.workspace()["id"]))


def test_what_the_body_says() -> None:
    live = resource({"kind": "OpenAI", "location": "westeurope", "properties": {"a": {"b": "Deny"}}})
    assert (live.kind, live.location, live.at("properties.a.b")) == ("openai", "westeurope", "Deny")
    assert live.says("properties.a.b", "allow", "DENY")
    assert not live.says("properties.a.b", "allow")
    assert not live.says("properties.a", "deny")


def test_a_child_without_place_or_state() -> None:
    live = bodies.resource(RAI_POLICIES, bodies.rai_policy())
    assert (live.location, live.kind, live.tags, live.state) == ("", "", {}, "")
    assert live.is_settled
    assert live.in_scope
    assert live.attachments() == frozenset()


@pytest.mark.parametrize("odd", [None, 5, [], {}, True])
def test_a_body_that_says_nothing_of_use(odd: Json) -> None:
    live = resource({"kind": odd, "location": odd, "tags": odd, "properties": odd})
    assert (live.kind, live.location, live.tags, live.state) == ("", "", {}, "")
    assert live.is_settled
    assert not live.in_scope


def test_tags_have_no_case_in_their_names_only() -> None:
    assert resource({"tags": {"AirLock": "Protect", "n": 1}}).tags == {"airlock": "Protect"}


@pytest.mark.parametrize(
    "state, settled",
    [
        ("Succeeded", True),
        ("failed", True),
        ("Canceled", True),
        ("", True),
        (None, True),
        ("Updating", False),
        ("provisioning", False),
        ("Accepted", False),
        ("SomethingNew", False),
    ],
)
def test_settled(state: Json, settled: bool) -> None:  # noqa: FBT001 # a column of the table
    assert resource({"properties": {"provisioningState": state}}).is_settled is settled


@pytest.mark.parametrize(
    "kind, tags, attached, in_scope",
    [
        (COGNITIVE_ACCOUNTS, {}, False, True),
        (SEARCH, {}, False, True),
        (ML_WORKSPACES, {}, False, True),
        (STORAGE, {}, False, False),
        (STORAGE, {"airlock": "protect"}, False, True),
        (STORAGE, {"AIRLOCK": "PROTECT"}, False, True),
        (STORAGE, {"airlock": "no"}, False, False),
        (STORAGE, {}, True, True),
    ],
)
def test_scope(kind: ResourceType, tags: JsonObject, attached: bool, in_scope: bool) -> None:  # noqa: FBT001 # columns
    users = frozenset({WORKSPACE}) if attached else frozenset()
    assert resource({"tags": tags}, kind, users).in_scope is in_scope


def test_a_workspace_names_its_storage() -> None:
    assert bodies.resource(ML_WORKSPACES, bodies.workspace()).attachments() == {TARGET}


@pytest.mark.parametrize(
    "body, kind",
    [
        (
            bodies.workspace(
                storageAccount=None, workspaceHubConfig={"additionalWorkspaceStorageAccounts": [TARGET.path, None]}
            ),
            ML_WORKSPACES,
        ),
        (bodies.account(userOwnedStorage=[{"resourceId": TARGET.path}, {"resourceId": "x"}, {}]), COGNITIVE_ACCOUNTS),
        (bodies.account(raiMonitorConfig={"adxStorageResourceId": TARGET.path}), COGNITIVE_ACCOUNTS),
        # A list in a list is no shape of Azure's, and is read all the same.
        (bodies.account(userOwnedStorage=[{"resourceId": [[TARGET.path]]}]), COGNITIVE_ACCOUNTS),
    ],
)
def test_lists_are_looked_through(body: JsonObject, kind: ResourceType) -> None:
    assert bodies.resource(kind, body).attachments() == {TARGET}


@pytest.mark.parametrize(
    "named",
    [
        "",
        "stmlprodweu",
        "https://stmlprodweu.blob.core.windows.net/",
        f"{TARGET.path}/../x",
        str(bodies.account()["id"]),
        "/subscriptions/s/resourceGroups/rg/providers/Microsoft.KeyVault/vaults/kv",
        5,
        {"id": TARGET.path},
    ],
)
def test_what_names_no_attachable_resource(named: Json) -> None:
    assert Resource(WORKSPACE, ML_WORKSPACES, bodies.workspace(storageAccount=named)).attachments() == frozenset()
