"""Every query under infra/ binds against the log as it is, finds words that are written, and is deployed."""

import json
import re
import shutil
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from shared.domain.body import Json, JsonObject, as_list, as_object, as_text
from shared.domain.orders import APPROVED_FOR
from shared.domain.record import GENESIS, TABLE, schema
from shared.domain.resource_types import ML_WORKSPACES, RESOURCE_TYPES
from shared.domain.settings import Operational
from tests.infra import kusto
from tests.infra.bicep import Deployed, Value, evaluate

INFRA = Path(__file__).parents[2] / "infra"
WORKSPACE = (
    "/subscriptions/11111111-2222-3333-4444-555555555555/resourceGroups/rg"
    "/providers/Microsoft.OperationalInsights/workspaces/log"
)
analysed = pytest.mark.skipif(kusto.missing() is not None, reason=kusto.missing() or "")

_DURATION = re.compile(r"P(?:(?P<days>\d+)D)?(?:T(?:(?P<hours>\d+)H)?(?:(?P<minutes>\d+)M)?)?")
_SPAN = re.compile(r"\b(\d+)([mhd])\b")
_LOOKBACK = re.compile(r"\bAirlock\w+\((\d+[mhd])")
_ARRIVED = re.compile(r"(?:\bArrived|ingestion_time\(\)) > ago\((\d+[mhd])\)")
# learn.microsoft.com/azure/azure-monitor/alerts/alerts-create-log-alert-rule, read 2026-11-24.
_WINDOWS = {1, 5, 10, 15, 30, 45, 60, 120, 180, 240, 300, 360, 1440, 2880}
# What belongs to which tactic of MITRE ATT&CK, of those that Sentinel knows (attack.mitre.org, v17, read 2026-11-24).
_TACTICS = {
    "T1070": {"DefenseEvasion"},
    "T1078": {"DefenseEvasion", "Persistence", "PrivilegeEscalation", "InitialAccess"},
    "T1133": {"InitialAccess", "Persistence"},
    "T1489": {"Impact"},
    "T1552": {"CredentialAccess"},
    "T1562": {"DefenseEvasion"},
    "T1565": {"Impact"},
}
# learn.microsoft.com/azure/sentinel/entities-reference, read 2026-11-24.
_IDENTIFIERS = {
    ("AzureResource", "ResourceId"),
    ("Account", "FullName"),
    ("Account", "AadUserId"),
    ("IP", "Address"),
}


@analysed
def test_every_query_binds_and_is_deployed() -> None:
    assert kusto.problems(INFRA, schema()) == []


@analysed
def test_a_renamed_column_is_caught_wherever_one_is_used() -> None:
    found, _ = kusto.functions(INFRA)
    texts = [*(each.alone for each in found), *(query.text for query in kusto.queries(INFRA))]
    using = {name: [text for text in texts if re.search(rf"\b{name}\b", text)] for name in schema()}
    used = {name: asked for name, asked in using.items() if asked}
    worlds = [kusto.World(_without(name), found, asked, first=True) for name, asked in used.items()]
    answers = kusto.analyse(worlds)
    missed = [name for name, told in zip(used, answers, strict=True) if not any(each.problems for each in told)]
    assert missed == []
    assert schema().keys() - used.keys() == {"SchemaVersion", "ResourceTenantId", "Location", "Attempt"}


def _without(name: str) -> Mapping[str, str]:
    return {f"{column}_" if column == name else column: kind for column, kind in schema().items()}


def _edit(file: str, old: str, new: str) -> Callable[[Path], None]:
    def edit(root: Path) -> None:
        text = (root / file).read_text(encoding="utf-8")
        assert old in text
        (root / file).write_text(text.replace(old, new, 1), encoding="utf-8")

    return edit


