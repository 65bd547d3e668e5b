"""`airlock log verify` as people run it: on files in every form, and on a Log Analytics that keeps to its limits."""

import asyncio
import json
import ssl
import subprocess
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from unittest import mock

import pytest
from aiohttp import connector

from cli.exported import read_rows
from local.certificate import Certificate
from local.faults import Fault, Faults
from local.identity import PATH, IdentityService
from local.log_query import LogQueryService
from shared.domain.anchor import Anchor
from shared.domain.ledger import Entry
from shared.domain.record import GENESIS, TABLE, schema
from tests.cli.command import airlock, airlock_inside
from tests.domain.making import TARGET, record
from tests.local.arm_world import DEV, serve

type Columns = dict[str, object]
type Ended = subprocess.CompletedProcess[str]
NOW = datetime.now(UTC)
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
WORKSPACE = "5f3c9a4e-7d21-4c6b-9f0e-1a2b3c4d5e6f"
PROVEN = "Proven: every row says what was sealed, and no chain has a gap or a fork."


def chain(name: str = "stmlprodweu", count: int = 4, begin: datetime = NOW - HOUR) -> list[Columns]:
    """So many rows of one resource's chain, a minute apart."""
    target = TARGET.path.replace("stmlprodweu", name)
    records = [
        record(cause=f"{name}-{at}", time_generated=begin + at * MINUTE, resource_id=target) for at in range(count)
    ]
    return [dict(row.columns) for row in Entry(target.lower()).append(records)[1]]


def log() -> list[Columns]:
    return [*chain(), *chain("other"), *chain("third", 2)]


def write(path: Path, value: object) -> Path:
    path.write_text(json.dumps(value), encoding="utf-8")
    return path


def anchor(rows: Sequence[Columns], time: datetime = NOW, previous: str = GENESIS) -> Anchor:
    """The anchor of those heads."""
    return Anchor(time, previous, {str(row["ResourceId"]).lower(): str(row["Digest"]) for row in rows})


def as_answer(rows: Sequence[Columns], **more: object) -> object:
    """As the query API tells it."""
    columns = [{"name": name, "type": kind} for name, kind in schema().items()]
    told = [
        [json.dumps(value) if isinstance(value := row.get(name), list) else value for name in schema()] for row in rows
    ]
    return {"tables": [{"name": "PrimaryResult", "columns": columns, "rows": told}], **more}


def by_cli(rows: Sequence[Columns]) -> object:
    """As `az monitor log-analytics query` prints it."""
    answer = as_answer(rows)
    assert isinstance(answer, dict)
    return [
        {"TableName": "PrimaryResult", **dict(zip(schema(), map(str, row), strict=True))}
        for row in answer["tables"][0]["rows"]
    ]


def test_an_intact_log(tmp_path: Path) -> None:
    rows = log()
    blobs = tmp_path / "2026" / "11"
    blobs.mkdir(parents=True)
    first = anchor([rows[1], rows[5]], NOW - HOUR)
    (blobs / "1.json").write_bytes(first.to_bytes())
    (blobs / "2.json").write_bytes(anchor([rows[3]], NOW, first.digest).to_bytes())
    done = airlock_inside("log", "verify", write(tmp_path / "rows", [*rows, rows[2]]), "--anchors", tmp_path / "2026")
    assert (done.returncode, done.stderr) == (0, "")
    assert max(map(len, done.stdout.splitlines())) <= 80
    verdict, counts, *rest = done.stdout.splitlines()
    assert verdict == "The log is intact."
    assert counts == "11 rows: 10 records and 1 row sent again, in 3 chains; 2 anchors."
    newest = NOW.isoformat(timespec="microseconds").replace("+00:00", "Z")
    assert " ".join(rest).strip() == (
        f"{PROVEN} The newest anchor is of {newest}; 2 of 3 chains have all that was anchored. "
        " Not proven: that nothing behind a chain's last anchor was rewritten or cut off. That takes a newer anchor."
    )


