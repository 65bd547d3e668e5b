"""What the command tells about itself and its rules."""

import json

import pytest
from typer.testing import CliRunner, Result

from cli.main import command
from remediations import load_catalogue
from shared.domain.remediation import Remediation
from shared.domain.settings import switch, switches
from tests.cli.command import airlock

CATALOGUE = load_catalogue()


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
    assert [entry["ref"] for entry in listed] == [remediation.ref for remediation in CATALOGUE.remediations]


def test_rules_fit_80_columns() -> None:
    rows = inside("rules").stdout.splitlines()
    assert max(map(len, rows)) <= 80
    for remediation in CATALOGUE.remediations:
        assert f"{remediation.ref} {remediation.name}  {remediation.severity}" in rows
        assert f"  {switch(remediation)}" in rows


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


def test_explain_takes_the_name_and_names_the_nearest() -> None:
    assert inside("explain", "enforce-tls").stdout == inside("explain", "AIR-004").stdout
    done = inside("explain", "enforce-tsl")
    assert (done.exit_code, done.stdout) == (2, "")
    assert "the nearest is AIR-004 enforce-tls" in done.stderr


@pytest.mark.parametrize("line", ["chekc", "check", "check x.json --format yaml", "explain"])
def test_a_wrong_command_or_option_ends_with_2(line: str) -> None:
    done = inside(*line.split())
    assert (done.exit_code, done.stdout) == (2, "")
    assert "Usage: " in done.stderr
