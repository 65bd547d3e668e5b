"""Alerts and exposed keys as they reach the topic, and the alert as Defender answers it."""

import hashlib
from datetime import UTC, datetime
from typing import Any

from local.contoso import SUBSCRIPTION

type Body = dict[str, Any]

LOCATION = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg-ai-prod/providers/Microsoft.Security/locations/westeurope"
TOR = "AI.Azure_AccessFromAnonymizedIP"
USER_AGENT = "AI.Azure_AccessFromSuspiciousUserAgent"
BLOCKED = "AI.Azure_Jailbreak.ContentFiltering.BlockedAttempt"


def alert(  # noqa: PLR0913 - each is a choice of its own, with a default
    *resources: Body | str,
    kind: str = TOR,
    name: str = "2518298467986649999_4d25bfef",
    status: str = "Active",
    severity: str = "High",
    addresses: tuple[str, ...] = (),
    location: str = LOCATION,
    **properties: object,
) -> Body:
    """An alert as ARM answers it."""
    ids = [str(named["id"]) if isinstance(named, dict) else named for named in resources]
    entities = [{"type": "ip", "address": address} for address in addresses]
    own: Body = {
        "version": "2022-01-01",
        "alertType": kind,
        "systemAlertId": name,
        "alertDisplayName": "Something happened",
        "severity": severity,
        "status": status,
        "intent": "InitialAccess",
        "startTimeUtc": "2026-11-24T08:00:00.0000000Z",
        "endTimeUtc": "2026-11-24T08:00:00.0000000Z",
        "resourceIdentifiers": [{"type": "AzureResource", "azureResourceId": named} for named in ids],
        "entities": entities,
    }
    return {
        "id": f"{location}/alerts/{name}",
        "name": name,
        "type": "Microsoft.Security/Locations/alerts",
        "properties": own | properties,
    }


def told(body: Body, event_id: str = "alert-event-1") -> Body:
    """The CloudEvent in which somebody tells of the alert."""
    return {
        "specversion": "1.0",
        "id": event_id,
        "source": "/subscriptions/relay",
        "type": "Airlock.DefenderAlert",
        "subject": str(body.get("name")),
        "time": datetime.now(UTC).isoformat(),
        "data": body,
    }


def exposed(key: str, resource: Body | None = None, event_id: str = "leak-event-1") -> Body:
    """The CloudEvent that `airlock leak` publishes about a key."""
    data: Body = {"sha256": hashlib.sha256(key.encode()).hexdigest(), "foundAt": "contoso/app deploy.env:3"}
    if resource is not None:
        data["resourceId"] = resource["id"]
    return {
        "specversion": "1.0",
        "id": event_id,
        "source": "airlock/leak",
        "type": "Airlock.SecretExposed",
        "subject": "unknown",
        "time": datetime.now(UTC).isoformat(),
        "data": data,
    }
