"""Signals as queue messages: cut to fit, put back, and passed on to another resource."""

import json
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from shared.domain.arm_id import ArmId, parse_arm_id
from shared.domain.body import Json, JsonObject, as_object
from shared.domain.exposure import SECRET_EXPOSED
from shared.domain.secret import digest
from shared.domain.signal import (
    Signal,
    SignalKind,
    Unreadable,
    about,
    fit,
    of_ours,
    parse_message,
    put_back,
    refit,
)
from tests.domain.events import (
    CLOUD_EVENT,
    EVENT,
    EVENTS,
    KIB_48,
    LONG,
    OBJECT_ID,
    UPN,
    changed,
    hostile_events,
    read,
    spelt_out,
    told,
    with_data,
)
from tests.domain.making import NOW, SUBSCRIPTION, TARGET, arm_ids, moments
from tests.domain.test_alert import FORMS, same_alert
from tests.hostile import NASTY, anything, places, put
from tests.remediations.bodies import account

LETTERS = ("x", "\x00", '"', "é", "\U0001d538")
EXPOSURE: JsonObject = {
    "sha256": digest("a key"),
    "foundAt": "contoso/app config.py:3",
    "resourceId": TARGET.path,
}
EXPOSED = changed(CLOUD_EVENT, type=SECRET_EXPOSED, data=EXPOSURE)
EXPOSED_EVENTS = (EXPOSED, changed(EVENT, eventType=SECRET_EXPOSED, data=EXPOSURE))


def padded(event: JsonObject, letter: str = "x") -> JsonObject:
    """The event, too large for a message."""
    return changed(event, data=as_object(event["data"]) | {"padding": letter * KIB_48})


def cut_and_whole(event: JsonObject) -> tuple[Signal | Unreadable, Signal | Unreadable]:
    """What is read of a large event that was cut to a message, and what of the event itself."""
    message = fit(event)
    assert len(message.encode()) <= KIB_48
    return parse_message(message, NOW), parse_message(json.dumps(event), NOW)


def assert_as_unreadable(cut: Signal | Unreadable, whole: Signal | Unreadable) -> None:
    assert isinstance(cut, Unreadable)
    assert isinstance(whole, Unreadable)
    assert (cut.code, cut.id, cut.subscription) == (whole.code, whole.id, whole.subscription)


@st.composite
def hostile(draw: st.DrawFn, events: list[JsonObject]) -> JsonObject:
    """One of the events with up to four of its values overwritten."""
    event = draw(st.sampled_from(events))
    changes = st.tuples(st.sampled_from(list(places(event))), anything | st.sampled_from(list(LONG)))
    for place, value in draw(st.lists(changes, max_size=4)):
        event = as_object(put(event, place, value))
    return as_object(spelt_out(event))


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
    assert (found.time, found.due, found.attempt) == (NOW, NOW, 1)
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
    assert (again.time, again.received, again.due) == (due, NOW, due)


def test_a_look_that_is_due_later_is_so_however_often_it_is_put_back() -> None:
    due = NOW + timedelta(hours=1)
    first = parse_message(put_back(read(EVENT), due=due), due)
    assert isinstance(first, Signal)
    again = parse_message(put_back(first), due + timedelta(minutes=1))
    assert isinstance(again, Signal)
    assert (again.time, again.due) == (first.time, due)


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


@given(hostile_events(), st.sampled_from(LETTERS))
@example(changed(EVENT, id="<long, wide>", topic="<long, wide>", data={"operationName": "<long, wide>"}), "x")
@example(changed(CLOUD_EVENT, type=[]), "x")
@example(changed(EVENT, type={}), "x")
def test_a_large_event_is_cut_and_says_the_same(event: JsonObject, letter: str) -> None:
    event = as_object(spelt_out(event))
    data = as_object(event.get("data"))
    cut, whole = cut_and_whole(changed(event, data=changed(data, authorization=letter * KIB_48)))
    if isinstance(whole, Signal):
        assert isinstance(cut, Signal)
        assert told(cut) == told(whole)
    else:
        assert_as_unreadable(cut, whole)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("event", [EVENT, CLOUD_EVENT])
@pytest.mark.parametrize("letter", LETTERS)
def test_a_large_alert_is_cut_to_the_same_alert(form: str, event: JsonObject, letter: str) -> None:
    assert_same_alert(padded(changed(event, data=FORMS[form]), letter))


@given(hostile([changed(event, data=form) for event in (EVENT, CLOUD_EVENT) for form in FORMS.values()]))
def test_a_large_hostile_alert_is_cut_to_the_same_alert(event: JsonObject) -> None:
    if isinstance(event.get("data"), dict):
        assert_same_alert(padded(event))


