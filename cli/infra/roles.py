"""Azure roles: what the catalogue can do, as least privilege. One that reads, one for each thing that writes."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from shared.domain.body import Json
from shared.domain.catalogue import Catalogue
from shared.domain.remediation import Remediation
from shared.domain.resource_types import ENGINE_READS, RESOURCE_TYPES
from shared.domain.response import Response
from shared.domain.settings import switch, switches_of

READER = "reader"
_KEYS = "keys/action"


@dataclass(frozen=True, slots=True)
class Role:
    """A custom role. `switches` are the app settings any of which lets it be needed when it says enforce; the first
    stands for all types. None means that the role is needed always."""

    name: str
    description: str
    actions: tuple[str, ...]
    switches: tuple[str, ...] = ()

    def as_json(self) -> Json:
        """As the deployment reads it."""
        return {
            "name": self.name,
            "description": self.description,
            "actions": list(self.actions),
            "switches": list(self.switches),
        }


def roles(catalogue: Catalogue) -> tuple[Role, ...]:
    """The reader, then each writer in the order of its remediation or response; listing and regenerating keys apart."""
    acts: tuple[Remediation | Response, ...] = (*catalogue.remediations, *catalogue.responses)
    return (_reader(acts), *(role for act in acts for role in _writers(act)))


def needed(act: Remediation | Response) -> frozenset[str]:
    """Every RBAC action that the act says it needs."""
    if isinstance(act, Remediation):
        return frozenset(action for rule in act.rules for action in rule.actions)
    return frozenset(action for actions in act.actions.values() for action in actions)


def _reader(acts: Iterable[Remediation | Response]) -> Role:
    read = {f"{kind.name}/read" for kind in RESOURCE_TYPES}
    declared = {action for act in acts for action in needed(act) if _is_read(action)}
    what = "Reads the AI resources that Airlock judges, and nothing else. Enough for audit mode."
    return Role(READER, what, _ordered(read | declared | set(ENGINE_READS)))


def _writers(act: Remediation | Response) -> Iterator[Role]:
    own = {action for action in needed(act) if not _is_read(action)}
    lists = {action for action in own if action.lower().endswith(_KEYS)}
    names = tuple(switches_of(act))
    if lists:
        what = f"Lists keys: none is regenerated before it is proven that it was exposed ({act.ref} {act.name})."
        yield Role(f"list-keys-for-{act.name}", what, _ordered(lists), names)
    if own - lists:
        what = f"{act.ref} {act.name}: {act.title[0].lower()}{act.title[1:]}. Needed where {switch(act)} is enforce."
        yield Role(act.name, what, _ordered(own - lists), names)


def _is_read(action: str) -> bool:
    return action.endswith("/read")


def _ordered(actions: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(actions, key=str.lower))
