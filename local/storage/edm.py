"""Property values of Table Storage: the eight Edm types, their JSON form, their size, and what a filter compares."""

import math
import re
from base64 import b64decode, b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import cast
from uuid import UUID

from local.storage.moment import parse_moment
from local.storage.odata import Constant
from local.storage.service import StorageError

# learn.microsoft.com, "Understanding the Table service data model", reviewed 2026-11
LARGEST_PROPERTY = 64 * 1024

type Wire = str | int | float

_INTEGER = re.compile(r"-?[0-9]{1,19}")
_DECIMAL = re.compile(r"-?[0-9]{1,400}(\.[0-9]{1,400})?([eE][+-]?[0-9]{1,4})?")
_NOT_FINITE = ("NaN", "Infinity", "-Infinity")
_INT32 = range(-(2**31), 2**31)
_INT64 = range(-(2**63), 2**63)


class Edm(StrEnum):
    """The property types, spelled as on the wire."""

    BINARY = "Edm.Binary"
    BOOLEAN = "Edm.Boolean"
    DATETIME = "Edm.DateTime"
    DOUBLE = "Edm.Double"
    GUID = "Edm.Guid"
    INT32 = "Edm.Int32"
    INT64 = "Edm.Int64"
    STRING = "Edm.String"


_FIXED_SIZES: Mapping[Edm, int] = {
    Edm.BOOLEAN: 1,
    Edm.INT32: 4,
    Edm.INT64: 8,
    Edm.DOUBLE: 8,
    Edm.DATETIME: 8,
    Edm.GUID: 16,
}


@dataclass(frozen=True, slots=True)
class Value:
    """One property value in its canonical JSON form `wire`, ready to be sent back."""

    type: Edm
    wire: Wire

    @property
    def explicit(self) -> bool:
        """Whether JSON alone cannot tell the type, so that `@odata.type` must go with it."""
        return self.type in (Edm.BINARY, Edm.DATETIME, Edm.GUID, Edm.INT64) or (
            self.wire in _NOT_FINITE and self.type is Edm.DOUBLE
        )

    @property
    def constant(self) -> Constant:
        """The value as filters compare it."""
        text = str(self.wire)
        match self.type:
            case Edm.BINARY:
                return b64decode(text)
            case Edm.DATETIME:
                return parse_moment(text)
            case Edm.DOUBLE:
                return float(self.wire)
            case Edm.GUID:
                return UUID(text)
            case Edm.INT64:
                return int(text)
            case Edm.BOOLEAN | Edm.INT32 | Edm.STRING:
                return self.wire

    @property
    def size(self) -> int:
        """Bytes that count towards the entity's limit."""
        if self.type is Edm.STRING:
            return 4 + utf16_size(str(self.wire))
        if self.type is Edm.BINARY:
            return 4 + len(b64decode(str(self.wire)))
        return _FIXED_SIZES[self.type]


def utf16_size(text: str) -> int:
    """Return the bytes that the service stores for `text`."""
    return len(text.encode("utf-16-le"))


def invalid_input(message: str = "One of the request inputs is not valid.") -> StorageError:
    """Return the refusal of a request whose form is wrong."""
    return StorageError(400, "InvalidInput", message)


def read_value(wire: object, declared: str | None) -> Value:
    """Read one JSON property with its `@odata.type`, or None when it has none.

    Raises StorageError: InvalidInput when value and type disagree, PropertyValueTooLarge over 64 KiB.
    """
    try:
        kind = _inferred(wire) if declared is None else Edm(declared)
        value = Value(kind, _canonical(wire, kind))
        too_large = kind in (Edm.STRING, Edm.BINARY) and value.size - 4 > LARGEST_PROPERTY
    except ValueError as error:
        raise invalid_input() from error
    if too_large:
        raise value_too_large()
    return value


def value_too_large() -> StorageError:
    """Return the refusal of a string or binary over its limit."""
    return StorageError(400, "PropertyValueTooLarge", "The property value exceeds the maximum allowed size (64KB).")


def _inferred(wire: object) -> Edm:
    match wire:
        case bool():
            return Edm.BOOLEAN
        case int():
            return Edm.INT32
        case float():
            return Edm.DOUBLE
        case str():
            return Edm.STRING
        case _:
            raise ValueError("a property is a string, a number or a boolean")


def _canonical(wire: object, kind: Edm) -> Wire:
    match kind, wire:
        case (Edm.STRING, str()) | (Edm.BOOLEAN, bool()):
            return cast("Wire", wire)
        case Edm.BOOLEAN, "true" | "false":
            return wire == "true"
        case Edm.DATETIME | Edm.GUID | Edm.BINARY, str():
            return _text(wire, kind)
        case Edm.INT32 | Edm.INT64 | Edm.DOUBLE, int() | float() | str() if not isinstance(wire, bool):
            return _double(wire) if kind is Edm.DOUBLE else _integer(wire, kind)
        case _:
            raise ValueError("the value is not of its type")


def _text(wire: str, kind: Edm) -> Wire:
    if kind is Edm.DATETIME:
        return str(parse_moment(wire))
    if kind is Edm.GUID:
        return str(UUID(wire))
    return b64encode(b64decode(wire, validate=True)).decode()


def _integer(wire: float | str, kind: Edm) -> Wire:
    if not _INTEGER.fullmatch(str(wire)):
        raise ValueError("not an integer")
    number = int(wire)
    if number not in (_INT64 if kind is Edm.INT64 else _INT32):
        raise ValueError("the integer is out of range")
    # JSON numbers lose digits beyond 2**53, so the protocol sends 64-bit integers as strings.
    return str(number) if kind is Edm.INT64 else number


def _double(wire: float | str) -> Wire:
    if wire in _NOT_FINITE:
        return str(wire)
    if isinstance(wire, str) and not _DECIMAL.fullmatch(wire):
        raise ValueError("not a number")
    try:
        number = float(wire)
    except OverflowError as error:
        raise ValueError("the number is out of range") from error
    if not math.isfinite(number):
        raise ValueError("the number is out of range")
    return number
