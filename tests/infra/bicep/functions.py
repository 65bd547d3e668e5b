"""Bicep's functions, as far as they need nothing but their arguments."""

import base64
import hashlib
import ipaddress
import itertools
import json
import re
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cmp_to_key
from types import MappingProxyType
from urllib.parse import quote, urljoin

from tests.infra.bicep.values import Closure, Fault, Runtime, Value, article, is_known, kind, text


@dataclass(frozen=True, slots=True)
class Function:
    """How many arguments it takes, and what it does. One that is `lenient` bears unknown parts in them."""

    least: int
    most: int | None
    call: Callable[..., Value]
    lenient: bool = False

    def takes(self, count: int) -> bool:
        """Whether it can be called with so many arguments."""
        return self.least <= count and (self.most is None or count <= self.most)


def call(name: str, shown: str, arguments: list[Value]) -> Value:
    """The function of that name on the arguments; `shown` is the call as it was written."""
    function = FUNCTIONS[name]
    if any(isinstance(argument, Runtime) for argument in arguments):
        return Runtime(shown)
    if not function.lenient and not all(isinstance(each, Closure) or is_known(each) for each in arguments):
        return Runtime(shown)
    try:
        return function.call(*arguments)
    except Fault as fault:
        if type(fault) is not Fault:
            raise
        raise Fault(f"{name}: {fault}") from fault


def _wrong(value: Value, due: str) -> Fault:
    return Fault(f"{article(kind(value))} where {article(due)} is due")


def _string(value: Value) -> str:
    if not isinstance(value, str):
        raise _wrong(value, "string")
    return value


def _number(value: Value) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise _wrong(value, "int")
    return value


def _list(value: Value) -> list[Value]:
    if not isinstance(value, list):
        raise _wrong(value, "array")
    return value


def _object(value: Value) -> dict[str, Value]:
    if not isinstance(value, dict):
        raise _wrong(value, "object")
    return value


def _closure(value: Value) -> Closure:
    if not isinstance(value, Closure):
        raise _wrong(value, "lambda")
    return value


def _truth(value: Value) -> bool:
    if isinstance(value, Runtime):
        raise Fault(f"{value} is not known before the deployment")
    if not isinstance(value, bool):
        raise _wrong(value, "bool")
    return value


def as_json(value: Value) -> object:
    """The value as JSON has it, with names in place of what is not known."""
    match value:
        case dict():
            return {key: as_json(each) for key, each in value.items()}
        case list():
            return [as_json(each) for each in value]
        case None | bool() | int() | str():
            return value
        case Runtime():
            return str(value)
    raise Fault(f"{article(kind(value))} is no JSON")


def equal(left: Value, right: Value) -> bool:
    """Equality as `==` has it: `1` is not `true`."""
    return as_json(left) == as_json(right) and isinstance(left, bool) == isinstance(right, bool)


def _union(*values: Value) -> Value:
    if isinstance(values[0], list):
        found: list[Value] = []
        for each in itertools.chain.from_iterable(map(_list, values)):
            if not any(equal(each, other) for other in found):
                found.append(each)
        return found
    merged: dict[str, Value] = {}
    for value in values:
        merged = _merged(merged, _object(value))
    return merged


