"""From what happened to the records that say so."""

from dataclasses import replace
from datetime import timedelta

import pytest

from shared.domain.arm_id import parse_arm_id
from shared.domain.body import Json, JsonObject
from shared.domain.decision import Verdict
from shared.domain.drafting import (
    Stamp,
    applied,
    finished,
    interrupted,
    of_decision,
    of_signal,
    of_unreadable,
    refused,
    shows_fix,
)
from shared.domain.failure import Cause
from shared.domain.record import GENESIS, LONGEST_SEALED, Outcome, seal
from shared.domain.resource_types import STORAGE
from shared.domain.signal import Unreadable, parse_message
from tests.domain.making import NOW, SUBSCRIPTION, TARGET, decision, record, resource, signal
from tests.remediations import bodies

STAMP = Stamp("1.2.3", "0123456789ab")
KEY = "c2VjcmV0" * 10 + "c2VjcmQ=="
FIXED: JsonObject = {"properties": {"isSftpEnabled": False}}
OPEN: JsonObject = {"properties": {"isSftpEnabled": True}}
SECOND = timedelta(seconds=1)


def test_of_signal() -> None:
    told = of_signal(signal(time=NOW - SECOND, attempt=3), STAMP, NOW, Outcome.COMPLIANT, "compliant", "all is well")
    assert (told.outcome, told.reason_code, told.reason) == (Outcome.COMPLIANT, "compliant", "all is well")
    assert (told.signal_id, told.cause, told.signal_kind) == ("event-1", "event-1", "ResourceChange")
    assert (told.time_generated, told.signal_time, told.total_ms) == (NOW, NOW - SECOND, 1000)
    assert (told.resource_id, told.resource_type) == (TARGET.path, "Microsoft.Storage/storageAccounts")
    assert (told.subscription_id, told.resource_group) == (SUBSCRIPTION, "rg-ai-prod")
    assert (told.actor, told.attempt) == ("dana@contoso.com", 3)
    assert (told.app_version, told.settings_digest) == ("1.2.3", "0123456789ab")


def test_of_signal_is_about_the_resource_that_was_looked_at() -> None:
    lock = parse_arm_id(f"{TARGET.path}/providers/Microsoft.Authorization/locks/l")
    told = of_signal(signal(target=lock), STAMP, NOW, Outcome.GONE, "gone", "gone", TARGET)
    assert told.resource_id == TARGET.path
    assert of_signal(signal(target=lock), STAMP, NOW, Outcome.GONE, "gone", "gone").resource_id == lock.path


def test_of_signal_about_a_subscription() -> None:
    told = of_signal(
        signal(target=parse_arm_id("/subscriptions/S-1")), STAMP, NOW, Outcome.IGNORED, "ignored.type", "x"
    )
    assert (told.subscription_id, told.resource_group) == ("s-1", "")


def test_no_time_is_negative() -> None:
    told = of_signal(signal(time=NOW + SECOND), STAMP, NOW, Outcome.COMPLIANT, "compliant", "x")
    assert told.total_ms == 0


def test_reasons_are_redacted_wherever_they_come_from() -> None:
    assert KEY not in of_signal(signal(), STAMP, NOW, Outcome.IGNORED, "x", f"key {KEY}").reason
    assert KEY not in of_unreadable(Unreadable("x", f"key {KEY}", NOW), STAMP, NOW).reason
    assert KEY not in refused(record(), Cause("arm.x", f"key {KEY}")).reason
    assert KEY not in applied(record(), None, (), f"key {KEY}").reason


def test_of_unreadable() -> None:
    found = parse_message('{"id": "event-9", "eventType": "x", "topic": "/subscriptions/S-1"}', NOW)
    assert isinstance(found, Unreadable)
    told = of_unreadable(found, STAMP, NOW + SECOND)
    assert (told.outcome, told.reason_code) == (Outcome.UNREADABLE, "unreadable.event-type")
    assert (told.signal_id, told.subscription_id, told.time_generated) == ("event-9", "s-1", NOW + SECOND)
    assert told.record_id == of_unreadable(found, STAMP, NOW).record_id


def test_of_what_tells_no_subscription() -> None:
    found = parse_message("?", NOW)
    other = parse_message("??", NOW)
    assert isinstance(found, Unreadable)
    assert isinstance(other, Unreadable)
    assert of_unreadable(found, STAMP, NOW).subscription_id == ""
    assert of_unreadable(found, STAMP, NOW).record_id != of_unreadable(other, STAMP, NOW).record_id


@pytest.mark.parametrize(
    "verdict, outcome",
    [
        (Verdict.AUDIT, Outcome.AUDITED),
        (Verdict.ADVISE, Outcome.ADVISED),
        (Verdict.EXEMPT, Outcome.EXEMPT),
        (Verdict.REFUSED, Outcome.REFUSED),
        (Verdict.NEEDS_APPROVAL, Outcome.AWAITING_APPROVAL),
        (Verdict.CONTESTED, Outcome.CONTESTED),
        (Verdict.FIX, Outcome.FIX_UNVERIFIED),
    ],
)
def test_of_decision(verdict: Verdict, outcome: Outcome) -> None:
    live = bodies.resource(STORAGE, bodies.storage())
    told = of_decision(signal(time=NOW - SECOND), STAMP, live, decision(verdict), NOW)
    assert (told.outcome, told.reason_code) == (outcome, verdict.value)
    assert (told.remediation, told.ref, told.rule) == ("disable-sftp", "AIR-900", "AIR-900/storage")
    assert (told.severity, told.mode, told.location) == ("low", "enforce", "westeurope")
    assert told.changes == [{"path": "properties.isSftpEnabled", "actual": True, "desired": False}]
    assert (told.controls, told.evidence, told.detect_ms) == (["MCSB IM-1"], None, 1000)
    seal(told, TARGET.key, GENESIS)


