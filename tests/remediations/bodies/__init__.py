"""Complete ARM bodies: what GET answers at each type's pinned api-version, one file per type.

The values are those of a resource made in the portal with its defaults, and one private endpoint of its own where the
type has them; names and ids are invented. An example says only how it differs.
"""

import json
from collections.abc import Sequence
from pathlib import Path

from shared.domain.arm_id import parse_arm_id
from shared.domain.body import Json, JsonObject, as_object, as_text
from shared.domain.resource import Resource
from shared.domain.resource_types import COGNITIVE_ACCOUNTS, ML_WORKSPACES, RAI_POLICIES, SEARCH, STORAGE, ResourceType

SUBNET = (
    "/subscriptions/11111111-2222-3333-4444-555555555555/resourceGroups/rg-net/providers/Microsoft.Network"
    "/virtualNetworks/vnet-ai/subnets/snet-clients"
)
# None of them is broad by itself; together they are more than half of the internet.
EIGHTS = tuple(f"{first}.0.0.0/8" for first in range(129))


def raw(
    kind: ResourceType, top: JsonObject | None = None, absent: Sequence[str] = (), **properties: Json
) -> JsonObject:
    """The type's body with other values in `properties`, without the `absent` ones, and with other members on `top`."""
    base: JsonObject = json.loads((Path(__file__).parent / f"{kind.slug}.json").read_text(encoding="utf-8"))
    changed = as_object(base["properties"]) | properties
    return base | (top or {}) | {"properties": {name: changed[name] for name in changed if name not in absent}}


def account(top: JsonObject | None = None, absent: Sequence[str] = (), **properties: Json) -> JsonObject:
    """An Azure OpenAI account."""
    return raw(COGNITIVE_ACCOUNTS, top, absent, **properties)


def search(top: JsonObject | None = None, absent: Sequence[str] = (), **properties: Json) -> JsonObject:
    """An AI Search service."""
    return raw(SEARCH, top, absent, **properties)


def workspace(top: JsonObject | None = None, absent: Sequence[str] = (), **properties: Json) -> JsonObject:
    """A Machine Learning workspace."""
    return raw(ML_WORKSPACES, top, absent, **properties)


def storage(top: JsonObject | None = None, absent: Sequence[str] = (), **properties: Json) -> JsonObject:
    """A storage account that is tagged `airlock=protect`."""
    return raw(STORAGE, top, absent, **properties)


def rai_policy(top: JsonObject | None = None, absent: Sequence[str] = (), **properties: Json) -> JsonObject:
    """A content filter policy of an Azure OpenAI account, with every filter that the baseline asks for."""
    return raw(RAI_POLICIES, top, absent, **properties)


def resource(kind: ResourceType, body: JsonObject) -> Resource:
    """The body as rules see it."""
    return Resource(parse_arm_id(as_text(body["id"])), kind, body)


def ip_rules(*ranges: str) -> list[Json]:
    """IP rules as every type but storage spells them."""
    return [{"value": text} for text in ranges]


def acls(default_action: str, *ranges: str, subnets: Sequence[str] = ()) -> JsonObject:
    """The network rules of an account, complete, with `bypass` and one entry for every range and subnet id."""
    named: list[Json] = [{"id": subnet, "ignoreMissingVnetServiceEndpoint": False} for subnet in subnets]
    return {
        "bypass": "AzureServices",
        "defaultAction": default_action,
        "ipRules": ip_rules(*ranges),
        "virtualNetworkRules": named,
    }


def storage_acls(default_action: str, *ranges: str, subnets: Sequence[str] = ()) -> JsonObject:
    """The network rules of a storage account, complete, with `bypass` and one entry for every range and subnet id."""
    return {
        "bypass": "AzureServices",
        "defaultAction": default_action,
        "ipRules": [{"value": text, "action": "Allow"} for text in ranges],
        "virtualNetworkRules": [{"id": subnet, "action": "Allow", "state": "Succeeded"} for subnet in subnets],
        "resourceAccessRules": [],
    }
