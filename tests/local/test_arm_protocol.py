"""What every request to the local ARM meets, whatever the resource."""

import io
import time
from typing import Any

import pytest
from azure.core.pipeline.policies import AsyncRetryPolicy, HeadersPolicy
from azure.core.rest import AsyncHttpResponse, HttpRequest
from azure.mgmt.core import AsyncARMPipelineClient
from azure.mgmt.core.policies import AsyncARMChallengeAuthenticationPolicy

from local.arm import Estate
from local.identity import issue_token
from tests.local.arm_world import (
    ACCOUNT,
    ARM,
    DEV,
    GROUP,
    STORAGE,
    SUBSCRIPTION,
    TENANT,
    ArmWorld,
    Token,
    account,
    arm_world,
    resource,
)

DEPLOYMENT = f"{ACCOUNT}/deployments/gpt"
CONNECTION = f"{ACCOUNT}/privateEndpointConnections/pe"


async def test_generic_pipeline_client_reads_raw_json() -> None:
    async with arm_world([account(unknownToday={"a": [1]})]) as world:
        policies = [
            HeadersPolicy(),
            AsyncRetryPolicy(retry_total=0),
            AsyncARMChallengeAuthenticationPolicy(Token(), f"{ARM}/.default"),
        ]
        client: AsyncARMPipelineClient[HttpRequest, AsyncHttpResponse] = AsyncARMPipelineClient(
            world.url, policies=policies, connection_verify=str(world.ca_file)
        )
        async with client:
            request = HttpRequest("GET", client.format_url(ACCOUNT), params={"api-version": "2025-09-01"})
            answer = await client.send_request(request)
            assert answer.json()["properties"]["unknownToday"] == {"a": [1]}


async def test_ids_compare_without_case() -> None:
    async with arm_world([account()]) as world:
        reply = await world.send("GET", ACCOUNT.upper().replace("/SUBSCRIPTIONS/", "/subscriptions/"))
        assert reply.status == 200
        assert reply.body["id"] == ACCOUNT


@pytest.mark.parametrize(
    "path,status,code",
    [
        (f"{GROUP}/providers/Microsoft.Search/searchServices/none", 404, "ResourceNotFound"),
        (f"{GROUP}x/providers/Microsoft.Search/searchServices/none", 404, "ResourceGroupNotFound"),
        (f"{GROUP}x/providers/Microsoft.Search/searchServices", 404, "ResourceGroupNotFound"),
        ("/subscriptions/0/resourceGroups/a", 404, "SubscriptionNotFound"),
        (f"/subscriptions/{SUBSCRIPTION}/nonsense/a", 404, "InvalidResourceType"),
        ("/", 404, "InvalidResourceType"),
        ("/subscriptions/a b/resourceGroups/c", 404, "InvalidResourceType"),
    ],
)
async def test_what_is_absent(path: str, status: int, code: str) -> None:
    async with arm_world([account()]) as world:
        reply = await world.send("GET", path)
        assert (reply.status, reply.code) == (status, code)


@pytest.mark.parametrize(
    "version,code", [(None, "MissingApiVersionParameter"), ("latest", "InvalidApiVersionParameter")]
)
async def test_api_version_is_required(version: str | None, code: str) -> None:
    async with arm_world([account()]) as world:
        reply = await world.send("GET", ACCOUNT, version=version)
        assert (reply.status, reply.code) == (400, code)


@pytest.mark.parametrize(
    "authorization,code",
    [
        ("", "AuthenticationFailed"),
        ("Basic abc", "AuthenticationFailed"),
        ("Bearer ", "AuthenticationFailed"),
        (f"Bearer {issue_token(DEV, ARM, 0)}", "ExpiredAuthenticationToken"),
        (f"Bearer {issue_token(DEV, 'https://vault.azure.net', time.time())}", "InvalidAuthenticationTokenAudience"),
    ],
)
async def test_strangers_are_refused(authorization: str, code: str) -> None:
    async with arm_world([account()]) as world:
        reply = await world.send("GET", ACCOUNT, Authorization=authorization)
        assert (reply.status, reply.code) == (401, code)
        assert "Bearer" in reply.headers["WWW-Authenticate"]