def _merged(under: dict[str, Value], over: dict[str, Value]) -> dict[str, Value]:
    merged = dict(under)
    for key, value in over.items():
        old = merged.get(key)
        merged[key] = _merged(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return merged


def _intersection(*values: Value) -> Value:
    if isinstance(values[0], list):
        return [each for each in values[0] if all(any(equal(each, o) for o in _list(v)) for v in values[1:])]
    first, *others = map(_object, values)
    return {k: v for k, v in first.items() if all(k in other and equal(v, other[k]) for other in others)}


def _concat(*values: Value) -> Value:
    if isinstance(values[0], list):
        return list(itertools.chain.from_iterable(map(_list, values)))
    return "".join(map(text, values))


def _contains(container: Value, item: Value) -> Value:
    match container:
        case str() if not is_known(container) or not is_known(item):
            return Runtime("contains")
        case str():
            return text(item) in container
        case dict():
            return _string(item).lower() in {key.lower() for key in container}
        case list() if not is_known(container) or not is_known(item):
            return Runtime("contains")
        case list():
            return any(equal(each, item) for each in container)
    raise _wrong(container, "array")


def _empty(value: Value) -> Value:
    match value:
        case None:
            return True
        case str() if not is_known(value):
            return Runtime("empty")
        case str() | list() | dict():
            return not value
    raise _wrong(value, "array")


def _length(value: Value) -> Value:
    if isinstance(value, str) and not is_known(value):
        return Runtime("length")
    if isinstance(value, str | list | dict):
        return len(value)
    raise _wrong(value, "array")


def _first(value: Value) -> Value:
    return (value[:1] if isinstance(value, str) else next(iter(_list(value)), None)) if value else None


def _last(value: Value) -> Value:
    return (value[-1:] if isinstance(value, str) else _list(value)[-1]) if value else None


def _take(value: Value, count: Value) -> Value:
    return value[: max(_number(count), 0)] if isinstance(value, str) else _list(value)[: max(_number(count), 0)]


def _skip(value: Value, count: Value) -> Value:
    return value[max(_number(count), 0) :] if isinstance(value, str) else _list(value)[max(_number(count), 0) :]


def _substring(value: Value, start: Value, length: Value = None) -> str:
    whole, first = _string(value), _number(start)
    end = len(whole) if length is None else first + _number(length)
    if not 0 <= first <= end <= len(whole):
        raise Fault(f"{first} to {end} is outside of {whole!r}")
    return whole[first:end]


def _split(value: Value, delimiter: Value) -> list[Value]:
    at = [delimiter] if isinstance(delimiter, str) else _list(delimiter)
    return list(re.split("|".join(re.escape(_string(each)) for each in at), _string(value)))


def _format(pattern: Value, *values: Value) -> str:
    def filled(match: re.Match[str]) -> str:
        place = int(match[1])
        if place >= len(values):
            raise Fault(f"there is no argument {place}")
        return text(values[place])

    return re.sub(r"\{(\d+)[^}]*\}", filled, _string(pattern))


def _as_string(value: Value) -> str:
    return json.dumps(as_json(value), separators=(",", ":")) if isinstance(value, list | dict) else text(value)


def _as_int(value: Value) -> int:
    try:
        return int(text(value))
    except ValueError as error:
        raise Fault(f"{value!r} is no int") from error


def _as_bool(value: Value) -> bool:
    if isinstance(value, int):
        return bool(value)
    found = {"true": True, "false": False, "1": True, "0": False}.get(_string(value).lower())
    if found is None:
        raise Fault(f"{value!r} is no bool")
    return found


def parsed(document: str) -> Value:
    """The JSON as a value. Numbers with a fraction are kept as text, for Bicep has none."""
    try:
        found: Value = json.loads(document, parse_float=str)
    except ValueError as error:
        raise Fault(f"no JSON: {error}") from error
    return found


def _unique_string(*values: Value) -> str:
    digest = hashlib.sha256("-".join(map(_string, values)).encode()).digest()
    return base64.b32encode(digest).decode().lower()[:13]


def _guid(*values: Value) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_URL, "-".join(map(_string, values))))


def _range(start: Value, count: Value) -> list[Value]:
    return list(range(_number(start), _number(start) + _number(count)))


def _numbers(values: tuple[Value, ...]) -> list[int]:
    return [_number(each) for each in (_list(values[0]) if isinstance(values[0], list) else values)]


def _filter(values: Value, test: Value) -> list[Value]:
    return [each for place, each in enumerate(_list(values)) if _truth(_applied(test, each, place))]


def _map(values: Value, change: Value) -> list[Value]:
    return [_applied(change, each, place) for place, each in enumerate(_list(values))]


def _applied(function: Value, item: Value, place: int) -> Value:
    closure = _closure(function)
    return closure.call(item, place) if len(closure.parameters) == 2 else closure.call(item)


def _reduce(values: Value, start: Value, join: Value) -> Value:
    closure = _closure(join)
    for place, each in enumerate(_list(values)):
        more = (place,) if len(closure.parameters) == 3 else ()
        start = closure.call(start, each, *more)
    return start


def _sort(values: Value, before: Value) -> list[Value]:
    closure = _closure(before)
    return sorted(_list(values), key=cmp_to_key(lambda a, b: -1 if _truth(closure.call(a, b)) else 1))


def _to_object(values: Value, key: Value, change: Value = None) -> dict[str, Value]:
    key_of = _closure(key).call
    value_of = (lambda each: each) if change is None else _closure(change).call
    return {_string(key_of(each)): value_of(each) for each in _list(values)}


def _group_by(values: Value, key: Value) -> dict[str, Value]:
    groups: dict[str, list[Value]] = {}
    for each in _list(values):
        groups.setdefault(_string(_closure(key).call(each)), []).append(each)
    return dict(groups)


def _items(value: Value) -> list[Value]:
    # ARM sorts them by their keys.
    return [{"key": key, "value": each} for key, each in sorted(_object(value).items())]


def _object_keys(value: Value) -> list[Value]:
    keys: list[Value] = []
    keys += sorted(_object(value))
    return keys


def _flatten(values: Value) -> list[Value]:
    return list(itertools.chain.from_iterable(map(_list, _list(values))))


def _replace(value: Value, old: Value, new: Value) -> str:
    return _string(value).replace(_string(old), _string(new))


