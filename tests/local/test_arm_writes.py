"""PUT, PATCH and DELETE: how each provider merges, and what it refuses."""

from typing import Any

import pytest

from tests.local.arm_world import (
    ACCOUNT,
    GROUP,
    SEARCH,
    STORAGE,
    SUBSCRIPTION,
    VAULT,
    WORKSPACE,
    ArmWorld,
    Reply,
    account,
    arm_world,
    resource,
)

type Body = dict[str, Any]

RULES = {"defaultAction": "Deny", "ipRules": [{"value": "20.1.2.3"}], "virtualNetworkRules": []}
AAD = {"aadOrApiKey": {"aadAuthFailureMode": "http403"}}


def estate() -> list[Body]:
    return [
        account(networkAcls=RULES),
        resource(SEARCH, {"provisioningState": "succeeded", "status": "running", "authOptions": AAD}),
        resource(STORAGE, {"networkAcls": RULES, "encryption": {"keySource": "Microsoft.Storage", "services": {}}}),
        resource(VAULT, {"enablePurgeProtection": True}),
        resource(WORKSPACE, {"managedNetwork": {"isolationMode": "Disabled", "outboundRules": {}}}),
    ]


async def patch(world: ArmWorld, path: str, properties: Body) -> Reply:
    return await world.send("PATCH", path, {"properties": properties})


@pytest.mark.parametrize(
    "path,change,expected",
    [
        pytest.param(
            ACCOUNT,
            {"networkAcls": {"defaultAction": "Allow"}},
            {"networkAcls": {"defaultAction": "Allow"}},
            id="cognitive network rules are replaced whole",
        ),
        pytest.param(
            STORAGE,
            {"networkAcls": {"defaultAction": "Allow"}},
            {"networkAcls": {"defaultAction": "Allow"}},
            id="storage network rules are replaced whole",
        ),
        pytest.param(
            STORAGE,
            {"encryption": {"keySource": "Microsoft.Keyvault"}},
            {"encryption": {"keySource": "Microsoft.Keyvault", "services": {}}},
            id="other objects are merged",
        ),
        pytest.param(
            WORKSPACE,
            {"managedNetwork": {"isolationMode": "AllowInternetOutbound"}},
            {"managedNetwork": {"isolationMode": "AllowInternetOutbound"}},
            id="managed network is replaced whole",
        ),
        pytest.param(ACCOUNT, {"networkAcls": None}, {"networkAcls": "absent"}, id="null removes"),
        pytest.param(
            SEARCH,
            {"disableLocalAuth": True, "authOptions": None},
            {"disableLocalAuth": True, "authOptions": None},
            id="search shows null authOptions",
        ),
        pytest.param(ACCOUNT, {"disableLocalAuth": True}, {"disableLocalAuth": True}, id="keys off is accepted"),
        pytest.param(
            ACCOUNT, {"publicNetworkAccess": "disabled"}, {"publicNetworkAccess": "Disabled"}, id="cognitive spelling"
        ),
        pytest.param(
            SEARCH,
            {"publicNetworkAccess": "Disabled", "disableLocalAuth": False},
            {"publicNetworkAccess": "disabled"},
            id="search answers in lower case",
        ),
        pytest.param(
            STORAGE,
            {"networkAcls": {"bypass": "logging,azureservices"}},
            {"networkAcls": {"bypass": "Logging, AzureServices"}},
            id="a list of choices",
        ),
        pytest.param(
            ACCOUNT,
            {"provisioningState": "Failed", "endpoint": "https://x", "privateEndpointConnections": [1]},
            {"provisioningState": "Succeeded", "endpoint": "absent", "privateEndpointConnections": "absent"},
            id="read-only members are ignored",
        ),
    ],
)
async def test_patch_reaches_the_state(path: str, change: Body, expected: Body) -> None:
    async with arm_world(estate(), operation_seconds=0) as world:
        assert (await patch(world, path, change)).status in {200, 202}
        properties = await world.properties(path)
        assert {name: properties.get(name, "absent") for name in expected} == expected


