"""Reads and writes of Azure Resource Manager, on a local one that fails as it is told."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from local.faults import Fault, Faults
from shared.azure.arm import ArmClient
from shared.domain.arm_id import parse_arm_id
from shared.domain.body import JsonObject
from shared.domain.failure import AirlockError, Refused, TryAgain
from shared.domain.mode import Mode
from tests.azure.making import API_VERSION, CLOSED, TARGET, Answer, arm_client, arm_of, fix, scripted
from tests.local.arm_world import ACCOUNT, GROUP, SEARCH, STORAGE, SUBSCRIPTION, ArmWorld, account, arm_world, resource

pytestmark = pytest.mark.usefixtures("identity")


def access(world: ArmWorld) -> object:
    """Whether the account is open, as it stands in the estate."""
    body: Any = world.service.estate.find(ACCOUNT)
    return body["properties"]["publicNetworkAccess"]


async def test_a_body_is_read_with_all_that_it_holds() -> None:
    known = account(somethingNew={"deep": [1, None, {"x": True}]})
    async with arm_world([known]) as world, arm_of(world) as arm:
        assert await arm.read(TARGET, API_VERSION) == known
        assert world.service.requests[-1].api_version == API_VERSION


@pytest.mark.parametrize("absent", [f"{ACCOUNT}2", ACCOUNT.replace("rg-ai", "rg-gone"), f"{GROUP}2"])
async def test_what_is_absent_is_nothing(absent: str) -> None:
    async with arm_world([account()]) as world, arm_of(world) as arm:
        assert await arm.read(parse_arm_id(absent), API_VERSION) is None


async def test_a_subscription_that_is_not_there_is_refused() -> None:
    async with arm_world([account()]) as world, arm_of(world) as arm:
        with pytest.raises(Refused) as refused:
            await arm.read(parse_arm_id(ACCOUNT.replace(SUBSCRIPTION, "0")), API_VERSION)
        assert refused.value.cause.code == "arm.subscription-not-found"
        assert refused.value.cause.request_id


@pytest.mark.parametrize(
    "fault,reason",
    [
        (Fault(kind="truncate"), "arm.unreadable-answer"),
        (Fault(kind="reset"), "arm.unreachable"),
        (Fault(status=500), "arm.internal-server-error"),
        (Fault(status=408, code="RequestTimeout"), "arm.request-timeout"),
        (Fault(status=401, code="InvalidAuthenticationToken"), "arm.invalid-authentication-token"),
    ],
)
async def test_a_read_that_failed_can_be_tried_again(fault: Fault, reason: str) -> None:
    async with arm_world([account()], faults=Faults([fault])) as world, arm_of(world) as arm:
        with pytest.raises(TryAgain) as told:
            await arm.read(TARGET, API_VERSION)
        assert told.value.cause.code == reason
        assert await arm.read(TARGET, API_VERSION) is not None


@pytest.mark.parametrize("headers,after", [({"Retry-After": "7"}, timedelta(seconds=7)), ({}, None)])
async def test_a_throttled_call_is_made_once_and_says_when(headers: dict[str, str], after: timedelta | None) -> None:
    fault = Fault(status=429, code="TooManyRequests", headers=headers, times=2)
    async with arm_world([account()], faults=Faults([fault])) as world, arm_of(world) as arm:
        for call in (arm.read(TARGET, API_VERSION), arm.send(fix())):
            with pytest.raises(TryAgain) as told:
                await call
            assert told.value.after == after
        assert [line.status for line in world.service.requests] == [429, 429]


@pytest.mark.parametrize(
    "answer",
    [b"", b"{", b"<html/>", b'{"properties": "\xff"}', b"[" * 100_000, b"9" * 5000, [], None, "text", 7, True],
)
async def test_an_answer_that_is_no_object_is_no_resource(answer: object) -> None:
    """Taken for an empty body it would look like a resource at its insecure defaults."""
    async with scripted(Answer(200, answer)) as server, arm_client(server.url, server.ca_file) as arm:
        with pytest.raises(TryAgain) as told:
            await arm.read(TARGET, API_VERSION)
        assert told.value.cause.code == "arm.unreadable-answer"


@pytest.mark.parametrize(
    "status,kind", [(403, Refused), (404, None), (409, TryAgain), (429, TryAgain), (503, TryAgain)]
)
async def test_an_error_without_a_body_is_told_by_its_status(status: int, kind: type[AirlockError] | None) -> None:
    answer = Answer(status, b"", {"Retry-After": "7"})
    async with scripted(answer) as server, arm_client(server.url, server.ca_file) as arm:
        if kind is None:
            assert await arm.read(TARGET, API_VERSION) is None
            return
        with pytest.raises(kind) as told:
            await arm.read(TARGET, API_VERSION)
        assert told.value.cause.code == f"arm.http-{status}"
        assert not isinstance(told.value, TryAgain) or told.value.after == timedelta(seconds=7)


async def test_nobody_there() -> None:
    async with arm_world() as world:
        gone = world.url
    async with arm_world() as world, arm_client(gone, world.ca_file) as arm:
        with pytest.raises(TryAgain) as told:
            await arm.read(TARGET, API_VERSION)
        assert told.value.cause.code == "arm.unreachable"


async def test_without_a_token_nothing_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IDENTITY_HEADER", "guessed")
    async with arm_world([account()]) as world, arm_of(world) as arm:
        with pytest.raises(TryAgain) as told:
            await arm.read(TARGET, API_VERSION)
        assert told.value.cause.code == "arm.no-token"
        assert world.service.requests == []


async def test_a_fix_is_sent_with_its_entity_tag() -> None:
    async with arm_world([account()], operation_seconds=0) as world, arm_of(world) as arm:
        receipt = await arm.send(fix(etag='"0001"'))
        assert receipt.failure is None
        assert len(receipt.request_ids) == 1
        assert access(world) == "Disabled"
        with pytest.raises(TryAgain) as late:
            await arm.send(fix(etag='"0001"', body={"properties": {"publicNetworkAccess": "Enabled"}}))
        assert late.value.cause.code == "arm.precondition-failed"
        assert access(world) == "Disabled"


@pytest.mark.parametrize("mode", [Mode.AUDIT, Mode.OFF])
async def test_a_fix_that_may_not_be_made_is_not_sent(mode: Mode) -> None:
    async with arm_world([account()]) as world, arm_of(world) as arm:
        with pytest.raises(Refused) as refused:
            await arm.send(fix(mode=mode))
        assert refused.value.cause.code == "gate.write-refused"
        assert world.service.requests == []


@pytest.mark.parametrize(
    "fault,reason",
    [
        (Fault(status=409, code="ScopeLocked"), "arm.scope-locked"),
        (Fault(status=403, code="AuthorizationFailed"), "arm.authorization-failed"),
        (
            Fault(
                kind="refuse_property",
                property="properties.publicNetworkAccess",
                status=403,
                code="RequestDisallowedByPolicy",
            ),
            "arm.request-disallowed-by-policy",
        ),
    ],
)
async def test_a_fix_that_is_refused_for_good(fault: Fault, reason: str) -> None:
    async with arm_world([account()], faults=Faults([fault])) as world, arm_of(world) as arm:
        with pytest.raises(Refused) as refused:
            await arm.send(fix())
        assert refused.value.cause.code == reason
        assert len(world.service.requests) == 1
        assert access(world) == "Enabled"


@pytest.mark.parametrize("effect,state", [(False, "Enabled"), (True, "Disabled")])
@pytest.mark.parametrize("kind", ["reset", "status"])
async def test_a_fix_whose_answer_is_lost_can_be_tried_again(kind: Any, effect: bool, state: str) -> None:  # noqa: ANN401, FBT001 - columns
    fault = Fault(kind=kind, status=504, method="PATCH", after_effect=effect)
    async with arm_world([account()], faults=Faults([fault])) as world, arm_of(world) as arm:
        with pytest.raises(TryAgain):
            await arm.send(fix())
        assert len(world.service.requests) == 1
        assert access(world) == state


async def test_a_fix_while_another_update_runs_can_be_tried_again() -> None:
    async with arm_world([account()], operation_seconds=60) as world, arm_of(world) as arm:
        assert (await world.send("PATCH", ACCOUNT, {"tags": {"a": "b"}})).status == 202
        with pytest.raises(TryAgain):
            await arm.send(fix())


async def test_a_fix_that_is_done_at_once() -> None:
    body = {"properties": {"minimumTlsVersion": "TLS1_2"}}
    async with arm_world([resource(STORAGE)]) as world, arm_of(world) as arm:
        receipt = await arm.send(fix(parse_arm_id(STORAGE), body=body))  # type: ignore[arg-type] # JSON all the same
        assert receipt.failure is None
        assert [line.method for line in world.service.requests] == ["PATCH"]
        assert (await world.properties(STORAGE))["minimumTlsVersion"] == "TLS1_2"


def odd_ids() -> Iterator[str]:
    """Names that Azure allows and a URL must quote, in every place where they may stand."""
    for name in ("rg with blanks", "rg-(west)", "Größe_ĳ", "資源", "a.b-c_d", "$Default", "(x)"):
        yield ACCOUNT.replace("rg-ai", name)
        yield ACCOUNT.replace("aoai", name)


@pytest.mark.parametrize("odd", tuple(odd_ids()))
async def test_names_are_quoted(odd: str) -> None:
    body = resource(odd, {"publicNetworkAccess": "Enabled", "provisioningState": "Succeeded"})
    async with arm_world([body, account()], operation_seconds=0) as world, arm_of(world) as arm:
        target = parse_arm_id(odd)
        assert (await arm.read(target, API_VERSION) or {})["id"] == odd
        receipt = await arm.send(fix(target, body=CLOSED))
        assert receipt.failure is None
        assert [line.path for line in world.service.requests[:2]] == [odd, odd]
        assert ((await arm.read(target, API_VERSION) or {})["properties"] or {}) != body["properties"]


# From here on: searches.

GRAPH = "/providers/Microsoft.ResourceGraph/resources"
KINDS = ("Microsoft.Search/searchServices", "Microsoft.CognitiveServices/accounts")


async def found(arm: ArmClient, *kinds: str) -> list[JsonObject]:
    """All that a search answers."""
    return [row async for row in arm.search(kinds or KINDS)]


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
async def test_a_search_goes_through_all_pages(size: int) -> None:
    services = [resource(f"{SEARCH}{number}", {"publicNetworkAccess": "enabled"}) for number in range(5)]
    bodies = [*services, account(), resource(STORAGE), resource(f"{ACCOUNT}/deployments/gpt")]
    async with arm_world(bodies, graph_page_size=size) as world, arm_of(world) as arm:
        rows = await found(arm)
        assert [row["id"] for row in rows] == [ACCOUNT, *(service["id"] for service in services)]
        assert len(world.service.requests) == -(-6 // size)
        assert rows[0]["properties"] == account()["properties"]
        shown = {"id", "name", "type", "kind", "location", "tags", "sku", "identity", "properties"}
        assert all(row.keys() == shown for row in rows), "what rules and scope look at"


async def test_a_search_for_what_is_not_there_finds_nothing() -> None:
    async with arm_world([account()]) as world, arm_of(world) as arm:
        assert await found(arm, "Microsoft.Search/searchServices") == []


async def test_a_search_asks_for_types_in_any_case() -> None:
    async with arm_world([account()]) as world, arm_of(world) as arm:
        assert len(await found(arm, "MICROSOFT.COGNITIVESERVICES/ACCOUNTS")) == 1


async def test_a_search_that_is_throttled_waits_and_goes_on() -> None:
    throttled = Fault(status=429, code="RateLimiting", path_contains=GRAPH, skip=1)
    bodies = [resource(f"{SEARCH}{number}") for number in range(4)]
    async with arm_world(bodies, faults=Faults([throttled]), graph_page_size=2) as world, arm_of(world) as arm:
        assert [row["name"] for row in await found(arm)] == [f"find{number}" for number in range(4)]
        assert [line.status for line in world.service.requests] == [200, 429, 200]


async def test_a_search_that_is_throttled_for_too_long_is_tried_again_later() -> None:
    throttled = Fault(status=429, code="RateLimiting", headers={"Retry-After": "3600"}, times=None)
    async with arm_world([account()], faults=Faults([throttled])) as world, arm_of(world) as arm:
        with pytest.raises(TryAgain) as told:
            await found(arm)
        assert told.value.after == timedelta(hours=1)
        assert len(world.service.requests) == 1


async def test_a_search_that_is_refused_is_not_repeated() -> None:
    fault = Fault(status=403, code="AuthorizationFailed", times=None)
    async with arm_world([account()], faults=Faults([fault])) as world, arm_of(world) as arm:
        with pytest.raises(Refused) as refused:
            await found(arm)
        assert refused.value.cause.code == "arm.authorization-failed"
        assert len(world.service.requests) == 1


async def test_what_was_found_until_a_search_broke_off_stands() -> None:
    fault = Fault(status=403, code="AuthorizationFailed", skip=1, times=None)
    bodies = [resource(f"{SEARCH}{number}") for number in range(4)]
    names: list[object] = []
    async with arm_world(bodies, faults=Faults([fault]), graph_page_size=3) as world, arm_of(world) as arm:
        with pytest.raises(Refused):  # noqa: PT012 - it breaks off
            async for row in arm.search(KINDS):
                names += [row["name"]]
    assert names == ["find0", "find1", "find2"]


async def test_rows_that_are_no_resources_are_objects_all_the_same() -> None:
    junk: list[Any] = [None, "text", 7, True, [], [{"id": 1}], {}, {"id": None}, {"id": ACCOUNT, "type": 5}]
    pages = [Answer(200, {"data": junk[:4], "$skipToken": "next"}), Answer(200, {"data": junk[4:]})]
    async with scripted(*pages) as server, arm_client(server.url, server.ca_file) as arm:
        rows = await found(arm)
        assert [row for row in rows if row] == [{"id": None}, {"id": ACCOUNT, "type": 5}]
        assert len(rows) == len(junk)
        assert server.asked == [f"POST {GRAPH}"] * 2


@pytest.mark.parametrize(
    "page",
    [{}, {"data": None}, {"data": {"rows": []}}, {"data": "x"}, {"data": [], "$skipToken": 7}, {"$skipToken": ""}],
)
async def test_a_page_without_rows_is_the_last_one(page: object) -> None:
    async with scripted(Answer(200, page)) as server, arm_client(server.url, server.ca_file) as arm:
        assert await found(arm) == []
        assert len(server.asked) == 1


async def test_a_search_without_an_end_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.azure.arm._MOST_PAGES", 3)
    page = Answer(200, {"data": [{"id": ACCOUNT}], "$skipToken": "again"})
    async with scripted(page) as server, arm_client(server.url, server.ca_file) as arm:
        with pytest.raises(Refused) as refused:
            await found(arm)
        assert refused.value.cause.code == "arm.too-many-pages"
        assert len(server.asked) == 3
