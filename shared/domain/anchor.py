"""The anchors of the log: once an hour the heads of the chains that changed, chained among themselves."""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from shared.domain.body import Json, JsonObject, as_text
from shared.domain.record import canonical

SCHEMA_VERSION = 1
_MEMBERS = frozenset({"schemaVersion", "time", "previous", "heads"})
_DIGEST = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Anchor:
    """What one blob holds.

    `previous` is the digest of the anchor before it, GENESIS for the first. `heads` are the digests of the newest rows
    of the chains that changed since, by the keys of the chains.
    """

    time: datetime
    previous: str
    heads: Mapping[str, str]

    def to_bytes(self) -> bytes:
        """The blob: canonical JSON, so that the same anchor is always the same bytes."""
        heads: JsonObject = {chain: head for chain, head in self.heads.items()}  # noqa: C416 - dict() keeps the value's type
        told: JsonObject = {"schemaVersion": SCHEMA_VERSION, "previous": self.previous, "heads": heads}
        return canonical(told | {"time": _told(self.time)}).encode()

    @property
    def digest(self) -> str:
        """SHA-256 over the blob, in hex: what the next anchor names as its previous one."""
        return hashlib.sha256(self.to_bytes()).hexdigest()


def parse_anchor(data: bytes) -> Anchor:
    """The anchor that `to_bytes` wrote. Raises ValueError for anything else, one byte more or less included."""
    try:
        kept: Json = json.loads(data)
    except RecursionError:
        raise ValueError("is nested too deeply") from None
    except ValueError:
        raise ValueError("is not JSON") from None
    if not isinstance(kept, dict) or kept.keys() != _MEMBERS or kept["schemaVersion"] != SCHEMA_VERSION:
        raise ValueError("is no anchor of a version that is known")
    anchor = Anchor(_time(as_text(kept["time"])), _digest(kept["previous"]), _heads(kept["heads"]))
    if anchor.to_bytes() != data:
        raise ValueError("is not written as Airlock writes an anchor")
    return anchor


def _heads(value: Json) -> dict[str, str]:
    if not isinstance(value, dict):
        raise ValueError("has heads that are no object")  # noqa: TRY004 - callers are promised ValueError alone
    return {chain: _digest(head) for chain, head in value.items()}


def _digest(value: Json) -> str:
    if not isinstance(value, str) or not _DIGEST.fullmatch(value):
        raise ValueError("has a digest that is not 64 hex digits")
    return value


def _time(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError("has a time that is none") from None


def _told(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
