"""Events out of the objects that the Functions library makes of them."""

import json
from datetime import UTC, datetime

import pytest
from azure.functions import CloudEvent, EventGridEvent

from shared.azure.intake import raw_event
from shared.domain.signal import Signal, parse_message, put_back
from tests.azure.making import NOW, TARGET

DATA: dict[str, object] = {"operationName": "Microsoft.CognitiveServices/accounts/write", "status": "Succeeded"}
TYPE = "Microsoft.Resources.ResourceWriteSuccess"


def grid_event(time: datetime | None = NOW) -> EventGridEvent:
    return EventGridEvent(
        id="event-1",
        data=DATA,
        topic=f"/subscriptions/{TARGET.subscription}",
        subject=TARGET.path,
        event_type=TYPE,
        event_time=time,
        data_version="2",
    )


def cloud_event(time: datetime | None = NOW) -> CloudEvent:
    return CloudEvent(
        id="event-1",
        source=f"/subscriptions/{TARGET.subscription}",
        type=TYPE,
        specversion="1.0",
        data=DATA,
        subject=TARGET.path,
        time=time,
    )


def test_an_event_grid_event() -> None:
    assert raw_event(grid_event()) == {
        "id": "event-1",
        "topic": f"/subscriptions/{TARGET.subscription}",
        "subject": TARGET.path,
        "eventType": TYPE,
        "eventTime": "2026-11-23T12:00:00+00:00",
        "dataVersion": "2",
        "data": DATA,
    }


def test_a_cloud_event() -> None:
    assert raw_event(cloud_event()) == {
        "specversion": "1.0",
        "id": "event-1",
        "source": f"/subscriptions/{TARGET.subscription}",
        "type": TYPE,
        "subject": TARGET.path,
        "time": "2026-11-23T12:00:00+00:00",
        "data": DATA,
    }


@pytest.mark.parametrize("event", [grid_event(), cloud_event(), grid_event(None), cloud_event(None)])
def test_both_are_read_as_the_same_signal(event: EventGridEvent | CloudEvent) -> None:
    raw = raw_event(event)
    signal = parse_message(json.dumps(raw), datetime.now(UTC))
    assert isinstance(signal, Signal)
    assert signal.target == TARGET
    assert signal.raw == raw
    assert put_back(signal)
