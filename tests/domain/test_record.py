"""The remediation log's schema and its chain."""

import hashlib
import json
import re
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.body import Json, as_text
from shared.domain.record import (
    GENESIS,
    LONGEST_SEALED,
    Outcome,
    Record,
    Row,
    canonical,
    column_name,
    is_notable,
    record_from_json,
    schema,
    seal,
)
from shared.domain.remediation import Severity
from tests.domain.making import NOW, TARGET, moments, record
from tests.hostile import anything

# learn.microsoft.com/azure/azure-monitor/logs/create-custom-table: names and types of custom columns.
TYPES = {"string", "int", "long", "real", "boolean", "datetime", "dynamic", "guid"}
RESERVED = {
    "id",
    "BilledSize",
    "IsBillable",
    "InvalidTimeGenerated",
    "TenantId",
    "Title",
    "Type",
    "UniqueId",
    "_ItemId",
    "_ResourceGroup",
    "_ResourceId",
    "_SubscriptionId",
    "_TimeReceived",
}
texts = st.text(max_size=12)
times = moments | moments.map(lambda moment: moment.astimezone(timezone(timedelta(hours=5, minutes=30))))
columns = {
    "time_generated": times,
    "signal_time": st.none() | times,
    "outcome": st.sampled_from(Outcome),
    "changes": st.none() | st.lists(anything, max_size=2),
    "controls": st.none() | st.lists(anything, max_size=2),
    "arm_request_ids": st.none() | st.lists(texts, max_size=2),
    "evidence": st.none() | st.dictionaries(texts, anything, max_size=2),
    "detect_ms": st.none() | st.integers(0, 2**53),
    "fix_ms": st.none() | st.integers(0, 2**53),
    "total_ms": st.none() | st.integers(0, 2**53),
    "attempt": st.integers(1, 10_000),
}
records = st.builds(Record, **{option.name: columns.get(option.name, texts) for option in fields(Record)})


def test_every_column_is_one_that_log_analytics_takes() -> None:
    table = schema()
    assert set(table.values()) <= TYPES
    assert all(re.fullmatch(r"[A-Za-z][A-Za-z0-9_]{1,44}", name) for name in table)
    assert not {name.lower() for name in table} & {name.lower() for name in RESERVED}
    assert len({name.lower() for name in table}) == len(table)


def test_types_are_those_of_the_fields() -> None:
    table = schema()
    assert list(table)[:3] == ["TimeGenerated", "RecordId", "SchemaVersion"]
    assert list(table)[-3:] == ["Sealed", "PreviousDigest", "Digest"]
    assert "Cause" not in table
    expected = {
        "TimeGenerated": "datetime",
        "SignalTime": "datetime",
        "Outcome": "string",
        "Reason": "string",
        "Changes": "dynamic",
        "Evidence": "dynamic",
        "Controls": "dynamic",
        "ArmRequestIds": "dynamic",
        "DetectMs": "long",
        "Attempt": "long",
        "SchemaVersion": "long",
        "Sealed": "string",
    }
    assert {name: table[name] for name in expected} == expected


@pytest.mark.parametrize(
    "name, column", [("arm_request_ids", "ArmRequestIds"), ("ref", "Ref"), ("actor_ip", "ActorIp")]
)
def test_column_name(name: str, column: str) -> None:
    assert column_name(name) == column


@given(records)
def test_a_record_reads_back_as_itself(told: Record) -> None:
    kept = json.loads(json.dumps(told.as_json()))
    assert record_from_json(kept) == told
    assert record_from_json(kept).record_id == told.record_id


@given(records)
def test_what_is_written_is_in_the_schema(told: Record) -> None:
    table = schema()
    for name, value in seal(told, "chain", GENESIS).columns.items():
        assert value is not None
        assert value != ""
        kinds = {"string": str, "long": int, "datetime": str, "dynamic": list | dict}
        assert isinstance(value, kinds[table[name]])
        if table[name] == "datetime":
            assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", as_text(value))


@pytest.mark.parametrize("kept", [{}, {"Outcome": "Fixed", "TimeGenerated": "soon"}, {"Outcome": "Made up"}])
def test_what_is_no_record_is_refused(kept: dict[str, Json]) -> None:
    with pytest.raises((KeyError, ValueError)):
        record_from_json(kept)


def verify(rows: list[Row]) -> None:
    """What a verifier does with the table: nothing but SHA-256 and JSON."""
    previous = GENESIS
    for row in rows:
        sealed = as_text(row.columns["Sealed"])
        assert row.columns["PreviousDigest"] == previous
        assert row.digest == row.columns["Digest"] == hashlib.sha256((previous + sealed).encode()).hexdigest()
        told = {name: row.columns[name] for name in row.columns if name not in ("Sealed", "PreviousDigest", "Digest")}
        assert json.loads(sealed) == json.loads(json.dumps(told))
        assert canonical(json.loads(sealed)) == sealed
        assert sealed.isascii()
        assert row.record_id == told["RecordId"]
        previous = row.digest


