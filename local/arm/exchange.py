"""One request to ARM and its answer, free of the web framework."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from local.arm.body import Body
from local.arm.resource_id import Address


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls, as its token claims, and how the call names itself."""

    claims: Body
    address: str
    correlation_id: str
    client_request_id: str | None

    @property
    def principal(self) -> str:
        """The object id that the token claims; "-" when it claims none."""
        return str(self.claims.get("oid", "-"))


@dataclass(frozen=True, slots=True)
class Call:
    """One request. `origin` is where the client reached us, `path_and_query` what it asked for there."""

    method: str
    address: Address
    api_version: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: Body
    caller: Caller
    origin: str
    path_and_query: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What goes back. `pending` means that the outcome is known only when an operation ends."""

    status: int
    body: object = None
    headers: Mapping[str, str] = field(default_factory=dict)
    pending: bool = False
