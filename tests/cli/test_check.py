"""`airlock check` as people run it: exit, standard output and standard error of the real command."""

import json
import re
from pathlib import Path

import pytest

from cli import output
from cli.check import lines
from cli.files import read_estate, resources_to_judge
from cli.report import Report, judge
from remediations import load_catalogue
from shared.domain.baseline import Baseline
from shared.domain.body import Json, JsonObject
from tests.cli.command import EXPORTS, airlock, airlock_inside

SUBSCRIPTION = "/subscriptions/3f6e0c4e-8a0b-4f6e-9d55-2f1b7c9a1e10"
VISION = f"{SUBSCRIPTION}/resourceGroups/rg-vision/providers/Microsoft.CognitiveServices/accounts/cv-claims"
STORAGE = "Microsoft.Storage/storageAccounts"


def report_on(*bodies: JsonObject) -> Report:
    return judge(resources_to_judge(bodies), load_catalogue(), Baseline())


def table(*bodies: JsonObject) -> str:
    """The report on the bodies for people, in 80 columns."""
    console = output.console()
    console.width = 80
    with console.capture() as captured:
        output.say(console, *lines(report_on(*bodies), console))
    return captured.get()


def account(name: str, subscription: str = SUBSCRIPTION, **properties: Json) -> JsonObject:
    id_ = f"{subscription}/resourceGroups/rg/providers/Microsoft.CognitiveServices/accounts/{name}"
    return {"id": id_, "type": "Microsoft.CognitiveServices/accounts", "properties": properties}


def test_findings_as_json() -> None:
    done = airlock("check", EXPORTS / "arm-list.json", "--format", "json")
    told = json.loads(done.stdout)
    group = f"{SUBSCRIPTION}/resourceGroups/rg-docs/providers/{STORAGE}"
    reason = told["unknown"][0]["reason"]
    assert told == {
        "resources": 2,
        "findings": [
            {
                "resourceId": f"{group}/stscans",
                "resourceType": STORAGE,
                "remediation": "enforce-tls",
                "ref": "AIR-004",
                "severity": "high",
                "changes": [{"path": "properties.minimumTlsVersion", "actual": "TLS1_1", "desired": "TLS1_2"}],
            }
        ],
        "unknown": [{"resourceId": f"{group}/stbackup", "resourceType": STORAGE, "reason": reason}],
    }
    assert "tag it airlock=protect" in reason
    assert (done.returncode, done.stderr) == (1, "")


def test_every_export_in_one_directory_is_one_estate() -> None:
    done = airlock_inside("check", EXPORTS, "--format", "json")
    told = json.loads(done.stdout)
    assert done.returncode == 1
    assert told["resources"] == 14
    found = {(finding["resourceId"].rsplit("/", 1)[1], finding["ref"]) for finding in told["findings"]}
    assert found == {
        *(("oai-chat-prod", ref) for ref in ("AIR-001", "AIR-002", "AIR-003")),
        *(("srch-contracts", ref) for ref in ("AIR-001", "AIR-002", "AIR-003")),
        ("mlw-fraud", "AIR-001"),
        *(("stfraud", ref) for ref in ("AIR-001", "AIR-002", "AIR-003", "AIR-004")),
        ("lang-hr", "AIR-003"),
        ("stscans", "AIR-004"),
    }
    unknown = [entry["resourceId"].rsplit("/", 1)[1] for entry in told["unknown"]]
    assert unknown == ["stbackup", "oai-lab", "mlw-forecast", "stforecast", "stwebshop"]
    ids = [finding["resourceId"].lower() for finding in told["findings"]]
    assert ids == sorted(ids)


def test_resources_that_are_as_they_should_be_end_with_0() -> None:
    done = airlock_inside("check", EXPORTS / "az-resource-show.json")
    assert (done.returncode, done.stdout, done.stderr) == (0, "1 resource: 1 good.\n", "")


def test_what_has_no_properties_is_unknown_and_never_good() -> None:
    done = airlock_inside("check", EXPORTS / "az-resource-list.json")
    assert done.returncode == 0
    assert done.stdout.startswith("3 resources: 3 unknown.\n\nUnknown: the properties were not exported")
    assert all(name in done.stdout for name in ("oai-lab", "mlw-forecast", "stforecast"))


def test_types_that_no_rule_judges_are_not_counted(tmp_path: Path) -> None:
    file = tmp_path / "vnet.json"
    id_ = f"{SUBSCRIPTION}/resourceGroups/rg/providers/Microsoft.Network/virtualNetworks/hub"
    file.write_text(json.dumps({"id": id_, "type": "Microsoft.Network/virtualNetworks", "properties": {}}))
    assert json.loads(airlock_inside("check", file, "--format", "json").stdout) == {
        "resources": 0,
        "findings": [],
        "unknown": [],
    }
    assert airlock_inside("check", file).stdout == "No resource of a type that rules judge.\n"


def test_unusable_input_ends_with_2_and_says_nothing_on_standard_output() -> None:
    done = airlock_inside("check", EXPORTS / "arm-list.json", "-", "--format", "json", stdin=b'[\n{"id": }]')
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "airlock: standard input: line 2, column 8: not JSON: Expecting value\n"


def test_a_file_name_cannot_steer_the_terminal() -> None:
    done = airlock_inside("check", "absent\x1b]0;owned\x07\n.json")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "airlock: absent?]0;owned??.json: No such file or directory\n"


