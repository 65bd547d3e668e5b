"""How much may be changed within an hour: what bounds the damage of a mistake, ours or somebody else's. Pure."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

_HOUR = timedelta(hours=1)
# The share that only critical rules and confirmed incidents may use: decoys must not eat it.
_RESERVED = 5


@dataclass(frozen=True, slots=True)
class Budget:
    """The fixes that were begun in one subscription within one hour of the clock, by who may use which share."""

    hour: datetime
    common: int = 0
    critical: int = 0

    def take(self, now: datetime, limit: int, *, critical: bool) -> "Budget | None":
        """The budget with one fix more; None where the hour has no room for it."""
        # A clock that is a little behind must not begin an hour anew.
        current = self if self.hour >= hour_of(now) else Budget(hour_of(now))
        if current.common + current.critical >= limit:
            return None
        if critical:
            return replace(current, critical=current.critical + 1)
        return replace(current, common=current.common + 1) if current.common < limit - limit // _RESERVED else None


def hour_of(now: datetime) -> datetime:
    """When the hour began."""
    return now.replace(minute=0, second=0, microsecond=0)


def next_hour(now: datetime) -> datetime:
    """When the next hour begins."""
    return hour_of(now) + _HOUR
