"""The network rules of a resource, whichever shape its type gives them: who may come in from the public network."""

from dataclasses import replace

from shared.domain.baseline import Baseline
from shared.domain.body import Json, JsonObject, as_list, as_object, as_text, overlay, place
from shared.domain.ip_ranges import holding, internet_like
from shared.domain.resource import Resource

_TRUSTING_KINDS = ("openai", "aiservices")
_CLOSED = ("disabled", "securedbyperimeter")


def is_closed(resource: Resource) -> bool:
    """Whether nothing comes in from the public network at all, or a network security perimeter decides what does."""
    return resource.says("properties.publicNetworkAccess", *_CLOSED)


def rules(resource: Resource) -> JsonObject:
    """The object that holds the rules; empty where the type or the resource has none."""
    return as_object(resource.at(resource.type.firewall)) if resource.type.firewall else {}


def ip_rules(resource: Resource) -> list[Json]:
    """The IP rules as the body has them."""
    return as_list(rules(resource).get("ipRules"))


def wide_ranges(resource: Resource, baseline: Baseline) -> frozenset[str]:
    """The IP rules that make the firewall as good as open."""
    return internet_like([ip_value(rule) for rule in ip_rules(resource)], baseline.min_ipv4_prefix)


def kept_rules(resource: Resource, baseline: Baseline) -> list[Json]:
    """The IP rules that may stay: none is as wide as the internet, none lets in an address of an attack."""
    values = [ip_value(rule) for rule in ip_rules(resource)]
    gone = wide_ranges(resource, baseline) | holding(values, baseline.hostile)
    return [rule for rule in ip_rules(resource) if ip_value(rule) not in gone]


def cleared(resource: Resource, baseline: Baseline) -> Resource:
    """The resource as it would be with the kept rules alone."""
    kept = kept_rules(resource, baseline)
    if len(kept) == len(ip_rules(resource)):
        return resource
    return replace(resource, body=as_object(overlay(resource.body, place(f"{resource.type.firewall}.ipRules", kept))))


def ip_value(rule: Json) -> str:
    """The range of one IP rule; empty for a rule without one."""
    return as_text(as_object(rule).get("value"))


def denying(resource: Resource, baseline: Baseline) -> JsonObject:
    """The rules of a type with a default action as they must be: the rest denied, and only the kept rules left.

    Some kinds are reached by other AI services through the trusted-service bypass. As long as everybody was let in they
    needed none, so they get it together with the deny.
    """
    wanted: JsonObject = {"defaultAction": "Deny"}
    kept = kept_rules(resource, baseline)
    if len(kept) < len(ip_rules(resource)):
        wanted["ipRules"] = kept
    if resource.kind in _TRUSTING_KINDS and not denies_the_rest(resource):
        wanted["bypass"] = as_text(rules(resource).get("bypass")) or "AzureServices"
    return wanted


def lets_someone_in(resource: Resource) -> bool:
    """Whether any rule names who may come in: an address, a subnet, a resource."""
    lists = ("ipRules", "virtualNetworkRules", "resourceAccessRules")
    return any(as_list(rules(resource).get(name)) for name in lists)


def denies_the_rest(resource: Resource) -> bool:
    """Whether whoever is not named stays out.

    AI Search has no default action: one IP rule denies everybody else, none lets everybody in.
    """
    if (action := rules(resource).get("defaultAction")) is not None:
        return as_text(action).casefold() == "deny"
    return resource.type.firewall == "properties.networkRuleSet" and bool(ip_rules(resource))