_MISTAKES = {
    "unknown column": (
        _edit("queries/AirlockFixed.kql", "FixMs, TotalMs, ArmRequestIds, RecordId\n|", "Fixms, RecordId\n|"),
        "KS142",
    ),
    "syntax": (_edit("queries/AirlockFixed.kql", "| where", "| where |"), "KS"),
    "header": (_edit("queries/AirlockFixed.kql", ", RecordId\n", "\n"), "promises"),
    "outcome": (_edit("queries/AirlockFixed.kql", '"Fixed"', '"Repaired"'), "nothing writes Outcome 'Repaired'"),
    "reason code": (_edit("queries/AirlockHolds.kql", "operator.release", "operator.free"), "operator.free"),
    "evidence": (_edit("queries/AirlockUndone.kql", "Evidence.undoOf", "Evidence.undone_of"), "undone_of"),
    "reason": (_edit("queries/AirlockContested.kql", "waits until", "rests until"), "no reason reads like"),
    "setting": (
        _edit("queries/AirlockSettingsChanges.kql", '"AIRLOCK_OWN_RESOURCES"', '"AIRLOCK_OURS"'),
        "AIRLOCK_OURS",
    ),
    "dimension": (_edit("alerts/rules.json", '"name": "Actor"', '"name": "Who"'), "no column Who"),
    "alert": (_edit("alerts/rules.json", "AirlockContested(2d)", "AirlockContest(2d)"), "KS211"),
    "entity": (_edit("sentinel/rules.json", '"columnName": "Who"', '"columnName": "Actor"'), "no column Actor"),
    "detail": (_edit("sentinel/rules.json", '"Times": "Times"', '"Times": "Count"'), "no column Count"),
    "workbook": (
        _edit("workbook/airlock.json", "AirlockControls(90d)", "AirlockControls(90d) | where Open > 0"),
        "KS142",
    ),
    "parameter": (_edit("modules/queries.bicep", "lookback:timespan=365d", "lookback:timespan=1d"), "not saved"),
    "left out": (_edit("modules/queries.bicep", "name: 'AirlockFixed'", "name: 'AirlockMended'"), "has no file"),
}


@analysed
def test_mistakes_are_told(tmp_path: Path) -> None:
    sound = kusto.survey(INFRA, schema()).queries
    surveys = []
    for number, (edit, _) in enumerate(_MISTAKES.values()):
        root = tmp_path / str(number)
        for part in ("queries", "alerts", "sentinel", "workbook", "modules"):
            shutil.copytree(INFRA / part, root / part)
        edit(root)
        survey = kusto.survey(root, schema())
        surveys.append(replace(survey, queries=[query for query in survey.queries if query not in sound]))
    found = dict(zip(_MISTAKES, kusto.judge(surveys), strict=True))
    assert [name for name, (_, told) in _MISTAKES.items() if not any(told in each for each in found[name])] == []


def test_every_function_reads_each_record_once_through_the_same_one() -> None:
    found, _ = kusto.functions(INFRA)
    direct = {
        each.name
        for each in found
        if re.search(rf"^.*{TABLE}\b", each.text.partition("Columns:")[2].partition("\n")[2], re.MULTILINE)
    }
    # The chain has to see forged copies too.
    assert direct == {"AirlockRecords", "AirlockChain"}
    assert all(TABLE not in query.text or query.text.startswith("DCRLogErrors") for query in kusto.queries(INFRA))


def test_the_activity_log_is_asked_for_the_types_and_operations_that_are_judged() -> None:
    text = (INFRA / "queries" / "AirlockCoverageGaps.kql").read_text(encoding="utf-8")
    judged = [kind for kind in RESOURCE_TYPES if not kind.attachable]
    for kind in judged:
        assert kind.name.lower().replace(".", r"\.").rpartition("/")[2] in text
        for operation in kind.operations:
            assert f'endswith "/{operation.lower()}"' in text
    roots = {"/".join(kind.name.lower().split("/")[:2]) for kind in judged}
    assert set(re.findall(r'startswith "([^"]*)/"', text)) == roots
    assert "|".join(ML_WORKSPACES.unjudged) in text


def test_figures_in_queries_are_those_of_the_code() -> None:
    texts = {path.stem: path.read_text(encoding="utf-8") for path in (INFRA / "queries").iterdir()}
    default = Operational()
    figures = f'iff(Setting endswith "PREFIX", {default.min_ipv4_prefix}, {default.max_fixes_per_hour})'
    assert texts["AirlockSettingsChanges"].count(figures) == 2
    assert timedelta(hours=24) == APPROVED_FOR
    assert "Word < ago(24h)" in texts["AirlockApprovals"]
    assert GENESIS == "0" * 64
    assert 'strrep("0", 64)' in texts["AirlockChain"]
    assert all(len(line) <= 120 or line.startswith("//") for text in texts.values() for line in text.splitlines())


