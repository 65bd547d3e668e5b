"""A private endpoint shows on the resource it leads to, as a connection.

Source: "What is a private endpoint?" (reviewed 2026-11): automatic connections are approved at once, manual ones
wait as Pending. An account in the middle of an update refuses the connection (pulumi-defang#274).
"""

from collections.abc import Iterator
from uuid import NAMESPACE_URL, uuid5

from local.arm.body import Body, at, section
from local.arm.estate import Estate
from local.arm.operations import is_busy
from local.arm.refusal import bad_request
from local.arm.resource_id import parse

TYPE = "microsoft.network/privateendpoints"


def refuse_busy_targets(estate: Estate, endpoint: Body) -> None:
    """Raises RefusedError when the endpoint leads to a resource that is being updated."""
    for target, _, _ in _links(endpoint):
        if is_busy(estate.find(target)):
            state = at(estate.find(target), "properties.provisioningState")
            raise bad_request(f"'{target}' is in state {state}.", "AccountProvisioningStateInvalid")


def connect(estate: Estate, endpoint: Body) -> None:
    """Show the endpoint on every resource in the estate that it leads to."""
    for target, groups, status in _links(endpoint):
        owner, address = estate.find(target), parse(target)
        if owner is None or address is None:
            continue
        name = f"{endpoint['name']}.{uuid5(NAMESPACE_URL, str(endpoint['id']).lower())}"
        connection: Body = {
            "id": f"{owner['id']}/privateEndpointConnections/{name}",
            "name": name,
            "type": f"{address.type}/privateEndpointConnections",
            "properties": {
                "privateEndpoint": {"id": endpoint["id"]},
                "groupIds": groups,
                "privateLinkServiceConnectionState": {"status": status, "description": ""},
                "provisioningState": "Succeeded",
            },
        }
        estate.settle(connection)


def _links(endpoint: Body) -> Iterator[tuple[str, object, str]]:
    properties = section(endpoint, "properties")
    for member, status in (
        ("privateLinkServiceConnections", "Approved"),
        ("manualPrivateLinkServiceConnections", "Pending"),
    ):
        links = properties.get(member)
        for link in links if isinstance(links, list) else []:
            target = at(link, "properties.privateLinkServiceId")
            if isinstance(target, str):
                yield target, at(link, "properties.groupIds"), status
