"""What a response is: prose for people, and the acts with which an incident is answered on one resource."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from shared.domain.act import Act
from shared.domain.arm_id import ArmId
from shared.domain.body import JsonObject
from shared.domain.guards import Guard
from shared.domain.incident import Incident
from shared.domain.mode import Mode
from shared.domain.remediation import Source
from shared.domain.resource import Resource, place_of
from shared.domain.resource_types import COGNITIVE_ACCOUNTS, ResourceType

# More deployments than an account may have by default; what is beyond needs a person.
_MOST_DEPLOYMENTS = 64

type Children = Mapping[str, Sequence[JsonObject]]


@dataclass(frozen=True, slots=True)
class Plan:
    """What a response would do to a resource: the acts in their order, empty where there is nothing (more) to do.

    `reason` says in words what they come to, or why there is none.
    """

    acts: tuple[Act, ...]
    reason: str


@dataclass(frozen=True, slots=True)
class Response:
    """A named act, switched like a remediation. The name is imperative; the ref is never used again.

    `plan` is a pure function of the live resource, the incident, the child resources that `children` names (by the
    last part of their type, as ARM lists them) and the effective mode. `guards` must all pass before its acts are
    performed. `actions` are the RBAC actions that it needs, by the type's full name.
    """

    ref: str
    name: str
    title: str
    why: str
    disrupts: str
    controls: tuple[str, ...]
    sources: tuple[Source, ...]
    types: tuple[ResourceType, ...]
    actions: Mapping[str, tuple[str, ...]]
    plan: Callable[[Resource, Incident, Children, Mode], Plan]
    children: tuple[str, ...] = ()
    guards: tuple[Guard, ...] = ()

    def rule_id(self, kind: ResourceType) -> str:
        """As in records: `AIR-101/storage`."""
        return f"{self.ref}/{kind.slug}"


def affected_deployments(incident: Incident, children: Children) -> Sequence[tuple[ArmId, JsonObject]]:
    """The deployments of the account that the incident's alert names, whether they are there or not; all of them
    where it names none."""
    named = {each.key for each in incident.alert.resources if _is_deployment(each)} if incident.alert else set()
    found = [(place, body) for body in children.get("deployments", ()) if (place := place_of(body)) is not None]
    chosen = [(place, body) for place, body in found if place.key in named] if named else found
    return chosen[:_MOST_DEPLOYMENTS]


def _is_deployment(named: ArmId) -> bool:
    return named.type.lower() == f"{COGNITIVE_ACCOUNTS.name}/deployments".lower()
