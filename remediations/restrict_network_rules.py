"""AIR-002: the network rules deny by default, and none of them is the whole internet or lets an attack in."""

from datetime import date

from shared.domain import firewall
from shared.domain.baseline import Baseline
from shared.domain.body import JsonObject, place
from shared.domain.guards import CUSTOM_SUBDOMAIN, NOT_CLOUD_SHELL, REACHABLE_AFTERWARDS
from shared.domain.remediation import Remediation, Rule, Severity, Source
from shared.domain.resource import Resource
from shared.domain.resource_types import COGNITIVE_ACCOUNTS, SEARCH, STORAGE

_DEFAULTS: JsonObject = {"properties": {"networkAcls": {"defaultAction": "Allow", "ipRules": []}}}
_TRUSTING: JsonObject = {"properties": {"networkAcls": {"defaultAction": "Allow", "bypass": "None", "ipRules": []}}}
_SEARCH_DEFAULTS: JsonObject = {"properties": {"publicNetworkAccess": "Enabled", "networkRuleSet": {"ipRules": []}}}


def _denying(resource: Resource, baseline: Baseline) -> JsonObject:
    """A resource that the public network cannot reach has no need of rules."""
    return {} if firewall.is_closed(resource) else {"properties": {"networkAcls": firewall.denying(resource, baseline)}}


def _search(service: Resource, baseline: Baseline) -> JsonObject:
    """AI Search opens up when its last rule goes: where none can stay, the service is closed instead."""
    kept = firewall.kept_rules(service, baseline)
    if firewall.is_closed(service) or (kept and len(kept) == len(firewall.ip_rules(service))):
        return {}
    if kept:
        return place("properties.networkRuleSet.ipRules", kept)
    return {"properties": {"publicNetworkAccess": "Disabled"}}


REMEDIATION = Remediation(
    ref="AIR-002",
    name="restrict-network-rules",
    title="Network rules deny by default and name no range as wide as the internet",
    why="A firewall that allows by default, or names 0.0.0.0/0, is a public endpoint that looks protected.",
    disrupts="Callers that no remaining rule, subnet or private endpoint covers are refused within minutes.",
    severity=Severity.HIGH,
    controls=("MCSB NS-2", "NIST 800-53 AC-4", "NIST 800-53 SC-7", "ISO 27001 A.8.20", "MITRE ATLAS AML.T0049"),
    policies=(
        "037eea7a-bd0a-46c5-9a66-03aea78705d3",
        "34c877ad-507e-4c82-993e-3452a6e0ad3c",
        "2a1a9cdf-e04d-429a-8416-3bfb72a1b26f",
    ),
    sources=(
        Source("https://learn.microsoft.com/azure/ai-services/cognitive-services-virtual-networks", date(2026, 11, 23)),
        Source("https://learn.microsoft.com/azure/search/service-configure-firewall", date(2026, 11, 23)),
        Source("https://learn.microsoft.com/azure/storage/common/storage-network-security", date(2026, 11, 23)),
    ),
    rules=(
        Rule(
            type=COGNITIVE_ACCOUNTS,
            desired=_denying,
            defaults=_TRUSTING,
            actions=(
                "Microsoft.CognitiveServices/accounts/write",
                "Microsoft.Network/virtualNetworks/subnets/joinViaServiceEndpoint/action",
            ),
            guards=(CUSTOM_SUBDOMAIN, REACHABLE_AFTERWARDS),
        ),
        Rule(
            type=SEARCH,
            desired=_search,
            defaults=_SEARCH_DEFAULTS,
            actions=("Microsoft.Search/searchServices/write",),
            guards=(REACHABLE_AFTERWARDS,),
        ),
        Rule(
            type=STORAGE,
            desired=_denying,
            defaults=_DEFAULTS,
            actions=(
                "Microsoft.Storage/storageAccounts/write",
                "Microsoft.Network/virtualNetworks/subnets/joinViaServiceEndpoint/action",
            ),
            guards=(NOT_CLOUD_SHELL, REACHABLE_AFTERWARDS),
        ),
    ),
)
