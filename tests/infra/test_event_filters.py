"""The simulated filter against what the documentation says, value by value."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.body import Json, JsonObject
from tests.infra.event_filters import LONGEST_VALUE, MOST_VALUES, OPERATORS, EventFilter

EVENT: JsonObject = {
    "id": "1",
    "topic": "/subscriptions/s",
    "subject": "/subscriptions/s/resourceGroups/rg/providers/A/b/C",
    "eventType": "Microsoft.Resources.ResourceWriteSuccess",
    "dataVersion": "2",
    "data": {"name": "Some/Write", "count": 5, "on": True, "off": None, "tags": ["Red", "blue"], "deep": {"x": "y"}},
}
CLOUD: JsonObject = {"id": "1", "source": "s", "type": "t", "subject": "q", "specversion": "1.0", "data": {"a": "b"}}


def advanced(operator: str, key: str, *values: Json, arrays: bool = False) -> EventFilter:
    one = "Than" in operator or operator == "BoolEquals"
    told: JsonObject = {"operatorType": operator, "key": key}
    told |= {"value": values[0]} if one else {"values": list(values)}
    return EventFilter({"advancedFilters": [told], "enableAdvancedFilteringOnArrays": arrays})


@pytest.mark.parametrize(
    "operator,key,values,passes",
    [
        ("StringIn", "data.name", ["other", "SOME/write"], True),
        ("StringIn", "data.name", ["some"], False),
        ("StringNotIn", "data.name", ["some/write"], False),
        ("StringNotIn", "data.absent", ["some/write"], True),
        ("StringContains", "data.name", ["E/W"], True),
        ("StringNotContains", "data.name", ["nothing", "e/w"], False),
        ("StringNotContains", "data.absent", ["e/w"], False),
        ("StringBeginsWith", "data.name", ["SOME/"], True),
        ("StringBeginsWith", "data.name", ["write"], False),
        ("StringNotBeginsWith", "data.name", ["write"], True),
        ("StringEndsWith", "data.name", ["/WRITE"], True),
        ("StringNotEndsWith", "data.name", ["/delete"], True),
        ("StringIn", "data.deep.x", ["Y"], True),
        ("StringIn", "data.deep", ["Y"], False),
        ("StringBeginsWith", "Subject", ["/SUBSCRIPTIONS/S/"], True),
        ("StringBeginsWith", "EventType", ["microsoft.resources"], True),
        ("StringIn", "data.count", ["5"], False),
        ("NumberIn", "data.count", [4, 5], True),
        ("NumberIn", "data.on", [1], False),
        ("NumberNotIn", "data.count", [4], True),
        ("NumberNotIn", "data.absent", [5], True),
        ("NumberLessThan", "data.count", [5], False),
        ("NumberLessThanOrEquals", "data.count", [5], True),
        ("NumberGreaterThan", "data.count", [4.5], True),
        ("NumberGreaterThanOrEquals", "data.count", [6], False),
        ("NumberInRange", "data.count", [[1, 2], [5, 9]], True),
        ("NumberNotInRange", "data.count", [[1, 2], [5, 9]], False),
        ("NumberNotInRange", "data.absent", [[1, 2]], False),
        ("BoolEquals", "data.on", [True], True),
        ("BoolEquals", "data.on", [False], False),
        ("BoolEquals", "data.count", [True], False),
        ("IsNullOrUndefined", "data.off", [], True),
        ("IsNullOrUndefined", "data.absent", [], True),
        ("IsNullOrUndefined", "data.on", [], False),
        ("IsNotNull", "data.on", [], True),
        ("IsNotNull", "data.off", [], False),
        ("IsNotNull", "data.absent", [], False),
    ],
)
def test_operator(operator: str, key: str, values: list[Json], passes: bool) -> None:  # noqa: FBT001 - a column
    told = advanced(operator, key, *values)
    assert told.problems() == []
    assert told.passes(EVENT) is passes


def test_every_operator_is_tried() -> None:
    (mark,) = test_operator.pytestmark  # type: ignore[attr-defined]
    assert {row[0] for row in mark.args[1]} == set(OPERATORS)


def test_arrays_count_only_where_they_are_switched_on() -> None:
    assert advanced("StringIn", "data.tags", "RED", arrays=True).passes(EVENT)
    assert not advanced("StringIn", "data.tags", "RED").passes(EVENT)
    assert not advanced("StringNotContains", "data.tags", "RED", arrays=True).passes(EVENT)
    assert advanced("StringNotContains", "data.tags", "green", arrays=True).passes(EVENT)


def test_types_and_subjects() -> None:
    assert EventFilter({}).passes(EVENT)
    assert EventFilter({"includedEventTypes": ["microsoft.resources.resourcewritesuccess"]}).passes(EVENT)
    assert not EventFilter({"includedEventTypes": ["Microsoft.Resources.ResourceDeleteSuccess"]}).passes(EVENT)
    assert EventFilter({"subjectBeginsWith": "/SUBSCRIPTIONS/", "subjectEndsWith": "/c"}).passes(EVENT)
    assert not EventFilter({"subjectEndsWith": "/c", "isSubjectCaseSensitive": True}).passes(EVENT)


def test_cloud_events_have_names_of_their_own() -> None:
    told: JsonObject = {
        "includedEventTypes": ["T"],
        "advancedFilters": [{"operatorType": "StringIn", "key": "source", "values": ["S"]}],
    }
    as_cloud = EventFilter(told, "CloudEventSchemaV1_0")
    assert as_cloud.passes(CLOUD)
    assert as_cloud.problems() == []
    assert EventFilter(told).problems() != []
    assert not EventFilter(told).passes(CLOUD)


@pytest.mark.parametrize(
    "filter_,problem",
    [
        (advanced("StringLike", "data.x", "a"), "unknown operator 'StringLike'"),
        (advanced("StringIn", "operationName", "a"), "key 'operationName' is neither"),
        (advanced("StringIn", "data.x", 1), "1 is no str"),
        (advanced("NumberIn", "data.x", "1"), "'1' is no int"),
        (advanced("BoolEquals", "data.x", "true"), "'true' is no bool"),
        (advanced("NumberInRange", "data.x", [1]), "[1] is no range"),
        (advanced("StringIn", "data.x"), "has no values"),
        (advanced("StringIn", "data.x", "a" * (LONGEST_VALUE + 1)), "512 are allowed"),
        (advanced("StringIn", "data.x", *map(str, range(MOST_VALUES + 1))), "26 values"),
        (
            EventFilter({"advancedFilters": [{"operatorType": "IsNotNull", "key": "data.x"}] * 26}),
            "26 advanced filters",
        ),
    ],
)
def test_what_event_grid_refuses(filter_: EventFilter, problem: str) -> None:
    assert any(problem in each for each in filter_.problems()), filter_.problems()


def test_limits_are_reached_not_passed() -> None:
    assert (
        advanced("StringIn", "data.x", *(str(number).ljust(LONGEST_VALUE) for number in range(MOST_VALUES))).problems()
        == []
    )


WORDS = st.text("ab/AB", max_size=4)
NEGATED = [name for name in OPERATORS if name.startswith("StringNot")]


@given(st.sampled_from(NEGATED), WORDS, st.lists(WORDS, min_size=1, max_size=3))
def test_not_is_the_opposite_where_there_is_a_value(name: str, actual: str, values: list[str]) -> None:
    event: JsonObject = {**EVENT, "data": {"x": actual}}
    plain = advanced(name.replace("Not", "", 1), "data.x", *values).passes(event)
    assert advanced(name, "data.x", *values).passes(event) is not plain


@given(st.sampled_from(["StringIn", "StringContains", "StringBeginsWith", "StringEndsWith"]), WORDS, WORDS)
def test_case_never_counts(name: str, actual: str, value: str) -> None:
    results = {
        advanced(name, "data.x", spelt).passes({**EVENT, "data": {"x": said}})
        for spelt in (value.lower(), value.upper())
        for said in (actual.lower(), actual.upper())
    }
    assert len(results) == 1


@given(st.lists(st.lists(WORDS, min_size=1, max_size=2), max_size=3), WORDS)
def test_all_filters_and_any_value(filters: list[list[str]], actual: str) -> None:
    event: JsonObject = {**EVENT, "data": {"x": actual}}
    told: list[Json] = [
        {"operatorType": "StringContains", "key": "data.x", "values": list(values)} for values in filters
    ]
    expected = all(any(value.lower() in actual.lower() for value in values) for values in filters)
    assert EventFilter({"advancedFilters": told}).passes(event) is expected
