"""What the pipeline needs of the world, as Protocols: Azure stands behind them in `shared/azure`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from shared.domain.act import Command, ListKeys, ListQueryKeys, PublishKey, RegenerateKey
from shared.domain.arm_id import ArmId
from shared.domain.body import JsonObject
from shared.domain.fix import Fix
from shared.domain.ledger import Entry, Intention
from shared.domain.record import Row
from shared.domain.secret import Secret


class Arm(Protocol):
    """Azure Resource Manager. Every method raises TryAgain or Refused."""

    async def read(self, target: ArmId, api_version: str) -> JsonObject | None:
        """The live body; None where there is no such resource."""
        ...

    async def children(self, parent: ArmId, kind: str, api_version: str) -> Sequence[JsonObject]:
        """All resources of a type below the parent: the last part of a child's type, or a subscription's full one."""
        ...

    async def subscriptions(self) -> Sequence[ArmId]:
        """The subscriptions that Airlock may read."""
        ...

    async def send(self, fix: Fix) -> "Receipt":
        """Sends the fix and waits until ARM says that the operation has ended."""
        ...

    async def perform(self, act: Command) -> "Receipt":
        """Performs the act and waits until ARM says that the operation has ended."""
        ...


@dataclass(frozen=True, slots=True)
class Receipt:
    """ARM's answer to a fix it took: its request ids, and what went wrong in the operation (None: nothing)."""

    request_ids: tuple[str, ...]
    failure: str | None = None


class Keys(Protocol):
    """The keys of accounts. Every method raises TryAgain or Refused."""

    async def current(self, act: ListKeys) -> Mapping[str, Secret]:
        """The keys of the account, by slot as its scheme spells them."""
        ...

    async def regenerate(self, act: RegenerateKey) -> Mapping[str, Secret]:
        """Regenerates the key, and answers all keys as they are then."""
        ...

    async def query_key_names(self, act: ListQueryKeys) -> Sequence[str]:
        """The names of a search service's query keys; empty texts for those without one."""
        ...


class Vault(Protocol):
    """The vault that consumers read their keys from."""

    async def publish(self, act: PublishKey, key: Secret) -> str:
        """Writes the key as a new version of the secret, and answers the version. Raises TryAgain or Refused."""
        ...


class Ledger(Protocol):
    """The memory. Every method raises TryAgain when the storage cannot answer or another worker came first."""

    async def open(self, key: str) -> Entry:
        """The entry of that key (an ARM id key, or a subscription's); a new one if there is none."""
        ...

    async def commit(self, entry: Entry, rows: Sequence[Row] = ()) -> Entry:
        """Writes the entry and the rows that wait to be sent, all or nothing.

        Raises TryAgain if the entry changed since it was opened.
        """
        ...

    async def attach(self, owner: ArmId, added: Sequence[str], removed: Sequence[str]) -> None:
        """Notes, beside the entries of the keys, that the owner names them, or no longer does."""
        ...

    async def wait_for_quiet(self, key: str, first: datetime, last: datetime) -> None:
        """Notes beside the entry the oldest and the newest change that wait for the resource to become quiet."""
        ...

    async def interrupted(self, now: datetime) -> tuple[Intention, ...]:
        """The intentions whose lease has run out."""
        ...


class Log(Protocol):
    """Where records go: the remediation log, and the topic that tells others of them."""

    async def deliver(self, rows: Sequence[Row]) -> None:
        """Sends the rows and strikes those that were taken off the ledger's lists of unsent ones.

        Never raises for a log that does not answer: the rows stay listed and `settle` sends them again.
        """
        ...

    async def resend(self, before: datetime) -> None:
        """Delivers what was written before then and is not known to have been sent.

        Raises TryAgain when the ledger cannot say what that is.
        """
        ...


class Queue(Protocol):
    """The queue that signals wait in."""

    async def put(self, message: str, delay: timedelta) -> None:
        """Puts a message in, visible after the delay. Raises TryAgain."""
        ...
