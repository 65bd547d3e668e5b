"""The files that an operator gives: exports of an estate, and events."""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from cli.documents import STANDARD_INPUT, Document, UnusableInput, file_name, is_nested_beyond, read_documents
from shared.domain.arm_id import ArmId, parse_arm_id
from shared.domain.body import Json, JsonObject, as_list, as_object, as_text
from shared.domain.resource import Resource
from shared.domain.resource_types import known_type

# Azure's own bodies are some ten levels deep; what is far beyond is made to break whoever walks it.
_DEEPEST = 100
# `az graph query`, Resource Graph's REST API, ARM lists.
_MORE_FOLLOWS = ("skip_token", "$skipToken", "nextLink")
# What no judged resource has in its id, while others do: `Application Insights Smart Detection`.
_UNUSUAL = re.compile(r"[^\w.()$/\-]")
_CONNECTION = "privateendpointconnections"


@dataclass(frozen=True, slots=True)
class Export:
    """What one file holds of an estate: raw bodies, in the file's order.

    `partial` means that the file says of itself that more pages follow.
    """

    path: Path
    bodies: tuple[JsonObject, ...]
    partial: bool


def read_estate(path: Path) -> tuple[JsonObject, ...]:
    """The raw bodies of the resources in the file, as given, in order. See `read_exports`."""
    return read_exports([path])[0].bodies


def read_exports(paths: Sequence[Path]) -> tuple[Export, ...]:
    """The files, which together are one estate: each resource stands in one of them, once.

    A file holds a JSON array of ARM resources, what `az graph query` prints (`data`), an ARM list (`value`), a single
    resource, or several of these behind one another (JSON lines). `-` is standard input.

    Raises UnusableInput, naming the place, where a file holds no resource or anything that is not one: every resource
    has an ARM id, and a type that agrees with it or none.
    """
    seen: dict[str, tuple[Path, str]] = {}
    return tuple(_export(path, seen) for path in paths)


def read_events(path: Path) -> list[JsonObject]:
    """The events of the file, raw and in order: one event, an array of them, or JSON lines. `-` is standard input.

    An event is any JSON object: what in it cannot be understood is for the engine to say. Raises UnusableInput for
    anything else.
    """
    events: list[JsonObject] = []
    for document in read_documents(path):
        for place, value in _items(document):
            if not isinstance(value, dict):
                raise UnusableInput(path, place, "is not a JSON object, so it is no event")
            events.append(value)
    return events


def files_below(paths: Iterable[Path]) -> tuple[Path, ...]:
    """The files that the paths name, each once: a directory stands for every `*.json` below it, in order of name.

    Raises UnusableInput for a directory without any, and for one that cannot be looked into.
    """
    found: dict[Path, Path] = {}
    for path in paths:
        files = [path]
        if path != STANDARD_INPUT and path.is_dir():
            files = sorted(_json_below(path))
            if not files:
                raise UnusableInput(path, "", "has no *.json file in it or below")
        for file in files:
            found.setdefault(file if file == STANDARD_INPUT else file.resolve(), file)
    return tuple(found.values())


def resources_to_judge(bodies: Sequence[JsonObject]) -> tuple[Resource, ...]:
    """The resources that rules judge, of bodies as `read_estate` gives them, in their order.

    Each knows which AI resources among the bodies name it as theirs, and carries the private endpoint connections
    that stand among the bodies as resources of their own.
    """
    named = [(_identify(as_text(body.get("id"))), body) for body in bodies]
    apart: defaultdict[str, list[JsonObject]] = defaultdict(list)
    for id_, body in named:
        if id_.parent is not None and id_.type.lower().endswith(f"/{_CONNECTION}"):
            apart[id_.parent.key].append(body)
    judged = [
        Resource(id_, kind, _with_connections(body, apart.get(id_.key, [])))
        for id_, body in named
        if (kind := known_type(id_.type)) is not None
    ]
    users: defaultdict[str, set[ArmId]] = defaultdict(set)
    for resource in judged:
        for attached in resource.attachments():
            users[attached.key].add(resource.id)
    return tuple(replace(resource, attached_to=frozenset(users.get(resource.id.key, ()))) for resource in judged)


