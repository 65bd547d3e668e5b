"""One row of the log by itself: what it means to its chain, and whether its columns are what was sealed. Pure."""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from sys import intern

from shared.domain.body import Json, JsonObject
from shared.domain.record import canonical, schema

# Log Analytics puts the time of receipt in place of an older TimeGenerated, adds columns of its own, all others of
# which begin with an underscore (learn.microsoft.com/azure/azure-monitor/logs/log-standard-columns, read 2026-11-24),
# and `az monitor log-analytics query` adds TableName and writes null as None (Azure/azure-cli-extensions,
# src/log-analytics, read 2026-11-24).
_OLDEST_TAKEN = timedelta(days=2)
_NOT_OURS = frozenset({"TenantId", "Type", "SourceSystem", "MG", "ManagementGroupName", "TableName", "$table"})
_ABSENT = (None, "", "None")
_TIME = "TimeGenerated"
_CHAINING = ("Sealed", "PreviousDigest", "Digest")
_EXPECTED = _NOT_OURS | {*_CHAINING}
_TIMES = frozenset(name for name, kind in schema().items() if kind == "datetime")
_FINER = re.compile(r"\.\d{6}\d*[1-9]")
_WHOLE = re.compile(r"-?\d{1,19}")
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")
_BROKEN_SEAL = "Digest is not that of PreviousDigest and Sealed"
NEVER = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Link:
    """What one row means to its chain.

    `digest` is what it claims, `told` what it would have to claim; the same in a row that is sealed. `fault` is what
    is wrong with the row by itself, empty where nothing is.
    """

    chain: str
    record_id: str = ""
    time: datetime = NEVER
    previous: str = ""
    digest: str = ""
    told: str = ""
    fault: str = ""
    readable: bool = True
    late: bool = False

    @property
    def sealed(self) -> bool:
        """Whether the digest is that of the row."""
        return self.digest == self.told != ""

    @property
    def named(self) -> str:
        """The row as texts call it."""
        return f"{self.record_id or 'a row without RecordId'} of {shown(self.time)}"


def shown(moment: datetime) -> str:
    """The time as people and programs read it; empty for a row that tells none."""
    return "" if moment == NEVER else moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def examine(row: object) -> Link:
    """Holds the columns of one row against its seal. Never raises."""
    if not isinstance(row, Mapping):
        return Link("-", fault="is not a row", readable=False)
    sealed, previous, digest = (_text(row.get(name)) for name in _CHAINING)
    told = _unsealed(sealed)
    about = told or row
    # One text for all rows of a chain, and below one for both digests: there may be millions of rows.
    chain = intern(_text(about.get("ResourceId")).lower() or _text(about.get("SubscriptionId")).lower() or "-")
    record_id, time = _text(about.get("RecordId")), _moment(about.get(_TIME)) or NEVER
    seal = hashlib.sha256((previous + sealed).encode(errors="surrogatepass")).hexdigest()
    if lacking := [name for name in _CHAINING if not _text(row.get(name))]:
        fault = f"has no {' and no '.join(lacking)}"
        return Link(chain, record_id, time, previous, digest or seal, fault=fault, readable=False)
    if told is None:
        fault = "Sealed is not the canonical JSON of a record"
        return Link(chain, record_id, time, previous, digest, seal if seal != digest else "", fault)
    late = row.get(_TIME) != told[_TIME] and _is_late(row.get(_TIME), time)
    faults = [*_differing(row, told, late=late), *([] if seal == digest else [_BROKEN_SEAL])]
    return Link(
        chain, record_id, time, previous, digest, digest if seal == digest else seal, "; ".join(faults), late=late
    )


def _unsealed(text: str) -> JsonObject | None:
    """The record that was sealed; None for anything that `seal` did not write."""
    try:
        told = json.loads(text)
        if not isinstance(told, dict) or canonical(told) != text:
            return None
    except (ValueError, RecursionError):
        return None
    return told if told.get("RecordId") and _moment(told.get(_TIME)) else None


def _differing(row: Mapping[str, object], told: JsonObject, *, late: bool) -> Iterator[str]:
    # Nearly every column is text that is the same: a million rows wait for this line.
    unequal = [name for name, value in told.items() if row.get(name) != value or not isinstance(value, str)]
    wrong = [name for name in unequal if not (_is_same(name, row.get(name), told[name]) or (late and name == _TIME))]
    if wrong:
        yield f"{_columns(wrong)} not what Sealed says"
    unknown = [str(name) for name in row.keys() - told.keys() - _EXPECTED if row[name] not in _ABSENT]
    if added := sorted(name for name in unknown if not name.startswith("_")):
        yield f"{_columns(added)} not in Sealed"


def _columns(names: Sequence[str]) -> str:
    return f"column {names[0]} is" if len(names) == 1 else f"columns {', '.join(names)} are"


def _is_same(name: str, column: object, told: Json) -> bool:
    """Whether the column says what was sealed, in one of the spellings that Log Analytics has for it."""
    if isinstance(told, str):
        return column == told or (isinstance(column, str) and _is_same_text(name, column, told))
    try:
        if isinstance(told, list | dict):
            return _is_same_json(json.loads(column) if isinstance(column, str) else column, told)
        return _is_same_json(int(column) if isinstance(column, str) and _WHOLE.fullmatch(column) else column, told)
    except (ValueError, RecursionError):
        return False


def _is_same_text(name: str, column: str, told: str) -> bool:
    if name in _TIMES:
        return not _FINER.search(column) and (moment := _moment(column)) is not None and moment == _moment(told)
    # What is half a letter becomes the letter for unreadable ones on its way.
    return _LONE_SURROGATE.sub("\ufffd", told) == column


def _is_same_json(column: object, told: Json) -> bool:
    """Numbers by their value, all else exactly: to Python True is 1."""
    match told:
        case dict():
            return (
                isinstance(column, dict)
                and column.keys() == told.keys()
                and all(_is_same_json(column[name], value) for name, value in told.items())
            )
        case list():
            return isinstance(column, list) and len(column) == len(told) and all(map(_is_same_json, column, told))
        case str():
            return column == told or (isinstance(column, str) and _LONE_SURROGATE.sub("\ufffd", told) == column)
        case bool() | None:
            return column is told
        case _:
            return not isinstance(column, bool) and column == told


def _is_late(column: object, sealed: datetime) -> bool:
    received = _moment(column)
    return received is not None and received - sealed > _OLDEST_TAKEN


def _moment(value: object) -> datetime | None:
    """The time in UTC, cut to microseconds; None for anything that tells none."""
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else None
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC) if moment else None
    except (ValueError, OverflowError):
        return None


def _text(value: object) -> str:
    return value if isinstance(value, str) and value not in _ABSENT else ""
