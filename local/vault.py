"""Key Vault, as far as secrets are written, read and listed.

Source: Azure Key Vault REST API, Secrets (reviewed 2026-11). Not served: deletion, backup and change of a version.
"""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

from aiohttp import web
from aiohttp.typedefs import Handler

from local.arm.body import Body, section
from local.arm.front import read_body, refuse_stranger
from local.arm.refusal import RefusedError, bad_request
from local.faults import Faults, repeatable

AUDIENCE = "https://vault.azure.net"
LIMIT_BYTES = 25 * 1024
MOST_RESULTS = 25
_NAME = re.compile(r"[0-9a-zA-Z-]{1,127}")
_API_VERSION = re.compile(r"7\.\d|\d{4}-\d{2}-\d{2}")


@dataclass(frozen=True, slots=True)
class VaultRequest:
    """One line of the journal. No body is kept, so no secret is. Status 0: no answer was sent."""

    method: str
    path: str
    status: int
    time: float


@dataclass(frozen=True, slots=True)
class _Version:
    id: str
    value: str
    created: int
    given: Body

    def shown(self, address: str) -> Body:
        """The version without its value; `address` is that of the secret."""
        attributes = {"enabled": True, **section(self.given, "attributes")}
        times = {"created": self.created, "updated": self.created}
        more: Body = {name: self.given[name] for name in ("contentType", "tags") if name in self.given}
        recovery: Body = {"recoveryLevel": "Recoverable+Purgeable", "recoverableDays": 90}
        return {"id": f"{address}/{self.id}", "attributes": {**attributes, **times, **recovery}, **more}

    @property
    def is_enabled(self) -> bool:
        """Whether its value may be read."""
        return section(self.given, "attributes").get("enabled") is not False


class VaultService:
    """One vault with its secrets, empty at first.

    `tenant` is named to those who come without a token; `clock` gives epoch seconds; version ids come from `seed`.
    `requests` is the journal.
    """

    def __init__(self, tenant: str, clock: Callable[[], float], faults: Faults, seed: int = 0) -> None:
        self.requests: list[VaultRequest] = []
        self._tenant = tenant
        self._clock = clock
        self._faults = faults
        self._ids = repeatable("vault", seed)
        self._secrets: dict[str, list[_Version]] = {}

    def application(self) -> web.Application:
        """The server. To be served over TLS: the SDK sends its token over nothing else."""
        app = web.Application(middlewares=[self._journal, self._faults.middleware("vault")])
        app.router.add_put("/secrets/{name}", self._answered(self._set))
        app.router.add_get("/secrets/{name}/versions", self._answered(self._list))
        # The SDK asks for the newest version with an empty name.
        for path in ("/secrets/{name}", "/secrets/{name}/", "/secrets/{name}/{version}"):
            app.router.add_get(path, self._answered(self._get))
        return app

    def versions(self, name: str) -> list[str]:
        """The values that the secret had, the newest last; none where there is no such secret."""
        return [version.value for version in self._secrets.get(name.lower(), [])]

    @web.middleware
    async def _journal(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        answer = await handler(request)
        sent = request.transport is not None and not request.transport.is_closing()
        line = VaultRequest(request.method, request.path, answer.status if sent else 0, self._clock())
        self.requests.append(line)
        return answer

    def _answered(self, answer: Callable[[web.Request, Body], Body]) -> Handler:
        async def handle(request: web.Request) -> web.Response:
            try:
                self._refuse(request)
                return _response(200, answer(request, await read_body(request)))
            except RefusedError as refusal:
                return _response(refusal.status, refusal.body, refusal.headers)

        return handle

    def _refuse(self, request: web.Request) -> None:
        resource = f"{request.scheme}://{_domain(request.host)}"
        try:
            refuse_stranger(request, frozenset({AUDIENCE, resource}), self._clock())
        except RefusedError as refusal:
            authority = f'authorization="https://login.microsoftonline.com/{self._tenant}"'
            refusal.headers = {"WWW-Authenticate": f'Bearer {authority}, resource="{resource}"'}
            raise
        if not _API_VERSION.fullmatch(request.query.get("api-version", "")):
            raise bad_request("The api-version is missing or not supported.", "BadParameter")
        if not _NAME.fullmatch(request.match_info["name"]):
            raise bad_request("The name of a secret has letters, digits and dashes only.", "BadParameter")

    def _set(self, request: web.Request, body: Body) -> Body:
        value = body.get("value")
        if not isinstance(value, str) or len(value.encode(errors="replace")) > LIMIT_BYTES:
            raise bad_request(f"value must be a text of at most {LIMIT_BYTES} bytes.", "BadParameter")
        given = {name: found for name, found in body.items() if name != "value" and found is not None}
        version = _Version(UUID(int=self._ids.getrandbits(128)).hex, value, int(self._clock()), given)
        self._secrets.setdefault(request.match_info["name"].lower(), []).append(version)
        return {**version.shown(_address(request)), "value": value}

    def _get(self, request: web.Request, _: Body) -> Body:
        wanted = request.match_info.get("version", "").lower()
        found = [version for version in self._found(request) if wanted in {"", version.id}]
        if not found:
            raise _missing(f"{request.match_info['name']}/{wanted}")
        if not found[-1].is_enabled:
            raise RefusedError(403, "Forbidden", "Operation get is not allowed on a disabled secret.")
        return {**found[-1].shown(_address(request)), "value": found[-1].value}

    def _list(self, request: web.Request, _: Body) -> Body:
        shown = [version.shown(_address(request)) for version in self._found(request)]
        start, size = _number(request, "$skiptoken", 0), _number(request, "maxresults", MOST_RESULTS)
        if not 1 <= size <= MOST_RESULTS:
            raise bad_request(f"maxresults must be 1 to {MOST_RESULTS}.", "BadParameter")
        more = str(request.url.update_query({"$skiptoken": str(start + size)})) if start + size < len(shown) else None
        return {"value": shown[start : start + size], "nextLink": more}

    def _found(self, request: web.Request) -> list[_Version]:
        versions = self._secrets.get(request.match_info["name"].lower())
        if not versions:
            raise _missing(request.match_info["name"])
        return versions


def _domain(host: str) -> str:
    """What a token must be for: the host without its first part, as vault.azure.net is of kv.vault.azure.net.

    The SDK sends its token only to a host below the domain that it was told, so 127.0.0.1 has to tell 0.0.1.
    """
    return host.partition(".")[2] or host


def _address(request: web.Request) -> str:
    return f"{request.url.origin()}/secrets/{request.match_info['name']}"


def _missing(secret: str) -> RefusedError:
    return RefusedError(404, "SecretNotFound", f"A secret with (name/id) {secret} was not found in this key vault.")


def _number(request: web.Request, name: str, absent: int) -> int:
    text = request.query.get(name, str(absent))
    if not text.isascii() or not text.isdigit():
        raise bad_request(f"{name} must be a whole number.", "BadParameter")
    return int(text[:9])


def _response(status: int, body: Body, headers: dict[str, str] | None = None) -> web.Response:
    return web.Response(body=json.dumps(body).encode(), status=status, headers=headers, content_type="application/json")
