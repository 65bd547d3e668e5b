"""The front door of ARM: what is refused before a resource provider hears of the request.

Order as in Azure: the token, then the api-version, then the path, then the body.
"""

import json
import re

from aiohttp import web

from local.arm.body import Body
from local.arm.exchange import Call, Caller
from local.arm.refusal import RefusedError, bad_request, not_served
from local.arm.resource_id import Address, parse
from local.identity import bearer_of, claims_of

AUDIENCES = frozenset({"https://management.azure.com", "https://management.core.windows.net"})
_API_VERSION = re.compile(r"\d{4}-\d{2}-\d{2}(-[a-z]+)?")
_SUBSCRIPTION = re.compile(r"[0-9A-Za-z-]{1,64}")


def refuse_stranger(request: web.Request, audiences: frozenset[str], now: float) -> Body:
    """The claims of the caller's token; empty for a token that is not from our identity endpoint.

    Raises RefusedError (401) without a bearer token, or with one of ours that is expired or meant for another
    audience.
    """
    token = bearer_of(request)
    if token is None:
        raise _unauthorized("AuthenticationFailed", "Authentication failed: no bearer token.")
    claims = claims_of(token)
    expires = claims.get("exp")
    if isinstance(expires, int | float) and expires <= now:
        raise _unauthorized("ExpiredAuthenticationToken", "The access token has expired.")
    audience = claims.get("aud")
    if audience is not None and str(audience).rstrip("/") not in audiences:
        raise _unauthorized("InvalidAuthenticationTokenAudience", "The access token is for another audience.")
    return claims


def api_version_of(request: web.Request) -> str:
    """The api-version; raises RefusedError (400) when it is missing or no date."""
    version = request.query.get("api-version")
    if not version:
        message = "The api-version query parameter is required for all requests."
        raise bad_request(message, "MissingApiVersionParameter")
    if not _API_VERSION.fullmatch(version.lower()):
        raise bad_request("The api-version is not valid.", "InvalidApiVersionParameter")
    return version


async def read_body(request: web.Request) -> Body:
    """The JSON object of the request; raises RefusedError (400) for anything else. A POST may have none."""
    try:
        text = await request.read()
    except web.HTTPRequestEntityTooLarge as error:
        raise RefusedError(413, "RequestContentTooLarge", "The request content is too large.") from error
    except web.RequestPayloadError as error:
        raise bad_request("The request content cannot be unpacked.", "InvalidRequestContent") from error
    if request.method not in {"PUT", "PATCH", "POST"} or (request.method == "POST" and not text.strip()):
        return {}
    try:
        body = json.loads(text, parse_constant=no_constant)
    except (ValueError, RecursionError) as error:
        raise bad_request("The request content is not valid JSON.", "InvalidRequestContent") from error
    if not isinstance(body, dict):
        raise bad_request("The request content must be a JSON object.", "InvalidRequestContent")
    return body


def no_constant(name: str) -> object:
    """Refuses NaN and the infinities, which Python reads and JSON does not know; for json.loads."""
    raise ValueError(f"{name} is no JSON")


def address_of(path: str) -> Address:
    """What the path names; raises RefusedError (404) when ARM serves nothing there."""
    address = parse(path)
    if address is None or not _SUBSCRIPTION.fullmatch(address.subscription):
        raise not_served(path)
    return address


def action_of(path: str) -> tuple[Address, str]:
    """The resource and the action of a POST, such as (account, "regenerateKey").

    Raises RefusedError (404) for a path that holds no action on a resource.
    """
    rest, _, last = path.rstrip("/").rpartition("/")
    address = parse(rest)
    if address is not None and address.name is not None:
        return address, last
    rest, _, verb = rest.rpartition("/")
    address = parse(rest)
    if address is None or address.name is None:
        raise not_served(path)
    return address, f"{verb}/{last}"


def call_of(request: web.Request, address: Address, api_version: str, caller: Caller, body: Body) -> Call:
    """The request free of the web framework."""
    return Call(
        method=request.method,
        address=address,
        api_version=api_version,
        query=dict(request.query),
        headers={name: request.headers[name] for name in ("If-Match", "If-None-Match") if name in request.headers},
        body=body,
        caller=caller,
        origin=str(request.url.origin()),
        path_and_query=request.raw_path,
    )


def _unauthorized(code: str, message: str) -> RefusedError:
    authority = 'Bearer authorization_uri="https://login.windows.net/common"'
    challenge = f'{authority}, error="invalid_token", error_description="{message}"'
    return RefusedError(401, code, message, {"WWW-Authenticate": challenge})
