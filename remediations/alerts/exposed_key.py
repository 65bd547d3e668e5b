"""The row for a key that was found in public: Defender has no alert for it, so the type is our own."""

from datetime import date

from shared.domain.incident import AlertRow
from shared.domain.remediation import Severity, Source

EXPOSED_KEY = AlertRow(
    types=("Airlock.SecretExposed",),
    title="A working key was found where others can read it",
    severity=Severity.HIGH,
    reason="Its hash equals that of a key in use, so there is no doubt left: clients that break cost less than "
    "strangers who hold the key.",
    advice="Remove the key from where it was found, look for calls made with it since it got there, and move its "
    "clients to Entra ID.",
    atlas=("AML.T0055", "AML.T0012"),
    source=Source("https://learn.microsoft.com/azure/defender-for-cloud/secrets-scanning", date(2026, 11, 23)),
    respond=("rotate-exposed-keys", "tag-incident"),
    contain=("disable-local-authentication",),
)

ROWS: tuple[AlertRow, ...] = (EXPOSED_KEY,)
