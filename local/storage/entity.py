"""Entities: read from request bodies, held to the service's limits, rendered into responses."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import quote

from local.storage.edm import Value, invalid_input, read_value, utf16_size, value_too_large
from local.storage.moment import Moment
from local.storage.odata import Constant
from local.storage.service import StorageError

type Properties = Mapping[str, Value]
type Metadata = Literal["nometadata", "minimalmetadata"]

# learn.microsoft.com, "Understanding the Table service data model", reviewed 2026-11; of its 255 properties three are
# the system's.
MOST_PROPERTIES = 252
LARGEST_ENTITY = 1024 * 1024
LARGEST_KEY = 1024
LONGEST_NAME = 255
SYSTEM_NAMES = frozenset({"PartitionKey", "RowKey", "Timestamp"})

_ANNOTATION = "@odata.type"
_NAME = re.compile(r"[^\W\d]\w*")
_FORBIDDEN_IN_KEYS = re.compile(r"[/\\#?\x00-\x1f\x7f-\x9f]")
_BYTES_PER_ENTITY = 4
_BYTES_PER_PROPERTY = 8


@dataclass(frozen=True, slots=True)
class Entity:
    """One stored row; `stamp` is its Timestamp and the source of its ETag."""

    partition_key: str
    row_key: str
    stamp: Moment
    properties: Properties

    @property
    def etag(self) -> str:
        """The weak ETag that the service derives from the Timestamp."""
        return f"W/\"datetime'{quote(self.stamp.exact)}'\""

    def lookup(self, name: str) -> Constant | None:
        """Return what a filter compares under `name`; None when the entity has no such property."""
        match name:
            case "PartitionKey":
                return self.partition_key
            case "RowKey":
                return self.row_key
            case "Timestamp":
                return self.stamp
            case _:
                value = self.properties.get(name)
                return None if value is None else value.constant

    def render(self, metadata: Metadata, select: Sequence[str] | None) -> dict[str, object]:
        """Return the JSON form with only the `select`ed properties; None means all of them."""
        system = {"PartitionKey": self.partition_key, "RowKey": self.row_key, "Timestamp": self.stamp.exact}
        full: dict[str, object] = {"odata.etag": self.etag} if metadata == "minimalmetadata" else {}
        full |= {name: value for name, value in system.items() if select is None or name in select}
        for name, value in self.properties.items():
            if select is not None and name not in select:
                continue
            if value.explicit and metadata == "minimalmetadata":
                full[name + _ANNOTATION] = value.type
            full[name] = value.wire
        return full


def read_json(body: bytes) -> dict[str, Any]:
    """Read a JSON object; raises StorageError for anything else, and for a name that is given twice."""
    try:
        document = json.loads(body, object_pairs_hook=_unique, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise invalid_input() from error
    if not isinstance(document, dict):
        raise invalid_input()
    return document


def read_properties(document: Mapping[str, Any]) -> dict[str, Value]:
    """Read an entity's own properties, without keys, Timestamp and OData control information; null means not given.

    Raises StorageError in the service's words when a name, a value or their number is out of bounds.
    """
    own = {
        name: wire
        for name, wire in document.items()
        if wire is not None and name not in SYSTEM_NAMES and "@" not in name and not name.startswith("odata.")
    }
    for name in own:
        _check_name(name)
    return {name: read_value(wire, _declared(document, name)) for name, wire in own.items()}


def read_key(document: Mapping[str, Any], name: Literal["PartitionKey", "RowKey"]) -> str:
    """Return a key from an entity to insert; raises StorageError when it is missing or not allowed."""
    key = document.get(name)
    if key is None:
        raise StorageError(400, "PropertiesNeedValue", "The values are not specified for all properties in the entity.")
    if not isinstance(key, str):
        raise invalid_input()
    check_key(name, key)
    return key


def check_key(name: str, key: str) -> None:
    """Raise StorageError when `key` holds characters that the service forbids, or more than 1 KiB."""
    try:
        size = utf16_size(key)
    except ValueError as error:
        raise invalid_input() from error
    if size > LARGEST_KEY:
        raise value_too_large()
    if _FORBIDDEN_IN_KEYS.search(key):
        raise StorageError(400, "OutOfRangeInput", f"The '{name}' parameter of value '{key}' is out of range.")


def check_limits(partition_key: str, row_key: str, properties: Properties) -> None:
    """Raise StorageError when the entity has too many properties or is larger than 1 MiB by the documented formula."""
    if len(properties) > MOST_PROPERTIES:
        raise StorageError(
            400,
            "TooManyProperties",
            "The entity contains more properties than allowed. Each entity can include up to "
            f"{MOST_PROPERTIES} properties to store data. Each entity also has 3 system properties.",
        )
    keys = _BYTES_PER_ENTITY + utf16_size(partition_key + row_key)
    own = sum(_BYTES_PER_PROPERTY + utf16_size(name) + value.size for name, value in properties.items())
    if keys + own > LARGEST_ENTITY:
        raise StorageError(400, "EntityTooLarge", "The entity is larger than the maximum allowed size (1MB).")


def _unique(pairs: Sequence[tuple[str, object]]) -> dict[str, object]:
    document = dict(pairs)
    if len(document) != len(pairs):
        raise StorageError(400, "DuplicatePropertiesSpecified", "A property is specified more than one time.")
    return document


def _refuse_constant(name: str) -> object:
    raise ValueError(f"{name} is not JSON")


def _declared(document: Mapping[str, Any], name: str) -> str | None:
    declared = document.get(name + _ANNOTATION)
    if declared is not None and not isinstance(declared, str):
        raise invalid_input()
    return declared


def _check_name(name: str) -> None:
    if len(name) > LONGEST_NAME:
        raise StorageError(400, "PropertyNameTooLong", "The property name exceeds the maximum allowed length (255).")
    if not _NAME.fullmatch(name):
        raise StorageError(400, "PropertyNameInvalid", "The property name is invalid.")
