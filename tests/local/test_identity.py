"""The identity endpoint, through the credential that the deployed app uses."""

import time

import pytest
from aiohttp import ClientSession
from azure.core.exceptions import ClientAuthenticationError
from azure.identity import CredentialUnavailableError
from azure.identity.aio import ManagedIdentityCredential

from local.identity import PATH, IdentityService, claims_of, issue_token
from tests.local.arm_world import DEV, OURS, serve

SCOPE = "https://management.azure.com/.default"


async def test_real_credential_gets_a_token_of_the_system_assigned_identity(monkeypatch: pytest.MonkeyPatch) -> None:
    service = IdentityService([OURS], "secret", time.time)
    async with serve(service.application()) as url:
        monkeypatch.setenv("IDENTITY_ENDPOINT", url + PATH)
        monkeypatch.setenv("IDENTITY_HEADER", "secret")
        async with ManagedIdentityCredential() as credential:
            token = await credential.get_token(SCOPE)
            again = await credential.get_token(SCOPE)
    claims = claims_of(token.token)
    assert claims["oid"] == OURS.object_id
    assert claims["aud"] == "https://management.azure.com"
    assert token.expires_on == claims["exp"]
    assert again.token == token.token
    assert service.issued == 1


async def test_user_assigned_identity_is_chosen_by_client_id(monkeypatch: pytest.MonkeyPatch) -> None:
    service = IdentityService([OURS, DEV], "secret", time.time)
    async with serve(service.application()) as url:
        monkeypatch.setenv("IDENTITY_ENDPOINT", url + PATH)
        monkeypatch.setenv("IDENTITY_HEADER", "secret")
        async with ManagedIdentityCredential(client_id=DEV.client_id.upper()) as credential:
            token = await credential.get_token(SCOPE)
    assert claims_of(token.token)["appid"] == DEV.client_id


async def test_wrong_header_gets_no_token(monkeypatch: pytest.MonkeyPatch) -> None:
    service = IdentityService([OURS], "secret", time.time)
    async with serve(service.application()) as url:
        monkeypatch.setenv("IDENTITY_ENDPOINT", url + PATH)
        monkeypatch.setenv("IDENTITY_HEADER", "guessed")
        async with ManagedIdentityCredential() as credential:
            with pytest.raises((CredentialUnavailableError, ClientAuthenticationError)):
                await credential.get_token(SCOPE)
    assert service.issued == 0


@pytest.mark.parametrize(
    "query,status",
    [
        ("api-version=2019-08-01&resource=https://x", 200),
        ("api-version=2017-09-01&resource=https://x", 400),
        ("api-version=2019-08-01", 400),
        ("api-version=2019-08-01&resource=https://x&client_id=nobody", 400),
    ],
)
async def test_query_is_checked(query: str, status: int) -> None:
    service = IdentityService([OURS], "secret", time.time)
    async with serve(service.application()) as url, ClientSession() as session:
        answer = await session.get(f"{url}{PATH}?{query}", headers={"X-IDENTITY-HEADER": "secret"})
        assert answer.status == status
        answer.release()


@pytest.mark.parametrize("token", ["", "opaque", "a.b.c", "..", "a.W10.c", "a.é.c"])
def test_a_token_that_is_not_ours_claims_nothing(token: str) -> None:
    assert claims_of(token) == {}


def test_a_token_tells_a_person_from_an_identity() -> None:
    assert claims_of(issue_token(DEV, "r", 0))["upn"] == "dev@contoso.com"
    assert "upn" not in claims_of(issue_token(OURS, "r", 0))