def test_a_log_that_was_tampered_with(tmp_path: Path) -> None:
    rows = log()
    heads = tmp_path / "anchor.json"
    heads.write_bytes(anchor([rows[9]]).to_bytes())
    victim, behind = rows[0], rows[6]
    victim["Outcome"] = "Compliant"
    done = airlock_inside("log", "verify", write(tmp_path / "rows.json", [*rows[:5], *rows[6:9]]), "--anchors", heads)
    assert (done.returncode, done.stderr) == (1, "")
    told = " ".join(done.stdout.split())
    assert told.startswith("The log was tampered with: 3 problems. 8 rows: 8 records, in 3 chains; 1 anchor. ")
    assert f"changed {victim['RecordId']} {victim['TimeGenerated']} {TARGET.key[:30]}" in told
    assert "column Outcome is not what Sealed says" in told
    assert f"missing before {behind['RecordId']} {behind['TimeGenerated']}" in told
    assert f"the last row before the gap is {rows[4]['RecordId']} of" in told
    assert f"cut-off anchored {NOW.isoformat(timespec='microseconds').replace('+00:00', 'Z')}" in told
    assert str(rows[9]["Digest"])[:12] in told
    assert "verify once more in an hour. Where the table keeps rows no longer, say with --since" in told
    assert max(map(len, done.stdout.splitlines())) <= 80


