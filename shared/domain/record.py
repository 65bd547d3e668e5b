"""The remediation log: one dataclass is the schema of `AirlockRemediation_CL`; a record is sealed once, then frozen."""

import hashlib
import json
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import get_type_hints

from shared.domain.body import Json, JsonObject
from shared.domain.remediation import Severity

TABLE = "AirlockRemediation_CL"
SCHEMA_VERSION = 1
# The Logs Ingestion API cuts values over 64 KB without a word (azure-monitor-docs, service limits, read 2026-11-23).
LONGEST_SEALED = 60 * 1024
# What a record knows beside its columns.
_NO_COLUMNS = frozenset({"cause", "message"})
# An entry that nobody touched for so long is forgotten, and the chain of its resource begins anew.
FORGOTTEN_AFTER = timedelta(days=180)
# What a chain begins with.
GENESIS = "0" * 64


class Outcome(StrEnum):
    """How a finding, or a signal without one, ended."""

    FIXED = "Fixed"
    FIX_UNVERIFIED = "FixUnverified"
    FAILED = "Failed"
    AUDITED = "Audited"
    ADVISED = "Advised"
    EXEMPT = "Exempt"
    REFUSED = "Refused"
    AWAITING_APPROVAL = "AwaitingApproval"
    CONTESTED = "Contested"
    COMPLIANT = "Compliant"
    GONE = "Gone"
    IGNORED = "Ignored"
    UNREADABLE = "Unreadable"
    UNCONFIRMED = "Unconfirmed"
    HELD = "Held"
    OVER_BUDGET = "OverBudget"
    DEAD_LETTERED = "DeadLettered"
    APPROVED = "Approved"
    UNDONE = "Undone"
    SWEEP_COMPLETED = "SweepCompleted"
    HEARTBEAT = "Heartbeat"
    SETTINGS_CHANGED = "SettingsChanged"


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One row of the log before it is sealed. A field is the column of the same name in Pascal case.

    Times are UTC. `changes` and `evidence` are JSON; `detect_ms`, `fix_ms` and `total_ms` count from the signal's time
    to our read, from the write to its verification, and from the signal's time to the record; None where there was
    no such thing. `cause` is no column, nor is `message`: what has to be put into the queue once a person approved.
    """

    time_generated: datetime
    signal_id: str = ""
    signal_kind: str = ""
    signal_time: datetime | None = None
    operation: str = ""
    actor: str = ""
    actor_ip: str = ""
    correlation_id: str = ""
    resource_tenant_id: str = ""
    subscription_id: str = ""
    resource_group: str = ""
    resource_id: str = ""
    resource_type: str = ""
    location: str = ""
    remediation: str = ""
    ref: str = ""
    rule: str = ""
    severity: str = ""
    mode: str = ""
    outcome: Outcome
    reason_code: str = ""
    reason: str = ""
    changes: list[Json] | None = None
    evidence: JsonObject | None = None
    controls: list[Json] | None = None
    arm_request_ids: list[Json] | None = None
    detect_ms: int | None = None
    fix_ms: int | None = None
    total_ms: int | None = None
    attempt: int = 1
    app_version: str = ""
    settings_digest: str = ""
    cause: str = ""
    message: str = ""

    @property
    def record_id(self) -> str:
        """32 hex digits, the same for the same cause, resource, rule, outcome and reason code with the same changes."""
        about = [self.cause, self.resource_id.lower(), self.rule, self.outcome.value, self.reason_code]
        told = json.dumps([about, self.changes])
        return hashlib.sha256(told.encode()).hexdigest()[:32]

    @property
    def chain(self) -> str:
        """The key of the chain that the record belongs to: its resource's, else its subscription's, else `-`."""
        return self.resource_id.lower() or self.subscription_id.lower() or "-"

    def columns(self) -> JsonObject:
        """The columns that are sealed: no nulls, no empty texts, times as UTC with microseconds."""
        told: JsonObject = {"RecordId": self.record_id, "SchemaVersion": SCHEMA_VERSION}
        for option in fields(self):
            value = getattr(self, option.name)
            if option.name not in _NO_COLUMNS and value not in (None, ""):
                told[column_name(option.name)] = _moment(value) if isinstance(value, datetime) else value
        return told

    def as_json(self) -> JsonObject:
        """The record as the ledger keeps it while its fix is under way."""
        return self.columns() | {"Cause": self.cause} | ({"Message": self.message} if self.message else {})


def record_from_json(kept: JsonObject) -> Record:
    """The record that `as_json` wrote. Raises KeyError or ValueError for anything else."""
    hints = get_type_hints(Record)
    values: dict[str, object] = {}
    for option in fields(Record):
        value = kept.get(column_name(option.name))
        if value is None:
            continue
        is_time = datetime in (hints[option.name], *getattr(hints[option.name], "__args__", ()))
        values[option.name] = datetime.fromisoformat(str(value)) if is_time else value
    values["outcome"] = Outcome(str(kept["Outcome"]))
    return Record(**values)  # type: ignore[arg-type] # the columns were written from the fields' own types


@dataclass(frozen=True, slots=True)
class Row:
    """A sealed record: what is sent, and sent again, as it is. `message` stays behind."""

    chain: str
    record_id: str
    digest: str
    columns: JsonObject
    message: str = ""


def seal(record: Record, chain: str, previous: str) -> Row:
    """The record's row in the chain of that entry key, behind the one whose digest is `previous` (GENESIS for the
    first).

    Sealed is one canonical JSON string; Digest is SHA-256 over PreviousDigest and Sealed.
    """
    columns = _fitting(record).columns() | {"RecordId": record.record_id}
    sealed = canonical(columns)
    digest = hashlib.sha256((previous + sealed).encode()).hexdigest()
    told = columns | {"Sealed": sealed, "PreviousDigest": previous, "Digest": digest}
    return Row(chain, record.record_id, digest, told, record.message)


class Outlet(StrEnum):
    """Where rows go. Each has a list of its own of the rows that it did not take yet."""

    LOG = "log"
    TOPIC = "topic"


_NOTABLE = tuple(Severity)[tuple(Severity).index(Severity.MEDIUM) :]


def is_notable(row: Row) -> bool:
    """Whether the row is published beside being logged: from severity medium up."""
    return row.columns.get("Severity") in _NOTABLE


def canonical(value: Json) -> str:
    """JSON with sorted keys and no spaces, in ASCII: the same value always gives the same text."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True)


