"""Long-running operations, through the pollers of the real SDKs."""

import time
from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError, ResourceExistsError
from azure.mgmt.cognitiveservices.aio import CognitiveServicesManagementClient
from azure.mgmt.network.aio import NetworkManagementClient
from azure.mgmt.storage.aio import StorageManagementClient

from local.faults import Fault, Faults
from tests.local.arm_world import (
    ACCOUNT,
    GROUP,
    SEARCH,
    STORAGE,
    SUBSCRIPTION,
    WORKSPACE,
    ArmWorld,
    Clock,
    Token,
    account,
    arm_world,
    resource,
    until,
)

CLOSED: Any = {"properties": {"publicNetworkAccess": "Disabled"}}
NSG = f"{GROUP}/providers/Microsoft.Network/networkSecurityGroups/nsg"


async def settled(world: ArmWorld, path: str) -> dict[str, Any]:
    """The properties once the resource is at rest."""

    async def at_rest() -> bool:
        state = str((await world.properties(path))["provisioningState"])
        return state.lower() not in {"accepted", "updating", "provisioning"}

    await until(at_rest)
    return await world.properties(path)


async def test_cognitive_services_update_reaches_the_state() -> None:
    async with (
        arm_world([account()], operation_seconds=0.3) as world,
        CognitiveServicesManagementClient(Token(), SUBSCRIPTION, **world.sdk) as client,
    ):
        poller = await client.accounts.begin_update("rg-ai", "aoai", CLOSED)
        assert (await world.properties(ACCOUNT))["provisioningState"] == "Accepted"
        done = await poller.result()
        assert done.properties is not None
        assert done.properties.public_network_access == "Disabled"
        assert done.properties.provisioning_state == "Succeeded"


async def test_cognitive_services_create_and_delete() -> None:
    async with (
        arm_world([resource(STORAGE)]) as world,
        CognitiveServicesManagementClient(Token(), SUBSCRIPTION, **world.sdk) as client,
    ):
        body: Any = {"location": "westeurope", "kind": "OpenAI", "sku": {"name": "S0"}, "properties": {}}
        made = await (await client.accounts.begin_create("rg-ai", "aoai", body)).result()
        assert made.name == "aoai"
        await (await client.accounts.begin_delete("rg-ai", "aoai")).result()
        assert (await world.send("GET", ACCOUNT)).status == 404


async def test_a_write_in_the_middle_of_another_is_a_conflict() -> None:
    async with (
        arm_world([account()], operation_seconds=5) as world,
        CognitiveServicesManagementClient(Token(), SUBSCRIPTION, **world.sdk) as client,
    ):
        await client.accounts.begin_update("rg-ai", "aoai", CLOSED, polling=False)
        with pytest.raises(ResourceExistsError, match="not terminal") as caught:
            await client.accounts.begin_update("rg-ai", "aoai", CLOSED)
        assert caught.value.status_code == 409
        for method, path in (("DELETE", ACCOUNT), ("PUT", f"{ACCOUNT}/deployments/gpt")):
            assert (await world.send(method, path, {})).code == "RequestConflict"


async def test_an_operation_can_end_failed() -> None:
    faults = Faults([Fault(kind="fail_operation", code="QuotaExceeded", message="No more.")])
    async with (
        arm_world([account()], faults=faults) as world,
        CognitiveServicesManagementClient(Token(), SUBSCRIPTION, **world.sdk) as client,
    ):
        poller = await client.accounts.begin_update("rg-ai", "aoai", CLOSED)
        with pytest.raises(HttpResponseError, match="QuotaExceeded"):
            await poller.result()
        properties = await world.properties(ACCOUNT)
        assert (properties["publicNetworkAccess"], properties["provisioningState"]) == ("Enabled", "Failed")
        assert (await (await client.accounts.begin_update("rg-ai", "aoai", CLOSED)).result()) is not None


async def test_headers_of_an_accepted_write() -> None:
    async with arm_world([resource(WORKSPACE)], operation_seconds=0.1) as world:
        reply = await world.send("PATCH", WORKSPACE, CLOSED)
        assert (reply.status, reply.headers["Retry-After"]) == (202, "1")
        assert reply.body["properties"]["provisioningState"] == "Updating"
        status = reply.headers["Azure-AsyncOperation"].removeprefix(world.url)
        result = reply.headers["Location"].removeprefix(world.url)
        assert (await world.send("GET", status)).body["status"] == "InProgress"
        assert (await world.send("GET", result)).status == 202
        await settled(world, WORKSPACE)
        assert (await world.send("GET", status)).body["status"] == "Succeeded"
        assert (await world.send("GET", result)).body["id"] == WORKSPACE
        assert (await world.send("GET", status.replace("operationStatuses/", "operationStatuses/x"))).status == 404


