"""What the storage services share on the wire: a call, a reply, an error, and the door that every request passes."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from email.utils import format_datetime
from typing import Protocol
from urllib.parse import parse_qsl, unquote
from uuid import uuid4

from aiohttp import web
from multidict import CIMultiDict, CIMultiDictProxy

from local.storage.database import Database

type Headers = CIMultiDict[str] | CIMultiDictProxy[str]

_SCHEMES = ("bearer", "sharedkey", "sharedkeylite")
_LARGEST_CLIENT_REQUEST_ID = 1024
_VERSION = "2019-02-02"


@dataclass(frozen=True, slots=True)
class Call:
    """One request below the account: `path` is decoded and begins with a slash, `query` holds decoded parameters."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Headers
    body: bytes
    request_id: str


@dataclass(frozen=True, slots=True)
class Reply:
    """One response; `body` is complete, so that it leaves together with its headers."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


class StorageError(Exception):
    """A refusal in the service's words: HTTP `status`, error `code`, `message`, further parts of the error body, and
    headers that go with it."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        detail: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.detail: Mapping[str, str] = detail or {}
        self.headers: Mapping[str, str] = headers or {}

    def at(self, index: int) -> "StorageError":
        """Return the same refusal naming the operation of a transaction, as the service does: "2:The specified ..."."""
        return StorageError(self.status, self.code, f"{index}:{self.message}", self.detail)


class Service(Protocol):
    """One of the services, as the door sees it."""

    @property
    def largest_body(self) -> int:
        """Bytes beyond which a request is refused unread."""
        ...

    def answer(self, call: Call) -> Reply:
        """Do what the call asks; raises StorageError."""
        ...

    def refuse(self, error: StorageError, request_id: str) -> Reply:
        """Render the refusal in the service's own format."""
        ...


def address(raw_path: str, raw_query: str, account: str) -> tuple[str, dict[str, str]]:
    """Decode a request target into the path below the account and its query parameters.

    Raises StorageError for another account, and for what is not percent-encoded UTF-8.
    """
    try:
        path = unquote(raw_path, errors="strict")
        query = dict(parse_qsl(raw_query, keep_blank_values=True, errors="strict"))
        # aiohttp smuggles undecodable bytes through as lone surrogates, which no later layer could store.
        "".join((path, *query, *query.values())).encode()
    except ValueError as error:
        raise StorageError(
            400, "InvalidUri", "The requested URI does not represent any resource on the server."
        ) from error
    _, first, *rest = path.split("/", 2) if path.startswith("/") else ("", "")
    if first != account:
        raise StorageError(404, "ResourceNotFound", "The specified resource does not exist.")
    return f"/{rest[0] if rest else ''}", query


def serve(service: Service, database: Database, account: str) -> web.Application:
    """Build the application that answers `/{account}/...` with `service`."""
    server = web.Application(client_max_size=service.largest_body)
    server.router.add_route("*", "/{target:.*}", _handler(service, database, account))
    return server


def _handler(
    service: Service, database: Database, account: str
) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    async def handle(request: web.Request) -> web.StreamResponse:
        request_id = str(uuid4())
        try:
            _authorize(request.headers)
            path, query = address(request.rel_url.raw_path, request.rel_url.raw_query_string, account)
            body = await _body(request, service.largest_body)
            reply = service.answer(Call(request.method, path, query, request.headers, body, request_id))
        except StorageError as error:
            reply = service.refuse(error, request_id)
        headers = {"Date": format_datetime(database.now(), usegmt=True), "x-ms-request-id": request_id}
        return web.Response(
            status=reply.status, body=reply.body or None, headers={**headers, **_echo(request.headers), **reply.headers}
        )

    return handle


def _authorize(headers: Headers) -> None:
    scheme, _, credential = headers.get("Authorization", "").partition(" ")
    if scheme.lower() not in _SCHEMES or not credential.strip():
        raise StorageError(
            403,
            "AuthenticationFailed",
            "Server failed to authenticate the request. Make sure the value of Authorization header is formed "
            "correctly including the signature.",
        )


async def _body(request: web.Request, limit: int) -> bytes:
    try:
        return await request.read()
    except web.HTTPRequestEntityTooLarge as error:
        raise too_large(limit) from error
    except web.RequestPayloadError as error:
        raise StorageError(
            400, "InvalidHeaderValue", "The value for one of the HTTP headers is not in the correct format."
        ) from error


def not_implemented() -> StorageError:
    """Return the refusal of what the service can do and this one cannot."""
    return StorageError(501, "NotImplemented", "The requested operation is not implemented on the specified resource.")


def too_large(limit: int) -> StorageError:
    """Return the refusal of a body longer than `limit` bytes."""
    return StorageError(
        413,
        "RequestBodyTooLarge",
        "The request body is too large and exceeds the maximum permissible limit.",
        {"MaxLimit": str(limit)},
    )


def _echo(headers: Headers) -> dict[str, str]:
    echoed = {"x-ms-version": headers.get("x-ms-version", _VERSION)}
    client_request_id = headers.get("x-ms-client-request-id", "")
    if 0 < len(client_request_id) <= _LARGEST_CLIENT_REQUEST_ID:
        echoed["x-ms-client-request-id"] = client_request_id
    # What cannot be written back as a header is left out: the echo is a convenience.
    return {name: value for name, value in echoed.items() if value.isascii() and value.isprintable()}
