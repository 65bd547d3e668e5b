"""What cognitive accounts hold: model deployments, which can be paused, and content policies."""

from typing import Any

import pytest
from azure.mgmt.cognitiveservices.aio import CognitiveServicesManagementClient

from local.faults import Fault, Faults
from tests.local.arm_world import ACCOUNT, SUBSCRIPTION, Token, account, arm_world, resource, until

PREVIEW = "2026-09-15-preview"
DEPLOYMENT = f"{ACCOUNT}/deployments/gpt"
POLICY = f"{ACCOUNT}/raiPolicies/strict"
JAILBREAK = {"name": "Jailbreak", "source": "Prompt", "enabled": True, "blocking": True}
HATE = {"name": "Hate", "source": "Completion", "enabled": True, "blocking": False, "severityThreshold": "Medium"}

type Body = dict[str, Any]


def deployment(sku: str = "GlobalStandard", **properties: object) -> Body:
    known = {"provisioningState": "Succeeded", "model": {"name": "gpt-4o"}, "raiPolicyName": "strict"}
    return resource(DEPLOYMENT, known | properties, sku={"name": sku, "capacity": 100})


def policy(kind: str = "UserManaged") -> Body:
    return resource(POLICY, {"type": kind, "mode": "Blocking", "contentFilters": [HATE], "basePolicyName": "Base"})


@pytest.mark.parametrize("sku", ["Standard", "DataZoneStandard", "globalstandard"])
async def test_a_deployment_is_paused_and_resumed(sku: str) -> None:
    async with arm_world([account(), deployment(sku)]) as world:
        for action, state in (("pause", "Paused"), ("pause", "Paused"), ("resume", "Running"), ("RESUME", "Running")):
            reply = await world.send("POST", f"{DEPLOYMENT}/{action}", version=PREVIEW)
            assert reply.status == 200
            assert reply.body["properties"]["deploymentState"] == state
            shown = await world.properties(DEPLOYMENT)
            assert shown == {**deployment()["properties"], "deploymentState": state}
        assert world.events[0]["data"]["operationName"] == (
            "Microsoft.CognitiveServices/accounts/deployments/pause/action"
        )
        assert world.events[0]["subject"] == DEPLOYMENT


@pytest.mark.parametrize(
    "sku,action,version,status,code",
    [
        ("GlobalStandard", "pause", "2025-09-01", 400, "NoRegisteredProviderFound"),
        ("ProvisionedManaged", "pause", PREVIEW, 400, "BadRequest"),
        ("GlobalBatch", "resume", PREVIEW, 400, "BadRequest"),
        ("GlobalStandard", "stop", PREVIEW, 404, "InvalidResourceType"),
    ],
)
async def test_what_cannot_be_paused(sku: str, action: str, version: str, status: int, code: str) -> None:
    bodies = [account(), deployment(sku)]
    async with arm_world(bodies) as world:
        reply = await world.send("POST", f"{DEPLOYMENT}/{action}", version=version)
        assert (reply.status, reply.code) == (status, code)
        assert world.service.estate.export() == bodies
        assert (await world.send("POST", f"{DEPLOYMENT}x/{action}", version=version)).status == 404


async def test_a_pause_minds_locks_and_updates() -> None:
    lock = resource(f"{ACCOUNT}/providers/Microsoft.Authorization/locks/keep", {"level": "ReadOnly"})
    async with arm_world([account(), deployment(), lock]) as world:
        assert (await world.send("POST", f"{DEPLOYMENT}/pause", version=PREVIEW)).code == "ScopeLocked"
    async with arm_world([account(), deployment(provisioningState="Accepted")], settle_seconds=60) as world:
        assert (await world.send("POST", f"{DEPLOYMENT}/pause", version=PREVIEW)).code == "RequestConflict"


@pytest.mark.parametrize("after_effect,state", [(False, None), (True, "Paused")])
async def test_a_pause_meets_faults(after_effect: bool, state: str | None) -> None:  # noqa: FBT001 (a parameter of the test)
    faults = Faults([Fault(path_contains="/pause", status=504, after_effect=after_effect), Fault(kind="stale")])
    async with arm_world([account(), deployment()], faults=faults) as world:
        assert (await world.send("POST", f"{DEPLOYMENT}/pause", version=PREVIEW)).status == 504
        assert "deploymentState" not in await world.properties(DEPLOYMENT)
        assert (await world.properties(DEPLOYMENT)).get("deploymentState") == state


