"""How each resource type behaves when it is written to: one table, our own reading of the vendor's.

Sources: Azure REST API specifications at the api-versions that clients pin (CognitiveServices 2025-09-01, Search
2025-05-01, Storage 2025-06-01, MachineLearningServices 2024-10-01, KeyVault 2026-02-01). Reviewed 2026-11.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from types import MappingProxyType
from typing import Literal

from local.arm import validation
from local.arm.validation import Write


class Pace(Enum):
    """How a write is answered, and when it is done."""

    AT_ONCE = "200, done"
    SETTLING = "200, but the state shows that it is still under way"
    TRACKED = "PUT 200 or 201, else 202, with the address of an operation"
    ACCEPTED = "202 with the address of an operation"


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """One resource type's manners.

    `busy` and `done` are values of provisioningState; None for `done` means that the type shows no such state unless
    it had one. `status` are a second state's values, under way and done. `created` answers a PUT that made something.
    `whole` are paths that a PATCH replaces instead of merging; `keeps_null` those where null is a value that a GET
    shows. `choices` are closed enums: compared without case, kept in the spelling given here; a value may be a
    comma-separated list where the path is in `lists`. `read_only` members of `properties` are ignored in a request;
    `given` are those of them that a new resource gets. `patchable` are the top-level members that a PATCH may name;
    None means any, and an empty set that the type has no PATCH. `invalid` is the error code for a bad value. `check` is
    what else the provider refuses.
    """

    pace: Pace = Pace.AT_ONCE
    busy: str = "Updating"
    done: str | None = None
    status: tuple[str, str] | None = None
    whole: frozenset[str] = frozenset({"tags"})
    keeps_null: frozenset[str] = frozenset()
    choices: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    lists: frozenset[str] = frozenset()
    flags: frozenset[str] = frozenset()
    read_only: frozenset[str] = frozenset({"provisioningState", "privateEndpointConnections"})
    given: Mapping[str, str] = field(default_factory=dict)
    patchable: frozenset[str] | None = None
    etag_in: Literal["nowhere", "body", "header"] = "nowhere"
    created: int = 201
    needs_location: bool = False
    invalid: str = "BadRequest"
    check: Callable[[Write], None] = validation.any_resource


_ACCESS = ("Enabled", "Disabled")
_ACTION = ("Allow", "Deny")

COGNITIVE_ACCOUNT = Provider(
    pace=Pace.ACCEPTED,
    busy="Accepted",
    done="Succeeded",
    whole=frozenset({"tags", "properties.networkAcls", "properties.encryption"}),
    choices=MappingProxyType(
        {
            "properties.publicNetworkAccess": _ACCESS,
            "properties.networkAcls.defaultAction": _ACTION,
            "properties.networkAcls.bypass": ("None", "AzureServices"),
            "properties.encryption.keySource": ("Microsoft.CognitiveServices", "Microsoft.KeyVault"),
        }
    ),
    flags=frozenset({"properties.disableLocalAuth", "properties.restrictOutboundNetworkAccess"}),
    read_only=frozenset(
        {"provisioningState", "privateEndpointConnections", "endpoint", "endpoints", "internalId", "capabilities"}
        | {"isMigrated", "dateCreated", "callRateLimit", "quotaLimit", "deletionDate", "scheduledPurgeDate"}
    ),
    etag_in="body",
    needs_location=True,
    check=validation.cognitive_account,
)

SEARCH_SERVICE = Provider(
    pace=Pace.SETTLING,
    busy="provisioning",
    done="succeeded",
    status=("provisioning", "running"),
    whole=frozenset({"tags", "properties.networkRuleSet", "properties.authOptions"}),
    keeps_null=frozenset({"properties.authOptions"}),
    choices=MappingProxyType(
        {
            "properties.publicNetworkAccess": ("enabled", "disabled", "securedByPerimeter"),
            "properties.networkRuleSet.bypass": ("None", "AzureServices"),
            "properties.encryptionWithCmk.enforcement": ("Unspecified", "Enabled", "Disabled"),
            "properties.authOptions.aadOrApiKey.aadAuthFailureMode": ("http403", "http401WithBearerChallenge"),
            "properties.semanticSearch": ("disabled", "free", "standard"),
        }
    ),
    flags=frozenset({"properties.disableLocalAuth"}),
    read_only=frozenset(
        {"provisioningState", "privateEndpointConnections", "status", "statusDetails", "eTag"}
        | {"sharedPrivateLinkResources", "serviceUpgradedAt"}
    ),
    etag_in="header",
    needs_location=True,
    check=validation.search_service,
)

STORAGE_ACCOUNT = Provider(
    done="Succeeded",
    created=200,
    whole=frozenset({"tags", "properties.networkAcls", "properties.sasPolicy", "properties.keyPolicy"}),
    choices=MappingProxyType(
        {
            "properties.publicNetworkAccess": ("Enabled", "Disabled", "SecuredByPerimeter"),
            "properties.minimumTlsVersion": ("TLS1_0", "TLS1_1", "TLS1_2"),
            "properties.networkAcls.defaultAction": _ACTION,
            "properties.networkAcls.bypass": ("None", "Logging", "Metrics", "AzureServices"),
            "properties.sasPolicy.expirationAction": ("Log", "Block"),
            "properties.allowedCopyScope": ("PrivateLink", "AAD"),
        }
    ),
    lists=frozenset({"properties.networkAcls.bypass"}),
    flags=frozenset(
        {"properties.allowBlobPublicAccess", "properties.allowSharedKeyAccess"}
        | {"properties.supportsHttpsTrafficOnly", "properties.defaultToOAuthAuthentication"}
        | {"properties.allowCrossTenantReplication", "properties.isLocalUserEnabled"}
    ),
    read_only=frozenset(
        {"provisioningState", "privateEndpointConnections", "primaryEndpoints", "secondaryEndpoints"}
        | {"primaryLocation", "secondaryLocation", "statusOfPrimary", "creationTime", "keyCreationTime"}
    ),
    needs_location=True,
    invalid=validation.STORAGE_CODE,
    check=validation.storage_account,
)

ML_WORKSPACE = Provider(
    pace=Pace.ACCEPTED,
    done="Succeeded",
    whole=frozenset({"tags", "properties.managedNetwork", "properties.networkAcls", "properties.encryption"}),
    choices=MappingProxyType(
        {
            "properties.publicNetworkAccess": _ACCESS,
            "properties.managedNetwork.isolationMode": (
                "Disabled",
                "AllowInternetOutbound",
                "AllowOnlyApprovedOutbound",
            ),
            "properties.networkAcls.defaultAction": _ACTION,
            "properties.systemDatastoresAuthMode": ("accessKey", "identity", "userDelegationSas"),
        }
    ),
    flags=frozenset({"properties.v1LegacyMode"}),
    read_only=frozenset(
        {"provisioningState", "privateEndpointConnections", "workspaceId", "tenantId", "notebookInfo"}
        | {"mlFlowTrackingUri", "privateLinkCount", "serviceProvisionedResourceGroup"}
    ),
    needs_location=True,
)

KEY_VAULT = Provider(
    done="Succeeded",
    whole=frozenset({"tags", "properties.networkAcls"}),
    choices=MappingProxyType(
        {
            "properties.networkAcls.defaultAction": _ACTION,
            "properties.networkAcls.bypass": ("None", "AzureServices"),
        }
    ),
    flags=frozenset({"properties.enableRbacAuthorization", "properties.enablePurgeProtection"}),
    read_only=frozenset({"provisioningState", "privateEndpointConnections", "hsmPoolResourceId"}),
    needs_location=True,
    check=validation.key_vault,
)

# At 2025-09-01 a PATCH of a deployment takes tags and sku only; of network resources, tags only.
# Whether one is paused is said by actions alone.
COGNITIVE_DEPLOYMENT = Provider(
    pace=Pace.TRACKED,
    busy="Accepted",
    done="Succeeded",
    read_only=frozenset({"provisioningState", "deploymentState", "capabilities", "rateLimits"}),
    patchable=frozenset({"tags", "sku"}),
)
COGNITIVE_RAI_POLICY = Provider(
    choices=MappingProxyType({"properties.mode": ("Default", "Deferred", "Blocking", "Asynchronous_filter")}),
    read_only=frozenset({"type"}),
    given=MappingProxyType({"type": "UserManaged"}),
    patchable=frozenset(),
    etag_in="body",
    check=validation.rai_policy,
)
COGNITIVE_PROJECT = Provider(pace=Pace.ACCEPTED, busy="Accepted", done="Succeeded")
NETWORK = Provider(pace=Pace.TRACKED, done="Succeeded", patchable=frozenset({"tags"}), etag_in="body")
GENERIC = Provider()

_BY_TYPE: Mapping[str, Provider] = MappingProxyType(
    {
        "microsoft.cognitiveservices/accounts": COGNITIVE_ACCOUNT,
        "microsoft.cognitiveservices/accounts/deployments": COGNITIVE_DEPLOYMENT,
        "microsoft.cognitiveservices/accounts/projects": COGNITIVE_PROJECT,
        "microsoft.cognitiveservices/accounts/raipolicies": COGNITIVE_RAI_POLICY,
        "microsoft.keyvault/vaults": KEY_VAULT,
        "microsoft.machinelearningservices/workspaces": ML_WORKSPACE,
        "microsoft.search/searchservices": SEARCH_SERVICE,
        "microsoft.storage/storageaccounts": STORAGE_ACCOUNT,
    }
)


def provider_of(resource_type: str) -> Provider:
    """The manners of a type; a type that is not in the table merges plainly and is done at once."""
    lowered = resource_type.lower()
    default = NETWORK if lowered.startswith("microsoft.network/") else GENERIC
    return _BY_TYPE.get(lowered, default)
