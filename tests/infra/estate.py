"""What infra/ deploys, in each of the ways that an operator can choose."""

import ast
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType

from shared.domain.body import Json, JsonObject, as_object
from tests.infra.bicep import Deployed, Deployment, Evaluated, Surroundings, Value, evaluate
from tests.infra.bicep.reading import SyntaxFault, read
from tests.infra.bicep.syntax import Source

REPOSITORY = Path(__file__).resolve().parents[2]
_PLACEHOLDER = re.compile(r"\$\{(\w+)(?:=([^}]*))?\}")
_ALWAYS = {"AZURE_ENV_NAME": "contoso", "AZURE_LOCATION": "westeurope"}


@dataclass(frozen=True, slots=True)
class Way:
    """What somebody set with `azd env set`, and what the app's settings are when it is deployed again."""

    chosen: Mapping[str, str]
    settings: Mapping[str, str] = MappingProxyType({})

    @property
    def is_private(self) -> bool:
        """Whether nothing is to be open to the public network."""
        return self.chosen["AIRLOCK_DELIVERY"] == "private"


WAYS: Mapping[str, Way] = MappingProxyType(
    {
        "private": Way({"AIRLOCK_DELIVERY": "private"}),
        "push": Way({"AIRLOCK_DELIVERY": "push", "AIRLOCK_OPERATOR_AUDIENCE": "6d1b0c0e-7777-4888-8999-c1d2e3f4a5b6"}),
        "everything": Way(
            {
                "AIRLOCK_DELIVERY": "private",
                "AIRLOCK_SETTINGS": "AIRLOCK_MODE=enforce; AIRLOCK_QUIET_SECONDS=5",
                "AIRLOCK_ALERT_ADDRESSES": "one@contoso.com, two@contoso.com",
                "AIRLOCK_DEFENDER_FOR_AI": "true",
                "AIRLOCK_SENTINEL": "true",
                "AIRLOCK_LOCK_LOG": "true",
                "AIRLOCK_PUBLIC_QUERIES": "false",
            },
            {"AIRLOCK_MODE": "enforce"},
        ),
        "least": Way(
            {
                "AIRLOCK_DELIVERY": "push",
                "AIRLOCK_SYSTEM_TOPIC": "evgt-theirs",
                "AIRLOCK_SYSTEM_TOPIC_GROUP": "rg-theirs",
                "AIRLOCK_RELAY_ALERTS": "false",
            },
            {"AIRLOCK_MODE": "off"},
        ),
    }
)


_APP = "/subscriptions/9f6f1b5e-2222-4333-8444-d4e5f6a7b8c9/resourceGroups/rg-airlock-contoso/providers"
_ROLLOUT: Mapping[str, Value] = MappingProxyType(
    {
        "location": "westeurope",
        "storageId": f"{_APP}/Microsoft.Storage/storageAccounts/stairlock",
        "principalId": "1c7f9a52-5555-4666-8777-e1f2a3b4c5d6",
    }
)
ROLLOUTS: Mapping[str, Mapping[str, Value]] = MappingProxyType(
    {
        "rollout": _ROLLOUT,
        "rollout of everything": {
            **_ROLLOUT,
            "relayId": f"{_APP}/Microsoft.Logic/workflows/logic-airlock",
            "writers": "enforce-tls, disable-local-authentication",
            "wire": "first-ai-resource",
            "excluded": ["/subscriptions/00000000-1111-4222-8333-444444444444"],
        },
    }
)


@dataclass(frozen=True, slots=True)
class Estate:
    """The files below a repository's infra/, and what they deploy by the name of the way."""

    root: Path
    sources: Mapping[Path, Source]
    unreadable: tuple[str, ...]
    rendered: Mapping[str, Evaluated]
    rollouts: Mapping[str, Evaluated]

    @property
    def infra(self) -> Path:
        """The directory."""
        return self.root / "infra"

    def json(self, name: str) -> Json:
        """A JSON file below infra/."""
        return read_json(self.infra / name)

    def object(self, name: str) -> JsonObject:
        """A JSON file below infra/ that holds an object."""
        return as_object(self.json(name))

    def deployments(self) -> Iterator[tuple[str, Way, Deployment]]:
        """Each way and what it deploys."""
        return ((name, WAYS[name], evaluated.deployment) for name, evaluated in self.rendered.items())

    def told(self, problems: Iterable[str]) -> list[str]:
        """The problems, each once, with paths as they are told."""
        return list(dict.fromkeys(problem.replace(f"{self.root}/", "") for problem in problems))

    def where(self, path: Path) -> str:
        """The path as it is told."""
        return path.relative_to(self.root).as_posix() if path.is_relative_to(self.root) else str(path)