async def test_a_write_leaves_a_pause_as_it_is() -> None:
    async with arm_world([account(), deployment(deploymentState="Paused")], operation_seconds=0) as world:
        properties = {"model": {"name": "gpt-4o"}, "raiPolicyName": "other", "deploymentState": "Running"}
        assert (
            await world.send("PUT", DEPLOYMENT, {"sku": {"name": "Standard"}, "properties": properties})
        ).status == 200
        shown = await world.properties(DEPLOYMENT)
        assert (shown["deploymentState"], shown["raiPolicyName"]) == ("Paused", "other")


async def test_capacity_is_patched_and_the_rest_stays() -> None:
    async with arm_world([account(), deployment()]) as world:
        reply = await world.send("PATCH", DEPLOYMENT, {"sku": {"capacity": 1}}, version="2025-09-01")
        assert reply.status == 202
        assert (await world.send("GET", DEPLOYMENT)).body["properties"]["provisioningState"] == "Accepted"

        async def at_rest() -> bool:
            return str((await world.properties(DEPLOYMENT))["provisioningState"]) == "Succeeded"

        await until(at_rest)
        expected = deployment() | {"sku": {"name": "GlobalStandard", "capacity": 1}}
        assert (await world.send("GET", DEPLOYMENT)).body == expected


async def test_a_policy_is_made_and_replaced() -> None:
    async with (
        arm_world([account()]) as world,
        CognitiveServicesManagementClient(Token(), SUBSCRIPTION, **world.sdk) as client,
    ):
        wanted: Any = {
            "properties": {"mode": "blocking", "basePolicyName": "Base", "contentFilters": [HATE, JAILBREAK]}
        }
        made = await client.rai_policies.create_or_update("rg-ai", "aoai", "strict", wanted)
        assert made.properties is not None
        assert (made.properties.type, made.properties.mode) == ("UserManaged", "Blocking")
        first = (await world.send("GET", POLICY)).body
        reply = await world.send(
            "PUT", POLICY, {"properties": {"contentFilters": [JAILBREAK], "type": "SystemManaged"}}
        )
        assert reply.status == 200
        assert await world.properties(POLICY) == {"type": "UserManaged", "contentFilters": [JAILBREAK]}
        assert reply.body["etag"] != first["etag"]
        listed = [found.name async for found in client.rai_policies.list("rg-ai", "aoai")]
        assert listed == ["strict"]


@pytest.mark.parametrize(
    "properties",
    [
        {"mode": "Strict"},
        {"contentFilters": {}},
        {"contentFilters": ["Jailbreak"]},
        *(
            {"contentFilters": [HATE | wrong]}
            for wrong in (
                {"name": ""},
                {"name": 1},
                {"source": "Both"},
                {"source": None},
                {"enabled": "true"},
                {"blocking": 1},
                {"severityThreshold": "Safe"},
            )
        ),
    ],
)
async def test_a_policy_that_is_not_taken(properties: Body) -> None:
    async with arm_world([account(), policy()]) as world:
        reply = await world.send("PUT", POLICY, {"properties": properties})
        assert (reply.status, reply.code) == (400, "BadRequest")
        assert world.service.estate.export() == [account(), policy()]


async def test_policies_of_the_system_cannot_be_written_to_and_none_is_patched() -> None:
    async with arm_world([account(), policy("SystemManaged")]) as world:
        reply = await world.send("PUT", POLICY, {"properties": {"contentFilters": [JAILBREAK]}})
        assert (reply.status, reply.code) == (400, "BadRequest")
        assert (await world.send("PATCH", POLICY, {"properties": {}})).code == "MethodNotAllowed"
        assert (await world.send("PATCH", f"{POLICY}x", {})).status == 405
        assert world.service.estate.export() == [account(), policy("SystemManaged")]
        assert len(world.events) == 1
