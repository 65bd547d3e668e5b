"""The events that writes, deletes and actions raise."""

import re
from typing import Any

import pytest
from azure.core.messaging import CloudEvent
from azure.eventgrid import EventGridEvent
from azure.mgmt.cognitiveservices.aio import CognitiveServicesManagementClient

from local.faults import Fault, Faults
from tests.local.arm_world import (
    ACCOUNT,
    OURS,
    SEARCH,
    STORAGE,
    SUBSCRIPTION,
    TENANT,
    ArmWorld,
    Token,
    account,
    arm_world,
    resource,
    until,
)

OBJECT_ID = "http://schemas.microsoft.com/identity/claims/objectidentifier"
NEW_ADMIN_KEY = f"{SEARCH}/regenerateAdminKey/primary"
PREFIX = "Microsoft.Resources.Resource"


async def raised(world: ArmWorld) -> list[dict[str, Any]]:
    """The events, once there is at least one."""
    await until(lambda: bool(world.events))
    return world.events


async def test_a_write_has_the_documented_shape() -> None:
    async with arm_world([resource(STORAGE)]) as world:
        await world.send("PATCH", STORAGE, {"tags": {}}, x_ms_client_request_id="ours", x_ms_correlation_request_id="c")
        (event,) = await raised(world)
    assert event.keys() == {
        *("subject", "eventType", "eventTime", "id", "data", "dataVersion", "metadataVersion", "topic")
    }
    data = event["data"]
    assert data.keys() == {
        *("authorization", "claims", "correlationId", "httpRequest", "resourceProvider", "resourceUri"),
        *("operationName", "status", "subscriptionId", "tenantId"),
    }
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{7}Z", event["eventTime"])
    assert (event["topic"], event["subject"]) == (f"/subscriptions/{SUBSCRIPTION}", STORAGE)
    assert (event["dataVersion"], event["metadataVersion"]) == ("2", "1")
    assert data["httpRequest"] == {
        "clientRequestId": "ours",
        "clientIpAddress": "203.0.113.7",
        "method": "PATCH",
        "url": f"https://management.azure.com{STORAGE}?api-version=2025-01-01",
    }
    assert data["claims"]["http://schemas.xmlsoap.org/ws/2005/05/identity/claims/upn"] == "dev@contoso.com"
    assert all(isinstance(value, str) for value in data["claims"].values())
    assert data["authorization"]["evidence"]["principalType"] == "User"
    assert (data["correlationId"], data["tenantId"], data["status"]) == ("c", TENANT, "Succeeded")
    assert EventGridEvent.from_dict(event).event_type == f"{PREFIX}WriteSuccess"


async def test_claims_name_the_identity_that_called() -> None:
    async with (
        arm_world([account()]) as world,
        CognitiveServicesManagementClient(Token(OURS), SUBSCRIPTION, **world.sdk) as client,
    ):
        await client.accounts.list_keys("rg-ai", "aoai")
        (event,) = await raised(world)
    claims = event["data"]["claims"]
    assert (claims[OBJECT_ID], claims["appid"]) == (OURS.object_id, OURS.client_id)
    assert event["eventType"] == f"{PREFIX}ActionSuccess"
    assert event["data"]["operationName"] == "Microsoft.CognitiveServices/accounts/listKeys/action"
    assert event["subject"] == ACCOUNT
    assert "key" not in str(event["data"]).replace("listKeys", "").lower()


@pytest.mark.parametrize(
    "method,path,body,event_type,operation",
    [
        ("PATCH", STORAGE, {}, "WriteSuccess", "Storage/storageAccounts/write"),
        ("DELETE", STORAGE, None, "DeleteSuccess", "Storage/storageAccounts/delete"),
        ("POST", NEW_ADMIN_KEY, None, "ActionSuccess", "Search/searchServices/regenerateAdminKey/action"),
        ("PATCH", STORAGE, {"properties": []}, "WriteFailure", "Storage/storageAccounts/write"),
        ("PATCH", f"{STORAGE}x", {}, "WriteFailure", "Storage/storageAccounts/write"),
        ("POST", f"{STORAGE}x/listKeys", {}, "ActionFailure", "Storage/storageAccounts/listKeys/action"),
    ],
)
async def test_each_kind(method: str, path: str, body: object, event_type: str, operation: str) -> None:
    async with arm_world([resource(STORAGE), resource(SEARCH)]) as world:
        await world.send(method, path, body)
        (event,) = await raised(world)
    assert event["eventType"] == PREFIX + event_type
    assert event["data"]["operationName"] == f"Microsoft.{operation}"
    assert event["data"]["status"] == ("Succeeded" if event_type.endswith("Success") else "Failed")


async def test_reads_and_strangers_raise_nothing() -> None:
    async with arm_world([resource(STORAGE)]) as world:
        await world.send("GET", STORAGE)
        await world.send("GET", f"{STORAGE}x")
        await world.send("PATCH", STORAGE, {}, Authorization="")
        await world.send("PATCH", STORAGE, {}, version=None)
        await world.send("DELETE", f"{STORAGE}x")
        assert world.events == []


async def test_a_new_resource_has_no_http_request() -> None:
    async with arm_world([resource(STORAGE)]) as world:
        await world.send("PUT", SEARCH, {"location": "westeurope"})
        (event,) = await raised(world)
    assert "httpRequest" not in event["data"]


@pytest.mark.parametrize("failing,outcome", [(False, "WriteSuccess"), (True, "WriteFailure")])
async def test_an_operation_tells_when_it_ends(failing: bool, outcome: str) -> None:  # noqa: FBT001 (a parameter of the test)
    faults = Faults([Fault(kind="fail_operation")] if failing else [])
    async with arm_world([account()], faults=faults, operation_seconds=0.05) as world:
        await world.send("PATCH", ACCOUNT, {"tags": {}})
        before = list(world.events)
        (event,) = await raised(world)
    assert before == []
    assert event["eventType"] == PREFIX + outcome


async def test_cloud_events() -> None:
    async with arm_world([resource(STORAGE)], cloud_events=True) as world:
        await world.send("PATCH", STORAGE, {})
        (event,) = await raised(world)
    assert event.keys() == {"id", "source", "subject", "type", "specversion", "time", "data"}
    parsed: CloudEvent[Any] = CloudEvent.from_dict(event)
    assert (parsed.type, parsed.subject) == (f"{PREFIX}WriteSuccess", STORAGE)


async def test_an_unknown_token_claims_nothing() -> None:
    async with arm_world([resource(STORAGE)]) as world:
        await world.send("PATCH", STORAGE, {}, Authorization="Bearer opaque")
        (event,) = await raised(world)
    assert event["data"]["claims"] == {}
