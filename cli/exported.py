"""The log as people have it in files: rows in the forms that tools export, and anchors as their blobs are."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from cli.documents import MOST_BYTES, Document, UnusableInput, file_name, read_documents
from cli.files import files_below
from shared.domain.anchor import Anchor, parse_anchor
from shared.domain.body import Json, JsonObject, as_list, as_object, as_text
from shared.domain.record import TABLE
from shared.domain.verification import ANCHORS, Kind, Problem

_WHOLE = f"export whole rows of {TABLE}"


def read_rows(path: Path) -> Iterator[JsonObject]:
    """The rows of one file, in its order. `-` is standard input.

    A file holds a JSON array of rows (`az monitor log-analytics query`), one row a line (data export), or an answer of
    the query API (`tables`). Raises UnusableInput, naming the place, for anything else, and for an answer that says of
    itself that it is a part.
    """
    documents = read_documents(path)
    if not documents:
        raise UnusableInput(path, "", "is empty")
    rows, sealed = 0, False
    for document in documents:
        for row in _rows(path, document):
            rows, sealed = rows + 1, sealed or "Sealed" in row
            yield row
    if rows and not sealed:
        raise UnusableInput(path, "", f"has no column Sealed: {_WHOLE}")


def read_anchors(path: Path) -> tuple[tuple[Anchor, ...], tuple[Problem, ...]]:
    """The anchors of a file, or of all `*.json` files in a directory and below; and what there is none, as problems.

    A file is a blob as it was downloaded, or one a line. Raises UnusableInput where there is no anchor at all.
    """
    anchors: list[Anchor] = []
    problems: list[Problem] = []
    for file in files_below([path]):
        for place, line in _lines(file):
            try:
                anchors.append(parse_anchor(line))
            except ValueError as problem:
                told = f"{file_name(file)}{place} {problem}"
                problems.append(Problem(Kind.UNREADABLE, ANCHORS, "", told))
    if not anchors:
        raise UnusableInput(path, "", f"holds no anchor: {problems[0].text}" if problems else "holds no anchor")
    return tuple(anchors), tuple(problems)


def _rows(path: Path, document: Document) -> Iterator[JsonObject]:
    match document.value:
        case {"tables": list() as tables, **rest}:
            if rest.get("error"):
                raise UnusableInput(path, document.place, "says that it is only a part: ask for a shorter time")
            yield from _of_tables(path, document.place, tables)
        case list() as items:
            for index, item in enumerate(items):
                yield _row(path, f"{document.place}[{index}]", item)
        case item:
            yield _row(path, document.place, item)


def _row(path: Path, place: str, item: Json) -> JsonObject:
    if not isinstance(item, dict):
        raise UnusableInput(path, place, "is not a JSON object, so it is no row")
    return item


def _of_tables(path: Path, place: str, tables: Iterable[Json]) -> Iterator[JsonObject]:
    """The rows of every table. The query API has the names of the columns once, and each row as a list."""
    for number, table in enumerate(tables):
        where = f"{place}.tables[{number}]"
        names = [as_text(as_object(column).get("name")) for column in as_list(as_object(table).get("columns"))]
        if "Sealed" not in names:
            raise UnusableInput(path, where, f"has no column Sealed: {_WHOLE}")
        for index, row in enumerate(as_list(as_object(table).get("rows"))):
            if not isinstance(row, list) or len(row) != len(names):
                raise UnusableInput(path, f"{where}.rows[{index}]", f"is not a row of {len(names)} columns")
            yield dict(zip(names, row, strict=True))


def _lines(file: Path) -> Iterator[tuple[str, bytes]]:
    try:
        with file.open("rb") as opened:
            data = opened.read(MOST_BYTES + 1)
    except OSError as problem:
        raise UnusableInput(file, "", problem.strerror or "cannot be read") from problem
    if len(data) > MOST_BYTES:
        raise UnusableInput(file, "", f"is larger than {MOST_BYTES // 1024**2} MB")
    lines = [(number, line.removesuffix(b"\r")) for number, line in enumerate(data.split(b"\n"), 1) if line.strip()]
    for number, line in lines or [(1, b"")]:
        yield f": line {number}" if len(lines) > 1 else ":", line
