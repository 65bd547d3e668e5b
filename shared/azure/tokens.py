"""Who calls: the Entra access token of a request, checked here whatever stands in front of the app.

What to check: learn.microsoft.com/entra/identity-platform/access-tokens ("Validate tokens") and
.../claims-validation; the claims: .../access-token-claims-reference; read 2026-11-24.
"""

import asyncio
import json
import re
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from azure.core import AsyncPipelineClient
from azure.core.pipeline.policies import UserAgentPolicy
from azure.core.rest import AsyncHttpResponse, HttpRequest

from shared.azure.failures import told_as_failures
from shared.azure.gate import Gate, GatedTransport
from shared.domain.body import Json, JsonObject, as_list, as_object, as_text
from shared.domain.failure import AirlockError, Cause, Refused, TryAgain
from shared.domain.operator import ROLE, Caller
from shared.domain.redact import redact

if TYPE_CHECKING:
    from jwt import PyJWK

# Codes of why nobody is let in.
NO_TOKEN = "operator.no-token"  # noqa: S105 - a reason code
BAD_TOKEN = "operator.bad-token"  # noqa: S105 - as above
OFF = "operator.off"
NO_KEYS = "operator.no-keys"
_PUBLIC = "https://login.microsoftonline.com"
_GUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_TOKEN = re.compile(r"[Bb][Ee][Aa][Rr][Ee][Rr] +([A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+){2})")
_ALGORITHM = "RS256"
_LONGEST_HEADER = 16 * 1024
_LEEWAY = timedelta(seconds=60)
_NEEDED = ("exp", "nbf", "iat", "aud", "iss", "tid", "oid")
_NAMES = ("name", "preferred_username", "upn", "unique_name", "app_displayname", "azp", "appid")
# Seconds. Entra tells its clients to look for new keys once a day; whoever sends made-up tokens must not make us ask
# all the time.
_KEPT, _BETWEEN, _AFTER_FAILURE = 24 * 3600, 60, 10
_CONNECT, _READ, _WHOLE = 5, 10, 15
_LARGEST_KEYS = 256 * 1024


class EntraTokens:
    """Reads access tokens that one tenant issued for one app registration.

    `audience` is the client id of the registration, or its `api://` address; of `api://<client id>` and the client id
    either stands for both. Where tenant or audience is empty nobody is let in. `endpoint` is Entra's https address.
    `ticks` gives seconds, for how long keys are kept.
    """

    def __init__(
        self,
        tenant_id: str,
        audience: str,
        endpoint: str = _PUBLIC,
        ticks: Callable[[], float] = time.monotonic,
    ) -> None:
        self._tenant = tenant_id.lower()
        self._audiences = _audiences(audience)
        self._issuers = {f"{host}/{self._tenant}/v2.0" for host in (endpoint, _PUBLIC)}
        self._issuers.add(f"https://sts.windows.net/{self._tenant}/")
        self._keys = _Keys(endpoint, self._tenant, ticks)

    async def caller(self, authorization: str) -> Caller:
        """Whoever the value of the Authorization header speaks for, with or without the operator's role.

        Raises Refused (NO_TOKEN, BAD_TOKEN, or OFF where nobody may operate), or TryAgain while Entra's keys cannot be
        had. No text of these repeats anything of the header.
        """
        if not self._tenant or not self._audiences:
            raise Refused(Cause(OFF, "AIRLOCK_TENANT_ID and AIRLOCK_OPERATOR_AUDIENCE are not both set"))
        token = _bearer(authorization)
        key = await self._keys.key(_key_id(token))
        if key is None:
            raise _refused("the token is signed with a key that is not one of Entra's for this tenant")
        return self._caller(_claims(token, key, self._audiences, self._issuers))

    def _caller(self, claims: JsonObject) -> Caller:
        object_id = as_text(claims.get("oid")).lower()
        if as_text(claims.get("tid")).lower() != self._tenant:
            raise _refused("the token is of another tenant")
        if not _GUID.fullmatch(object_id):
            raise _refused("the token names nobody by an object id")
        if not as_text(claims.get("azp")) and not as_text(claims.get("appid")):
            # An id token tells an application who signed in; it has the application itself for its audience.
            raise _refused("the token is not an access token")
        names = (as_text(claims.get(name)) for name in _NAMES)
        return Caller(
            object_id=object_id,
            name=redact(next(filter(None, names), ""), 128),
            tenant_id=self._tenant,
            may_operate=ROLE in as_list(claims.get("roles")),
        )


