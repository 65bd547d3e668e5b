"""What an incident's record keeps of the alert and of the resource as it was found: small, and free of secrets."""

from collections.abc import Iterable

from shared.domain.alert import Alert
from shared.domain.body import Json, JsonObject, as_object, as_text, at
from shared.domain.incident import Incident
from shared.domain.proposal import Proposal
from shared.domain.record import canonical
from shared.domain.redact import redact
from shared.domain.resource import Resource
from shared.domain.response import Children

_MOST_CHILDREN = 20
# Evidence as a whole has to fit into one record.
_MOST_ITEMS = 20
_DEEPEST = 6
# Characters of JSON: two thirds of what a record may hold.
_LARGEST = 40 * 1024
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
        told["alert"] = of_alert(incident.alert)
    if incident.exposure is not None:
        told["foundAt"] = incident.exposure.found_at
    return _fitting(told)


def _fitting(told: JsonObject) -> JsonObject:
    """The evidence with its largest members left out, and said so, until it fits: whoever attacks could else choose
    texts so long that no evidence stays."""
    while len(canonical(told)) > _LARGEST:
        parts = [(part, as_object(value)) for part, value in told.items() if isinstance(value, dict)]
        sizes = [(len(canonical(value)), part, name) for part, members in parts for name, value in members.items()]
        size, part, name = max(sizes)
        told = {**told, part: {**as_object(told[part]), name: f"left out: {size} characters"}}
    return told


def of_alert(alert: Alert) -> JsonObject:
    """What of an alert its records keep."""
    return {
        "type": redact(alert.type, _LONGEST_TEXT),
        "title": redact(alert.title, _LONGEST_TEXT),
        "intent": [redact(intent, _LONGEST_TEXT) for intent in alert.intent],
        "addresses": [*alert.addresses],
        "accounts": [redact(name, _LONGEST_TEXT) for name in alert.accounts],
        "resources": [named.path for named in alert.resources[:_MOST_CHILDREN]],
        "started": alert.started.isoformat() if alert.started else None,
        "ended": alert.ended.isoformat() if alert.ended else None,
    }


def _child(body: JsonObject) -> JsonObject:
    name: JsonObject = {"name": redact(as_text(body.get("name")), _LONGEST_TEXT)}
    return name | {path: cleaned(at(body, path)) for path in _OF_CHILD if at(body, path) is not None}


def cleaned(value: Json, depth: int = _DEEPEST) -> Json:
    """The value with every text in it redacted, and with what is long, wide or deep cut, which is said."""
    if depth == 0 and isinstance(value, list | dict):
        return "and more"
    match value:
        case str():
            return redact(value, _LONGEST_TEXT)
        case list():
            left = [f"and {len(value) - _MOST_ITEMS} more"] if len(value) > _MOST_ITEMS else []
            return [*(cleaned(item, depth - 1) for item in value[:_MOST_ITEMS]), *left]
        case dict():
            members = list(value.items())[:_MOST_ITEMS]
            left_out: JsonObject = {"cut": len(value) - _MOST_ITEMS} if len(value) > _MOST_ITEMS else {}
            return {redact(name, _LONGEST_TEXT): cleaned(child, depth - 1) for name, child in members} | left_out
        case _:
            return value
