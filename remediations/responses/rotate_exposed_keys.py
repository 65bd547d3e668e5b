"""AIR-101: keys that an attacker may hold are regenerated."""

from datetime import date

from shared.domain.act import RegenerateKey
from shared.domain.body import same
from shared.domain.incident import Incident
from shared.domain.mode import Mode
from shared.domain.remediation import Source
from shared.domain.resource import Resource
from shared.domain.resource_types import COGNITIVE_ACCOUNTS, SEARCH, STORAGE
from shared.domain.response import Children, Plan, Response


def _plan(account: Resource, _: Incident, __: Children, mode: Mode) -> Plan:
    """All keys of the account, the secondary first: who holds one may hold the others."""
    scheme = account.type.keys
    if scheme is None:
        return Plan((), "the type has no keys")
    if scheme.off is not None and same(account.at(scheme.off[0]), scheme.off[1]):
        return Plan((), "local authentication is off, so the keys open nothing")
    acts = tuple(RegenerateKey(account.id, scheme, slot, mode) for slot in scheme.slots)
    return Plan(acts, f"regenerate {', then '.join(scheme.slots)}")


RESPONSE = Response(
    ref="AIR-101",
    name="rotate-exposed-keys",
    title="Keys that an attacker may hold are regenerated",
    why="A key that left its account opens it for whoever found it until it is regenerated.",
    disrupts="Every client that still uses one of the account's keys, or a SAS signed with it, is refused until it has "
    "the new one; a Machine Learning workspace needs its keys synchronised again.",
    controls=("MCSB IM-8", "MCSB IR-4", "NIST 800-53 IA-5", "NIST 800-53 IR-4", "ISO 27001 A.5.26"),
    sources=(
        Source("https://learn.microsoft.com/azure/ai-services/rotate-keys", date(2026, 11, 24)),
        Source("https://learn.microsoft.com/azure/search/search-security-api-keys", date(2026, 11, 24)),
        Source("https://learn.microsoft.com/azure/storage/common/storage-account-keys-manage", date(2026, 11, 24)),
    ),
    types=(COGNITIVE_ACCOUNTS, SEARCH, STORAGE),
    actions={
        COGNITIVE_ACCOUNTS.name: (
            "Microsoft.CognitiveServices/accounts/listKeys/action",
            "Microsoft.CognitiveServices/accounts/regenerateKey/action",
        ),
        SEARCH.name: (
            "Microsoft.Search/searchServices/listAdminKeys/action",
            "Microsoft.Search/searchServices/listQueryKeys/action",
            "Microsoft.Search/searchServices/regenerateAdminKey/action",
        ),
        STORAGE.name: (
            "Microsoft.Storage/storageAccounts/listKeys/action",
            "Microsoft.Storage/storageAccounts/regenerateKey/action",
        ),
    },
    plan=_plan,
)
