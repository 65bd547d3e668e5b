"""Private endpoint connections as they stand in a resource's body, and the endpoints behind them."""

from collections.abc import Mapping
from dataclasses import dataclass

from shared.domain.arm_id import ArmId, parse_arm_id
from shared.domain.body import JsonObject, as_list, as_object, as_text, at
from shared.domain.resource import Resource


@dataclass(frozen=True, slots=True)
class Connection:
    """An approved connection: the endpoint's id, and the sub-resources it serves (empty if the body does not say)."""

    endpoint: ArmId
    groups: frozenset[str]


def approved_connections(resource: Resource) -> tuple[Connection, ...]:
    """The approved connections of the resource whose endpoint has an id that can be read."""
    found: list[Connection] = []
    for item in as_list(resource.at("properties.privateEndpointConnections")):
        properties = as_object(as_object(item).get("properties"))
        status = as_text(at(properties, "privateLinkServiceConnectionState.status"))
        try:
            endpoint = parse_arm_id(as_text(at(properties, "privateEndpoint.id")))
        except ValueError:
            continue  # no endpoint behind it: nobody can come in this way
        if status.casefold() == "approved":
            found.append(Connection(endpoint, _groups(properties)))
    return tuple(found)


def endpoints_to_read(resource: Resource) -> frozenset[ArmId]:
    """The endpoints whose own body must be seen: those of other subscriptions, and those whose sub-resource the
    connection does not tell."""
    return frozenset(
        connection.endpoint
        for connection in approved_connections(resource)
        if not _is_local(connection, resource) or not (connection.groups or _has_one_way_in(resource))
    )


def serves(
    connection: Connection, resource: Resource, groups: frozenset[str], read: Mapping[str, JsonObject | None]
) -> bool:
    """Whether the connection is the customer's own and leads to one of the sub-resources.

    `read` maps endpoint keys to their bodies, None where the endpoint is not there or not ours to see. An endpoint in
    a subscription that we cannot read may be a managed one of another service (a shared private link, a managed
    network), which carries none of the customer's clients.
    """
    body = read.get(connection.endpoint.key)
    if body is None and not _is_local(connection, resource):
        return False
    known = connection.groups or _groups_of_endpoint(body, resource)
    if not known and body is None and _has_one_way_in(resource):
        return True  # an approved connection of such a type can lead to nothing else
    return bool(known & groups)


def _has_one_way_in(resource: Resource) -> bool:
    return len(resource.type.private_link_groups) == 1


def _is_local(connection: Connection, resource: Resource) -> bool:
    return connection.endpoint.subscription.lower() == resource.id.subscription.lower()


def _groups(properties: JsonObject) -> frozenset[str]:
    listed = {as_text(group).lower() for group in as_list(properties.get("groupIds"))}
    return frozenset((listed | {as_text(properties.get("groupId")).lower()}) - {""})


def _groups_of_endpoint(body: JsonObject | None, resource: Resource) -> frozenset[str]:
    """The sub-resources of this resource that an endpoint's own body names."""
    properties = as_object((body or {}).get("properties"))
    links = [
        as_object(as_object(link).get("properties"))
        for name in ("privateLinkServiceConnections", "manualPrivateLinkServiceConnections")
        for link in as_list(properties.get(name))
    ]
    return frozenset().union(
        *(_groups(link) for link in links if as_text(link.get("privateLinkServiceId")).lower() == resource.id.key)
    )
