"""The bundled estate: a company's AI resources, drift and odd cases among them, and what people do to them.

Defender's alerts have the form of Microsoft.Security alerts, api-version 2022-01-01 (reviewed 2026-11).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

from local.arm.events import event_time

type Body = dict[str, Any]

SUBSCRIPTION = "11111111-2222-3333-4444-555555555555"
HUB_SUBSCRIPTION = "77777777-2222-3333-4444-555555555555"
GROUP = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg-ai-prod/providers"
HUB = f"/subscriptions/{HUB_SUBSCRIPTION}/resourceGroups/rg-hub-network/providers"
ACCOUNTS = "Microsoft.CognitiveServices/accounts"
SEARCH = "Microsoft.Search/searchServices"
WORKSPACES = "Microsoft.MachineLearningServices/workspaces"
STORAGE = "Microsoft.Storage/storageAccounts"
ENDPOINTS = "Microsoft.Network/privateEndpoints"
OPEN_LIST: Body = {"defaultAction": "Allow", "ipRules": [], "virtualNetworkRules": []}
PROTECTED = {"airlock": "protect"}
ALERTS = f"{GROUP}/Microsoft.Security/locations/westeurope/alerts"


@dataclass(frozen=True, slots=True)
class Deed:
    """Something a person does to the estate through ARM: a PATCH with a body, or a DELETE."""

    method: str
    id: str
    api_version: str
    body: Body = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Leak:
    """A key that somebody commits: the account that it opens, the slot that it is in, and where it was found."""

    id: str
    slot: str
    found_at: str


def estate(today: date) -> list[Body]:
    """The resources as they stand before the scenario; `today` dates the exemption."""
    return [*_accounts(today), *_search_services(), *_workspaces(), *_storage(), *_network()]


def scenario() -> Sequence[Deed]:
    """Someone opens an account, downgrades TLS, turns keys on; and one account goes before its event arrives."""
    return (
        Deed(
            "PATCH",
            f"{GROUP}/{ACCOUNTS}/oai-chat-prod",
            "2025-09-01",
            {"properties": {"publicNetworkAccess": "Enabled", "networkAcls": OPEN_LIST}},
        ),
        Deed(
            "PATCH",
            f"{GROUP}/{STORAGE}/stscans",
            "2024-01-01",
            {"properties": {"minimumTlsVersion": "TLS1_0", "supportsHttpsTrafficOnly": False}},
        ),
        Deed(
            "PATCH",
            f"{GROUP}/{SEARCH}/srch-hr",
            "2025-05-01",
            {"properties": {"disableLocalAuth": False, "authOptions": {"aadOrApiKey": {}}}},
        ),
        Deed("DELETE", f"{GROUP}/{ACCOUNTS}/safety-retired", "2025-09-01"),
    )


def alerts(now: datetime) -> list[Body]:
    """What Defender knows: a call through Tor that got in, and an alert that an analyst dismissed."""
    return [_tor(now), _dismissed(now) | _with(_dismissed(now), status="Dismissed")]


def alert_events(now: datetime) -> list[Body]:
    """What the alerts topic is told, in this order.

    A forgery that borrows the id of the real alert and names an account that nobody attacked, with the office's own
    network as the attacker; the real alert; and the dismissed one, as if it still stood.
    """
    real = _tor(now)
    office = [{"type": "ip", "address": "203.0.113.9"}]
    forged = _with(real, entities=office, resourceIdentifiers=_identifiers("vision-intake"))
    return [
        alert_event(real | forged, now, "forged"),
        alert_event(real, now),
        alert_event(_dismissed(now), now),
    ]


def leaks() -> Sequence[Leak]:
    """A key that a developer pushed. The account has no custom subdomain, so its keys cannot go off for good."""
    account = f"{GROUP}/{ACCOUNTS}/speech-callcenter"
    return (Leak(account, "key1", "contoso/callcenter deploy.env:3"),)


def alert_event(alert: Mapping[str, object], when: datetime, prefix: str = "alert") -> Body:
    """The CloudEvent in which somebody tells the alerts topic of an alert, true or not."""
    name = str(alert["id"]).rpartition("/")[2]
    return {
        "specversion": "1.0",
        "id": f"{prefix}-{when.timestamp():.6f}-{name}",
        "source": f"/subscriptions/{SUBSCRIPTION}",
        "type": "Airlock.DefenderAlert",
        "subject": name,
        "time": event_time(when.timestamp()),
        "data": dict(alert),
    }


def write_event(resource: Mapping[str, object], when: datetime) -> Body:
    """The event of somebody's write to the resource, as a subscription raises it."""
    resource_id = str(resource["id"])
    subscription = resource_id.split("/")[2]
    operation = f"{resource['type']}/write"
    return {
        "id": f"write-{when.timestamp():.6f}-{resource['name']}",
        "topic": f"/subscriptions/{subscription}",
        "subject": resource_id,
        "eventType": "Microsoft.Resources.ResourceWriteSuccess",
        "eventTime": event_time(when.timestamp()),
        "dataVersion": "2",
        "metadataVersion": "1",
        "data": {
            "authorization": {"scope": resource_id, "action": operation, "evidence": {"role": "Contributor"}},
            "claims": {
                "appid": "04b07795-8ddb-461a-bbee-02f9e1bf7b46",
                "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/upn": "dev@contoso.com",
            },
            "correlationId": "c0000000-0000-0000-0000-000000000001",
            "httpRequest": {"clientIpAddress": "203.0.113.7", "method": "PUT", "url": ""},
            "operationName": operation,
            "resourceProvider": operation.partition("/")[0],
            "resourceUri": resource_id,
            "status": "Succeeded",
            "subscriptionId": subscription,
            "tenantId": "99999999-8888-7777-6666-555555555555",
        },
    }