def _span(text: str) -> timedelta:
    if found := _DURATION.fullmatch(text):
        return timedelta(**{unit: int(count or 0) for unit, count in found.groupdict().items()})
    count, unit = _SPAN.fullmatch(text).groups()  # type: ignore[union-attr] # the caller matched it
    return timedelta(**{{"m": "minutes", "h": "hours", "d": "days"}[unit]: int(count)})


def _properties(resource: Deployed) -> JsonObject:
    told: Json = json.loads(json.dumps(resource.as_json()))
    return as_object(as_object(told).get("properties"))


def _of(module: str, type_: str, **given: Value) -> list[Deployed]:
    evaluated = evaluate(INFRA / "modules" / module, given)
    assert evaluated.problems == ()
    return list(evaluated.deployment.of(type_))


def _alert_rules(group: str) -> list[Deployed]:
    given: dict[str, Value] = {"workspaceId": WORKSPACE, "location": "westeurope", "tags": {}, "actionGroupId": group}
    return _of("alert-rules.bicep", "Microsoft.Insights/scheduledQueryRules", **given)


def test_alert_rules_are_deployed_as_they_stand() -> None:
    rules = kusto.rules(INFRA, "alerts")
    deployed = _alert_rules("/group")
    assert [each.name for each in deployed] == [f"alert-airlock-{rule['name']}" for rule in rules]
    for rule, each in zip(rules, deployed, strict=True):
        properties = _properties(each)
        (criterion,) = map(as_object, as_list(as_object(properties["criteria"])["allOf"]))
        assert criterion["query"] == kusto.text_of(rule)
        assert criterion["dimensions"] == rule["dimensions"]
        assert properties["actions"] == {"actionGroups": ["/group"]}
        assert properties["scopes"] == [WORKSPACE]
        assert {name: properties[name] for name in ("severity", "windowSize", "autoMitigate")} == {
            name: rule[name] for name in ("severity", "windowSize", "autoMitigate")
        }


def test_without_an_action_group_alerts_are_only_shown() -> None:
    assert all(_properties(each)["actions"] == {"actionGroups": []} for each in _alert_rules(""))


def _name(rule: JsonObject) -> str:
    return as_text(rule.get("name"))


@pytest.mark.parametrize("rule", kusto.rules(INFRA, "alerts"), ids=_name)
def test_an_alert_rule_looks_often_enough_and_tells_nothing_twice(rule: JsonObject) -> None:
    often, window = _span(as_text(rule["evaluationFrequency"])), _span(as_text(rule["windowSize"]))
    text = kusto.text_of(rule)
    assert {often / timedelta(minutes=1), window / timedelta(minutes=1)} <= _WINDOWS
    assert often <= window
    assert rule["severity"] in range(5)
    assert len(as_list(rule["dimensions"])) <= 6
    assert {_span(lookback) for lookback in _LOOKBACK.findall(text)} <= {window}
    arrived = [_span(lately) for lately in _ARRIVED.findall(text)]
    # What happened is told once, when it came in, however late; what is so is told until it is not so any more.
    assert bool(arrived) is not rule["autoMitigate"]
    assert all(often < lately < 2 * often for lately in arrived)


def test_silence_is_told_even_where_the_table_is_empty() -> None:
    (rule,) = [each for each in kusto.rules(INFRA, "alerts") if each["name"] == "no-heartbeat"]
    steps = [line for line in kusto.text_of(rule).split("\n") if not line.startswith("//")]
    # `summarize` without `by` has one row, whatever there is.
    assert steps[-2:] == ["| summarize Beats = count()", "| where Beats == 0"]
    assert rule["windowSize"] == "PT2H"


def _sentinel_rules() -> list[Deployed]:
    return _of("sentinel.bicep", "Microsoft.SecurityInsights/alertRules", workspaceName="log")


