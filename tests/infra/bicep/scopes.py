"""Where things are deployed to, and the ids that follow from it."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tests.infra.bicep.values import Fault, Value

TENANT, MANAGEMENT_GROUP, SUBSCRIPTION, RESOURCE_GROUP = "tenant", "managementGroup", "subscription", "resourceGroup"
_IDS = {
    re.compile(r"/?"): TENANT,
    re.compile(r"/providers/Microsoft\.Management/managementGroups/[^/]+"): MANAGEMENT_GROUP,
    re.compile(r"/subscriptions/[^/]+"): SUBSCRIPTION,
    re.compile(r"/subscriptions/[^/]+/resourceGroups/[^/]+"): RESOURCE_GROUP,
}


# What a subscription or a management group takes, as far as it is of any use here; all else is put into a group.
_WITHOUT_A_GROUP = (
    "microsoft.authorization/",
    "microsoft.consumption/",
    "microsoft.eventgrid/eventsubscriptions",
    "microsoft.insights/diagnosticsettings",
    "microsoft.management/",
    "microsoft.managedservices/",
    "microsoft.policyinsights/",
    "microsoft.resources/",
    "microsoft.security/pricings",
    "microsoft.security/securitycontacts",
)


@dataclass(frozen=True, slots=True)
class Scope:
    """The tenant, a management group, a subscription or a resource group."""

    kind: str
    id: str

    @property
    def name(self) -> str:
        """The last part of the id."""
        return self.id.rsplit("/", 1)[-1]

    @property
    def subscription(self) -> str:
        """The id of the subscription that it is, or is in."""
        if self.kind not in {SUBSCRIPTION, RESOURCE_GROUP}:
            raise Fault(f"a {self.kind} is in no subscription")
        return self.id.split("/")[2]


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Where a deployment is started, as far as the files can ask."""

    tenant: str = "72f988bf-0000-4000-8000-2d7cd011db47"
    subscription: str = "5b4c1f6e-1111-4222-8333-aa24f5b6c7d8"
    management_group: str = "contoso"
    resource_group: str = "rg-airlock"
    location: str = "westeurope"
    operator: str = "0e5c1b8a-4444-4555-8666-bb9f3d2e1c70"
    # What list() and its like find, by how the id ends that they ask for.
    answers: Mapping[str, Value] = field(default_factory=lambda: {"/config/appsettings": {"properties": {}}})

    def scope(self, kind: str) -> Scope:
        """The scope of that kind, here."""
        match kind:
            case "tenant":
                return Scope(TENANT, "")
            case "managementGroup":
                return management_group(self.management_group)
            case "subscription":
                return subscription(self.subscription)
            case "resourceGroup":
                return resource_group(self.subscription, self.resource_group)
        raise Fault(f"unknown scope {kind!r}")

    def answer(self, arguments: Sequence[Value]) -> Value:
        """What is found under the id that is the first argument; None if nobody can tell."""
        asked = arguments[0] if arguments else None
        if not isinstance(asked, str):
            return None
        return next((value for end, value in self.answers.items() if asked.endswith(end)), None)


def takes_no_group(type_: str) -> bool:
    """Whether the type can be deployed outside of resource groups."""
    return type_.lower().startswith(_WITHOUT_A_GROUP)


def management_group(name: str) -> Scope:
    """The management group of that name."""
    return Scope(MANAGEMENT_GROUP, f"/providers/Microsoft.Management/managementGroups/{name}")


def subscription(id_: str) -> Scope:
    """The subscription of that id."""
    return Scope(SUBSCRIPTION, f"/subscriptions/{id_}")


def resource_group(subscription_id: str, name: str) -> Scope:
    """The resource group of that name."""
    return Scope(RESOURCE_GROUP, f"/subscriptions/{subscription_id}/resourceGroups/{name}")


def scope_of(id_: str) -> Scope:
    """The scope that the ARM id names."""
    for pattern, kind in _IDS.items():
        if pattern.fullmatch(id_):
            return Scope(kind, id_.rstrip("/"))
    raise Fault(f"{id_} is no scope to deploy to")


def base_of(id_: str) -> Scope:
    """The scope that the resource of this id lies in."""
    for pattern, kind in reversed(_IDS.items()):
        if kind != TENANT and (found := pattern.match(id_)):
            return Scope(kind, found[0])
    return Scope(TENANT, "")


def resource_id(base: str, type_: str, names: Sequence[str]) -> str:
    """The id of a resource: each part of its type followed by a name."""
    provider, *kinds = type_.split("/")
    if len(kinds) != len(names):
        raise Fault(f"{type_} takes a name of {len(kinds)} parts, {'/'.join(names)!r} has {len(names)}")
    if type_.lower() == "microsoft.resources/resourcegroups":
        return f"{base}/resourceGroups/{names[0]}"
    if type_.lower() == "microsoft.resources/subscriptions":
        return f"{base}/subscriptions/{names[0]}"
    pairs = "/".join(f"{kind}/{name}" for kind, name in zip(kinds, names, strict=True))
    return f"{base}/providers/{provider}/{pairs}"
