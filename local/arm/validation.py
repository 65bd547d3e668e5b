"""What each resource provider refuses of an otherwise well-formed write.

A check sees one write whole and raises RefusedError; it never changes anything. Only what a request names is
judged, so a resource that stood in the estate with an odd value can still be written to elsewhere.
"""

from dataclasses import dataclass
from ipaddress import IPv4Network

from local.arm.body import Body, at, present
from local.arm.refusal import bad_request

STORAGE_CODE = "InvalidValuesForRequestParameters"
_PRIVATE = tuple(IPv4Network(net) for net in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"))


@dataclass(frozen=True, slots=True)
class Write:
    """One PUT or PATCH: the body before (None on create), the request, and the body that would result."""

    before: Body | None
    request: Body
    after: Body


def cognitive_account(write: Write) -> None:
    """Network rules need a custom subdomain; a subdomain is set once; single addresses take no mask.

    Sources: azure-powershell#25455 (/31 and /32), azurerm cognitive_account documentation. Reviewed 2026-11.
    """
    subdomain = at(write.after, "properties.customSubDomainName")
    if at(write.request, "properties.networkAcls") is not None and not subdomain:
        raise bad_request("Network rules need a custom subdomain: set customSubDomainName.")
    former = at(write.before, "properties.customSubDomainName")
    if former and subdomain != former:
        raise bad_request("customSubDomainName cannot be changed once it is set.")
    _networks(write.request, "properties.networkAcls.ipRules", "BadRequest", small=False)


def search_service(write: Write) -> None:
    """Local authentication off and authentication options exclude each other, whoever set which.

    Source: Microsoft.Search REST API 2025-05-01, disableLocalAuth; bicep-registry-modules#6944. Reviewed 2026-11.
    """
    disabled = at(write.after, "properties.disableLocalAuth") is True
    if disabled and at(write.after, "properties.authOptions") is not None:
        raise bad_request("authOptions must be null when disableLocalAuth is true.")
    _networks(write.request, "properties.networkRuleSet.ipRules", "BadRequest", small=True)


def storage_account(write: Write) -> None:
    """IP rules hold public addresses only, and no ranges of one or two.

    Source: Configure Azure Storage firewalls and virtual networks; azure-cli#13828. Reviewed 2026-11.
    """
    for network in _networks(write.request, "properties.networkAcls.ipRules", STORAGE_CODE, small=False):
        if any(network.subnet_of(private) for private in _PRIVATE):
            raise bad_request("networkAcls.ipRules: private addresses are not accepted.", STORAGE_CODE)


def key_vault(write: Write) -> None:
    """Purge protection and soft delete cannot be taken back.

    Source: Azure Key Vault soft-delete overview. Reviewed 2026-11.
    """
    for name in ("enablePurgeProtection", "enableSoftDelete"):
        path = f"properties.{name}"
        if at(write.before, path) is True and present(write.request, path) and at(write.after, path) is not True:
            raise bad_request(f"{name} cannot be set to false once it is true.")


def rai_policy(write: Write) -> None:
    """The policies of the service itself are not to be written to; a filter has a name, a source and known values.

    Source: Microsoft.CognitiveServices/accounts/raiPolicies, REST API 2025-09-01. Reviewed 2026-11.
    """
    if str(at(write.before, "properties.type")).lower() == "systemmanaged":
        raise bad_request("A policy that the system manages cannot be modified.")
    filters = at(write.request, "properties.contentFilters")
    if not isinstance(filters, list | None):
        raise bad_request("properties.contentFilters must be an array.")
    for each in filters or []:
        _content_filter(each)


def any_resource(write: Write) -> None:
    """Nothing more than the common checks."""
    del write


def _content_filter(found: object) -> None:
    if not at(found, "name") or not isinstance(at(found, "name"), str):
        raise bad_request("Every content filter needs a name.")
    for name in ("enabled", "blocking"):
        if not isinstance(at(found, name), bool | None):
            raise bad_request(f"{name} of a content filter must be true or false.")
    if str(at(found, "source")).lower() not in {"prompt", "completion"}:
        raise bad_request("source of a content filter must be one of Prompt, Completion.")
    threshold = at(found, "severityThreshold")
    if threshold is not None and str(threshold).lower() not in {"low", "medium", "high"}:
        raise bad_request("severityThreshold of a content filter must be one of Low, Medium, High.")


def _networks(request: Body, path: str, code: str, *, small: bool) -> list[IPv4Network]:
    rules = at(request, path)
    if rules is None:
        return []
    if not isinstance(rules, list):
        raise bad_request(f"{path} must be an array.", code)
    return [_network(at(rule, "value"), path, code, small=small) for rule in rules]


def _network(value: object, path: str, code: str, *, small: bool) -> IPv4Network:
    if not isinstance(value, str):
        raise bad_request(f"{path}: every rule needs a value.", code)
    try:
        network = IPv4Network(value)
    except ValueError as error:
        raise bad_request(f"{path}: not an IPv4 address or range: {value[:64]!r}.", code) from error
    # A single address is written bare; the same address with its mask is refused.
    if not small and "/" in value and network.prefixlen > 30:
        raise bad_request(f"{path}: {network} is too small a range; write the address without a mask.", code)
    return network
