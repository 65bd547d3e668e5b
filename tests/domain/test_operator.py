"""What operators ask for: read whole or refused with a sentence, whatever it is."""

import json
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.body import Json, JsonObject
from shared.domain.operator import (
    MOST_BYTES,
    MOST_EVENTS,
    OperatorAct,
    OperatorRequest,
    is_event,
    parse_record_id,
    parse_request,
    parse_span,
    undead,
)
from shared.domain.signal import Signal, parse_message
from tests.domain.making import TARGET
from tests.hostile import NASTY, anything

RECORD = "0123456789abcdef" * 2
NOW = datetime.fromisoformat("2026-11-24T12:00:00+00:00")
GRID: JsonObject = {
    "id": "e1",
    "topic": "/subscriptions/s",
    "subject": TARGET.path,
    "eventType": "Microsoft.Resources.ResourceWriteSuccess",
    "eventTime": "2026-11-24T11:00:00Z",
    "data": {"operationName": "Microsoft.CognitiveServices/accounts/write"},
    "dataVersion": "2",
    "metadataVersion": "1",
}
CLOUD: JsonObject = {
    "specversion": "1.0",
    "id": "e1",
    "source": "/subscriptions/s",
    "subject": TARGET.path,
    "type": "Microsoft.Resources.ResourceWriteSuccess",
    "time": "2026-11-24T11:00:00Z",
    "data": {"operationName": "Microsoft.CognitiveServices/accounts/write"},
}
# As Event Grid writes them; the spellings are those of its documentation's samples.
GRID_DEATH: JsonObject = {
    "deadLetterReason": "MaxDeliveryAttemptsExceeded",
    "deliveryAttempts": 1,
    "lastDeliveryOutcome": "NotFound",
    "publishTime": "2026-11-24T11:00:01Z",
    "lastDeliveryAttemptTime": "2026-11-24T11:00:02Z",
}
CLOUD_DEATH: JsonObject = {name.lower(): value for name, value in GRID_DEATH.items()}
KEYLIKE = "0f1e2d3c4b5a69788796a5b4c3d2e1f0"
fields = st.sampled_from(["act", "record", "hold", "for", "events", "store"]) | st.text(max_size=6)
values = st.sampled_from([*OperatorAct, RECORD, "7d", "buried", [GRID], [CLOUD]]) | anything


def body(**told: object) -> bytes:
    return json.dumps(told).encode()


def requested(**told: object) -> OperatorRequest:
    return parse_request(body(**told))


def refusal(raw: bytes) -> str:
    with pytest.raises(ValueError, match=r"^.{10,200}$") as told:
        parse_request(raw)
    return str(told.value)


@pytest.mark.parametrize(
    "told, request_",
    [
        ({"act": "approve", "record": RECORD}, OperatorRequest(OperatorAct.APPROVE, RECORD)),
        ({"act": "release", "record": RECORD.upper()}, OperatorRequest(OperatorAct.RELEASE, RECORD)),
        ({"act": "undo", "record": RECORD}, OperatorRequest(OperatorAct.UNDO, RECORD)),
        ({"act": "undo", "record": RECORD, "hold": None}, OperatorRequest(OperatorAct.UNDO, RECORD)),
        (
            {"act": "undo", "record": RECORD, "hold": "90m"},
            OperatorRequest(OperatorAct.UNDO, RECORD, timedelta(minutes=90)),
        ),
        ({"act": "hold", "record": RECORD}, OperatorRequest(OperatorAct.HOLD, RECORD)),
        (
            {"act": "hold", "record": RECORD, "for": "2w"},
            OperatorRequest(OperatorAct.HOLD, RECORD, timedelta(weeks=2)),
        ),
        ({"act": "replay", "record": RECORD}, OperatorRequest(OperatorAct.REPLAY, RECORD)),
        ({"act": "replay", "store": "buried"}, OperatorRequest(OperatorAct.REPLAY, store="buried")),
        ({"act": "replay", "store": "dead-letters"}, OperatorRequest(OperatorAct.REPLAY, store="dead-letters")),
        (
            {"act": "replay", "events": [GRID | GRID_DEATH, CLOUD | CLOUD_DEATH, CLOUD]},
            OperatorRequest(OperatorAct.REPLAY, events=(GRID, CLOUD, CLOUD)),
        ),
    ],
)
def test_every_act_is_read(told: JsonObject, request_: OperatorRequest) -> None:
    assert parse_request(json.dumps(told).encode()) == request_