async def test_headers_name_the_request() -> None:
    async with arm_world([account()]) as world:
        reply = await world.send("GET", ACCOUNT, x_ms_correlation_request_id="mine")
        assert reply.headers["x-ms-correlation-request-id"] == "mine"
        assert reply.headers["x-ms-request-id"]
        assert reply.headers["x-ms-ratelimit-remaining-subscription-reads"] == "249"


async def test_collections_groups_and_subscriptions() -> None:
    bodies = [account(), resource(DEPLOYMENT), resource(STORAGE), resource(f"{STORAGE}/blobServices/default")]
    async with arm_world(bodies) as world:
        kind = "providers/Microsoft.CognitiveServices/accounts"
        for path, ids in {
            f"{ACCOUNT}/deployments": [DEPLOYMENT],
            f"{ACCOUNT}/raiPolicies": [],
            f"{GROUP}/{kind}": [ACCOUNT],
            f"/subscriptions/{SUBSCRIPTION}/{kind}": [ACCOUNT],
            f"/subscriptions/{SUBSCRIPTION}/resourceGroups": [GROUP],
            f"{GROUP}/resources": [ACCOUNT, DEPLOYMENT, STORAGE, f"{STORAGE}/blobServices/default"],
        }.items():
            reply = await world.send("GET", path)
            assert [body["id"] for body in reply.body["value"]] == ids, path
        filtered = (
            f"{GROUP}/resources?api-version=2021-04-01&$filter=resourceType eq 'Microsoft.Storage/storageAccounts'"
        )
        assert [body["id"] for body in (await world.send("GET", filtered)).body["value"]] == [STORAGE]
        assert (await world.send("GET", f"/subscriptions/{SUBSCRIPTION}")).body["state"] == "Enabled"
        assert (await world.send("GET", GROUP)).body["name"] == "rg-ai"


async def names(world: ArmWorld, path: str) -> list[str]:
    """The names of a collection, page after page of at most two."""
    found: list[str] = []
    while path:
        reply = await world.send("GET", path)
        assert 0 < len(reply.body["value"]) <= 2
        found += [body.get("name", body["id"]) for body in reply.body["value"]]
        path = reply.body.get("nextLink", "").removeprefix(world.url)
    return found


@pytest.mark.parametrize(
    "collection",
    [
        f"{GROUP}/providers/Microsoft.CognitiveServices/accounts",
        f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.CognitiveServices/accounts",
        f"{ACCOUNT}/deployments",
        f"{ACCOUNT}/raiPolicies",
    ],
)
async def test_collections_come_in_pages(collection: str) -> None:
    below = collection if collection.startswith(GROUP) else f"{GROUP}/providers/Microsoft.CognitiveServices/accounts"
    bodies = [resource(f"{below}/n{n}") for n in range(5)]
    parents = [account()] if "aoai" in collection else []
    async with arm_world([*parents, *bodies], page_size=2) as world:
        assert await names(world, f"{collection}?api-version=2025-09-01") == ["n0", "n1", "n2", "n3", "n4"]


async def test_subscriptions_are_those_in_the_estate() -> None:
    vaults = [
        resource(f"/subscriptions/{name}/resourceGroups/rg/providers/Microsoft.KeyVault/vaults/kv")
        for name in (SUBSCRIPTION.upper(), "s2", "s3")
    ]
    async with arm_world([account(), *vaults], page_size=2) as world:
        reply = await world.send("GET", "/subscriptions", version="2022-12-01")
        assert reply.body["value"][0] == {
            "id": f"/subscriptions/{SUBSCRIPTION}",
            "subscriptionId": SUBSCRIPTION,
            "displayName": "Local rehearsal",
            "state": "Enabled",
            "tenantId": TENANT,
        }
        found = await names(world, "/subscriptions?api-version=2022-12-01")
        assert found == [f"/subscriptions/{name}" for name in (SUBSCRIPTION, "s2", "s3")]
        assert (await world.send("GET", "/subscriptions", Authorization="")).status == 401
        assert (await world.send("GET", "/subscriptions", version=None)).status == 400


