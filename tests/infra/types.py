"""Bodies of resources against Azure's own type data, which lies beside the checkout where it is there at all."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

from shared.domain.body import Json, JsonObject, as_object, as_text
from tests.infra.bicep import Deployed, Runtime, Value
from tests.infra.bicep.syntax import Array, Expr, Literal, Loop, Object, Resource, Source, Ternary, Text
from tests.infra.bicep.values import is_literal, kind
from tests.infra.estate import REPOSITORY, Estate, estate, read_json

DATA = REPOSITORY.parent / "shared" / "bicep" / "types.json"
_REQUIRED, _READ_ONLY = 1, 2
_NOT_OF_THE_BODY = {"parent", "scope", "dependsOn"}
_NOT_OF_A_TEMPLATE = {
    "type",
    "apiVersion",
    "name",
    "dependsOn",
    "condition",
    "copy",
    "comments",
    "scope",
    "resourceGroup",
}
_NEVER_SAID = {"id", "type", "apiVersion"}
# Values that Azure takes although its type data do not name them.
_TOLERATED = MappingProxyType({"Microsoft.Insights/dataCollectionRules": ("Direct", "Custom-")})
_KINDS = MappingProxyType(
    {"str": "string", "int": "int", "bool": "bool", "arr": "array", "obj": "object", "disc": "object"}
)
# So many ways of writing one body are tried.
_MOST_WRITINGS = 64


@dataclass(frozen=True, slots=True)
class TypeData:
    """The types by their numbers, and the number of each resource type with its version, in lower case."""

    types: Mapping[str, Mapping[str, Any]]
    resources: Mapping[str, str]

    def find(self, type_: str, version: str) -> str | None:
        """The number of the type."""
        return self.resources.get(f"{type_}@{version}".lower())


@cache
def type_data() -> TypeData | None:
    """The data, if they are here."""
    if not DATA.exists():
        return None
    found = json.loads(DATA.read_text(encoding="utf-8"))
    return TypeData(found["types"], {name.lower(): number for name, number in found["resources"].items()})


def problems(root: Path) -> list[str]:
    """What Azure would not take; nothing where there are no type data."""
    data = type_data()
    if data is None:
        return []
    whole = estate(root)
    found = [*_rendered(whole, data), *_written(whole, data), *_templates(whole, data)]
    return whole.told(found)


def _rendered(whole: Estate, data: TypeData) -> Iterator[str]:
    for name, evaluated in (*whole.rendered.items(), *whole.rollouts.items()):
        for resource in evaluated.deployment.resources:
            if not resource.existing:
                yield from (f"{name}: {resource.place}: {each}" for each in problems_of(data, resource))


def problems_of(data: TypeData, resource: Deployed) -> Iterator[str]:
    """What is wrong with one rendered body."""
    number = data.find(resource.type, resource.api_version)
    if number is None:
        yield f"unknown type {resource.type}@{resource.api_version}"
    else:
        yield from Check(data, resource.type).body(number, dict(resource.body))


def _written(whole: Estate, data: TypeData) -> Iterator[str]:
    """The bodies as they are written, with the branches that no rendering takes."""
    for path, source in whole.sources.items():
        for resource, type_, version in resources_in(source):
            number = data.find(type_, version)
            if number is None:
                yield f"{whole.where(path)}:{resource.at.line}: unknown type {type_}@{version}"
            elif not resource.existing:
                where = f"{whole.where(path)}:{resource.at.line}"
                yield from (f"{where}: {each}" for each in problems_as_written(data, number, type_, resource.body))


def problems_as_written(data: TypeData, number: str, type_: str, body: Object) -> Iterator[str]:
    """What is wrong with any way in which the body can come out."""
    for writing in writings(body):
        if isinstance(writing, dict):
            told = {key: value for key, value in writing.items() if key not in _NOT_OF_THE_BODY}
            yield from Check(data, type_).body(number, told)


def resources_in(source: Source) -> Iterator[tuple[Resource, str, str]]:
    """Every resource with its whole type and its version, nested ones included."""

    def below(resource: Resource, above: str, version: str) -> Iterator[tuple[Resource, str, str]]:
        type_, version = f"{above}{resource.type}", resource.api_version or version
        yield resource, type_, version
        for each in resource.body.resources:
            yield from below(each, f"{type_}/", version)

    for resource in source.of(Resource):
        yield from below(resource, "", "")


def writings(node: Expr) -> list[Value]:  # noqa: PLR0911 - one line for each kind
    """What the expression can come to, as far as it is written out. The first way differs from others in one place."""
    match node:
        case Literal(value=value):
            return [value]
        case Text(plain=str(plain)):
            return [plain]
        case Ternary(yes=yes, no=no):
            return [*writings(yes), *writings(no)]
        case Array(items=items):
            return [list(each.values()) for each in _combined({str(place): item for place, item in enumerate(items)})]
        case Loop(body=body):
            return [[each] for each in writings(body)]
        case Object(entries=entries):
            return [*_combined({each.key.plain: each.value for each in entries if each.key.plain is not None})]
        case _:
            return [Runtime("unknown")]


def _combined(parts: Mapping[str, Expr]) -> list[dict[str, Value]]:
    ways = {key: writings(value) for key, value in parts.items()}
    first: dict[str, Value] = {key: values[0] for key, values in ways.items()}
    others = [{**first, key: value} for key, values in ways.items() for value in values[1:]]
    return [first, *others][:_MOST_WRITINGS]


# Templates inside of policies


def _templates(whole: Estate, data: TypeData) -> Iterator[str]:
    for path in sorted((whole.infra / "rollout").rglob("*.json")):
        for body in _template_resources(read_json(path)):
            type_, version = as_text(body["type"]), as_text(body["apiVersion"])
            number = data.find(type_, version)
            told = {key: _value(value) for key, value in body.items() if key not in _NOT_OF_A_TEMPLATE}
            if number is None:
                yield f"{whole.where(path)}: unknown type {type_}@{version}"
            else:
                # The name is an expression as a rule, and made of several parts.
                check = Check(data, type_).body(number, {"name": Runtime("name"), **told})
                yield from (f"{whole.where(path)}: {each}" for each in check)


def _template_resources(value: Json) -> Iterator[JsonObject]:
    if isinstance(value, dict) and {"type", "apiVersion", "name"} <= value.keys():
        if value["type"] != "Microsoft.Resources/deployments":
            yield value
        else:
            yield from _template_resources(as_object(value.get("properties")))
        return
    for each in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _template_resources(each)


def _value(value: Json) -> Value:
    """The template's JSON with its expressions as what is not known."""
    match value:
        case dict():
            return {key: _value(each) for key, each in value.items()}
        case list():
            return [_value(each) for each in value]
        case str() if value.startswith("[") and not value.startswith("[["):
            return Runtime(value)
        case float():
            return int(value)
        case _:
            return value


