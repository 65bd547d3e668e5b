"""Signals as queue messages: cut to fit, put back, and passed on to another resource."""

import json
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from shared.domain.arm_id import ArmId, parse_arm_id
from shared.domain.body import Json, JsonObject, as_object
from shared.domain.signal import Signal, Unreadable, about, fit, parse_message, put_back
from tests.domain.events import (
    EVENT,
    EVENTS,
    KIB_48,
    OBJECT_ID,
    UPN,
    changed,
    hostile_events,
    read,
    spelt_out,
    told,
    with_data,
)
from tests.domain.making import NOW, TARGET, arm_ids, moments
from tests.remediations.bodies import account


@pytest.mark.parametrize("event", EVENTS)
@pytest.mark.parametrize("padding", [0, KIB_48])
def test_a_look_at_another_resource_for_the_same_reason(event: JsonObject, padding: int) -> None:
    other = parse_arm_id(str(account()["id"]))
    first = read(changed(event, data=as_object(event["data"]) | {"authorization": "x" * padding}))
    message = about(first, other, NOW)
    assert len(message.encode()) <= KIB_48
    found = parse_message(message, NOW)
    assert isinstance(found, Signal)
    assert found.target == other
    assert (found.time, found.due, found.attempt) == (NOW, True, 1)
    assert found.cause != first.cause
    kept = ("kind", "operation", "actor", "actor_ip", "correlation_id", "tenant_id", "failed")
    assert [getattr(found, name) for name in kept] == [getattr(first, name) for name in kept]


def test_looks_for_two_reasons_are_two_causes_even_where_events_have_no_id() -> None:
    other = parse_arm_id(str(account()["id"]))
    events = [changed(EVENT, id=None, eventTime=f"2026-11-23T11:59:{second}Z") for second in (10, 20)]
    found = [parse_message(about(read(event), other, NOW), NOW) for event in events]
    assert found[0].cause != found[1].cause


@given(arm_ids, moments, st.timedeltas(timedelta(), timedelta(days=3)), st.integers(1, 9_999), st.text(max_size=64))
def test_what_is_put_back_is_the_same_signal_one_attempt_later(
    target: ArmId, heard: datetime, later: timedelta, attempt: int, ticket: str
) -> None:
    first = replace(read(changed(EVENT, subject=target.path), heard), attempt=attempt)
    ticket = "".join(letter for letter in ticket if letter.isprintable())
    again = parse_message(put_back(first, ticket), heard + later)
    assert again == replace(first, attempt=attempt + 1, ticket=ticket)


def test_a_look_that_is_due_later_covers_what_was_seen_before() -> None:
    due = NOW + timedelta(hours=1)
    again = parse_message(put_back(read(EVENT), due=due), due + timedelta(seconds=2))
    assert isinstance(again, Signal)
    assert (again.time, again.received, again.due) == (due, NOW, True)


def test_a_look_that_is_due_later_is_so_however_often_it_is_put_back() -> None:
    due = NOW + timedelta(hours=1)
    first = parse_message(put_back(read(EVENT), due=due), due)
    assert isinstance(first, Signal)
    again = parse_message(put_back(first), due + timedelta(minutes=1))
    assert isinstance(again, Signal)
    assert (again.time, again.due) == (first.time, True)


@pytest.mark.parametrize("due", ["2999-01-01T00:00:00Z", "yesterday", 5, None, ""])
def test_nothing_is_due_later_than_now(due: Json) -> None:
    assert read({"airlock": {"received": NOW.isoformat(), "due": due}, "event": EVENT}).time <= NOW


def test_what_is_put_back_for_ever_never_becomes_a_first_delivery() -> None:
    last = read({"airlock": {"attempt": 10_000, "received": NOW.isoformat()}, "event": EVENT})
    again = parse_message(put_back(last), NOW)
    assert isinstance(again, Signal)
    assert again.attempt >= last.attempt


@pytest.mark.parametrize(
    "wrapper, attempt",
    [
        ({"attempt": 3}, 3),
        ({"attempt": 0}, 1),
        ({"attempt": -1}, 1),
        ({"attempt": 10**9}, 1),
        ({"attempt": "3"}, 1),
        ({"attempt": 2.5}, 1),
        ({"attempt": None}, 1),
        ({}, 1),
    ],
)
def test_attempts_are_believed_within_reason(wrapper: JsonObject, attempt: int) -> None:
    assert read({"airlock": wrapper, "event": EVENT}).attempt == attempt