@pytest.mark.parametrize(
    "told, why",
    [
        ({}, "'act' must be one of approve, undo, hold, release, replay"),
        ({"act": "Approve", "record": RECORD}, "'act'"),
        ({"act": "approve"}, "'record' must be a RecordId: 32 hex digits"),
        ({"act": "approve", "record": RECORD[1:]}, "'record'"),
        ({"act": "approve", "record": f"{RECORD}\n"}, "'record'"),
        ({"act": "approve", "record": [RECORD]}, "'record'"),
        ({"act": "approve", "record": RECORD, "for": "7d"}, "no fields but act, record"),
        ({"act": "undo", "record": RECORD, "for": "7d"}, "no fields but act, hold, record"),
        ({"act": "hold", "record": RECORD, "hold": "7d"}, "no fields but act, for, record"),
        ({"act": "hold", "record": RECORD, "for": 7}, "'for' must be like 90m, 12h, 7d or 2w"),
        ({"act": "hold", "record": RECORD, "for": ""}, "'for'"),
        ({"act": "undo", "record": RECORD, "hold": "91d"}, "at most 90 days"),
        ({"act": "release", "record": RECORD, "store": "buried"}, "no fields but"),
        ({"act": "replay"}, "one of record, events and store"),
        ({"act": "replay", "record": RECORD, "store": "buried"}, "one of record, events and store"),
        ({"act": "replay", "store": "poison"}, "'store' must be buried or dead-letters"),
        ({"act": "replay", "store": {}}, "'store'"),
        ({"act": "replay", "events": []}, "a list of 1 to 200 events"),
        ({"act": "replay", "events": [GRID] * (MOST_EVENTS + 1)}, "a list of 1 to 200 events"),
        ({"act": "replay", "events": GRID}, "a list of 1 to 200 events"),
        ({"act": "replay", "events": [GRID, 7]}, "'events[1]' is neither"),
        ({"act": "replay", "events": [{"id": "e1"}]}, "'events[0]' is neither"),
    ],
)
def test_what_is_wrong_is_said(told: JsonObject, why: str) -> None:
    assert why in refusal(json.dumps(told).encode())


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"[]",
        b"null",
        b"\xff\xfe",
        b'{"act":',
        b'{"act":"hold","record":NaN}',
        b"[" * 100_000,
        b'{"a":' * 50_000,
        b"9" * 10_000,
        '{"act":"approve"}'.encode("utf-16"),
    ],
)
def test_what_is_no_json_object_is_refused(raw: bytes) -> None:
    assert refusal(raw) == "the body must be a JSON object"


def test_a_body_is_at_most_1_mb() -> None:
    small = json.dumps({"act": "replay", "record": RECORD}).encode()
    assert parse_request(small.ljust(MOST_BYTES)).record_id == RECORD
    assert refusal(small.ljust(MOST_BYTES + 1)) == "the body is larger than 1 MB"


@pytest.mark.parametrize("field", ["act", "record", "hold", "for", "store", "events", "nonsense"])
def test_no_sentence_repeats_the_body(field: str) -> None:
    for act in OperatorAct:
        assert KEYLIKE not in refusal(body(**({"act": act, "record": RECORD} | {field: f"{KEYLIKE}!"})))


@given(st.dictionaries(fields, values, max_size=4))
def test_any_object_is_read_or_refused(told: JsonObject) -> None:
    for act in OperatorAct:
        try:
            request = parse_request(json.dumps({**told, "act": act}).encode())
        except ValueError as problem:
            assert str(problem)  # noqa: PT017 - it may be read as well
            continue
        assert request.act is act
        assert [bool(request.record_id), bool(request.events), bool(request.store)].count(True) == 1
        assert request.span is None or timedelta(minutes=1) <= request.span <= timedelta(days=90)


@given(st.binary(max_size=40))
def test_any_bytes_are_read_or_refused(raw: bytes) -> None:
    refusal(raw)


