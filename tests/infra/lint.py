"""What must hold of the files under infra/ whatever Azure's types are. Each check answers a list of problems."""

import ast
import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

from cli.infra.generated import generated
from shared.domain.body import Json, JsonObject, as_list, as_object, as_text
from tests.infra.bicep.checking import check
from tests.infra.bicep.expressions import is_runtime_function
from tests.infra.bicep.syntax import Call, Module, Output, Param, Resource, Source, Text, inside, show
from tests.infra.estate import WAYS, Estate, at, estate, function_names, parameter_texts, placeholders, read_json
from tests.infra.secrets import secret_flows

_VERSION = re.compile(r"\d{4}-\d{2}-\d{2}(?:-preview)?")
# What azd itself puts into the environment of a hook.
AZD_BUILT_INS = frozenset(
    {
        "AZURE_ENV_NAME",
        "AZURE_LOCATION",
        "AZURE_PRINCIPAL_ID",
        "AZURE_PRINCIPAL_TYPE",
        "AZURE_SUBSCRIPTION_ID",
        "AZURE_TENANT_ID",
    }
)
# A file that a command of the documentation deploys.
_TEMPLATE = re.compile(r"--template-file (\S+)")
_DOCUMENTED = re.compile(r"\b[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+\b")


def problems(root: Path) -> list[str]:
    """Everything that is wrong with the files."""
    whole = estate(root)
    checks = (
        _unreadable,
        _static,
        _rendering,
        _orphans,
        _secrets,
        _api_versions,
        _templates,
        _generated,
        _functions,
        _parameters,
        _hooks,
        _azure_yaml,
    )
    return [problem for each in checks for problem in each(whole)]


def _unreadable(whole: Estate) -> Iterator[str]:
    yield from whole.unreadable


def _static(whole: Estate) -> Iterator[str]:
    found = {problem for path in _entrances(whole) for problem in check(path)}
    yield from (f"{whole.where(each.file)}:{each.line}:{each.column}: {each.text}" for each in sorted(found))


def _entrances(whole: Estate) -> list[Path]:
    return [path for path in whole.sources if path.name == "main.bicep"]


def _rendering(whole: Estate) -> Iterator[str]:
    for way, evaluated in (*whole.rendered.items(), *whole.rollouts.items()):
        for each in evaluated.problems:
            yield f"{way}: {whole.where(each.file)}:{each.line}:{each.column}: {each.text}"


def _documents(whole: Estate) -> Iterator[str]:
    return (path.read_text(encoding="utf-8") for path in sorted((whole.root / "docs").glob("*.md")))


def _orphans(whole: Estate) -> Iterator[str]:
    used = {
        (path.parent / module.path).resolve() for path, source in whole.sources.items() for module in source.of(Module)
    }
    # What people are told to deploy by itself.
    deployed = {name for text in _documents(whole) for name in _TEMPLATE.findall(text)}
    for path in whole.sources:
        if path not in used and path.name != "main.bicep" and whole.where(path) not in deployed:
            yield f"{whole.where(path)}: no file uses this module"
    spoken = "".join(path.read_text(encoding="utf-8") for path in _texts(whole))
    for path in sorted(whole.infra.rglob("*.json")):
        if path.name not in spoken and path.parent.name in {"generated", "rollout"}:
            yield f"{whole.where(path)}: nothing loads this file"


def _texts(whole: Estate) -> Iterator[Path]:
    yield from whole.sources
    yield from sorted(whole.infra.rglob("*.py"))


def _secrets(whole: Estate) -> Iterator[str]:
    for path in _entrances(whole):
        yield from (f"{whole.where(each)}:{at.line}:{at.column}: {text}" for each, at, text in secret_flows(path))


# Versions


def _api_versions(whole: Estate) -> Iterator[str]:
    table = {name: as_text(version) for name, version in whole.object("api-versions.json").items()}
    used: set[str] = set()
    for where, type_, version in _versions(whole):
        due = table.get(type_)
        used.add(type_)
        if due is None:
            yield f"{where}: {type_} is not in api-versions.json"
        elif version != due:
            yield f"{where}: {type_}@{version}, api-versions.json says {due}"
    for where, version in _bare_versions(whole):
        if version not in table.values():
            yield f"{where}: no type has the api-version {version}"
    yield from (f"infra/api-versions.json: nothing uses {type_}" for type_ in sorted(table.keys() - used))


def _versions(whole: Estate) -> Iterator[tuple[str, str, str]]:
    for path, source in whole.sources.items():
        for statement in source.of(Resource):
            yield from _versions_of(f"{whole.where(path)}:{statement.at.line}", statement, "", "")
    for path in sorted((whole.infra / "rollout").rglob("*.json")):
        yield from ((f"{whole.where(path)}", type_, version) for type_, version in _embedded(read_json(path)))


def _versions_of(where: str, resource: Resource, above: str, version: str) -> Iterator[tuple[str, str, str]]:
    type_ = f"{above}/{resource.type}" if above else resource.type
    version = resource.api_version or version
    yield where, type_, version
    for nested in resource.body.resources:
        yield from _versions_of(where, nested, type_, version)


