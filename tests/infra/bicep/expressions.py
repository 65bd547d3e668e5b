"""What expressions come to."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from tests.infra.bicep import functions
from tests.infra.bicep.handles import (
    Collection,
    Instance,
    Live,
    Locals,
    ModuleInstance,
    Outputs,
    ScopeHandle,
    settled,
)
from tests.infra.bicep.places import PLACES, Place
from tests.infra.bicep.session import PlacedFault, ToldFault
from tests.infra.bicep.syntax import (
    Array,
    Binary,
    Call,
    Expr,
    Func,
    Index,
    Lambda,
    Literal,
    Loop,
    Member,
    Name,
    Object,
    Source,
    Ternary,
    Text,
    Unary,
    show,
)
from tests.infra.bicep.syntax import Nested as NestedName
from tests.infra.bicep.values import Closure, Fault, Runtime, Value, article, is_known, kind, text


class Symbols(Protocol):
    """What the names of a file stand for."""

    def symbol(self, name: str, seen: Locals) -> Value:
        """The value behind the name."""
        ...

    def nested(self, base: Value, name: str) -> Value:
        """A resource that is nested in another."""
        ...


@dataclass(frozen=True, slots=True)
class Expressions:
    """The expressions of one file."""

    source: Source
    place: Place
    symbols: Symbols

    def value(self, node: Expr, seen: Locals) -> Value:
        """What the expression comes to."""
        try:
            return self._value(node, seen)
        except (PlacedFault, ToldFault):
            raise
        except Fault as fault:
            raise PlacedFault(self.place.file, node.at, str(fault)) from fault

    def _value(self, node: Expr, seen: Locals) -> Value:  # noqa: C901, PLR0911, PLR0912 - one line for each kind
        match node:
            case Literal(value=value):
                return value
            case Text():
                return self._text(node, seen)
            case Array(items=items):
                return [settled(self.value(item, seen)) for item in items]
            case Object():
                return self._object(node, seen)
            case Loop():
                return self._loop(node, seen)
            case Name(name=name):
                return self.symbols.symbol(name, seen)
            case Member():
                return self._member(node, seen)
            case Index():
                return self._index(node, seen)
            case NestedName(base=base, name=name):
                return self.symbols.nested(self.value(base, seen), name)
            case Call():
                return self._call(node, seen)
            case Unary():
                return self._unary(node, seen)
            case Binary():
                return self._binary(node, seen)
            case Ternary():
                return self._ternary(node, seen)
            case Lambda(parameters=names, body=body):
                return Closure(names, lambda *given: settled(self.value(body, {**seen, **dict(zip(names, given))})))  # noqa: B905 - a lambda may name fewer

    def _text(self, node: Text, seen: Locals) -> str:
        parts = (part if isinstance(part, str) else text(settled(self.value(part, seen))) for part in node.parts)
        return "".join(parts)

    def _object(self, node: Object, seen: Locals) -> dict[str, Value]:
        found: dict[str, Value] = {}
        for entry in node.entries:
            key = self._text(entry.key, seen)
            if key in found:
                raise PlacedFault(self.place.file, entry.at, f"{key!r} is said twice")
            found[key] = settled(self.value(entry.value, seen))
        return found

    def _loop(self, node: Loop, seen: Locals) -> list[Value]:
        turns = self.loop_locals(node, seen)
        return [settled(self.value(node.body, turn)) for turn in turns if self.holds(node.condition, turn)]

    def _member(self, node: Member, seen: Locals) -> Value:
        base = self.value(node.base, seen)
        match base:
            case None if node.safe or _is_safe(node.base):
                return None
            case Runtime():
                return Runtime(f"{base.expression}.{node.name}")
            case dict() if node.name in base:
                return base[node.name]
            case dict() if node.safe:
                return None
            case dict():
                raise Fault(f"no property {node.name!r} among {', '.join(base) or 'none'}")
            case Instance() | ModuleInstance() | Outputs() | Live() | ScopeHandle() | Collection():
                return base.member(node.name)
        raise Fault(f"{article(kind(base))} has no property {node.name!r}")

    def _index(self, node: Index, seen: Locals) -> Value:  # noqa: PLR0911 - one line for each kind
        base, key = self.value(node.base, seen), settled(self.value(node.key, seen))
        match base, key:
            case None, _ if node.safe or _is_safe(node.base):
                return None
            case (Runtime(), _) | (_, Runtime()):
                return Runtime(show(node))
            case Collection(), _:
                return base.at(key)
            case list(), int():
                if 0 <= key < len(base):
                    return base[key]
                if node.safe:
                    return None
                raise Fault(f"no item {key} among {len(base)}")
            case dict(), str():
                if key in base or node.safe:
                    return base.get(key)
                raise Fault(f"no property {key!r} among {', '.join(base) or 'none'}")
            case Live() | ScopeHandle() | Instance(), str():
                return base.member(key)
        raise Fault(f"{article(kind(base))} has no item for {article(kind(key))}")

    def _unary(self, node: Unary, seen: Locals) -> Value:
        operand = settled(self.value(node.operand, seen))
        match node.operator, operand:
            case _, Runtime():
                return Runtime(show(node))
            case "!", bool():
                return not operand
            case "-", int():
                return -operand
        raise Fault(f"{node.operator} takes no {kind(operand)}")

    def _binary(self, node: Binary, seen: Locals) -> Value:  # noqa: PLR0911 - one line for each kind
        left = settled(self.value(node.left, seen))
        match node.operator, left:
            case "&&", False:
                return False
            case "||", True:
                return True
            case "??", Runtime():
                return Runtime(show(node))
            case "??", None:
                return settled(self.value(node.right, seen))
            case "??", _:
                return left
        right = settled(self.value(node.right, seen))
        if not is_known(left) or not is_known(right):
            return Runtime(show(node))
        return _operated(node.operator, left, right)

    def _ternary(self, node: Ternary, seen: Locals) -> Value:
        condition = self.value(node.condition, seen)
        if isinstance(condition, Runtime):
            return Runtime(show(node))
        return self.value(node.yes if self._truth(node.condition, seen) else node.no, seen)

    def loop_locals(self, loop: Loop, outer: Locals) -> Iterator[Locals]:
        """What each turn of the loop sees."""
        source = settled(self.value(loop.source, outer))
        if not isinstance(source, list):
            raise PlacedFault(self.place.file, loop.at, f"the loop runs over {article(kind(source))}: an array is due")
        for place, item in enumerate(source):
            yield {**outer, loop.item: item, **({loop.index: place} if loop.index else {})}

    def holds(self, condition: Expr | None, seen: Locals) -> bool:
        """Whether the condition is true, or there is none."""
        return condition is None or self._truth(condition, seen)

    def _truth(self, node: Expr, seen: Locals) -> bool:
        value = self.value(node, seen)
        if not isinstance(value, bool):
            what = f"{value} is not known before the deployment" if isinstance(value, Runtime) else "a bool is due"
            raise PlacedFault(self.place.file, node.at, f"condition {show(node)}: {what}")
        return value

    # Functions

    def _call(self, node: Call, seen: Locals) -> Value:
        if node.base is not None:
            return self._method(node, seen)
        arguments = [settled(self.value(argument, seen)) for argument in node.arguments]
        own = self.source.find(node.name)
        if isinstance(own, Func):
            names = [name for name, _ in own.parameters]
            if len(names) != len(arguments):
                raise Fault(f"{node.name} takes {len(names)} arguments")
            return settled(self.value(own.body, dict(zip(names, arguments, strict=True))))
        if node.name in functions.FUNCTIONS:
            function = functions.FUNCTIONS[node.name]
            if not function.takes(len(arguments)):
                raise Fault(f"{node.name} does not take {len(arguments)} arguments")
            return functions.call(node.name, show(node), arguments)
        if is_runtime_function(node.name):
            answer = self.place.where.answer(arguments)
            return Runtime(show(node)) if answer is None else answer
        if node.name in PLACES:
            return PLACES[node.name](self.place, arguments)
        raise Fault(f"unknown function {node.name!r}")

    def _method(self, node: Call, seen: Locals) -> Value:
        assert node.base is not None
        base = self.value(node.base, seen)
        if isinstance(base, Instance) and (is_runtime_function(node.name) or node.name == "getSecret"):
            if not base.is_deployed:
                raise Fault(f"{base.shown} is not deployed here")
            return Runtime(show(node))
        raise Fault(f"unknown method {node.name!r}")


def _is_safe(node: Expr) -> bool:
    """Whether a `.?` or `[?` further in makes the whole chain null."""
    return isinstance(node, Member | Index) and (node.safe or _is_safe(node.base))


def is_runtime_function(name: str) -> bool:
    """Whether only Azure can answer, while it deploys."""
    return (
        name in {"reference", "pickZones", "newGuid", "utcNow"}
        or (name.startswith("list") and name[4:5].isupper())
        or name == "list"
    )


def _operated(operator: str, left: Value, right: Value) -> Value:  # noqa: C901, PLR0911 - one line for each operator
    match operator, left, right:
        case "==", _, _:
            return functions.equal(left, right)
        case "!=", _, _:
            return not functions.equal(left, right)
        case "=~", str(), str():
            return left.lower() == right.lower()
        case "!~", str(), str():
            return left.lower() != right.lower()
        case (("&&" | "||"), bool(), bool()):
            # What is on the left has not settled it.
            return right
        case _, bool(), _:
            pass
        case _, _, bool():
            pass
        case (("<" | "<=" | ">" | ">="), int(), int()):
            return {"<": left < right, "<=": left <= right, ">": left > right, ">=": left >= right}[operator]
        case (("+" | "-" | "*"), int(), int()):
            return {"+": left + right, "-": left - right, "*": left * right}[operator]
        case (("/" | "%"), int(), int()) if right:
            quotient = abs(left) // abs(right) * (1 if (left < 0) == (right < 0) else -1)
            return quotient if operator == "/" else left - quotient * right
    raise Fault(f"{kind(left)} {operator} {kind(right)} is not possible")
