"""Whether a value fits the type and the decorators of a parameter or an output."""

from collections.abc import Iterator

from tests.infra.bicep.functions import equal
from tests.infra.bicep.syntax import (
    Array,
    ArrayType,
    Decorator,
    Expr,
    Literal,
    LiteralType,
    NamedType,
    NullableType,
    ObjectType,
    Source,
    Text,
    Type,
    TypeName,
    UnionType,
)
from tests.infra.bicep.values import Fault, Value, article, is_known, kind

_PLAIN = ("string", "int", "bool", "object", "array")


def misfits(value: Value, of: Type, source: Source, where: str) -> Iterator[str]:  # noqa: C901 - one case for each kind
    """What is wrong with the value. What is not known yet is taken to fit."""
    match of:
        case NullableType(inner=inner):
            if value is not None:
                yield from misfits(value, inner, source, where)
        case NamedType(name=name) if isinstance(named := source.find(name), TypeName):
            yield from misfits(value, named.type, source, where)
        case NamedType(name=name) if name not in _PLAIN:
            raise Fault(f"unknown type {name!r}")
        case NamedType(name=name):
            if kind(value) in {*_PLAIN, "null"} and kind(value) != name:
                yield f"{where} is {article(kind(value))}, {article(name)} is due"
        case LiteralType(value=due):
            if is_known(value) and not equal(value, due):
                yield f"{where} is {value!r}, {due!r} is due"
        case UnionType(members=members):
            if all(any(misfits(value, member, source, where)) for member in members):
                yield f"{where} is {value!r}, which is none of its values"
        case ArrayType(item=item):
            yield from _array_misfits(value, item, source, where)
        case ObjectType():
            yield from _object_misfits(value, of, source, where)


def _array_misfits(value: Value, item: Type, source: Source, where: str) -> Iterator[str]:
    if isinstance(value, list):
        for place, each in enumerate(value):
            yield from misfits(each, item, source, f"{where}[{place}]")
    elif kind(value) in {*_PLAIN, "null"}:
        yield f"{where} is {article(kind(value))}, an array is due"


def _object_misfits(value: Value, of: ObjectType, source: Source, where: str) -> Iterator[str]:
    if not isinstance(value, dict):
        if kind(value) in {*_PLAIN, "null"}:
            yield f"{where} is {article(kind(value))}, an object is due"
        return
    named = dict(of.properties)
    for name, each in named.items():
        if name in value or not isinstance(each, NullableType):
            missing = name not in value
            yield from (
                [f"{where}.{name} is missing"] if missing else misfits(value[name], each, source, f"{where}.{name}")
            )
    for name in value.keys() - named.keys():
        if of.rest is None:
            yield f"{where} has no property {name!r}"
        else:
            yield from misfits(value[name], of.rest, source, f"{where}.{name}")


def refused(value: Value, decorators: tuple[Decorator, ...], where: str) -> Iterator[str]:  # noqa: C901 - one case for each decorator
    """What the decorators have against the value."""
    if not is_known(value) or value is None:
        return
    for decorator in decorators:
        limit = _constant(decorator.arguments[0]) if decorator.arguments else None
        match decorator.name, limit, value:
            case "allowed", list(), list():
                for each in value:
                    if not any(equal(each, one) for one in limit):
                        yield f"{where} has {each!r}, which is not one of {limit}"
            case "allowed", list(), _:
                if not any(equal(value, one) for one in limit):
                    yield f"{where} is {value!r}, which is not one of {limit}"
            case ("minLength" | "maxLength") as name, int(), str() | list():
                if (len(value) < limit) if name == "minLength" else (len(value) > limit):
                    yield f"{where} has the length {len(value)}, the {name} is {limit}"
            case ("minValue" | "maxValue") as name, int(), int():
                if (value < limit) if name == "minValue" else (value > limit):
                    yield f"{where} is {value}, the {name} is {limit}"


def _constant(node: Expr) -> Value:
    match node:
        case Literal(value=value):
            return value
        case Text(plain=str(plain)):
            return plain
        case Array(items=items):
            return [_constant(item) for item in items]
    return None
