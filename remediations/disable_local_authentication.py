"""AIR-003: callers sign in with Entra ID; account keys are off."""

from datetime import date

from shared.domain.baseline import Baseline
from shared.domain.body import JsonObject
from shared.domain.guards import ACCEPTS_ENTRA, CUSTOM_SUBDOMAIN, NO_KEY_DATASTORES
from shared.domain.remediation import Remediation, Rule, Severity, Source
from shared.domain.resource import Resource
from shared.domain.resource_types import COGNITIVE_ACCOUNTS, SEARCH, STORAGE


def _account(_: Resource, __: Baseline) -> JsonObject:
    return {"properties": {"disableLocalAuth": True}}


def _search(_: Resource, __: Baseline) -> JsonObject:
    """The service refuses keys off together with authOptions, so they are emptied in the same request."""
    return {"properties": {"disableLocalAuth": True, "authOptions": None}}


def _storage(_: Resource, __: Baseline) -> JsonObject:
    return {"properties": {"allowSharedKeyAccess": False}}


REMEDIATION = Remediation(
    ref="AIR-003",
    name="disable-local-authentication",
    title="Keys are off: callers sign in with Entra ID",
    why="Keys are shared, long-lived, unscoped and name nobody; Entra tokens are short-lived and belong to one.",
    disrupts="Every client that still sends a key, a connection string or a key-signed SAS is refused, after minutes "
    "up to some hours.",
    severity=Severity.HIGH,
    controls=("MCSB IM-1", "NIST 800-53 AC-3", "NIST 800-53 IA-2", "ISO 27001 A.8.5", "MITRE ATLAS AML.T0055"),
    policies=(
        "71ef260a-8f18-47b7-abcb-62d0673d94dc",
        "14de9e63-1b31-492e-a5a3-c3f7fd57f555",
        "6300012e-e9a4-4649-b41f-a85f5c43be91",
        "4eb216f2-9dba-4979-86e6-5d7e63ce3b75",
        "8c6a50c6-9ffd-4ae7-986f-5fa6111f9a54",
    ),
    sources=(
        Source("https://learn.microsoft.com/azure/ai-services/disable-local-auth", date(2026, 11, 23)),
        Source("https://learn.microsoft.com/azure/search/search-security-enable-roles", date(2026, 11, 23)),
        Source("https://learn.microsoft.com/azure/storage/common/shared-key-authorization-prevent", date(2026, 11, 23)),
    ),
    rules=(
        Rule(
            type=COGNITIVE_ACCOUNTS,
            desired=_account,
            defaults={"properties": {"disableLocalAuth": False}},
            actions=("Microsoft.CognitiveServices/accounts/write",),
            guards=(CUSTOM_SUBDOMAIN,),
        ),
        Rule(
            type=SEARCH,
            desired=_search,
            defaults={"properties": {"disableLocalAuth": False}},
            actions=("Microsoft.Search/searchServices/write",),
            guards=(ACCEPTS_ENTRA,),
        ),
        Rule(
            type=STORAGE,
            desired=_storage,
            defaults={"properties": {"allowSharedKeyAccess": True}},
            actions=("Microsoft.Storage/storageAccounts/write",),
            guards=(NO_KEY_DATASTORES,),
        ),
    ),
)
