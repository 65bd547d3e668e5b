"""From a raw queue message to one Signal: whatever the text, an answer."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.body import Json, JsonObject
from shared.domain.signal import Signal, Unreadable, parse_message
from tests.domain.events import (
    CLAIMS,
    CLOUD_EVENT,
    EVENT,
    EVENTS,
    NOTIFICATION,
    OBJECT_ID,
    UPN,
    changed,
    hostile_events,
    read,
    spelt_out,
    with_data,
)
from tests.domain.making import NOW, TARGET, moments
from tests.hostile import NASTY, anything, places, put


@pytest.mark.parametrize("event", [EVENT, CLOUD_EVENT, [EVENT], [CLOUD_EVENT]])
def test_an_event_in_each_form(event: Json) -> None:
    found = read(event)
    assert (found.id, found.cause, found.target) == ("event-1", "event-1", TARGET)
    assert found.time == datetime(2026, 11, 23, 11, 59, 30, 123456, UTC)
    assert found.received == NOW
    assert found.operation == "Microsoft.Storage/storageAccounts/write"
    assert (found.actor, found.actor_ip) == ("dana@contoso.com", "203.0.113.7")
    assert (found.correlation_id, found.tenant_id) == ("correlation-1", "tenant-1")
    assert (found.attempt, found.ticket) == (1, "")


def test_a_notification_names_its_resource_and_nobody() -> None:
    found = read(NOTIFICATION)
    assert (found.target, found.actor) == (TARGET, "")
    assert found.operation == "Microsoft.ResourceNotifications.Resources.CreatedOrUpdated"


def test_a_notification_without_a_resource_is_about_its_subject() -> None:
    assert read(changed(NOTIFICATION, data=None)).target == TARGET


def test_a_change_without_a_subject_is_about_its_uri() -> None:
    assert read(changed(EVENT, subject="")).target == TARGET


def test_what_redelivery_repeats_is_one_cause() -> None:
    assert read(EVENT, NOW).cause == read(EVENT, NOW + timedelta(hours=1)).cause
    nameless = changed(EVENT, id=None)
    assert read(nameless).cause == read(nameless, NOW + timedelta(hours=1)).cause
    assert read(nameless).cause != read(changed(nameless, eventTime="2026-11-23T11:59:31Z")).cause


@pytest.mark.parametrize(
    "kind, failed",
    [
        ("Microsoft.Resources.ResourceWriteSuccess", False),
        ("Microsoft.Resources.ResourceWriteFailure", True),
        ("Microsoft.Resources.ResourceDeleteCancel", True),
        ("Microsoft.Resources.ResourceActionSuccess", False),
        ("Microsoft.ResourceNotifications.Resources.Failure", False),
    ],
)
def test_an_operation_is_said_to_have_failed(kind: str, failed: bool) -> None:  # noqa: FBT001 # a column of the table
    assert read(changed(EVENT, eventType=kind)).failed is failed


@pytest.mark.parametrize(
    "claims, actor",
    [
        (CLAIMS, "dana@contoso.com"),
        ({OBJECT_ID: "object-1", "appid": "app-1"}, "object-1"),
        ({"appid": "app-1"}, "app-1"),
        ({UPN: "", OBJECT_ID: None, "appid": "app-1"}, "app-1"),
        (json.dumps(CLAIMS), "dana@contoso.com"),
        ("", ""),
        ("{", ""),
        ("[" * 100_000, ""),
        ("null", ""),
        ("[]", ""),
        ({}, ""),
        (None, ""),
        (["x"], ""),
        ({UPN: {"x": 1}}, ""),
        ({UPN: "dana\r\nforged line"}, "dana forged line"),
    ],
)
def test_who_is_said_to_have_done_it(claims: Json, actor: str) -> None:
    assert read(with_data(claims=claims)).actor == actor


@pytest.mark.parametrize(
    "request_, claims, address",
    [
        ({"clientIpAddress": "203.0.113.7"}, CLAIMS, "203.0.113.7"),
        ({"clientIpAddress": "2001:DB8::1"}, {}, "2001:db8::1"),
        ({}, CLAIMS, "203.0.113.8"),
        (None, CLAIMS, "203.0.113.8"),
        ({"clientIpAddress": "<script>"}, CLAIMS, ""),
        ({"clientIpAddress": 7}, {}, ""),
        (None, None, ""),
    ],
)
def test_from_where(request_: Json, claims: Json, address: str) -> None:
    assert read(with_data(httpRequest=request_, claims=claims)).actor_ip == address


@pytest.mark.parametrize(
    "text, time",
    [
        ("2026-11-23T11:00:00Z", NOW - timedelta(hours=1)),
        ("2026-11-23T13:00:00+02:00", NOW - timedelta(hours=1)),
        ("2026-11-23T11:00:00", NOW - timedelta(hours=1)),
        ("2026-11-23", NOW - timedelta(hours=12)),
        ("2026-11-23T12:00:01Z", NOW),
        ("9999-12-31T23:59:59-23:59", NOW),
        ("0001-01-01T00:00:00+23:59", NOW),
        ("yesterday", NOW),
        ("", NOW),
        (None, NOW),
        (1_700_000_000, NOW),
        ("\ud800", NOW),
    ],
)
def test_a_change_is_never_later_than_when_it_was_heard_of(text: Json, time: datetime) -> None:
    assert read(changed(EVENT, eventTime=text)).time == time


@pytest.mark.parametrize(
    "text, code",
    [
        ("", "unreadable.json"),
        ("not JSON", "unreadable.json"),
        ("{", "unreadable.json"),
        ("[" * 100_000, "unreadable.json"),
        ("1" * 10_000, "unreadable.json"),
        ("x" * 1_000_000, "unreadable.json"),
        (json.dumps(EVENT)[:-1], "unreadable.json"),
        ("null", "unreadable.shape"),
        ("7", "unreadable.shape"),
        ('"text"', "unreadable.shape"),
        ("[]", "unreadable.shape"),
        ("[7]", "unreadable.shape"),
        (json.dumps([EVENT, EVENT]), "unreadable.shape"),
        ("{}", "unreadable.shape"),
        ('{"specversion": "1.0", "eventType": "Microsoft.Resources.ResourceWriteSuccess"}', "unreadable.shape"),
        ('{"airlock": {}}', "unreadable.shape"),
        ('{"airlock": {}, "event": 7}', "unreadable.shape"),
        (json.dumps({"airlock": {}, "event": {"airlock": {}, "event": EVENT}}), "unreadable.shape"),
        (json.dumps(changed(EVENT, eventType="Microsoft.Storage.BlobCreated")), "unreadable.event-type"),
        (json.dumps(changed(EVENT, eventType="x" * 1_000_000)), "unreadable.event-type"),
        (json.dumps(changed(EVENT, subject="/blobServices/default")), "unreadable.target"),
        (json.dumps(changed(EVENT, subject=f"{TARGET.path}/../x")), "unreadable.target"),
        (json.dumps(changed(EVENT, subject="/" * 1_000_000)), "unreadable.target"),
        (json.dumps(changed(EVENT, subject=None, data=None)), "unreadable.target"),
    ],
)
def test_what_names_nothing_to_look_at(text: str, code: str) -> None:
    found = parse_message(text, NOW)
    assert isinstance(found, Unreadable)
    assert (found.code, found.received) == (code, NOW)
    assert len(found.text) < 300


@pytest.mark.parametrize(
    "members, subscription",
    [
        ({"topic": "/subscriptions/S-1"}, "s-1"),
        ({"topic": None, "source": "/subscriptions/S-1/resourceGroups/x"}, "s-1"),
        ({"topic": "mytopic"}, "-"),
        ({"topic": None}, "-"),
    ],
)
def test_an_unreadable_event_still_tells_id_and_subscription(members: JsonObject, subscription: str) -> None:
    for broken in (changed(EVENT, subject="x"), changed(EVENT, eventType="x")):
        found = parse_message(json.dumps(broken | members), NOW)
        assert isinstance(found, Unreadable)
        assert (found.id, found.subscription) == ("event-1", subscription)


@given(st.text() | st.builds(lambda event, cut: json.dumps(event)[:cut], hostile_events(), st.integers(0, 900)))
def test_any_text_has_an_answer(text: str) -> None:
    assert isinstance(parse_message(text, NOW), Signal | Unreadable)


@given(anything, moments)
def test_any_json_has_an_answer(message: Json, received: datetime) -> None:
    for wrapped in (message, [message], {"airlock": message, "event": EVENT}, {"airlock": {}, "event": message}):
        assert isinstance(parse_message(json.dumps(wrapped), received), Signal | Unreadable)


@pytest.mark.parametrize("event", EVENTS)
def test_no_value_in_any_field_is_without_an_answer(event: JsonObject) -> None:
    for place in places(event):
        for nasty in (*NASTY, "x" * 1_000_000):
            found = parse_message(json.dumps(put(event, place, nasty)), NOW)
            assert found.received == NOW


@given(hostile_events(), moments)
def test_what_a_signal_claims_is_short_and_on_one_line(event: JsonObject, received: datetime) -> None:
    found = parse_message(json.dumps(spelt_out(event)), received)
    if isinstance(found, Signal):
        assert found.time <= found.received
        for text in (found.id, found.operation, found.actor, found.actor_ip, found.correlation_id, found.tenant_id):
            assert len(text) <= 256
            assert not set(text) & set(map(chr, range(32)))


@pytest.mark.parametrize("time", ["x" * 1_000_000, "2026-11-23\nforged"])
def test_the_cause_of_an_event_without_an_id_is_short_and_on_one_line(time: str) -> None:
    found = read(changed(EVENT, id=None, eventTime=time))
    assert len(found.cause) <= 2048 + 257
    assert "\n" not in found.cause


def test_what_cannot_be_read_is_one_cause_however_often_it_comes() -> None:
    causes = [parse_message(text, NOW) for text in ("{", "{", "[", "\ud800", json.dumps(changed(EVENT, subject="x")))]
    told_ = [found.cause for found in causes if isinstance(found, Unreadable)]
    assert told_[0] == told_[1]
    assert len(set(told_)) == 4