FORMS: Mapping[str, Callable[[Sequence[Columns]], str]] = {
    "an array": json.dumps,
    "one a line": lambda rows: "".join(f"{json.dumps(row)}\n" for row in rows),
    "an answer": lambda rows: json.dumps(as_answer(rows)),
    "the cli": lambda rows: json.dumps(by_cli(rows), indent=2),
    "several answers": lambda rows: json.dumps(as_answer(rows[:5])) + json.dumps(as_answer(rows[5:])),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_a_file(tmp_path: Path, form: str) -> None:
    text = FORMS[form](log())
    done = airlock_inside("log", "verify", "-", stdin=text.encode())
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("The log is intact.\n10 rows: 10 records, in 3 chains; no anchors.\n")
    assert "Not proven: that no chain was rewritten from some row on" in done.stdout
    (tmp_path / "rows.json").write_text(text, encoding="utf-16")
    rows = list(read_rows(tmp_path / "rows.json"))
    rows[3]["Reason"] = "nothing to see"
    done = airlock_inside("log", "verify", write(tmp_path / "rows.json", rows))
    assert done.returncode == 1
    assert "column Reason is not what Sealed says" in done.stdout


def test_several_files_are_one_log(tmp_path: Path) -> None:
    rows = log()
    write(tmp_path / "1.json", rows[::2])
    write(tmp_path / "2.json", rows[1::2])
    assert airlock_inside("log", "verify", tmp_path).returncode == 0
    assert airlock_inside("log", "verify", tmp_path / "1.json").returncode == 1


def test_json_tells_everything(tmp_path: Path) -> None:
    rows = log()
    path = write(tmp_path / "rows.json", rows[1:])
    done = airlock_inside("log", "verify", path, "--json")
    assert done.returncode == 1
    (problem,) = json.loads(done.stdout)["problems"]
    named = {"kind": "missing", "chain": TARGET.key, "recordId": rows[1]["RecordId"], "time": rows[1]["TimeGenerated"]}
    assert problem.items() >= named.items()
    done = airlock_inside("log", "verify", path, "--json", "--since", "30d")
    told = json.loads(done.stdout)
    assert (done.returncode, told["intact"], told["chainsCutByWindow"], told["problems"]) == (0, True, 1, [])
    assert datetime.fromisoformat(told["since"]) < NOW - timedelta(days=29)
    assert told["lastAnchor"] is None


def test_what_a_window_cuts_is_said(tmp_path: Path) -> None:
    path = write(tmp_path / "rows.json", log()[1:])
    done = airlock_inside("log", "verify", path, "--since", "2020-01-01")
    assert done.returncode == 0
    told = " ".join(done.stdout.split())
    assert "1 chain begins before 2020-01-01T00:00:00.000000Z: what came before was not looked at." in told


def test_what_is_late_or_was_forgotten_is_said(tmp_path: Path) -> None:
    rows = [*chain(begin=NOW - timedelta(days=300)), *chain(count=2)]
    rows[0]["TimeGenerated"] = NOW.isoformat()
    done = airlock_inside("log", "verify", write(tmp_path / "rows.json", rows))
    told = " ".join(done.stdout.split())
    assert done.returncode == 0
    assert "A forgotten chain began anew 1 time, 180 days or more after its last row." in told
    assert "1 row came to Log Analytics more than two days late" in told


def test_very_many_problems_are_counted(tmp_path: Path) -> None:
    rows = chain(count=60)
    for row in rows:
        row["Reason"] = "\x1b[2J nothing"
        row["\x1b[31m\u202e"] = "nothing"
    done = airlock_inside("log", "verify", write(tmp_path / "rows.json", rows))
    assert done.returncode == 1
    assert "The log was tampered with: 60 problems." in done.stdout
    assert "And 10 problems more, which --json lists." in done.stdout
    assert "\x1b" not in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 80


def test_an_anchor_that_is_none_is_a_problem(tmp_path: Path) -> None:
    rows = log()
    first, second = anchor(rows[:1], NOW - HOUR), anchor(rows[3:4])
    (tmp_path / "lines.json").write_bytes(first.to_bytes() + b"\r\n\n" + second.to_bytes().replace(b"{", b"{ ", 1))
    path = write(tmp_path / "rows", rows)
    done = airlock_inside("log", "verify", path, "--anchors", tmp_path / "lines.json")
    told = " ".join(done.stdout.split())
    assert (done.returncode, done.stderr) == (1, "")
    assert "unreadable anchor" in told
    assert "line 3 is not written as Airlock writes an anchor" in told


def test_a_log_without_rows_that_was_anchored(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_bytes(anchor(log()[:1]).to_bytes())
    done = airlock_inside("log", "verify", "-", "--anchors", tmp_path, stdin=b"[]")
    assert done.returncode == 1
    assert "0 rows: 0 records, in 0 chains; 1 anchor." in done.stdout
    done = airlock_inside("log", "verify", "-", stdin=b"[]")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.endswith(
        "has no row of AirlockRemediation_CL, and no anchor tells of one: there is nothing to verify\n"
    )


@pytest.mark.parametrize(
    "given, why",
    [
        (b"", "standard input: is empty"),
        (b"x", "standard input: line 1, column 1: not JSON: Expecting value"),
        (b"[1]", "standard input: $[0]: is not a JSON object, so it is no row"),
        (b'"\\u001b"', "standard input: $: is not a JSON object, so it is no row"),
        (b'[{"Outcome": "Fixed"}]', "has no column Sealed: export whole rows of AirlockRemediation_CL"),
        (b'{"tables": [{"columns": [{"name": "Outcome"}], "rows": []}]}', "$.tables[0]: has no column Sealed"),
        (b'{"tables": [{"columns": [{"name": "Sealed"}], "rows": [[]]}]}', "$.tables[0].rows[0]: is not a row of 1"),
        (b'{"tables": [7, null, []]}', "$.tables[0]: has no column Sealed"),
        (json.dumps(as_answer(log(), error={"code": "PartialError"})).encode(), "$: says that it is only a part"),
        (b"[" * 100_000, "nested too deeply"),
    ],
)
def test_unusable_input_ends_with_2(given: bytes, why: str) -> None:
    done = airlock_inside("log", "verify", "-", stdin=given)
    assert (done.returncode, done.stdout) == (2, "")
    assert why in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("content", [b"", b"{}", b"\xff" * 100, b"[" * 100_000])
def test_anchors_that_are_none_end_with_2(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.json").write_bytes(content)
    done = airlock_inside("log", "verify", "-", "--anchors", tmp_path, stdin=json.dumps(log()).encode())
    assert (done.returncode, done.stdout) == (2, "")
    assert "holds no anchor: " in done.stderr
    done = airlock_inside("log", "verify", "-", "--anchors", tmp_path / "none", stdin=b"[]")
    assert (done.returncode, done.stderr.count("No such file")) == (2, 1)


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["rows.json", "--workspace", WORKSPACE],
        ["--workspace", "law-airlock"],
        ["--workspace", f"{WORKSPACE}/../x"],
        ["--workspace", WORKSPACE, "--since", "soon"],
        ["--workspace", WORKSPACE, "--since", "999999w"],
        ["--workspace", WORKSPACE, "--since", "99999w"],
        ["--workspace", WORKSPACE, "--since", "2999-01-01"],
        ["--workspace", WORKSPACE, "--since", "0001-01-01T00:00:00+14:00"],
        ["--workspace", WORKSPACE, "--since", "0001-01-01"],
        ["--workspace", WORKSPACE, "--endpoint", "http://api.loganalytics.io"],
        ["--workspace", WORKSPACE, "--endpoint", "https://user@api.loganalytics.io"],
        ["--workspace", WORKSPACE, "--endpoint", "https://api.loganalytics.io/v1"],
        ["--workspace", WORKSPACE, "--endpoint", "https://["],
    ],
)
def test_options_that_cannot_be_meant(arguments: list[str]) -> None:
    done = airlock_inside("log", "verify", *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert "Error: Invalid value for " in done.stderr


def test_help_is_plain() -> None:
    done = airlock_inside("log", "verify", "--help")
    assert max(map(len, done.stdout.splitlines())) <= 80
    assert "--endpoint" not in done.stdout
    assert "Usage: airlock log verify [OPTIONS] [FILE]...\n" in done.stdout


@dataclass(frozen=True)
class Workspace:
    service: LogQueryService
    environment: dict[str, str]

    async def verified(
        self, *arguments: str | Path, command: Callable[..., Ended] = airlock_inside, workspace: str = WORKSPACE
    ) -> Ended:
        # aiohttp reads SSL_CERT_FILE as it is imported, which in this process it has been.
        trusting = ssl.create_default_context(cafile=self.environment["SSL_CERT_FILE"])
        with mock.patch.object(connector, "_SSL_CONTEXT_VERIFIED", trusting):
            words = ("log", "verify", "--workspace", workspace, *arguments)
            return await asyncio.to_thread(command, *words, **self.environment)


@asynccontextmanager
async def log_analytics(
    directory: Path, rows: Sequence[Columns], *faults: Fault, most_rows: int = 500_000, table: str = TABLE
) -> AsyncIterator[Workspace]:
    """A workspace over TLS that holds the rows, and an identity that may ask for tokens."""
    options = {"faults": Faults(faults), "most_rows": most_rows}
    service = LogQueryService(WORKSPACE, table, schema(), rows, time.time, **options)  # type: ignore[arg-type] # as named
    certificate = Certificate.issue(directory)
    identity = IdentityService([DEV], "header", time.time).application()
    async with serve(service.application(), certificate.server) as url, serve(identity) as endpoint:
        environment = {
            "AIRLOCK_LOGS_QUERY_ENDPOINT": url,
            "AZURE_TOKEN_CREDENTIALS": "ManagedIdentityCredential",
            "IDENTITY_ENDPOINT": endpoint + PATH,
            "IDENTITY_HEADER": "header",
            "SSL_CERT_FILE": str(certificate.ca_file),
        }
        yield Workspace(service, environment)


async def test_a_workspace_that_is_intact(tmp_path: Path) -> None:
    rows = log()
    heads = tmp_path / "anchor"
    heads.write_bytes(anchor([rows[3], rows[7], rows[9]]).to_bytes())
    async with log_analytics(tmp_path, rows) as workspace:
        done = await workspace.verified("--anchors", heads, command=airlock)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("The log is intact.\n10 rows: 10 records, in 3 chains; 1 anchor.\n")
    asked = workspace.service.requests
    assert sum(each.rows for each in asked) == 10
    assert datetime.fromisoformat(asked[-1].until) - datetime.fromisoformat(asked[0].since) == timedelta(days=30)


async def test_a_workspace_with_more_rows_than_one_answer_holds(tmp_path: Path) -> None:
    rows = [*chain(count=60), *chain("other", 25, NOW - 50 * HOUR), *chain("third", 2, NOW - 71 * HOUR)]
    async with log_analytics(tmp_path, rows, most_rows=20) as workspace:
        done = await workspace.verified("--since", "3d", "--json")
        del rows[20]
        cut = await workspace.verified("--since", "3d", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout).items() >= {"rows": 87, "copies": 0, "records": 87, "chains": 3}.items()
    (problem,) = json.loads(cut.stdout)["problems"]
    assert (cut.returncode, problem["kind"], problem["recordId"]) == (1, "missing", rows[20]["RecordId"])
    asked = workspace.service.requests
    assert any(each.partial for each in asked)
    assert max(each.rows for each in asked if not each.partial) <= 20


async def test_a_workspace_is_read_from_since_on(tmp_path: Path) -> None:
    rows = chain(count=50)
    async with log_analytics(tmp_path, rows) as workspace:
        done = await workspace.verified("--since", "30m")
    assert (done.returncode, done.stderr) == (0, "")
    assert "1 chain begins before " in done.stdout
    assert 15 <= workspace.service.requests[0].rows <= 20


async def test_a_service_that_is_busy_is_asked_again(tmp_path: Path) -> None:
    busy = Fault(service="logs", kind="status", status=429)
    async with log_analytics(tmp_path, log(), busy) as workspace:
        done = await workspace.verified("--since", "2h")
    assert (done.returncode, done.stderr) == (0, "")


async def test_a_query_that_takes_too_long_is_asked_for_less(tmp_path: Path) -> None:
    slow = Fault(service="logs", kind="status", status=504, times=3)
    async with log_analytics(tmp_path, log(), slow) as workspace:
        done = await workspace.verified("--since", "8h")
    assert (done.returncode, done.stderr) == (0, "")
    assert len(workspace.service.requests) > 1


@pytest.mark.parametrize(
    "fault, advice",
    [
        (
            Fault(service="logs", kind="status", status=403, times=None),
            "az login as one with the role Log Analytics Reader on it",
        ),
        (
            Fault(service="logs", kind="status", status=401, times=None),
            "az login as one with the role Log Analytics Reader on it",
        ),
        (Fault(service="logs", kind="status", status=504, times=None), "are more than one answer holds"),
        (Fault(service="logs", kind="status", status=418, times=None), "418"),
    ],
)
async def test_a_service_that_refuses_ends_with_2_and_what_to_do(tmp_path: Path, fault: Fault, advice: str) -> None:
    async with log_analytics(tmp_path, log(), fault) as workspace:
        done = await workspace.verified("--since", "8h")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"airlock: workspace {WORKSPACE} was not read: ")
    assert advice in done.stderr
    assert done.stderr.count("\n") == 1


async def test_a_workspace_or_a_table_that_is_not_there(tmp_path: Path) -> None:
    async with log_analytics(tmp_path, log(), table="Other_CL") as workspace:
        no_table = await workspace.verified()
        other = await workspace.verified(workspace=WORKSPACE.replace("5", "6"))
        workspace.environment["IDENTITY_HEADER"] = "wrong"
        stranger = await workspace.verified()
    assert {done.returncode for done in (no_table, other, stranger)} == {2}
    assert "does it have the table AirlockRemediation_CL?" in no_table.stderr
    assert "there is none of that id" in other.stderr
    assert "there is no Entra token: run az login, then this again" in stranger.stderr


async def test_a_workspace_without_rows(tmp_path: Path) -> None:
    async with log_analytics(tmp_path, []) as workspace:
        done = await workspace.verified()
    assert (done.returncode, done.stdout) == (2, "")
    assert f"workspace {WORKSPACE} has no row of AirlockRemediation_CL" in done.stderr