def test_true_is_no_number_of_attempts() -> None:
    assert type(read({"airlock": {"attempt": True}, "event": EVENT}).attempt) is int


@pytest.mark.parametrize("received", ["2999-01-01T00:00:00Z", "yesterday", None, 5])
def test_nothing_was_heard_of_later_than_now(received: Json) -> None:
    assert read({"airlock": {"received": received}, "event": EVENT}).received == NOW


def test_a_ticket_is_one_short_line() -> None:
    assert read({"airlock": {"ticket": "a\nb" + "c" * 99}, "event": EVENT}).ticket == ("a b" + "c" * 99)[:64]


@pytest.mark.parametrize("event", EVENTS)
def test_an_event_that_fits_is_not_touched(event: JsonObject) -> None:
    assert json.loads(fit(event)) == event


@given(hostile_events(), st.sampled_from(["x", "\x00", '"', "é", "\U0001d538"]))
@example(changed(EVENT, id="<long, wide>", topic="<long, wide>", data={"operationName": "<long, wide>"}), "x")
def test_a_large_event_is_cut_and_says_the_same(event: JsonObject, letter: str) -> None:
    event = as_object(spelt_out(event))
    data = as_object(event.get("data"))
    large = changed(event, data=changed(data, authorization=letter * KIB_48))
    message = fit(large)
    assert len(message.encode()) <= KIB_48
    cut, whole = parse_message(message, NOW), parse_message(json.dumps(large), NOW)
    if isinstance(whole, Signal):
        assert isinstance(cut, Signal)
        assert told(cut) == told(whole)
    elif isinstance(cut, Unreadable):
        assert (cut.code, cut.id, cut.subscription) == (whole.code, whole.id, whole.subscription)
    else:
        pytest.fail("it became readable")


def test_an_id_too_long_to_be_one_is_not_cut_to_another() -> None:
    subject = TARGET.path + "/x/y" * 1_000
    for message in (
        fit(changed(EVENT, subject=subject, padding="x" * KIB_48)),
        json.dumps(changed(EVENT, subject=subject)),
    ):
        found = parse_message(message, NOW)
        assert isinstance(found, Unreadable)
        assert found.code == "unreadable.target"


@pytest.mark.parametrize("letter", ["\x00", '"', "é", "\U0001d538"])
@pytest.mark.parametrize("field", ["operationName", "correlationId", "tenantId"])
def test_no_claim_is_so_long_that_the_event_cannot_be_cut(field: str, letter: str) -> None:
    claims: JsonObject = {UPN: letter * KIB_48, OBJECT_ID: letter * KIB_48, "appid": letter * KIB_48}
    members: JsonObject = {field: letter * KIB_48, "claims": claims}
    assert len(fit(with_data(**members)).encode()) <= KIB_48


@pytest.mark.parametrize("size", [KIB_48 - 900, KIB_48 - 30, 40 * 1024])
@pytest.mark.parametrize("letter", ["x", "é"])
def test_what_fitted_once_fits_when_it_is_put_back(size: int, letter: str) -> None:
    """In private mode Event Grid writes the message itself, in UTF-8."""
    empty = json.dumps(with_data(authorization=""), ensure_ascii=False)
    padding = letter * ((size - len(empty)) // len(letter.encode()))
    message = json.dumps(with_data(authorization=padding), ensure_ascii=False)
    assert len(message.encode()) <= KIB_48
    first = parse_message(message, NOW)
    assert isinstance(first, Signal)
    again = put_back(first, "t" * 32)
    assert len(again.encode()) <= KIB_48
    read_again = parse_message(again, NOW)
    assert isinstance(read_again, Signal)
    assert told(read_again) == told(replace(first, attempt=2, ticket="t" * 32))


def test_what_could_be_read_can_be_put_back() -> None:
    """The reader takes a little deeper nesting than the writer."""
    for depth in range(9_700, 10_005):
        deep = json.dumps(with_data(authorization="*")).replace('"*"', "[" * depth + "]" * depth)
        found = parse_message(deep, NOW)
        if isinstance(found, Signal):
            assert put_back(found)
