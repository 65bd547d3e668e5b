"""What an Event Grid subscription lets through: its filter, as Microsoft documents it.

learn.microsoft.com/azure/event-grid/event-filtering: all filters must hold, of the values of one filter any; text
compares without case; a key that is missing holds for no operator but NumberNotIn, StringNotIn and IsNullOrUndefined.
"""

import operator
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from shared.domain.body import Json, JsonObject, as_list, as_object, as_text

MOST_FILTERS = 25
MOST_VALUES = 25
LONGEST_VALUE = 512

_ENVELOPES = MappingProxyType(
    {
        "EventGridSchema": ("id", "topic", "subject", "eventType", "dataVersion"),
        "CloudEventSchemaV1_0": ("id", "source", "subject", "type", "specversion"),
    }
)
_MISSING = object()


@dataclass(frozen=True, slots=True)
class Operator:
    """When a value that is there holds against the values of the filter, and whether one that is missing does."""

    kind: type[str] | type[int] | type[bool]
    holds: Callable[[Json, list[Json]], bool]
    negated: bool = False
    missing: bool = False
    ranges: bool = False


def _text(compare: Callable[[str, str], bool]) -> Callable[[Json, list[Json]], bool]:
    def holds(actual: Json, values: list[Json]) -> bool:
        return isinstance(actual, str) and any(compare(actual.lower(), as_text(value).lower()) for value in values)

    return holds


def _number(compare: Callable[[float, float], bool]) -> Callable[[Json, list[Json]], bool]:
    def holds(actual: Json, values: list[Json]) -> bool:
        return _is_number(actual) and any(compare(_as_number(actual), _as_number(value)) for value in values)

    return holds


def _in_range(actual: Json, values: list[Json]) -> bool:
    ends = (as_list(value) for value in values)
    return _is_number(actual) and any(_as_number(low) <= _as_number(actual) <= _as_number(high) for low, high in ends)


def _is_number(value: Json) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _as_number(value: Json) -> float:
    return float(value) if isinstance(value, int | float) else float("nan")


_STRINGS: Mapping[str, Callable[[str, str], bool]] = {
    "Contains": operator.contains,
    "BeginsWith": str.startswith,
    "EndsWith": str.endswith,
}
OPERATORS: Mapping[str, Operator] = MappingProxyType(
    {
        **{f"String{name}": Operator(str, _text(compare)) for name, compare in _STRINGS.items()},
        **{f"StringNot{name}": Operator(str, _text(compare), negated=True) for name, compare in _STRINGS.items()},
        "StringIn": Operator(str, _text(operator.eq)),
        "StringNotIn": Operator(str, _text(operator.eq), negated=True, missing=True),
        "NumberIn": Operator(int, _number(operator.eq)),
        "NumberNotIn": Operator(int, _number(operator.eq), negated=True, missing=True),
        "NumberLessThan": Operator(int, _number(operator.lt)),
        "NumberLessThanOrEquals": Operator(int, _number(operator.le)),
        "NumberGreaterThan": Operator(int, _number(operator.gt)),
        "NumberGreaterThanOrEquals": Operator(int, _number(operator.ge)),
        "NumberInRange": Operator(int, _in_range, ranges=True),
        "NumberNotInRange": Operator(int, _in_range, negated=True, ranges=True),
        "BoolEquals": Operator(bool, lambda actual, values: any(actual is value for value in values)),
        "IsNullOrUndefined": Operator(str, lambda actual, _: actual is None, missing=True),
        "IsNotNull": Operator(str, lambda actual, _: actual is not None),
    }
)
_SINGLE = {name for name in OPERATORS if "Than" in name or name == "BoolEquals"}
_WITHOUT_VALUES = {"IsNullOrUndefined", "IsNotNull"}


