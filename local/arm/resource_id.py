"""ARM addresses: what a request path names.

Shapes (Azure Resource Manager, "Resource ID", reviewed 2026-11): a subscription, a resource group, a resource under
either, a child, an extension under any of them; or a collection, which is a resource path without its last name.
"""

from dataclasses import dataclass

SUBSCRIPTION = "Microsoft.Resources/subscriptions"
GROUP = "Microsoft.Resources/subscriptions/resourceGroups"


def key(resource_id: str) -> str:
    """Ids compare without case and without a slash at the end."""
    return resource_id.rstrip("/").lower()


def inside(resource_id: str, scope: str) -> bool:
    """Whether the id is the scope itself or anything below it."""
    return key(resource_id) == key(scope) or key(resource_id).startswith(key(scope) + "/")


@dataclass(frozen=True, slots=True)
class Address:
    """One request path.

    `name` is None for a collection. `type` is empty for the collection of whatever a subscription or a group holds.
    `scope` is what carries the resource: a subscription, a group, or for an extension another resource.
    """

    path: str
    subscription: str
    group: str | None
    scope: str
    type: str
    name: str | None

    @property
    def namespace(self) -> str:
        """The resource provider, such as Microsoft.Search."""
        return self.type.partition("/")[0]

    @property
    def is_container(self) -> bool:
        """A subscription or a resource group."""
        return self.type in {SUBSCRIPTION, GROUP}

    @property
    def group_path(self) -> str:
        """The id of the resource group; only of use where `group` is not None."""
        return f"/subscriptions/{self.subscription}/resourceGroups/{self.group}"

    @property
    def body_type(self) -> str:
        """What a body says as its `type`: the same, but for groups."""
        return "Microsoft.Resources/resourceGroups" if self.type == GROUP else self.type

    @property
    def is_child(self) -> bool:
        """A resource of a nested type, such as accounts/deployments."""
        return self.type.count("/") > 1 and not self.is_container

    @property
    def parent(self) -> str:
        """What a child lives in: its parent resource, or its scope when the type has one segment."""
        return self.path.rsplit("/", 2)[0] if self.is_child else self.scope

    @property
    def is_extension(self) -> bool:
        """A resource that another resource carries, such as a lock or a diagnostic setting."""
        return "/providers/" in self.scope.lower()


def parse(path: str) -> Address | None:
    """Read a decoded request path; None when it is no path that ARM serves."""
    steps = path.strip("/").split("/")
    lowered = [step.lower() for step in steps]
    if not all(steps) or len(steps) < 2 or lowered[0] != "subscriptions":
        return None
    group = steps[3] if len(steps) > 3 and lowered[2] == "resourcegroups" else None
    last = max((i for i, step in enumerate(lowered) if step == "providers" and i % 2 == 0), default=None)
    if last is None:
        return _container(steps, lowered, group)
    kind = steps[last + 1 :]
    if len(kind) < 2:
        return None
    return Address(
        path="/" + "/".join(steps),
        subscription=steps[1],
        group=group,
        scope="/" + "/".join(steps[:last]),
        type="/".join([kind[0], *kind[1::2]]),
        name=kind[-1] if len(kind) % 2 else None,
    )


def _container(steps: list[str], lowered: list[str], group: str | None) -> Address | None:
    name: str | None
    match lowered[2:]:
        case []:
            scope, kind, name = steps, SUBSCRIPTION, steps[1]
        case ["resourcegroups", _]:
            scope, kind, name = steps[:2], GROUP, steps[3]
        case ["resourcegroups"]:
            scope, kind, name = steps[:2], GROUP, None
        case ["resources"] | ["resourcegroups", _, "resources"]:
            scope, kind, name = steps[:-1], "", None
        case _:
            return None
    return Address("/" + "/".join(steps), steps[1], group, "/" + "/".join(scope), kind, name)