async def test_connections_show_on_their_owner_wherever_they_stand() -> None:
    inline: dict[str, Any] = {"id": f"{ACCOUNT}/privateEndpointConnections/inline", "name": "inline", "properties": {}}
    bodies = [account(privateEndpointConnections=[inline]), resource(CONNECTION)]
    async with arm_world(bodies) as world:
        shown = await world.properties(ACCOUNT)
        assert [item["name"] for item in shown["privateEndpointConnections"]] == ["inline", "pe"]
        listed = await world.send("GET", f"{ACCOUNT}/privateEndpointConnections")
        assert [item["name"] for item in listed.body["value"]] == ["inline", "pe"]
        assert (await world.send("GET", inline["id"])).body["name"] == "inline"
        assert (await world.send("DELETE", inline["id"])).status == 200
        assert (await world.send("DELETE", CONNECTION)).status == 200
        assert (await world.properties(ACCOUNT))["privateEndpointConnections"] == []


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"1", b'{"a":' * 5000 + b"1" + b"}" * 5000, b"\xff\xfe"])
async def test_a_body_that_is_no_object_is_refused(content: bytes) -> None:
    async with arm_world([account()]) as world:
        path = f"{ACCOUNT}?api-version=2025-09-01"
        async with world.session.patch(path, data=content) as answer:
            assert answer.status == 400
        assert world.service.estate.export() == [account()]


async def test_other_methods_are_not_served() -> None:
    async with arm_world([account()]) as world:
        assert (await world.send("OPTIONS", ACCOUNT)).status == 405
        assert (await world.send("PUT", f"{GROUP}/resources", {})).status == 405
        assert (await world.send("HEAD", ACCOUNT)).status == 204


async def test_journal_tells_requests_without_what_could_be_secret() -> None:
    async with arm_world([account()]) as world:
        await world.send("POST", f"{ACCOUNT}/regenerateKey?api-version=2025-09-01&code=hush", {"keyName": "Key1"})
        line = world.service.requests[-1]
        assert (line.method, line.path, line.api_version, line.status) == (
            "POST",
            f"{ACCOUNT}/regenerateKey",
            "2025-09-01",
            200,
        )
        assert "hush" not in repr(world.service.requests)


def test_estate_gives_back_what_it_took() -> None:
    bodies = [account(), resource(DEPLOYMENT), resource(f"{ACCOUNT}/providers/Microsoft.Insights/diagnosticSettings/d")]
    estate = Estate(bodies)
    assert estate.export() == bodies
    estate.export()[0]["properties"] = {}
    bodies[0]["properties"] = {}
    assert estate.export()[0] == account()


@pytest.mark.parametrize("bodies", [[{}], [{"id": 1}], [{"id": "/nowhere"}], [account(), account()]])
def test_estate_refuses_bodies_without_an_id_of_their_own(bodies: list[dict[str, object]]) -> None:
    with pytest.raises(ValueError, match=r"id"):
        Estate(bodies)


async def test_groups_are_resources_too() -> None:
    async with arm_world([account()], operation_seconds=0) as world:
        group = (await world.send("PATCH", GROUP, {"tags": {"a": "b"}})).body
        assert (group["tags"], group["type"]) == ({"a": "b"}, "Microsoft.Resources/resourceGroups")
        assert (await world.send("PUT", GROUP, group)).status == 200
        assert (await world.send("DELETE", GROUP)).status == 200
        assert world.service.estate.export() == []
        assert (await world.send("PUT", f"/subscriptions/{SUBSCRIPTION}", {})).status == 404


async def test_hostile_headers_and_values_break_nothing() -> None:
    async with arm_world([account()], operation_seconds=0) as world:
        strange = b"caf\xe9\xff".decode("latin-1")
        assert (await world.send("GET", ACCOUNT, x_ms_correlation_request_id=strange)).status == 200
        async with world.session.patch(f"{ACCOUNT}?api-version=2025-01-01", data=b'{"tags":{"a":NaN}}') as answer:
            assert answer.status == 400
        too_much = io.BytesIO(b'{"tags":{"a":"' + b"x" * 5_000_000 + b'"}}')
        async with world.session.patch(f"{ACCOUNT}?api-version=2025-01-01", data=too_much) as answer:
            assert answer.status == 413
        assert (await world.send("PATCH", ACCOUNT, {"tags": {"a": "\ud800"}})).status == 202
        await world.send("DELETE", f"{ACCOUNT}/deleteQueryKey/hush")
        assert "hush" not in repr(world.service.requests)
        assert (await world.send("GET", ACCOUNT)).status == 200
