"""What a Bicep file says, as frozen values. Every node knows where it stands."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache

type Expr = (
    Literal | Text | Array | Object | Loop | Name | Member | Index | Nested | Call | Unary | Binary | Ternary | Lambda
)
type Type = NamedType | LiteralType | ArrayType | UnionType | NullableType | ObjectType
type Statement = Param | Var | Output | Resource | Module | Func | TypeName
type Node = Expr | Entry | Statement | Decorator


@dataclass(frozen=True, slots=True, order=True)
class At:
    """A place in a file: line and column, both from 1."""

    line: int
    column: int


@dataclass(frozen=True, slots=True)
class Literal:
    """A whole number, `true`, `false` or `null`."""

    at: At
    value: int | bool | None


@dataclass(frozen=True, slots=True)
class Text:
    """A string: pieces of text and the expressions between them."""

    at: At
    parts: tuple[str | Expr, ...]

    @property
    def plain(self) -> str | None:
        """The text, if nothing is interpolated."""
        return None if any(not isinstance(part, str) for part in self.parts) else "".join(map(str, self.parts))


@dataclass(frozen=True, slots=True)
class Array:
    """Items between brackets."""

    at: At
    items: tuple[Expr, ...]


@dataclass(frozen=True, slots=True)
class Entry:
    """One property of an object; the key may be computed."""

    at: At
    key: Text
    value: Expr


@dataclass(frozen=True, slots=True)
class Object:
    """Properties between braces, and the resources that are nested there."""

    at: At
    entries: tuple[Entry, ...]
    resources: tuple["Resource", ...] = ()

    def get(self, key: str) -> Expr | None:
        """The value of a property whose key is written out."""
        return next((entry.value for entry in self.entries if entry.key.plain == key), None)


@dataclass(frozen=True, slots=True)
class Loop:
    """`[for (item, index) in source: if (condition) body]`."""

    at: At
    item: str
    index: str | None
    source: Expr
    condition: Expr | None
    body: Expr


@dataclass(frozen=True, slots=True)
class Name:
    """The use of a symbol."""

    at: At
    name: str


@dataclass(frozen=True, slots=True)
class Member:
    """`base.name`, or `base.?name` where it may be absent."""

    at: At
    base: Expr
    name: str
    safe: bool = False


@dataclass(frozen=True, slots=True)
class Index:
    """`base[key]`, or `base[?key]` where it may be absent."""

    at: At
    base: Expr
    key: Expr
    safe: bool = False


@dataclass(frozen=True, slots=True)
class Nested:
    """`base::name`: a resource that is nested in another."""

    at: At
    base: Expr
    name: str


@dataclass(frozen=True, slots=True)
class Call:
    """A function, or with a base a method of it."""

    at: At
    base: Expr | None
    name: str
    arguments: tuple[Expr, ...]


@dataclass(frozen=True, slots=True)
class Unary:
    """`!x` or `-x`."""

    at: At
    operator: str
    operand: Expr


@dataclass(frozen=True, slots=True)
class Binary:
    """Two operands and what joins them."""

    at: At
    operator: str
    left: Expr
    right: Expr


@dataclass(frozen=True, slots=True)
class Ternary:
    """`condition ? yes : no`."""

    at: At
    condition: Expr
    yes: Expr
    no: Expr


@dataclass(frozen=True, slots=True)
class Lambda:
    """`(a, b) => body`."""

    at: At
    parameters: tuple[str, ...]
    body: Expr


@dataclass(frozen=True, slots=True)
class NamedType:
    """`string`, `int`, ... or a type of the file."""

    at: At
    name: str


@dataclass(frozen=True, slots=True)
class LiteralType:
    """One value as a type."""

    at: At
    value: str | int | bool | None


@dataclass(frozen=True, slots=True)
class ArrayType:
    """`item[]`."""

    at: At
    item: Type


@dataclass(frozen=True, slots=True)
class UnionType:
    """`'a' | 'b'`."""

    at: At
    members: tuple[Type, ...]


@dataclass(frozen=True, slots=True)
class NullableType:
    """`inner?`."""

    at: At
    inner: Type


@dataclass(frozen=True, slots=True)
class ObjectType:
    """Properties and their types; `rest` is that of all others, if there may be any."""

    at: At
    properties: tuple[tuple[str, Type], ...]
    rest: Type | None


@dataclass(frozen=True, slots=True)
class Decorator:
    """`@name(arguments)`."""

    at: At
    name: str
    arguments: tuple[Expr, ...]


@dataclass(frozen=True, slots=True)
class Param:
    """An input of the file."""

    at: At
    name: str
    type: Type
    default: Expr | None
    decorators: tuple[Decorator, ...]

    @property
    def is_secure(self) -> bool:
        """Whether the deployment keeps its value secret."""
        return any(decorator.name == "secure" for decorator in self.decorators)

    @property
    def is_required(self) -> bool:
        """Whether a caller must give it."""
        return self.default is None and not isinstance(self.type, NullableType)


@dataclass(frozen=True, slots=True)
class Var:
    """A named expression."""

    at: At
    name: str
    value: Expr


@dataclass(frozen=True, slots=True)
class Output:
    """What the file hands back."""

    at: At
    name: str
    type: Type
    value: Expr
    decorators: tuple[Decorator, ...]


@dataclass(frozen=True, slots=True)
class Resource:
    """A resource to deploy, or an existing one to refer to."""

    at: At
    name: str
    type: str
    api_version: str
    existing: bool
    condition: Expr | None
    loop: Loop | None
    body: Object


@dataclass(frozen=True, slots=True)
class Module:
    """The use of another file."""

    at: At
    name: str
    path: str
    condition: Expr | None
    loop: Loop | None
    body: Object


@dataclass(frozen=True, slots=True)
class Func:
    """A function of the file."""

    at: At
    name: str
    parameters: tuple[tuple[str, Type], ...]
    body: Expr


@dataclass(frozen=True, slots=True)
class TypeName:
    """A type of the file."""

    at: At
    name: str
    type: Type


@dataclass(frozen=True, slots=True, eq=False)
class Source:
    """One file: the scope that it deploys to and its statements in order."""

    target_scope: str
    statements: tuple[Statement, ...]

    def of[T](self, kind: type[T]) -> tuple[T, ...]:
        """The statements of one kind."""
        return tuple(statement for statement in self.statements if isinstance(statement, kind))

    def find(self, name: str) -> Statement | None:
        """The statement that gives the name its meaning. Outputs have names of their own."""
        return _symbols(self).get(name)


@cache
def _symbols(source: Source) -> Mapping[str, Statement]:
    return {each.name: each for each in reversed(source.statements) if not isinstance(each, Output)}


def parts(node: object) -> Iterator[Node]:
    """What the node is made of, one step down. Types are left out."""
    if not isinstance(node, _NODES):
        return
    for name in node.__slots__:
        value = getattr(node, name)
        yield from (each for each in (value if isinstance(value, tuple) else (value,)) if isinstance(each, _NODES))


def inside(node: object) -> Iterator[Node]:
    """The node and everything in it, from the outside in."""
    if isinstance(node, tuple):
        for each in node:
            yield from inside(each)
    elif isinstance(node, _NODES):
        yield node
        for part in parts(node):
            yield from inside(part)


@cache
def names_by_declaration(source: Source) -> Mapping[At, tuple[str, ...]]:
    """The symbols that each variable, resource and module uses, nested resources included."""
    declared = (node for node in inside(source.statements) if isinstance(node, Var | Resource | Module))
    return {
        node.at: tuple(dict.fromkeys(each.name for each in inside(node) if isinstance(each, Name))) for node in declared
    }


_NODES = (
    *(Literal, Text, Array, Object, Loop, Name, Member, Index, Nested, Call, Unary, Binary, Ternary, Lambda),
    *(Entry, Param, Var, Output, Resource, Module, Func, Decorator),
)


def show(node: Expr) -> str:  # noqa: C901, PLR0911, PLR0912 - one case for each kind
    """The expression as it would be written on one line."""
    match node:
        case Literal(value=value):
            return "null" if value is None else str(value).lower()
        case Text(parts=parts):
            return "'" + "".join(part if isinstance(part, str) else f"${{{show(part)}}}" for part in parts) + "'"
        case Array(items=items):
            return f"[{', '.join(map(show, items))}]"
        case Object(entries=entries):
            return "{" + ", ".join(f"{show(each.key)}: {show(each.value)}" for each in entries) + "}"
        case Loop(item=item, source=source, body=body):
            return f"[for {item} in {show(source)}: {show(body)}]"
        case Name(name=name):
            return name
        case Member(base=base, name=name, safe=safe):
            return f"{show(base)}.{'?' * safe}{name}"
        case Index(base=base, key=key, safe=safe):
            return f"{show(base)}[{'?' * safe}{show(key)}]"
        case Nested(base=base, name=name):
            return f"{show(base)}::{name}"
        case Call(base=None, name=name, arguments=arguments):
            return f"{name}({', '.join(map(show, arguments))})"
        case Call(base=base, name=name, arguments=arguments) if base is not None:
            return f"{show(base)}.{name}({', '.join(map(show, arguments))})"
        case Unary(operator=operator, operand=operand):
            return f"{operator}{show(operand)}"
        case Binary(operator=operator, left=left, right=right):
            return f"{show(left)} {operator} {show(right)}"
        case Ternary(condition=condition, yes=yes, no=no):
            return f"{show(condition)} ? {show(yes)} : {show(no)}"
        case Lambda(parameters=parameters, body=body):
            return f"({', '.join(parameters)}) => {show(body)}"
    raise TypeError(node)
