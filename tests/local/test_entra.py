"""The local Entra: its keys as Entra lists them, its tokens as Entra signs them."""

import time

import jwt
import pytest
from aiohttp import ClientSession

from local import entra
from local.entra import EntraService, operator_token, public_key, signing_key
from local.faults import Fault, Faults
from tests.local.arm_world import DEV, OURS, TENANT, serve

AUDIENCE = "c3c3c3c3-0000-4000-8000-000000000003"
PATH = f"/{TENANT}/discovery/v2.0/keys"


def read(token: str, key: jwt.PyJWK) -> dict[str, object]:
    claims: dict[str, object] = jwt.decode(token, key, audience=AUDIENCE)
    return claims


async def test_tokens_are_signed_with_a_key_that_is_listed() -> None:
    service = EntraService(TENANT)
    async with serve(service.application()) as url, ClientSession() as session, session.get(url + PATH) as answer:
        keys = jwt.PyJWKSet.from_dict(await answer.json())
    token = operator_token(DEV, AUDIENCE, ["Airlock.Operator"], time.time())
    claims = read(token, keys[jwt.get_unverified_header(token)["kid"]])
    assert (claims["oid"], claims["tid"], claims["roles"]) == (DEV.object_id, TENANT, ["Airlock.Operator"])
    assert claims["preferred_username"] == "dev@contoso.com"
    assert claims["iss"] == f"https://login.microsoftonline.com/{TENANT}/v2.0"
    assert service.asked == 1


async def test_another_tenant_is_not_known() -> None:
    service = EntraService(TENANT)
    path = PATH.replace(TENANT, "common")
    async with serve(service.application()) as url, ClientSession() as session, session.get(url + path) as answer:
        assert answer.status == 400
        assert (await answer.json())["error"] == "invalid_tenant"
    assert service.asked == 0


async def test_it_can_have_a_bad_day() -> None:
    service = EntraService(TENANT, Faults([Fault(service="entra", status=503)]))
    async with serve(service.application()) as url, ClientSession() as session:
        for status in (503, 200):
            async with session.get(url + PATH) as answer:
                assert answer.status == status


def test_an_application_has_no_name_and_claims_can_be_others() -> None:
    key = jwt.PyJWK(dict(public_key(TENANT)))
    claims = read(operator_token(OURS, AUDIENCE, [], time.time(), azp=None, roles="x"), key)
    assert claims["roles"] == "x"
    assert not {"name", "preferred_username", "scp", "azp"} & claims.keys()


def test_a_token_is_good_for_an_hour() -> None:
    key = jwt.PyJWK(dict(public_key(TENANT)))
    assert read(operator_token(DEV, AUDIENCE, [], time.time() - 3590), key)
    with pytest.raises(jwt.ExpiredSignatureError):
        read(operator_token(DEV, AUDIENCE, [], time.time() - 3601), key)


def test_there_is_one_key_in_a_process() -> None:
    assert signing_key() is entra.signing_key()
    assert signing_key().key_size == 2048
