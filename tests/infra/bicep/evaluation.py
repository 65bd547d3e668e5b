"""Works out what a Bicep file deploys."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.infra.bicep.deployment import Deployed, Deployment, Nested, Problem
from tests.infra.bicep.expressions import Expressions
from tests.infra.bicep.fitting import misfits, refused
from tests.infra.bicep.handles import Collection, Instance, Locals, ModuleInstance, ScopeHandle, settled
from tests.infra.bicep.places import Place
from tests.infra.bicep.reading import SyntaxFault, read
from tests.infra.bicep.scopes import (
    RESOURCE_GROUP,
    Scope,
    Surroundings,
    base_of,
    resource_id,
    scope_of,
    subscription,
    takes_no_group,
)
from tests.infra.bicep.session import PlacedFault, Session, ToldFault
from tests.infra.bicep.syntax import (
    At,
    Loop,
    Module,
    NamedType,
    Output,
    Param,
    Resource,
    Source,
    Type,
    Var,
    names_by_declaration,
    show,
)
from tests.infra.bicep.values import Fault, Runtime, Value, is_known, stand_in, text

_RELATIONS = {"parent", "scope", "dependsOn"}


@dataclass(frozen=True, slots=True)
class Evaluated:
    """What a file deploys, and what is wrong with it."""

    deployment: Deployment
    problems: tuple[Problem, ...]


def evaluate(path: Path, given: Mapping[str, Value] | None = None, where: Surroundings | None = None) -> Evaluated:
    """Works out the file with these parameters."""
    session = Session(where or Surroundings())
    outputs: Mapping[str, Value] = {}
    try:
        source = read(path.read_text(encoding="utf-8"))
        place = Place(path, session.surroundings.scope(source.target_scope), (), session.surroundings)
        unit = Unit(session, place, source, given or {})
        unit.run()
        outputs = unit.outputs()
    except SyntaxFault as fault:
        session.tell(Fault(str(fault)), path, fault.at)
    except (OSError, Fault) as fault:
        session.tell(fault if isinstance(fault, Fault) else Fault(str(fault)), path, At(1, 1))
    deployment = Deployment(tuple(session.resources), tuple(session.modules), outputs)
    return Evaluated(deployment, tuple(sorted(session.problems)))


_FAILED = object()
_UNDERWAY = object()


class Unit:
    """One file with its parameters, deployed to one scope."""

    def __init__(self, session: Session, place: Place, source: Source, given: Mapping[str, Value]) -> None:
        self._session = session
        self._place = place
        self._source = source
        self._given = given
        self._made: dict[object, object] = {}
        self._expressions = Expressions(source, place, self)

    # The file as a whole

    def run(self) -> None:
        """Works out everything, and keeps what is deployed and what is wrong."""
        for name in self._given.keys() - {param.name for param in self._source.of(Param)}:
            self._tell(Fault(f"there is no parameter {name!r}"), At(1, 1))
        for statement in self._source.statements:
            try:
                match statement:
                    case Param():
                        self.symbol(statement.name, {})
                        self._check_default(statement)
                    case Var():
                        self.symbol(statement.name, {})
                    case Resource():
                        self._deploy(statement)
                    case Module():
                        self._call_modules(statement)
                    case Output():
                        self.output(statement.name)
            except Fault as fault:
                self._tell(fault, statement.at)

    def run_as(self, module: ModuleInstance, caller: Path, needs: tuple[str, ...]) -> None:
        """Works out everything as a module that the caller uses."""
        self.run()
        nested = Nested(
            id=module.id,
            scope=self._place.scope.id,
            parameters=self._given,
            file=caller,
            line=module.declaration.at.line,
            depends_on=needs,
            module=self._place.module,
        )
        self._session.modules.append(nested)

    def outputs(self) -> dict[str, Value]:
        """All that can be handed back."""
        found: dict[str, Value] = {}
        for output in self._source.of(Output):
            try:
                found[output.name] = self.output(output.name)
            except Fault as fault:
                self._tell(fault, output.at)
        return found

    def output(self, name: str) -> Value:
        """One output."""
        output = next((each for each in self._source.of(Output) if each.name == name), None)
        if output is None:
            raise Fault(f"{self._place.file.name} has no output {name!r}")
        return self._once(("output", name), lambda: self._output(output), output.at)

    def _output(self, output: Output) -> Value:
        value = settled(self._expressions.value(output.value, {}))
        for problem in (
            *misfits(value, output.type, self._source, output.name),
            *refused(value, output.decorators, output.name),
        ):
            self._tell(Fault(problem), output.at)
        return value

    def _tell(self, fault: Fault, at: At) -> None:
        self._session.tell(fault, self._place.file, at)

    def _once[T](self, key: object, make: Callable[[], T], at: At) -> T:
        """Makes it the first time; a failure is told once, and a circle is one."""
        found = self._made.get(key)
        if found is _FAILED:
            raise ToldFault
        if found is _UNDERWAY:
            raise PlacedFault(self._place.file, at, "this depends on itself")
        if found is None:
            self._made[key] = _UNDERWAY
            try:
                found = (make(),)
            except Fault as fault:
                self._made[key] = _FAILED
                self._tell(fault, at)
                raise ToldFault from fault
            self._made[key] = found
        assert isinstance(found, tuple)
        made: T = found[0]
        return made

    # Symbols

    def symbol(self, name: str, seen: Locals) -> Value:
        """What the name stands for."""
        if name in seen:
            return seen[name]
        match self._source.find(name):
            case Param() as param:
                return self._once(name, lambda: self._param(param), param.at)
            case Var() as var:
                return self._once(name, lambda: settled(self._expressions.value(var.value, {})), var.at)
            case Resource() as resource:
                return self._handle(name, self.instances(resource), resource.loop)
            case Module() as module:
                return self._handle(name, self._uses(module), module.loop)
        raise Fault(f"unknown name {name!r}")

    @staticmethod
    def _handle(name: str, made: tuple[Instance, ...] | tuple[ModuleInstance, ...], loop: Loop | None) -> Value:
        return made[0] if loop is None else Collection(name, made)

    def _param(self, param: Param) -> Value:
        if param.name in self._given:
            value = self._given[param.name]
        elif param.default is not None:
            value = settled(self._expressions.value(param.default, {}))
        elif param.is_required:
            raise Fault(f"the parameter {param.name!r} is not given")
        else:
            value = None
        self._check_param(param, value)
        return value

    def _check_param(self, param: Param, value: Value) -> None:
        wrong = (*misfits(value, param.type, self._source, param.name), *refused(value, param.decorators, param.name))
        for problem in wrong:
            self._tell(Fault(problem), param.at)

    def _check_default(self, param: Param) -> None:
        if param.name in self._given and param.default is not None:
            self._check_param(param, settled(self._expressions.value(param.default, {})))

    # Resources

    def instances(self, resource: Resource, parent: Instance | None = None) -> tuple[Instance, ...]:
        """The resource, or each that its loop makes."""
        key = ("instances", resource.at, None if parent is None else id(parent))
        return self._once(key, lambda: tuple(self._instances(resource, parent)), resource.at)

    def _instances(self, resource: Resource, parent: Instance | None) -> Iterator[Instance]:
        outer: Locals = {} if parent is None else parent.seen
        for shown, seen in self._turns(resource.name, resource.loop, outer):
            yield self._instance(resource, parent, shown, seen)

    def _turns(self, name: str, loop: Loop | None, outer: Locals) -> Iterator[tuple[str, Locals]]:
        if loop is None:
            yield name, outer
            return
        for place, seen in enumerate(self._expressions.loop_locals(loop, outer)):
            yield f"{name}[{place}]", seen

    def _instance(self, resource: Resource, parent: Instance | None, shown: str, seen: Locals) -> Instance:
        is_deployed = self._expressions.holds(resource.condition, seen) and (parent is None or parent.is_deployed)
        parent = parent or self._parent(resource, seen)
        name = self._known_text(resource, "name", seen)
        type_, version = resource.type, resource.api_version
        if parent is not None:
            version = version or parent.api_version
            type_, id_, scope = self._child(resource, parent, name)
        else:
            scope = self._attached(resource, seen)
            id_ = resource_id(scope, type_, name.split("/"))
        if not resource.existing:
            self._check_scope(resource, id_)
        return Instance(self, resource, seen, shown, type_, version, id_, name, scope, is_deployed)

    def _parent(self, resource: Resource, seen: Locals) -> Instance | None:
        node = resource.body.get("parent")
        if node is None:
            return None
        parent = self._expressions.value(node, seen)
        if not isinstance(parent, Instance):
            raise PlacedFault(self._place.file, node.at, "a parent is a resource")
        return parent

    def _child(self, resource: Resource, parent: Instance, name: str) -> tuple[str, str, str]:
        type_ = resource.type if "/" in resource.type else f"{parent.type}/{resource.type}"
        above, _, last = type_.rpartition("/")
        if above.lower() != parent.type.lower():
            raise PlacedFault(self._place.file, resource.at, f"{resource.type} is no child of {parent.type}")
        if "/" in name:
            raise PlacedFault(self._place.file, resource.at, f"the name of a child is its own alone, not {name!r}")
        return type_, f"{parent.id}/{last}/{name}", parent.scope

    def _known_text(self, declared: Resource | Module, key: str, seen: Locals) -> str:
        node = declared.body.get(key)
        if node is None:
            raise PlacedFault(self._place.file, declared.at, f"{declared.name} has no {key}")
        value = self._expressions.value(node, seen)
        if not isinstance(value, str) or not is_known(value):
            what = "is not known before the deployment" if not is_known(value) else "is no string"
            raise PlacedFault(self._place.file, node.at, f"the {key} {show(node)} {what}")
        return value

    def _attached(self, resource: Resource, seen: Locals) -> str:
        """The id of the scope, or of the resource that this one extends."""
        node = resource.body.get("scope")
        if node is None:
            return self._place.scope.id
        value = self._expressions.value(node, seen)
        if isinstance(value, Instance):
            return value.id
        if isinstance(value, ScopeHandle):
            return value.scope.id
        raise PlacedFault(self._place.file, node.at, f"{show(node)} is no scope")

    def _check_scope(self, resource: Resource, id_: str) -> None:
        base = base_of(id_)
        if base.kind != RESOURCE_GROUP and not takes_no_group(resource.type):
            raise PlacedFault(self._place.file, resource.at, f"only a resource group takes a {resource.type}")
        if resource.type.lower() == "microsoft.resources/resourcegroups":
            base = subscription(base.subscription)
        if base.id.lower() != self._place.scope.id.lower():
            here = f"this file deploys to {self._place.scope.id or 'the tenant'}"
            raise PlacedFault(self._place.file, resource.at, f"{id_} needs a module: {here}")

    def body(self, instance: Instance) -> dict[str, Value]:
        """What is sent to Azure, the name included."""
        return self._once(("body", id(instance)), lambda: self._body(instance), instance.declaration.at)

    def _body(self, instance: Instance) -> dict[str, Value]:
        found: dict[str, Value] = {"name": instance.name}
        for entry in instance.declaration.body.entries:
            key = text(self._expressions.value(entry.key, instance.seen))
            if key not in _RELATIONS and key != "name":
                found[key] = settled(self._expressions.value(entry.value, instance.seen))
        return found

    def _deploy(self, resource: Resource, parent: Instance | None = None) -> None:
        for instance in self.instances(resource, parent):
            if instance.is_deployed:
                try:
                    self._session.resources.append(self._deployed(instance, parent))
                except Fault as fault:
                    self._tell(fault, resource.at)
            for nested in resource.body.resources:
                self._deploy(nested, instance)

    def _deployed(self, instance: Instance, parent: Instance | None) -> Deployed:
        declaration = instance.declaration
        above = () if parent is None or parent.declaration.existing else (parent.id,)
        return Deployed(
            type=instance.type,
            api_version=instance.api_version,
            id=instance.id,
            name=instance.name,
            scope=instance.scope,
            body={} if declaration.existing else self.body(instance),
            file=self._place.file,
            line=declaration.at.line,
            existing=declaration.existing,
            depends_on=tuple(dict.fromkeys((*above, *self._needs(declaration)))),
            module=self._place.module,
            symbol=instance.shown,
        )

    def _needs(self, declared: Resource | Module) -> tuple[str, ...]:
        return self._once(("needs", declared.at), lambda: tuple(self._ids_in(declared)), declared.at)

    def _ids_in(self, declared: Resource | Module) -> Iterator[str]:
        """The ids of what the declaration refers to, through variables and existing resources too."""
        used = names_by_declaration(self._source)
        waiting = list(used[declared.at])
        met = {declared.name}
        while waiting:
            name = waiting.pop()
            if name in met:
                continue
            met.add(name)
            match self._source.find(name):
                case Var(at=at) | Resource(existing=True, at=at):
                    waiting += used[at]
                case Resource() as resource:
                    yield from (each.id for each in self.instances(resource) if each.is_deployed)
                case Module() as module:
                    yield from (each.id for each in self._uses(module) if each.is_deployed)

    def nested(self, base: Value, name: str) -> Value:
        """A resource that is nested in another."""
        if isinstance(base, Instance):
            for resource in base.declaration.body.resources:
                if resource.name == name:
                    return self._handle(name, self.instances(resource, base), resource.loop)
        raise Fault(f"there is no nested resource {name!r}")

    # Modules

    def _uses(self, module: Module) -> tuple[ModuleInstance, ...]:
        return self._once(("uses", module.at), lambda: tuple(self._module_instances(module)), module.at)

    def _module_instances(self, module: Module) -> Iterator[ModuleInstance]:
        for shown, seen in self._turns(module.name, module.loop, {}):
            scope = self._module_scope(module, seen)
            name = shown.replace("[", "-").rstrip("]")
            if module.body.get("name") is not None:
                name = self._known_text(module, "name", seen)
            if len(name) > 64:
                raise PlacedFault(
                    self._place.file, module.at, f"the name of a deployment has at most 64 characters: {name}"
                )
            id_ = f"{scope.id}/providers/Microsoft.Resources/deployments/{name}"
            yield ModuleInstance(
                module,
                shown,
                name,
                id_,
                self._expressions.holds(module.condition, seen),
                self._maker(module, shown, scope, seen),
            )

    def _maker(self, module: Module, shown: str, scope: Scope, seen: Locals) -> "Callable[[], Unit]":
        return lambda: self._once(("unit", shown), lambda: self._unit(module, shown, scope, seen), module.at)

    def _module_scope(self, module: Module, seen: Locals) -> Scope:
        node = module.body.get("scope")
        value = None if node is None else self._expressions.value(node, seen)
        if value is None:
            return self._place.scope
        if isinstance(value, ScopeHandle):
            return value.scope
        if isinstance(value, Instance):
            return scope_of(value.id)
        raise PlacedFault(self._place.file, module.at, f"{module.name}: its scope is none")

    def _unit(self, module: Module, shown: str, scope: Scope, seen: Locals) -> "Unit":
        path = (self._place.file.parent / module.path).resolve()
        try:
            source = read(path.read_text(encoding="utf-8"))
        except SyntaxFault as fault:
            raise PlacedFault(path, fault.at, str(fault)) from fault
        except OSError as error:
            raise PlacedFault(self._place.file, module.at, f"{module.path}: {error.strerror}") from error
        if source.target_scope != scope.kind:
            what = f"{module.path} deploys to a {source.target_scope}, its scope here is a {scope.kind}"
            raise PlacedFault(self._place.file, module.at, what)
        given = self._arguments(module, seen, source)
        place = Place(path, scope, (*self._place.module, shown), self._place.where)
        return Unit(self._session, place, source, given)

    def _arguments(self, module: Module, seen: Locals, callee: Source) -> dict[str, Value]:
        node = module.body.get("params")
        given = {} if node is None else settled(self._expressions.value(node, seen))
        if not isinstance(given, dict):
            raise PlacedFault(self._place.file, module.at, "params is an object")
        texts = {param.name for param in callee.of(Param) if _is_text(param.type)}
        # Only of a string can it be said what it will be.
        return {
            name: value if isinstance(value, Runtime) and name not in texts else stand_in(value)
            for name, value in given.items()
        }

    def _call_modules(self, module: Module) -> None:
        for instance in self._uses(module):
            if not instance.is_deployed:
                continue
            instance.file().run_as(instance, self._place.file, self._needs(module))


def _is_text(type_: Type) -> bool:
    return isinstance(type_, NamedType) and type_.name == "string"
