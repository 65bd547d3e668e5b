"""Instants as the storage services keep them: 100-nanosecond ticks, in UTC, since 1970."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
TICKS_PER_MICROSECOND = 10
TICKS_PER_SECOND = 10_000_000

# Where Edm.DateTime begins (learn.microsoft.com, "Understanding the Table service data model", reviewed 2026-11).
EARLIEST = datetime(1601, 1, 1, tzinfo=UTC)

_TEXT = re.compile(
    r"(?P<date>[0-9]{4}-[0-9]{2}-[0-9]{2})T(?P<minute>[0-9]{2}:[0-9]{2})"
    r"(?::(?P<second>[0-9]{2})(?:\.(?P<fraction>[0-9]{1,7}))?)?(?P<zone>Z|[+-][0-9]{2}:[0-9]{2})?"
)


@dataclass(frozen=True, slots=True, order=True)
class Moment:
    """An instant; `ticks` counts 100-nanosecond steps since 1970 and is negative before."""

    ticks: int

    def __str__(self) -> str:
        """Write the instant as the service does: UTC, and no more digits of a second than needed."""
        seconds, rest = divmod(self.ticks, TICKS_PER_SECOND)
        whole = (EPOCH + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%S")
        fraction = f".{rest:07}".rstrip("0") if rest else ""
        return f"{whole}{fraction}Z"

    @property
    def instant(self) -> datetime:
        """The instant to the microsecond."""
        return EPOCH + timedelta(microseconds=self.ticks // TICKS_PER_MICROSECOND)

    @property
    def exact(self) -> str:
        """All seven digits of a second, as in `Timestamp` and in ETags."""
        seconds, rest = divmod(self.ticks, TICKS_PER_SECOND)
        return f"{(EPOCH + timedelta(seconds=seconds)).strftime('%Y-%m-%dT%H:%M:%S')}.{rest:07}Z"


def moment(instant: datetime) -> Moment:
    """Return the ticks of a time-zone aware `instant`."""
    return Moment((instant - EPOCH) // timedelta(microseconds=1) * TICKS_PER_MICROSECOND)


def parse_moment(text: str) -> Moment:
    """Read an ISO 8601 instant with up to seven digits of a second; no zone means UTC.

    Raises ValueError for any other text, and for instants before 1601 or after 9999.
    """
    match = _TEXT.fullmatch(text)
    if match is None:
        raise ValueError("not an ISO 8601 instant")
    zone = "+00:00" if match["zone"] in (None, "Z") else match["zone"]
    written = datetime.fromisoformat(f"{match['date']}T{match['minute']}:{match['second'] or '00'}{zone}")
    try:
        instant = written.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("the instant is out of range") from error
    if instant < EARLIEST:
        raise ValueError("the instant is before 1601")
    return Moment(moment(instant).ticks + int((match["fraction"] or "0").ljust(7, "0")))
