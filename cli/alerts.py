"""Defender's alerts as an operator has them in a file."""

from collections.abc import Iterator
from pathlib import Path

from cli.documents import Document, UnusableInput, is_nested_beyond, read_documents
from shared.domain.alert import parse_alert
from shared.domain.alert_forms import ALERT_TYPE
from shared.domain.body import Json, JsonObject

# Defender's own alerts are some ten levels deep.
_DEEPEST = 100
_OUTSIDE = ("id", "name", "type")


def read_alerts(path: Path) -> list[JsonObject]:
    """The alerts of the file as ARM would answer them, in order. `-` is standard input.

    A file holds what `az security alert list` prints, what ARM answers (`value`), or alerts behind one another. The
    command line's own form, without `properties`, is put back into ARM's.

    Raises UnusableInput, naming the place, for anything that ARM could not answer as an alert, and for a blank file.
    """
    documents = read_documents(path)
    if not documents:
        raise UnusableInput(path, "", "is empty")
    return [_alert(path, place, value) for document in documents for place, value in _listed(document)]


def _listed(document: Document) -> Iterator[tuple[str, Json]]:
    place, value = document.place, document.value
    if isinstance(value, dict) and isinstance(value.get("value"), list):
        place, value = f"{place}.value", value["value"]
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield f"{place}[{index}]", item
    else:
        yield place, value


def _alert(path: Path, place: str, value: Json) -> JsonObject:
    if not isinstance(value, dict):
        raise UnusableInput(path, place, "is not a JSON object, so it is no alert")
    if is_nested_beyond(value, _DEEPEST):
        raise UnusableInput(path, place, f"is nested more than {_DEEPEST} levels deep")
    body = value if "properties" in value else _nested(value)
    try:
        alert = parse_alert(body)
    except ValueError as problem:
        raise UnusableInput(path, place, str(problem)) from None
    if alert.id is None:
        raise UnusableInput(path, f"{place}.id", "an alert needs its ARM id here")
    return {**body, "id": alert.id.path}


def _nested(value: JsonObject) -> JsonObject:
    outside: JsonObject = {name: value[name] for name in _OUTSIDE if name in value}
    inside: JsonObject = {name: child for name, child in value.items() if name not in _OUTSIDE}
    return {"type": ALERT_TYPE} | outside | {"properties": inside}