def _tor(now: datetime) -> Body:
    return _alert(
        "2518298467986649999_4d25bfef-ef77-4a08-adc0-3e35715cc92a",
        "AI.Azure_AccessFromAnonymizedIP",
        "Access from a Tor IP",
        "oai-support",
        "198.51.100.23",
        now,
    )


def _dismissed(now: datetime) -> Body:
    """The alert as it stood before an analyst dismissed it."""
    return _alert(
        "2518298467986649998_9c41d7aa-0b7e-4f43-8a2e-6a1c5d1f7e10",
        "AI.Azure_AccessFromSuspiciousIP",
        "Access from a suspicious IP",
        "translate-prod",
        "192.0.2.77",
        now,
    )


def _alert(name: str, kind: str, title: str, account: str, address: str, now: datetime) -> Body:  # noqa: PLR0913, PLR0917 - what alerts differ in
    when = event_time(now.timestamp())
    return {
        "id": f"{ALERTS}/{name}",
        "name": name,
        "type": "Microsoft.Security/Locations/alerts",
        "properties": {
            "version": "2022-01-01",
            "alertType": kind,
            "systemAlertId": name,
            "alertDisplayName": title,
            "severity": "High",
            "status": "Active",
            "intent": "InitialAccess",
            "startTimeUtc": when,
            "endTimeUtc": when,
            "resourceIdentifiers": _identifiers(account),
            "entities": [{"type": "ip", "address": address}],
        },
    }


def _with(alert: Body, **properties: object) -> Body:
    """The part of an alert with other values for some properties."""
    return {"properties": alert["properties"] | properties}


def _identifiers(account: str) -> list[Body]:
    return [{"type": "AzureResource", "azureResourceId": f"{GROUP}/{ACCOUNTS}/{account}"}]


