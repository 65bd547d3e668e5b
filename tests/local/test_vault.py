"""The key vault, through the real client."""

import json
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession, TCPConnector
from azure.core.credentials_async import AsyncTokenCredential
from azure.core.exceptions import HttpResponseError, ResourceNotFoundError
from azure.identity.aio import ManagedIdentityCredential
from azure.keyvault.secrets.aio import SecretClient

from local.certificate import Certificate
from local.faults import Fault, Faults
from local.identity import PATH, IdentityService, issue_token
from local.vault import LIMIT_BYTES, VaultService
from tests.local.arm_world import ARM, OURS, TENANT, Token, serve

SECRET = "/secrets/aoai-key1?api-version=7.6"
AUDIENCE = "https://vault.azure.net"


@dataclass(frozen=True)
class Vault:
    service: VaultService
    url: str
    ca_file: Path
    session: ClientSession

    def client(self, credential: AsyncTokenCredential) -> SecretClient:
        """The real client, its check of the challenge left on."""
        return SecretClient(self.url, credential, connection_verify=str(self.ca_file), retry_total=0)

    async def send(self, method: str, path: str, body: object = None, **headers: str) -> tuple[int, Any]:
        """Send one request as somebody with a token for key vaults."""
        async with self.session.request(method, path, json=body, headers=headers) as answer:
            return answer.status, json.loads(await answer.read())


@asynccontextmanager
async def vault(faults: Sequence[Fault] = ()) -> AsyncIterator[Vault]:
    async with AsyncExitStack() as stack:
        certificate = Certificate.issue(Path(stack.enter_context(tempfile.TemporaryDirectory())))
        service = VaultService(TENANT, time.time, Faults(faults))
        url = await stack.enter_async_context(serve(service.application(), certificate.server))
        headers = {"Authorization": f"Bearer {issue_token(OURS, AUDIENCE, time.time())}"}
        connector = TCPConnector(ssl=certificate.client)
        session = await stack.enter_async_context(ClientSession(url, headers=headers, connector=connector))
        yield Vault(service, url, certificate.ca_file, session)


async def test_a_secret_gets_version_after_version() -> None:
    async with vault() as kv, kv.client(Token()) as client:
        first = await client.set_secret("aoai-key1", "one", tags={"cause": "c1"}, content_type="key")
        second = await client.set_secret("AOAI-key1", "two")
        assert (await client.get_secret("aoai-key1")).value == "two"
        old = await client.get_secret("aoai-key1", first.properties.version)
        assert (old.value, old.properties.tags, old.properties.content_type) == ("one", {"cause": "c1"}, "key")
        listed = [found async for found in client.list_properties_of_secret_versions("aoai-key1")]
        assert [found.version for found in listed] == [first.properties.version, second.properties.version]
        assert all(found.created_on and found.enabled for found in listed)
        assert kv.service.versions("aoai-key1") == ["one", "two"]
        assert kv.service.versions("other") == []


async def test_the_managed_identity_gets_a_token_for_what_the_vault_tells(monkeypatch: pytest.MonkeyPatch) -> None:
    identity = IdentityService([OURS], "secret", time.time)
    async with serve(identity.application()) as url, vault() as kv:
        monkeypatch.setenv("IDENTITY_ENDPOINT", url + PATH)
        monkeypatch.setenv("IDENTITY_HEADER", "secret")
        async with ManagedIdentityCredential() as credential, kv.client(credential) as client:
            await client.set_secret("a", "one")
            await client.set_secret("a", "two")
        assert kv.service.versions("a") == ["one", "two"]
        assert [line.status for line in kv.service.requests] == [401, 200, 200]
        assert identity.issued == 1


async def test_many_versions_come_in_pages() -> None:
    async with vault() as kv, kv.client(Token()) as client:
        for n in range(7):
            await client.set_secret("a", str(n))
        pages = client.list_properties_of_secret_versions("a", max_page_size=3).by_page()
        assert [len([found async for found in page]) async for page in pages] == [3, 3, 1]