def assert_same_alert(event: JsonObject) -> None:
    """Asserts that the event is no other reason to look for having been cut, also once it is put back."""
    cut, whole = cut_and_whole(event)
    if isinstance(whole, Unreadable):
        assert_as_unreadable(cut, whole)
        return
    assert isinstance(cut, Signal)
    again = parse_message(put_back(whole), NOW)
    assert isinstance(again, Signal)
    for found in (cut, again):
        kept = ("kind", "id", "cause", "time", "target", "operation", "failed", "exposure")
        assert [getattr(found, name) for name in kept] == [getattr(whole, name) for name in kept]
        assert (found.alert is None) == (whole.alert is None)
        if found.alert is not None and whole.alert is not None:
            assert same_alert(whole.alert, found.alert)


@pytest.mark.parametrize("form", FORMS)
def test_no_resource_of_an_honest_alert_is_lost(form: str) -> None:
    cut, whole = cut_and_whole(padded(changed(CLOUD_EVENT, data=FORMS[form])))
    assert isinstance(cut, Signal)
    assert isinstance(whole, Signal)
    assert cut.kind is SignalKind.DEFENDER_ALERT
    assert cut.alert is not None
    assert whole.alert is not None
    assert cut.alert.resources == whole.alert.resources


@pytest.mark.parametrize("event", EXPOSED_EVENTS)
@pytest.mark.parametrize("letter", LETTERS)
def test_a_large_exposure_is_cut_to_the_same_exposure(event: JsonObject, letter: str) -> None:
    cut, whole = cut_and_whole(padded(event, letter))
    assert isinstance(cut, Signal)
    assert isinstance(whole, Signal)
    assert whole.exposure is not None
    assert (whole.exposure.sha256, whole.exposure.resource) == (EXPOSURE["sha256"], TARGET)
    assert told(cut) == told(whole)


@given(hostile([*EXPOSED_EVENTS]))
@example(changed(EXPOSED, data=EXPOSURE | {"sha256": digest("a key") + "0" * KIB_48}))
@example(changed(EXPOSED, data=EXPOSURE | {"sha256": digest("a key") + "\x00"}))
@example(changed(EXPOSED, data=EXPOSURE | {"resourceId": TARGET.path + "\x00x"}))
@example(changed(EXPOSED, data=EXPOSURE | {"resourceId": TARGET.path + "/x/y" * 1_000}))
def test_a_large_hostile_exposure_is_cut_to_the_same_exposure(event: JsonObject) -> None:
    if not isinstance(event.get("data"), dict):
        return
    cut, whole = cut_and_whole(padded(event))
    if isinstance(whole, Signal):
        assert isinstance(cut, Signal)
        assert told(cut) == told(whole)
    else:
        assert_as_unreadable(cut, whole)


@pytest.mark.parametrize("form", FORMS)
def test_what_is_told_of_as_an_exposure_is_one_although_it_looks_like_an_alert(form: str) -> None:
    cut, whole = cut_and_whole(padded(changed(EXPOSED, data=FORMS[form] | EXPOSURE)))
    assert isinstance(cut, Signal)
    assert isinstance(whole, Signal)
    assert cut.kind is whole.kind is SignalKind.SECRET_EXPOSED
    assert told(cut) == told(whole)


@pytest.mark.parametrize("other", [SECRET_EXPOSED, *NASTY])
@pytest.mark.parametrize("event, name", [(EVENT, "type"), (CLOUD_EVENT, "eventType")])
def test_only_the_type_of_its_own_form_counts(event: JsonObject, name: str, other: Json) -> None:
    cut, whole = cut_and_whole(padded(changed(event, **{name: other})))
    assert isinstance(cut, Signal)
    assert isinstance(whole, Signal)
    assert cut.kind is SignalKind.RESOURCE_CHANGE
    assert told(cut) == told(whole)


# As wide as a letter can be in JSON, and still one that a resource's name can have.
WIDE = "\U0001d538" * 9_000
WIDE_ID = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{WIDE[:230]}/providers/A.B" + f"/{WIDE[:240]}" * 6
WIDE_DATA: JsonObject = {
    **dict.fromkeys(("operationName", "correlationId", "tenantId", "foundAt", "sha256", "resourceId"), WIDE),
    "claims": dict.fromkeys((UPN, OBJECT_ID, "appid", "ipaddr"), WIDE),
    "httpRequest": {"clientIpAddress": WIDE},
}


