"""The JSON of an ARM resource: how two values compare, how a path is read, how a patch lands."""

from collections.abc import Iterator

type Json = bool | int | float | str | list[Json] | dict[str, Json] | None
type JsonObject = dict[str, Json]

_TRUE = frozenset({"true", "1"})
_FALSE = frozenset({"false", "0"})


def as_object(value: Json) -> JsonObject:
    """The value if it is an object, else an empty one: absence and null read alike."""
    return value if isinstance(value, dict) else {}


def as_list(value: Json) -> list[Json]:
    """The value if it is a list, else an empty one."""
    return value if isinstance(value, list) else []


def as_text(value: Json) -> str:
    """The value if it is a string, else the empty one."""
    return value if isinstance(value, str) else ""


def at(body: Json, path: str) -> Json:
    """The value at a dotted path (`properties.networkAcls.bypass`); None where any part is absent."""
    for name in path.split("."):
        if not isinstance(body, dict):
            return None
        body = body.get(name)
    return body


def same(left: Json, right: Json) -> bool:
    """Whether Azure means one thing by both.

    Enums and ARM ids compare without case; `1`, `"true"` and `true` are one value (Azure Resource
    Notifications sends booleans as 1 and 0); null and absent are one value at every depth.
    """
    if isinstance(left, dict) and isinstance(right, dict):
        return all(same(left.get(name), right.get(name)) for name in left.keys() | right.keys())
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(same, left, right))
    return _plain(left) == _plain(right)


def _plain(value: Json) -> object:
    if value is None or isinstance(value, list | dict):
        return value
    text = str(value).casefold()
    if text in _TRUE:
        return True
    if text in _FALSE:
        return False
    return text


def overlay(body: Json, patch: Json) -> Json:
    """A new value: the body as a JSON merge patch leaves it, with null kept as null.

    RFC 7386 removes a member that is patched with null; ARM's readers treat both alike and so does `same`,
    while a kept null can be compared and undone.
    """
    if not isinstance(patch, dict):
        return patch
    merged = dict(as_object(body))
    for name, value in patch.items():
        merged[name] = overlay(merged.get(name), value)
    return merged


def leaves(value: Json, prefix: str = "") -> Iterator[tuple[str, Json]]:
    """Every (dotted path, value) of an object that is not itself a non-empty object."""
    if isinstance(value, dict) and value:
        for name, child in value.items():
            yield from leaves(child, f"{prefix}.{name}" if prefix else name)
    elif prefix:
        yield prefix, value


def place(path: str, value: Json) -> JsonObject:
    """The smallest object that holds the value at the dotted path."""
    for name in reversed(path.split(".")):
        value = {name: value}
    return as_object(value)
