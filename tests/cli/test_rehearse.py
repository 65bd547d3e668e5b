"""`airlock rehearse` as its user runs it: the real command, in a process of its own."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from cli.ending import judge
from cli.rehearsal import Played
from local import contoso
from remediations import load_catalogue
from shared.domain.mode import Mode
from shared.domain.record import Outcome
from shared.domain.settings import Settings
from tests.cli.command import airlock
from tests.engine.running import Body, account, assert_chained, storage

COLUMNS = 80


@dataclass(frozen=True)
class Ended:
    """How a run of the command ended."""

    code: int
    out: str
    err: str
    folder: Path

    def records(self) -> list[Body]:
        return [json.loads(line) for line in (self.folder / "records.jsonl").read_text().splitlines()]

    def estate(self) -> dict[str, Body]:
        return {str(body["id"]): body for body in json.loads((self.folder / "estate.json").read_text())}

    def summary(self) -> Body:
        summary: Body = json.loads((self.folder / "summary.json").read_text())
        return summary


def rehearse(folder: Path, *options: str, settings: Mapping[str, str] | None = None) -> Ended:
    """Runs the command with these settings and no others."""
    out = folder / "out"
    done = airlock("rehearse", "--out", out, *options, stdin=b"", **dict(settings or {}))
    return Ended(done.returncode, done.stdout, done.stderr, out)


def write(path: Path, value: Any) -> str:  # noqa: ANN401 - any JSON
    path.write_text(json.dumps(value))
    return str(path)


class TestBundledEstate:
    def test_enforcing_fixes_what_may_be_fixed_and_says_why_the_rest_stands(self, tmp_path: Path) -> None:
        ended = rehearse(tmp_path, "--mode", "enforce")
        assert ended.code == 0, ended.out + ended.err
        assert max(len(line) for line in ended.out.splitlines()) <= COLUMNS
        summary = ended.summary()
        assert list(summary) == [
            "mode", "resources", "events", "drifted", "records", "seconds", "p50_ms", "p95_ms", "exit",
        ]  # fmt: skip
        assert summary["resources"] >= 20
        assert {"Fixed", "Compliant", "Refused", "Exempt", "Gone", "Ignored"} <= set(summary["records"])
        assert summary["records"] == _count(ended.records())
        assert_chained(ended.records())
        by_name = {identity.rpartition("/")[2]: body for identity, body in ended.estate().items()}
        assert by_name["oai-chat-prod"]["properties"]["publicNetworkAccess"] == "Disabled"
        assert by_name["oai-updating"]["properties"]["disableLocalAuth"] is True
        assert by_name["stscans"]["properties"]["minimumTlsVersion"] == "TLS1_2"
        assert by_name["srch-hr"]["properties"]["disableLocalAuth"] is True
        assert by_name["stgoldcopy"]["properties"]["minimumTlsVersion"] == "TLS1_1"
        assert by_name["stairlock"]["properties"]["minimumTlsVersion"] == "TLS1_0"
        assert by_name["stmarketing"]["properties"]["minimumTlsVersion"] == "TLS1_0"
        assert "safety-retired" not in by_name

    def test_auditing_leaves_everything_as_people_left_it(self, tmp_path: Path) -> None:
        ended = rehearse(tmp_path, "--mode", "audit", "--json")
        assert ended.code == 0, ended.err
        assert json.loads(ended.out) == ended.summary()
        assert set(ended.summary()["records"]) <= {
            "Audited", "Compliant", "Exempt", "Gone", "Ignored", "SettingsChanged",
        }  # fmt: skip
        changed = {deed.id for deed in contoso.scenario()}
        before = {str(body["id"]): body for body in contoso.estate(datetime.now(UTC).date())}
        after = ended.estate()
        settling = {f"{contoso.GROUP}/{contoso.ACCOUNTS}/oai-updating"}
        for identity in before.keys() - changed - settling:
            assert after[identity] == before[identity]


class TestGivenEstate:
    def test_an_export_and_events_in_either_form(self, tmp_path: Path) -> None:
        bad, sound = account(), storage(minimumTlsVersion="TLS1_2", supportsHttpsTrafficOnly=True)
        estate = write(tmp_path / "graph.json", {"data": [bad, sound]})
        cloud = {
            "specversion": "1.0",
            "id": "c",
            "type": "Microsoft.Resources.ResourceWriteSuccess",
            "source": "/subscriptions/x",
            "subject": sound["id"],
            "time": "2026-01-01T00:00:00Z",
            "data": {},
        }
        events = tmp_path / "events.jsonl"
        lines = (contoso.write_event(bad, datetime.now(UTC)), cloud, {"unknown": True})
        events.write_text("\n".join(json.dumps(line) for line in lines))
        options = ("--estate", estate, "--events", str(events), "--mode", "enforce")
        ended = rehearse(tmp_path, *options)
        assert ended.code == 0, ended.out + ended.err
        assert [str(row["Outcome"]) for row in ended.records()].count("Fixed") == 3
        assert ended.estate()[bad["id"]]["properties"]["publicNetworkAccess"] == "Disabled"
        assert ended.estate()[sound["id"]] == sound
        assert ended.summary()["records"]["Unreadable"] == 1

    def test_without_events_every_resource_was_just_written(self, tmp_path: Path) -> None:
        estate = write(tmp_path / "list.json", {"value": [storage("stone"), storage("sttwo")]})
        ended = rehearse(tmp_path, "--estate", estate, "--mode", "enforce", "--json")
        assert ended.code == 0, ended.err
        assert json.loads(ended.out)["records"]["Fixed"] == 2

    def test_settings_of_the_environment_count_and_their_problems_are_told(self, tmp_path: Path) -> None:
        estate = write(tmp_path / "estate.json", [storage()])
        wrong = {"AIRLOCK_MODE": "enforce", "AIRLOCK_ENFORCE_TSL": "off"}
        ended = rehearse(tmp_path, "--estate", estate, "--json", settings=wrong)
        assert ended.code == 0
        assert "AIRLOCK_ENFORCE_TSL" in ended.err
        assert "AIRLOCK_ENFORCE_TLS" in ended.err
        assert json.loads(ended.out)["records"] == {"Audited": 1, "SettingsChanged": 1}

    @pytest.mark.parametrize(
        "estate,events",
        [("[", None), ("[]", None), ('[{"id": "/x"}]', None), ("[7]", None), (None, '{"a": 1'), (None, "[7]")],
    )
    def test_unusable_input_ends_with_2_and_says_where(
        self, tmp_path: Path, estate: str | None, events: str | None
    ) -> None:
        (tmp_path / "estate.json").write_text(estate or json.dumps([storage()]))
        (tmp_path / "events.json").write_text(events or "{}")
        paths = ("--estate", str(tmp_path / "estate.json"), "--events", str(tmp_path / "events.json"))
        ended = rehearse(tmp_path, *paths)
        assert ended.code == 2
        assert ("estate.json" if estate else "events.json") in ended.err
        assert not ended.out
        assert not ended.folder.exists()


class TestVerdict:
    """What makes a rehearsal end with 1."""

    def judged(self, played: Played, mode: Mode = Mode.ENFORCE) -> int:
        return judge(played, Settings(mode=mode), load_catalogue()).exit

    def played(self, *outcomes: Outcome, rule: str = "AIR-004/storage") -> Played:
        """A storage account that an event named, still drifted, with one record for each outcome."""
        bad = storage()
        row = {"ResourceId": bad["id"], "Rule": rule, "TimeGenerated": "2026-11-23T10:00:00Z"}
        return Played(
            estate=[bad],
            events=[contoso.write_event(bad, datetime.now(UTC))],
            rows=[row | {"RecordId": str(number), "Outcome": told.value} for number, told in enumerate(outcomes)],
        )

    def test_drift_with_a_reason_is_as_promised(self) -> None:
        assert self.judged(self.played(Outcome.REFUSED)) == 0
        assert self.judged(self.played(Outcome.AUDITED), Mode.AUDIT) == 0
        assert self.judged(self.played(), Mode.OFF) == 0

    @pytest.mark.parametrize("outcomes", [(), (Outcome.COMPLIANT,), (Outcome.FIXED,), (Outcome.AUDITED,)])
    def test_drift_without_one_is_not(self, outcomes: tuple[Outcome, ...]) -> None:
        assert self.judged(self.played(*outcomes)) == 1

    @pytest.mark.parametrize("outcome", [Outcome.FAILED, Outcome.FIX_UNVERIFIED])
    def test_neither_is_a_fix_that_went_wrong(self, outcome: Outcome) -> None:
        played = self.played(Outcome.REFUSED, outcome)
        played.estate = []
        assert self.judged(played) == 1

    def test_neither_is_a_write_in_audit_mode(self) -> None:
        played = self.played(Outcome.AUDITED)
        played.own_writes = 1
        assert self.judged(played, Mode.AUDIT) == 1

    def test_neither_is_a_signal_that_still_waits(self) -> None:
        played = self.played(Outcome.REFUSED)
        played.unfinished = "some signals still waited"
        assert self.judged(played) == 1


def _count(rows: list[Body]) -> dict[str, int]:
    told = [str(row["Outcome"]) for row in rows]
    return {name: told.count(name) for name in sorted(set(told))}