async def test_what_is_absent() -> None:
    async with vault() as kv, kv.client(Token()) as client:
        with pytest.raises(ResourceNotFoundError, match="SecretNotFound"):
            await client.get_secret("a")
        await client.set_secret("a", "one")
        with pytest.raises(ResourceNotFoundError):
            await client.get_secret("a", "0" * 32)


async def test_a_disabled_version_is_listed_but_not_read() -> None:
    async with vault() as kv, kv.client(Token()) as client:
        await client.set_secret("a", "one", enabled=False)
        with pytest.raises(HttpResponseError, match="disabled"):
            await client.get_secret("a")
        assert [found.enabled async for found in client.list_properties_of_secret_versions("a")] == [False]


@pytest.mark.parametrize(
    "method,path,body,status,code",
    [
        ("PUT", SECRET, {}, 400, "BadParameter"),
        ("PUT", SECRET, {"value": 1}, 400, "BadParameter"),
        ("PUT", SECRET, {"value": "x" * (LIMIT_BYTES + 1)}, 400, "BadParameter"),
        ("PUT", SECRET, [], 400, "InvalidRequestContent"),
        ("PUT", "/secrets/aoai-key1", {"value": "x"}, 400, "BadParameter"),
        ("PUT", "/secrets/no_dash?api-version=7.6", {"value": "x"}, 400, "BadParameter"),
        ("GET", "/secrets/a/versions?api-version=7.6", None, 404, "SecretNotFound"),
    ],
)
async def test_what_is_refused(method: str, path: str, body: object, status: int, code: str) -> None:
    async with vault() as kv:
        answer = await kv.send(method, path, body)
        assert (answer[0], answer[1]["error"]["code"]) == (status, code)
        assert kv.service.versions("aoai-key1") == []


@pytest.mark.parametrize("query", ["maxresults=26", "maxresults=0", "maxresults=x", "$skiptoken=-1"])
async def test_pages_that_are_not_ours(query: str) -> None:
    async with vault() as kv:
        await kv.send("PUT", SECRET, {"value": "x"})
        assert (await kv.send("GET", f"/secrets/aoai-key1/versions?api-version=7.6&{query}"))[0] == 400


@pytest.mark.parametrize(
    "authorization",
    ["", f"Bearer {issue_token(OURS, ARM, time.time())}", f"Bearer {issue_token(OURS, AUDIENCE, 0)}"],
)
async def test_strangers_are_told_where_tokens_are(authorization: str) -> None:
    async with vault() as kv:
        async with kv.session.put(SECRET, json={"value": "x"}, headers={"Authorization": authorization}) as answer:
            assert answer.status == 401
            port = kv.url.rpartition(":")[2]
            assert answer.headers["WWW-Authenticate"] == (
                f'Bearer authorization="https://login.microsoftonline.com/{TENANT}", resource="https://0.0.1:{port}"'
            )
        assert kv.service.versions("aoai-key1") == []


async def test_the_journal_holds_no_value() -> None:
    async with vault() as kv:
        await kv.send("PUT", SECRET, {"value": "hush"})
        (line,) = kv.service.requests
        assert (line.method, line.path, line.status) == ("PUT", "/secrets/aoai-key1", 200)
        assert "hush" not in repr(line)


@pytest.mark.parametrize("after_effect,kept", [(False, []), (True, ["one"])])
async def test_faults_reach_the_client(after_effect: bool, kept: list[str]) -> None:  # noqa: FBT001 (a parameter of the test)
    async with vault([Fault(service="vault", status=503, skip=1, after_effect=after_effect)]) as kv:
        async with kv.client(Token()) as client:
            with pytest.raises(HttpResponseError) as caught:
                await client.set_secret("a", "one")
        assert caught.value.status_code == 503
        assert kv.service.versions("a") == kept
