"""AIR-103: deployments that are abused to run up costs have the smallest capacity."""

from datetime import date

from shared.domain.act import Command
from shared.domain.arm_id import ArmId
from shared.domain.body import JsonObject, at
from shared.domain.change import Change
from shared.domain.incident import Incident
from shared.domain.mode import Mode
from shared.domain.remediation import Source
from shared.domain.resource import Resource
from shared.domain.resource_types import COGNITIVE_ACCOUNTS
from shared.domain.response import Children, Plan, Response, affected_deployments

_SMALLEST = 1


def _plan(account: Resource, incident: Incident, children: Children, mode: Mode) -> Plan:
    """The deployments that the alert names, or all of the account where it names none."""
    acts = tuple(
        _cap(account, place, body, mode)
        for place, body in affected_deployments(incident, children)
        if isinstance(capacity := at(body, "sku.capacity"), int) and capacity > _SMALLEST
    )
    if not acts:
        return Plan((), "no deployment has more than the smallest capacity")
    return Plan(acts, "; ".join(act.what for act in acts))


def _cap(account: Resource, target: ArmId, deployment: JsonObject, mode: Mode) -> Command:
    was = at(deployment, "sku.capacity")
    return Command(
        target=target,
        api_version=account.type.api_version,
        method="PATCH",
        suffix="",
        body={"sku": {"name": at(deployment, "sku.name"), "capacity": _SMALLEST}},
        what=f"cap deployment {target.name} from {was} to {_SMALLEST}",
        changes=(Change(f"deployments.{target.name}.sku.capacity", was, _SMALLEST),),
        shown={"sku": {"capacity": _SMALLEST}},
        read_api_version=account.type.api_version,
        mode=mode,
    )


RESPONSE = Response(
    ref="AIR-103",
    name="cap-deployments",
    title="Deployments that are abused to run up costs have the smallest capacity",
    why="An attacker who cannot be told from a customer yet can at least not spend much.",
    disrupts="Every caller of the deployment is throttled hard, honest ones too; the record has the old capacity, and "
    "its quota may be gone meanwhile.",
    controls=("MCSB IR-4", "NIST 800-53 SC-5", "MITRE ATLAS AML.T0034"),
    sources=(Source("https://learn.microsoft.com/azure/ai-services/openai/how-to/quota", date(2026, 11, 24)),),
    types=(COGNITIVE_ACCOUNTS,),
    actions={
        COGNITIVE_ACCOUNTS.name: (
            "Microsoft.CognitiveServices/accounts/deployments/read",
            "Microsoft.CognitiveServices/accounts/deployments/write",
        )
    },
    plan=_plan,
    children=("deployments",),
)