@dataclass(frozen=True, slots=True)
class EventFilter:
    """The `filter` of an event subscription, and the schema that its events come in."""

    body: JsonObject
    schema: str = "EventGridSchema"

    def passes(self, event: JsonObject) -> bool:
        """Whether the event is delivered."""
        return self._has_type(event) and self._has_subject(event) and all(map(self._holds(event), self._advanced()))

    def problems(self) -> list[str]:
        """What Event Grid would refuse, or what could never hold."""
        filters = self._advanced()
        found = [problem for each in filters for problem in self._problems_of(each)]
        if len(filters) > MOST_FILTERS:
            found.append(f"{len(filters)} advanced filters, {MOST_FILTERS} are allowed")
        count = sum(len(_values(each)) for each in filters)
        if count > MOST_VALUES:
            found.append(f"{count} values in all advanced filters, {MOST_VALUES} are allowed")
        return found

    def _advanced(self) -> list[JsonObject]:
        return [as_object(each) for each in as_list(self.body.get("advancedFilters"))]

    def _has_type(self, event: JsonObject) -> bool:
        included = self.body.get("includedEventTypes")
        name = "type" if self.schema == "CloudEventSchemaV1_0" else "eventType"
        type_ = as_text(event.get(name)).lower()
        return included is None or type_ in {as_text(each).lower() for each in as_list(included)}

    def _has_subject(self, event: JsonObject) -> bool:
        parts = [as_text(event.get("subject"))]
        parts += [as_text(self.body.get(f"subject{end}")) for end in ("BeginsWith", "EndsWith")]
        if self.body.get("isSubjectCaseSensitive") is not True:
            parts = [part.lower() for part in parts]
        subject, begin, end = parts
        return subject.startswith(begin) and subject.endswith(end)

    def _holds(self, event: JsonObject) -> Callable[[JsonObject], bool]:
        on_arrays = self.body.get("enableAdvancedFilteringOnArrays") is True
        return lambda each: _holds(each, _looked_up(event, as_text(each.get("key")), self.schema), on_arrays=on_arrays)

    def _problems_of(self, each: JsonObject) -> Iterator[str]:
        key, name = as_text(each.get("key")), as_text(each.get("operatorType"))
        head, _, rest = key.partition(".")
        envelope = {known.lower() for known in _ENVELOPES[self.schema]}
        if not (head == "data" and rest) and key.lower() not in envelope:
            yield f"key {key!r} is neither in data nor one of {', '.join(_ENVELOPES[self.schema])}"
        if name not in OPERATORS:
            yield f"unknown operator {name!r}"
            return
        if name not in _WITHOUT_VALUES and not _values(each):
            yield f"{name} on {key} has no {'value' if name in _SINGLE else 'values'}"
        for value in _values(each):
            yield from _problems_of_value(value, OPERATORS[name], f"{name} on {key}")


def _values(each: JsonObject) -> list[Json]:
    if each.get("operatorType") in _SINGLE:
        return [each["value"]] if "value" in each else []
    return as_list(each.get("values"))


def _problems_of_value(value: Json, operator_: Operator, where: str) -> Iterator[str]:
    if operator_.ranges:
        ends = as_list(value)
        if len(ends) != 2 or not all(map(_is_number, ends)):
            yield f"{where}: {value!r} is no range"
    elif not (_is_number(value) if operator_.kind is int else isinstance(value, operator_.kind)):
        yield f"{where}: {value!r} is no {operator_.kind.__name__}"
    elif isinstance(value, str) and len(value) > LONGEST_VALUE:
        yield f"{where}: a value of {len(value)} characters, {LONGEST_VALUE} are allowed"


def _looked_up(event: JsonObject, key: str, schema: str) -> Json | object:
    head, *rest = key.split(".")
    if head != "data" or not rest:
        name = next((known for known in _ENVELOPES[schema] if known.lower() == key.lower()), None)
        return _MISSING if name is None else event.get(name, _MISSING)
    found: Json = event.get("data")
    for name in rest:
        if not isinstance(found, dict) or name not in found:
            return _MISSING
        found = found[name]
    return found


def _holds(each: JsonObject, actual: Json | object, *, on_arrays: bool) -> bool:
    operator_ = OPERATORS[as_text(each.get("operatorType"))]
    # Objects are not compared, nor arrays of them; other arrays only if the subscription says so.
    if actual is _MISSING or isinstance(actual, dict) or (isinstance(actual, list) and not on_arrays):
        return operator_.missing
    values = _values(each)
    if isinstance(actual, list):
        if any(isinstance(item, dict | list) for item in actual):
            return operator_.missing
        return any(operator_.holds(item, values) for item in actual) != operator_.negated
    if not _is_comparable(actual, operator_):
        return operator_.missing
    return operator_.holds(_json(actual), values) != operator_.negated


def _is_comparable(actual: Json | object, operator_: Operator) -> bool:
    if not operator_.negated:
        return True
    return isinstance(actual, str) if operator_.kind is str else _is_number(_json(actual))


def _json(value: Json | object) -> Json:
    return value if isinstance(value, str | int | float | bool) else None
