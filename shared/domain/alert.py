"""A Defender for Cloud alert, whatever form it came in."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from shared.domain.arm_id import ArmId
from shared.domain.body import JsonObject
from shared.domain.remediation import Severity


class AlertStatus(StrEnum):
    """Whether anybody still has to care."""

    ACTIVE = "Active"
    IN_PROGRESS = "InProgress"
    RESOLVED = "Resolved"
    DISMISSED = "Dismissed"


@dataclass(frozen=True, slots=True)
class Alert:
    """What an alert says. Of one that came as an event, everything is a claim until it was read back through ARM.

    `name` is the alert's own name (`2518..._guid`). `id` is where ARM has it
    (`/subscriptions/…/providers/Microsoft.Security/locations/{location}/alerts/{name}`); None where the form does not
    tell the location. `type` is `AI.Azure_…` and the like. `resources` are the affected resources, each once, the one
    that the alert is said to be about first; `unusable` says of every named id that is none what is wrong with it.
    `addresses` are IP addresses of the entities in canonical spelling, `accounts` the names or ids of accounts.
    `extended` are the extended properties as texts. `started` and `ended` are in UTC, None where not told.
    """

    name: str
    id: ArmId | None
    type: str
    title: str
    severity: Severity
    status: AlertStatus
    intent: tuple[str, ...] = ()
    resources: tuple[ArmId, ...] = ()
    unusable: tuple[str, ...] = ()
    started: datetime | None = None
    ended: datetime | None = None
    addresses: tuple[str, ...] = ()
    accounts: tuple[str, ...] = ()
    extended: JsonObject | None = None
    is_incident: bool = False

    @property
    def is_open(self) -> bool:
        """Whether the alert still stands."""
        return self.status in {AlertStatus.ACTIVE, AlertStatus.IN_PROGRESS}


def is_alert(data: JsonObject) -> bool:
    """Whether the object is an alert in any of its forms."""
    return bool(data) and False


def parse_alert(data: JsonObject) -> Alert:
    """The alert that the object spells. Raises ValueError, saying what is wrong, for what is no alert."""
    raise ValueError(f"no alert in {len(data)} members")


def essence(data: JsonObject) -> JsonObject:
    """The part of an alert that fits any queue message: `parse_alert` reads the same name, id, type and resources."""
    return data