def _fitting(record: Record) -> Record:
    """The record with its largest parts left out, and said so, until it can be sealed."""
    if len(canonical(record.columns())) <= LONGEST_SEALED:
        return record
    size = len(canonical(record.changes))
    paths: list[Json] = [change["path"] for change in record.changes or [] if isinstance(change, dict)]
    cut: JsonObject = {"cut": f"Changes held {size} bytes; the paths alone are kept", "paths": paths[:100]}
    return replace(record, changes=None, evidence=cut, reason=record.reason[:256])


def column_name(field_name: str) -> str:
    """`arm_request_ids` -> `ArmRequestIds`."""
    return "".join(part.capitalize() for part in field_name.split("_"))


def schema() -> dict[str, str]:
    """Every column of the table with its Log Analytics type, in order."""
    types = {"datetime": "datetime", "int": "long", "str": "string", "Outcome": "string"}
    hints = get_type_hints(Record)
    table = {"TimeGenerated": "datetime", "RecordId": "string", "SchemaVersion": "long"}
    for option in fields(Record):
        if option.name in _NO_COLUMNS:
            continue
        inner = [kind for kind in getattr(hints[option.name], "__args__", ()) if kind is not type(None)]
        kind = inner[0] if inner and hints[option.name].__class__.__name__ != "GenericAlias" else hints[option.name]
        table[column_name(option.name)] = types.get(getattr(kind, "__name__", ""), "dynamic")
    return table | {"Sealed": "string", "PreviousDigest": "string", "Digest": "string"}


def _moment(value: datetime) -> str:
    return value.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
