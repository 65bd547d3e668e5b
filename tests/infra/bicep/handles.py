"""What stands behind the names of resources, modules and scopes."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from tests.infra.bicep.scopes import Scope
from tests.infra.bicep.syntax import Module, Resource
from tests.infra.bicep.values import Fault, Runtime, Value

type Locals = Mapping[str, Value]

_AT_START = {"id", "name", "type", "apiVersion"}


class File(Protocol):
    """The file that declares a resource."""

    def body(self, instance: "Instance") -> dict[str, Value]:
        """What is sent to Azure for it."""
        ...


class Callee(Protocol):
    """The file behind a module."""

    def output(self, name: str) -> Value:
        """One output."""
        ...

    def run_as(self, module: "ModuleInstance", caller: Path, needs: tuple[str, ...]) -> None:
        """Deploys everything in it."""
        ...


def settled(value: Value) -> Value:
    """The value as objects and arrays hold it, where no handle has a place."""
    match value:
        case Instance() | ModuleInstance() | Outputs() | Live() | ScopeHandle() | Collection():
            return value.plain()
        case _:
            return value


@dataclass(frozen=True, slots=True)
class Live:
    """An object in the body of a resource. Azure adds to it what the body does not say."""

    known: dict[str, Value]
    shown: str

    def member(self, name: str) -> Value:
        """What the body says, or what Azure will."""
        return (
            _live(self.known[name], f"{self.shown}.{name}") if name in self.known else Runtime(f"{self.shown}.{name}")
        )

    def plain(self) -> Value:
        """What the body says."""
        return self.known


def _live(value: Value, shown: str) -> Value:
    return Live(value, shown) if isinstance(value, dict) else value


@dataclass(frozen=True, slots=True)
class ScopeHandle:
    """A scope, and what can be asked of it."""

    scope: Scope
    values: dict[str, Value]

    def member(self, name: str) -> Value:
        """One of its values."""
        if name not in self.values:
            raise Fault(f"a {self.scope.kind} has no {name!r}")
        return self.values[name]

    def plain(self) -> Value:
        """Its values."""
        return self.values


@dataclass(frozen=True, slots=True)
class Collection:
    """The resources or modules that one loop makes."""

    name: str
    instances: tuple["Instance | ModuleInstance", ...]

    def member(self, name: str) -> Value:
        """Nothing: each has to be named by its place."""
        raise Fault(f"{self.name} is a loop, so {name!r} needs an index before it")

    def plain(self) -> Value:
        """Nothing, as above."""
        raise Fault(f"{self.name} is a loop, and needs an index")

    def at(self, place: Value) -> Value:
        """The one at the place."""
        if not isinstance(place, int) or not 0 <= place < len(self.instances):
            raise Fault(f"{self.name} has {len(self.instances)} instances, none at {place}")
        return self.instances[place]


@dataclass(frozen=True, slots=True, eq=False)
class Instance:
    """One resource. Its body is worked out when it is needed."""

    file: "File" = field(repr=False)
    declaration: Resource
    seen: Locals
    shown: str
    type: str
    api_version: str
    id: str
    name: str
    scope: str
    is_deployed: bool

    def member(self, name: str) -> Value:
        """A property: known from the start, said by the body, or left to Azure."""
        if name in _AT_START:
            return {"id": self.id, "name": self.name, "type": self.type, "apiVersion": self.api_version}[name]
        if not self.is_deployed:
            raise Fault(f"{self.shown} is not deployed here, so it has no {name!r}")
        if self.declaration.existing:
            return Runtime(f"{self.id}.{name}")
        return Live(self.file.body(self), self.id).member(name)

    def plain(self) -> Value:
        """Nothing that is known before the deployment."""
        return Runtime(self.id)


@dataclass(frozen=True, slots=True, eq=False)
class ModuleInstance:
    """One use of a module. It is worked out when it is needed."""

    declaration: Module
    shown: str
    name: str
    id: str
    is_deployed: bool
    file: "Callable[[], Callee]" = field(repr=False)

    def member(self, name: str) -> Value:
        """Its name or its outputs."""
        if name == "name":
            return self.name
        if name != "outputs":
            raise Fault(f"a module has outputs and a name, no {name!r}")
        if not self.is_deployed:
            raise Fault(f"{self.shown} is not deployed here, so it has no outputs")
        return Outputs(self)

    def plain(self) -> Value:
        """Nothing that is known before the deployment."""
        return Runtime(self.shown)


@dataclass(frozen=True, slots=True, eq=False)
class Outputs:
    """What a module hands back."""

    module: ModuleInstance

    def member(self, name: str) -> Value:
        """One output."""
        return self.module.file().output(name)

    def plain(self) -> Value:
        """All of them, which Bicep cannot hand on."""
        raise Fault(f"the outputs of {self.module.shown} have to be named")