def _accounts(today: date) -> list[Body]:
    until = today + timedelta(days=60)
    exempt = {"airlock-exempt-disable-public-network-access": f"{until} open hackathon, approved by security"}
    shut: Body = {"publicNetworkAccess": "Disabled", "networkAcls": {"defaultAction": "Deny"}, "disableLocalAuth": True}
    wide: Body = {"defaultAction": "Deny", "ipRules": [{"value": "198.51.100.0/24"}, {"value": "0.0.0.0/0"}]}
    office: Body = {"defaultAction": "Deny", "ipRules": [{"value": "203.0.113.0/24"}], "virtualNetworkRules": []}
    shared: Body = office | {"ipRules": [{"value": "203.0.113.0/24"}, {"value": "198.51.100.0/24"}]}
    return [
        _account("oai-chat-prod", "OpenAI", shut, link="account"),
        _account(
            "oai-rag-prod", "OpenAI", {"publicNetworkAccess": "Enabled", "networkAcls": OPEN_LIST}, link="account"
        ),
        _account("foundry-agents", "AIServices", {}, link="account"),
        _account("vision-intake", "ComputerVision", {"networkAcls": office, "disableLocalAuth": True}),
        _account("lang-claims", "TextAnalytics", {"networkAcls": wide, "disableLocalAuth": False}),
        _account("docint-legal", "FormRecognizer", {"publicNetworkAccess": "Enabled", "disableLocalAuth": False}),
        _account("speech-callcenter", "SpeechServices", {"customSubDomainName": None, "disableLocalAuth": False}),
        _account("oai-hackathon", "OpenAI", {"networkAcls": office | {"defaultAction": "Allow"}}, exempt, "account"),
        _account("oai-updating", "OpenAI", {"provisioningState": "Accepted"}, link="account"),
        _account("translate-prod", "TextTranslation", shut, link="account"),
        _account("oai-support", "OpenAI", {"networkAcls": shared, "disableLocalAuth": True}, link="account"),
        _account("safety-retired", "ContentSafety", {"publicNetworkAccess": "Enabled"}),
    ]


def _search_services() -> list[Body]:
    both: Body = {"aadOrApiKey": {"aadAuthFailureMode": "http401WithBearerChallenge"}}
    shut: Body = {"publicNetworkAccess": "disabled", "disableLocalAuth": True, "authOptions": None}
    partners: Body = {"ipRules": [{"value": "192.0.2.0/28"}, {"value": "0.0.0.0/0"}], "bypass": "None"}
    return [
        _search("srch-docs", {"publicNetworkAccess": "enabled", "authOptions": both}, link="searchService"),
        _search("srch-catalog", {"publicNetworkAccess": "enabled", "authOptions": {"apiKeyOnly": {}}}),
        _search("srch-partners", {"networkRuleSet": partners, "disableLocalAuth": True, "authOptions": None}),
        _search("srch-hr", shut, link="searchService"),
    ]


def _workspaces() -> list[Body]:
    return [
        _workspace("mlw-fraud", "Default", {"publicNetworkAccess": "Enabled"}, link="amlworkspace", store="stmlfraud"),
        _workspace("mlw-forecast", "Default", {"publicNetworkAccess": "Disabled"}, link="amlworkspace"),
        _workspace("hub-genai", "Hub", {"publicNetworkAccess": "Enabled"}),
        _workspace("proj-summaries", "Project", {"publicNetworkAccess": "Enabled"}),
    ]


def _storage() -> list[Body]:
    weak: Body = {
        "minimumTlsVersion": "TLS1_0",
        "supportsHttpsTrafficOnly": False,
        "allowBlobPublicAccess": True,
        "networkAcls": OPEN_LIST,
    }
    sound: Body = {
        "minimumTlsVersion": "TLS1_2",
        "supportsHttpsTrafficOnly": True,
        "allowSharedKeyAccess": False,
        "allowBlobPublicAccess": False,
        "publicNetworkAccess": "Disabled",
        "networkAcls": {"defaultAction": "Deny", "bypass": "AzureServices"},
    }
    return [
        _account_of_storage("stmlfraud", weak, links=("blob", "file"), hub=True),
        _account_of_storage("straglake", weak, PROTECTED, ("blob",)),
        _account_of_storage("stscans", sound, PROTECTED, ("blob",)),
        _account_of_storage("stgoldcopy", sound | {"minimumTlsVersion": "TLS1_1"}, PROTECTED, ("blob",)),
        _account_of_storage("stmarketing", weak),
        _account_of_storage("stairlock", weak, PROTECTED),
    ]


