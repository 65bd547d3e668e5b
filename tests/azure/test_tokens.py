"""Tokens of Entra: what lets an operator in, and everything that must not."""

import asyncio
import base64
import hashlib
import hmac
import json
import ssl
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from unittest import mock

import jwt
import pytest
from aiohttp import connector, web
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from local.certificate import Certificate
from local.entra import KEY_ID, OPERATOR_ROLE, EntraService, operator_token, public_key, signing_key
from local.faults import Fault, Faults
from local.identity import issue_token
from shared.azure.tokens import EntraTokens
from shared.domain.failure import Refused, TryAgain
from shared.domain.operator import Caller
from tests.local.arm_world import DEV, OURS, TENANT, serve

AUDIENCE = "c3c3c3c3-0000-4000-8000-000000000003"
OTHER = "11111111-0000-4000-8000-000000000001"
ROLES = (OPERATOR_ROLE,)
HOUR = 3600
V1 = {"iss": f"https://sts.windows.net/{TENANT}/", "ver": "1.0", "azp": None, "appid": DEV.client_id}


@dataclass
class Entra:
    """Entra over TLS, and what checks its tokens at a time that the test sets."""

    url: str
    service: EntraService
    clock: list[float] = field(default_factory=lambda: [0.0])

    def tokens(self, audience: str = AUDIENCE, tenant: str = TENANT) -> EntraTokens:
        return EntraTokens(tenant, audience, self.url, lambda: self.clock[0])


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return Certificate.issue(tmp_path_factory.mktemp("tls"))


@pytest.fixture(autouse=True)
def trusting(certificate: Certificate) -> Iterator[None]:
    """aiohttp reads SSL_CERT_FILE as it is imported, which in this process it has been."""
    trusted = ssl.create_default_context(cafile=str(certificate.ca_file))
    with mock.patch.object(connector, "_SSL_CONTEXT_VERIFIED", trusted):
        yield


@pytest.fixture
async def entra(certificate: Certificate) -> AsyncIterator[Entra]:
    async with entra_with(certificate) as running:
        yield running


@asynccontextmanager
async def entra_with(certificate: Certificate, *faults: Fault) -> AsyncIterator[Entra]:
    service = EntraService(TENANT, Faults(faults))
    async with serve(service.application(), certificate.server) as url:
        yield Entra(url, service)


def token(audience: str = AUDIENCE, roles: Sequence[str] = ROLES, /, **overrides: object) -> str:
    return operator_token(DEV, audience, roles, time.time(), **overrides)


def bearer(text: str) -> str:
    return f"Bearer {text}"


async def assert_refused(tokens: EntraTokens, text: str, why: str, code: str = "operator.bad-token") -> None:
    """Refused for that reason, without a word of the token in anything that could be logged."""
    with pytest.raises(Refused, match=why) as told:
        await tokens.caller(text)
    assert told.value.cause.code == code
    assert told.value.__context__ is None
    words = {part for part in text.replace(" ", ".").split(".") if len(part) > 12}
    assert not [word for word in words if word in str(told.value)]


async def test_an_operator(entra: Entra) -> None:
    caller = await entra.tokens().caller(bearer(token()))
    assert caller == Caller(DEV.object_id, "Dev", TENANT, may_operate=True)


@pytest.mark.parametrize(
    "configured, claimed",
    [
        (AUDIENCE, f"api://{AUDIENCE}"),
        (AUDIENCE.upper(), AUDIENCE),
        (f"api://{AUDIENCE}", AUDIENCE),
        (f"api://{AUDIENCE}", f"api://{AUDIENCE}"),
        ("api://contoso.com/airlock", "api://contoso.com/airlock"),
    ],
)
async def test_both_names_of_an_audience(entra: Entra, configured: str, claimed: str) -> None:
    assert (await entra.tokens(configured).caller(bearer(token(claimed)))).may_operate


async def test_every_issuer_of_the_tenant(entra: Entra) -> None:
    tokens = entra.tokens(tenant=TENANT.upper())
    for told in (V1, {"iss": f"{entra.url}/{TENANT}/v2.0"}):
        assert (await tokens.caller(bearer(token(**told)))).may_operate


@pytest.mark.parametrize(
    "roles", [[], ["airlock.operator"], ["Airlock.Reader"], "Airlock.Operator", {"Airlock.Operator": 1}, None, 7]
)
async def test_without_the_role_nobody_may_operate(entra: Entra, roles: object) -> None:
    caller = await entra.tokens().caller(bearer(token(roles=roles)))
    assert caller == Caller(DEV.object_id, "Dev", TENANT, may_operate=False)


