"""Event Grid's filters: which of a subscription's events tell of what rules judge."""

from collections.abc import Iterator, Sequence
from itertools import groupby

from shared.domain.body import Json, JsonObject
from shared.domain.resource_types import RESOURCE_TYPES, ResourceType

# Event Grid allows so many values in all filters of one event subscription together (learn.microsoft.com/azure/
# event-grid/event-filtering, read 2026-11-23).
MOST_VALUES = 25
_EVENTS: list[Json] = [f"Microsoft.Resources.Resource{kind}Success" for kind in ("Write", "Action", "Delete")]
_OPERATION = "data.operationName"
# An attachable type tells of much that no rule sees, each blob container for one; of its children only these count.
_ENDPOINTS = ("privateEndpointConnections/write", "privateEndpointConnections/delete")
# What hangs on a resource, belongs to another provider, and decides what rules say of it or whether they may fix it.
_EXTENSIONS = (
    "Microsoft.Resources/tags/write",
    "Microsoft.Authorization/locks/write",
    "Microsoft.Authorization/locks/delete",
)


def event_filters() -> list[Json]:
    """One filter for each family of types, by the provider's name, and one for what hangs on resources of any.

    Raises ValueError for a family that Event Grid would not take.
    """
    families = groupby(sorted(_tops(), key=_provider), key=_provider)
    listed = [_family(provider, tuple(kinds)) for provider, kinds in families] + [_extensions()]
    for family in listed:
        if (count := len(list(_values(family)))) > MOST_VALUES:
            raise ValueError(f"the filter of {family['name']} has {count} values; Event Grid takes {MOST_VALUES}")
    return list(listed)


def _tops() -> Iterator[ResourceType]:
    """The types that are no child of another; an event of a child is one of its top."""
    return (kind for kind in RESOURCE_TYPES if kind.name.count("/") == 1)


def _provider(kind: ResourceType) -> str:
    return kind.name.partition("/")[0]


def _family(provider: str, kinds: Sequence[ResourceType]) -> JsonObject:
    exact = [kind for kind in kinds if kind.attachable]
    if exact and len(exact) < len(kinds):
        raise ValueError(f"{provider} has both attachable types and others, which one filter cannot tell apart")
    filters = _named(exact) if exact else _below(kinds)
    return _subscription(provider.removeprefix("Microsoft.").lower(), filters)


def _named(kinds: Sequence[ResourceType]) -> list[Json]:
    """These operations and no others."""
    names = [f"{kind.name}/{operation}" for kind in kinds for operation in (*kind.operations, *_ENDPOINTS)]
    return [_filter("StringIn", _OPERATION, names)]


def _below(kinds: Sequence[ResourceType]) -> list[Json]:
    """These operations of the types and of whatever is below them."""
    ends = dict.fromkeys(f"/{operation}" for kind in kinds for operation in kind.operations)
    unjudged = [f"/{kind.name.split('/')[1]}/{child}/" for kind in kinds for child in kind.unjudged]
    filters = [
        _filter("StringBeginsWith", _OPERATION, [f"{kind.name}/" for kind in kinds]),
        _filter("StringEndsWith", _OPERATION, list(ends)),
    ]
    return [*filters, _filter("StringNotContains", _OPERATION, unjudged)] if unjudged else [*filters]


def _extensions() -> JsonObject:
    places = [f"/providers/{kind.name}/" for kind in _tops()]
    filters: list[Json] = [_filter("StringIn", _OPERATION, _EXTENSIONS), _filter("StringContains", "Subject", places)]
    return _subscription("extensions", filters)


def _subscription(name: str, filters: list[Json]) -> JsonObject:
    return {"name": name, "filter": {"includedEventTypes": _EVENTS, "advancedFilters": filters}}


def _filter(operator: str, key: str, values: Sequence[str]) -> JsonObject:
    return {"operatorType": operator, "key": key, "values": list(values)}


def _values(family: JsonObject) -> Iterator[Json]:
    match family:
        case {"filter": {"advancedFilters": [*filters]}}:
            for each in filters:
                match each:
                    case {"values": [*values]}:
                        yield from values