# One body


@dataclass(frozen=True, slots=True)
class Check:
    """The type data on bodies of one resource type. What is not known is taken to fit."""

    data: TypeData
    type: str

    def body(self, number: str, body: Mapping[str, Value]) -> Iterator[str]:
        """What is wrong with the whole body."""
        told = dict(body)
        if isinstance(name := told.get("name"), str) and "/" in name:
            # The types know a child by its own name alone.
            told["name"] = name.rsplit("/", 1)[-1]
        yield from self._value(number, told, self.type)

    def _value(self, number: str, value: Value, where: str) -> Iterator[str]:
        type_ = self.data.types[number]
        if value is None or isinstance(value, Runtime) or type_["k"] == "any":
            return
        match type_["k"]:
            case "union":
                yield from self._union(type_, value, where)
            case "lit":
                if value != type_["v"]:
                    yield f"{where} is {value!r}, {type_['v']!r} is due"
            case "disc" if isinstance(value, dict):
                yield from self._discriminated(type_, value, where)
            case "obj" if isinstance(value, dict):
                yield from self._properties(type_, value, where)
            case "arr" if isinstance(value, list):
                for place, each in enumerate(value):
                    yield from self._value(type_["i"], each, f"{where}[{place}]")
            case known if kind(value) != _KINDS[known]:
                yield f"{where} is a {kind(value)}, a {_KINDS[known]} is due"

    def _union(self, type_: Mapping[str, Any], value: Value, where: str) -> Iterator[str]:
        members = [self.data.types[each] for each in type_["e"]]
        literals = [each["v"] for each in members if each["k"] == "lit"]
        is_open = any(each["k"] == "str" for each in members)
        if not isinstance(value, str):
            yield f"{where} is a {kind(value)}, one of {literals} is due"
        elif literals and is_literal(value) and value not in literals and not self._tolerates(value, is_open=is_open):
            yield f"{where} is {value!r}, which is not one of {literals}"

    def _tolerates(self, value: str, *, is_open: bool) -> bool:
        return is_open and value.startswith(_TOLERATED.get(self.type, ()))

    def _discriminated(self, type_: Mapping[str, Any], value: dict[str, Value], where: str) -> Iterator[str]:
        tag = value.get(type_["d"])
        if isinstance(tag, Runtime):
            return
        if not isinstance(tag, str) or tag not in type_["e"]:
            yield f"{where}.{type_['d']} is {tag!r}, which is not one of {sorted(type_['e'])}"
            return
        chosen = self.data.types[type_["e"][tag]]
        yield from self._properties({**chosen, "p": {**type_["p"], **chosen["p"]}}, value, where)

    def _properties(self, type_: Mapping[str, Any], value: dict[str, Value], where: str) -> Iterator[str]:
        known = type_["p"]
        for name, each in value.items():
            if name not in known:
                yield from self._unknown(type_, name, each, where)
            elif known[name]["f"] & _READ_ONLY:
                yield f"{where}.{name} is read-only"
            else:
                yield from self._value(known[name]["t"], each, f"{where}.{name}")
        due = {name for name, each in known.items() if each["f"] & _REQUIRED and not each["f"] & _READ_ONLY}
        yield from (f"{where}.{name} is missing" for name in sorted(due - value.keys() - _NEVER_SAID))

    def _unknown(self, type_: Mapping[str, Any], name: str, value: Value, where: str) -> Iterator[str]:
        if "a" in type_:
            yield from self._value(type_["a"], value, f"{where}.{name}")
            return
        near = next((known for known in type_["p"] if known.lower() == name.lower()), None)
        yield f"{where} has no {name!r}" + (f", it has {near!r}" if near else "")
