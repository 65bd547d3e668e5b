"""The queries under infra/: whether Microsoft's Kusto analyser takes them, and whether the code writes such rows."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from shared.domain.body import Json, JsonObject, as_list, as_object, as_text, at
from shared.domain.record import TABLE
from tests.infra.bicep import evaluate
from tests.infra.kusto_words import unknown_words

_REPOSITORY = Path(__file__).parents[2]
_ANALYSER = _REPOSITORY / "node_modules" / "@kusto" / "language-service-next"
_SCRIPT = Path(__file__).with_suffix(".cjs")
_HEADER = re.compile(
    r"// (?P<name>\w+)\((?P<parameters>[^)\n]*)\)\n// (?P<purpose>.+\.)\n// Columns: (?P<columns>.+)\n"
)
_PARAMETER = re.compile(r"(?P<name>\w+): (?P<type>\w+) = (?P<default>\w+)")
# The columns that are read of Azure's own tables (learn.microsoft.com/azure/azure-monitor/reference/tables, read
# 2026-11-24).
_AZURE_TABLES: Mapping[str, str] = {
    "AzureActivity": "TimeGenerated:datetime CategoryValue ActivityStatusValue OperationNameValue _ResourceId "
    "ResourceId Caller CallerIpAddress CorrelationId SubscriptionId",
    "DCRLogErrors": "TimeGenerated:datetime InputStreamId OperationName Message CorrelationId _ResourceId",
    "SecurityAlert": "TimeGenerated:datetime AlertName AlertType AlertSeverity Status ResourceId SystemAlertId "
    "VendorOriginalId ProductName DisplayName",
}
# What a workbook puts in the place of its parameters.
_FILLED = {"{TimeRange}": "> ago(30d)", "{TimeRange:grain}": "1h", "{Subscription}": "'*'"}
# Where the workspace's id is put into the workbook.
PLACEHOLDER = "<workspace>"


@dataclass(frozen=True, slots=True)
class Function:
    """A function that is saved in the workspace. `columns` are what its header promises."""

    place: str
    name: str
    parameters: tuple[tuple[str, str, str], ...]
    columns: str
    text: str

    @property
    def signature(self) -> str:
        """The parameters as Log Analytics takes them."""
        return ", ".join(f"{name}:{kind}={default}" for name, kind, default in self.parameters)

    @property
    def alone(self) -> str:
        """The body as a query of its own, on the line that it has in its file."""
        return "".join(f"let {name} = {default};" for name, _, default in self.parameters) + self.text


@dataclass(frozen=True, slots=True)
class Query:
    """A query, where it stands, and the columns that its result must have: these alone where it is `exact`."""

    place: str
    text: str
    columns: tuple[str, ...] = ()
    exact: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """What the analyser found: what is wrong, and the columns of the result."""

    problems: tuple[str, ...]
    columns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class World:
    """The tables and functions that queries find, and the queries. With `first` it ends with the first problem."""

    columns: Mapping[str, str]
    functions: Sequence[Function]
    queries: Sequence[str]
    first: bool = False


def missing() -> str | None:
    """Why queries cannot be analysed here; None when they can."""
    if not (_ANALYSER / "package.json").exists() or shutil.which("node") is None:
        return "the Kusto analyser is not installed: it needs Node and `npm ci`"
    return None


def analyse(worlds: Sequence[World]) -> list[list[Answer]]:
    """What one process of the analyser says of every query of every world."""
    asked = [
        {
            "tables": {TABLE: world.columns, **{name: _columns(told) for name, told in _AZURE_TABLES.items()}},
            "functions": [
                {"name": each.name, "parameters": each.signature, "body": each.text} for each in world.functions
            ],
            "queries": list(world.queries),
            "first": world.first,
        }
        for world in worlds
    ]
    done = subprocess.run(  # noqa: S603 # the command is ours
        [shutil.which("node") or "node", _SCRIPT],
        input=json.dumps(asked),
        capture_output=True,
        text=True,
        check=True,
        cwd=_REPOSITORY,
    )
    return [[_answer(each) for each in answers] for answers in json.loads(done.stdout)]


def _columns(told: str) -> dict[str, str]:
    pairs = (each.partition(":") for each in told.split())
    return {name: kind or "string" for name, _, kind in pairs}


def _answer(told: JsonObject) -> Answer:
    columns = [as_text(as_object(each).get("name")) for each in as_list(told.get("columns"))]
    return Answer(tuple(map(as_text, as_list(told.get("problems")))), tuple(columns))


@dataclass(frozen=True, slots=True)
class Survey:
    """What is below one root: the functions, all queries with the functions' own, and what is wrong with the files."""

    columns: Mapping[str, str]
    functions: Sequence[Function]
    queries: Sequence[Query]
    problems: Sequence[str]


def problems(root: Path, columns: Mapping[str, str]) -> list[str]:
    """What is wrong with the queries below `root`, a copy of infra/, where the log has these columns and types.

    Raises RuntimeError where the analyser is not installed.
    """
    if reason := missing():
        raise RuntimeError(reason)
    return judge([survey(root, columns)])[0]


def survey(root: Path, columns: Mapping[str, str]) -> Survey:
    """What there is to be judged."""
    found, wrong = functions(root)
    bodies = [Query(each.place, each.alone, _promised(each, columns), exact=True) for each in found]
    return Survey(columns, found, [*bodies, *queries(root)], [*wrong, *_not_deployed(root, found)])