def test_the_settings_of_the_environment_count() -> None:
    strict = airlock_inside("check", EXPORTS / "az-resource-show.json", "--format", "json", AIRLOCK_ALLOW_LISTS="off")
    assert [finding["ref"] for finding in json.loads(strict.stdout)["findings"]] == ["AIR-001"]
    assert strict.stderr == ""


def test_settings_that_cannot_be_understood_are_told_of() -> None:
    done = airlock_inside("check", EXPORTS / "az-resource-show.json", AIRLOCK_ALOW_LISTS="off")
    assert (done.returncode, done.stdout) == (0, "1 resource: 1 good.\n")
    told = "warning: AIRLOCK_ALOW_LISTS is not a setting of Airlock; the nearest is AIRLOCK_ALLOW_LISTS"
    assert done.stderr == f"airlock: {told}\n"


def test_a_page_of_more_is_told_of() -> None:
    page = {"data": read_estate(EXPORTS / "az-resource-show.json"), "skip_token": "ew0KICAi"}
    done = airlock_inside("check", "-", stdin=json.dumps(page).encode())
    assert done.returncode == 0
    assert done.stderr.startswith("airlock: warning: standard input says that more pages follow")


def test_the_table_fits_80_columns_and_is_plain_where_it_is_not_a_terminal() -> None:
    done = airlock_inside("check", EXPORTS)
    rows = done.stdout.splitlines()
    assert max(map(len, rows)) <= 80
    assert all(row == row.rstrip() and row.isprintable() for row in rows)
    first = [
        "oai-chat-prod  CognitiveServices/accounts in rg-ai-prod",
        "  AIR-001 disable-public-network-access  high",
        "    properties.publicNetworkAccess        Enabled -> Disabled",
        "  AIR-002 restrict-network-rules  high",
        "    properties.networkAcls.defaultAction  Allow -> Deny",
    ]
    assert rows[: len(first)] == first
    assert "14 resources: 13 findings on 6, 3 good, 5 unknown." in rows


def test_a_terminal_has_colours_unless_it_is_asked_for_none() -> None:
    escapes = re.compile(r"\x1b\[[\d;]*m")
    coloured = airlock("check", EXPORTS / "arm-list.json", FORCE_COLOR="1", TERM="xterm-256color")
    plain = airlock("check", EXPORTS / "arm-list.json", FORCE_COLOR="1", TERM="xterm-256color", NO_COLOR="1")
    assert escapes.search(coloured.stdout)
    assert escapes.sub("", coloured.stdout) == plain.stdout
    assert "\x1b" not in plain.stdout


def test_a_terminal_without_the_letters_shows_their_codes(tmp_path: Path) -> None:
    file = tmp_path / "estate.json"
    body = account("oai")
    file.write_text(json.dumps(body | {"id": str(body["id"]).replace("/rg/", "/büro/")}))
    done = airlock("check", file, PYTHONIOENCODING="ascii")
    assert done.returncode == 1
    assert "in b\\xfcro" in done.stdout


@pytest.mark.parametrize(
    "value,text",
    [
        (None, "(absent)"),
        (False, "false"),
        ("Enabled", "Enabled"),
        ("", '""'),
        ("true -> false", '"true -> false"'),
        ("[bold]\x1b[31m\u202egnp.exe\ud800", '"[bold]\\u001b[31m?gnp.exe?"'),
        ([{"value": "10.0.0.0/8"}], '[{"value": "10.0.0.0/8"}]'),
        (["x" * 1000], '["' + "x" * 395 + "..."),
    ],
)
def test_values_are_shown_so_that_they_stay_values(value: Json, text: str) -> None:
    assert output.shown(value) == text


def test_hostile_values_reach_the_terminal_as_text() -> None:
    told = table(account("oai", publicNetworkAccess="[red]\x1b[2J:warning:\r\n\u202e[/red]"))
    assert '      "[red]\\u001b[2J:warning:\\r\\n?[/red]"\n      -> Disabled\n' in told
    assert all(row.isprintable() for row in told.splitlines())


def test_long_values_are_folded_and_never_cut() -> None:
    rules: list[Json] = [{"value": value} for value in ("0.0.0.0/0", *(f"203.0.113.{host}" for host in range(6)))]
    told = table(account("oai", networkAcls={"ipRules": rules}))
    assert max(map(len, told.splitlines())) <= 80
    assert " ".join(told.split()).count("203.0.113.5") == 2


def test_resources_of_several_subscriptions_are_told_apart() -> None:
    told = table(account("oai", "/subscriptions/dev"), account("oai", "/subscriptions/prod"))
    assert "  in rg of subscription dev\n" in told
    assert "  in rg of subscription prod\n" in told


def test_many_unknown_are_counted_rather_than_listed() -> None:
    told = table(*(account(f"oai{number:03}") | {"properties": None} for number in range(25)))
    assert "oai019" in told
    assert "oai020" not in told
    assert "  and 5 more, which --format json lists\n" in told


def test_json_is_the_same_whatever_the_order_of_the_input() -> None:
    bodies = [account(name) for name in ("b", "A", "c")]
    told = report_on(*bodies).as_json()
    assert report_on(*reversed(bodies)).as_json() == told
    assert [resource.id.name for resource, _ in report_on(*bodies).drifted] == ["A", "b", "c"]
