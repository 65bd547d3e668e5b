"""Resource bodies as they came over the wire: JSON of unknown shape, so every step into one is checked.

Bodies are treated as values: nothing here changes one in place, so a body may be shared by state, journal and answer.
"""

from collections.abc import Collection
from copy import deepcopy

type Body = dict[str, object]


def section(body: object, name: str) -> Body:
    """The object under `name`; empty when it is absent or no object."""
    value = body.get(name) if isinstance(body, dict) else None
    return value if isinstance(value, dict) else {}


def at(body: object, path: str) -> object:
    """The value at a dotted path; None when any step is absent."""
    for step in path.split("."):
        body = body.get(step) if isinstance(body, dict) else None
    return body


def present(body: object, path: str) -> bool:
    """Whether the dotted path is there, be its value null."""
    *steps, last = path.split(".")
    for step in steps:
        body = body.get(step) if isinstance(body, dict) else None
    return isinstance(body, dict) and last in body


def with_value(body: Body, path: str, value: object) -> Body:
    """A copy in which the dotted path holds `value`; missing objects on the way are made."""
    step, _, rest = path.partition(".")
    return {**body, step: with_value(section(body, step), rest, value) if rest else value}


def without(body: Body, path: str) -> Body:
    """A copy in which the dotted path is absent."""
    step, _, rest = path.partition(".")
    if not rest:
        return {name: value for name, value in body.items() if name != step}
    return {**body, step: without(section(body, step), rest)} if step in body else body


def merge(target: Body, patch: Body, whole: Collection[str] = (), at_path: str = "") -> Body:
    """JSON merge patch (RFC 7386), but what stands at a path in `whole` is replaced, never merged.

    Resource providers merge `properties` and replace some objects below it; which ones is said per type in
    `providers`. Null removes a member.
    """
    merged = dict(target)
    for name, value in patch.items():
        path = f"{at_path}.{name}" if at_path else name
        if value is None:
            merged.pop(name, None)
        elif isinstance(value, dict) and path not in whole:
            merged[name] = merge(section(target, name), value, whole, path)
        else:
            merged[name] = deepcopy(value)
    return merged
