"""Where private endpoints lead, and how that shows on the other side: pure."""

from collections.abc import Iterable, Iterator
from uuid import NAMESPACE_URL, uuid5

from local.arm.body import Body, at, section
from local.arm.resource_id import key, parse

TYPE = "microsoft.network/privateendpoints"


def links(endpoint: Body) -> Iterator[tuple[str, object, str]]:
    """The target id, the groups and the status of each connection that the endpoint asks for."""
    properties = section(endpoint, "properties")
    for member, status in (
        ("privateLinkServiceConnections", "Approved"),
        ("manualPrivateLinkServiceConnections", "Pending"),
    ):
        asked = properties.get(member)
        for link in asked if isinstance(asked, list) else []:
            target = at(link, "properties.privateLinkServiceId")
            if isinstance(target, str):
                yield target, at(link, "properties.groupIds"), status


def connection(owner_id: str, endpoint: Body, groups: object, status: str) -> Body:
    """How one link shows on the resource that it leads to. The owner's id must be one that can be read."""
    address = parse(owner_id)
    if address is None:
        raise ValueError("a connection belongs to a resource")
    name = f"{endpoint['name']}.{uuid5(NAMESPACE_URL, str(endpoint['id']).lower())}"
    return {
        "id": f"{owner_id}/privateEndpointConnections/{name}",
        "name": name,
        "type": f"{address.type}/privateEndpointConnections",
        "properties": {
            "privateEndpoint": {"id": endpoint["id"]},
            "groupIds": groups,
            "privateLinkServiceConnectionState": {"status": status, "description": ""},
            "provisioningState": "Succeeded",
        },
    }


def standing(bodies: Iterable[Body]) -> dict[str, list[Body]]:
    """The connections that the endpoints among the bodies make, by the key of the resource they lead to."""
    found: dict[str, list[Body]] = {}
    for endpoint in bodies:
        if str(endpoint.get("type", "")).lower() != TYPE or "name" not in endpoint:
            continue
        for target, groups, status in links(endpoint):
            if parse(target) is not None:
                found.setdefault(key(target), []).append(connection(target, endpoint, groups, status))
    return found