async def test_search_answers_at_once_and_settles_later() -> None:
    service = resource(SEARCH, {"provisioningState": "succeeded", "status": "running"})
    async with arm_world([service], operation_seconds=0.1) as world:
        reply = await world.send("PATCH", SEARCH, {"properties": {"publicNetworkAccess": "disabled"}})
        assert reply.status == 200
        assert reply.body["properties"]["status"] == reply.body["properties"]["provisioningState"] == "provisioning"
        assert (await world.send("PATCH", SEARCH, {"tags": {}})).code == "RequestConflict"
        done = await settled(world, SEARCH)
        assert (done["status"], done["provisioningState"]) == ("running", "succeeded")


async def test_storage_is_done_at_once() -> None:
    async with (
        arm_world([resource(STORAGE)]) as world,
        StorageManagementClient(Token(), SUBSCRIPTION, **world.sdk) as client,
    ):
        body: Any = {"properties": {"minimumTlsVersion": "TLS1_2", "allowBlobPublicAccess": False}}
        await client.storage_accounts.update("rg-ai", "stai", body)
        read = await client.storage_accounts.get_properties("rg-ai", "stai")
        assert read.minimum_tls_version == "TLS1_2"
        assert read.provisioning_state == "Succeeded"


async def test_what_stood_mid_update_settles_by_itself() -> None:
    clock = Clock()
    async with arm_world([account(provisioningState="Accepted")], clock=clock, settle_seconds=2) as world:
        assert (await world.send("PATCH", ACCOUNT, CLOSED)).code == "RequestConflict"
        clock.now += 1.9
        assert (await world.properties(ACCOUNT))["provisioningState"] == "Accepted"
        clock.now += 0.1
        assert (await world.properties(ACCOUNT))["provisioningState"] == "Succeeded"
        assert (await world.send("PATCH", ACCOUNT, CLOSED)).status == 202
        assert [event["eventType"] for event in world.events] == ["Microsoft.Resources.ResourceWriteFailure"]


async def test_it_settles_though_nobody_asks() -> None:
    async with arm_world([account(provisioningState="Accepted")], settle_seconds=0.05) as world:
        await until(lambda: world.service.estate.export() == [account()])


async def test_private_endpoint_shows_as_an_approved_connection() -> None:
    async with (
        arm_world([account()]) as world,
        NetworkManagementClient(Token(), SUBSCRIPTION, **world.sdk) as client,
    ):
        link = {"name": "l", "properties": {"privateLinkServiceId": ACCOUNT, "groupIds": ["account"]}}
        body: Any = {"location": "westeurope", "properties": {"privateLinkServiceConnections": [link]}}
        made = await (await client.private_endpoints.begin_create_or_update("rg-ai", "pe", body)).result()
        (connection,) = (await world.properties(ACCOUNT))["privateEndpointConnections"]
        assert connection["properties"]["privateEndpoint"]["id"] == made.id
        assert connection["properties"]["privateLinkServiceConnectionState"]["status"] == "Approved"


async def test_private_endpoint_to_a_busy_account_is_refused() -> None:
    async with arm_world([account(provisioningState="Accepted")], clock=Clock(time.time())) as world:
        link = {"name": "l", "properties": {"privateLinkServiceId": ACCOUNT}}
        body = {"location": "westeurope", "properties": {"privateLinkServiceConnections": [link]}}
        path = f"{GROUP}/providers/Microsoft.Network/privateEndpoints/pe"
        assert (await world.send("PUT", path, body)).code == "AccountProvisioningStateInvalid"


async def test_security_rule_shows_in_its_group() -> None:
    async with (
        arm_world([resource(NSG, {"securityRules": [], "provisioningState": "Succeeded"})]) as world,
        NetworkManagementClient(Token(), SUBSCRIPTION, **world.sdk) as client,
    ):
        rule: Any = {"properties": {"priority": 100, "direction": "Inbound", "access": "Deny", "protocol": "*"}}
        await (await client.security_rules.begin_create_or_update("rg-ai", "nsg", "deny", rule)).result()
        group = await client.network_security_groups.get("rg-ai", "nsg")
        assert [item.name for item in group.security_rules or []] == ["deny"]