@cache
def estate(root: Path = REPOSITORY) -> Estate:
    """Reads and renders everything once."""
    root = root.resolve()
    sources: dict[Path, Source] = {}
    unreadable = []
    for path in sorted((root / "infra").rglob("*.bicep")):
        try:
            sources[path] = read(path.read_text(encoding="utf-8"))
        except SyntaxFault as fault:
            unreadable.append(f"{path.relative_to(root)}:{fault.at.line}:{fault.at.column}: {fault}")
    rendered = {name: render(root, way) for name, way in WAYS.items()}
    rollout = root / "infra" / "rollout" / "main.bicep"
    rollouts = {name: evaluate(rollout, given) for name, given in ROLLOUTS.items()}
    return Estate(root, sources, tuple(unreadable), rendered, rollouts)


def render(root: Path, way: Way) -> Evaluated:
    """What `azd provision` would deploy."""
    settings: Value = {"properties": dict(way.settings)}
    where = Surroundings(answers={"/config/appsettings": settings})
    return evaluate(root / "infra" / "main.bicep", azd_parameters(root, {**_ALWAYS, **way.chosen}), where)


def azd_parameters(root: Path, environment: Mapping[str, str]) -> dict[str, Value]:
    """The parameters as azd fills them in."""
    filled: dict[str, Value] = {
        name: _PLACEHOLDER.sub(lambda match: environment.get(match[1], match[2] or ""), text)
        for name, text in parameter_texts(root).items()
    }
    return {name: value for name, value in _parameters(root).items() if isinstance(value, int)} | filled


def parameter_texts(root: Path) -> dict[str, str]:
    """What main.parameters.json says of each parameter that is a text, placeholders and all."""
    return {name: value for name, value in _parameters(root).items() if isinstance(value, str)}


def _parameters(root: Path) -> dict[str, Json]:
    document = as_object(read_json(root / "infra" / "main.parameters.json"))
    return {name: as_object(each).get("value") for name, each in as_object(document.get("parameters")).items()}


def placeholders(text: str) -> list[tuple[str, str | None]]:
    """The names of environment values in the text, each with its default if it has one."""
    return [(match[1], match[2]) for match in _PLACEHOLDER.finditer(text)]


def read_json(path: Path) -> Json:
    """The file's JSON."""
    found: Json = json.loads(path.read_text(encoding="utf-8"))
    return found


@cache
def function_names(root: Path) -> frozenset[str]:
    """The names of the functions, as function_app.py gives them to the host."""
    tree = ast.parse((root / "function_app.py").read_text(encoding="utf-8"))
    calls = (node for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute))
    named = (call.args[0] for call in calls if _is_function_name(call))
    return frozenset(str(each.value) for each in named if isinstance(each, ast.Constant))


def _is_function_name(call: ast.Call) -> bool:
    return isinstance(call.func, ast.Attribute) and call.func.attr == "function_name" and bool(call.args)


def at(value: Value | Mapping[str, Value], path: str) -> Value:
    """The value at a dotted path; None where any part is absent."""
    found: Value | Mapping[str, Value] = value
    for name in path.split("."):
        if not isinstance(found, Mapping):
            return None
        found = found.get(name)
    return None if isinstance(found, Mapping) and not isinstance(found, dict) else found


def texts_in(value: Value | Mapping[str, Value], path: str = "") -> Iterator[tuple[str, str]]:
    """Every text in the value, runtime values as they read, each with its path."""
    match value:
        case Mapping():
            for key, each in value.items():
                yield from texts_in(each, f"{path}.{key}" if path else key)
        case list():
            for place, each in enumerate(value):
                yield from texts_in(each, f"{path}[{place}]")
        case None | bool() | int():
            return
        case _:
            yield path, str(value)


def principal_of(resource: Deployed) -> str:
    """What stands for the principal of the resource's identity where a module is told of it."""
    way = "properties" if resource.is_type("Microsoft.ManagedIdentity/userAssignedIdentities") else "identity"
    return f"{resource.id}.{way}.principalId"
