"""JSON as people have it in files: any Unicode encoding, one value or several, and errors that say where."""

import json
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from shared.domain.body import Json

STANDARD_INPUT = Path("-")
MOST_BYTES = 256 * 1024 * 1024
_INK = re.compile(r"[^ \t\r\n]")


class UnusableInput(Exception):  # noqa: N818 - it is about what was given, not about an error in here
    """What was given cannot be used: which file, where in it, and why.

    The text names places and reasons only. It never repeats what the file holds, which may be hostile or secret.
    """

    def __init__(self, file: Path, place: str, reason: str) -> None:
        self.file = file
        self.place = place
        self.reason = reason
        super().__init__(": ".join(part for part in (file_name(file), place, reason) if part))


def file_name(file: Path) -> str:
    """The file as messages call it."""
    return "standard input" if file == STANDARD_INPUT else str(file)


@dataclass(frozen=True, slots=True)
class Document:
    """One JSON value of a file. `place` is what a JSON path into it begins with: `$`, or `line 4, $` among several."""

    place: str
    value: Json


def read_documents(file: Path) -> tuple[Document, ...]:
    """Every JSON value of the file, in order: usually one, one per line in JSON lines, none in a blank file.

    UTF-8 with or without a byte order mark, UTF-16 as Windows PowerShell's `>` writes it, UTF-32. `-` is standard
    input. Raises UnusableInput for a file that cannot be read, is over MOST_BYTES, or is anything but JSON.
    """
    text = _text(file, _bytes(file))
    found: list[tuple[int, Json]] = []
    end = 0
    while ink := _INK.search(text, end):
        value, end = _value(file, text, ink.start())
        found.append((ink.start(), value))
    if len(found) == 1:
        return (Document("$", found[0][1]),)
    documents: list[Document] = []
    line, counted = 1, 0
    for start, value in found:
        line, counted = line + text.count("\n", counted, start), start
        documents.append(Document(f"line {line}, $", value))
    return tuple(documents)


def is_nested_beyond(value: Json, levels: int) -> bool:
    """Whether arrays and objects stand in one another more than that many levels deep. Does not recurse."""
    layer = [value]
    for _ in range(levels + 1):
        layer = [
            child
            for item in layer
            if isinstance(item, dict | list)
            for child in (item.values() if isinstance(item, dict) else item)
        ]
        if not layer:
            return False
    return True


def _bytes(file: Path) -> bytes:
    # Sizes are not asked for: pipes and devices have none.
    try:
        if file == STANDARD_INPUT:
            raw = sys.stdin.buffer.read(MOST_BYTES + 1)
        else:
            with file.open("rb") as opened:
                raw = opened.read(MOST_BYTES + 1)
    except OSError as problem:
        raise UnusableInput(file, "", problem.strerror or "cannot be read") from problem
    if len(raw) > MOST_BYTES:
        raise UnusableInput(file, "", f"is larger than {MOST_BYTES // 1024**2} MB")
    return raw


def _text(file: Path, raw: bytes) -> str:
    encoding = json.detect_encoding(raw).removesuffix("-sig")
    try:
        return raw.decode(encoding).removeprefix("\ufeff")
    except UnicodeDecodeError as problem:
        raise UnusableInput(file, f"byte {problem.start}", f"is not {encoding.upper()} text") from None


def _value(file: Path, text: str, start: int) -> tuple[Json, int]:
    try:
        return _DECODER.raw_decode(text, start)
    except json.JSONDecodeError as problem:
        place = f"line {problem.lineno}, column {problem.colno}"
        raise UnusableInput(file, place, f"not JSON: {problem.msg}") from None
    except RecursionError:
        raise UnusableInput(file, _line(text, start), "nested too deeply") from None
    except ValueError as problem:
        raise UnusableInput(file, _line(text, start), str(problem)) from None


def _line(text: str, start: int) -> str:
    return f"the value that begins in line {1 + text.count('\n', 0, start)}"


def _finite(text: str) -> float:
    number = float(text)
    if number in {float("inf"), float("-inf")}:
        raise ValueError("holds a number that is too large")
    return number


def _no_number(text: str) -> NoReturn:
    raise ValueError(f"not JSON: {text} is not a JSON value")


# Python reads NaN and 1e999 as numbers that it then writes as what is not JSON.
_DECODER = json.JSONDecoder(parse_float=_finite, parse_constant=_no_number)
