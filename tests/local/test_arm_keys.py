"""Keys, through the real SDKs."""

from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError
from azure.mgmt.cognitiveservices.aio import CognitiveServicesManagementClient
from azure.mgmt.storage.aio import StorageManagementClient

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


async def test_search_admin_and_query_keys() -> None:
    async with arm_world([resource(SEARCH)]) as world:
        before = (await world.send("POST", f"{SEARCH}/listAdminKeys")).body
        after = (await world.send("POST", f"{SEARCH}/regenerateAdminKey/primary")).body
        assert after["primaryKey"] != before["primaryKey"]
        assert after["secondaryKey"] == before["secondaryKey"]
        query = (await world.send("POST", f"{SEARCH}/listQueryKeys")).body["value"][0]["key"]
        assert query not in after.values()


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