@pytest.mark.parametrize(
    "event",
    [
        changed(EVENT, id=WIDE, eventTime=WIDE, topic=WIDE, subject=WIDE_ID, data=WIDE_DATA),
        changed(EVENT, id=WIDE, eventTime=WIDE, topic=WIDE, subject=WIDE, data=WIDE_DATA),
        changed(EVENT, eventType=WIDE, id=WIDE, eventTime=WIDE, topic=WIDE, subject=WIDE, data=WIDE_DATA),
        changed(EXPOSED, id=WIDE, time=WIDE, subject=WIDE, data=WIDE_DATA),
        changed(EXPOSED, id=WIDE, time=WIDE, data=WIDE_DATA | {"sha256": digest("a key"), "resourceId": WIDE_ID}),
        changed(CLOUD_EVENT, id=WIDE, time=WIDE, subject=WIDE, data=FORMS["arm"] | {"x": WIDE}),
    ],
)
def test_an_event_fits_however_wide_all_of_it_is(event: JsonObject) -> None:
    assert len(json.dumps(event)) > KIB_48
    assert len(fit(event).encode()) <= KIB_48
    found = parse_message(json.dumps(event), NOW)
    if isinstance(found, Signal):
        again = put_back(replace(found, attempt=9_999, recalled=True), WIDE[:64], due=NOW)
        assert len(again.encode()) <= KIB_48


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


# From here on: what Airlock itself raises, and what was kept of a message.

OUR_KINDS = (SignalKind.SWEEP_HIT, SignalKind.OPERATOR_REQUEST)
MINUTE = timedelta(minutes=1)


def ours(message: str, now: datetime = NOW) -> Signal:
    """The signal that one of our own messages is read as."""
    found = parse_message(message, now)
    assert isinstance(found, Signal), found
    return found


@pytest.mark.parametrize("kind", OUR_KINDS)
def test_a_look_that_we_ask_for_is_due_at_once(kind: SignalKind) -> None:
    found = ours(of_ours(kind, TARGET, "sweep 2026-11-23", NOW), NOW + MINUTE)
    assert (found.kind, found.target, found.id) == (kind, TARGET, "sweep 2026-11-23")
    assert (found.time, found.due, found.attempt) == (NOW, NOW, 1)
    assert (found.actor, found.operation, found.ticket, found.failed) == ("", "", "", False)
    assert (found.alert, found.exposure, found.place) == (None, None, None)


@given(st.sampled_from(OUR_KINDS), arm_ids, st.text(max_size=300), moments, st.lists(st.booleans(), max_size=5))
def test_what_we_ask_for_stays_the_same_however_often_it_is_put_back(
    kind: SignalKind, target: ArmId, cause: str, now: datetime, recalls: list[bool]
) -> None:
    first = ours(of_ours(kind, target, cause, now), now)
    again = first
    for number, recalled in enumerate(recalls, 1):
        again = ours(put_back(replace(again, recalled=recalled), f"ticket-{number}"), now + number * MINUTE)
        assert again == replace(first, attempt=1 + number, ticket=f"ticket-{number}", recalled=recalled)


@given(arm_ids, moments, st.timedeltas(timedelta(), timedelta(days=3)))
def test_what_we_ask_for_may_come_back_later(target: ArmId, now: datetime, later: timedelta) -> None:
    first = ours(of_ours(SignalKind.SWEEP_HIT, target, "sweep", now), now)
    again = ours(put_back(first, due=now + later), now + later)
    assert again == replace(first, time=now + later, due=now + later, attempt=2)


def test_two_resources_or_two_days_are_two_causes_and_two_looks_of_one_are_one() -> None:
    def cause(target: ArmId, told: str, kind: SignalKind = SignalKind.SWEEP_HIT, now: datetime = NOW) -> str:
        return ours(of_ours(kind, target, told, now)).cause

    other = parse_arm_id(f"{TARGET.path}2")
    assert cause(TARGET, "sweep 1") == cause(TARGET, "sweep 1", now=NOW - MINUTE)
    assert cause(TARGET, "sweep 1") == cause(parse_arm_id(TARGET.path.upper()), "sweep 1")
    assert len({cause(TARGET, "sweep 1"), cause(TARGET, "sweep 2"), cause(other, "sweep 1")}) == 3


def test_whom_our_own_signal_leads_to_is_looked_at_for_the_same_reason() -> None:
    other = parse_arm_id(str(account()["id"]))
    first = ours(of_ours(SignalKind.SWEEP_HIT, TARGET, "sweep 1", NOW))
    found = ours(about(first, other, NOW))
    assert (found.kind, found.id, found.target, found.attempt) == (SignalKind.SWEEP_HIT, "sweep 1", other, 1)
    assert found.cause != first.cause


