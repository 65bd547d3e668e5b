"""Token buckets, Resource Graph, latency."""

import time

import pytest

from tests.local.arm_world import (
    ACCOUNT,
    GROUP,
    SEARCH,
    STORAGE,
    SUBSCRIPTION,
    Clock,
    account,
    arm_world,
    resource,
)

GRAPH = "/providers/Microsoft.ResourceGraph/resources"


async def test_writes_run_out_and_come_back() -> None:
    clock = Clock()
    async with arm_world([resource(STORAGE)], clock=clock, throttled=True) as world:
        statuses = [(await world.send("PATCH", STORAGE, {})).status for _ in range(200)]
        assert set(statuses) == {200}
        refused = await world.send("PATCH", STORAGE, {})
        assert (refused.status, refused.code) == (429, "SubscriptionRequestsThrottled")
        assert refused.headers["Retry-After"] == "1"
        assert (await world.send("GET", STORAGE)).headers["x-ms-ratelimit-remaining-subscription-reads"] == "249"
        clock.now += 0.2
        assert [(await world.send("PATCH", STORAGE, {})).status for _ in range(3)] == [200, 200, 429]


async def test_another_caller_has_buckets_of_its_own() -> None:
    async with arm_world([resource(STORAGE)], clock=Clock(), throttled=True) as world:
        for _ in range(201):
            last = await world.send("POST", f"{STORAGE}/listKeys")
        assert last.status == 429
        assert (await world.send("POST", f"{STORAGE}/listKeys", Authorization="Bearer other")).status == 200


async def test_graph_lists_resources_by_type_in_pages() -> None:
    services = [resource(f"{SEARCH}{n}") for n in range(5)]
    bodies = [account(), *services, resource(f"{ACCOUNT}/providers/Microsoft.Authorization/locks/l")]
    async with arm_world(bodies, graph_page_size=2) as world:
        query = "Resources | where type in~ ('microsoft.search/searchservices', 'x/y') | order by id asc"
        options: dict[str, object] = {}
        names = []
        while True:
            request = {"query": query, "subscriptions": [SUBSCRIPTION], "options": options}
            page = (await world.send("POST", GRAPH, request)).body
            names += [row["name"] for row in page["data"]]
            assert page["totalRecords"] == 5
            if "$skipToken" not in page:
                break
            options = {"$skipToken": page["$skipToken"]}
        assert names == [f"find{n}" for n in range(5)]


async def test_graph_rows() -> None:
    async with arm_world([account(), resource(STORAGE)]) as world:
        everything = (await world.send("POST", GRAPH, {})).body["data"]
        assert [row["type"] for row in everything] == [
            "microsoft.cognitiveservices/accounts",
            "microsoft.storage/storageaccounts",
        ]
        assert everything[0]["resourceGroup"] == "rg-ai"
        one = {"query": "resources|where type =~ 'Microsoft.Storage/storageAccounts'|project id, type"}
        assert (await world.send("POST", GRAPH, one)).body["data"] == [
            {"id": STORAGE, "type": "microsoft.storage/storageaccounts"}
        ]
        elsewhere = {"query": "Resources", "subscriptions": ["other"]}
        assert (await world.send("POST", GRAPH, elsewhere)).body["data"] == []


@pytest.mark.parametrize(
    "request_body,code",
    [
        ({"query": "Resources | where properties.x == 1"}, "InvalidQuery"),
        ({"query": "SecurityResources"}, "InvalidQuery"),
        ({"query": "Resources", "options": {"$top": "many"}}, "InvalidOptions"),
        ({"query": "Resources", "options": {"$skipToken": "-1"}}, "InvalidOptions"),
    ],
)
async def test_graph_says_what_it_does_not_understand(request_body: dict[str, object], code: str) -> None:
    async with arm_world([account()]) as world:
        reply = await world.send("POST", GRAPH, request_body)
        assert (reply.status, reply.code) == (400, code)


async def test_filters_and_pages_that_are_not_ours_are_refused() -> None:
    async with arm_world([account()]) as world:
        for query, code in (
            ("$filter=name eq 'x'", "InvalidFilterInQueryString"),
            ("$skipToken=x", "InvalidSkipToken"),
        ):
            assert (await world.send("GET", f"{GROUP}/resources?api-version=2021-04-01&{query}")).code == code


async def test_latency() -> None:
    async with arm_world([account()], latency_seconds=0.05) as world:
        begun = time.perf_counter()
        await world.send("GET", ACCOUNT)
        assert time.perf_counter() - begun >= 0.05