def test_every_verdict_has_an_outcome() -> None:
    outcomes = {of_decision(signal(), STAMP, resource({}), decision(verdict), NOW).outcome for verdict in Verdict}
    assert len(outcomes) == len(Verdict)


@pytest.mark.parametrize("actor, claimed", [("dana@contoso.com", "dana@contoso.com"), ("", "nobody")])
def test_a_contested_fix_names_the_claimed_actor(actor: str, claimed: str) -> None:
    told = of_decision(signal(actor=actor), STAMP, resource({}), decision(Verdict.CONTESTED), NOW)
    assert told.reason == f"SFTP is off; the last change is claimed by {claimed}"


def test_who_uses_the_resource_is_told() -> None:
    users = frozenset(parse_arm_id(str(body["id"])) for body in (bodies.workspace(), bodies.account()))
    told = of_decision(signal(), STAMP, resource({}, attached_to=users), decision(), NOW)
    assert told.evidence == {"attachedTo": [bodies.account()["id"], bodies.workspace()["id"]]}


def test_finished() -> None:
    told = finished(record(signal_time=NOW - SECOND), NOW + SECOND, timedelta(milliseconds=1500))
    assert (told.time_generated, told.total_ms, told.fix_ms) == (NOW + SECOND, 2000, 1500)
    assert finished(record(fix_ms=7), NOW).fix_ms == 7
    assert finished(record(signal_time=None), NOW).total_ms is None


def test_refused() -> None:
    told = refused(record(), Cause("arm.scope-locked", "there is a lock", "request-1"))
    assert (told.outcome, told.reason_code, told.reason) == (Outcome.REFUSED, "arm.scope-locked", "there is a lock")
    assert told.arm_request_ids == ["request-1"]
    assert refused(record(), Cause("arm.x", "x")).arm_request_ids is None


@pytest.mark.parametrize(
    "body, failure, outcome, code",
    [
        (FIXED, None, Outcome.FIXED, "fixed"),
        ({"properties": {"isSftpEnabled": "FALSE"}}, None, Outcome.FIXED, "fixed"),
        (OPEN, None, Outcome.FIX_UNVERIFIED, "fix.unverified"),
        ({}, None, Outcome.FIX_UNVERIFIED, "fix.unverified"),
        (None, None, Outcome.FIX_UNVERIFIED, "fix.unverified"),
        (FIXED, "Conflict", Outcome.FAILED, "arm.operation-failed"),
        (None, "Conflict", Outcome.FAILED, "arm.operation-failed"),
    ],
)
def test_applied(body: JsonObject | None, failure: str | None, outcome: Outcome, code: str) -> None:
    told = applied(record(), body, ("request-1", "request-2"), failure)
    assert (told.outcome, told.reason_code) == (outcome, code)
    assert told.arm_request_ids == ["request-1", "request-2"]
    assert told.reason


@pytest.mark.parametrize(
    "body, outcome, code",
    [(FIXED, Outcome.FIXED, "fixed"), (OPEN, Outcome.FIX_UNVERIFIED, "fix.interrupted")],
)
def test_interrupted(body: JsonObject, outcome: Outcome, code: str) -> None:
    told = interrupted(record(evidence={"attachedTo": ["x"]}), body)
    assert (told.outcome, told.reason_code) == (outcome, code)
    assert told.evidence == {"attachedTo": ["x"], "interrupted": True}
    assert interrupted(record(), body).evidence == {"interrupted": True}


def test_a_body_that_could_not_be_read_shows_no_fix() -> None:
    """What is written may be a null, which an empty body seems to hold."""
    emptied: list[Json] = [{"path": "properties.authOptions", "actual": {"apiKeyOnly": {}}, "desired": None}]
    assert interrupted(record(changes=emptied), {}).outcome is Outcome.FIX_UNVERIFIED


@pytest.mark.parametrize(
    "changes, body, shown",
    [
        ([{"path": "properties.a", "desired": None}], {"properties": {"b": 1}}, True),
        ([{"path": "properties.a", "desired": None}], {"properties": {"a": 1}}, False),
        (
            [{"path": "properties.a", "desired": 1}, {"path": "properties.b", "desired": 2}],
            {"properties": {"a": 1}},
            False,
        ),
        ([{"path": "properties.a", "desired": []}], {"properties": {"a": []}}, True),
        ([{"path": "properties.a", "desired": []}], {"properties": {}}, False),
        (["odd"], {}, True),
    ],
)
def test_shows_fix(changes: list[Json], body: JsonObject, shown: bool) -> None:  # noqa: FBT001 # a column of the table
    assert shows_fix(replace(record(), changes=changes), body) is shown


@pytest.mark.parametrize("letter", ["a", "é", "\U0001d538"])
def test_the_longest_claims_can_still_be_sealed(letter: str) -> None:
    path = f"/subscriptions/S-1/providers/Microsoft.Storage/{letter * 250}/{letter}" + f"/{letter * 250}/{letter}" * 6
    claims = {"operation": letter * 256, "actor": letter * 256, "id": letter * 128, "correlation_id": letter * 64}
    try:
        target = parse_arm_id(path)
    except ValueError:
        return  # a name that no resource has makes no record about a resource
    told = of_signal(signal(target=target, **claims), STAMP, NOW, Outcome.IGNORED, "ignored.type", letter * 9_000)
    row = seal(told, TARGET.key, GENESIS)
    assert len(str(row.columns["Sealed"])) <= LONGEST_SEALED
