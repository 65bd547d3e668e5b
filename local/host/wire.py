"""What host and worker say to each other: one JSON object per frame, each frame led by its length in four bytes."""

import base64
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

type Json = dict[str, Any]

# Bytes of a frame's length prefix, big-endian.
PREFIX = struct.Struct(">I")


@dataclass(frozen=True, slots=True)
class HttpCall:
    """A request on its way to an HTTP function."""

    method: str
    url: str
    headers: Mapping[str, str]
    query: Mapping[str, str]
    params: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Cookie:
    """A cookie that a function sets; None where it did not say."""

    name: str
    value: str
    domain: str | None
    path: str | None
    expires: datetime | None
    max_age: float | None
    secure: bool
    http_only: bool
    same_site: Literal["Lax", "Strict", "None"] | None


@dataclass(frozen=True, slots=True)
class HttpReply:
    """The `func.HttpResponse` that a function returned."""

    status: int
    headers: Mapping[str, str]
    cookies: tuple[Cookie, ...]
    body: bytes


@dataclass(frozen=True, slots=True)
class Datum:
    """One value of a binding. `kind` names the field of FunctionRpc's TypedData that carries it."""

    kind: Literal["string", "json", "bytes", "int", "double", "http"]
    value: str | bytes | float | HttpCall | HttpReply

    def to_wire(self) -> Json:
        """The JSON form; only calls travel to a worker, so replies have none here."""
        match self.value:
            case bytes():
                return {self.kind: base64.b64encode(self.value).decode()}
            case HttpCall() as call:
                body = base64.b64encode(call.body).decode()
                plain = {"method": call.method, "url": call.url, "body": body}
                return {"http": plain | {n: dict(getattr(call, n)) for n in ("headers", "query", "params")}}
            case HttpReply():
                raise TypeError("a reply does not travel to a worker")
            case plain_value:
                return {self.kind: plain_value}

    @classmethod
    def from_wire(cls, data: Json) -> "Datum":
        """Read what a worker sent."""
        [(kind, value)] = data.items()
        match kind:
            case "bytes":
                return cls("bytes", base64.b64decode(value))
            case "http":
                return cls("http", _reply(value))
            case "string" | "json" | "int" | "double":
                return cls(kind, value)
            case _:
                raise ValueError(f"a worker sent a value of unknown kind {kind!r}")

    def to_bytes(self) -> bytes:
        """The value as the body of a message or of a response."""
        match self.value:
            case bytes():
                return self.value
            case HttpReply() as reply:
                return reply.body
            case value:
                return str(value).encode()


def _reply(value: Json) -> HttpReply:
    return HttpReply(
        status=int(value["status"]),
        headers=value["headers"],
        cookies=tuple(_cookie(cookie) for cookie in value["cookies"]),
        body=Datum.from_wire(value["body"]).to_bytes() if value["body"] else b"",
    )


def _cookie(value: Json) -> Cookie:
    expires = value["expires"]
    return Cookie(**value | {"expires": None if expires is None else datetime.fromtimestamp(expires, UTC)})
