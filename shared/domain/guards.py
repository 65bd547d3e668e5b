"""What must be true before a fix may be applied, so that it does not cut off whoever works with the resource."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from shared.domain import firewall
from shared.domain.arm_id import ArmId
from shared.domain.baseline import Baseline
from shared.domain.body import JsonObject, as_text, same
from shared.domain.private_link import approved_connections, endpoints_to_read, serves
from shared.domain.resource import Resource
from shared.domain.resource_types import ML_WORKSPACES

type Reads = Mapping[str, JsonObject | None]


def nothing(_: Resource) -> frozenset[ArmId]:
    """For guards that the resource's own body answers."""
    return frozenset()


@dataclass(frozen=True, slots=True)
class Guard:
    """One machine-checked condition.

    `check` is given the resource as it is, the body as the fix would leave it, the bodies that `reads` named (by ARM
    id key; None where absent or not readable) and the baseline. It answers None to let the fix through, else a
    sentence that says what a person must do first.
    """

    name: str
    check: Callable[[Resource, Resource, Reads, Baseline], str | None]
    reads: Callable[[Resource], frozenset[ArmId]] = nothing


def _reachable(before: Resource, after: Resource, reads: Reads, baseline: Baseline) -> str | None:
    if baseline.allow_isolation:
        return None
    if not firewall.is_closed(after) and firewall.lets_someone_in(after):
        return None
    missing = [groups for groups in _ways_in(before) if not _is_served(before, groups, reads)]
    if not missing:
        return None
    wanted = " and ".join(" or ".join(sorted(groups)) for groups in missing)
    return (
        f"nothing could reach the resource afterwards: approve a private endpoint of your own for {wanted}, "
        "name the allowed networks, or set AIRLOCK_ALLOW_ISOLATION=true"
    )


def _ways_in(resource: Resource) -> list[frozenset[str]]:
    """The sub-resources that clients need, one of each set. A Machine Learning workspace mounts file shares too."""
    ways = [resource.type.private_link_groups]
    return [*ways, frozenset({"file"})] if _is_used_by_workspace(resource) else ways


def _is_served(resource: Resource, groups: frozenset[str], reads: Reads) -> bool:
    return any(serves(connection, resource, groups, reads) for connection in approved_connections(resource))


def _is_used_by_workspace(resource: Resource) -> bool:
    return any(user.type.lower() == ML_WORKSPACES.name.lower() for user in resource.attached_to)


REACHABLE_AFTERWARDS = Guard("reachable-afterwards", _reachable, endpoints_to_read)


def _custom_subdomain(before: Resource, _after: Resource, _reads: Reads, _baseline: Baseline) -> str | None:
    if as_text(before.at("properties.customSubDomainName")):
        return None
    return (
        "the account has no custom subdomain, and its regional endpoint takes neither Entra tokens nor network rules: "
        "give it a custom subdomain name and move its clients there"
    )


CUSTOM_SUBDOMAIN = Guard("custom-subdomain", _custom_subdomain)


def _subdomain_for_rules(before: Resource, after: Resource, reads: Reads, baseline: Baseline) -> str | None:
    same_rules = same(firewall.rules(before), firewall.rules(after))
    return None if same_rules else _custom_subdomain(before, after, reads, baseline)


SUBDOMAIN_FOR_RULES = Guard("custom-subdomain", _subdomain_for_rules)


def _accepts_entra(before: Resource, _after: Resource, _reads: Reads, _baseline: Baseline) -> str | None:
    if before.at("properties.authOptions.aadOrApiKey") is not None:
        return None
    return (
        "the service takes API keys only, so every client of it uses one: allow role-based access as well "
        "(authOptions.aadOrApiKey), give the clients their roles, then turn the keys off"
    )


ACCEPTS_ENTRA = Guard("accepts-entra", _accepts_entra)


def _no_key_datastores(before: Resource, _after: Resource, _reads: Reads, _baseline: Baseline) -> str | None:
    if not _is_used_by_workspace(before):
        return None
    return (
        "a Machine Learning workspace uses this account and its datastores may sign in with the account key: "
        "switch the workspace to identity-based datastores first"
    )


NO_KEY_DATASTORES = Guard("no-key-datastores", _no_key_datastores)


def _not_cloud_shell(before: Resource, _after: Resource, _reads: Reads, _baseline: Baseline) -> str | None:
    if before.tags.get("ms-resource-usage", "").casefold() != "azure-cloud-shell":
        return None
    return (
        "Azure Cloud Shell keeps its files here and comes from the public network: move it to a virtual network first"
    )


NOT_CLOUD_SHELL = Guard("not-cloud-shell", _not_cloud_shell)


def _not_protected(before: Resource, _after: Resource, _reads: Reads, baseline: Baseline) -> str | None:
    name = before.id.name.lower()
    if not baseline.protected & {before.id.key, name, f"{before.type.name.lower()}/{name}"}:
        return None
    return "Airlock itself works with this resource and never changes it: change it with Airlock's own deployment"


# Holds for every rule, so no rule has to remember it.
NOT_OUR_OWN = Guard("not-our-own", _not_protected)
