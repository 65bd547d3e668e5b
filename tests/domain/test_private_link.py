"""Which private endpoints are a way in for the customer's own clients."""

from collections.abc import Sequence

import pytest

from shared.domain.arm_id import parse_arm_id
from shared.domain.body import Json, JsonObject
from shared.domain.private_link import Connection, approved_connections, endpoints_to_read, serves
from shared.domain.resource import Resource
from tests.domain.making import SUBSCRIPTION, TARGET, resource

BLOB = frozenset({"blob", "dfs"})
OWN = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg-net/providers/Microsoft.Network/privateEndpoints/pe"
FOREIGN = OWN.replace(SUBSCRIPTION, "99999999-0000-0000-0000-000000000009")


def connection(endpoint: Json = OWN, status: Json = "Approved", groups: Json = None, group: Json = None) -> JsonObject:
    return {
        "properties": {
            "privateEndpoint": {"id": endpoint},
            "privateLinkServiceConnectionState": {"status": status},
            "groupIds": groups,
            "groupId": group,
        }
    }


def with_connections(*connections: Json) -> Resource:
    return resource({"properties": {"privateEndpointConnections": list(connections)}})


def endpoint_body(
    target: str = TARGET.path, groups: Sequence[str] = ("blob",), under: str = "privateLinkServiceConnections"
) -> JsonObject:
    link: JsonObject = {"properties": {"privateLinkServiceId": target, "groupIds": list(groups)}}
    return {"properties": {under: [link]}}


def is_served(live: Resource, body: JsonObject | None) -> bool:
    reads = {endpoint.key: body for endpoint in endpoints_to_read(live)}
    return any(serves(found, live, BLOB, reads) for found in approved_connections(live))


@pytest.mark.parametrize(
    "item, groups",
    [
        (connection(), set()),
        (connection(status="approved"), set()),
        (connection(groups=["Blob", "dfs"]), {"blob", "dfs"}),
        (connection(group="searchService"), {"searchservice"}),
        (connection(groups=[None, "", 5]), set()),
    ],
)
def test_approved(item: JsonObject, groups: set[str]) -> None:
    assert approved_connections(with_connections(item)) == (Connection(parse_arm_id(OWN), frozenset(groups)),)


@pytest.mark.parametrize(
    "item",
    [
        connection(status="Pending"),
        connection(status="Rejected"),
        connection(status="Disconnected"),
        connection(status=None),
        connection(endpoint=None),
        connection(endpoint=""),
        connection(endpoint="pe"),
        {"properties": None},
        {},
        None,
        "x",
    ],
)
def test_not_approved(item: Json) -> None:
    live = with_connections(item)
    assert approved_connections(live) == ()
    assert endpoints_to_read(live) == frozenset()
    assert not is_served(live, None)


@pytest.mark.parametrize("connections", [None, {}, "x", []])
def test_no_connections(connections: Json) -> None:
    assert approved_connections(resource({"properties": {"privateEndpointConnections": connections}})) == ()


@pytest.mark.parametrize(
    "item, read",
    [
        (connection(OWN, groups=["blob"]), False),
        (connection(OWN), True),
        (connection(OWN.upper(), groups=["blob"]), False),
        (connection(FOREIGN, groups=["blob"]), True),
        (connection(FOREIGN), True),
    ],
)
def test_which_endpoints_must_be_seen(item: JsonObject, read: bool) -> None:  # noqa: FBT001 # a column of the table
    assert bool(endpoints_to_read(with_connections(item))) is read


@pytest.mark.parametrize(
    "item, body, served",
    [
        # Our own subscription.
        (connection(OWN, groups=["blob"]), None, True),
        (connection(OWN, groups=["file"]), None, False),
        (connection(OWN), None, False),
        (connection(OWN), endpoint_body(), True),
        (connection(OWN), endpoint_body(groups=["file"]), False),
        (connection(OWN), endpoint_body(under="manualPrivateLinkServiceConnections"), True),
        (connection(OWN), endpoint_body(TARGET.path.upper(), ["DFS"]), True),
        # Another subscription: an endpoint that we cannot see may be another service's.
        (connection(FOREIGN, groups=["blob"]), None, False),
        (connection(FOREIGN), None, False),
        (connection(FOREIGN, groups=["blob"]), endpoint_body(), True),
        (connection(FOREIGN), endpoint_body(), True),
        (connection(FOREIGN), endpoint_body(groups=["table"]), False),
    ],
)
def test_serves(item: JsonObject, body: JsonObject | None, served: bool) -> None:  # noqa: FBT001 # a column
    assert is_served(with_connections(item), body) is served


@pytest.mark.parametrize("endpoint", [OWN, FOREIGN])
@pytest.mark.parametrize("body", [endpoint_body(TARGET.path.replace("stml", "other")), {}, {"properties": None}])
def test_an_endpoint_that_was_seen_to_lead_elsewhere_serves_nobody(endpoint: str, body: JsonObject) -> None:
    assert not is_served(with_connections(connection(endpoint)), body)


def test_one_good_connection_among_bad_ones_is_enough() -> None:
    live = with_connections(connection(status="Pending"), connection(groups=["file"]), connection(groups=["dfs"]))
    assert is_served(live, None)