@given(st.lists(records, max_size=4))
def test_the_chain_verifies(told: list[Record]) -> None:
    rows: list[Row] = []
    for each in told:
        rows.append(seal(each, "chain", rows[-1].digest if rows else GENESIS))
    verify(rows)


def test_sealing_again_is_the_same_row() -> None:
    assert seal(record(), "chain", GENESIS) == seal(record(), "chain", GENESIS)
    assert seal(record(), "chain", GENESIS).digest != seal(record(reason="other"), "chain", GENESIS).digest
    assert seal(record(), "chain", GENESIS).digest != seal(record(), "chain", "1" * 64).digest


@pytest.mark.parametrize(
    "changes",
    [
        [{"path": "properties.x", "actual": "x" * 200_000, "desired": None}],
        [{"path": "properties.x", "actual": "\u0000" * 20_000, "desired": "\U0001d538" * 20_000}],
        [{"path": f"properties.networkAcls.{index}", "actual": index, "desired": None} for index in range(5_000)],
        [{"path": "properties.ipRules", "actual": [{"value": "203.0.113.7"}] * 5_000, "desired": []}, "odd"],
    ],
)
def test_a_huge_record_is_cut_and_says_so(changes: list[Json]) -> None:
    row = seal(record(changes=changes), "chain", GENESIS)
    assert len(as_text(row.columns["Sealed"]).encode()) <= LONGEST_SEALED
    assert "Changes" not in row.columns
    evidence = row.columns["Evidence"]
    assert isinstance(evidence, dict)
    assert as_text(evidence["cut"]).startswith("Changes held ")
    assert row.record_id == row.columns["RecordId"] == record(changes=changes).record_id
    verify([row])


def test_a_record_used_by_very_many_is_cut() -> None:
    row = seal(record(evidence={"attachedTo": [TARGET.path] * 2_000}), "chain", GENESIS)
    assert len(as_text(row.columns["Sealed"])) <= LONGEST_SEALED


def test_a_record_that_fits_is_whole() -> None:
    assert "Changes" in seal(record(), "chain", GENESIS).columns


@given(records, records)
def test_the_id_depends_on_what_was_decided_alone(one: Record, other: Record) -> None:
    alike = replace(
        other,
        cause=one.cause,
        resource_id=one.resource_id.upper(),
        rule=one.rule,
        outcome=one.outcome,
        reason_code=one.reason_code,
        changes=one.changes,
    )
    if one.resource_id.isascii():
        assert alike.record_id == one.record_id
    assert re.fullmatch(r"[0-9a-f]{32}", one.record_id)


@pytest.mark.parametrize(
    "changes",
    [
        {"cause": "other"},
        {"resource_id": "/other"},
        {"rule": "AIR-901/storage"},
        {"outcome": Outcome.FIXED},
        {"reason_code": "other"},
        {"changes": [{"path": "x"}]},
    ],
)
def test_the_id_depends_on_each_of_them(changes: dict[str, object]) -> None:
    assert record(**changes).record_id != record().record_id


def test_times_are_told_in_utc() -> None:
    local = datetime(2026, 11, 23, 13, tzinfo=timezone(timedelta(hours=1)))
    assert record(time_generated=local).columns()["TimeGenerated"] == "2026-11-23T12:00:00.000000Z"
    assert record(time_generated=NOW.astimezone(UTC)).columns()["TimeGenerated"] == "2026-11-23T12:00:00.000000Z"


@pytest.mark.parametrize(
    "changes, chain",
    [
        ({"resource_id": "/Subscriptions/S"}, "/subscriptions/s"),
        ({"resource_id": "", "subscription_id": "S-1"}, "s-1"),
        ({"resource_id": "", "subscription_id": ""}, "-"),
    ],
)
def test_the_chain_a_record_belongs_to(changes: dict[str, object], chain: str) -> None:
    assert record(**changes).chain == chain


@pytest.mark.parametrize("severity", Severity)
def test_rows_of_severity_medium_and_up_are_notable(severity: Severity) -> None:
    row = seal(record(severity=severity.value), "chain", GENESIS)
    assert is_notable(row) == (severity in {Severity.MEDIUM, Severity.HIGH, Severity.CRITICAL})


@pytest.mark.parametrize("severity", ["", "urgent", "HIGH "])
def test_rows_of_no_known_severity_are_not_notable(severity: str) -> None:
    assert not is_notable(seal(record(severity=severity), "chain", GENESIS))
