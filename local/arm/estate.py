"""What exists: every resource by its id, the groups and subscriptions they imply, and how each looked before."""

from collections import Counter
from collections.abc import Iterable, Iterator
from copy import deepcopy
from dataclasses import dataclass

from local.arm.body import Body, at, section, with_value
from local.arm.links import standing
from local.arm.resource_id import Address, inside, key, parse

# Children that their parent's body also shows. They may stand in the estate in either place.
EMBEDDED = ("privateEndpointConnections", "securityRules", "subnets")


@dataclass(frozen=True, slots=True)
class Earlier:
    """How a resource was before its last write; a body of None means that it did not exist."""

    body: Body | None


class Estate:
    """The mutable state of the simulated Azure.

    Built from ARM bodies, each with a string `id`; children and extensions are bodies of their own. Bodies are
    copied in and out, so neither side sees the other's changes.

    Raises ValueError for a body without a usable id, and for two bodies of one id.
    """

    def __init__(self, bodies: Iterable[Body] = ()) -> None:
        self._bodies: dict[str, Body] = {}
        self._below: dict[str, dict[str, None]] = {}
        self._earlier: dict[str, Earlier] = {}
        self._writes: Counter[str] = Counter()
        self._groups: dict[str, str] = {}
        for body in bodies:
            if key(_id_of(body)) in self._bodies:
                raise ValueError(f"Two bodies of one id: {body['id']}")
            self._place(deepcopy(body))
        self._standing = standing(self._bodies.values())

    def __len__(self) -> int:
        return len(self._bodies)

    def __iter__(self) -> Iterator[Body]:
        return iter(self._bodies.values())

    def export(self) -> list[Body]:
        """All bodies in the form and the order they came; what was created since stands at the end."""
        return deepcopy(list(self._bodies.values()))

    def find(self, resource_id: str) -> Body | None:
        """The body as it is kept. Not to be changed in place."""
        return self._bodies.get(key(resource_id))

    def version(self, resource_id: str) -> int:
        """How often the resource was written to since the start."""
        return self._writes[key(resource_id)]

    def earlier(self, resource_id: str) -> Earlier | None:
        """The state before the last write; None when nothing was written since the start."""
        return self._earlier.get(key(resource_id))

    def view(self, resource_id: str) -> Body | None:
        """The body as a GET shows it: with the embedded children that are kept as bodies of their own.

        An embedded child that is kept only inside its parent is found too.
        """
        body = self.find(resource_id)
        if body is None:
            return self._embedded(resource_id)
        for segment in EMBEDDED:
            own = {key(str(child["id"])): child for child in self.children(resource_id, segment)}
            if own:
                rest = [item for item in _items(body, segment) if key(str(item.get("id"))) not in own]
                body = with_value(body, f"properties.{segment}", [*rest, *own.values()])
        return self._connected(body)

    def _connected(self, body: Body) -> Body:
        """The body with the connections of the endpoints that stood in the estate, where it does not show them yet."""
        segment = "privateEndpointConnections"
        shown = _items(body, segment)
        seen = {key(str(at(item, "properties.privateEndpoint.id"))) for item in shown}
        more = [
            item
            for item in self._standing.get(key(str(body["id"])), [])
            if key(str(at(item, "properties.privateEndpoint.id"))) not in seen
        ]
        return with_value(body, f"properties.{segment}", [*shown, *more]) if more else body

    def children(self, scope: str, segment: str) -> list[Body]:
        """The bodies right below `scope`/`segment`, such as the deployments of an account."""
        prefix = f"{key(scope)}/{segment.lower()}/"
        parent = prefix.rstrip("/").rpartition("/")[0]
        return [self._bodies[name] for name in self._below.get(parent, {}) if name.startswith(prefix)]

    def collection(self, address: Address) -> list[Body]:
        """The bodies that a collection address lists; at subscription level, those of every group."""
        scope, _, segment = address.path.rpartition("/")
        found = self.children(scope, segment)
        embedded = _spelling(segment)
        if embedded is not None and (owner := self.view(scope)) is not None:
            return _items(owner, embedded)
        if found or address.group is not None or address.is_child:
            return found
        return [body for body in self if _is_of_type(body, address)]

    def write(self, body: Body) -> None:
        """Create or replace a resource; its last place in the order is kept."""
        name = key(str(body["id"]))
        self._earlier[name] = Earlier(self._bodies.get(name))
        self._writes[name] += 1
        self._place(body)

    def settle(self, body: Body) -> None:
        """Replace a body without a write: what the provider does by itself leaves no earlier state."""
        self._place(body)

    def take_in(self, body: Body) -> None:
        """Let a resource stand here that no request wrote, in place of one of that id.

        Raises ValueError for a body without a usable id.
        """
        _id_of(body)
        self._place(deepcopy(body))

    def remove(self, resource_id: str) -> None:
        """Delete a resource with its children and extensions."""
        for name in [name for name in self._bodies if inside(name, resource_id)]:
            self._earlier[name] = Earlier(self._bodies.pop(name))
            self._below[_parent(name)].pop(name)
        self._groups.pop(key(resource_id), None)
        if self._embedded(resource_id) is not None:
            self._drop_embedded(resource_id)

    def group(self, group_id: str) -> str | None:
        """The group's id as it was first spelled; None when there is no such group."""
        return self._groups.get(key(group_id))

    def groups(self, subscription: str) -> list[str]:
        """Ids of the groups in a subscription."""
        return [group for group in self._groups.values() if inside(group, f"/subscriptions/{subscription}")]

    def subscriptions(self) -> list[str]:
        """Ids of the subscriptions that anything in the estate is in, as they were first spelled."""
        found: dict[str, str] = {}
        for resource_id in (*self._groups.values(), *(str(body["id"]) for body in self)):
            address = parse(resource_id)
            if address is not None:
                found.setdefault(address.subscription.lower(), address.subscription)
        return list(found.values())

    def has_subscription(self, subscription: str) -> bool:
        """A subscription exists when anything in the estate is in it."""
        scope = f"/subscriptions/{subscription}"
        return bool(self.groups(subscription)) or any(inside(name, scope) for name in self._bodies)

    def _place(self, body: Body) -> None:
        resource_id = str(body["id"])
        name = key(resource_id)
        self._bodies[name] = body
        self._below.setdefault(_parent(name), {})[name] = None
        address = parse(resource_id)
        if address is not None and address.group is not None:
            group = f"/subscriptions/{address.subscription}/resourceGroups/{address.group}"
            self._groups.setdefault(key(group), group)

    def _embedded(self, resource_id: str) -> Body | None:
        owner_id, segment, _ = key(resource_id).rsplit("/", 2)
        owner, embedded = self.find(owner_id), _spelling(segment)
        inline = _items(owner, embedded) if owner is not None and embedded is not None else []
        return next((item for item in inline if key(str(item.get("id"))) == key(resource_id)), None)

    def _drop_embedded(self, resource_id: str) -> None:
        owner_id, segment, _ = key(resource_id).rsplit("/", 2)
        owner, embedded = self.find(owner_id), _spelling(segment)
        if owner is not None and embedded is not None:
            rest = [item for item in _items(owner, embedded) if key(str(item.get("id"))) != key(resource_id)]
            self._place(with_value(owner, f"properties.{embedded}", rest))


def _id_of(body: Body) -> str:
    resource_id = body.get("id")
    if not isinstance(resource_id, str) or parse(resource_id) is None:
        raise ValueError(f"Not an ARM resource id: {resource_id!r}")
    return resource_id


def _parent(name: str) -> str:
    return name.rsplit("/", 2)[0]


def _spelling(segment: str) -> str | None:
    return next((name for name in EMBEDDED if name.lower() == segment.lower()), None)


def _items(body: Body, segment: str) -> list[Body]:
    inline = section(body, "properties").get(segment)
    return [item for item in inline if isinstance(item, dict)] if isinstance(inline, list) else []


def _is_of_type(body: Body, address: Address) -> bool:
    found = parse(str(body["id"]))
    return (
        found is not None
        and found.type.lower() == address.type.lower()
        and found.subscription.lower() == address.subscription.lower()
        and not found.is_extension
    )
