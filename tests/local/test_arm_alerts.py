"""Alerts of Defender, which stand among the resources and are none."""

from typing import Any

import pytest

from tests.local.arm_world import ACCOUNT, GROUP, SUBSCRIPTION, account, arm_world

TAIL = "providers/Microsoft.Security/locations/westeurope/alerts"
SCOPES = [f"/subscriptions/{SUBSCRIPTION}", GROUP]
VERSION = "2022-01-01"


def alert(scope: str, name: str = "2518770965529163669_F144EE95") -> dict[str, Any]:
    return {
        "id": f"{scope}/{TAIL}/{name}",
        "name": name,
        "type": "Microsoft.Security/Locations/alerts",
        "properties": {"status": "Active", "severity": "High", "alertType": "AI.Azure_Jailbreak"},
    }


@pytest.mark.parametrize("scope", SCOPES)
async def test_an_alert_is_read_and_listed(scope: str) -> None:
    async with arm_world([account(), alert(scope)], settle_seconds=0) as world:
        assert (await world.send("GET", alert(scope)["id"], version=VERSION)).body == alert(scope)
        listed = await world.send("GET", f"{scope}/{TAIL}", version=VERSION)
        assert listed.body["value"] == [alert(scope)]
        assert (await world.send("GET", f"{alert(scope)['id']}x", version=VERSION)).code == "ResourceNotFound"
        assert world.service.estate.export() == [account(), alert(scope)]
        assert world.events == []


@pytest.mark.parametrize("scope", SCOPES)
async def test_an_alert_is_no_resource(scope: str) -> None:
    async with arm_world([account(), alert(scope)]) as world:
        graph = await world.send("POST", "/providers/Microsoft.ResourceGraph/resources", {"query": "Resources"})
        assert [row["id"] for row in graph.body["data"]] == [ACCOUNT]
        for listing in SCOPES:
            listed = await world.send("GET", f"{listing}/resources")
            assert [body["id"] for body in listed.body["value"]] == [ACCOUNT]


async def test_an_alert_comes_while_azure_runs() -> None:
    async with arm_world([account()]) as world:
        told = alert(GROUP)
        world.service.estate.take_in(told)
        world.service.estate.take_in(told | {"properties": {"status": "Dismissed"}})
        told["properties"]["status"] = "changed by its owner"
        assert await world.properties(told["id"]) == {"status": "Dismissed"}
        assert world.events == []
        with pytest.raises(ValueError, match="id"):
            world.service.estate.take_in({"id": "nowhere"})
