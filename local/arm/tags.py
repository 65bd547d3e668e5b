"""Tags as a resource of their own, which every resource carries: read and changed without a look at its provider.

Source: Tags, Update At Scope and Get At Scope, api-version 2021-04-01 (reviewed 2026-11). Tag names compare without
case. Azure may answer a change with 202; here it is always done at once.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from local.arm.body import Body, at, section
from local.arm.refusal import bad_request
from local.arm.resource_id import Address, parse

type Tags = dict[str, str]

TYPE = "microsoft.resources/tags"


def carrier(address: Address) -> Address | None:
    """What carries the tags that the address names; None for an address of anything else."""
    if address.type.lower() != TYPE or (address.name or "").lower() != "default":
        return None
    return parse(address.scope)


def shown(address: Address, body: Body) -> Body:
    """The tags of a resource's body as a GET of `address` shows them."""
    return {
        "id": address.path,
        "name": "default",
        "type": "Microsoft.Resources/tags",
        "properties": {"tags": section(body, "tags")},
    }


def retagged(body: Body, request: Body) -> Body:
    """The body with its tags changed as the request asks.

    Raises RefusedError (400) for an operation that there is not, and for tags that are no texts.
    """
    change = _OPERATIONS.get(str(request.get("operation")).lower())
    given = at(request, "properties.tags")
    if change is None:
        raise bad_request("operation must be one of Merge, Replace, Delete.", "InvalidRequestContent")
    if not isinstance(given, dict) or not all(isinstance(value, str) for value in given.values()):
        raise bad_request("properties.tags must be an object of texts.", "InvalidRequestContent")
    tags = {name: str(value) for name, value in section(body, "tags").items()}
    return {**body, "tags": change(tags, given)}


def _merge(tags: Tags, given: Tags) -> Tags:
    spelling = {name.lower(): name for name in tags}
    return tags | {spelling.get(name.lower(), name): value for name, value in given.items()}


def _delete(tags: Tags, given: Tags) -> Tags:
    """Without the named tags; a name that comes with a value is deleted only if it has that value."""
    unwanted = {name.lower(): value for name, value in given.items()}
    return {name: value for name, value in tags.items() if unwanted.get(name.lower()) not in {"", value}}


_OPERATIONS: Mapping[str, Callable[[Tags, Tags], Tags]] = MappingProxyType(
    {"merge": _merge, "replace": lambda _, given: dict(given), "delete": _delete}
)
