"""All rules of a type on one body: they agree, and one request settles them."""

import importlib
import pkgutil
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

import remediations
from remediations import load_catalogue
from shared.domain.resource_types import RESOURCE_TYPES, ResourceType
from tests.hostile import mutated
from tests.laws import Examples, assert_together
from tests.remediations.bodies import raw

CATALOGUE = load_catalogue()


def all_examples() -> Iterator[Examples]:
    for found in (each for each in pkgutil.iter_modules(remediations.__path__) if not each.ispkg):
        yield from importlib.import_module(f"tests.remediations.test_{found.name}").EXAMPLES


GROUPS = tuple(all_examples())


@pytest.mark.parametrize(
    "group, name",
    [
        pytest.param(group, name, id=f"{group.type.slug} {index}: {name}")
        for index, group in enumerate(GROUPS)
        for name in group.bodies
    ],
)
def test_rules_agree_on_every_example(group: Examples, name: str) -> None:
    assert_together(CATALOGUE, group, group.bodies[name])


@pytest.mark.parametrize("kind", [pytest.param(kind, id=kind.slug) for kind in RESOURCE_TYPES])
@given(data=st.data())
def test_rules_agree_on_hostile_bodies(kind: ResourceType, data: st.DataObject) -> None:
    groups = [group for group in GROUPS if group.type is kind]
    group = data.draw(st.sampled_from(groups))
    bodies = [body for other in groups for body in other.bodies.values()]
    assert_together(CATALOGUE, group, data.draw(mutated(bodies)))


@pytest.mark.parametrize("kind", [pytest.param(kind, id=kind.slug) for kind in RESOURCE_TYPES])
def test_bodies_are_complete(kind: ResourceType) -> None:
    body = raw(kind)
    assert {"id", "name", "type", "properties"} <= body.keys()
    is_child = kind.name.count("/") > 1
    assert is_child or {"location", "sku", "tags"} <= body.keys()
    assert str(body["type"]).lower() == kind.name.lower()