async def test_an_application_is_known_by_its_client_id(entra: Entra) -> None:
    text = operator_token(OURS, AUDIENCE, ROLES, time.time())
    caller = await entra.tokens().caller(f"bearer  {text}")
    assert caller == Caller(OURS.object_id, OURS.client_id, TENANT, may_operate=True)


async def test_a_name_is_cleaned(entra: Entra) -> None:
    name = f"Dev\n{'x' * 300} key={'k' * 40}"
    caller = await entra.tokens().caller(bearer(token(name=name)))
    assert len(caller.name) <= 128
    assert caller.name.isprintable()
    assert "kkkk" not in caller.name
    assert not (await entra.tokens().caller(bearer(token(name=7, preferred_username=[], azp="é")))).name.strip("é")


@pytest.mark.parametrize(
    "overrides, why",
    [
        ({"aud": OTHER}, "another audience"),
        ({"aud": f"api://{OTHER}"}, "another audience"),
        ({"aud": {}}, "lacks a claim|another audience"),
        ({"aud": [7]}, "another audience"),
        ({"aud": None}, "lacks a claim"),
        ({"iss": f"https://login.microsoftonline.com/{OTHER}/v2.0"}, "another tenant"),
        ({"iss": f"https://login.microsoftonline.com/{TENANT}/v2.0/"}, "another tenant"),
        ({"iss": f"https://sts.windows.net/{OTHER}/"}, "another tenant"),
        ({"iss": None}, "lacks a claim"),
        ({"tid": OTHER}, "another tenant"),
        ({"tid": None}, "lacks a claim"),
        ({"tid": [TENANT]}, "another tenant"),
        ({"oid": None}, "lacks a claim"),
        ({"oid": "Dev"}, "object id"),
        ({"oid": f"{OTHER}\n"}, "object id"),
        ({"oid": [OTHER]}, "object id"),
        ({"azp": None}, "not an access token"),
        ({"exp": None}, "lacks a claim"),
        ({"nbf": None}, "lacks a claim"),
        ({"iat": None}, "lacks a claim"),
        ({"exp": "soon"}, "not signed"),
        ({"exp": float("inf")}, "not signed"),
        ({"nbf": {}}, "not signed"),
    ],
)
async def test_a_token_that_is_signed_and_says_something_else(
    entra: Entra, overrides: dict[str, object], why: str
) -> None:
    await assert_refused(entra.tokens(), bearer(token(**overrides)), why)


@pytest.mark.parametrize(
    "age, more, why",
    [
        (HOUR + 55, {}, ""),
        (HOUR + 65, {}, "has expired"),
        (-55, {}, ""),
        (-65, {}, "not valid yet"),
        (0, {"iat": int(time.time()) + 2 * HOUR}, "not valid yet"),
        (0, {"nbf": int(time.time()) + 2 * HOUR}, "not valid yet"),
    ],
)
async def test_a_minute_of_leeway_and_no_more(entra: Entra, age: int, more: dict[str, object], why: str) -> None:
    text = bearer(operator_token(DEV, AUDIENCE, ROLES, time.time() - age, **more))
    if why:
        await assert_refused(entra.tokens(), text, why)
    else:
        assert (await entra.tokens().caller(text)).may_operate


