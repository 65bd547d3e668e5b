"""What expressions evaluate to."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

type Value = bool | int | str | list[Value] | dict[str, Value] | Runtime | Handle | Closure | None

# Not to be found in any text of ours.
OPEN, CLOSE = "\N{MATHEMATICAL LEFT WHITE SQUARE BRACKET}", "\N{MATHEMATICAL RIGHT WHITE SQUARE BRACKET}"
_STAND_IN = str.maketrans({OPEN: "\N{MATHEMATICAL LEFT ANGLE BRACKET}", CLOSE: "\N{MATHEMATICAL RIGHT ANGLE BRACKET}"})


@dataclass(frozen=True, slots=True)
class Runtime:
    """What only Azure knows, while it deploys; named by the expression that asks for it."""

    expression: str

    def __str__(self) -> str:
        return f"{OPEN}{self.expression}{CLOSE}"


class Handle(Protocol):
    """What stands behind the name of a resource, module or scope."""

    def member(self, name: str) -> Value:
        """A property of it; raises Unknown if there can be none."""
        ...

    def plain(self) -> Value:
        """It as a mere value."""
        ...


@dataclass(frozen=True, slots=True)
class Closure:
    """A lambda with what it sees."""

    parameters: tuple[str, ...]
    call: Callable[..., Value]


class Fault(Exception):  # noqa: N818 - the word of this package
    """What cannot be evaluated. The place is known only to whoever evaluates."""


def is_known(value: Value) -> bool:
    """Whether nothing in the value waits for Azure."""
    match value:
        case str():
            return OPEN not in value
        case list():
            return all(map(is_known, value))
        case dict():
            return all(is_known(key) and is_known(each) for key, each in value.items())
        case None | bool() | int():
            return True
        case _:
            return False


def stand_in(value: Value) -> Value:
    """The value as a module gets it: what was a runtime value is a string that is known when the module starts.

    Whatever it will be, names may be made of it. It reads as what it stands for.
    """
    match value:
        case dict():
            return {key: stand_in(each) for key, each in value.items()}
        case list():
            return [stand_in(each) for each in value]
        case str() | Runtime():
            return str(value).translate(_STAND_IN)
        case _:
            return value


def is_literal(value: str) -> bool:
    """Whether the text is what will be deployed, to the last letter."""
    return not any(mark in value for mark in (OPEN, *_STAND_IN.values()))


def kind(value: Value) -> str:  # noqa: PLR0911 - one line for each kind
    """The word that Bicep has for such a value."""
    match value:
        case None:
            return "null"
        case bool():
            return "bool"
        case int():
            return "int"
        case str():
            return "string"
        case list():
            return "array"
        case dict():
            return "object"
        case Runtime():
            return "runtime value"
        case Closure():
            return "lambda"
        case _:
            return "resource"


def text(value: Value) -> str:
    """The value as it reads inside of a string."""
    match value:
        case str() | Runtime():
            return str(value)
        case bool():
            return "True" if value else "False"
        case int():
            return str(value)
        case _:
            raise Fault(f"{article(kind(value))} cannot stand in a string")


def article(word: str) -> str:
    """The word with `a` or `an`."""
    return f"{'an' if word[0] in 'aeiou' else 'a'} {word}"