@pytest.mark.parametrize("kind", [kind for kind in SignalKind if kind not in OUR_KINDS])
def test_what_events_tell_of_we_do_not_tell_ourselves(kind: SignalKind) -> None:
    with pytest.raises(ValueError, match="come from events"):
        of_ours(kind, TARGET, "cause", NOW)


def forged(**members: Json) -> str:
    """A message that says it is one of ours."""
    told: JsonObject = {"kind": "SweepHit", "cause": "sweep 1", "about": TARGET.path, "received": NOW.isoformat()}
    return json.dumps({"airlock": told | members, "event": EVENT})


@pytest.mark.parametrize(
    "kind",
    [*(kind.value for kind in SignalKind if kind not in OUR_KINDS), "sweephit", "SWEEP_HIT", "SweepHit ", *NASTY],
)
def test_a_kind_that_we_do_not_raise_is_unreadable(kind: Json) -> None:
    """Else a forged message could claim an alert without Defender, or an exposed key without its hash."""
    found = parse_message(forged(kind=kind), NOW)
    assert isinstance(found, Unreadable)
    assert found.code == "unreadable.kind"
    assert found.cause


@pytest.mark.parametrize(
    "place", ["", "/", TARGET.path + "/../x", "https://evil.example", f"{TARGET.path}?x=1", *NASTY]
)
def test_a_message_of_ours_that_names_no_resource_is_unreadable(place: Json) -> None:
    found = parse_message(forged(about=place), NOW)
    assert isinstance(found, Unreadable)
    assert found.code == "unreadable.target"


def test_a_message_of_ours_orders_nothing_but_a_look() -> None:
    """Whoever can write into the queue gets nothing that the ledger does not say as well."""
    found = ours(
        forged(
            kind="OperatorRequest",
            act="undo",
            actor="admin@contoso.com",
            operation="approve",
            undo={"rule": "AIR-005/storage"},
            time="2999-01-01T00:00:00Z",
            alert={"id": "x"},
        )
    )
    assert (found.actor, found.operation, found.raw, found.alert, found.exposure) == ("", "", {}, None, None)
    assert (found.time, found.target) == (NOW, TARGET)


@given(st.dictionaries(st.sampled_from(["kind", "cause", "about", "received", "due", "ticket", "attempt"]), anything))
def test_any_message_of_ours_is_read_or_unreadable(members: dict[str, Json]) -> None:
    found = parse_message(forged(**members), NOW)
    if isinstance(found, Signal):
        assert found.kind in OUR_KINDS
        assert found.time <= NOW
        assert isinstance(parse_message(put_back(found), NOW), Signal)


def test_a_long_cause_still_fits() -> None:
    message = of_ours(SignalKind.OPERATOR_REQUEST, parse_arm_id(WIDE_ID), WIDE, NOW)
    assert len(ours(message).id) <= 256
    assert len(put_back(ours(message), "t" * 64).encode()) <= KIB_48


@pytest.mark.parametrize("text", ["", "?", "{", json.dumps(EVENT), json.dumps([EVENT]), "x" * KIB_48])
def test_what_fits_is_kept_as_it_is(text: str) -> None:
    assert refit(text) == text


@pytest.mark.parametrize("event", [*EVENTS, *EXPOSED_EVENTS])
def test_a_large_event_that_was_kept_is_cut_to_what_is_read_of_it(event: JsonObject) -> None:
    large = padded(event)
    text = refit(json.dumps(large))
    assert text == fit(large)
    found, whole = parse_message(text, NOW), parse_message(json.dumps(large), NOW)
    assert isinstance(found, Signal)
    assert isinstance(whole, Signal)
    assert told(found) == told(whole)


@pytest.mark.parametrize(
    "text", ["x" * (KIB_48 + 1), "[" * 60_000, json.dumps(["y" * KIB_48]), "\x00" * 60_000, "9" * 60_000]
)
def test_what_is_too_large_and_no_event_is_cut_to_what_nobody_can_read(text: str) -> None:
    cut = refit(text)
    assert len(cut) <= 1024
    assert isinstance(parse_message(cut, NOW), Unreadable)


def test_what_is_kept_of_wide_letters_fits_too() -> None:
    wide = json.dumps(with_data(authorization="\U0001d538" * 20_000), ensure_ascii=False)
    assert len(refit(wide).encode()) <= KIB_48
