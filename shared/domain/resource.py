"""A live resource as rules see it: the raw ARM body, and what ties it to AI."""

from collections.abc import Iterator
from dataclasses import dataclass

from shared.domain.arm_id import ArmId, parse_arm_id
from shared.domain.body import Json, JsonObject, as_list, as_object, as_text, at
from shared.domain.resource_types import ResourceType, known_type

PROTECT_TAG = "airlock"
PROTECT_VALUE = "protect"


@dataclass(frozen=True, slots=True)
class Resource:
    """One read of one resource. `attached_to` are the AI resources known to use this one."""

    id: ArmId
    type: ResourceType
    body: JsonObject
    attached_to: frozenset[ArmId] = frozenset()

    def at(self, path: str) -> Json:
        """The value at a dotted path of the body; None where absent."""
        return at(self.body, path)

    def says(self, path: str, *values: str) -> bool:
        """Whether the enum or text at the path is one of the values, without case."""
        return as_text(self.at(path)).casefold() in {value.casefold() for value in values}

    @property
    def tags(self) -> dict[str, str]:
        """Tag names in lower case (Azure compares them so) with their values as they are."""
        tags = as_object(self.body.get("tags"))
        return {name.lower(): value for name, value in tags.items() if isinstance(value, str)}

    @property
    def location(self) -> str:
        """The region, empty if the body has none."""
        return as_text(self.body.get("location"))

    @property
    def kind(self) -> str:
        """The body's kind in lower case, empty if it has none."""
        return as_text(self.body.get("kind")).lower()

    @property
    def state(self) -> str:
        """The provisioning state in lower case; empty if the body does not say."""
        return as_text(self.at(self.type.state)).lower()

    @property
    def is_settled(self) -> bool:
        """Whether no operation is under way. A body without a state is settled."""
        return not self.state or self.state in self.type.settled

    @property
    def in_scope(self) -> bool:
        """AI types always; attachable ones when tagged `airlock=protect` or used by an AI resource."""
        tagged = self.tags.get(PROTECT_TAG, "").casefold() == PROTECT_VALUE
        return not self.type.attachable or tagged or bool(self.attached_to)

    def attachments(self) -> frozenset[ArmId]:
        """The judged resources of attachable types that this body names as its own."""
        return frozenset(self._attachments())

    def _attachments(self) -> Iterator[ArmId]:
        for path in self.type.names:
            for text in _texts(self.body, path.split(".")):
                try:
                    named = parse_arm_id(text)
                except ValueError:
                    continue  # some providers hold names or URLs here, which tie nothing
                kind = known_type(named.type)
                if kind is not None and kind.attachable:
                    yield named


def place_of(body: JsonObject) -> ArmId | None:
    """The id that a body tells of itself; None for one that cannot be addressed."""
    try:
        return parse_arm_id(as_text(body.get("id")))
    except ValueError:
        return None


def _texts(value: Json, path: list[str]) -> Iterator[str]:
    for item in as_list(value) if isinstance(value, list) else [value]:
        if path:
            yield from _texts(as_object(item).get(path[0]), path[1:])
        elif isinstance(item, list):
            yield from _texts(item, path)
        elif isinstance(item, str):
            yield item
