"""What the command tells about itself and its rules."""

import json

import pytest
from typer.testing import CliRunner, Result

from cli.main import command
from remediations import load_catalogue
from shared.domain.guards import NOT_OUR_OWN
from shared.domain.incident import row_for
from shared.domain.remediation import Remediation
from shared.domain.response import Response
from shared.domain.settings import switch, switches
from tests.cli.command import airlock

CATALOGUE = load_catalogue()
ACTS: tuple[Remediation | Response, ...] = (*CATALOGUE.remediations, *CATALOGUE.responses)
TYPES = [each for row in CATALOGUE.alerts for each in row.types]


def inside(*arguments: str) -> Result:
    """The command in this process, where nothing depends on how it is started."""
    return CliRunner(env={"COLUMNS": "80"}).invoke(command(), arguments)


def test_help_is_plain_and_short() -> None:
    done = airlock("--help")
    assert (done.returncode, done.stderr) == (0, "")
    usage, *rows = done.stdout.splitlines()
    assert usage == "Usage: airlock [OPTIONS] COMMAND [ARGS]..."
    assert len(rows) < 20
    assert [row for row in rows if len(row) > 80 or not row.isascii() or "..." in row] == []


def test_version() -> None:
    assert airlock("--version").stdout == "airlock 0.1.0\n"


def test_rules_tell_every_switch_as_json() -> None:
    listed = json.loads(inside("rules", "--format", "json").stdout)
    told = {entry["setting"] for entry in listed} | {kind["setting"] for entry in listed for kind in entry["types"]}
    assert told == set(switches(CATALOGUE))
    assert [entry["ref"] for entry in listed] == [act.ref for act in ACTS]
    assert [(entry["name"], entry["title"]) for entry in listed] == [(act.name, act.title) for act in ACTS]
    kinds = ["remediation"] * len(CATALOGUE.remediations) + ["response"] * len(CATALOGUE.responses)
    assert [entry["kind"] for entry in listed] == kinds
    assert [entry["severity"] for entry in listed if "severity" in entry] == [
        remediation.severity for remediation in CATALOGUE.remediations
    ]
    of_responses = [[kind["type"] for kind in entry["types"]] for entry in listed if entry["kind"] == "response"]
    assert of_responses == [[kind.name for kind in response.types] for response in CATALOGUE.responses]


def test_rules_fit_80_columns() -> None:
    rows = inside("rules").stdout.splitlines()
    assert max(map(len, rows)) <= 80
    for remediation in CATALOGUE.remediations:
        assert f"{remediation.ref} {remediation.name}  {remediation.severity}" in rows
        assert f"  {switch(remediation)}" in rows
    for response in CATALOGUE.responses:
        assert f"{response.ref} {response.name}  response" in rows
        assert f"  {switch(response)}" in rows
        assert f"  TYPE: {', '.join(kind.suffix for kind in response.types)}" in rows


@pytest.mark.parametrize("remediation", CATALOGUE.remediations, ids=lambda remediation: str(remediation.ref))
def test_explain_tells_everything_of_a_remediation(remediation: Remediation) -> None:
    done = inside("explain", f"{remediation.ref.lower()}/storage")
    assert (done.exit_code, done.stderr) == (0, "")
    told = " ".join(done.stdout.split())
    wanted = (
        remediation.title,
        remediation.why,
        remediation.disrupts,
        *remediation.controls,
        *remediation.policies,
        *(source.url for source in remediation.sources),
        *(f"{switch(remediation)}_{rule.type.suffix}" for rule in remediation.rules),
        *(guard.name for rule in remediation.rules for guard in rule.guards),
    )
    assert [text for text in wanted if text not in told] == []


@pytest.mark.parametrize("response", CATALOGUE.responses, ids=lambda response: str(response.ref))
def test_explain_tells_everything_of_a_response(response: Response) -> None:
    done = inside("explain", f"{response.ref.lower()}/storage")
    assert (done.exit_code, done.stderr) == (0, "")
    told = " ".join(done.stdout.split())
    wanted = (
        f"{response.ref} {response.name}",
        response.title,
        response.why,
        response.disrupts,
        *response.controls,
        *(source.url for source in response.sources),
        *(f"{switch(response)}_{kind.suffix}" for kind in response.types),
        *(guard.name for guard in (NOT_OUR_OWN, *response.guards)),
        *(action for kind in response.types for action in response.actions[kind.name]),
    )
    assert [text for text in wanted if text not in told] == []
    assert inside("explain", response.name).stdout == done.stdout


@pytest.mark.parametrize("act", ACTS, ids=lambda act: str(act.ref))
def test_explain_tells_which_alerts_lead_to_it(act: Remediation | Response) -> None:
    told = sections(inside("explain", act.ref).stdout)
    rows = CATALOGUE.alerts
    automatic = [each for row in rows if act.name in row.respond + row.contain for each in row.types]
    asked = [
        each for row in rows if act.name in row.respond_on_approval + row.contain_on_approval for each in row.types
    ]
    freed = [each for row in rows if act.name in row.auto_when_tagged for each in row.types]
    assert told.get("Alerts that lead to it", []) == automatic
    assert told.get("Alerts that lead to it on approval", []) == asked
    assert told.get("Alerts that lead to it, without approval where tagged airlock-containment=auto", []) == freed