def _embedded(value: Json) -> Iterator[tuple[str, str]]:
    """The types and versions of the resources in ARM templates, wherever they are."""
    if isinstance(value, list):
        for each in value:
            yield from _embedded(each)
    if isinstance(value, dict):
        type_, version = as_text(value.get("type")), as_text(value.get("apiVersion"))
        if version and "/" in type_:
            yield type_, version
        for each in value.values():
            yield from _embedded(each)


def _bare_versions(whole: Estate) -> Iterator[tuple[str, str]]:
    """The versions that calls name: list() and reference() in Bicep and in templates, REST in hooks."""
    for path, source in whole.sources.items():
        calls = (node for node in inside(source.statements) if isinstance(node, Call))
        for call in calls:
            if is_runtime_function(call.name):
                texts = (argument.plain for argument in call.arguments if isinstance(argument, Text))
                found = (text for text in texts if text and _VERSION.fullmatch(text))
                yield from ((f"{whole.where(path)}:{call.at.line}", version) for version in found)
    for path in sorted(whole.infra.rglob("*.py")):
        for version in re.findall(r"api-version=([\w-]+)", path.read_text(encoding="utf-8")):
            yield whole.where(path), version
    for path in sorted((whole.infra / "rollout").rglob("*.json")):
        for version in re.findall(r", '(\d{4}-[\w-]+)'", path.read_text(encoding="utf-8")):
            yield whole.where(path), version


# ARM templates inside of policies


def _templates(whole: Estate) -> Iterator[str]:
    for path in sorted((whole.infra / "rollout").rglob("*.json")):
        for template in _templates_in(read_json(path)):
            declared = set(as_object(template.get("parameters")))
            used = set(re.findall(r"parameters\('(\w+)'\)", json.dumps(_own_parts(template))))
            where = whole.where(path)
            yield from (
                f"{where}: a template uses the parameter {name}, which it has not" for name in sorted(used - declared)
            )
            yield from (f"{where}: a template never uses its parameter {name}" for name in sorted(declared - used))
        for deployment in _deployments_in(read_json(path)):
            given = set(as_object(deployment.get("parameters")))
            due = set(as_object(as_object(deployment.get("template")).get("parameters")))
            if given != due:
                yield f"{whole.where(path)}: a deployment's parameters are not its template's: {sorted(given ^ due)}"
    for way, evaluated in whole.rollouts.items():
        for policy in evaluated.deployment.of("Microsoft.Authorization/policyDefinitions"):
            wiring = at(policy.body, "properties.policyRule.then.details.deployment.properties")
            told, known = (at(wiring, path) for path in ("parameters", "template.parameters"))
            if isinstance(told, dict) and isinstance(known, dict) and told.keys() != known.keys():
                yield f"{way}: the policy's parameters are not its template's: {sorted(told.keys() ^ known.keys())}"


def _objects_in(value: Json) -> Iterator[JsonObject]:
    if isinstance(value, dict):
        yield value
    for each in value.values() if isinstance(value, dict) else as_list(value):
        yield from _objects_in(each)


def _templates_in(value: Json) -> Iterator[JsonObject]:
    return (each for each in _objects_in(value) if "$schema" in each and "resources" in each)


def _deployments_in(value: Json) -> Iterator[JsonObject]:
    return (each for each in _objects_in(value) if "template" in each and "mode" in each)


def _own_parts(template: Json) -> Json:
    """The template without those inside of it, which are evaluated for themselves."""
    if isinstance(template, list):
        return [_own_parts(each) for each in template]
    if isinstance(template, dict):
        return {key: _own_parts(each) for key, each in template.items() if key != "template"}
    return template


# What is generated from the code


@cache
def _fresh() -> Mapping[str, str]:
    return generated()


def _generated(whole: Estate) -> Iterator[str]:
    for name, text in _fresh().items():
        path = whole.infra / "generated" / name
        if not path.exists():
            yield f"{whole.where(path)} is missing"
        elif json.loads(path.read_text(encoding="utf-8")) != json.loads(text):
            yield f"{whole.where(path)} is not what the code says: run `make generate`"


def _functions(whole: Estate) -> Iterator[str]:
    told = {as_text(each) for each in as_list(whole.object("generated/app.json").get("functions"))}
    if told != function_names(whole.root):
        yield f"function_app.py and generated/app.json differ: {sorted(told ^ function_names(whole.root))}"


# azd


def _parameters(whole: Estate) -> Iterator[str]:
    source = whole.sources.get(whole.infra / "main.bicep")
    if source is None:
        return
    declared = {param.name: param for param in source.of(Param)}
    texts = parameter_texts(whole.root)
    file = "infra/main.parameters.json"
    yield from (f"{file}: main.bicep has no parameter {name!r}" for name in sorted(texts.keys() - declared.keys()))
    for name, param in declared.items():
        if name not in texts and param.is_required:
            yield f"{file}: the parameter {name!r} is missing"
        elif name in texts and param.default is not None:
            yield from _defaults_agree(name, texts[name], show(param.default))
    known = {name for text in texts.values() for name, _ in placeholders(text)}
    chosen = {name for way in WAYS.values() for name in way.chosen}
    yield from (f"{file}: nothing takes {name}" for name in sorted(chosen - known))


