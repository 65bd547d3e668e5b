"""AIR-004: data travels over TLS 1.2 or later, and over nothing else."""

from datetime import date

from shared.domain.baseline import Baseline
from shared.domain.body import JsonObject, same
from shared.domain.remediation import Remediation, Rule, Severity, Source
from shared.domain.resource import Resource
from shared.domain.resource_types import STORAGE


def _storage(account: Resource, _: Baseline) -> JsonObject:
    """TLS1_3 is kept where it stands; it is not written, since the service does not take it as a minimum.

    NFS shares cannot travel over HTTPS, so an account that serves them keeps plain transfer.
    """
    stronger = account.says("properties.minimumTlsVersion", "TLS1_3")
    wanted: JsonObject = {"minimumTlsVersion": account.at("properties.minimumTlsVersion") if stronger else "TLS1_2"}
    if not same(account.at("properties.isNfsV3Enabled"), True):
        wanted["supportsHttpsTrafficOnly"] = True
    return {"properties": wanted}


REMEDIATION = Remediation(
    ref="AIR-004",
    name="enforce-tls",
    title="Traffic is encrypted with TLS 1.2 or later, without exception",
    why="Training data, prompts and keys that cross a network in the clear, or under broken ciphers, can be read and "
    "changed on the way.",
    disrupts="Clients that speak plain HTTP, unencrypted SMB, or TLS 1.0 and 1.1 are refused.",
    severity=Severity.HIGH,
    controls=("MCSB DP-3", "NIST 800-53 SC-8", "ISO 27001 A.8.24", "CIS Azure Foundations 6.0.0 9.3.4"),
    policies=(
        "404c3081-a854-4457-ae30-26a93ef643f9",
        "f81e3117-0093-4b17-8a60-82363134f0eb",
        "fe83a0eb-a853-422d-aac2-1bffd182c5d0",
    ),
    sources=(
        Source(
            "https://learn.microsoft.com/azure/storage/common/transport-layer-security-configure-minimum-version",
            date(2026, 11, 23),
        ),
        Source("https://learn.microsoft.com/azure/storage/common/storage-require-secure-transfer", date(2026, 11, 23)),
    ),
    rules=(
        Rule(
            type=STORAGE,
            desired=_storage,
            defaults={"properties": {"minimumTlsVersion": "TLS1_0", "supportsHttpsTrafficOnly": False}},
            actions=("Microsoft.Storage/storageAccounts/write",),
        ),
    ),
)
