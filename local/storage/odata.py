"""The `$filter` language of Table Storage: text to a Filter, and a Filter's verdict on one entity.

Grammar (learn.microsoft.com, "Querying tables and entities", reviewed 2026-11)::

    filter     = and { "or" and }
    and        = unary { "and" unary }
    unary      = "not" unary | "(" filter ")" | comparison
    comparison = property operator literal | literal operator property
    operator   = "eq" | "ne" | "gt" | "ge" | "lt" | "le"

Everything is case-sensitive, one side of a comparison must be a constant, and at most 15 comparisons are allowed.
"""

import operator
import re
from base64 import b64decode
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal, cast
from uuid import UUID

from local.storage.moment import Moment, parse_moment

type Constant = str | bool | int | float | bytes | UUID | Moment
type Operator = Literal["eq", "ne", "gt", "ge", "lt", "le"]
type Lookup = Callable[[str], Constant | None]

MOST_COMPARISONS = 15
DEEPEST_NESTING = 64

_HOLDS: dict[Operator, Callable[[Constant, Constant], bool]] = {
    "eq": operator.eq,
    "ne": operator.ne,
    "gt": operator.gt,
    "ge": operator.ge,
    "lt": operator.lt,
    "le": operator.le,
}
_MIRROR: dict[Operator, Operator] = {"eq": "eq", "ne": "ne", "gt": "lt", "ge": "le", "lt": "gt", "le": "ge"}

_TOKEN = re.compile(
    r"""\s*(?:
        (?P<parenthesis>[()])
      | (?P<prefix>datetime|guid|binary|X)?'(?P<text>(?:[^']|'')*)'
      | (?P<number>-?[0-9]{1,19}(?P<decimals>(?:\.[0-9]{1,40})?(?:[eE][+-]?[0-9]{1,3})?)(?P<suffix>[LlDd])?)(?![\w.'])
      | (?P<word>[^\W\d]\w*)(?!')
    )""",
    re.VERBOSE,
)
_INT32 = range(-(2**31), 2**31)
_INT64 = range(-(2**63), 2**63)


