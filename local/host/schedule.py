"""NCRONTAB schedules of timer triggers, in UTC.

Written here and not taken from a library: NCRONTAB wants day of month *and* day of week to match, where cron (and so
croniter and its kin) takes either; it swaps a reversed range, and `5/10` runs from 5 to the end of the field.
https://github.com/atifaziz/NCrontab, CrontabField.cs and CrontabFieldImpl.cs at 21baf04 (read 2026-11-23).
"""

from calendar import monthrange
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import MAXYEAR, UTC, date, datetime, time, timedelta

# Months to look ahead. 29 February on a given weekday comes back after 40 years at the latest, around a century without
# a leap day; nothing is rarer.
_HORIZON = 41 * 12
_MONTHS = (
    *("january", "february", "march", "april", "may", "june"),
    *("july", "august", "september", "october", "november", "december"),
)
_WEEKDAYS = ("sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday")


@dataclass(frozen=True, slots=True)
class _Field:
    name: str
    low: int
    high: int
    names: tuple[str, ...] = ()

    def values(self, text: str) -> tuple[int, ...]:
        return tuple(sorted({value for part in text.split(",") for value in self._part(part)}))

    def _part(self, text: str) -> range:
        body, slash, step_text = text.partition("/")
        if slash and not step_text.isdecimal():
            raise ValueError(f"{text!r} has no valid step in the {self.name} field")
        step = max(1, int(step_text)) if slash else 1
        if body == "*":
            return range(self.low, self.high + 1, step)
        first_text, dash, last_text = body.partition("-")
        first = self._value(first_text)
        last = self._value(last_text) if dash else (self.high if step > 1 else first)
        return range(min(first, last), max(first, last) + 1, step)

    def _value(self, text: str) -> int:
        if text.isdecimal() and text.isascii():
            value = int(text)
        else:
            named = [n for n, name in enumerate(self.names) if text and name.startswith(text.lower())]
            if not named:
                raise ValueError(f"{text!r} is not a value of the {self.name} field")
            value = named[0] + self.low
        if not self.low <= value <= self.high:
            raise ValueError(f"{value} is outside {self.low} to {self.high} of the {self.name} field")
        return value


_FIELDS = (
    _Field("second", 0, 59),
    _Field("minute", 0, 59),
    _Field("hour", 0, 23),
    _Field("day", 1, 31),
    _Field("month", 1, 12, _MONTHS),
    _Field("day of week", 0, 6, _WEEKDAYS),
)


@dataclass(frozen=True, slots=True)
class Schedule:
    """When a timer fires: every second of which all six fields match. Sunday is 0."""

    seconds: tuple[int, ...]
    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: tuple[int, ...]
    months: tuple[int, ...]
    weekdays: tuple[int, ...]

    @classmethod
    def parse(cls, text: str) -> "Schedule":
        """Read six fields, or five (second 0). Raises ValueError; so for a TimeSpan, which only App Service takes."""
        parts = text.split()
        if len(parts) == len(_FIELDS) - 1:
            parts = ["0", *parts]
        if len(parts) != len(_FIELDS):
            raise ValueError(f"{text!r} is not an NCRONTAB expression of six fields")
        return cls(*(field.values(part) for field, part in zip(_FIELDS, parts, strict=True)))

    def next_after(self, moment: datetime) -> datetime | None:
        """The first firing later than `moment` (aware; answered in UTC); None when the fields never meet."""
        start = moment.astimezone(UTC).replace(microsecond=0) + timedelta(seconds=1)
        for day in self._days(start.date()):
            found = self._first_time(start.time() if day == start.date() else time.min)
            if found is not None:
                return datetime.combine(day, found, UTC)
        return None

    def _days(self, first: date) -> Iterator[date]:
        """The days from `first` on that match, as far as the horizon."""
        for number in range(_HORIZON):
            years, month = divmod(first.month - 1 + number, 12)
            year, month = first.year + years, month + 1
            if year > MAXYEAR or month not in self.months:
                continue
            days = (date(year, month, day) for day in self.days if day <= monthrange(year, month)[1])
            yield from (day for day in days if day >= first and day.isoweekday() % 7 in self.weekdays)

    def _first_time(self, floor: time) -> time | None:
        for hour in self.hours:
            if hour < floor.hour:
                continue
            for minute in self.minutes:
                if (hour, minute) < (floor.hour, floor.minute):
                    continue
                for second in self.seconds:
                    if (hour, minute, second) >= (floor.hour, floor.minute, floor.second):
                        return time(hour, minute, second)
        return None
