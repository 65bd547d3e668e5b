"""What an incident's record keeps of the alert and of the resource as it was found: small, and free of secrets."""

from collections.abc import Iterable

from shared.domain.alert import Alert
from shared.domain.body import Json, JsonObject, as_object, as_text, at
from shared.domain.incident import Incident
from shared.domain.proposal import Proposal
from shared.domain.redact import redact
from shared.domain.resource import Resource
from shared.domain.response import Children

_MOST_CHILDREN = 20
_LONGEST_TEXT = 256
# Where the state stands that tells how somebody could come in and what they found.
_PATHS = (
    "sku.name",
    "identity.type",
    "properties.publicNetworkAccess",
    "properties.networkAcls",
    "properties.networkRuleSet",
    "properties.disableLocalAuth",
    "properties.allowSharedKeyAccess",
    "properties.allowBlobPublicAccess",
    "properties.authOptions",
    "properties.minimumTlsVersion",
)
_OF_CHILD = ("sku", "properties.model", "properties.raiPolicyName", "properties.deploymentState", "properties.mode")


def snapshot(incident: Incident, resource: Resource, children: Children, proposals: Iterable[Proposal]) -> JsonObject:
    """The evidence: what was reported, what the resource looked like before anything was done, and what is done."""
    told: JsonObject = {
        "incident": incident.name,
        "resource": {path: cleaned(resource.at(path)) for path in _PATHS if resource.at(path) is not None},
        "children": {kind: [_child(body) for body in list(found)[:_MOST_CHILDREN]] for kind, found in children.items()},
        "responses": {each.response.name: f"{each.verdict.value}: {redact(each.reason, 200)}" for each in proposals},
        "atlas": [*incident.row.atlas],
    }
    if incident.alert is not None:
        told["alert"] = _alert(incident.alert)
    if incident.exposure is not None:
        told["foundAt"] = incident.exposure.found_at
    return told


def _alert(alert: Alert) -> JsonObject:
    return {
        "type": alert.type,
        "title": redact(alert.title, _LONGEST_TEXT),
        "intent": [*alert.intent],
        "addresses": [*alert.addresses],
        "accounts": [redact(name, _LONGEST_TEXT) for name in alert.accounts],
        "resources": [named.path for named in alert.resources[:_MOST_CHILDREN]],
        "started": alert.started.isoformat() if alert.started else None,
        "ended": alert.ended.isoformat() if alert.ended else None,
    }


def _child(body: JsonObject) -> JsonObject:
    name: JsonObject = {"name": redact(as_text(body.get("name")), _LONGEST_TEXT)}
    return name | {path: cleaned(at(body, path)) for path in _OF_CHILD if at(body, path) is not None}


def cleaned(value: Json) -> Json:
    """The value with every text in it redacted."""
    match value:
        case str():
            return redact(value, _LONGEST_TEXT)
        case list():
            return [cleaned(item) for item in value]
        case dict():
            return {redact(name, _LONGEST_TEXT): cleaned(child) for name, child in as_object(value).items()}
        case _:
            return value
