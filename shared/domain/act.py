"""What is not a state: a closed union of frozen values, each the one request that it permits.

An act knows its method and path, so that the gate below all clients can tell whether a request is the act it carries.
"""

import hashlib
from dataclasses import dataclass
from typing import Literal

from shared.domain.arm_id import ArmId
from shared.domain.body import JsonObject
from shared.domain.change import Change
from shared.domain.mode import Mode
from shared.domain.resource_types import KeyScheme


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
class Command:
    """An act that ARM takes as one request, done at once or as a long-running operation.

    Doing it twice comes to the same as doing it once. `suffix` stands behind the target's path, `body` is None for a
    request without one. `what` says in words what it does, `changes` what changes as people see it. `shown` is the
    part of the target's body that proves it, read at `read_api_version`.
    """

    target: ArmId
    api_version: str
    method: Literal["PATCH", "POST"]
    suffix: str
    body: JsonObject | None
    what: str
    changes: tuple[Change, ...]
    shown: JsonObject
    read_api_version: str
    mode: Mode

    @property
    def path(self) -> str:
        """Where the request goes."""
        return f"{self.target.path}{self.suffix}"

    def token(self, cause: str) -> str:
        """Sixteen hex digits by which the ledger knows that this was done, or begun, for the cause."""
        return hashlib.sha256(f"{cause} {self.method} {self.path}".lower().encode()).hexdigest()[:16]


type Act = ListKeys | ListQueryKeys | RegenerateKey | PublishKey | Command


def changed_by(act: Act) -> tuple[Change, ...]:
    """What an act changes; nothing for one that reads. Of a key there is nothing to show but that it is another one."""
    match act:
        case Command():
            return act.changes
        case RegenerateKey():
            return (Change(f"keys.{act.slot}", None, "regenerated"),)
        case _:
            return ()
