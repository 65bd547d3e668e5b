"""Where a secret goes: from a secure parameter or a list function to an output or an open parameter of a module."""

from collections.abc import Iterator
from pathlib import Path

from tests.infra.bicep.expressions import is_runtime_function
from tests.infra.bicep.reading import SyntaxFault, read
from tests.infra.bicep.syntax import (
    At,
    Binary,
    Call,
    Expr,
    Index,
    Literal,
    Member,
    Module,
    Name,
    Node,
    Object,
    Output,
    Param,
    Source,
    Ternary,
    Text,
    Var,
    parts,
    show,
)

# The words of Azure for what opens something. A connection string of Application Insights opens nothing once local
# authentication is off, which posture.py checks.
_SECRET_WORDS = (
    *("accountkey", "sharedaccesskey", "primarykey", "secondarykey", "primarysharedkey", "secondarysharedkey"),
    *("primaryconnectionstring", "secondaryconnectionstring", "password", "sastoken", "clientsecret"),
)
_SECRET_FUNCTIONS = {"getSecret"}
_COMPARING = {"==", "!=", "=~", "!~", "<", "<=", ">", ">=", "&&", "||"}

type Flow = tuple[Path, At, str]


def secret_flows(path: Path) -> list[Flow]:
    """What lets a secret out, in the file and in the modules below it."""
    found: list[Flow] = []
    waiting, met = [path.resolve()], set()
    while waiting:
        each = waiting.pop()
        if each not in met and (file := _open(each)) is not None:
            met.add(each)
            found += [(each, at, text) for at, text in file.flows()]
            waiting += [(each.parent / module.path).resolve() for module in file.source.of(Module)]
    return sorted(found)


def _open(path: Path) -> "_File | None":
    try:
        return _File(path, read(path.read_text(encoding="utf-8")))
    except (OSError, SyntaxFault):
        return None


class _File:
    def __init__(self, path: Path, source: Source) -> None:
        self._path = path
        self.source = source

    def flows(self) -> Iterator[tuple[At, str]]:
        for output in self.source.of(Output):
            reason = self._secret(output.value, set())
            if reason and not any(decorator.name == "secure" for decorator in output.decorators):
                yield output.at, f"output {output.name} would show a secret: {reason}"
        for param in self.source.of(Param):
            if param.is_secure and param.default is not None and not _is_empty(param.default):
                yield param.at, f"the secure parameter {param.name} has a default that everybody can read"
        for module in self.source.of(Module):
            yield from self._arguments(module)

    def _arguments(self, module: Module) -> Iterator[tuple[At, str]]:
        callee = _open((self._path.parent / module.path).resolve())
        params = module.body.get("params")
        if callee is None or not isinstance(params, Object):
            return
        declared = {param.name: param for param in callee.source.of(Param)}
        for entry in params.entries:
            param = declared.get(entry.key.plain or "")
            reason = self._secret(entry.value, set())
            if reason and param is not None and not param.is_secure:
                yield entry.at, f"{module.path} would show its parameter {param.name}, which is not secure: {reason}"

    def _secret(self, node: object, met: set[str]) -> str:
        """Why the expression holds a secret; empty if it does not."""
        return next(filter(None, (self._reason(each, met) for each in _carried(node))), "")

    def _reason(self, node: object, met: set[str]) -> str:
        match node:
            case Call(name=name) if _lists(name) or name in _SECRET_FUNCTIONS:
                return show(node)
            case Member(name=name) | Index(key=Text(plain=str(name))) if name.lower() in _SECRET_WORDS:
                return show(node)
            case Member(base=Member(base=Name(name=name) | Index(base=Name(name=name)), name="outputs"), name=output):
                return self._secret_output(name, output)
            case Name(name=name) if name not in met:
                met.add(name)
                return self._secret_symbol(name, met)
        return ""

    def _secret_symbol(self, name: str, met: set[str]) -> str:
        match self.source.find(name):
            case Param(is_secure=True):
                return f"the secure parameter {name}"
            case Var(value=value):
                return self._secret(value, met)
        return ""

    def _secret_output(self, name: str, output: str) -> str:
        module = self.source.find(name)
        callee = _open((self._path.parent / module.path).resolve()) if isinstance(module, Module) else None
        declared = () if callee is None else callee.source.of(Output)
        is_secure = any(each.name == output and any(d.name == "secure" for d in each.decorators) for each in declared)
        return f"the secure output {name}.{output}" if is_secure else ""


def _carried(node: object) -> Iterator[Node]:
    """The parts of an expression whose values come out of it. What only decides is left out."""
    match node:
        case Ternary(yes=yes, no=no):
            yield from (each for part in (yes, no) for each in _carried(part))
        case Call(base=None, name="filter", arguments=(values, *_)):
            yield from _carried(values)
        case Call(base=None, name="empty" | "length" | "contains"):
            return
        case Binary(operator=operator) if operator in _COMPARING:
            return
        case Literal() | Name():
            yield node
        case Call() | Member() | Index():
            yield node
            yield from (each for part in parts(node) for each in _carried(part))
        case _:
            yield from (each for part in parts(node) for each in _carried(part))


def _lists(name: str) -> bool:
    return name.startswith("list") and is_runtime_function(name)


def _is_empty(node: Expr) -> bool:
    return (isinstance(node, Text) and not node.plain) or (isinstance(node, Object) and not node.entries)
