"""Alerts about storage accounts: where models, training data and indexed documents lie."""

from datetime import date

from shared.domain.incident import AlertRow
from shared.domain.remediation import Severity, Source

_SOURCE = Source("https://learn.microsoft.com/azure/defender-for-cloud/alerts-azure-storage", date(2026, 11, 23))

ROWS: tuple[AlertRow, ...] = (
    AlertRow(
        types=("Storage.Blob_OpenACL", "Storage.Blob_OpenACL.Sensitive"),
        title="A container was opened to everyone",
        severity=Severity.MEDIUM,
        reason="The baseline forbids anonymous reads anyway, and one switch on the account closes every container that "
        "was opened.",
        advice="Ask who opened the container and why; data that is meant to be public belongs in an account that is "
        "exempt.",
        atlas=("AML.T0036",),
        source=_SOURCE,
        respond=("tag-incident",),
        contain=("disallow-blob-public-access",),
    ),
    AlertRow(
        types=("Storage.Blob_OpenContainersScanning.SuccessfulDiscovery",),
        title="A scanner found open containers",
        severity=Severity.HIGH,
        reason="A stranger has just seen that the containers are open; the baseline forbids that, and one switch on "
        "the account closes them all.",
        advice="Go through what lies in the containers and treat it as known to others, credentials in files above "
        "all.",
        atlas=("AML.T0036",),
        source=_SOURCE,
        respond=("tag-incident",),
        contain=("disallow-blob-public-access",),
    ),
    AlertRow(
        types=("Storage.Blob_OpenContainersScanning.FailedAttempt",),
        title="A scanner looked for open containers and found none",
        severity=Severity.LOW,
        reason="Nothing was open, and anyone can scan: if that changed anything, a stranger could drive the "
        "automation.",
        advice="Nothing at once; the internet is scanned all the time.",
        atlas=(),
        source=_SOURCE,
        blocked=True,
    ),
    AlertRow(
        types=("Storage.Blob_AnonymousAccessAnomaly", "Storage.Blob_AnonymousAccessAnomaly.Sensitive"),
        title="Someone read a container without signing in, which is unusual there",
        severity=Severity.HIGH,
        reason="The container usually sees only callers who sign in, so nobody needs the open door that the baseline "
        "forbids anyway.",
        advice="See which blobs were read; exempt the account if it is meant to publish data.",
        atlas=("AML.T0036",),
        source=_SOURCE,
        respond=("tag-incident",),
        contain=("disallow-blob-public-access",),
    ),
    AlertRow(
        types=(
            "Storage.Blob_SuspiciousIp",
            "Storage.Blob_SuspiciousIp.Sensitive",
            "Storage.Files_SuspiciousIp",
            "Storage.Blob_TorAnomaly",
            "Storage.Blob_TorAnomaly.Sensitive",
            "Storage.Files_TorAnomaly",
        ),
        title="Someone signed in to storage from Tor or from an address known for attacks",
        severity=Severity.HIGH,
        reason="A credential is in the wrong hands, but new keys end every SAS and a closed network stops every "
        "outside client, so a person says which and when.",
        advice="Find out which credential was used: approve new keys for a key or a SAS made with it, and disable the "
        "identity for a token.",
        atlas=("AML.T0012", "AML.T0035"),
        source=_SOURCE,
        respond=("tag-incident",),
        respond_on_approval=("rotate-exposed-keys",),
        contain_on_approval=("disable-public-network-access", "restrict-network-rules"),
    ),
    AlertRow(
        types=(
            "Storage.Blob_SuspiciousApp",
            "Storage.Blob_SuspiciousApp.Sensitive",
            "Storage.Blob_ApplicationAnomaly",
            "Storage.Files_ApplicationAnomaly",
        ),
        title="An unknown or suspicious program signed in to storage",
        severity=Severity.HIGH,
        reason="Testers use the same programs as attackers, and a new version of an honest one can look strange.",
        advice="Ask whether a test or a new tool is known; if not, approve new keys.",
        atlas=(),
        source=_SOURCE,
        respond_on_approval=("rotate-exposed-keys",),
    ),
    AlertRow(
        types=("Storage.Blob_DataExfiltration.*", "Storage.Files_DataExfiltration.*"),
        title="Far more data than usual left a storage account",
        severity=Severity.HIGH,
        reason="A nightly job or a migration looks the same, and stopping it half way does harm of its own.",
        advice="Compare with what the owner runs; if nobody knows the reader, approve a closed network and new keys.",
        atlas=("AML.T0025", "AML.T0035"),
        source=_SOURCE,
        respond=("tag-incident",),
        respond_on_approval=("rotate-exposed-keys",),
        contain_on_approval=("disable-public-network-access",),
    ),
    AlertRow(
        types=("Storage.Blob_DeletionAnomaly", "Storage.Files_DeletionAnomaly"),
        title="Unusual deletions in a storage account",
        severity=Severity.HIGH,
        reason="What is gone is not brought back by any setting, and a clean-up looks the same, so closing the network "
        "waits for a person.",
        advice="Turn on soft delete or make it longer at once to protect what is left, restore what can be restored, "
        "and find out who deleted.",
        atlas=("AML.T0101", "AML.T0059"),
        source=_SOURCE,
        respond=("tag-incident",),
        contain_on_approval=("disable-public-network-access",),
    ),
    AlertRow(
        types=(
            "Storage.Blob_MalwareHashReputation",
            "Storage.Files_MalwareHashReputation",
            "Storage.Blob_AM.MalwareFound",
            "Storage.File_AM.MalwareFound",
            "Storage.Blob_MalwareDownload",
        ),
        title="Malware lies in a storage account",
        severity=Severity.HIGH,
        reason="The file may be a poisoned model and is evidence too: the account is marked, and nothing is deleted.",
        advice="Move the blob to quarantine instead of deleting it, find who uploaded it, and check all that loaded "
        "it.",
        atlas=("AML.T0011.000", "AML.T0018.002"),
        source=_SOURCE,
        respond=("tag-incident",),
    ),
)