@pytest.mark.parametrize(
    "path,change,code",
    [
        (ACCOUNT, {"networkAcls": {"ipRules": [{"value": "20.1.2.3/32"}]}}, "BadRequest"),
        (ACCOUNT, {"networkAcls": {"ipRules": [{"value": "20.1.2.2/31"}]}}, "BadRequest"),
        (ACCOUNT, {"networkAcls": {"ipRules": [{"value": "nowhere"}]}}, "BadRequest"),
        (ACCOUNT, {"networkAcls": {"ipRules": "20.1.2.3"}}, "BadRequest"),
        (ACCOUNT, {"publicNetworkAccess": "Perhaps"}, "BadRequest"),
        (ACCOUNT, {"publicNetworkAccess": 0}, "BadRequest"),
        (ACCOUNT, {"disableLocalAuth": "true"}, "BadRequest"),
        (ACCOUNT, {"customSubDomainName": "other"}, "BadRequest"),
        (SEARCH, {"disableLocalAuth": True}, "BadRequest"),
        (SEARCH, {"publicNetworkAccess": "off"}, "BadRequest"),
        (STORAGE, {"minimumTlsVersion": "TLS9"}, "InvalidValuesForRequestParameters"),
        (STORAGE, {"networkAcls": {"ipRules": [{"value": "10.0.0.0/16"}]}}, "InvalidValuesForRequestParameters"),
        (STORAGE, {"networkAcls": {"ipRules": [{"value": "192.168.1.1"}]}}, "InvalidValuesForRequestParameters"),
        (STORAGE, {"networkAcls": {"ipRules": [{"value": "20.1.2.3/32"}]}}, "InvalidValuesForRequestParameters"),
        (STORAGE, {"networkAcls": {"ipRules": [{}]}}, "InvalidValuesForRequestParameters"),
        (STORAGE, {"networkAcls": {"bypass": "Logging, Everything"}}, "InvalidValuesForRequestParameters"),
        (VAULT, {"enablePurgeProtection": False}, "BadRequest"),
        (WORKSPACE, {"managedNetwork": {"isolationMode": "Sometimes"}}, "BadRequest"),
    ],
)
async def test_patch_is_refused_and_changes_nothing(path: str, change: Body, code: str) -> None:
    async with arm_world(estate()) as world:
        reply = await patch(world, path, change)
        assert (reply.status, reply.code) == (400, code)
        assert world.service.estate.export() == estate()


@pytest.mark.parametrize(
    "body",
    [
        {"name": "other"},
        {"type": "Microsoft.Search/searchServices"},
        {"id": STORAGE},
        {"properties": []},
        {"tags": "none"},
    ],
)
async def test_what_the_path_says_cannot_be_said_otherwise(body: Body) -> None:
    async with arm_world(estate()) as world:
        reply = await world.send("PATCH", ACCOUNT, body)
        assert (reply.status, reply.code) == (400, "InvalidRequestContent")


async def test_network_rules_need_a_custom_subdomain() -> None:
    async with arm_world([account(customSubDomainName=None)]) as world:
        assert (await patch(world, ACCOUNT, {"networkAcls": {"defaultAction": "Deny"}})).status == 400
        both = {"networkAcls": {"defaultAction": "Deny"}, "customSubDomainName": "mine"}
        assert (await patch(world, ACCOUNT, both)).status == 202


async def test_tags_are_replaced_whole_and_identity_gets_a_principal() -> None:
    async with arm_world([{**account(), "tags": {"a": "1"}}], operation_seconds=0) as world:
        await world.send("PATCH", ACCOUNT, {"tags": {"b": "2"}})
        await world.send("PATCH", ACCOUNT, {"identity": {"type": "SystemAssigned"}})
        body = (await world.send("GET", ACCOUNT)).body
        assert body["tags"] == {"b": "2"}
        assert body["identity"]["principalId"]


async def test_put_creates_and_replaces() -> None:
    async with arm_world([resource(STORAGE)]) as world:
        made = {"location": "westeurope", "properties": {"publicNetworkAccess": "Enabled", "networkAcls": RULES}}
        assert (await world.send("PUT", VAULT, made)).status == 201
        assert (await world.send("PUT", VAULT, {**made, "properties": {"tenantId": "t"}})).status == 200
        body = (await world.send("GET", VAULT)).body
        assert body["properties"] == {"tenantId": "t", "provisioningState": "Succeeded"}
        assert (body["name"], body["type"]) == ("kv", "Microsoft.KeyVault/vaults")
        assert body["systemData"]["createdBy"] == "dev@contoso.com"
        assert world.service.estate.export()[-1]["id"] == VAULT


