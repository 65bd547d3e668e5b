"""Reads the text of a Bicep file.

tree-sitter says where the text is no Bicep, and cuts it into words. The sentences are put together here, for its
grammar lets `a ?? b.c` mean `(a ?? b).c`.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import tree_sitter_bicep
from tree_sitter import Language, Node, Parser

from tests.infra.bicep.syntax import (
    Array,
    ArrayType,
    At,
    Binary,
    Call,
    Decorator,
    Entry,
    Expr,
    Func,
    Index,
    Lambda,
    Literal,
    LiteralType,
    Loop,
    Member,
    Module,
    Name,
    NamedType,
    Nested,
    NullableType,
    Object,
    ObjectType,
    Output,
    Param,
    Resource,
    Source,
    Statement,
    Ternary,
    Text,
    Type,
    TypeName,
    Unary,
    UnionType,
    Var,
)

_NAME = re.compile(r"[A-Za-z_]\w*", re.ASCII)
_LITERALS = {"true": True, "false": False, "null": None}
_TIGHTNESS = {
    **dict.fromkeys(("*", "/", "%"), 7),
    **dict.fromkeys(("+", "-"), 6),
    **dict.fromkeys(("<", "<=", ">", ">="), 5),
    **dict.fromkeys(("==", "!=", "=~", "!~"), 4),
    "&&": 3,
    "||": 2,
    "??": 1,
}
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "'": "'", "\\": "\\", "$": "$"}


class SyntaxFault(Exception):  # noqa: N818 - as in values.py
    """Where the text is no Bicep."""

    def __init__(self, at: At, what: str) -> None:
        super().__init__(what)
        self.at = at


@dataclass(frozen=True, slots=True)
class Word:
    """A name, a number, an operator, or a string with its parts."""

    at: At
    text: str
    first: bool
    parts: "tuple[str | tuple[Word, ...], ...] | None" = None

    @property
    def is_name(self) -> bool:
        """Whether it can name something."""
        return self.parts is None and _NAME.fullmatch(self.text) is not None


@cache
def _parser() -> Parser:
    return Parser(Language(tree_sitter_bicep.language()))


@cache
def read(content: str) -> Source:
    """The file as values; raises SyntaxFault."""
    root = _parser().parse(content.encode()).root_node
    if root.has_error:
        raise _first_error(root)
    return _Sentences(_words(root)).source()


def _at(node: Node) -> At:
    return At(node.start_point.row + 1, node.start_point.column + 1)


def _first_error(root: Node) -> SyntaxFault:
    for node in _nodes(root):
        if node.is_missing:
            return SyntaxFault(_at(node), f"{node.type!r} is missing")
        if node.type == "ERROR":
            return SyntaxFault(_at(node), f"no Bicep: {_text(node).strip().partition('\n')[0][:60]!r}")
    return SyntaxFault(_at(root), "no Bicep")


def _nodes(node: Node) -> Iterator[Node]:
    yield node
    for child in node.children:
        yield from _nodes(child)


def _text(node: Node) -> str:
    return (node.text or b"").decode()


def _words(root: Node) -> tuple[Word, ...]:
    row = -1
    found = []
    for node in _leaves(root):
        parts = _parts(node) if _is_string(node) else None
        found.append(Word(_at(node), _text(node), first=node.start_point.row != row, parts=parts))
        row = node.end_point.row
    return tuple(found)


def _leaves(node: Node) -> Iterator[Node]:
    if node.type in {"comment", "diagnostic_comment"}:
        return
    if _is_string(node) or not node.children:
        if _text(node).strip():
            yield node
        return
    for child in node.children:
        yield from _leaves(child)


def _is_string(node: Node) -> bool:
    # The word for the type has the same name.
    return node.type == "string" and node.is_named


def _parts(string: Node) -> tuple[str | tuple[Word, ...], ...]:
    if _text(string).startswith("'''"):
        return (_text(string)[3:-3].removeprefix("\n"),)
    if sum(len(child.text or b"") for child in string.children) < len(string.text or b""):
        # The grammar skips over escapes that it does not know.
        raise SyntaxFault(_at(string), f"unknown escape in {_text(string)}")
    parts: list[str | tuple[Word, ...]] = []
    for child in string.named_children:
        if child.type == "interpolation":
            parts.append(_words(child)[1:-1])
        elif child.type == "escape_sequence":
            parts.append(_unescaped(child))
        else:
            parts.append(_text(child))
    return tuple(parts)


def _unescaped(node: Node) -> str:
    told = _text(node)[1:]
    if told.startswith("u{"):
        return chr(int(told[2:-1], 16))
    if told not in _ESCAPES:
        raise SyntaxFault(_at(node), f"unknown escape \\{told}")
    return _ESCAPES[told]


class _Sentences:
    """A recursive descent over the words."""

    def __init__(self, words: tuple[Word, ...]) -> None:
        self._words = words
        self._next = 0

    def source(self) -> Source:
        scope = "resourceGroup"
        statements: list[Statement] = []
        while self._next < len(self._words):
            decorators = self._decorators()
            keyword = self._take()
            if keyword.text == "targetScope":
                self._expect("=")
                scope = self._string()
            elif keyword.text == "metadata":
                self._name()
                self._expect("=")
                self._expression()
            else:
                statements.append(self._statement(keyword, decorators))
            self._end_of_line()
        return Source(scope, tuple(statements))

    def whole_expression(self) -> Expr:
        found = self._expression()
        if self._next < len(self._words):
            raise self._unexpected(self._words[self._next])
        return found

    # Words

    def _peek(self, ahead: int = 0) -> Word | None:
        place = self._next + ahead
        return self._words[place] if place < len(self._words) else None

    def _is(self, *texts: str, ahead: int = 0) -> bool:
        word = self._peek(ahead)
        return word is not None and word.parts is None and word.text in texts

    def _is_glued(self, *texts: str) -> bool:
        word = self._peek()
        return self._is(*texts) and word is not None and not word.first

    def _take(self) -> Word:
        word = self._peek()
        if word is None:
            last = self._words[-1].at if self._words else At(1, 1)
            raise SyntaxFault(last, "the text ends too early")
        self._next += 1
        return word

    def _accept(self, text: str) -> bool:
        found = self._is(text)
        self._next += found
        return found

    def _expect(self, text: str) -> Word:
        if not self._is(text):
            raise self._unexpected(self._take(), f", {text!r} is due")
        return self._take()

    def _unexpected(self, word: Word, more: str = "") -> SyntaxFault:
        return SyntaxFault(word.at, f"unexpected {word.text!r}{more}")

    def _name(self) -> str:
        word = self._take()
        if not word.is_name:
            raise self._unexpected(word, ", a name is due")
        return word.text

    def _string(self) -> str:
        at = self._here()
        text = self._text()
        if text.plain is None:
            raise SyntaxFault(at, "a string without interpolation is due")
        return text.plain

    def _here(self) -> At:
        word = self._peek()
        return word.at if word else At(1, 1)

    def _end_of_line(self) -> None:
        word = self._peek()
        if word is not None and not word.first:
            raise self._unexpected(word, ", a new line is due")

    # Statements

    def _decorators(self) -> tuple[Decorator, ...]:
        found = []
        while self._is("@"):
            at = self._take().at
            call = self._postfix()
            if not isinstance(call, Call):
                raise SyntaxFault(at, "a decorator is called like a function")
            found.append(Decorator(at, call.name, call.arguments))
        return tuple(found)

    def _statement(self, keyword: Word, decorators: tuple[Decorator, ...]) -> Statement:  # noqa: PLR0911 - one line for each keyword
        at = self._here()
        match keyword.text:
            case "param":
                name, of = self._name(), self._type()
                default = self._expression() if self._accept("=") else None
                return Param(at, name, of, default, decorators)
            case "var":
                return Var(at, self._name(), self._after_equals())
            case "output":
                return Output(at, self._name(), self._type(), self._after_equals(), decorators)
            case "resource":
                return self._resource()
            case "module":
                name, path = self._name(), self._string()
                self._expect("=")
                return Module(at, name, path, *self._deployed())
            case "func":
                return self._func()
            case "type":
                name = self._name()
                self._expect("=")
                return TypeName(at, name, self._type())
        raise SyntaxFault(keyword.at, f"{keyword.text!r} is not supported here")

    def _after_equals(self) -> Expr:
        self._expect("=")
        return self._expression()

    def _resource(self) -> Resource:
        at = self._here()
        name, written = self._name(), self._string()
        type_, _, version = written.partition("@")
        existing = self._accept("existing")
        self._expect("=")
        return Resource(at, name, type_, version, existing, *self._deployed())

    def _deployed(self) -> tuple[Expr | None, Loop | None, Object]:
        at = self._here()
        loop = condition = None
        if self._is("if"):
            condition, body = self._conditional()
        else:
            body = self._expression()
        if isinstance(body, Loop):
            loop, condition, body = body, body.condition, body.body
        if not isinstance(body, Object):
            raise SyntaxFault(at, "a body between braces is due")
        return condition, loop, body

    def _conditional(self) -> tuple[Expr, Expr]:
        self._expect("if")
        self._expect("(")
        condition = self._expression()
        self._expect(")")
        return condition, self._object()

    def _func(self) -> Func:
        at, name = self._here(), self._name()
        parameters = []
        self._expect("(")
        while not self._accept(")"):
            parameters.append((self._name(), self._type()))
            self._accept(",")
        self._type()
        self._expect("=>")
        return Func(at, name, tuple(parameters), self._expression())

    # Types

    def _type(self) -> Type:
        at = self._here()
        self._accept("|")
        members = [self._postfix_type()]
        while self._accept("|"):
            members.append(self._postfix_type())
        return members[0] if len(members) == 1 else UnionType(at, tuple(members))

    def _postfix_type(self) -> Type:
        found = self._plain_type()
        while True:
            at = self._here()
            if self._is_glued("[") and self._is("]", ahead=1):
                self._next += 2
                found = ArrayType(at, found)
            elif self._is_glued("?"):
                self._next += 1
                found = NullableType(at, found)
            else:
                return found

    def _plain_type(self) -> Type:
        word = self._take()
        if word.parts is not None:
            self._next -= 1
            return LiteralType(word.at, self._string())
        if word.text in _LITERALS:
            return LiteralType(word.at, _LITERALS[word.text])
        if word.is_name:
            return NamedType(word.at, word.text)
        if word.text == "{":
            return self._object_type(word.at)
        if word.text == "(":
            found = self._type()
            self._expect(")")
            return found
        if word.text.removeprefix("-").isdigit():
            return LiteralType(word.at, int(word.text))
        raise self._unexpected(word, ", a type is due")

    def _object_type(self, at: At) -> ObjectType:
        properties = []
        rest = None
        while not self._accept("}"):
            self._decorators()
            if self._accept("*"):
                self._expect(":")
                rest = self._type()
            else:
                name = self._key().plain or ""
                self._expect(":")
                properties.append((name, self._type()))
            self._accept(",")
        return ObjectType(at, tuple(properties), rest)

    # Expressions

    def _expression(self) -> Expr:
        condition = self._binary(1)
        if not self._is("?"):
            return condition
        at = self._take().at
        yes = self._expression()
        self._expect(":")
        return Ternary(at, condition, yes, self._expression())

    def _binary(self, tightness: int) -> Expr:
        left = self._unary()
        while (word := self._peek()) is not None and word.parts is None:
            own = _TIGHTNESS.get(word.text, 0)
            if own < tightness or (word.first and word.text == "-"):
                break
            self._next += 1
            following = self._peek()
            if word.first or (following is not None and following.first):
                raise SyntaxFault(word.at, f"{word.text!r} and both its operands must stand on one line")
            left = Binary(word.at, word.text, left, self._binary(own + 1))
        return left

    def _unary(self) -> Expr:
        if self._is("!", "-"):
            word = self._take()
            return Unary(word.at, word.text, self._unary())
        return self._postfix()

    def _postfix(self) -> Expr:
        found = self._primary()
        while (word := self._peek()) is not None:
            if self._is(".", ".?"):
                self._next += 1
                name = self._name()
                found = self._called(word.at, found, name) or Member(word.at, found, name, safe=word.text == ".?")
            elif self._is("::"):
                self._next += 1
                found = Nested(word.at, found, self._name())
            elif self._is_glued("["):
                found = self._index(found)
            elif self._is_glued("!") and not self._is("=", ahead=1):
                self._next += 1
            else:
                break
        return found

    def _index(self, base: Expr) -> Index:
        at = self._expect("[").at
        safe = self._accept("?")
        key = self._expression()
        self._expect("]")
        return Index(at, base, key, safe)

    def _called(self, at: At, base: Expr | None, name: str) -> Call | None:
        if not self._is_glued("("):
            return None
        arguments = self._listed("(", ")")
        # Both namespaces hold what can be said without them.
        bare = isinstance(base, Name) and base.name in {"az", "sys"}
        return Call(at, None if bare else base, name, arguments)

    def _listed(self, opening: str, closing: str) -> tuple[Expr, ...]:
        self._expect(opening)
        found = []
        while not self._accept(closing):
            found.append(self._expression())
            word = self._peek()
            if not self._accept(",") and word is not None and not word.first and not self._is(closing):
                raise self._unexpected(word, ", a comma is due")
        return tuple(found)

    def _primary(self) -> Expr:  # noqa: PLR0911 - one line for each kind
        word = self._peek()
        if word is None:
            return Name(self._take().at, "")
        if word.parts is not None:
            return self._text()
        if self._is("["):
            return self._loop() if self._is("for", ahead=1) else Array(word.at, self._listed("[", "]"))
        if self._is("{"):
            return self._object()
        if self._is("("):
            return self._lambda() or self._parenthesised()
        self._next += 1
        if word.text.removeprefix("-").isdigit():
            return Literal(word.at, int(word.text))
        if word.text in _LITERALS:
            return Literal(word.at, _LITERALS[word.text])
        if not word.is_name:
            raise self._unexpected(word)
        if self._accept("=>"):
            return Lambda(word.at, (word.text,), self._expression())
        return self._called(word.at, None, word.text) or Name(word.at, word.text)

    def _parenthesised(self) -> Expr:
        self._expect("(")
        found = self._expression()
        self._expect(")")
        return found

    def _lambda(self) -> Lambda | None:
        ahead = 1
        names = []
        while (word := self._peek(ahead)) is not None and (word.is_name or word.text == ","):
            names += [word.text] if word.is_name else []
            ahead += 1
        if not (self._is(")", ahead=ahead) and self._is("=>", ahead=ahead + 1)):
            return None
        at = self._here()
        self._next += ahead + 2
        return Lambda(at, tuple(names), self._expression())

    def _text(self) -> Text:
        word = self._take()
        if word.parts is None:
            raise self._unexpected(word, ", a string is due")
        parts = (part if isinstance(part, str) else _Sentences(part).whole_expression() for part in word.parts)
        return Text(word.at, tuple(parts))

    def _key(self) -> Text:
        word = self._peek()
        if word is not None and word.is_name:
            self._next += 1
            return Text(word.at, (word.text,))
        return self._text()

    def _object(self) -> Object:
        at = self._expect("{").at
        entries = []
        resources = []
        while not self._accept("}"):
            decorators = self._decorators()
            if self._is("resource") and not self._is(":", ahead=1):
                self._next += 1
                resources.append(self._resource())
            else:
                entries.append(self._entry())
                if decorators:
                    raise SyntaxFault(decorators[0].at, "a property takes no decorator")
            self._accept(",")
        return Object(at, tuple(entries), tuple(resources))

    def _entry(self) -> Entry:
        at, key = self._here(), self._key()
        self._expect(":")
        return Entry(at, key, self._expression())

    def _loop(self) -> Loop:
        at = self._expect("[").at
        self._expect("for")
        index = None
        if self._accept("("):
            item = self._name()
            self._expect(",")
            index = self._name()
            self._expect(")")
        else:
            item = self._name()
        self._expect("in")
        source = self._expression()
        self._expect(":")
        condition, body = self._conditional() if self._is("if") else (None, self._expression())
        self._expect("]")
        return Loop(at, item, index, source, condition, body)
