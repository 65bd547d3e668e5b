"""What a Bicep file comes to, once its parameters are known."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tests.infra.bicep.functions import as_json
from tests.infra.bicep.values import Value


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """Something wrong, and where."""

    file: Path
    line: int
    column: int
    text: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}: {self.text}"


@dataclass(frozen=True, slots=True)
class Deployed:
    """One resource that is deployed, or an existing one that is referred to.

    `scope` is the id of what it is deployed to, or of the resource that it extends. `module` is the way to it from the
    main file, by the names of the modules.
    """

    type: str
    api_version: str
    id: str
    name: str
    scope: str
    body: Mapping[str, Value]
    file: Path
    line: int
    existing: bool
    depends_on: tuple[str, ...]
    module: tuple[str, ...]
    symbol: str

    @property
    def place(self) -> str:
        """Where it is declared, for a message."""
        return f"{self.file}:{self.line}"

    @property
    def properties(self) -> Mapping[str, Value]:
        """Its properties; none, if it has none."""
        found = self.body.get("properties")
        return found if isinstance(found, dict) else {}

    def is_type(self, type_: str) -> bool:
        """Whether it is of the type, which Azure compares without case."""
        return self.type.lower() == type_.lower()

    def as_json(self) -> dict[str, object]:
        """It as ARM would show it."""
        return {
            "id": self.id,
            "type": self.type,
            "apiVersion": self.api_version,
            **{key: as_json(value) for key, value in self.body.items()},
        }


@dataclass(frozen=True, slots=True)
class Nested:
    """A module that is deployed: a deployment of its own."""

    id: str
    scope: str
    parameters: Mapping[str, Value]
    file: Path
    line: int
    depends_on: tuple[str, ...]
    module: tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Deployment:
    """All resources, those of modules included; the modules; what the main file hands back."""

    resources: tuple[Deployed, ...]
    modules: tuple[Nested, ...]
    outputs: Mapping[str, Value]

    def of(self, *types: str) -> Iterator[Deployed]:
        """What is deployed of these types. Existing resources are not."""
        found = _by_type(self)
        return (each for type_ in types for each in found.get(type_.lower(), ()))

    def __str__(self) -> str:
        shown = [each.as_json() for each in self.resources if not each.existing]
        outputs = {name: as_json(value) for name, value in self.outputs.items()}
        return json.dumps({"resources": shown, "outputs": outputs}, indent=2, ensure_ascii=False)


@cache
def _by_type(deployment: Deployment) -> Mapping[str, list[Deployed]]:
    found: dict[str, list[Deployed]] = {}
    for each in deployment.resources:
        if not each.existing:
            found.setdefault(each.type.lower(), []).append(each)
    return found
