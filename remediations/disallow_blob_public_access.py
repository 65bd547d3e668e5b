"""AIR-005: nobody reads blobs without saying who they are."""

from datetime import date

from shared.domain.baseline import Baseline
from shared.domain.body import JsonObject
from shared.domain.remediation import Remediation, Rule, Severity, Source
from shared.domain.resource import Resource
from shared.domain.resource_types import STORAGE


def _storage(_: Resource, __: Baseline) -> JsonObject:
    return {"properties": {"allowBlobPublicAccess": False}}


REMEDIATION = Remediation(
    ref="AIR-005",
    name="disallow-blob-public-access",
    title="No container of the account can be opened to anonymous readers",
    why="A single container set to public hands training data, models or stored prompts to whoever finds its address.",
    disrupts="Anonymous readers of blobs and public data sets are refused; static websites stay, and so does each "
    "container's own setting, without effect.",
    severity=Severity.CRITICAL,
    controls=(
        "MCSB NS-2",
        "NIST 800-53 AC-4",
        "NIST 800-53 SC-7",
        "ISO 27001 A.5.14",
        "CIS Azure Foundations 6.0.0 9.3.8",
        "MITRE ATLAS AML.T0036",
    ),
    policies=("4fa4b6c0-31ca-4c0d-b10d-24b96f62a751", "13502221-8df0-4414-9937-de9c5c4e396b"),
    sources=(
        Source("https://learn.microsoft.com/azure/storage/blobs/anonymous-read-access-prevent", date(2026, 11, 24)),
    ),
    rules=(
        Rule(
            type=STORAGE,
            desired=_storage,
            # New accounts take false, but those made before late 2023 may leave it out and mean true.
            defaults={"properties": {"allowBlobPublicAccess": True}},
            actions=("Microsoft.Storage/storageAccounts/write",),
        ),
    ),
)
