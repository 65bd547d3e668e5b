"""A key that was found where it does not belong: what `airlock leak` tells of it, and how an event spells that."""

import hashlib
import re
from dataclasses import dataclass, field

from shared.domain.arm_id import ArmId, parse_arm_id
from shared.domain.body import JsonObject, as_text
from shared.domain.redact import redact

# The type of the CloudEvent that tells of a key found in a repository, a log, or anywhere else.
SECRET_EXPOSED = "Airlock.SecretExposed"  # noqa: S105 - the name of an event
_SHA256 = re.compile(r"[0-9a-f]{64}")
_LONGEST_PLACE = 256


@dataclass(frozen=True, slots=True)
class Exposure:
    """One exposed key. `sha256` is the full SHA-256 of it in lower-case hex, which no record ever shows.

    `found_at` is where it was found, in words (`contoso/app config.py:3`). `resource` is the resource that it is
    said to open; None where nobody knows.
    """

    sha256: str = field(repr=False)
    found_at: str = ""
    resource: ArmId | None = None

    @property
    def cause(self) -> str:
        """What makes two findings of one key the same: derived from the hash, but not the hash."""
        return f"secret {self._told[:32]}"

    @property
    def name(self) -> str:
        """How people find the finding again: `exposed-key-` and twelve hex digits, which are not the key's hash's."""
        return f"exposed-key-{self._told[:12]}"

    @property
    def _told(self) -> str:
        return hashlib.sha256(self.sha256.encode()).hexdigest()

    def as_json(self) -> JsonObject:
        """The `data` of the event."""
        told: JsonObject = {"sha256": self.sha256, "foundAt": self.found_at}
        return told | ({"resourceId": self.resource.path} if self.resource else {})


def parse_exposure(data: JsonObject) -> Exposure:
    """The exposure that the `data` of an event spells. Raises ValueError, saying what is wrong, for anything else."""
    sha256 = as_text(data.get("sha256")).lower()
    if not _SHA256.fullmatch(sha256):
        raise ValueError("the event has no sha256 of 64 hex digits")
    named = as_text(data.get("resourceId"))
    return Exposure(
        sha256, redact(as_text(data.get("foundAt")), _LONGEST_PLACE), parse_arm_id(named) if named else None
    )