def forged(header: dict[str, object], secret: bytes = b"") -> str:
    """A token that says what a good one says, with that header; signed as HS256 if there is a secret."""
    claims = jwt.decode(token(), options={"verify_signature": False})
    parts = [base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=") for part in (header, claims)]
    signed = hmac.new(secret, b".".join(parts), hashlib.sha256).digest() if secret else b"none"
    return b".".join([*parts, base64.urlsafe_b64encode(signed).rstrip(b"=")]).decode()


def public_pem() -> bytes:
    return signing_key().public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


@pytest.mark.parametrize("algorithm", ["none", "None", "NONE", "", None, 7, [], "HS256", "RS384", "PS256", "ES256"])
async def test_other_algorithms(entra: Entra, algorithm: object) -> None:
    text = bearer(forged({"alg": algorithm, "kid": KEY_ID}, public_pem()))
    await assert_refused(entra.tokens(), text, "not signed as RS256")
    assert entra.service.asked == 0


async def test_the_public_key_is_no_secret(entra: Entra) -> None:
    """HS256 with what everybody can read, under either name."""
    tokens = entra.tokens()
    for secret in (public_pem(), json.dumps(public_key(TENANT)).encode(), public_key(TENANT)["n"].encode()):
        await assert_refused(tokens, bearer(forged({"alg": "HS256", "kid": KEY_ID}, secret)), "not signed as RS256")
        await assert_refused(tokens, bearer(forged({"alg": "RS256", "kid": KEY_ID}, secret)), "not signed with the key")


async def test_nothing_of_a_signed_token_can_be_changed(entra: Entra) -> None:
    tokens = entra.tokens()
    head, claims, signature = token(roles=[]).split(".")
    told = json.loads(base64.urlsafe_b64decode(claims + "=="))
    risen = base64.urlsafe_b64encode(json.dumps({**told, "roles": ROLES}).encode()).decode().rstrip("=")
    other_head, _, other = token(iat=int(time.time()) - 1).split(".")
    for text in (f"{head}.{risen}.{signature}", f"{other_head}.{claims}.{other}", f"{head}.{claims}.{signature[4:]}"):
        await assert_refused(tokens, bearer(text), "not signed with the key")
    await assert_refused(tokens, bearer(f"{head}.{claims}.{signature}a"), "cannot be read")


async def test_a_key_that_the_token_brings_along_is_not_used(entra: Entra, certificate: Certificate) -> None:
    """Neither by value nor by address, which nobody visits."""
    own = generate_private_key(65537, 2048)
    numbers = own.public_key().public_numbers()
    jwk = {"kty": "RSA", "kid": "own", "n": encoded(numbers.n), "e": encoded(numbers.e)}
    visits: list[str] = []

    async def visited(request: web.Request) -> web.Response:
        visits.append(request.path)
        return web.json_response({"keys": [jwk]})

    app = web.Application()
    app.router.add_get("/{path:.*}", visited)
    claims = jwt.decode(token(), options={"verify_signature": False})
    async with serve(app, certificate.server) as url:
        for header in (
            {"kid": "own", "jku": f"{url}/keys", "x5u": f"{url}/cert"},
            {"kid": f"{url}/keys"},
            {"kid": "../../other/discovery/v2.0/keys"},
            {"kid": "own", "jwk": jwk, "x5c": ["MIIB"]},
            {},
        ):
            text = jwt.encode(claims, own, "RS256", header)
            await assert_refused(entra.tokens(), bearer(text), "not one of Entra's for this tenant")
        text = jwt.encode(claims, own, "RS256", {"kid": KEY_ID, "jwk": jwk, "jku": f"{url}/keys"})
        await assert_refused(entra.tokens(), bearer(text), "not signed with the key")
    assert visits == []


def encoded(number: int) -> str:
    return base64.urlsafe_b64encode(number.to_bytes(256, "big").lstrip(b"\0")).decode().rstrip("=")


@pytest.mark.parametrize("header", ["", " ", "\t"])
async def test_no_token(entra: Entra, header: str) -> None:
    await assert_refused(entra.tokens(), header, "there is no bearer token", "operator.no-token")


GARBAGE = [
    "Bearer",
    "Bearer ",
    "Basic ZGV2OnNlY3JldC1vZi1jb250b3Nv",
    "Bearer opaque-secret-of-contoso",
    "Bearer a.b.c",
    "Bearer ..",
    "Bearer e30.e30.e30",
    "Bearer W10.W10.W10",
    "Bearer é.é.é",
    "Bearer \ud800.\ud800.\ud800",
    f"Bearer {'a' * 5000}.{'b' * 5000}.{'c' * 5000}",
    f"Bearer {base64.urlsafe_b64encode(b'[' * 6000).decode().rstrip('=')}.e30.e30",
    "Bearer eyJhbGciOiJSUzI1NiIsImtpZCI6WzddfQ.e30.e30",
]


@pytest.mark.parametrize("header", GARBAGE, ids=range(len(GARBAGE)))
async def test_garbage(entra: Entra, header: str) -> None:
    await assert_refused(entra.tokens(), header, "not signed as RS256|no bearer token of Entra|cannot be read")
    assert entra.service.asked == 0


async def test_what_surrounds_a_token_makes_it_none(entra: Entra) -> None:
    good = token()
    for header in (
        good,
        f"{bearer(good)},{bearer(good)}",
        f"{bearer(good)} x",
        f" {bearer(good)}",
        f"{bearer(good)}\n",
    ):
        await assert_refused(entra.tokens(), header, "no bearer token of Entra")


async def test_an_oversized_header_is_not_looked_at(entra: Entra) -> None:
    long = bearer(token(filler="x" * 12_000))
    assert len(long) > 16 * 1024
    await assert_refused(entra.tokens(), long, "no bearer token of Entra")
    assert (await entra.tokens().caller(bearer(token(filler="x" * 9_000)))).may_operate


async def test_a_token_of_a_managed_identity_endpoint(entra: Entra) -> None:
    await assert_refused(entra.tokens(), bearer(issue_token(DEV, AUDIENCE, time.time())), "not signed as RS256")


@pytest.mark.parametrize("tenant, audience", [("", AUDIENCE), (TENANT, ""), ("", "")])
async def test_without_tenant_or_audience_nobody_operates(entra: Entra, tenant: str, audience: str) -> None:
    tokens = entra.tokens(audience, tenant)
    await assert_refused(tokens, bearer(token("")), "AIRLOCK_TENANT_ID and AIRLOCK_OPERATOR_AUDIENCE", "operator.off")
    assert entra.service.asked == 0


async def test_keys_are_asked_for_once_a_day(entra: Entra) -> None:
    tokens = entra.tokens()
    callers = await asyncio.gather(*(tokens.caller(bearer(token())) for _ in range(5)))
    assert all(caller.may_operate for caller in callers)
    entra.clock[0] = 24 * HOUR - 1
    await tokens.caller(bearer(token()))
    assert entra.service.asked == 1
    entra.clock[0] = 24 * HOUR
    await tokens.caller(bearer(token()))
    assert entra.service.asked == 2


async def test_unknown_keys_are_asked_for_once_a_minute(entra: Entra) -> None:
    tokens = entra.tokens()
    claims = jwt.decode(token(), options={"verify_signature": False})
    unknown = bearer(jwt.encode(claims, signing_key(), "RS256", {"kid": "new"}))
    for seconds, asked in ((0, 1), (1, 1), (59, 1), (60, 2), (61, 2), (120, 3)):
        entra.clock[0] = seconds
        for _ in range(3):
            await assert_refused(tokens, unknown, "not one of Entra's")
        assert entra.service.asked == asked
        assert (await tokens.caller(bearer(token()))).may_operate
    with mock.patch("local.entra.KEY_ID", "new"):
        await assert_refused(tokens, unknown, "not one of Entra's")
        entra.clock[0] = 180
        assert (await tokens.caller(unknown)).may_operate
        await assert_refused(tokens, bearer(operator_token(DEV, AUDIENCE, ROLES, 0, kid=1)), "has expired")


@pytest.mark.parametrize(
    "fault",
    [
        Fault(status=503, times=None),
        Fault(status=404, times=None),
        Fault(status=302, headers={"Location": "https://elsewhere.example/"}, times=None),
        Fault(kind="reset", times=None),
        Fault(kind="truncate", times=None),
    ],
    ids=lambda fault: f"{fault.kind} {fault.status}",
)
async def test_without_keys_nobody_can_tell(certificate: Certificate, fault: Fault) -> None:
    async with entra_with(certificate, fault) as entra:
        tokens = entra.tokens()
        for _ in range(3):
            with pytest.raises(TryAgain) as told:
                await tokens.caller(bearer(token()))
            assert told.value.after is not None
            assert 0 < told.value.after.total_seconds() <= 10
        assert "eyJ" not in str(told.value)


async def test_a_failure_is_not_repeated_at_once_and_does_not_last(certificate: Certificate) -> None:
    async with entra_with(certificate, Fault(status=503)) as entra:
        tokens = entra.tokens()
        for seconds in (0, 9):
            entra.clock[0] = seconds
            with pytest.raises(TryAgain, match="503"):
                await tokens.caller(bearer(token()))
        assert entra.service.asked == 0
        entra.clock[0] = 10
        assert (await tokens.caller(bearer(token()))).may_operate


async def test_an_unknown_key_while_entra_is_down_keeps_nobody_else_out(certificate: Certificate) -> None:
    async with entra_with(certificate, Fault(status=503, skip=1, times=None)) as entra:
        tokens = entra.tokens()
        claims = jwt.decode(token(), options={"verify_signature": False})
        unknown = bearer(jwt.encode(claims, signing_key(), "RS256", {"kid": "new"}))
        await tokens.caller(bearer(token()))
        entra.clock[0] = 60
        with pytest.raises(TryAgain):
            await tokens.caller(unknown)
        assert (await tokens.caller(bearer(token()))).may_operate
        entra.clock[0] = 24 * HOUR
        with pytest.raises(TryAgain):
            await tokens.caller(bearer(token()))


# Each is given the key that Entra should answer with.
ANSWERS: list[Callable[[dict[str, str]], object]] = [
    lambda _: None,
    lambda _: [],
    lambda _: {},
    lambda _: {"keys": None},
    lambda _: {"keys": []},
    lambda _: {"keys": [None, 7, "x", [], {}]},
    lambda key: {"keys": key},
    lambda _: {"keys": [{"kty": "RSA", "kid": KEY_ID}]},
    lambda key: {"keys": [{**key, "n": 7, "e": []}]},
    lambda key: {"keys": [{**key, "n": "é"}]},
    lambda key: {"keys": [{**key, "e": "AAAA"}]},
    lambda _: {"keys": [{"kty": "oct", "kid": KEY_ID, "k": "c2VjcmV0"}]},
    lambda key: {"keys": [{**key, "use": "enc"}]},
    lambda key: {"keys": [{**key, "kid": ""}]},
    lambda key: {"keys": [{**key, "kid": [KEY_ID]}]},
    lambda key: {"keys": [{**key, "issuer": f"https://login.microsoftonline.com/{OTHER}/v2.0"}]},
    lambda key: {"keys": [key], "filler": "x" * 300_000},
]


@pytest.mark.parametrize("answer", ANSWERS, ids=range(len(ANSWERS)))
async def test_an_answer_without_a_key_for_the_tenant(
    certificate: Certificate, answer: Callable[[dict[str, str]], object]
) -> None:
    async with answering(certificate, answer(public_key(TENANT))) as tokens:
        with pytest.raises(TryAgain) as told:
            await tokens.caller(bearer(token()))
        assert told.value.cause.code == "operator.no-keys"


@pytest.mark.parametrize("issuer", [None, "https://login.microsoftonline.com/{tenantid}/v2.0"])
async def test_a_key_for_every_tenant_stands_among_others(certificate: Certificate, issuer: str | None) -> None:
    key = {**public_key(TENANT), "issuer": issuer}
    async with answering(certificate, {"keys": [7, {"kty": "EC", "kid": "x"}, key]}) as tokens:
        assert (await tokens.caller(bearer(token()))).may_operate


async def test_a_short_key_is_not_trusted(certificate: Certificate) -> None:
    own = generate_private_key(65537, 1024)  # noqa: S505 - it is made to be refused
    numbers = own.public_key().public_numbers()
    jwk = {"kty": "RSA", "kid": "short", "n": encoded(numbers.n), "e": encoded(numbers.e)}
    claims = jwt.decode(token(), options={"verify_signature": False})
    with pytest.warns(jwt.InsecureKeyLengthWarning):
        text = jwt.encode(claims, own, "RS256", {"kid": "short"})
    async with answering(certificate, {"keys": [jwk]}) as tokens:
        await assert_refused(tokens, bearer(text), "not signed with the key")


@asynccontextmanager
async def answering(certificate: Certificate, answer: object) -> AsyncIterator[EntraTokens]:
    """What checks tokens against an Entra with that for its keys."""

    async def keys(_: web.Request) -> web.Response:
        return web.json_response(answer)

    app = web.Application()
    app.router.add_get(f"/{TENANT}/discovery/v2.0/keys", keys)
    async with serve(app, certificate.server) as url:
        yield EntraTokens(TENANT, AUDIENCE, url)


async def test_entra_without_a_trusted_certificate_is_not_believed(tmp_path: Path) -> None:
    async with entra_with(Certificate.issue(tmp_path)) as entra:
        with pytest.raises(TryAgain, match="CERTIFICATE_VERIFY_FAILED"):
            await entra.tokens().caller(bearer(token()))
        assert entra.service.asked == 0


def test_a_principal_of_another_tenant_has_that_tenant_s_issuer() -> None:
    claims = jwt.decode(
        operator_token(replace(DEV, tenant_id=OTHER), AUDIENCE, ROLES, 0), options={"verify_signature": False}
    )
    assert (claims["tid"], OTHER in claims["iss"]) == (OTHER, True)
