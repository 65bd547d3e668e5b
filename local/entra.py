"""A Microsoft Entra of one's own: the keys of a tenant, and access tokens that are signed with one of them.

Sources: learn.microsoft.com/entra/identity-platform/access-token-claims-reference; the answer's form as
login.microsoftonline.com/{tenant}/discovery/v2.0/keys gives it (reviewed 2026-11).
"""

import base64
import functools
import json
from collections.abc import Sequence

import jwt
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key

from local.faults import Faults
from local.identity import Principal

OPERATOR_ROLE = "Airlock.Operator"
KEY_ID = "local-entra-1"
LIFETIME_SECONDS = 3600
_KEY_BITS = 2048
_PUBLIC = "https://login.microsoftonline.com"


@functools.cache
def signing_key() -> RSAPrivateKey:
    """The key of this process: made when it is first needed, and never written anywhere."""
    return generate_private_key(65537, _KEY_BITS)


class EntraService:
    """The keys of one tenant. `asked` counts how often somebody wanted them."""

    def __init__(self, tenant_id: str, faults: Faults | None = None) -> None:
        self._tenant_id = tenant_id
        self._faults = faults or Faults()
        self.asked = 0

    def application(self) -> web.Application:
        """The server, to be served over TLS; its address takes the place of https://login.microsoftonline.com."""
        app = web.Application(middlewares=[self._faults.middleware("entra")])
        app.router.add_get("/{tenant}/discovery/v2.0/keys", self._keys)
        return app

    async def _keys(self, request: web.Request) -> web.Response:
        if request.match_info["tenant"].lower() != self._tenant_id.lower():
            return _answer(400, {"error": "invalid_tenant", "error_codes": [90002]})
        self.asked += 1
        return _answer(200, {"keys": [public_key(self._tenant_id)]})


def public_key(tenant_id: str) -> dict[str, str]:
    """The public half of the signing key, as Entra lists it."""
    numbers = signing_key().public_key().public_numbers()
    return {
        "kty": "RSA",
        "use": "sig",
        "kid": KEY_ID,
        "x5t": KEY_ID,
        "n": _encode(numbers.n),
        "e": _encode(numbers.e),
        "issuer": f"{_PUBLIC}/{tenant_id}/v2.0",
    }


def operator_token(
    principal: Principal, audience: str, roles: Sequence[str], now: float, /, **overrides: object
) -> str:
    """An access token (version 2.0) of the principal for that audience, valid from `now` (epoch seconds) for an hour.

    `overrides` are claims that take the place of these; None leaves one out.
    """
    claims: dict[str, object] = {
        "aud": audience,
        "iss": f"{_PUBLIC}/{principal.tenant_id}/v2.0",
        "iat": int(now),
        "nbf": int(now),
        "exp": int(now) + LIFETIME_SECONDS,
        "azp": principal.client_id,
        "azpacr": "0",
        "oid": principal.object_id,
        "sub": principal.object_id,
        "tid": principal.tenant_id,
        "roles": list(roles),
        "ver": "2.0",
        "name": principal.display_name,
        "preferred_username": principal.user_principal_name,
        "scp": "user_impersonation" if principal.user_principal_name else None,
    }
    said = {name: value for name, value in (claims | overrides).items() if value is not None}
    return jwt.encode(said, signing_key(), "RS256", {"kid": KEY_ID})


def _encode(number: int) -> str:
    octets = number.to_bytes((number.bit_length() + 7) // 8, "big")
    return base64.urlsafe_b64encode(octets).decode().rstrip("=")


def _answer(status: int, body: dict[str, object]) -> web.Response:
    return web.Response(body=json.dumps(body).encode(), status=status, content_type="application/json")
