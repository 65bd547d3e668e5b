"""The resources of the benchmarks: many alike, so that a figure is of one kind of event only."""

from typing import Any

type Body = dict[str, Any]

_SOUND: Body = {
    "provisioningState": "Succeeded",
    "publicNetworkAccess": "Disabled",
    "allowSharedKeyAccess": False,
    "allowBlobPublicAccess": False,
    "minimumTlsVersion": "TLS1_2",
    "supportsHttpsTrafficOnly": True,
    "networkAcls": {"defaultAction": "Deny", "bypass": "AzureServices"},
}
_DRIFT: Body = {"minimumTlsVersion": "TLS1_0", "supportsHttpsTrafficOnly": False}
# Several subscriptions, as a company has them: limits and chains are per subscription.
SUBSCRIPTIONS = 5


def storage(number: int, *, drifted: bool) -> Body:
    """A storage account under protection, sound or with weak TLS settings. The number makes it unique."""
    subscription = f"{number % SUBSCRIPTIONS:08d}-2222-3333-4444-555555555555"
    name = f"st{'weak' if drifted else 'sound'}{number:05d}"
    kind = "Microsoft.Storage/storageAccounts"
    return {
        "id": f"/subscriptions/{subscription}/resourceGroups/rg-ai-prod/providers/{kind}/{name}",
        "name": name,
        "type": kind,
        "location": "westeurope",
        "kind": "StorageV2",
        "sku": {"name": "Standard_LRS"},
        "tags": {"airlock": "protect"},
        "properties": _SOUND | (_DRIFT if drifted else {}),
    }


def openai(number: int) -> Body:
    """An Azure OpenAI account that is open to everybody and has an approved private endpoint in the hub subscription.

    ARM takes its PATCH as a long operation, and a guard has to read `endpoint(number)` before.
    """
    own = _openai_id(number)
    _, kind, name = own.rsplit("/", 2)
    link = {
        "id": f"{own}/privateEndpointConnections/pe",
        "name": "pe",
        "properties": {
            "groupIds": ["account"],
            "privateEndpoint": {"id": _endpoint_id(number)},
            "privateLinkServiceConnectionState": {"status": "Approved"},
        },
    }
    return {
        "id": own,
        "name": name,
        "type": f"Microsoft.CognitiveServices/{kind}",
        "location": "westeurope",
        "kind": "OpenAI",
        "sku": {"name": "S0"},
        "etag": '"1"',
        "tags": {},
        "properties": {
            "provisioningState": "Succeeded",
            "customSubDomainName": name,
            "publicNetworkAccess": "Enabled",
            "privateEndpointConnections": [link],
        },
    }


def endpoint(number: int) -> Body:
    """The private endpoint of the OpenAI account of that number, as it stands in the hub subscription."""
    link: Body = {"privateLinkServiceId": _openai_id(number), "groupIds": ["account"]}
    own = _endpoint_id(number)
    return {
        "id": own,
        "name": own.rpartition("/")[2],
        "type": "Microsoft.Network/privateEndpoints",
        "location": "westeurope",
        "properties": {"provisioningState": "Succeeded", "privateLinkServiceConnections": [{"properties": link}]},
    }


def _openai_id(number: int) -> str:
    group = "/subscriptions/00000000-2222-3333-4444-555555555555/resourceGroups/rg-ai-prod"
    return f"{group}/providers/Microsoft.CognitiveServices/accounts/oai{number:05d}"


def _endpoint_id(number: int) -> str:
    group = "/subscriptions/77777777-2222-3333-4444-555555555555/resourceGroups/rg-hub-network"
    return f"{group}/providers/Microsoft.Network/privateEndpoints/pe-oai{number:05d}"
