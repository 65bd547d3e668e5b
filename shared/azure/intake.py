"""The event as it came, out of the object that the Functions library makes of it."""

from azure.functions import CloudEvent, EventGridEvent

from shared.domain.body import JsonObject


def raw_event(event: EventGridEvent | CloudEvent) -> JsonObject:
    """The event's JSON.

    The library picks the object by the payload: a CloudEvent arrives wherever the event subscription delivers
    CloudEvents, whatever the function's annotation says (azure-functions 2.3.0, run 2026-11-23).
    """
    if isinstance(event, CloudEvent):
        return {
            "specversion": event.specversion,
            "id": event.id,
            "source": event.source,
            "type": event.type,
            "subject": event.subject,
            "time": event.time.isoformat() if event.time else None,
            "data": event.get_json(),
        }
    return {
        "id": event.id,
        "topic": event.topic,
        "subject": event.subject,
        "eventType": event.event_type,
        "eventTime": event.event_time.isoformat() if event.event_time else None,
        "dataVersion": event.data_version,
        "data": event.get_json(),
    }
