"""What the operator sees: plain where nobody looks at it, never steered by what it shows."""

import io
import json
import os
import re
import sys
from collections.abc import Iterator
from enum import StrEnum

from rich.console import Console
from rich.text import Text

from shared.domain.body import Json
from shared.domain.remediation import Severity

_WORD = re.compile(r"[\w.:/-]+")
_LONGEST_VALUE = 400
_NARROWEST = 20
_STYLES = {
    Severity.CRITICAL: "bold red",
    Severity.HIGH: "red",
    Severity.MEDIUM: "yellow",
    Severity.LOW: "cyan",
    Severity.INFO: "dim",
}


class Format(StrEnum):
    """How a command prints its result."""

    TABLE = "table"
    JSON = "json"


def prepare_streams() -> None:
    """Lets a terminal that lacks a letter show its code, instead of ending the command."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def console() -> Console:
    """Standard output: 80 columns where it is not a terminal, no control sequences there or under NO_COLOR.

    Markup is off: what is printed came from outside.
    """
    plain = bool(os.environ.get("NO_COLOR"))
    return Console(markup=False, emoji=False, highlight=False, color_system=None if plain else "auto")


def complain(message: str) -> None:
    """One line on standard error."""
    print(f"airlock: {printable(message)}", file=sys.stderr)  # noqa: T201 - a command speaks by printing


def print_json(value: Json) -> None:
    """The value on standard output, in ASCII, so that no terminal and no locale can change it."""
    print(json.dumps(value, indent=2, allow_nan=False))  # noqa: T201 - a command speaks by printing


def printable(text: str) -> str:
    """The text without anything that moves a cursor, colours, hides or turns around what stands beside it."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)


def shown(value: Json) -> str:
    """A value of a resource for people to read. Null and absent are one to ARM, and here."""
    if value is None:
        return "(absent)"
    text = value if isinstance(value, str) and _WORD.fullmatch(value) else json.dumps(value, ensure_ascii=False)
    return printable(text if len(text) <= _LONGEST_VALUE else f"{text[: _LONGEST_VALUE - 3]}...")


def counted(number: int, noun: str) -> str:
    """`1 finding`, `2 findings`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def severity(level: Severity) -> Text:
    """The severity in its colour."""
    return Text(level.value, style=_STYLES[level])


def folded(text: str | Text, console: Console, indent: int = 0) -> Iterator[Text]:
    """The text as lines that fit the console, moved in by so many blanks. Nothing is cut, nothing trails."""
    whole = Text(text) if isinstance(text, str) else text
    for line in whole.wrap(console, max(console.width - indent, _NARROWEST)):
        line.rstrip()
        yield Text(" " * indent).append_text(line)


def say(console: Console, *lines: Text) -> None:
    """Prints the lines as they are, in one go."""
    console.print(Text("\n").join(lines), soft_wrap=True)