def _network() -> list[Body]:
    lock = f"{GROUP}/{STORAGE}/stgoldcopy/providers/Microsoft.Authorization/locks/frozen"
    return [
        {
            "id": lock,
            "name": "frozen",
            "type": "Microsoft.Authorization/locks",
            "properties": {"level": "ReadOnly", "notes": "legal hold"},
        },
        _endpoint(HUB, "stmlfraud", "blob"),
        _endpoint(HUB, "stmlfraud", "file"),
        _endpoint(GROUP, "straglake", "blob"),
        _endpoint(GROUP, "stscans", "blob"),
        _endpoint(GROUP, "stgoldcopy", "blob"),
    ]


def _endpoint(where: str, account: str, group: str) -> Body:
    """A private endpoint that leads to a storage account, whose own connections do not tell the group."""
    link: Body = {"privateLinkServiceId": f"{GROUP}/{STORAGE}/{account}", "groupIds": [group]}
    return {
        "id": f"{where}/{ENDPOINTS}/pe-{account}-{group}",
        "name": f"pe-{account}-{group}",
        "type": ENDPOINTS,
        "location": "westeurope",
        "properties": {"provisioningState": "Succeeded", "privateLinkServiceConnections": [{"properties": link}]},
    }


def _account(
    name: str, kind: str, properties: Body, tags: Mapping[str, str] | None = None, link: str | None = None
) -> Body:
    own: Body = {"customSubDomainName": name, "privateEndpointConnections": _links(f"{ACCOUNTS}/{name}", link)}
    return _resource(f"{ACCOUNTS}/{name}", own | properties, tags) | {
        "kind": kind,
        "sku": {"name": "S0"},
        "etag": '"1"',
    }


def _search(name: str, properties: Body, link: str | None = None) -> Body:
    own: Body = {"status": "running", "privateEndpointConnections": _links(f"{SEARCH}/{name}", link)}
    return _resource(f"{SEARCH}/{name}", own | {"provisioningState": "succeeded"} | properties) | {
        "sku": {"name": "standard"}
    }


def _workspace(name: str, kind: str, properties: Body, link: str | None = None, store: str | None = None) -> Body:
    own: Body = {"privateEndpointConnections": _links(f"{WORKSPACES}/{name}", link)}
    if store is not None:
        own["storageAccount"] = f"{GROUP}/{STORAGE}/{store}"
    return _resource(f"{WORKSPACES}/{name}", own | properties) | {"kind": kind}


def _account_of_storage(
    name: str, properties: Body, tags: Mapping[str, str] | None = None, links: Sequence[str] = (), *, hub: bool = False
) -> Body:
    own: Body = {"privateEndpointConnections": []}
    for group in links:
        own["privateEndpointConnections"] += _links(f"{STORAGE}/{name}", group, hub=hub)
    return _resource(f"{STORAGE}/{name}", own | properties, tags) | {
        "kind": "StorageV2",
        "sku": {"name": "Standard_LRS", "tier": "Standard"},
    }


def _resource(tail: str, properties: Body, tags: Mapping[str, str] | None = None) -> Body:
    return {
        "id": f"{GROUP}/{tail}",
        "name": tail.rpartition("/")[2],
        "type": tail.rpartition("/")[0],
        "location": "westeurope",
        "tags": dict(tags or {}),
        "properties": {"provisioningState": "Succeeded"} | properties,
    }


def _links(tail: str, group: str | None, *, hub: bool = False) -> list[Body]:
    """One approved private endpoint connection; none without a group. Storage does not tell the group here."""
    if group is None:
        return []
    untold = tail.startswith(STORAGE)
    name = f"pe-{tail.rpartition('/')[2]}" + (f"-{group}" if untold else "")
    told: Body = {} if untold else {"groupIds": [group]}
    return [
        {
            "id": f"{GROUP}/{tail}/privateEndpointConnections/{name}",
            "name": name,
            "properties": told
            | {
                "privateEndpoint": {"id": f"{HUB if hub else GROUP}/{ENDPOINTS}/{name}"},
                "privateLinkServiceConnectionState": {"status": "Approved", "description": ""},
                "provisioningState": "Succeeded",
            },
        }
    ]