@pytest.mark.parametrize("alert_type", TYPES)
@pytest.mark.parametrize("spell", [str, str.upper])
def test_explain_tells_what_an_alert_leads_to(alert_type: str, spell: type[str]) -> None:
    row = row_for(alert_type, CATALOGUE.alerts)
    assert row is not None
    done = inside("explain", spell(alert_type))
    assert (done.exit_code, done.stderr) == (0, "")
    assert done.stdout.splitlines()[0] == f"{alert_type}  {row.severity}"
    told = " ".join(done.stdout.split())
    wanted = (row.title, row.reason, row.advice, *row.atlas, row.source.url, row.source.reviewed.isoformat())
    assert [text for text in wanted if text not in told] == []
    found = sections(done.stdout)
    assert named(found["What is done where the settings enforce it"]) == [*row.respond, *row.contain]
    asked = named(found.get("What waits for a person's approval", []))
    assert asked == [*row.respond_on_approval, *row.contain_on_approval]
    freed = named(found.get("What needs none where tagged airlock-containment=auto", []))
    assert freed == [*row.auto_when_tagged]


def test_explain_says_that_nothing_is_done() -> None:
    title = "What is done where the settings enforce it"
    blocked = sections(inside("explain", "KV_UserAccessDeniedAnomaly").stdout)
    assert blocked[title] == ["nothing"]
    open_ = sections(inside("explain", "AI.Azure_LLMReconnaissance").stdout)
    assert open_[title] == ["nothing but a look at the resource, as after any change"]


@pytest.mark.parametrize(
    "alert_type, lines",
    [
        ("ARM_MicroBurst.Something", ["it counts as ARM_MicroBurst.*"]),
        ("Azure_Agentic_Something", ["it counts as Azure_Agentic_*"]),
        (
            "ai.azure_AccessFromAnonymisedIP",
            ["it counts as AI.*", "the nearest that has one is AI.Azure_AccessFromAnonymizedIP"],
        ),
    ],
)
def test_explain_says_by_what_it_judges_an_alert_type_that_no_row_names(alert_type: str, lines: list[str]) -> None:
    told = inside("explain", f" {alert_type} ").stdout
    assert told.startswith(f"{alert_type}  ")
    assert sections(told)["No row names this type by itself"] == lines


def test_an_alert_type_moves_no_cursor() -> None:
    told = inside("explain", "AI.\x1b[2J\u202ex").stdout
    assert told.startswith("AI.?[2J?x  medium\n")


@pytest.mark.parametrize("name", [*(act.ref for act in ACTS), *TYPES])
def test_explanations_fit_80_columns_but_for_addresses(name: str) -> None:
    rows = inside("explain", name).stdout.splitlines()
    assert [row for row in rows if len(row) > 80 and "https://" not in row] == []
    assert [row for row in rows if row != row.rstrip()] == []


def named(lines: list[str]) -> list[str]:
    """The names behind refs."""
    return [line.partition(" ")[2] for line in lines if line.startswith("AIR-")]


def sections(told: str) -> dict[str, list[str]]:
    """What is moved in under each title; a title that fills more than one line is one."""
    found: dict[str, list[str]] = {}
    for part in told.split("\n\n"):
        lines = part.splitlines()
        title = " ".join(line for line in lines if not line.startswith(" "))
        found[title] = [line.strip() for line in lines if line.startswith(" ")]
    return found


def test_explain_takes_the_name_and_names_the_nearest() -> None:
    assert inside("explain", "enforce-tls").stdout == inside("explain", "AIR-004").stdout
    done = inside("explain", "enforce-tsl")
    assert (done.exit_code, done.stdout) == (2, "")
    assert "the nearest is AIR-004 enforce-tls" in done.stderr


@pytest.mark.parametrize(
    "name, nearest",
    [
        ("rotate-exposed-key", "AIR-101 rotate-exposed-keys"),
        ("AIR-1O1", "AIR-101 rotate-exposed-keys"),
        ("pause-deployment", "AIR-104 pause-deployments"),
        ("kv_toracces", "KV_TORAccess"),
        ("Storage.Blob_OpenACLs", "Storage.Blob_OpenACL"),
    ],
)
def test_the_nearest_is_one_of_all_names(name: str, nearest: str) -> None:
    done = inside("explain", name)
    assert (done.exit_code, done.stdout) == (2, "")
    assert f"the nearest is {nearest}" in " ".join(done.stderr.split())


@pytest.mark.parametrize("line", ["chekc", "check", "check x.json --format yaml", "explain"])
def test_a_wrong_command_or_option_ends_with_2(line: str) -> None:
    done = inside(*line.split())
    assert (done.exit_code, done.stdout) == (2, "")
    assert "Usage: " in done.stderr