@pytest.mark.parametrize("field", ["act", "record", "hold", "events", "store"])
@pytest.mark.parametrize("value", NASTY)
def test_nasty_fields(field: str, value: Json) -> None:
    for act in (OperatorAct.UNDO, OperatorAct.REPLAY):
        try:
            parse_request(json.dumps({"act": act, "record": RECORD, field: value}).encode())
        except ValueError as problem:
            assert str(problem)  # noqa: PT017 - it may be read as well


@pytest.mark.parametrize(
    "text, span",
    [
        ("1m", timedelta(minutes=1)),
        ("90m", timedelta(minutes=90)),
        ("12h", timedelta(hours=12)),
        ("7d", timedelta(days=7)),
        ("2w", timedelta(weeks=2)),
        ("90d", timedelta(days=90)),
        ("129600m", timedelta(days=90)),
    ],
)
def test_spans(text: str, span: timedelta) -> None:
    assert parse_span(text) == span


@pytest.mark.parametrize(
    "text",
    ["", "0m", "0d", "91d", "13w", "129601m", "7", "d", "7 d", "7D", "-7d", "1.5h", "\u0667d", "7d\n", "1" * 9 + "m"],
)
def test_what_is_no_span(text: str) -> None:
    with pytest.raises(ValueError, match="90m, 12h, 7d or 2w"):
        parse_span(text)


@given(st.integers(1, 90 * 24 * 60))
def test_every_minute_up_to_90_days_can_be_said(minutes: int) -> None:
    assert parse_span(f"{minutes}m") == timedelta(minutes=minutes)


@pytest.mark.parametrize("text", ["", RECORD[:-1], f"{RECORD}0", f"{RECORD[:-1]}g", f" {RECORD}", "\u0660" * 32])
def test_what_is_no_record_id(text: str) -> None:
    with pytest.raises(ValueError, match="32 hex digits"):
        parse_record_id(text)


@pytest.mark.parametrize("event, death", [(GRID, GRID_DEATH), (CLOUD, CLOUD_DEATH), (GRID, CLOUD_DEATH)])
def test_a_dead_letter_comes_back_as_it_was(event: JsonObject, death: JsonObject) -> None:
    assert undead(event | death) == event
    assert undead(event) == event


def test_what_a_dead_letter_names_in_its_data_stays() -> None:
    event = {**GRID, "data": GRID_DEATH}
    assert undead(event | GRID_DEATH) == event


def test_a_cloud_event_without_its_version_is_known_again() -> None:
    """Event Grid's own sample of a dead letter lacks it."""
    bare = {name: value for name, value in CLOUD.items() if name != "specversion"}
    assert undead(bare | CLOUD_DEATH) == CLOUD
    assert is_event(bare | CLOUD_DEATH)


@pytest.mark.parametrize("event", [GRID | GRID_DEATH, CLOUD | CLOUD_DEATH])
def test_what_is_replayed_is_the_signal_that_it_was(event: JsonObject) -> None:
    (replayed,) = requested(act="replay", events=[event]).events
    signal = parse_message(json.dumps(replayed), NOW)
    assert isinstance(signal, Signal)
    assert (signal.id, signal.target) == ("e1", TARGET)


@given(st.dictionaries(st.sampled_from([*GRID, *CLOUD, *GRID_DEATH, *CLOUD_DEATH]) | st.text(max_size=6), anything))
def test_undead_takes_nothing_else_away(event: JsonObject) -> None:
    alive = undead(event)
    assert undead(alive) == alive
    assert not alive.keys() & {*GRID_DEATH, *CLOUD_DEATH}
    kept = {name: value for name, value in event.items() if name not in {*GRID_DEATH, *CLOUD_DEATH}}
    assert alive in (kept, kept | {"specversion": "1.0"})
    assert isinstance(is_event(event), bool)


@pytest.mark.parametrize(
    "value",
    [
        *NASTY,
        {"eventType": ""},
        {"eventType": 7},
        {"specversion": "1.0", "eventType": "T"},
        {"airlock": {"kind": "OperatorRequest", "cause": "c", "about": TARGET.path}, "event": {}},
        {**GRID, "airlock": {"ticket": "another worker's"}, "event": GRID},
    ],
)
def test_what_is_no_event(value: Json) -> None:
    assert not is_event(value)
    assert "'events[0]'" in refusal(body(act="replay", events=[value]))
