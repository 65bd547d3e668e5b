"""The one table of what an ARM type is: everything that is a fact about the type and not about a rule."""

from dataclasses import dataclass
from typing import Literal

from shared.domain.arm_id import ArmId


@dataclass(frozen=True, slots=True)
class KeyScheme:
    """How a type's account keys are named, listed and regenerated.

    `slots` are the keys as the provider spells them, the secondary first: the order in which both are regenerated.
    `slot_in_path` says that the key's name is a part of the path instead of the body. `off` is the path, with the
    value, at which the keys open nothing and cannot be listed; None where they can be listed all the same.
    """

    list_action: str
    regenerate_action: str
    slots: tuple[str, ...]
    slot_in_path: bool = False
    off: tuple[str, bool] | None = None


@dataclass(frozen=True, slots=True)
class ResourceType:
    """A type that rules judge.

    `suffix` is its fixed name in settings and rule ids; `api_version` the one that every read and write uses.
    `operations` are the last parts of the operation names whose events can change what a rule sees, of the type itself
    or, with `write` and `delete`, of what is below it; `unjudged` are the children of which no rule sees anything.
    `state` is the path that says whether an operation is under way, `settled` the states in which none is.
    `whole` are the paths that a PATCH replaces as one object. `attachable` types count only when something
    ties them to AI: a tag, or an AI resource that names them in one of its own `names` paths.
    `firewall` is where network rules stand, None for a type that has none; `private_link_groups` are the
    sub-resources that clients reach through a private endpoint. `keys` are the account keys, None for a type that has
    none which Airlock rotates. `method` is how the type is written: a PATCH says what changes, a PUT is the whole
    resource anew. `read_only` are the paths of a body that a PUT must leave out.
    """

    name: str
    suffix: str
    api_version: str
    whole: tuple[str, ...]
    private_link_groups: frozenset[str]
    firewall: str | None = None
    names: tuple[str, ...] = ()
    attachable: bool = False
    state: str = "properties.provisioningState"
    settled: frozenset[str] = frozenset({"succeeded", "failed", "canceled"})
    operations: tuple[str, ...] = ("write", "delete")
    unjudged: tuple[str, ...] = ()
    etag: str | None = None
    keys: KeyScheme | None = None
    method: Literal["PATCH", "PUT"] = "PATCH"
    read_only: tuple[str, ...] = ()

    @property
    def slug(self) -> str:
        """The suffix as it stands in rule ids: `cognitive-accounts`."""
        return self.suffix.lower().replace("_", "-")


# azure-rest-api-specs cognitiveservices 2025-09-01, read 2026-11-23. No TLS setting exists on this provider.
COGNITIVE_ACCOUNTS = ResourceType(
    name="Microsoft.CognitiveServices/accounts",
    suffix="COGNITIVE_ACCOUNTS",
    api_version="2025-09-01",
    whole=("properties.networkAcls",),
    private_link_groups=frozenset({"account"}),
    firewall="properties.networkAcls",
    names=(
        "properties.userOwnedStorage.resourceId",
        "properties.raiMonitorConfig.adxStorageResourceId",
        "properties.amlWorkspace.resourceId",
    ),
    operations=("write", "delete", "regenerateKey/action"),
    etag="etag",
    # Listing answers 400 once local authentication is off (AVM cognitiveservices#130, read 2026-11-23).
    keys=KeyScheme("listKeys", "regenerateKey", ("Key2", "Key1"), off=("properties.disableLocalAuth", True)),
)

# azure-rest-api-specs cognitiveservices 2025-09-01, read 2026-11-24. There is no PATCH, no provisioning state, and no
# If-Match, although the body has an ETag.
RAI_POLICIES = ResourceType(
    name="Microsoft.CognitiveServices/accounts/raiPolicies",
    suffix="RAI_POLICIES",
    api_version="2025-09-01",
    whole=(),
    private_link_groups=frozenset(),
    method="PUT",
    read_only=("id", "name", "type", "etag", "systemData", "properties.type"),
)

# azure-rest-api-specs search 2025-05-01, read 2026-11-23: enums come back in lower case, a PATCH answers at once
# and the service goes on provisioning.
SEARCH = ResourceType(
    name="Microsoft.Search/searchServices",
    suffix="SEARCH",
    api_version="2025-05-01",
    whole=("properties.networkRuleSet", "properties.authOptions"),
    private_link_groups=frozenset({"searchservice"}),
    firewall="properties.networkRuleSet",
    operations=("write", "delete", "regenerateAdminKey/action"),
    keys=KeyScheme(
        "listAdminKeys",
        "regenerateAdminKey",
        ("secondary", "primary"),
        slot_in_path=True,
        off=("properties.disableLocalAuth", True),
    ),
)

# azure-rest-api-specs machinelearningservices 2024-10-01, read 2026-11-23.
ML_WORKSPACES = ResourceType(
    name="Microsoft.MachineLearningServices/workspaces",
    suffix="ML_WORKSPACES",
    api_version="2024-10-01",
    whole=("properties.managedNetwork",),
    private_link_groups=frozenset({"amlworkspace"}),
    names=(
        "properties.storageAccount",
        "properties.workspaceHubConfig.additionalWorkspaceStorageAccounts",
    ),
    # What data scientists make all day.
    unjudged=("jobs", "data", "datasets", "environments", "models", "components", "codes", "featuresets", "schedules"),
)

# azure-rest-api-specs storage 2024-01-01, read 2026-11-23.
STORAGE = ResourceType(
    name="Microsoft.Storage/storageAccounts",
    suffix="STORAGE",
    api_version="2024-01-01",
    whole=("properties.networkAcls",),
    private_link_groups=frozenset({"blob", "dfs"}),
    firewall="properties.networkAcls",
    attachable=True,
    operations=("write", "delete", "regenerateKey/action"),
    keys=KeyScheme("listKeys", "regenerateKey", ("key2", "key1")),
)

# Not judged, but read by guards: Microsoft.Network/privateEndpoints.
PRIVATE_ENDPOINT_API_VERSION = "2024-05-01"

# What is read beside the types themselves: endpoints by guards, alerts before they are answered, subscriptions to look
# for a key, and how operations end (learn.microsoft.com/azure/role-based-access-control/permissions, read 2026-11-24).
# Where a provider has no such right or it is not known, the read that verifies a fix tells its end.
ENGINE_READS = (
    "Microsoft.CognitiveServices/locations/operationResults/read",
    "Microsoft.Network/privateEndpoints/read",
    "Microsoft.Resources/subscriptions/read",
    "Microsoft.Security/alerts/read",
    "Microsoft.Security/locations/alerts/read",
)

RESOURCE_TYPES = (COGNITIVE_ACCOUNTS, RAI_POLICIES, SEARCH, ML_WORKSPACES, STORAGE)


def known_type(name: str) -> ResourceType | None:
    """The table's row of that full type name, in any case; None for a type that no rule judges."""
    wanted = name.lower()
    return next((row for row in RESOURCE_TYPES if row.name.lower() == wanted), None)


def judged_ancestor(target: ArmId) -> ArmId | None:
    """The nearest resource at or above the target that rules judge.

    A change of a child or an extension (a deployment, a private endpoint connection, a lock) is a reason to look at
    the resource that carries it. None when there is none.
    """
    at: ArmId | None = target
    while at is not None and known_type(at.type) is None:
        at = at.parent
    return at
