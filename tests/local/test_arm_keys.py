"""Keys, through the real SDKs."""

import re
from collections import Counter
from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError
from azure.mgmt.cognitiveservices.aio import CognitiveServicesManagementClient
from azure.mgmt.search.aio import SearchManagementClient
from azure.mgmt.storage.aio import StorageManagementClient

from local.faults import Fault, Faults
from tests.local.arm_world import ACCOUNT, SEARCH, STORAGE, SUBSCRIPTION, VAULT, Token, account, arm_world, resource


async def test_cognitive_keys_change_one_at_a_time() -> None:
    async with (
        arm_world([account()]) as world,
        CognitiveServicesManagementClient(Token(), SUBSCRIPTION, **world.sdk) as client,
    ):
        before = await client.accounts.list_keys("rg-ai", "aoai")
        after = await client.accounts.regenerate_key("rg-ai", "aoai", "Key1")
        assert after.key1 != before.key1
        assert after.key2 == before.key2
        assert (await client.accounts.list_keys("rg-ai", "aoai")).key1 == after.key1


async def test_storage_keys_change_and_are_dated() -> None:
    async with (
        arm_world([resource(STORAGE)]) as world,
        StorageManagementClient(Token(), SUBSCRIPTION, **world.sdk) as client,
    ):
        before = (await client.storage_accounts.list_keys("rg-ai", "stai")).keys_property or []
        request: Any = {"keyName": "key2"}
        after = (await client.storage_accounts.regenerate_key("rg-ai", "stai", request)).keys_property or []
        assert [key.key_name for key in after] == ["key1", "key2"]
        assert [old.value == new.value for old, new in zip(before, after, strict=True)] == [True, False]
        assert after[1].creation_time is not None
        assert "key2" in (await world.properties(STORAGE))["keyCreationTime"]


async def test_search_admin_keys_change_and_query_keys_stay() -> None:
    async with (
        arm_world([resource(SEARCH)]) as world,
        SearchManagementClient(Token(), SUBSCRIPTION, **world.sdk) as client,
    ):
        before = await client.admin_keys.get("rg-ai", "find")
        queries = [found async for found in client.query_keys.list_by_search_service("rg-ai", "find")]
        after = await client.admin_keys.regenerate("rg-ai", "find", "primary")
        assert after.primary_key != before.primary_key
        assert after.secondary_key == before.secondary_key
        assert [found.name for found in queries] == [None, "reporting"]
        later = [found.key async for found in client.query_keys.list_by_search_service("rg-ai", "find")]
        assert later == [found.key for found in queries]
        assert len({before.primary_key, before.secondary_key, after.primary_key, *later}) == 5


@pytest.mark.parametrize(
    "path,shape",
    [
        (ACCOUNT, r"[A-Za-z0-9]{52}JQQJ99[A-Za-z0-9][A-L][A-Za-z0-9]{16}[A-Za-z][A-Za-z0-9]{7}"),
        (SEARCH, r"[A-Za-z0-9]{42}AzSe[A-D][A-Za-z0-9]{5}"),
        (STORAGE, r"[A-Za-z0-9/+]{76}\+ASt[A-Za-z0-9/+]{6}=="),
    ],
)
async def test_keys_look_like_real_ones(path: str, shape: str) -> None:
    async with arm_world([account(), resource(SEARCH), resource(STORAGE)]) as world:
        verb = "listAdminKeys" if path == SEARCH else "listKeys"
        text = (await world.send("POST", f"{path}/{verb}")).body
        values = [item["value"] for item in text["keys"]] if path == STORAGE else list(text.values())
        assert len(values) == 2
        assert all(re.fullmatch(shape, value) for value in values)


async def test_who_runs_the_rehearsal_knows_the_keys() -> None:
    async with arm_world([account(disableLocalAuth=True), resource(SEARCH), resource(STORAGE)]) as world:
        service = world.service
        before = service.key_of(ACCOUNT.upper(), "Key1")
        told = (await world.send("POST", f"{ACCOUNT}/regenerateKey", {"keyName": "Key1"})).body
        assert before != service.key_of(ACCOUNT, "key1") == told["key1"]
        admin = (await world.send("POST", f"{SEARCH}/listAdminKeys")).body
        assert service.key_of(SEARCH, "secondary") == admin["secondaryKey"]
        query = (await world.send("POST", f"{SEARCH}/listQueryKeys")).body["value"]
        assert [item["key"] for item in query] == [service.key_of(SEARCH, f"query{n}") for n in ("", "/reporting")]
        stored = (await world.send("POST", f"{STORAGE}/listKeys")).body["keys"]
        assert service.key_of(STORAGE, "key2") == stored[1]["value"]
        for path, slot in ((ACCOUNT, "primary"), (f"{ACCOUNT}x", "key1"), (STORAGE, "query"), (VAULT, "key1")):
            with pytest.raises(ValueError, match=slot):
                service.key_of(path, slot)


@pytest.mark.parametrize("after_effect,times", [(False, 1), (True, 2)])
async def test_regenerations_are_counted_by_their_effect(after_effect: bool, times: int) -> None:  # noqa: FBT001 (a parameter of the test)
    faults = Faults([Fault(method="POST", status=504, after_effect=after_effect)])
    async with arm_world([account()], faults=faults) as world:
        replies = [await world.send("POST", f"{ACCOUNT}/regenerateKey", {"keyName": "Key2"}) for _ in range(2)]
        assert [reply.status for reply in replies] == [504, 200]
        assert world.service.regenerations == Counter({(ACCOUNT.lower(), "key2"): times})


async def test_keys_cannot_be_listed_without_local_authentication() -> None:
    async with (
        arm_world([account(disableLocalAuth=True)]) as world,
        CognitiveServicesManagementClient(Token(), SUBSCRIPTION, **world.sdk) as client,
    ):
        with pytest.raises(HttpResponseError, match="disableLocalAuth"):
            await client.accounts.list_keys("rg-ai", "aoai")


@pytest.mark.parametrize(
    "path,body,status,code",
    [
        (f"{ACCOUNT}/regenerateKey", {"keyName": "Key3"}, 400, "InvalidKeyName"),
        (f"{ACCOUNT}/regenerateKey", {}, 400, "InvalidKeyName"),
        (f"{SEARCH}/regenerateAdminKey/tertiary", None, 400, "InvalidKeyName"),
        (f"{SEARCH}/regenerateAdminKey", None, 404, "InvalidResourceType"),
        (f"{ACCOUNT}/selfDestruct", None, 404, "InvalidResourceType"),
        (f"{ACCOUNT}x/listKeys", None, 404, "ResourceNotFound"),
        (f"{VAULT}/listKeys", None, 404, "InvalidResourceType"),
        ("/subscriptions", None, 404, "InvalidResourceType"),
    ],
)
async def test_other_actions_are_refused(path: str, body: object, status: int, code: str) -> None:
    async with arm_world([account(), resource(SEARCH), resource(VAULT)]) as world:
        reply = await world.send("POST", path, body)
        assert (reply.status, reply.code) == (status, code)


async def test_the_same_seed_has_the_same_keys() -> None:
    keys = []
    for seed in (1, 1, 2):
        async with arm_world([account()], seed=seed) as world:
            keys.append((await world.send("POST", f"{ACCOUNT}/listKeys")).body["key1"])
    assert keys[0] == keys[1] != keys[2]
