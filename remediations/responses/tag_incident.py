"""AIR-102: a resource in an incident carries a tag that says so."""

from datetime import date

from shared.domain.act import Command
from shared.domain.change import Change
from shared.domain.incident import Incident
from shared.domain.mode import Mode
from shared.domain.remediation import Source
from shared.domain.resource import Resource
from shared.domain.resource_types import COGNITIVE_ACCOUNTS, ML_WORKSPACES, SEARCH, STORAGE
from shared.domain.response import Children, Plan, Response

_TAG = "airlock-incident"
# Microsoft.Resources tags, azure-rest-api-specs resources 2021-04-01, read 2026-11-24: Merge leaves other tags alone.
_API_VERSION = "2021-04-01"


def _plan(resource: Resource, incident: Incident, _: Children, mode: Mode) -> Plan:
    """The tag names the last incident; one that is there already is left."""
    value = incident.name[:256]
    if resource.tags.get(_TAG) == value:
        return Plan((), "the resource carries the tag already")
    tag = Command(
        target=resource.id,
        api_version=_API_VERSION,
        method="PATCH",
        suffix="/providers/Microsoft.Resources/tags/default",
        body={"operation": "Merge", "properties": {"tags": {_TAG: value}}},
        what=f"tagged {_TAG}={value}",
        changes=(Change(f"tags.{_TAG}", resource.tags.get(_TAG), value),),
        shown={"tags": {_TAG: value}},
        read_api_version=resource.type.api_version,
        mode=mode,
    )
    return Plan((tag,), f"tag the resource with {_TAG}={value}")


RESPONSE = Response(
    ref="AIR-102",
    name="tag-incident",
    title="A resource in an incident carries a tag that says so",
    why="Whoever works with the resource next sees at once that it is part of an incident, and which.",
    disrupts="Nobody; pipelines that own all tags of a resource will show a difference.",
    controls=("MCSB IR-3", "NIST 800-53 IR-5"),
    sources=(
        Source("https://learn.microsoft.com/azure/azure-resource-manager/management/tag-resources", date(2026, 11, 24)),
    ),
    types=(COGNITIVE_ACCOUNTS, SEARCH, ML_WORKSPACES, STORAGE),
    actions={
        kind.name: ("Microsoft.Resources/tags/write",) for kind in (COGNITIVE_ACCOUNTS, SEARCH, ML_WORKSPACES, STORAGE)
    },
    plan=_plan,
)
