"""Tags of a resource, read and changed by themselves."""

from typing import Any

import pytest

from local.faults import Fault, Faults
from tests.local.arm_world import ACCOUNT, GROUP, SEARCH, STORAGE, SUBSCRIPTION, account, arm_world, resource

VERSION = "2021-04-01"
TAIL = "/providers/Microsoft.Resources/tags/default"
LONG_AGO = {"airlock": "protect", "Owner": "data"}

type Body = dict[str, Any]


def tagged() -> Body:
    return {**account(), "tags": LONG_AGO}


def change(operation: str, **tags: object) -> Body:
    return {"operation": operation, "properties": {"tags": tags}}


@pytest.mark.parametrize(
    "request_body,expected",
    [
        (change("Merge", quarantine="2026-11-24"), {**LONG_AGO, "quarantine": "2026-11-24"}),
        (change("merge", OWNER="ai"), {"airlock": "protect", "Owner": "ai"}),
        (change("Replace", a="1"), {"a": "1"}),
        (change("Replace"), {}),
        (change("Delete", owner=""), {"airlock": "protect"}),
        (change("Delete", owner="data", airlock="other", absent=""), {"airlock": "protect"}),
    ],
)
async def test_tags_change_at_once(request_body: Body, expected: Body) -> None:
    async with arm_world([tagged()], operation_seconds=60) as world:
        reply = await world.send("PATCH", ACCOUNT + TAIL, request_body, version=VERSION)
        assert reply.status == 200
        assert reply.body == {
            "id": ACCOUNT + TAIL,
            "name": "default",
            "type": "Microsoft.Resources/tags",
            "properties": {"tags": expected},
        }
        assert (await world.send("GET", ACCOUNT + TAIL, version=VERSION)).body == reply.body
        after = (await world.send("GET", ACCOUNT)).body
        assert after["tags"] == expected
        assert after["etag"] != tagged()["etag"]
        assert after | {"tags": LONG_AGO, "etag": tagged()["etag"]} == tagged()


@pytest.mark.parametrize("path", [SEARCH, STORAGE, GROUP, f"{ACCOUNT}/deployments/gpt"])
async def test_whatever_exists_has_tags(path: str) -> None:
    bodies = [account(), resource(SEARCH), resource(STORAGE), resource(f"{ACCOUNT}/deployments/gpt")]
    async with arm_world(bodies) as world:
        assert (await world.send("GET", path + TAIL)).body["properties"] == {"tags": {}}
        assert (await world.send("PATCH", path + TAIL, change("Merge", a="1"))).status == 200
        assert (await world.send("GET", path)).body["tags"] == {"a": "1"}


async def test_the_event_names_the_tags() -> None:
    async with arm_world([tagged()]) as world:
        await world.send("PATCH", ACCOUNT + TAIL, change("Merge", a="1"), version=VERSION)
        (event,) = world.events
    assert (event["subject"], event["eventType"]) == (ACCOUNT + TAIL, "Microsoft.Resources.ResourceWriteSuccess")
    assert event["data"]["operationName"] == "Microsoft.Resources/tags/write"
    assert event["data"]["resourceUri"] == ACCOUNT + TAIL
    assert event["data"]["httpRequest"]["method"] == "PATCH"


@pytest.mark.parametrize("scope", [ACCOUNT, GROUP, f"/subscriptions/{SUBSCRIPTION}"])
async def test_a_lock_holds_for_tags(scope: str) -> None:
    lock = resource(f"{scope}/providers/Microsoft.Authorization/locks/keep", {"level": "ReadOnly"})
    async with arm_world([tagged(), lock]) as world:
        reply = await world.send("PATCH", ACCOUNT + TAIL, change("Replace"))
        assert (reply.status, reply.code) == (409, "ScopeLocked")
        assert world.service.estate.export() == [tagged(), lock]
        assert [event["eventType"] for event in world.events] == ["Microsoft.Resources.ResourceWriteFailure"]


@pytest.mark.parametrize(
    "method,path,body,status,code",
    [
        ("PATCH", ACCOUNT, {"operation": "Add", "properties": {"tags": {}}}, 400, "InvalidRequestContent"),
        ("PATCH", ACCOUNT, {"operation": "Merge"}, 400, "InvalidRequestContent"),
        ("PATCH", ACCOUNT, change("Merge", a=1), 400, "InvalidRequestContent"),
        ("PATCH", f"{ACCOUNT}x", change("Merge", a="1"), 404, "ResourceNotFound"),
        ("GET", f"{ACCOUNT}x", None, 404, "ResourceNotFound"),
        ("PATCH", f"{GROUP}x", change("Merge", a="1"), 404, "ResourceGroupNotFound"),
        ("PUT", ACCOUNT, {"properties": {"tags": {}}}, 405, "MethodNotAllowed"),
        ("DELETE", ACCOUNT, None, 405, "MethodNotAllowed"),
    ],
)
async def test_what_is_refused(method: str, path: str, body: object, status: int, code: str) -> None:
    async with arm_world([tagged()]) as world:
        reply = await world.send(method, path + TAIL, body)
        assert (reply.status, reply.code) == (status, code)
        assert world.service.estate.export() == [tagged()]


async def test_not_while_the_resource_is_updated() -> None:
    async with arm_world([account(provisioningState="Accepted")], settle_seconds=60) as world:
        reply = await world.send("PATCH", ACCOUNT + TAIL, change("Merge", a="1"))
        assert (reply.status, reply.code) == (409, "RequestConflict")


async def test_faults_meet_tags_by_their_own_path() -> None:
    faults = Faults(
        [
            Fault(path_contains=TAIL, status=504, after_effect=True),
            Fault(kind="stale", path_contains=TAIL),
            Fault(kind="refuse_property", property="properties.tags.b", status=403, code="RequestDisallowedByPolicy"),
        ]
    )
    async with arm_world([tagged()], faults=faults) as world:
        assert (await world.send("PATCH", ACCOUNT + TAIL, change("Replace", a="1"))).status == 504
        shown = [(await world.send("GET", ACCOUNT + TAIL)).body["properties"]["tags"] for _ in range(2)]
        assert shown == [LONG_AGO, {"a": "1"}]
        assert (await world.send("PATCH", ACCOUNT + TAIL, change("Merge", b="1"))).code == "RequestDisallowedByPolicy"