def _export(path: Path, seen: dict[str, tuple[Path, str]]) -> Export:
    """One file; what it holds is added to the resources seen."""
    documents = read_documents(path)
    bodies: list[JsonObject] = []
    for document in documents:
        for place, value in _listed(path, document):
            body, key = _resource(path, place, value)
            if key in seen:
                first, where = seen[key]
                reason = f"names the same resource as {where}" + (f" in {file_name(first)}" if first != path else "")
                raise UnusableInput(path, f"{place}.id", reason)
            seen[key] = (path, place)
            bodies.append(body)
    if not bodies:
        raise UnusableInput(path, "", "holds no resource" if documents else "is empty")
    last = as_object(documents[-1].value)
    return Export(path, tuple(bodies), partial=any(last.get(name) for name in _MORE_FOLLOWS))


def _json_below(directory: Path) -> Iterator[Path]:
    def fail(problem: OSError) -> None:
        where = Path(str(problem.filename or directory))
        raise UnusableInput(where, "", problem.strerror or "cannot be read") from problem

    for folder, _, names in directory.walk(on_error=fail):
        yield from (folder / name for name in names if name.endswith(".json"))


def _items(document: Document) -> Iterator[tuple[str, Json]]:
    if isinstance(document.value, list):
        for index, item in enumerate(document.value):
            yield f"{document.place}[{index}]", item
    else:
        yield document.place, document.value


def _listed(path: Path, document: Document) -> Iterator[tuple[str, Json]]:
    """The place and value of everything that has to be a resource."""
    match document.value:
        case {"id": _, "type": _} | list():
            yield from _items(document)
        case {"data": list() as rows}:
            yield from _items(Document(f"{document.place}.data", rows))
        case {"value": list() as listed}:
            yield from _items(Document(f"{document.place}.value", listed))
        case {"id": _}:
            yield document.place, document.value
        case _:
            reason = "is neither a resource (an object with id and type) nor a list of them (an array, data or value)"
            raise UnusableInput(path, document.place, reason)


def _resource(path: Path, place: str, value: Json) -> tuple[JsonObject, str]:
    """The resource's body, and what it has in common with any other spelling of its id."""
    if not isinstance(value, dict):
        raise UnusableInput(path, place, "is not a JSON object, so it is no resource")
    text = value.get("id")
    if not isinstance(text, str):
        raise UnusableInput(path, f"{place}.id", "a resource needs its ARM id here")
    try:
        id_ = _identify(text)
    except ValueError as problem:
        raise UnusableInput(path, f"{place}.id", str(problem)) from None
    if not _agrees(value.get("type"), id_):
        raise UnusableInput(path, f"{place}.type", "is not the type that the id names")
    if is_nested_beyond(value, _DEEPEST):
        raise UnusableInput(path, place, f"is nested more than {_DEEPEST} levels deep")
    return value, text.lower()


def _agrees(given: Json, id_: ArmId) -> bool:
    """Whether a resource's `type` is that of its id. Resource Graph has a longer name for resource groups."""
    names = {id_.type.lower()}
    if not id_.providers and id_.resource_group:
        names.add("microsoft.resources/subscriptions/resourcegroups")
    return given is None or as_text(given).lower() in names


def _identify(text: str) -> ArmId:
    """The ARM id of anything that an export may hold. Raises ValueError.

    In the id of a resource that no rule judges, characters that no judged one could have are replaced: a whole
    subscription is not unusable because something else in it has a blank in its name.
    """
    about = parse_arm_id(_UNUSUAL.sub("_", text))
    return about if known_type(about.type) is None else parse_arm_id(text)


def _with_connections(body: JsonObject, apart: Sequence[JsonObject]) -> JsonObject:
    """The body with the connections given apart in place of, or behind, those that it lists itself.

    A body without properties stays so: it must not look like one that was exported whole.
    """
    properties = body.get("properties")
    if not apart or not isinstance(properties, dict):
        return body
    replaced = {as_text(connection.get("id")).lower() for connection in apart}
    listed = as_list(properties.get("privateEndpointConnections"))
    kept = [item for item in listed if as_text(as_object(item).get("id")).lower() not in replaced]
    return {**body, "properties": {**properties, "privateEndpointConnections": [*kept, *apart]}}
