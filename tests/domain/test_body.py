"""How JSON compares, is read, and is patched."""

import copy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.body import Json, as_list, as_object, as_text, at, leaves, overlay, place, same
from tests.hostile import anything, scalars

names = st.from_regex(r"[a-zA-Z]{1,4}", fullmatch=True)
values = scalars | st.lists(scalars, max_size=2)
objects = st.recursive(
    st.dictionaries(names, values, max_size=2),
    lambda inner: st.dictionaries(names, inner | values, max_size=3),
    max_leaves=5,
)


@pytest.mark.parametrize(
    "left, right",
    [
        ("Disabled", "DISABLED"),
        (True, "true"),
        (True, "True"),
        (True, 1),
        (True, "1"),
        (False, 0),
        (False, "False"),
        (1, 1),
        (10, "10"),
        (None, None),
        ({}, {"a": None}),
        ({"a": None, "b": "X"}, {"b": "x"}),
        ([{"value": "A"}], [{"value": "a", "action": None}]),
        ("/subscriptions/A/resourceGroups/B", "/SUBSCRIPTIONS/a/resourcegroups/b"),
        ("STRASSE", "straße"),
    ],
)
def test_same(left: Json, right: Json) -> None:
    assert same(left, right)
    assert same(right, left)


@pytest.mark.parametrize(
    "left, right",
    [
        ("Disabled", "Enabled"),
        (True, False),
        (True, None),
        (False, None),
        (0, None),
        ("", None),
        ("", False),
        (2, True),
        ([], None),
        ([], {}),
        ({"a": 1}, {"a": 2}),
        ({"a": 1}, {}),
        ([1, 2], [2, 1]),
        ([1], [1, 1]),
        ([1], "1"),
    ],
)
def test_not_same(left: Json, right: Json) -> None:
    assert not same(left, right)
    assert not same(right, left)


@given(anything, anything)
def test_same_is_an_equivalence(left: Json, right: Json) -> None:
    assert same(left, left)
    assert same(left, copy.deepcopy(left))
    assert same(left, right) == same(right, left)


@pytest.mark.parametrize("value", [None, True, 0, 1.5, "x", [], ["x"], {}, {"a": 1}])
def test_kinds(value: Json) -> None:
    assert as_object(value) == (value if isinstance(value, dict) else {})
    assert as_list(value) == (value if isinstance(value, list) else [])
    assert as_text(value) == (value if isinstance(value, str) else "")


@pytest.mark.parametrize(
    "path, value",
    [
        ("a", {"b": {"c": 1}, "d": None}),
        ("a.b.c", 1),
        ("a.d", None),
        ("a.d.e", None),
        ("a.b.c.d", None),
        ("z", None),
        ("", None),
    ],
)
def test_at(path: str, value: Json) -> None:
    assert at({"a": {"b": {"c": 1}, "d": None}}, path) == value


def test_at_of_what_is_no_object() -> None:
    assert at([1], "0") is None


@given(anything, anything)
def test_a_patch_lands_once(body: Json, patch: Json) -> None:
    kept = copy.deepcopy((body, patch))
    after = overlay(body, patch)
    assert overlay(after, patch) == after
    assert (body, patch) == kept


@given(objects, objects)
def test_a_patch_changes_what_it_names_and_nothing_else(body: dict[str, Json], patch: dict[str, Json]) -> None:
    after = overlay(body, patch)
    for path, value in leaves(patch):
        if value != {}:
            assert at(after, path) == value
    for name in body.keys() - patch.keys():
        assert at(after, name) == body[name]


def test_null_is_written_and_kept() -> None:
    assert overlay({"a": {"b": 1, "c": 2}}, {"a": {"b": None}}) == {"a": {"b": None, "c": 2}}


@given(objects)
def test_leaves_rebuild_the_object(body: dict[str, Json]) -> None:
    built: Json = {}
    for path, value in leaves(body):
        built = overlay(built, place(path, value))
    assert built == body


def test_an_empty_object_has_no_leaves() -> None:
    assert list(leaves({})) == []
    assert list(leaves({"a": {}})) == [("a", {})]