def _defaults_agree(name: str, text: str, default: str) -> Iterator[str]:
    for variable, value in placeholders(text):
        if default not in {value or "", f"'{value or ''}'"}:
            yield f"{name}: ${{{variable}={value or ''}}} in main.parameters.json, {default} in main.bicep"


def _hooks(whole: Estate) -> Iterator[str]:
    scripts = {path: _tree(path.read_text(encoding="utf-8")) for path in sorted((whole.infra / "hooks").glob("*.py"))}
    readers = {name for tree in scripts.values() for name in _functions_that_read(tree)}
    inputs = {name for text in parameter_texts(whole.root).values() for name, _ in placeholders(text)}
    known = AZD_BUILT_INS | inputs | _outputs(whole) | _documented(whole.root)
    for path, tree in scripts.items():
        for name, line in _reads(tree, readers):
            if name not in known:
                yield f"{whole.where(path)}:{line}: {name} is neither an output of main.bicep nor a documented input"
        for name, line in _calls(tree, {"remember"}):
            if name not in inputs:
                yield f"{whole.where(path)}:{line}: main.parameters.json does not take {name}"


@cache
def _tree(script: str) -> ast.Module:
    return ast.parse(script)


def _outputs(whole: Estate) -> set[str]:
    source = whole.sources.get(whole.infra / "main.bicep", Source("subscription", ()))
    return {output.name for output in source.of(Output)}


@cache
def _documented(root: Path) -> frozenset[str]:
    """The names of environment values in the handwritten documentation."""
    texts = [path.read_text(encoding="utf-8") for path in (root / "docs").glob("*.md")]
    return frozenset(name for text in texts for name in _DOCUMENTED.findall(text))


def _functions_that_read(tree: ast.AST) -> Iterator[str]:
    """Functions that look a parameter of theirs up in the environment."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            names = {argument.arg for argument in node.args.args}
            keys = (key for inner in ast.walk(node) if (key := _environment_key(inner)) is not None)
            if any(isinstance(key, ast.Name) and key.id in names for key in keys):
                yield node.name


def _environment_key(node: ast.AST) -> ast.expr | None:
    """What `os.environ[...]`, `os.environ.get(...)` or `os.getenv(...)` looks for."""
    match node:
        case ast.Subscript(value=ast.Attribute(attr="environ"), slice=key):
            return key
        case ast.Call(func=ast.Attribute(value=ast.Attribute(attr="environ"), attr="get"), args=[key, *_]):
            return key
        case ast.Call(func=ast.Attribute(attr="getenv"), args=[key, *_]):
            return key
    return None


def _reads(tree: ast.AST, readers: set[str]) -> Iterator[tuple[str, int]]:
    for node in ast.walk(tree):
        key = _environment_key(node)
        if isinstance(key, ast.Constant):
            yield str(key.value), key.lineno
    yield from _calls(tree, readers)


def _calls(tree: ast.AST, names: set[str]) -> Iterator[tuple[str, int]]:
    """The first arguments of calls of these functions, where they are written out."""
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Name(id=name), args=[ast.Constant(value=str(told)), *_]) if name in names:
                yield told, node.lineno


def _azure_yaml(whole: Estate) -> Iterator[str]:
    path = whole.root / "azure.yaml"
    if not path.exists():
        yield "azure.yaml is missing"
        return
    text = path.read_text(encoding="utf-8")
    for script in sorted(set(re.findall(r"[\w./-]+\.(?:py|sh|ps1)\b", text))):
        if not (whole.root / script).is_file():
            yield f"azure.yaml: there is no {script}"
    for name in sorted(set(re.findall(r"\$\{?([A-Z][A-Z0-9_]+)", text))):
        if name not in AZD_BUILT_INS | _outputs(whole):
            yield f"azure.yaml: {name} is no output of main.bicep"
    yield from _service_tags(whole, text)


def _service_tags(whole: Estate, text: str) -> Iterator[str]:
    """azd finds the app that it deploys a service to by this tag."""
    services = set(
        re.findall(r"^ {2}([\w-]+):$", text.partition("\nservices:\n")[2].partition("\nhooks:")[0], re.MULTILINE)
    )
    for name, _, deployment in whole.deployments():
        tagged = {as_text(_tags(site.body).get("azd-service-name")) for site in deployment.of("Microsoft.Web/sites")}
        if tagged != services:
            yield f"{name}: azure.yaml has the services {sorted(services)}, the apps are tagged {sorted(tagged)}"


def _tags(body: Mapping[str, object]) -> JsonObject:
    tags = body.get("tags")
    return as_object(tags if isinstance(tags, dict) else None)