def test_rules_of_sentinel_are_deployed_as_they_stand() -> None:
    rules = kusto.rules(INFRA, "sentinel")
    deployed = [_properties(each) for each in _sentinel_rules()]
    same = ("displayName", "description", "severity", "queryFrequency", "queryPeriod", "tactics", "techniques")
    for rule, properties in zip(rules, deployed, strict=True):
        assert {name: properties[name] for name in same} == {name: rule[name] for name in same}
        assert properties["query"] == kusto.text_of(rule)
        assert properties["entityMappings"] == (rule["entityMappings"] or None)
        assert properties["customDetails"] == rule["customDetails"]
    assert len({each.name for each in _sentinel_rules()}) == len(rules)


@pytest.mark.parametrize("rule", kusto.rules(INFRA, "sentinel"), ids=_name)
def test_a_rule_is_one_that_sentinel_takes(rule: JsonObject) -> None:
    often, period = _span(as_text(rule["queryFrequency"])), _span(as_text(rule["queryPeriod"]))
    text = kusto.text_of(rule)
    assert timedelta(minutes=5) <= often <= period <= timedelta(days=14)
    assert period < timedelta(days=2) or often >= timedelta(hours=1)
    assert {_span(lookback) for lookback in _LOOKBACK.findall(text)} == {period}
    assert all(often < _span(lately) < 2 * often for lately in _ARRIVED.findall(text))
    assert len(text) <= 10_000
    assert rule["severity"] in {"High", "Medium", "Low", "Informational"}
    assert len(as_object(rule["customDetails"])) <= 20
    assert len(as_list(rule["entityMappings"])) <= 10


@pytest.mark.parametrize("rule", kusto.rules(INFRA, "sentinel"), ids=_name)
def test_techniques_belong_to_tactics_and_entities_to_identifiers(rule: JsonObject) -> None:
    tactics = set(map(as_text, as_list(rule["tactics"])))
    techniques = list(map(as_text, as_list(rule["techniques"])))
    assert all(_TACTICS[technique] & tactics for technique in techniques)
    assert tactics == {tactic for technique in techniques for tactic in _TACTICS[technique] & tactics}
    for entity in map(as_object, as_list(rule["entityMappings"])):
        for field in map(as_object, as_list(entity["fieldMappings"])):
            assert (entity["entityType"], field["identifier"]) in _IDENTIFIERS


def test_states_that_rules_look_for_are_states_that_functions_give() -> None:
    found, _ = kusto.functions(INFRA)
    texts = "".join(each.text for each in found)
    for query in kusto.queries(INFRA):
        for state in re.findall(r"State in \(([^)]*)\)", query.text):
            assert all(word in texts for word in re.findall(r'"[^"]*"', state))


def test_the_workbook_is_deployed_with_its_workspace() -> None:
    (deployed,) = _of(
        "workbook.bicep", "Microsoft.Insights/workbooks", workspaceId=WORKSPACE, location="westeurope", tags={}
    )
    properties = _properties(deployed)
    told = json.loads(as_text(properties["serializedData"]))
    assert told["fallbackResourceIds"] == [WORKSPACE]
    assert kusto.PLACEHOLDER not in as_text(properties["serializedData"])
    assert properties["sourceId"] == WORKSPACE
    assert told == json.loads(
        (INFRA / "workbook" / "airlock.json").read_text(encoding="utf-8").replace(kusto.PLACEHOLDER, WORKSPACE)
    )


def test_what_the_workbook_refers_to_is_there() -> None:
    items = list(map(as_object, as_list(kusto.workbook(INFRA).get("items"))))
    names = [_name(item) for item in items]
    assert len(set(names)) == len(names)
    contents = [as_object(item.get("content")) for item in items]
    parameters = {_name(as_object(each)) for content in contents for each in as_list(content.get("parameters"))}
    tabs = {as_text(as_object(link).get("subTarget")) for content in contents for link in as_list(content.get("links"))}
    shown = {
        as_text(as_object(item["conditionalVisibility"]).get("value"))
        for item in items
        if "conditionalVisibility" in item
    }
    assert shown == tabs
    texts = [as_text(content.get("query")) for content in contents]
    assert {name for text in texts for name in re.findall(r"\{(\w+)(?::\w+)?\}", text)} == parameters
