"""How events come in: what the event subscriptions let through, where to, and what becomes of what cannot get there."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from shared.domain.body import Json, JsonObject, as_list, as_object, as_text
from shared.domain.resource_types import RESOURCE_TYPES, STORAGE
from tests.infra.bicep import Deployed, Deployment, Value
from tests.infra.bicep.functions import as_json
from tests.infra.estate import Estate, Way, at, estate, function_names, principal_of, read_json
from tests.infra.event_filters import EventFilter
from tests.infra.order import waits_for

OUTPUT = "AIRLOCK_EVENT_SUBSCRIPTIONS"
_TYPES = ("Microsoft.EventGrid/systemTopics/eventSubscriptions", "Microsoft.EventGrid/topics/eventSubscriptions")
_SENDER, _WRITER = "Storage Queue Data Message Sender", "Storage Blob Data Contributor"
_GROUP = "/subscriptions/s/resourceGroups/rg/providers"
# Children of each type whose changes a rule may have to see, and what only makes noise.
HEARD = (
    "Microsoft.CognitiveServices/accounts/deployments/write",
    "Microsoft.CognitiveServices/accounts/projects/write",
    "Microsoft.CognitiveServices/accounts/raiPolicies/write",
    "Microsoft.CognitiveServices/accounts/raiPolicies/delete",
    "Microsoft.CognitiveServices/accounts/privateEndpointConnections/write",
    "Microsoft.MachineLearningServices/workspaces/onlineEndpoints/write",
    "Microsoft.MachineLearningServices/workspaces/privateEndpointConnections/delete",
    "Microsoft.Search/searchServices/privateEndpointConnections/write",
    "Microsoft.Storage/storageAccounts/privateEndpointConnections/write",
)
NOISE = (
    "Microsoft.CognitiveServices/accounts/listKeys/action",
    "Microsoft.Compute/virtualMachines/write",
    "Microsoft.MachineLearningServices/workspaces/jobs/write",
    "Microsoft.MachineLearningServices/workspaces/datasets/versions/write",
    "Microsoft.MachineLearningServices/workspaces/environments/versions/write",
    "Microsoft.Resources/deployments/write",
    "Microsoft.Storage/storageAccounts/blobServices/containers/write",
    "Microsoft.Storage/storageAccounts/fileServices/shares/delete",
    "Microsoft.Storage/storageAccounts/listKeys/action",
)
EXTENSIONS = (
    "Microsoft.Resources/tags/write",
    "Microsoft.Authorization/locks/write",
    "Microsoft.Authorization/locks/delete",
)


@dataclass(frozen=True, slots=True)
class Delivery:
    """One event subscription, made by the deployment or by the hook after it."""

    name: str
    topic: str
    properties: Mapping[str, Value]
    resource: Deployed | None = None

    @property
    def filter(self) -> EventFilter:
        """What it lets through."""
        schema = as_text(_json(self.properties.get("eventDeliverySchema")))
        return EventFilter(as_object(_json(self.properties.get("filter"))), schema or "EventGridSchema")

    @property
    def is_of_changes(self) -> bool:
        """Whether it listens to the subscription, and not to alerts."""
        return "/systemTopics/" in self.topic


def _json(value: Value) -> Json:
    return cast("Json", as_json(value))


def deliveries(deployment: Deployment) -> list[Delivery]:
    """All that a deployment leads to."""
    made = [
        Delivery(each.name, each.id.rpartition("/eventSubscriptions/")[0], each.properties, each)
        for each in deployment.of(*_TYPES)
    ]
    told = deployment.outputs.get(OUTPUT)
    for each in told if isinstance(told, list) else []:
        if isinstance(each, dict) and isinstance(properties := each.get("properties"), dict):
            topic, _, name = str(each.get("id")).rpartition("/eventSubscriptions/")
            made.append(Delivery(name, topic, properties))
    return made


def event(operation: str, subject: str) -> JsonObject:
    """The event of an operation that went well."""
    kind = {"write": "Write", "delete": "Delete"}.get(operation.rsplit("/", 1)[-1], "Action")
    return {
        "id": "1",
        "topic": "/subscriptions/s",
        "subject": subject,
        "eventType": f"Microsoft.Resources.Resource{kind}Success",
        "dataVersion": "2",
        "data": {"operationName": operation, "resourceUri": subject},
    }


def _subject(operation: str) -> str:
    provider, *kinds = re.sub(r"(?:/regenerate\w+|/list\w+)?/(?:write|delete|action)$", "", operation).split("/")
    return f"{_GROUP}/{provider}/" + "/".join(f"{kind}/x" for kind in kinds)


def wanted() -> Iterator[JsonObject]:
    """Everything that has to come in."""
    for type_ in RESOURCE_TYPES:
        for operation in type_.operations:
            told = f"{type_.name}/{operation}"
            yield event(told, _subject(told))
            yield event(told.upper().replace("/WRITE", "/write"), _subject(told).upper())
        for operation in EXTENSIONS:
            below = "providers/" + operation.rpartition("/")[0] + "/default"
            yield event(operation, f"{_subject(f'{type_.name}/write')}/{below}")
    for operation in HEARD:
        yield event(operation, _subject(operation))


def unwanted() -> Iterator[JsonObject]:
    """What would only cost."""
    for operation in NOISE:
        yield event(operation, _subject(operation))
    for operation in EXTENSIONS:
        yield event(
            operation, f"{_GROUP}/Microsoft.Compute/virtualMachines/x/providers/{operation.rpartition('/')[0]}/default"
        )
    # An event of another kind has no business here, whatever it is about.
    failed = event(f"{STORAGE.name}/write", _subject(f"{STORAGE.name}/write"))
    yield {**failed, "eventType": "Microsoft.Resources.ResourceWriteFailure"}


def problems(root: Path) -> list[str]:
    """Everything that is wrong with the ways in."""
    whole = estate(root)
    found = []
    for name, way, deployment in whole.deployments():
        all_ = deliveries(deployment)
        for delivery in all_:
            of_one = (
                *delivery.filter.problems(),
                *_arriving(whole, way, deployment, delivery),
                *_kept(whole, deployment, delivery),
            )
            found += [f"{name}: {delivery.name}: {problem}" for problem in of_one]
        changes = [delivery for delivery in all_ if delivery.is_of_changes]
        found += [f"{name}: {problem}" for problem in _coverage(changes)]
        if len(changes) == len(all_):
            found.append(f"{name}: no alert comes in")
    return whole.told(found)


def _coverage(changes: list[Delivery]) -> Iterator[str]:
    filters = [delivery.filter for delivery in changes]
    if any(each.problems() for each in filters):
        return
    for each in wanted():
        count = sum(filter_.passes(each) for filter_ in filters)
        if count != 1:
            yield f"{_told(each)} comes in {count} times"
    yield from (f"{_told(each)} comes in" for each in unwanted() if any(filter_.passes(each) for filter_ in filters))


def _told(each: JsonObject) -> str:
    return f"{as_text(as_object(each['data'])['operationName'])} on {each['subject']}"


def _arriving(whole: Estate, way: Way, deployment: Deployment, delivery: Delivery) -> Iterator[str]:
    """Where it is delivered to, and by whose right."""
    by_identity = at(delivery.properties, "deliveryWithResourceIdentity.destination")
    destination = by_identity or at(delivery.properties, "destination")
    match at(_dict(destination), "endpointType"):
        case "StorageQueue":
            if not by_identity or not at(delivery.properties, "deliveryWithResourceIdentity.identity.type"):
                yield "the queue is written without an identity"
            queue = str(at(_dict(destination), "properties.queueName"))
            account = str(at(_dict(destination), "properties.resourceId"))
            queues = {each.id for each in deployment.of("Microsoft.Storage/storageAccounts/queueServices/queues")}
            if f"{account}/queueServices/default/queues/{queue}" not in queues:
                yield f"there is no queue {queue} in {account}"
            yield from _allowed(whole, deployment, delivery, _SENDER, f"{account}/queueServices/default/queues/{queue}")
        case "AzureFunction":
            function = str(at(_dict(destination), "properties.resourceId")).rpartition("/functions/")[2]
            due = "on_resource_change" if delivery.is_of_changes else "on_defender_alert"
            if function != due or function not in function_names(whole.root):
                yield f"the function {function} is none for these events"
            if way.is_private:
                yield "Event Grid cannot reach a function in a private network"
            if delivery.resource is not None:
                yield "the function is not there yet when the deployment makes this"
        case other:
            yield f"events go to {other}"


def _kept(whole: Estate, deployment: Deployment, delivery: Delivery) -> Iterator[str]:
    """What becomes of an event that cannot be delivered."""
    if at(delivery.properties, "deadLetterDestination") is not None:
        yield "dead letters are written without an identity"
    letters = at(delivery.properties, "deadLetterWithResourceIdentity")
    if not at(_dict(letters), "identity.type"):
        yield "dead letters have no identity to be written by"
    account = str(at(_dict(letters), "deadLetterDestination.properties.resourceId"))
    container = str(at(_dict(letters), "deadLetterDestination.properties.blobContainerName"))
    containers = {each.id for each in deployment.of("Microsoft.Storage/storageAccounts/blobServices/containers")}
    if f"{account}/blobServices/default/containers/{container}" not in containers:
        yield f"there is no container {container} for dead letters"
    if container != as_text(whole.object("generated/app.json").get("deadLetters")):
        yield f"nobody reads dead letters in {container}"
    if at(delivery.properties, "retryPolicy.maxDeliveryAttempts") != 30:
        yield "delivery is given up early"
    if at(delivery.properties, "retryPolicy.eventTimeToLiveInMinutes") != 1440:
        yield "events are given up early"
    place = f"{account}/blobServices/default/containers/{container}"
    yield from _allowed(whole, deployment, delivery, _WRITER, place)


def _allowed(whole: Estate, deployment: Deployment, delivery: Delivery, role: str, place: str) -> Iterator[str]:
    """Event Grid looks whether the topic's identity may, when the subscription is made."""
    guid = as_text(whole.object("builtin-roles.json").get(role))
    topic = next((each for each in deployment.resources if each.id == delivery.topic), None)
    if topic is None:
        yield f"there is no topic {delivery.topic}"
        return
    for assignment in deployment.of("Microsoft.Authorization/roleAssignments"):
        is_its = principal_of(topic) in str(assignment.properties.get("principalId"))
        if is_its and assignment.scope == place and guid in str(assignment.properties.get("roleDefinitionId")):
            if delivery.resource is not None and not waits_for(deployment, delivery.resource, assignment.id):
                yield f"it does not wait for the role {role}"
            return
    yield f"the topic has no role {role} on {place}"


def _dict(value: Value) -> dict[str, Value]:
    return value if isinstance(value, dict) else {}


def samples(directory: Path) -> dict[str, list[JsonObject]]:
    """Events in the form of the subscription's topic, by the names of their files."""
    found = {}
    for path in sorted(directory.glob("*.json")):
        events = [as_object(each) for each in as_list(read_json(path))]
        whole = [each for each in events if "operationName" in as_object(each.get("data")) and "eventType" in each]
        if whole:
            found[path.stem] = whole
    return found
