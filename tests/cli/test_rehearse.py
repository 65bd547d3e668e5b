"""`airlock rehearse` as its user runs it.

On the bundled estate it is the real command in a process of its own, with workers that start from nothing; on others it
runs in ours, with workers that are forked.
"""

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from cli.ending import judge
from cli.rehearsal import Played
from local import contoso
from local.arm.estate import Estate
from local.arm.keys import KeyRing
from remediations import load_catalogue
from shared.domain.arm_id import parse_arm_id
from shared.domain.mode import Mode
from shared.domain.record import Outcome
from shared.domain.secret import digest
from shared.domain.settings import Settings
from shared.domain.vault import secret_name
from tests.cli.command import airlock, airlock_inside, measured
from tests.engine.alerts import alert, exposed, told
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


def rehearse(folder: Path, *options: str, **environment: str) -> Ended:
    """Runs the command without any settings."""
    out = folder / "out"
    done = airlock("rehearse", "--out", out, *options, stdin=b"", **environment)
    return Ended(done.returncode, done.stdout, done.stderr, out)


def rehearse_inside(folder: Path, *options: str, settings: Mapping[str, str] | None = None) -> Ended:
    """Runs the command in this process, with these settings and no others."""
    out = folder / "out"
    done = airlock_inside("rehearse", "--out", out, *options, stdin=b"", **dict(settings or {}))
    return Ended(done.returncode, done.stdout, done.stderr, out)


def write(path: Path, value: Any) -> str:  # noqa: ANN401 - any JSON
    path.write_text(json.dumps(value))
    return str(path)


def first_key(estate: Sequence[Body], resource_id: str) -> str:
    """The key that the account has when a rehearsal begins."""
    return KeyRing(Estate(estate), 0, time.time).key_of(resource_id, "key1")


