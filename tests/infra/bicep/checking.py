"""What can be said of a file without any parameter's value: names, functions, calls of modules, what is never used.

It looks also where no evaluation comes by: into branches that are not taken and modules that are not deployed.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

from tests.infra.bicep.deployment import Problem
from tests.infra.bicep.expressions import is_runtime_function
from tests.infra.bicep.functions import FUNCTIONS
from tests.infra.bicep.places import PLACES
from tests.infra.bicep.reading import SyntaxFault, read
from tests.infra.bicep.syntax import (
    At,
    Call,
    Expr,
    Func,
    Index,
    Lambda,
    Loop,
    Member,
    Module,
    Name,
    NamedType,
    Nested,
    Node,
    Object,
    Output,
    Param,
    Resource,
    Source,
    Var,
    inside,
    parts,
    show,
)

_DECORATORS = {"description", "discriminator", "metadata", "sealed", "secure"}
_DECORATORS |= {"maxLength", "maxValue", "minLength", "minValue"}
_MODULE_KEYS = {"name", "scope", "params", "dependsOn", "identity"}
_PLAIN_KINDS = {"string", "int", "bool", "array", "object"}
_AT_START = {"id", "name", "type", "apiVersion"}
_TARGETS = {"tenant", "managementGroup", "subscription", "resourceGroup"}


def check(path: Path) -> list[Problem]:
    """What is wrong with the file, and with every module that it uses."""
    found: list[Problem] = []
    waiting, met = [path.resolve()], set()
    while waiting:
        each = waiting.pop()
        if each in met:
            continue
        met.add(each)
        try:
            source = read(each.read_text(encoding="utf-8"))
        except SyntaxFault as fault:
            found.append(Problem(each, fault.at.line, fault.at.column, str(fault)))
            continue
        except OSError as error:
            # Of a module, its caller tells it.
            found += [Problem(each, 1, 1, str(error.strerror))] if each == path.resolve() else []
            continue
        callees = _callees(each, source)
        told = _problems(source, tuple(callees.items()))
        found += [Problem(each, at.line, at.column, text) for at, text in told]
        waiting += [(each.parent / module.path).resolve() for module in source.of(Module)]
    return sorted(set(found))


@cache
def _problems(source: Source, callees: tuple[tuple[str, Source], ...]) -> tuple[tuple[At, str], ...]:
    return tuple(_FileCheck(source, dict(callees)).problems())


def _callees(path: Path, source: Source) -> dict[str, Source]:
    """The files behind the modules, by their names. What cannot be read is told where it is checked."""
    found = {}
    for module in source.of(Module):
        try:
            found[module.name] = read((path.parent / module.path).resolve().read_text(encoding="utf-8"))
        except (OSError, SyntaxFault):
            continue
    return found


type Told = Iterator[tuple[At, str]]


class _FileCheck:
    def __init__(self, source: Source, callees: Mapping[str, Source]) -> None:
        self._source = source
        self._callees = callees

    def problems(self) -> Told:
        yield from self._names_said_twice()
        yield from self._unused()
        if self._source.target_scope not in _TARGETS:
            yield At(1, 1), f"unknown targetScope {self._source.target_scope!r}"
        for statement in self._source.statements:
            match statement:
                case Param() | Output():
                    yield from self._decorators(statement)
                case Module():
                    yield from self._module(statement)
                case Resource():
                    yield from self._resource(statement)
            yield from self._expressions(statement)
        yield from self._not_known_at_start()

    def _names_said_twice(self) -> Told:
        for outputs in (True, False):
            said = [each for each in self._source.statements if isinstance(each, Output) is outputs]
            counted = Counter(each.name for each in said)
            yield from ((each.at, f"{each.name!r} is declared twice") for each in said if counted[each.name] > 1)

    def _unused(self) -> Told:
        used = {
            node.name for statement in self._source.statements for node in inside(statement) if isinstance(node, Name)
        }
        called = {node.name for each in self._source.statements for node in inside(each) if isinstance(node, Call)}
        for statement in self._source.statements:
            match statement:
                case Param() | Var() | Resource(existing=True) if statement.name not in used:
                    yield statement.at, f"{statement.name!r} is never used"
                case Func() if statement.name not in called:
                    yield statement.at, f"{statement.name!r} is never called"

    def _decorators(self, declared: Param | Output) -> Told:
        for decorator in declared.decorators:
            if decorator.name not in _DECORATORS and not (isinstance(declared, Param) and decorator.name == "allowed"):
                yield decorator.at, f"unknown decorator {decorator.name!r}"
        named = declared.type.name if isinstance(declared.type, NamedType) else "object"
        if named not in _PLAIN_KINDS and self._source.find(named) is None:
            yield declared.type.at, f"unknown type {named!r}"

    # Modules and resources

    def _module(self, module: Module) -> Told:
        for entry in module.body.entries:
            if entry.key.plain not in _MODULE_KEYS:
                yield entry.at, f"a module has no {entry.key.plain!r}"
        callee = self._callees.get(module.name)
        if callee is None:
            yield module.at, f"{module.path}: No such file or directory"
            return
        params = module.body.get("params")
        if params is not None and not isinstance(params, Object):
            return
        given = {} if params is None else {entry.key.plain: entry for entry in params.entries}
        known = {param.name: param for param in callee.of(Param)}
        for name, entry in given.items():
            if name not in known:
                yield entry.at, f"{module.path} has no parameter {name!r}"
        for name, param in known.items():
            if name not in given and param.is_required:
                yield module.at, f"{module.path} needs the parameter {name!r}"

    def _resource(self, resource: Resource) -> Told:
        if not resource.api_version:
            yield resource.at, f"{resource.type} has no api-version"
        for nested in resource.body.resources:
            if nested.body.get("parent") is not None:
                yield nested.at, "a nested resource has its parent already"

    # Expressions

    def _expressions(self, statement: object) -> Told:
        """Walks with the names that loops and lambdas give."""
        yield from self._walk(statement, frozenset())

    def _walk(self, node: object, local: frozenset[str]) -> Told:  # noqa: C901, PLR0912 - one case for each kind
        match node:
            case tuple():
                for each in node:
                    yield from self._walk(each, local)
            case Func():
                yield from self._walk(node.body, frozenset(name for name, _ in node.parameters))
            case Resource() | Module():
                # The loop holds the body and the condition.
                if node.loop is None:
                    yield from self._walk((node.condition, node.body), local)
                else:
                    yield from self._walk(node.loop, local)
            case Loop():
                yield from self._walk(node.source, local)
                more = local | {node.item} | ({node.index} if node.index else set())
                yield from self._walk((node.condition, node.body), more)
            case Lambda():
                yield from self._walk(node.body, local | set(node.parameters))
            case Name():
                if node.name not in local and self._source.find(node.name) is None:
                    yield node.at, f"unknown name {node.name!r}"
            case Object():
                nested = local | {each.name for each in node.resources}
                yield from self._walk((*(entry for entry in node.entries), *node.resources), nested)
            case Call():
                yield from self._call(node, local)
            case Member():
                yield from self._member(node)
                yield from self._walk(node.base, local)
            case _:
                for each in parts(node):
                    yield from self._walk(each, local)

    def _call(self, node: Call, local: frozenset[str]) -> Told:
        yield from self._walk((node.base, node.arguments), local)
        count = len(node.arguments)
        if node.base is not None:
            if not is_runtime_function(node.name) and node.name != "getSecret":
                yield node.at, f"unknown method {node.name!r}"
        elif isinstance(own := self._source.find(node.name), Func):
            if count != len(own.parameters):
                yield node.at, f"{node.name} takes {len(own.parameters)} arguments"
        elif node.name in FUNCTIONS:
            if not FUNCTIONS[node.name].takes(count):
                yield node.at, f"{node.name} does not take {count} arguments"
        elif node.name not in PLACES and not is_runtime_function(node.name):
            yield node.at, f"unknown function {node.name!r}"

    def _member(self, node: Member) -> Told:
        """The outputs of a module, by what the module has."""
        match node.base:
            case Member(base=Name(name=name) | Index(base=Name(name=name)), name="outputs"):
                callee = self._callees.get(name)
                if callee is not None and node.name not in {output.name for output in callee.of(Output)}:
                    yield node.at, f"{name} has no output {node.name!r}"

    # What Azure must know before it begins

    def _not_known_at_start(self) -> Told:
        for statement in self._source.statements:
            for declared in inside(statement):
                if isinstance(declared, Resource | Module):
                    for what, node in _needed_at_start(declared):
                        late = next(self._late(node, set()), None)
                        if late is not None:
                            yield node.at, f"{what} depends on {late}, which is not known at the start of a deployment"

    def _late(self, node: Node, met: set[str]) -> Iterator[str]:
        """What in the expression is known only while the deployment runs, seen through variables."""
        match node:
            case Member(base=base, name=name) if self._is_resource(base):
                if name not in _AT_START:
                    yield show(node)
                return
            case Member(base=base, name="outputs") if self._names_module(base):
                yield show(node)
                return
            case Call(name=name) if is_runtime_function(name) and name not in {"newGuid", "utcNow"}:
                yield show(node)
                return
            case Name(name=name) if name not in met:
                met.add(name)
                if isinstance(var := self._source.find(name), Var):
                    yield from self._late(var.value, met)
        for each in parts(node):
            yield from self._late(each, met)

    def _is_resource(self, node: Expr) -> bool:
        match node:
            case Name(name=name) | Index(base=Name(name=name)):
                return isinstance(self._source.find(name), Resource)
            case Nested():
                return True
        return False

    def _names_module(self, node: Expr) -> bool:
        match node:
            case Name(name=name) | Index(base=Name(name=name)):
                return isinstance(self._source.find(name), Module)
        return False


def _needed_at_start(declared: Resource | Module) -> Iterator[tuple[str, Expr]]:
    if declared.condition is not None:
        yield f"the condition of {declared.name}", declared.condition
    if declared.loop is not None:
        yield f"the loop of {declared.name}", declared.loop.source
    for key in ("name", "scope", "parent"):
        node = declared.body.get(key)
        if node is not None:
            yield f"the {key} of {declared.name}", node
