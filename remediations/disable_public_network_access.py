"""AIR-001: nobody comes in from the public network, save whom a narrow allow-list names."""

from datetime import date

from shared.domain import firewall
from shared.domain.baseline import Baseline
from shared.domain.body import JsonObject, place
from shared.domain.guards import NOT_CLOUD_SHELL, REACHABLE_AFTERWARDS, SUBDOMAIN_FOR_RULES
from shared.domain.remediation import Remediation, Rule, Severity, Source
from shared.domain.resource import Resource
from shared.domain.resource_types import COGNITIVE_ACCOUNTS, ML_WORKSPACES, SEARCH, STORAGE

_DEFAULTS: JsonObject = {"properties": {"publicNetworkAccess": "Enabled"}}
_WITH_RULES: JsonObject = {
    "properties": {"publicNetworkAccess": "Enabled", "networkAcls": {"defaultAction": "Allow", "ipRules": []}}
}
_TRUSTING: JsonObject = {
    "properties": {
        "publicNetworkAccess": "Enabled",
        "networkAcls": {"defaultAction": "Allow", "bypass": "None", "ipRules": []},
    }
}
_SEARCH_DEFAULTS: JsonObject = {"properties": {"publicNetworkAccess": "Enabled", "networkRuleSet": {"ipRules": []}}}
_CLOSED: JsonObject = {"properties": {"publicNetworkAccess": "Disabled"}}


def _closed_or_listed(resource: Resource, baseline: Baseline) -> JsonObject:
    """A deliberate narrow allow-list is kept and must deny the rest; everything else is closed.

    An address of an attack does not make the list less deliberate: it goes, and whoever else is named may stay. A list
    that names nobody else was no allow-list.
    """
    if firewall.is_closed(resource):
        return {}
    narrow = baseline.allow_lists and not firewall.wide_ranges(resource, baseline)
    left = firewall.cleared(resource, baseline)
    if narrow and (firewall.lets_someone_in(left) or firewall.denies_the_rest(left)):
        return {"properties": {"networkAcls": firewall.denying(resource, baseline)}}
    return _CLOSED


def _search(service: Resource, baseline: Baseline) -> JsonObject:
    """AI Search has no default action: a narrow list denies the rest by being there, as long as one rule is left."""
    if firewall.is_closed(service):
        return {}
    narrow = baseline.allow_lists and not firewall.wide_ranges(service, baseline)
    if not narrow or not firewall.denies_the_rest(service):
        return _CLOSED
    kept = firewall.kept_rules(service, baseline)
    if len(kept) == len(firewall.ip_rules(service)):
        return {}
    return place("properties.networkRuleSet.ipRules", kept) if kept else _CLOSED


def _workspace(workspace: Resource, _: Baseline) -> JsonObject:
    """A project has no network of its own: its hub is judged."""
    return {} if firewall.is_closed(workspace) or workspace.kind == "project" else _CLOSED


REMEDIATION = Remediation(
    ref="AIR-001",
    name="disable-public-network-access",
    title="The resource is closed to the public network",
    why="An endpoint that every network can reach turns one leaked key or token into a breach.",
    disrupts="Callers outside the private network or the allow-list are refused within minutes, the portal's own "
    "data pages among them.",
    severity=Severity.HIGH,
    controls=("MCSB NS-2", "NIST 800-53 AC-4", "NIST 800-53 SC-7", "ISO 27001 A.8.20", "MITRE ATLAS AML.T0049"),
    policies=(
        "037eea7a-bd0a-46c5-9a66-03aea78705d3",
        "47ba1dd7-28d9-4b07-a8d5-9813bed64e0c",
        "ee980b6d-0eca-4501-8d54-f6290fd512c3",
        "9cee519f-d9c1-4fd9-9f79-24ec3449ed30",
        "438c38d2-3772-465a-a9cc-7a6666a275ce",
        "a10ee784-7409-4941-b091-663697637c0f",
        "b2982f36-99f2-4db5-8eff-283140c09693",
        "a06d0189-92e8-4dba-b0c4-08d7669fce7d",
    ),
    sources=(
        Source("https://learn.microsoft.com/azure/ai-services/cognitive-services-virtual-networks", date(2026, 11, 23)),
        Source("https://learn.microsoft.com/azure/search/service-configure-firewall", date(2026, 11, 23)),
        Source("https://learn.microsoft.com/azure/machine-learning/how-to-configure-private-link", date(2026, 11, 23)),
        Source("https://learn.microsoft.com/azure/storage/common/storage-network-security", date(2026, 11, 23)),
    ),
    rules=(
        Rule(
            type=COGNITIVE_ACCOUNTS,
            desired=_closed_or_listed,
            defaults=_TRUSTING,
            actions=(
                "Microsoft.CognitiveServices/accounts/write",
                "Microsoft.Network/virtualNetworks/subnets/joinViaServiceEndpoint/action",
            ),
            guards=(SUBDOMAIN_FOR_RULES, REACHABLE_AFTERWARDS),
        ),
        Rule(
            type=SEARCH,
            desired=_search,
            defaults=_SEARCH_DEFAULTS,
            actions=("Microsoft.Search/searchServices/write",),
            guards=(REACHABLE_AFTERWARDS,),
        ),
        Rule(
            type=ML_WORKSPACES,
            desired=_workspace,
            defaults=_DEFAULTS,
            actions=("Microsoft.MachineLearningServices/workspaces/write",),
            guards=(REACHABLE_AFTERWARDS,),
        ),
        Rule(
            type=STORAGE,
            desired=_closed_or_listed,
            defaults=_WITH_RULES,
            actions=(
                "Microsoft.Storage/storageAccounts/write",
                "Microsoft.Network/virtualNetworks/subnets/joinViaServiceEndpoint/action",
            ),
            guards=(NOT_CLOUD_SHELL, REACHABLE_AFTERWARDS),
        ),
    ),
)