class TestBundledEstate:
    def test_enforcing_fixes_what_may_be_fixed_and_says_why_the_rest_stands(self, tmp_path: Path) -> None:
        # Nothing else has every kind of event come twice.
        ended = rehearse(tmp_path, "--mode", "enforce", **measured())
        assert ended.code == 0, ended.out + ended.err
        assert max(len(line) for line in ended.out.splitlines()) <= COLUMNS
        summary = ended.summary()
        assert list(summary) == [
            "mode", "resources", "events", "drifted", "incidents", "records", "repeated", "notified", "secrets",
            "seconds", "p50_ms", "p95_ms", "exit",
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
        self.assert_only_the_real_alert_acted(ended)
        self.assert_the_leaked_key_is_dead(ended)
        assert summary["repeated"] == 0
        notable = [row for row in ended.records() if row.get("Severity") in {"medium", "high", "critical"}]
        assert summary["notified"] == len(notable)

    def assert_only_the_real_alert_acted(self, ended: Ended) -> None:
        """Of the alert, its forged twin, and the one that was dismissed."""
        by_name = {identity.rpartition("/")[2]: body for identity, body in ended.estate().items()}
        real, dismissed = contoso.alerts(datetime.now(UTC))
        assert by_name["oai-support"]["properties"]["publicNetworkAccess"] == "Disabled"
        assert by_name["oai-support"]["tags"]["airlock-incident"] == real["name"]
        before = {body["name"]: body for body in contoso.estate(datetime.now(UTC).date())}
        for name in ("vision-intake", "translate-prod"):
            assert by_name[name] == before[name]
        told = [row for row in ended.records() if row.get("SignalKind") == "DefenderAlert"]
        assert {row["ResourceId"].rpartition("/")[2] for row in told} == {"oai-support", "translate-prod"}
        reasons = {row["ReasonCode"] for row in told if row["ResourceId"].endswith("translate-prod")}
        assert reasons == {"ignored.alert-closed", "compliant"}
        first, second, _ = ended.summary()["incidents"]
        assert (first["events"], first["forged"]) == (2, ["vision-intake"])
        assert (second["records"]["Ignored"], second["forged"]) == (1, [])
        assert dismissed["properties"]["status"] == "Dismissed"
        assert "Untouched" in ended.out

    def assert_the_leaked_key_is_dead(self, ended: Ended) -> None:
        (leak,) = contoso.leaks()
        key = first_key(contoso.estate(datetime.now(UTC).date()), leak.id)
        rows = [row for row in ended.records() if row.get("Remediation") == "rotate-exposed-keys"]
        assert {row["ResourceId"] for row in rows} == {leak.id}
        assert [(row["Changes"][0]["path"], row["Outcome"]) for row in rows] == [
            ("keys.Key2", "Fixed"),
            ("keys.Key1", "Fixed"),
        ]
        assert rows[1]["Evidence"]["deadKey"] == digest(key)[:12]
        assert ended.summary()["secrets"] == [secret_name(parse_arm_id(leak.id))]
        assert ended.summary()["incidents"][2]["title"] == f"Exposed key: {leak.found_at}"
        shown = ended.out + ended.err + json.dumps([ended.records(), ended.summary(), ended.estate()])
        assert not [secret for secret in (key, digest(key)) if secret in shown]

    def test_auditing_leaves_everything_as_people_left_it(self, tmp_path: Path) -> None:
        ended = rehearse(tmp_path, "--mode", "audit", "--json")
        assert ended.code == 0, ended.err
        assert json.loads(ended.out) == ended.summary()
        assert set(ended.summary()["records"]) <= {
            "Advised", "Audited", "Compliant", "Exempt", "Gone", "Ignored", "SettingsChanged",
        }  # fmt: skip
        changed = {deed.id for deed in contoso.scenario()}
        before = {str(body["id"]): body for body in contoso.estate(datetime.now(UTC).date())}
        after = ended.estate()
        settling = {f"{contoso.GROUP}/{contoso.ACCOUNTS}/oai-updating"}
        for identity in before.keys() - changed - settling:
            assert after[identity] == before[identity]


@pytest.mark.usefixtures("forked")
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
        ended = rehearse_inside(tmp_path, *options)
        assert ended.code == 0, ended.out + ended.err
        assert [str(row["Outcome"]) for row in ended.records()].count("Fixed") == 3
        assert ended.estate()[bad["id"]]["properties"]["publicNetworkAccess"] == "Disabled"
        assert ended.estate()[sound["id"]] == sound
        assert ended.summary()["records"]["Unreadable"] == 1

    def test_without_events_every_resource_was_just_written(self, tmp_path: Path) -> None:
        estate = write(tmp_path / "list.json", {"value": [storage("stone"), storage("sttwo")]})
        ended = rehearse_inside(tmp_path, "--estate", estate, "--mode", "enforce", "--json")
        assert ended.code == 0, ended.err
        assert json.loads(ended.out)["records"]["Fixed"] == 2

    def test_settings_of_the_environment_count_and_their_problems_are_told(self, tmp_path: Path) -> None:
        estate = write(tmp_path / "estate.json", [storage()])
        wrong = {"AIRLOCK_MODE": "enforce", "AIRLOCK_ENFORCE_TSL": "off"}
        ended = rehearse_inside(tmp_path, "--estate", estate, "--json", settings=wrong)
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
        ended = rehearse_inside(tmp_path, *paths)
        assert ended.code == 2
        assert ("estate.json" if estate else "events.json") in ended.err
        assert not ended.out
        assert not ended.folder.exists()


@pytest.mark.usefixtures("forked")
class TestBadDay:
    def test_what_is_lost_interrupted_or_refused_for_a_while_ends_as_promised_all_the_same(
        self, tmp_path: Path
    ) -> None:
        bad = [account(), account("two"), storage()]
        estate = write(tmp_path / "estate.json", bad)
        ended = rehearse_inside(tmp_path, "--estate", estate, "--mode", "enforce", "--chaos", "7")
        assert ended.code == 0, ended.out + ended.err
        assert_chained(ended.records())
        assert ended.summary()["records"]["SweepCompleted"] == 1
        after = ended.estate()
        assert [after[body["id"]]["properties"].get("publicNetworkAccess") for body in bad] == ["Disabled"] * 3


@pytest.mark.usefixtures("forked")
class TestGivenAlerts:
    """What Defender knows comes from a file, what is told of it from another, or from the first."""

    def listed(self, *bodies: Body) -> list[Body]:
        """As `az security alert list` prints alerts: without `properties`."""
        return [{"id": body["id"], "name": body["name"], "type": body["type"], **body["properties"]} for body in bodies]

    @pytest.mark.parametrize("form", ["az", "rest"])
    def test_without_events_each_was_just_raised(self, tmp_path: Path, form: str) -> None:
        bad = account()
        estate, report = write(tmp_path / "estate.json", [bad]), alert(bad)
        alerts = write(tmp_path / "alerts.json", self.listed(report) if form == "az" else {"value": [report]})
        ended = rehearse_inside(tmp_path, "--estate", estate, "--alerts", alerts, "--mode", "enforce")
        assert ended.code == 0, ended.out + ended.err
        assert ended.estate()[bad["id"]]["tags"]["airlock-incident"] == report["name"]
        assert [incident["kind"] for incident in ended.summary()["incidents"]] == ["DefenderAlert"]
        assert ended.summary()["notified"] is None

    def test_events_of_every_kind_in_one_file(self, tmp_path: Path) -> None:
        bad, other, leaky = account(), account("other"), account("leaky")
        real, unknown = alert(bad), alert(other, name="2518298467986649000_unknown")
        key = first_key([bad, other, leaky], leaky["id"])
        events = [
            contoso.write_event(bad, datetime.now(UTC)),
            told(alert(other), "forged"),
            told(unknown, "unknown"),
            told(real, "real"),
            exposed(key, leaky),
            {"specversion": "1.0", "id": "x", "type": "Airlock.SecretExposed", "source": "x", "data": {}},
        ]
        options = [
            *("--estate", write(tmp_path / "estate.json", [bad, other, leaky])),
            *("--alerts", write(tmp_path / "alerts.json", real)),
            *("--events", write(tmp_path / "events.json", events)),
        ]
        local = {"AIRLOCK_KEY_VAULT_URI": "https://contoso.vault.azure.net", "AIRLOCK_NOTIFY_TOPIC": "https://contoso"}
        began = time.monotonic()
        ended = rehearse_inside(tmp_path, *options, "--mode", "enforce", settings=local)
        assert time.monotonic() - began < 30
        assert ended.code == 0, ended.out + ended.err
        assert max(len(line) for line in ended.out.splitlines()) <= COLUMNS
        assert ended.estate()[bad["id"]]["tags"]["airlock-incident"] == real["name"]
        assert ended.estate()[other["id"]] == other
        assert ended.estate()[leaky["id"]]["properties"]["disableLocalAuth"] is True
        summary = ended.summary()
        assert summary["records"]["Unreadable"] == 1
        assert sorted(sum(incident["records"].values()) > 0 for incident in summary["incidents"]) == [False, True, True]
        assert summary["secrets"] == [secret_name(parse_arm_id(leaky["id"]))]
        assert summary["notified"] > 0
        assert "Waiting" in ended.out
        assert "contoso/app deploy.env:3" in ended.out

    @pytest.mark.parametrize(
        "text",
        ["", "[", "7", "[7]", "{}", '{"value": [{}]}', '[{"id": "/x", "type": "Microsoft.Security/locations/alerts"}]'],
    )
    def test_an_unusable_file_ends_with_2_and_says_where(self, tmp_path: Path, text: str) -> None:
        (tmp_path / "alerts.json").write_text(text)
        estate = write(tmp_path / "estate.json", [storage()])
        ended = rehearse_inside(tmp_path, "--estate", estate, "--alerts", str(tmp_path / "alerts.json"))
        assert ended.code == 2
        assert "alerts.json" in ended.err
        assert not ended.out
        assert not ended.folder.exists()

    def test_an_alert_that_does_not_tell_its_id_is_of_no_use(self, tmp_path: Path) -> None:
        nowhere = {name: value for name, value in alert(account()).items() if name != "id"}
        estate, alerts = write(tmp_path / "estate.json", [account()]), write(tmp_path / "alerts.json", [nowhere])
        ended = rehearse_inside(tmp_path, "--estate", estate, "--alerts", alerts)
        assert ended.code == 2
        assert "$[0].id" in ended.err


def judged(played: Played, mode: Mode = Mode.ENFORCE) -> int:
    return judge(played, Settings(mode=mode), load_catalogue()).exit


class TestVerdict:
    """What makes a rehearsal end with 1."""

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
        assert judged(self.played(Outcome.REFUSED)) == 0
        assert judged(self.played(Outcome.AUDITED), Mode.AUDIT) == 0
        assert judged(self.played(), Mode.OFF) == 0

    @pytest.mark.parametrize("outcomes", [(), (Outcome.COMPLIANT,), (Outcome.FIXED,), (Outcome.AUDITED,)])
    def test_drift_without_one_is_not(self, outcomes: tuple[Outcome, ...]) -> None:
        assert judged(self.played(*outcomes)) == 1

    @pytest.mark.parametrize("outcome", [Outcome.FAILED, Outcome.FIX_UNVERIFIED, Outcome.UNCONFIRMED])
    def test_neither_is_a_fix_that_went_wrong(self, outcome: Outcome) -> None:
        played = self.played(Outcome.REFUSED, outcome)
        played.estate = []
        assert judged(played) == 1

    def test_neither_is_a_write_in_audit_mode(self) -> None:
        played = self.played(Outcome.AUDITED)
        played.own_writes = 1
        assert judged(played, Mode.AUDIT) == 1

    def test_neither_is_a_signal_that_still_waits(self) -> None:
        played = self.played(Outcome.REFUSED)
        played.unfinished = "some signals still waited"
        assert judged(played) == 1


class TestVerdictOfIncidents:
    """An alert or an exposed key must end as promised too."""

    SOUND = account(publicNetworkAccess="Disabled", disableLocalAuth=True)
    KEY = "k" * 40

    def incident(self, event: Body, *rows: Body, **seen: Any) -> Played:  # noqa: ANN401 - fields of Played
        """An event about a sound account, and what the log says of it."""
        known = alert(self.SOUND)
        fixed: Body = {
            "ResourceId": self.SOUND["id"],
            "SignalKind": "SecretExposed" if event["type"] == "Airlock.SecretExposed" else "DefenderAlert",
            "SignalId": event["id"],
            "TimeGenerated": "2026-11-24T10:00:00Z",
        }
        kept = [fixed | {"RecordId": str(number)} | row for number, row in enumerate(rows)]
        return Played(estate=[self.SOUND, known], events=[event], rows=kept, **seen)

    def confirmed(self, **responses: str) -> Body:
        evidence: Body = {"responses": {name.replace("_", "-"): plan for name, plan in responses.items()}}
        return {"Outcome": "Advised", "ReasonCode": "incident.confirmed", "Evidence": evidence}

    def rotated(self, slot: str = "Key1", outcome: str = "Fixed") -> Body:
        changes = [{"path": f"keys.{slot}", "actual": None, "desired": "regenerated"}]
        rule = {"Rule": "AIR-101/cognitive-accounts", "Remediation": "rotate-exposed-keys"}
        return {"Outcome": outcome, "Changes": changes, **rule}

    def test_an_alert_needs_a_record(self) -> None:
        event = told(alert(self.SOUND))
        assert judged(self.incident(event)) == 1
        assert judged(self.incident(event), Mode.OFF) == 0
        assert judged(self.incident(event, {"Outcome": "Ignored"})) == 0

    def test_an_alert_that_defender_does_not_know_yet_needs_none(self) -> None:
        assert judged(self.incident(told(alert(self.SOUND, name="2518_other")))) == 0

    def test_what_was_announced_must_be_done(self) -> None:
        event, announced = told(alert(self.SOUND)), self.confirmed(tag_incident="fix: tag the resource")
        tagged = {"Outcome": "Fixed", "Rule": "AIR-102/cognitive-accounts", "Remediation": "tag-incident"}
        assert judged(self.incident(event, announced)) == 1
        assert judged(self.incident(event, announced, tagged)) == 0

    def test_containment_must_hold_or_have_a_reason(self) -> None:
        event = told(alert(self.SOUND))
        listed = {"defaultAction": "Deny", "ipRules": [{"value": "203.0.113.0/24"}]}
        played = self.incident(event, self.confirmed())
        played.estate[0] = account(networkAcls=listed, disableLocalAuth=True)
        assert judged(played) == 1
        rule = "AIR-001/cognitive-accounts"
        played.rows.append({**played.rows[0], "Rule": rule, "Outcome": "Refused", "ReasonCode": "guard.x"})
        assert judged(played) == 0

    def test_what_only_a_forged_event_names_must_stay_untouched(self) -> None:
        other = account("other", publicNetworkAccess="Disabled", disableLocalAuth=True)
        row = {"Outcome": "Compliant"}
        assert judged(self.incident(told(alert(other)), row)) == 0
        assert judged(self.incident(told(alert(other)), row | {"ResourceId": other["id"]})) == 1

    @pytest.mark.parametrize(
        "rows,code",
        [
            ([], 1),
            (["confirmed"], 1),
            (["confirmed", "rotated"], 0),
            ([{"Outcome": "Refused"}], 0),
            ([{"Outcome": "Audited"}], 1),
        ],
    )
    def test_an_exposed_key_is_replaced_or_there_is_a_reason(self, rows: list[Any], code: int) -> None:
        known = {"confirmed": self.confirmed(), "rotated": self.rotated()}
        filled = [known[row] if isinstance(row, str) else row for row in rows]
        assert judged(self.incident(exposed(self.KEY, self.SOUND), *filled)) == code

    def test_keys_that_are_off_need_no_replacement(self) -> None:
        advised = self.confirmed(rotate_exposed_keys="advise: the keys open nothing")
        assert judged(self.incident(exposed(self.KEY, self.SOUND), advised)) == 0

    @pytest.mark.parametrize("times,rows,code", [(1, 1, 0), (2, 1, 1), (1, 0, 1)])
    def test_a_key_is_regenerated_once_and_on_record(self, times: int, rows: int, code: int) -> None:
        counted = {(str(self.SOUND["id"]).lower(), "key1"): times}
        event = exposed(self.KEY, self.SOUND)
        kept = [{"Outcome": "Refused"}, *([self.rotated()] * rows)]
        assert judged(self.incident(event, *kept, regenerations=counted)) == code

    def test_a_dead_key_opens_nothing_and_a_published_one_does(self) -> None:
        event = exposed(self.KEY, self.SOUND)
        cause = "secret " + digest(digest(self.KEY))[:32]
        assert judged(self.incident(event, self.rotated(), alive={cause})) == 1
        assert judged(self.incident(event, self.rotated(), published={"oai-1": False})) == 1
        assert judged(self.incident(event, self.rotated(), published={"oai-1": True})) == 0

    def test_what_comes_again_adds_nothing_and_the_topic_hears_all(self) -> None:
        event, row = told(alert(self.SOUND)), {"Outcome": "Ignored", "Severity": "high"}
        assert judged(self.incident(event, row, repeated=1)) == 1
        assert judged(self.incident(event, row, notified=set())) == 1
        assert judged(self.incident(event, row, repeated=0, notified={"0"})) == 0


def _count(rows: list[Body]) -> dict[str, int]:
    told = [str(row["Outcome"]) for row in rows]
    return {name: told.count(name) for name in sorted(set(told))}
