"""AIR-104: deployments that serve an attack are paused."""

from datetime import date

from shared.domain.act import Command
from shared.domain.arm_id import ArmId
from shared.domain.body import JsonObject, as_text, at
from shared.domain.change import Change
from shared.domain.incident import Incident
from shared.domain.mode import Mode
from shared.domain.remediation import Source
from shared.domain.resource import Resource
from shared.domain.resource_types import COGNITIVE_ACCOUNTS
from shared.domain.response import Children, Plan, Response, affected_deployments

# The first api-version with the action; a preview (azure-mgmt-cognitiveservices 15.0.0b6, read 2026-11-23).
_API_VERSION = "2026-09-15-preview"
_PAUSABLE = frozenset({"standard", "datazonestandard", "globalstandard"})


def _plan(_: Resource, incident: Incident, children: Children, mode: Mode) -> Plan:
    """The deployments that the alert names, or all of the account where it names none."""
    found = [each for each in affected_deployments(incident, children) if _can_be_paused(each[1])]
    acts = tuple(_pause(place, body, mode) for place, body in found)
    return Plan(acts, "; ".join(act.what for act in acts) or "no running deployment can be paused")


def _can_be_paused(deployment: JsonObject) -> bool:
    is_paused = as_text(at(deployment, "properties.deploymentState")).casefold() == "paused"
    return as_text(at(deployment, "sku.name")).casefold() in _PAUSABLE and not is_paused


def _pause(target: ArmId, deployment: JsonObject, mode: Mode) -> Command:
    was = at(deployment, "properties.deploymentState")
    return Command(
        target=target,
        api_version=_API_VERSION,
        method="POST",
        suffix="/pause",
        body=None,
        what=f"pause deployment {target.name}",
        changes=(Change(f"deployments.{target.name}.deploymentState", was, "Paused"),),
        shown={"properties": {"deploymentState": "Paused"}},
        read_api_version=_API_VERSION,
        mode=mode,
    )


RESPONSE = Response(
    ref="AIR-104",
    name="pause-deployments",
    title="Deployments that serve an attack are paused",
    why="A model that sends people to a fraud, or that an attacker drives, does harm with every answer.",
    disrupts="Every caller of the deployment gets HTTP 423 until a person resumes it.",
    controls=("MCSB IR-4", "NIST 800-53 IR-4", "MITRE ATLAS AML.T0029"),
    sources=(
        Source("https://learn.microsoft.com/rest/api/aiservices/accountmanagement/deployments", date(2026, 11, 24)),
    ),
    types=(COGNITIVE_ACCOUNTS,),
    actions={
        COGNITIVE_ACCOUNTS.name: (
            "Microsoft.CognitiveServices/accounts/deployments/read",
            "Microsoft.CognitiveServices/accounts/deployments/pause/action",
        )
    },
    plan=_plan,
    children=("deployments",),
)
