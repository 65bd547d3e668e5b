"""What is not a state: a closed union of frozen values, each the one request that it permits.

An act knows its method and path, so that the gate below all clients can tell whether a request is the act it carries.
"""

from dataclasses import dataclass
from typing import Literal, Protocol
from urllib.parse import quote

from shared.domain.arm_id import ArmId
from shared.domain.body import JsonObject
from shared.domain.mode import Mode
from shared.domain.resource_types import KeyScheme


class Permit(Protocol):
    """What lets a write through the gate: a fix or an act."""

    @property
    def mode(self) -> Mode:
        """The effective mode; only `enforce` passes."""
        ...

    @property
    def method(self) -> str:
        """The HTTP method of the one request."""
        ...

    @property
    def path(self) -> str:
        """The path of the one request, unescaped, compared without case."""
        ...


@dataclass(frozen=True, slots=True)
class ListKeys:
    """Reads the keys of an account: a POST, and a thing that attackers do, so it needs mode enforce like a write."""

    target: ArmId
    scheme: KeyScheme
    mode: Mode

    @property
    def method(self) -> str:
        """POST."""
        return "POST"

    @property
    def path(self) -> str:
        """The action of the account."""
        return f"{self.target.path}/{self.scheme.list_action}"


@dataclass(frozen=True, slots=True)
class ListQueryKeys:
    """Reads the query keys of a search service, for their names alone."""

    target: ArmId
    mode: Mode

    @property
    def method(self) -> str:
        """POST."""
        return "POST"

    @property
    def path(self) -> str:
        """The action of the service."""
        return f"{self.target.path}/listQueryKeys"


@dataclass(frozen=True, slots=True)
class RegenerateKey:
    """Kills one key of an account and makes another in its place. `slot` is the key as the provider spells it."""

    target: ArmId
    scheme: KeyScheme
    slot: str
    mode: Mode

    @property
    def method(self) -> str:
        """POST."""
        return "POST"

    @property
    def path(self) -> str:
        """The action of the account; AI Search has the key's name in it."""
        own = f"{self.target.path}/{self.scheme.regenerate_action}"
        return f"{own}/{self.slot}" if self.scheme.slot_in_path else own


@dataclass(frozen=True, slots=True)
class PublishKey:
    """Writes a fresh key as a new version of a secret in the vault that consumers read."""

    secret_name: str
    mode: Mode

    @property
    def method(self) -> str:
        """PUT."""
        return "PUT"

    @property
    def path(self) -> str:
        """The secret in its vault."""
        return f"/secrets/{self.secret_name}"


@dataclass(frozen=True, slots=True)
class Change:
    """An act that ARM takes as one request with a body, done at once or as a long-running operation.

    `method` and `suffix` (behind the target's path) make the request. Doing it twice is the same as doing it once.
    `shows` are the paths of the target's body with the values that prove it was done; empty where none does.
    """

    target: ArmId
    api_version: str
    method: Literal["PATCH", "POST"]
    suffix: str
    body: JsonObject
    what: str
    mode: Mode

    @property
    def path(self) -> str:
        """Where the request goes."""
        return f"{self.target.path}{self.suffix}"


type Act = ListKeys | ListQueryKeys | RegenerateKey | PublishKey | Change


def escaped(path: str) -> str:
    """The path as a URL holds it."""
    return quote(path, safe="/()$")
