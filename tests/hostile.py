"""Bodies that no honest provider would answer: hypothesis strategies over complete raw ones."""

from collections.abc import Iterator, Sequence

from hypothesis import strategies as st

from shared.domain.body import Json, JsonObject, as_object, leaves

type Place = tuple[str | int, ...]

# One of every kind that code could trip over, for when every position is tried.
NASTY: tuple[Json, ...] = (
    None,
    True,
    0,
    -1,
    1e308,
    "",
    "\x00",
    "\ud800",
    [],
    [None],
    [[]],
    [{}],
    {},
    {"value": None},
    {"id": []},
    {"": {"": ""}},
    [{"value": "not a range"}, {"value": 7}, {"value": "::/0-::1"}, "0.0.0.0/0"],
)

scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=12)
anything: st.SearchStrategy[Json] = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)


def places(value: Json, prefix: Place = ()) -> Iterator[Place]:
    """Where every value within the value stands; of a list the first two items speak for the others."""
    if isinstance(value, dict):
        for name, child in value.items():
            yield (*prefix, name)
            yield from places(child, (*prefix, name))
    elif isinstance(value, list):
        for index, child in enumerate(value[:2]):
            yield (*prefix, index)
            yield from places(child, (*prefix, index))


def put(value: Json, place: Place, new: Json) -> Json:
    """The value with something else at the place; as it was where there is no such place any more."""
    match value, place:
        case _, ():
            return new
        case dict(), (str(name), *rest):
            return {**value, name: put(value.get(name), tuple(rest), new)}
        case list(), (int(index), *rest) if index < len(value):
            return [*value[:index], put(value[index], tuple(rest), new), *value[index + 1 :]]
        case _:
            return value


def mutated(bodies: Sequence[JsonObject]) -> st.SearchStrategy[JsonObject]:
    """One of the bodies with up to six of its properties overwritten: by what another body has, or by anything."""
    known = [value for body in bodies for _, value in leaves(body["properties"], "properties") if _is_short(value)]
    found = [("properties", *place) for body in bodies for place in places(body["properties"])]

    def overwrite(body: JsonObject, changes: list[tuple[Place, Json]]) -> JsonObject:
        for place, value in changes:
            body = as_object(put(body, place, value))
        return body

    change = st.tuples(_one_of(found), _one_of(known) | anything)
    return st.builds(overwrite, _one_of(bodies), st.lists(change, max_size=6))


def _one_of[Item](items: Sequence[Item]) -> st.SearchStrategy[Item]:
    """Like `sampled_from`, which would spell out all the bodies wherever a strategy is shown."""
    return st.integers(0, len(items) - 1).map(lambda index: items[index])


def _is_short(value: Json) -> bool:
    return not isinstance(value, list) or len(value) < 8
