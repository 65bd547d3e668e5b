"""What a confirmed alert or an exposed key asks for: the rows of the alert map, and the one that counts."""

import fnmatch
from collections.abc import Iterable
from dataclasses import dataclass

from shared.domain.alert import Alert
from shared.domain.exposure import Exposure
from shared.domain.remediation import Severity, Source


@dataclass(frozen=True, slots=True)
class AlertRow:
    """What alerts of some types lead to.

    `types` are alert types as Defender spells them, compared without case; a `*` stands for anything. `respond`,
    `contain` and their `_on_approval` twins name responses and remediations. `contain` is done with a stricter
    baseline: `disable-public-network-access` closes in spite of an allow-list, `restrict-network-rules` drops the
    ranges that hold the alert's addresses. `auto_when_tagged` are the responses on approval that need none where the
    resource carries the tag `airlock-containment=auto`. A row that does nothing at all says in `reason` why; one that
    does something says there why that is right. `advice` is what a person has to do.
    """

    types: tuple[str, ...]
    title: str
    severity: Severity
    reason: str
    advice: str
    atlas: tuple[str, ...]
    source: Source
    respond: tuple[str, ...] = ()
    contain: tuple[str, ...] = ()
    respond_on_approval: tuple[str, ...] = ()
    contain_on_approval: tuple[str, ...] = ()
    auto_when_tagged: tuple[str, ...] = ()
    blocked: bool = False

    def is_about(self, alert_type: str) -> bool:
        """Whether the row counts for alerts of that type."""
        lowered = alert_type.lower()
        return any(fnmatch.fnmatchcase(lowered, pattern.lower()) for pattern in self.types)


def row_for(alert_type: str, rows: Iterable[AlertRow]) -> AlertRow | None:
    """The first row that counts for the type; rows with exact types stand before those with patterns."""
    return next((row for row in rows if row.is_about(alert_type)), None)


@dataclass(frozen=True, slots=True)
class Incident:
    """Something that was confirmed and is answered on one resource: an alert with its row, or an exposed key.

    `cause` is the same for every delivery of it. `name` is how people find it again.
    """

    cause: str
    name: str
    title: str
    severity: Severity
    row: AlertRow
    alert: Alert | None = None
    exposure: Exposure | None = None