def _pad_left(value: Value, length: Value, filler: Value = " ") -> str:
    return text(value).rjust(_number(length), _string(filler))


def _cidr_subnet(network: Value, prefix: Value, place: Value) -> str:
    subnets = ipaddress.ip_network(_string(network)).subnets(new_prefix=_number(prefix))
    found = next(itertools.islice(subnets, _number(place), None), None)
    if found is None:
        raise Fault(f"{network} has no subnet {place} of /{prefix}")
    return str(found)


def _starts(value: Value, with_: Value) -> bool:
    return _string(value).lower().startswith(_string(with_).lower())


def _ends(value: Value, with_: Value) -> bool:
    return _string(value).lower().endswith(_string(with_).lower())


def _coalesce(*values: Value) -> Value:
    return next((each for each in values if each is not None), None)


def _index_of(value: Value, part: Value) -> int:
    if isinstance(value, list):
        return next((place for place, each in enumerate(value) if equal(each, part)), -1)
    return _string(value).lower().find(_string(part).lower())


def _fail(message: Value) -> Value:
    raise Fault(_string(message))


def _decoded(value: Value) -> str:
    return base64.b64decode(_string(value)).decode()


def _encoded(value: Value) -> str:
    return base64.b64encode(_string(value).encode()).decode()


FUNCTIONS: Mapping[str, Function] = MappingProxyType(
    {
        "any": Function(1, 1, lambda value: value, lenient=True),
        "array": Function(1, 1, lambda value: value if isinstance(value, list) else [value], lenient=True),
        "base64": Function(1, 1, _encoded),
        "base64ToString": Function(1, 1, _decoded),
        "bool": Function(1, 1, _as_bool),
        "cidrSubnet": Function(3, 3, _cidr_subnet),
        "coalesce": Function(1, None, _coalesce, lenient=True),
        "concat": Function(1, None, _concat, lenient=True),
        "contains": Function(2, 2, _contains, lenient=True),
        "createArray": Function(0, None, lambda *values: list(values), lenient=True),
        "empty": Function(1, 1, _empty, lenient=True),
        "endsWith": Function(2, 2, _ends),
        "fail": Function(1, 1, _fail),
        "filter": Function(2, 2, _filter, lenient=True),
        "first": Function(1, 1, _first, lenient=True),
        "flatten": Function(1, 1, _flatten, lenient=True),
        "format": Function(1, None, _format, lenient=True),
        "groupBy": Function(2, 2, _group_by, lenient=True),
        "guid": Function(1, None, _guid),
        "indexOf": Function(2, 2, _index_of),
        "int": Function(1, 1, _as_int),
        "intersection": Function(2, None, _intersection),
        "items": Function(1, 1, _items, lenient=True),
        "join": Function(2, 2, lambda values, by: _string(by).join(map(text, _list(values))), lenient=True),
        "json": Function(1, 1, lambda value: parsed(_string(value))),
        "last": Function(1, 1, _last, lenient=True),
        "length": Function(1, 1, _length, lenient=True),
        "map": Function(2, 2, _map, lenient=True),
        "mapValues": Function(
            2, 2, lambda value, change: {k: _closure(change).call(v) for k, v in _object(value).items()}, lenient=True
        ),
        "max": Function(1, None, lambda *values: max(_numbers(values))),
        "min": Function(1, None, lambda *values: min(_numbers(values))),
        "objectKeys": Function(1, 1, _object_keys, lenient=True),
        "padLeft": Function(2, 3, _pad_left),
        "range": Function(2, 2, _range),
        "reduce": Function(3, 3, _reduce, lenient=True),
        "replace": Function(3, 3, _replace),
        "shallowMerge": Function(
            1, 1, lambda values: {k: v for each in _list(values) for k, v in _object(each).items()}, lenient=True
        ),
        "skip": Function(2, 2, _skip),
        "sort": Function(2, 2, _sort, lenient=True),
        "split": Function(2, 2, _split),
        "startsWith": Function(2, 2, _starts),
        "string": Function(1, 1, _as_string, lenient=True),
        "substring": Function(2, 3, _substring),
        "take": Function(2, 2, _take),
        "toLower": Function(1, 1, lambda value: _string(value).lower()),
        "toObject": Function(2, 3, _to_object, lenient=True),
        "toUpper": Function(1, 1, lambda value: _string(value).upper()),
        "trim": Function(1, 1, lambda value: _string(value).strip()),
        "union": Function(2, None, _union, lenient=True),
        "uniqueString": Function(1, None, _unique_string),
        "uri": Function(2, 2, lambda base, path: urljoin(_string(base), _string(path))),
        "uriComponent": Function(1, 1, lambda value: quote(_string(value), safe="")),
    }
)
