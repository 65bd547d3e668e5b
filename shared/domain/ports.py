"""What the pipeline needs of the world, as Protocols: Azure stands behind them in `shared/azure`."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from shared.domain.act import Command, ListKeys, ListQueryKeys, PublishKey, RegenerateKey
from shared.domain.arm_id import ArmId
from shared.domain.body import JsonObject
from shared.domain.fix import Fix
from shared.domain.kept import Kept
from shared.domain.ledger import Entry
from shared.domain.operator import Caller
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

    def search(self, kinds: Sequence[str]) -> AsyncIterator[JsonObject]:
        """Every resource of those types that Airlock may see, as Resource Graph knows it, which may be minutes old."""
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

    async def interrupted(self, now: datetime) -> tuple[str, ...]:
        """The messages that bring open work to its end: intentions whose lease has run out, and orders to undo."""
        ...


@dataclass(frozen=True, slots=True)
class Head:
    """The digest of the newest row of a chain. `etag` says which version of the list's entry it was read from."""

    chain: str
    digest: str
    etag: str


class Budgets(Protocol):
    """What bounds how much is changed within an hour, for all workers together."""

    async def claim(self, subscription: str, now: datetime, limit: int, *, critical: bool) -> bool:
        """Counts one fix more; False, and nothing counted, where the hour has no room for it. Raises TryAgain."""
        ...


class Archive(Protocol):
    """What the ledger knows beside its entries. Every method raises TryAgain."""

    async def kept(self, record_id: str, now: datetime) -> Kept | None:
        """What is kept of the record; None for one that is unknown, or older than the month before this one."""
        ...

    async def note_crash(self, message: str, error: str, now: datetime) -> None:
        """Notes what a message made the function fail with."""
        ...

    async def crash_of(self, message: str, now: datetime) -> str:
        """What was noted last for the message; empty where nothing was."""
        ...

    async def heads(self) -> Sequence[Head]:
        """The chains that grew since their heads were struck off."""
        ...

    async def strike_heads(self, heads: Sequence[Head]) -> None:
        """Takes heads off the list that were anchored; one that moved on meanwhile stays."""
        ...

    async def forget(self, now: datetime) -> int:
        """Deletes what nobody has touched for so long that nothing rests on it any more; answers how much."""
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


class Blobs(Protocol):
    """Blobs in our own storage: dead letters, what is buried, anchors. Every method raises TryAgain."""

    async def create(self, container: str, name: str, data: bytes) -> bool:
        """Writes the blob, making its container when absent; False, and nothing written, where the blob is there."""
        ...

    async def read(self, container: str, name: str) -> bytes | None:
        """The blob's content; None where there is no such blob."""
        ...

    async def names(self, container: str, prefix: str = "", most: int = 1000) -> list[str]:
        """The names of up to so many blobs that begin with the prefix, in order; none where there is no container."""
        ...

    async def delete(self, container: str, name: str) -> None:
        """Deletes the blob, if it is there."""
        ...


@dataclass(frozen=True, slots=True)
class Poisoned:
    """A message that made the function crash. `receipt` is what its removal must show."""

    id: str
    text: str
    inserted: datetime
    receipt: str


class Poison(Protocol):
    """The queue of messages that made the function crash. Every method raises TryAgain."""

    async def take(self, most: int = 32) -> list[Poisoned]:
        """Up to so many messages, hidden from others for five minutes; none where there is no queue."""
        ...

    async def remove(self, poisoned: Poisoned) -> None:
        """Takes the message out for good."""
        ...


class Tokens(Protocol):
    """What tells who calls."""

    async def caller(self, authorization: str) -> Caller:
        """Whom the token of an Authorization header proves. Raises Refused for one that proves nobody, TryAgain."""
        ...