@pytest.mark.parametrize(
    "path,body,status,code",
    [
        (VAULT, {"properties": {}}, 400, "LocationRequired"),
        (STORAGE, {"location": "eastus"}, 409, "InvalidResourceLocation"),
        (f"{VAULT}/accessPolicies/add", {}, 404, "ParentResourceNotFound"),
        (f"{VAULT}/providers/Microsoft.Insights/diagnosticSettings/d", {}, 404, "ResourceNotFound"),
        (VAULT.replace("rg-ai", "rg-none"), {"location": "x"}, 404, "ResourceGroupNotFound"),
    ],
)
async def test_put_needs_a_place(path: str, body: Body, status: int, code: str) -> None:
    async with arm_world([resource(STORAGE)]) as world:
        reply = await world.send("PUT", path, body)
        assert (reply.status, reply.code) == (status, code)


async def test_delete_takes_children_and_extensions_along() -> None:
    below = [resource(f"{STORAGE}/blobServices/default"), resource(f"{STORAGE}/providers/Microsoft.Insights/x/y")]
    async with arm_world([resource(STORAGE), *below, resource(f"{STORAGE}2")]) as world:
        assert (await world.send("DELETE", STORAGE)).status == 200
        assert [body["id"] for body in world.service.estate.export()] == [f"{STORAGE}2"]
        assert (await world.send("DELETE", STORAGE)).status == 204
        assert (await world.send("PATCH", STORAGE, {})).code == "ResourceNotFound"


@pytest.mark.parametrize(
    "path", [f"{ACCOUNT}/deployments/gpt", f"{GROUP}/providers/Microsoft.Network/networkSecurityGroups/nsg"]
)
async def test_some_types_patch_little_more_than_tags(path: str) -> None:
    async with arm_world([account(), resource(path)]) as world:
        assert (await patch(world, path, {"raiPolicyName": "x"})).status == 400
        assert (await world.send("PATCH", path, {"tags": {"a": "b"}})).status == 202


@pytest.mark.parametrize("scope", [ACCOUNT, GROUP, f"/subscriptions/{SUBSCRIPTION}"])
@pytest.mark.parametrize(
    "level,blocked", [("ReadOnly", {"PUT", "PATCH", "POST", "DELETE"}), ("CanNotDelete", {"DELETE"})]
)
async def test_locks_hold_for_everything_below(scope: str, level: str, blocked: set[str]) -> None:
    lock = resource(f"{scope}/providers/Microsoft.Authorization/locks/keep", {"level": level})
    async with arm_world([account(), lock], operation_seconds=0) as world:
        calls: dict[str, tuple[str, Any]] = {
            "POST": (f"{ACCOUNT}/listKeys", None),
            "PATCH": (ACCOUNT, {"tags": {}}),
            "PUT": (ACCOUNT, {"location": "westeurope", "properties": {"customSubDomainName": "aoai"}}),
            "DELETE": (ACCOUNT, None),
        }
        for method, (path, body) in calls.items():
            reply = await world.send(method, path, body)
            assert (reply.status == 409) == (method in blocked), method
            if method in blocked:
                assert reply.code == "ScopeLocked"
        assert (await world.send("DELETE", lock["id"])).status in {200, 204}


async def test_if_match_is_honoured_where_there_is_an_etag() -> None:
    async with arm_world(estate(), operation_seconds=0) as world:
        for path, change in ((ACCOUNT, {"tags": {"a": "1"}}), (SEARCH, {"tags": {"a": "1"}})):
            first = (await world.send("GET", path)).headers["ETag"]
            assert (await world.send("PATCH", path, change, If_Match='"other"')).code == "PreconditionFailed"
            assert (await world.send("PATCH", path, change, If_Match=first)).status in {200, 202}
            second = (await world.send("GET", path)).headers["ETag"]
            assert second != first
            assert (await world.send("PATCH", path, change, If_Match=first)).status == 412
            assert (await world.send("PATCH", path, change, If_Match="*")).status in {200, 202}
        assert (await world.send("GET", ACCOUNT)).body["etag"] != '"0001"'
        assert (await world.send("PUT", VAULT, {"location": "x"}, If_None_Match="*")).status == 412
        assert (await world.send("PATCH", STORAGE, {"tags": {}}, If_Match='"any"')).status == 200