def judge(surveys: Sequence[Survey]) -> list[list[str]]:
    """What is wrong with each, by one process of the analyser."""
    worlds = [World(each.columns, each.functions, [query.text for query in each.queries]) for each in surveys]
    return [
        [*each.problems, *(problem for pair in zip(each.queries, told, strict=True) for problem in _wrong(*pair))]
        for each, told in zip(surveys, analyse(worlds), strict=True)
    ]


def _wrong(query: Query, answer: Answer) -> Iterator[str]:
    for problem in answer.problems:
        yield f"{query.place}:{problem}"
    for word in unknown_words(query.text):
        yield f"{query.place}: {word}"
    if answer.problems:
        return
    if query.exact and query.columns != answer.columns:
        yield f"{query.place}: promises {', '.join(query.columns)} but gives {', '.join(answer.columns)}"
    for name in query.columns:
        if name not in answer.columns:
            yield f"{query.place}: its result has no column {name}"


def _promised(function: Function, columns: Mapping[str, str]) -> tuple[str, ...]:
    """The columns that the header names; `and all others of` the table stands for those that it does not name."""
    told, _, others = function.columns.partition(f", and all others of {TABLE}")
    named = tuple(told.split(", "))
    rest = function.columns != told and not others
    return (*named, *(name for name in columns if name not in named)) if rest else named


def functions(root: Path) -> tuple[list[Function], list[str]]:
    """The functions below `root`, and what is wrong with their files."""
    found: list[Function] = []
    wrong: list[str] = []
    for path in sorted((root / "queries").iterdir()):
        place, text = f"queries/{path.name}", path.read_text(encoding="utf-8")
        header = _HEADER.match(text)
        if header is None or header["name"] != path.stem or path.suffix != ".kql":
            wrong.append(f"{place}: wants a header that tells its name, a sentence, and its columns")
            continue
        parameters = [_PARAMETER.fullmatch(part) for part in header["parameters"].split(", ")]
        told = tuple((each["name"], each["type"], each["default"]) for each in parameters if each)
        if len(told) < len(parameters):
            wrong.append(f"{place}: wants every parameter as name: type = default")
        found.append(Function(place, path.stem, told, header["columns"], text))
    return found, wrong


def queries(root: Path) -> list[Query]:
    """All queries below `root` but the functions."""
    return [*_of_alerts(root), *_of_sentinel(root), *_of_workbook(root)]


def rules(root: Path, folder: str) -> list[JsonObject]:
    """The rules in that folder, alerts or sentinel."""
    told: Json = json.loads((root / folder / "rules.json").read_text(encoding="utf-8"))
    return [as_object(rule) for rule in as_list(told)]


def text_of(rule: JsonObject) -> str:
    """The query of a rule."""
    return "\n".join(map(as_text, as_list(rule.get("query"))))


def _of_alerts(root: Path) -> Iterator[Query]:
    for rule in rules(root, "alerts"):
        named = [as_text(as_object(each).get("name")) for each in as_list(rule.get("dimensions"))]
        yield Query(f"alerts/rules.json {as_text(rule.get('name'))}", text_of(rule), tuple(named))


def _of_sentinel(root: Path) -> Iterator[Query]:
    for rule in rules(root, "sentinel"):
        mapped = [as_text(as_object(field).get("columnName")) for field in fields_of(rule)]
        details = [as_text(column) for column in as_object(rule.get("customDetails")).values()]
        yield Query(f"sentinel/rules.json {as_text(rule.get('name'))}", text_of(rule), (*mapped, *details))


def fields_of(rule: JsonObject) -> list[Json]:
    """The fields of all entities that a rule of Sentinel maps."""
    entities = as_list(rule.get("entityMappings"))
    return [field for entity in entities for field in as_list(as_object(entity).get("fieldMappings"))]


def workbook(root: Path) -> JsonObject:
    """The workbook."""
    return as_object(json.loads((root / "workbook" / "airlock.json").read_text(encoding="utf-8")))


def _of_workbook(root: Path) -> Iterator[Query]:
    for item in map(as_object, as_list(workbook(root).get("items"))):
        place = f"workbook/airlock.json {as_text(item.get('name'))}"
        asked = [item.get("content"), *as_list(at(item, "content.parameters"))]
        for each in map(as_object, asked):
            if text := as_text(each.get("query")):
                yield Query(place, _filled(text), tuple(_tiles(each)))


def _filled(text: str) -> str:
    for parameter, value in _FILLED.items():
        text = text.replace(parameter, value)
    return text


def _tiles(content: JsonObject) -> Iterator[str]:
    for part in as_object(content.get("tileSettings")).values():
        if column := as_text(as_object(part).get("columnMatch")):
            yield column


def _not_deployed(root: Path, found: Iterable[Function]) -> list[str]:
    """What the module saves otherwise than the files say, or not at all."""
    module = root / "modules" / "queries.bicep"
    evaluated = evaluate(module, {"workspaceName": "log"})
    wrong = [str(problem) for problem in evaluated.problems]
    saved = {
        str(each.get("functionAlias")): (str(each.get("functionParameters", "")), str(each.get("query")))
        for resource in evaluated.deployment.resources
        if (each := resource.properties)
    }
    due = {each.name: (each.signature, each.text) for each in found}
    wrong += [f"{module.name}: {name} is not saved as its file says" for name in due if saved.get(name) != due[name]]
    return [*wrong, *(f"{module.name}: {name} has no file" for name in saved.keys() - due.keys())]
