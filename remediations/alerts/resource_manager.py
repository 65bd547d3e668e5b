"""Alerts about Azure Resource Manager: the trouble is an identity, and Airlock takes no roles away."""

from datetime import date

from shared.domain.incident import AlertRow
from shared.domain.remediation import Severity, Source

_SOURCE = Source("https://learn.microsoft.com/azure/defender-for-cloud/alerts-resource-manager", date(2026, 11, 23))

ROWS: tuple[AlertRow, ...] = (
    AlertRow(
        types=("ARM_OperationFromSuspiciousIP", "ARM_OperationFromSuspiciousProxyIP"),
        title="Azure was managed from a proxy or from an address known for attacks",
        severity=Severity.MEDIUM,
        reason="The identity is what is at risk, not one resource, and an administrator who is locked out by mistake "
        "cannot help.",
        advice="Find out what the caller did; approve new keys where it listed them, and take away its roles or "
        "sessions if it was not its owner.",
        atlas=("AML.T0012",),
        source=_SOURCE,
        respond_on_approval=("rotate-exposed-keys",),
    ),
    AlertRow(
        types=(
            "ARM_MicroBurst.*",
            "RM_MicroBurst.*",  # so spelt for one of its alerts
            "ARM_PowerZure.*",
            "ARM_NetSPI.*",
        ),
        title="A known attack toolkit was run against Azure",
        severity=Severity.HIGH,
        reason="The alert's type tells which keys or secrets the tool takes, but testers run the same tools, so a "
        "person confirms before clients break.",
        advice="Ask whether a test was announced; if not, approve new keys, renew vault secrets that were read, and "
        "take away the caller's roles.",
        atlas=("AML.T0012",),
        source=_SOURCE,
        respond=("tag-incident",),
        respond_on_approval=("rotate-exposed-keys",),
    ),
    AlertRow(
        types=("ARM_AnomalousServiceOperation.CredentialAccess", "ARM_AnomalousOperation.CredentialAccess"),
        title="Someone who seldom does so read keys or other credentials",
        severity=Severity.MEDIUM,
        reason="The detection is new and often wrong: a deployment that lists keys for the first time raises it too.",
        advice="See whose keys were listed and why; if nobody can tell, approve new keys, and an end to keys where "
        "clients can use Entra ID.",
        atlas=("AML.T0055",),
        source=_SOURCE,
        respond_on_approval=("rotate-exposed-keys",),
        contain_on_approval=("disable-local-authentication",),
    ),
    AlertRow(
        types=("ARM_AnomalousOperation.DefenseEvasion", "ARM_AnomalousServiceOperation.DefenseEvasion"),
        title="Someone may be switching off what guards the subscription",
        severity=Severity.MEDIUM,
        reason="Every alert makes Airlock evaluate the whole baseline of the affected resource, so what was loosened "
        "there is found and fixed without a response of its own.",
        advice="Check that Defender plans and diagnostic settings of the subscription are as they were, and take away "
        "the caller's roles if it was an attack.",
        atlas=(),
        source=_SOURCE,
    ),
    AlertRow(
        types=(
            "ARM_AnomalousRBACRoleAssignment",
            "ARM_AnomalousClassicRoleAssignment",
            "ARM_PrivilegedRoleDefinitionCreation",
            "ARM_AnomalousElevateAccess",
        ),
        title="Someone gave out or took on unusual rights",
        severity=Severity.HIGH,
        reason="Taking a role away may lock out the one account that is kept for emergencies, so nothing is done "
        "without a person.",
        advice="Ask who granted the right and for what; delete the role assignment or the custom role if nobody "
        "answers for it.",
        atlas=("AML.T0012",),
        source=_SOURCE,
    ),
)
