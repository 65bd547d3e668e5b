"""The managed identity endpoint of App Service, and the tokens it issues.

Protocol: App Service REST endpoint reference, api-version 2019-08-01 (reviewed 2026-11). Plain http, as in Azure,
where the endpoint is local to the worker. A token looks like a JWT, so that the services here can tell who calls;
it is signed by nobody and opens nothing else.
"""

import base64
import binascii
import hmac
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from uuid import UUID, uuid4

from aiohttp import web

from local.faults import repeatable

PATH = "/msi/token"
API_VERSION = "2019-08-01"
LIFETIME_SECONDS = 24 * 3600


@dataclass(frozen=True, slots=True)
class Principal:
    """Who a token speaks for. With a `user_principal_name` it is a person, else a managed identity."""

    object_id: str
    client_id: str
    tenant_id: str
    display_name: str | None = None
    user_principal_name: str | None = None
    address: str | None = None


def issue_token(principal: Principal, resource: str, now: float) -> str:
    """A bearer token of `principal` for `resource`, valid from `now` (epoch seconds) for a day."""
    issuer = f"https://sts.windows.net/{principal.tenant_id}/"
    claims = {
        "aud": resource,
        "iss": issuer,
        "idp": issuer,
        "iat": int(now),
        "nbf": int(now),
        "exp": int(now) + LIFETIME_SECONDS,
        "appid": principal.client_id,
        "oid": principal.object_id,
        "sub": principal.object_id,
        "tid": principal.tenant_id,
        "uti": _token_id(principal, resource, now),
        "ver": "1.0",
        "name": principal.display_name,
        "upn": principal.user_principal_name,
        "ipaddr": principal.address,
    }
    said = {name: value for name, value in claims.items() if value is not None}
    return f"{_encode({'alg': 'none', 'typ': 'JWT'})}.{_encode(said)}.{uuid4().hex}"


def claims_of(token: str) -> dict[str, object]:
    """What the token says; empty for a token that is not one of ours."""
    parts = token.split(".")
    if len(parts) != 3:
        return {}
    try:
        claims = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except (binascii.Error, ValueError, RecursionError):
        return {}
    return claims if isinstance(claims, dict) else {}


def bearer_of(request: web.Request) -> str | None:
    """The bearer token of a request; None when it carries none."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return token.strip() or None if scheme.lower() == "bearer" else None


class IdentityService:
    """The endpoint. The first principal is the system-assigned one; the others are asked for by client id.

    `header` is the secret that App Service puts in IDENTITY_HEADER; `clock` gives epoch seconds. `issued` counts
    the tokens given out.
    """

    def __init__(self, principals: Sequence[Principal], header: str, clock: Callable[[], float]) -> None:
        self._principals = tuple(principals)
        self._header = header
        self._clock = clock
        self.issued = 0

    def application(self) -> web.Application:
        """The server; clients are given http://127.0.0.1:<port>/msi/token as IDENTITY_ENDPOINT."""
        app = web.Application()
        app.router.add_get(PATH, self._token)
        return app

    async def _token(self, request: web.Request) -> web.Response:
        given = request.headers.get("X-IDENTITY-HEADER", "")
        if not hmac.compare_digest(given.encode(), self._header.encode()):
            return _answer(401, {"statusCode": 401, "message": "The identity header is wrong."})
        resource = request.query.get("resource")
        if request.query.get("api-version") != API_VERSION or not resource:
            return _answer(400, {"statusCode": 400, "message": f"Ask with api-version={API_VERSION} and resource."})
        principal = self._principal(request.query.get("client_id"))
        if principal is None:
            return _answer(400, {"statusCode": 400, "message": "No managed identity of that client id."})
        now = self._clock()
        self.issued += 1
        token: dict[str, object] = {
            "access_token": issue_token(principal, resource, now),
            "expires_on": str(int(now) + LIFETIME_SECONDS),
            "resource": resource,
            "token_type": "Bearer",
            "client_id": principal.client_id,
        }
        return _answer(200, token)

    def _principal(self, client_id: str | None) -> Principal | None:
        wanted = (p for p in self._principals if client_id is None or p.client_id.lower() == client_id.lower())
        return next(wanted, None)


def _token_id(principal: Principal, resource: str, now: float) -> str:
    return UUID(int=repeatable(principal.object_id, resource, now).getrandbits(128), version=4).hex[:22]


def _encode(part: dict[str, object]) -> str:
    return base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=")


def _answer(status: int, body: dict[str, object]) -> web.Response:
    return web.Response(body=json.dumps(body).encode(), status=status, content_type="application/json")