class _Keys:
    """The keys that Entra signs with. They come from its own address alone, whatever a token says of where they are."""

    def __init__(self, endpoint: str, tenant: str, ticks: Callable[[], float]) -> None:
        self._endpoint = endpoint
        self._tenant = tenant
        self._ticks = ticks
        self._lock = asyncio.Lock()
        self._keys: Mapping[str, PyJWK] = {}
        self._fetched: float | None = None
        self._tried: float | None = None
        self._failure: AirlockError | None = None

    async def key(self, name: str) -> "PyJWK | None":
        """The key of that name; None if Entra has none. Raises TryAgain while that cannot be told."""
        if not self._is_known(name):
            async with self._lock:
                if not self._is_known(name):
                    await self._look_again()
        return self._keys.get(name)

    def _is_known(self, name: str) -> bool:
        return name in self._keys and self._fetched is not None and self._ticks() - self._fetched < _KEPT

    async def _look_again(self) -> None:
        """Fetches the keys, unless that was done only just now."""
        pause = _AFTER_FAILURE if self._failure else _BETWEEN
        left = pause if self._tried is None else self._tried + pause - self._ticks()
        if self._tried is None or left <= 0:
            self._tried = self._ticks()
            self._failure = await self._fetch()
            left = _AFTER_FAILURE
        if self._failure:
            raise TryAgain(self._failure.cause, timedelta(seconds=left))

    async def _fetch(self) -> AirlockError | None:
        """Takes the keys over, or answers why there are none."""
        try:
            async with _told_as_failures():
                found = _usable(await self._download(), self._tenant)
        except AirlockError as failure:
            return failure
        if not found:
            return TryAgain(Cause(NO_KEYS, "Entra answered without any key for this tenant"))
        self._keys, self._fetched = found, self._ticks()
        return None

    async def _download(self) -> bytes:
        request = HttpRequest(
            "GET", f"{self._endpoint}/{self._tenant}/discovery/v2.0/keys", headers={"Accept-Encoding": "identity"}
        )
        gate = Gate(frozenset(), urlsplit(self._endpoint).netloc)
        transport = GatedTransport(gate, connection_timeout=_CONNECT, read_timeout=_READ)
        # Asked for once a day: a connection is not kept. No policy follows redirects.
        client: AsyncPipelineClient[HttpRequest, AsyncHttpResponse] = AsyncPipelineClient(
            self._endpoint, policies=[UserAgentPolicy(base_user_agent="airlock")], transport=transport
        )
        async with asyncio.timeout(_WHOLE), client:
            response = await client.send_request(request, stream=True)
            if response.status_code != 200:
                raise TryAgain(Cause(NO_KEYS, f"Entra answered {response.status_code} instead of its keys"))
            body = bytearray()
            async for part in response.iter_bytes():
                body += part
                if len(body) > _LARGEST_KEYS:
                    raise TryAgain(Cause(NO_KEYS, "Entra's answer is too large for a set of keys"))
            return bytes(body)


@asynccontextmanager
async def _told_as_failures() -> AsyncIterator[None]:
    try:
        async with told_as_failures("entra"):
            yield
    except TimeoutError:
        raise TryAgain(Cause(NO_KEYS, "Entra took too long to answer")) from None


def _usable(body: bytes, tenant: str) -> "dict[str, PyJWK]":
    """The keys that a token of the tenant may be signed with, by name; none in an answer that is no set of keys."""
    from jwt import PyJWK, PyJWTError  # noqa: PLC0415 - cryptography, which only operators need

    try:
        answer: Json = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    found: dict[str, PyJWK] = {}
    for key in map(as_object, as_list(as_object(answer).get("keys"))):
        if as_text(key.get("kty")) != "RSA" or key.get("use") not in {None, "sig"} or not _is_for(tenant, key):
            continue
        try:
            found[as_text(key.get("kid"))] = PyJWK(key, algorithm=_ALGORITHM)
        except (PyJWTError, ValueError, TypeError):
            continue
    found.pop("", None)
    return found


def _is_for(tenant: str, key: JsonObject) -> bool:
    """Whether the key's own issuer, where it has one, is every tenant or this one."""
    issuer = as_text(key.get("issuer"))
    return not issuer or f"/{tenant}/" in issuer.replace("{tenantid}", tenant)


def _audiences(configured: str) -> frozenset[str]:
    client_id = configured.removeprefix("api://").lower()
    if _GUID.fullmatch(client_id):
        return frozenset({client_id, f"api://{client_id}"})
    return frozenset({configured} - {""})


def _bearer(authorization: str) -> str:
    """The token of the header, as far as its form tells that it is one."""
    if not authorization.strip():
        raise Refused(Cause(NO_TOKEN, "there is no bearer token"))
    found = _TOKEN.fullmatch(authorization) if len(authorization) <= _LONGEST_HEADER else None
    if found is None:
        raise _refused("the Authorization header holds no bearer token of Entra")
    return found[1]


def _key_id(token: str) -> str:
    """The name of the key that the token claims to be signed with."""
    import jwt  # noqa: PLC0415 - as above

    header: JsonObject | None = None
    with suppress(jwt.PyJWTError):
        header = jwt.get_unverified_header(token)
    if header is None:
        raise _refused("the token cannot be read")
    if header.get("alg") != _ALGORITHM:
        raise _refused(f"the token is not signed as {_ALGORITHM}")
    return as_text(header.get("kid"))


def _claims(token: str, key: "PyJWK", audiences: frozenset[str], issuers: set[str]) -> JsonObject:
    """What the token says, signed with the key, in force now, for us and by our tenant."""
    import jwt  # noqa: PLC0415 - as above

    try:
        claims: JsonObject = jwt.decode(
            token,
            key,
            algorithms=[_ALGORITHM],
            audience=audiences,
            issuer=issuers,
            leeway=_LEEWAY,
            options={"require": list(_NEEDED), "enforce_minimum_key_length": True},
        )
    except jwt.ExpiredSignatureError:
        problem = "the token has expired"
    except jwt.ImmatureSignatureError:
        problem = "the token is not valid yet"
    except jwt.InvalidAudienceError:
        problem = "the token is for another audience"
    except jwt.InvalidIssuerError:
        problem = "the token is of another tenant"
    except jwt.MissingRequiredClaimError:
        problem = "the token lacks a claim that every access token of Entra has"
    except jwt.PyJWTError:
        problem = "the token is not signed with the key that it names"
    else:
        return claims
    # Out here no exception that may quote the token hangs on to ours.
    raise _refused(problem)


def _refused(problem: str) -> Refused:
    return Refused(Cause(BAD_TOKEN, problem))
