"""What Queue and Blob Storage read out of a call in the same way: numbers, metadata, names, and how they refuse it."""

import re

from local.storage.service import Call, StorageError, not_implemented

METADATA = "x-ms-meta-"

_METADATA_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_INTEGER = re.compile(r"-?[0-9]{1,10}")
_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")


def metadata_of(call: Call) -> dict[str, str]:
    """Return the metadata that the call's headers carry; raises StorageError for what no header could give back."""
    prefixed = {name: value for name, value in call.headers.items() if name.lower().startswith(METADATA)}
    metadata = {name[len(METADATA) :]: value for name, value in prefixed.items()}
    for name, value in metadata.items():
        # Header values travel as ASCII; anything else could not be written back.
        if not _METADATA_NAME.fullmatch(name) or not (value.isascii() and value.isprintable()):
            raise StorageError(
                400, "InvalidMetadata", "The metadata specified is invalid. It has characters that are not permitted."
            )
    return metadata


def required(call: Call, name: str) -> str:
    """Return a query parameter that the operation cannot do without."""
    value = call.query.get(name)
    if not value:
        raise StorageError(
            400,
            "MissingRequiredQueryParameter",
            "A query parameter that's mandatory for this request is not specified.",
            {"QueryParameterName": name},
        )
    return value


def number(call: Call, name: str, allowed: range, default: int) -> int:
    """Return a whole number among the query parameters."""
    text = call.query.get(name)
    if text is None:
        return default
    if not _INTEGER.fullmatch(text):
        raise invalid(name, text)
    if int(text) not in allowed:
        raise out_of_range(name, text)
    return int(text)


def check_name(name: str) -> None:
    """Raise StorageError for what the services do not take as the name of a queue or a container."""
    if not 3 <= len(name) <= 63:
        raise StorageError(
            400, "OutOfRangeInput", "The specified resource name length is not within the permissible limits."
        )
    if not _NAME.fullmatch(name):
        raise StorageError(400, "InvalidResourceName", "The specified resource name contains invalid characters.")


def invalid(name: str, value: str) -> StorageError:
    """Return the refusal of a query parameter that cannot be read."""
    return StorageError(
        400,
        "InvalidQueryParameterValue",
        "Value for one of the query parameters specified in the request URI is invalid.",
        {"QueryParameterName": name, "QueryParameterValue": value},
    )


def out_of_range(name: str, value: str) -> StorageError:
    """Return the refusal of a query parameter beyond its bounds."""
    return StorageError(
        400,
        "OutOfRangeQueryParameterValue",
        "One of the query parameters specified in the request URI is outside the permissible range.",
        {"QueryParameterName": name, "QueryParameterValue": value},
    )


def unsupported(call: Call) -> StorageError:
    """Return the refusal of a method, or of an operation that the service has and this one does not."""
    if "comp" in call.query:
        return not_implemented()
    return StorageError(405, "UnsupportedHttpVerb", "The resource doesn't support the specified HTTP verb.")
