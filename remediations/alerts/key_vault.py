"""Alerts about key vaults: most are weak, and what helps (other secrets, fewer roles) is work for people."""

from datetime import date

from shared.domain.incident import AlertRow
from shared.domain.remediation import Severity, Source

_SOURCE = Source("https://learn.microsoft.com/azure/defender-for-cloud/alerts-azure-key-vault", date(2026, 11, 23))

ROWS: tuple[AlertRow, ...] = (
    AlertRow(
        types=("KV_SuspiciousIPAccess", "KV_TORAccess", "KV_UnusualAccessSuspiciousIP"),
        title="A vault was read from Tor or from an address known for attacks",
        severity=Severity.MEDIUM,
        reason="What was read is lost whatever happens to the vault, and secrets cannot be renewed without those who "
        "use them. The tag is set once rules judge vaults; until then the record is all.",
        advice="Renew every secret that was read, and close the vault's firewall once a private endpoint is approved; "
        "let trusted Azure services through.",
        atlas=("AML.T0055",),
        source=_SOURCE,
        respond=("tag-incident",),
    ),
    AlertRow(
        types=("KV_ListGetAnomaly", "KV_PutGetAnomaly", "KV_OperationVolumeAnomaly", "KV_OperationPatternAnomaly"),
        title="A vault is used as if to copy all its secrets",
        severity=Severity.MEDIUM,
        reason="A backup, a migration or a new application makes the same pattern, and locking the vault would stop "
        "all that depend on it.",
        advice="Ask the owner about the caller; if nobody knows it, take away its access to the vault and renew the "
        "secrets that it read.",
        atlas=("AML.T0055",),
        source=_SOURCE,
    ),
    AlertRow(
        types=("KV_UserAnomaly", "KV_AppAnomaly", "KV_UserAppAnomaly", "KV_AccountVolumeAnomaly"),
        title="Someone used a vault who usually does not",
        severity=Severity.MEDIUM,
        reason="New staff and new applications look like this, so the alert alone proves nothing.",
        advice="Ask the owner whether the caller is expected; if not, take away its access to the vault.",
        atlas=(),
        source=_SOURCE,
    ),
    AlertRow(
        types=(
            "KV_SuspiciousIPAccessDenied",
            "KV_UserAccessDeniedAnomaly",
            "KV_AccountVolumeAccessDeniedAnomaly",
            "KV_*AccessDenied*",
        ),
        title="A vault turned a caller away",
        severity=Severity.LOW,
        reason="The vault refused and nothing was read; if failed attempts changed anything, an attacker could drive "
        "the automation with them.",
        advice="Look at the caller if attempts go on, or if an identity of your own made them.",
        atlas=(),
        source=_SOURCE,
        blocked=True,
    ),
)