class FilterError(ValueError):
    """The text is not a `$filter` that the service would take; the message says why."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """`name operator constant`. False for an entity without the property, or with one of another type."""

    name: str
    operator: Operator
    constant: Constant

    def matches(self, lookup: Lookup) -> bool:
        """Tell whether the entity, whose properties `lookup` returns (None: no such property), satisfies this."""
        actual = lookup(self.name)
        if actual is None or _family(actual) is not _family(self.constant):
            return False
        return _HOLDS[self.operator](actual, self.constant)


@dataclass(frozen=True, slots=True)
class Not:
    """Negation."""

    operand: "Filter"

    def matches(self, lookup: Lookup) -> bool:
        """Tell whether the operand does not match."""
        return not self.operand.matches(lookup)


@dataclass(frozen=True, slots=True)
class And:
    """Conjunction of one or more."""

    operands: tuple["Filter", ...]

    def matches(self, lookup: Lookup) -> bool:
        """Tell whether every operand matches."""
        return all(operand.matches(lookup) for operand in self.operands)


@dataclass(frozen=True, slots=True)
class Or:
    """Disjunction of one or more."""

    operands: tuple["Filter", ...]

    def matches(self, lookup: Lookup) -> bool:
        """Tell whether any operand matches."""
        return any(operand.matches(lookup) for operand in self.operands)


type Filter = Comparison | Not | And | Or


def parse(text: str) -> Filter:
    """Read a `$filter`; raises FilterError for everything that is not one."""
    parser = _Parser(list(_tokens(text)))
    found = parser.disjunction(0)
    parser.finish()
    return found


def necessary(found: Filter, names: frozenset[str]) -> tuple[Comparison, ...]:
    """Return comparisons of the `names` with strings that every match satisfies: what an index may narrow by."""
    if isinstance(found, And):
        return tuple(bound for operand in found.operands for bound in necessary(operand, names))
    if isinstance(found, Comparison) and found.name in names and isinstance(found.constant, str):
        return (found,)
    return ()


def _family(constant: Constant) -> type:
    """Return what a constant may be compared with: numbers with numbers, everything else with its own type."""
    return float if isinstance(constant, int) and not isinstance(constant, bool) else type(constant)


@dataclass(frozen=True, slots=True)
class _Name:
    """A word of the filter: property, operator or connective; the grammar decides by position."""

    text: str


@dataclass(frozen=True, slots=True)
class _Literal:
    constant: Constant


type _Token = _Name | _Literal | Literal["(", ")"]


def _tokens(text: str) -> Iterator[_Token]:
    position, end = 0, len(text.rstrip())
    while position < end:
        match = _TOKEN.match(text, position)
        if match is None:
            raise FilterError(f"unexpected character at position {position}")
        position = match.end()
        yield _token(match)


def _token(match: re.Match[str]) -> _Token:
    if match["parenthesis"]:
        return cast("Literal['(', ')']", match["parenthesis"])
    if match["text"] is not None:
        return _Literal(_quoted(match["prefix"], match["text"].replace("''", "'")))
    if match["number"]:
        return _Literal(_number(match))
    word = match["word"]
    return _Literal(word == "true") if word in ("true", "false") else _Name(word)


def _quoted(prefix: str | None, text: str) -> Constant:
    try:
        match prefix:
            case None:
                return text
            case "datetime":
                return parse_moment(text)
            case "guid":
                return UUID(text)
            case "X":
                return bytes.fromhex(text)
            case _:
                return b64decode(text, validate=True)
    except ValueError as error:
        raise FilterError(f"not a {prefix} literal") from error


def _number(match: re.Match[str]) -> Constant:
    digits = match["number"].rstrip("LlDd")
    suffix = (match["suffix"] or "").lower()
    if suffix == "d" or (match["decimals"] and not suffix):
        return float(digits)
    if match["decimals"] or int(digits) not in (_INT64 if suffix else _INT32):
        raise FilterError("the number does not fit its type; 64-bit integers end with L")
    return int(digits)


class _Parser:
    """Recursive descent over the tokens; holds the position and the comparisons counted so far."""

    def __init__(self, tokens: list[_Token]) -> None:
        self._tokens = tokens
        self._position = 0
        self._comparisons = 0

    def disjunction(self, depth: int) -> Filter:
        return self._joined("or", depth)

    def finish(self) -> None:
        if self._position < len(self._tokens):
            raise FilterError("text after the end of the filter")

    def _joined(self, connective: Literal["or", "and"], depth: int) -> Filter:
        operands = [self._operand(connective, depth)]
        while self._skip(_Name(connective)):
            operands.append(self._operand(connective, depth))
        if len(operands) == 1:
            return operands[0]
        return Or(tuple(operands)) if connective == "or" else And(tuple(operands))

    def _operand(self, connective: Literal["or", "and"], depth: int) -> Filter:
        return self._joined("and", depth) if connective == "or" else self._unary(depth)

    def _unary(self, depth: int) -> Filter:
        if depth > DEEPEST_NESTING:
            raise FilterError("the filter is nested too deeply")
        if self._skip(_Name("not")):
            return Not(self._unary(depth + 1))
        if self._skip("("):
            inner = self.disjunction(depth + 1)
            if not self._skip(")"):
                raise FilterError("a parenthesis is not closed")
            return inner
        return self._comparison()

    def _comparison(self) -> Comparison:
        self._comparisons += 1
        if self._comparisons > MOST_COMPARISONS:
            raise FilterError(f"more than {MOST_COMPARISONS} comparisons")
        left, middle, right = self._next(), self._next(), self._next()
        if not isinstance(middle, _Name) or middle.text not in _HOLDS:
            raise FilterError("a comparison needs one of eq, ne, gt, ge, lt, le")
        spelled = middle.text
        if isinstance(left, _Name) and isinstance(right, _Literal):
            return Comparison(left.text, spelled, right.constant)
        if isinstance(left, _Literal) and isinstance(right, _Name):
            return Comparison(right.text, _MIRROR[spelled], left.constant)
        raise FilterError("one side of a comparison must be a property, the other a constant")

    def _skip(self, token: _Token) -> bool:
        found = self._position < len(self._tokens) and self._tokens[self._position] == token
        self._position += found
        return found

    def _next(self) -> _Token:
        if self._position == len(self._tokens):
            raise FilterError("the filter ends too early")
        self._position += 1
        return self._tokens[self._position - 1]
