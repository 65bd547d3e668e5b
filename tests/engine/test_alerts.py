"""Defender alerts, from the event on the topic to what they leave behind."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from local.contoso import GROUP
from tests.engine.alerts import BLOCKED, LOCATION, TOR, USER_AGENT, alert, told
from tests.engine.running import Body, account, airlock, assert_chained, storage


def acts(rows: list[Body]) -> dict[str, str]:
    """The outcome of every response among the records, by rule."""
    return {str(row["Rule"]): str(row["Outcome"]) for row in rows if str(row.get("Ref") or "").startswith("AIR-1")}


class TestConfirmed:
    async def test_an_alert_that_defender_confirms_ends_in_containment(self) -> None:
        bad = account()
        report = alert(bad, addresses=("198.51.100.7",))
        async with airlock([bad]) as running:
            running.azure.report_alert(report)
            await running.tell(told(report))
            assert running.live(bad)["publicNetworkAccess"] == "Disabled"
            assert acts(running.records(bad)) == {
                "AIR-101/cognitive-accounts": "AwaitingApproval",
                "AIR-102/cognitive-accounts": "Fixed",
            }
            row = next(row for row in running.records(bad) if row["ReasonCode"] == "incident.confirmed")
            assert row["SignalKind"] == "DefenderAlert"
            assert row["Severity"] == "high"
            assert row["Evidence"]["alert"]["addresses"] == ["198.51.100.7"]
            assert running.tags(bad)["airlock-incident"] == report["name"]
            assert_chained(running.azure.logs.rows)

    async def test_a_second_delivery_changes_and_records_nothing_more(self) -> None:
        bad = account()
        report = alert(bad)
        async with airlock([bad]) as running:
            running.azure.report_alert(report)
            await running.tell(told(report))
            before, writes = running.records(), running.writes()
            await running.tell(told(report, "alert-event-2"))
            assert running.records() == before
            assert running.writes() == writes

    async def test_type_severity_and_target_come_from_what_is_read_back(self) -> None:
        bad, other = account(), account("other")
        report = alert(bad, severity="Low")
        forged = alert(other, kind="AI.Azure_MaliciousUrl.ModelResponse", severity="High")
        async with airlock([bad, other], settings={"AIRLOCK_MODE": "audit"}) as running:
            running.azure.report_alert(report)
            await running.tell(told(forged))
            assert {row["Severity"] for row in running.records(bad) if acts([row])} == {"low"}
            assert not running.records(other)

    async def test_an_allow_list_does_not_keep_the_door_open_for_an_attacker(self) -> None:
        listed = {"defaultAction": "Deny", "ipRules": [{"value": "203.0.113.0/24"}], "virtualNetworkRules": []}
        fine = account(networkAcls=listed, disableLocalAuth=True)
        report = alert(fine, addresses=("203.0.113.9",))
        async with airlock([fine]) as running:
            await running.change(fine)
            assert running.outcomes(fine) == {"Compliant": 1}
            running.azure.report_alert(report)
            await running.tell(told(report))
            assert running.live(fine)["publicNetworkAccess"] == "Disabled"

    async def test_without_another_way_in_only_the_offending_range_goes(self) -> None:
        listed = {
            "defaultAction": "Deny",
            "ipRules": [{"value": "203.0.113.0/24"}, {"value": "198.51.100.0/24"}],
            "virtualNetworkRules": [],
        }
        fine = account(link=False, networkAcls=listed, disableLocalAuth=True)
        report = alert(fine, addresses=("203.0.113.9",))
        async with airlock([fine]) as running:
            running.azure.report_alert(report)
            await running.tell(told(report))
            assert running.live(fine)["publicNetworkAccess"] == "Enabled"
            assert running.live(fine)["networkAcls"]["ipRules"] == [{"value": "198.51.100.0/24"}]
            assert running.by_rule(fine)["AIR-001/cognitive-accounts"] == "Refused"

    async def test_what_the_row_leaves_to_a_person_waits_for_one(self) -> None:
        listed = {"defaultAction": "Deny", "ipRules": [{"value": "203.0.113.0/24"}], "virtualNetworkRules": []}
        fine = account(networkAcls=listed, disableLocalAuth=True)
        report = alert(fine, kind=USER_AGENT, severity="Medium")
        async with airlock([fine]) as running:
            running.azure.report_alert(report)
            await running.tell(told(report))
            assert running.by_rule(fine)["AIR-001/cognitive-accounts"] == "AwaitingApproval"
            assert running.live(fine)["publicNetworkAccess"] == "Enabled"

    async def test_content_filters_are_hardened_where_the_attack_got_through(self) -> None:
        bad = account(publicNetworkAccess="Disabled", disableLocalAuth=True)
        policy: Body = {
            "id": f"{bad['id']}/raiPolicies/lax",
            "name": "lax",
            "type": "Microsoft.CognitiveServices/accounts/raiPolicies",
            "properties": {
                "type": "UserManaged",
                "mode": "Default",
                "basePolicyName": "Microsoft.DefaultV2",
                "contentFilters": [
                    {"name": "Jailbreak", "source": "Prompt", "enabled": True, "blocking": False},
                ],
            },
        }
        report = alert(bad, kind="AI.Azure_Jailbreak.ContentFiltering.DetectedAttempt", severity="Medium")
        async with airlock([bad, policy]) as running:
            running.azure.report_alert(report)
            await running.tell(told(report))
            assert running.outcomes(policy)["Fixed"] == 1
            filters = running.live(policy)["contentFilters"]
            assert {(each["source"], each["blocking"]) for each in filters if each["name"] == "Jailbreak"} == {
                ("Prompt", True)
            }

    async def test_audit_mode_says_what_it_would_do_and_writes_nothing(self) -> None:
        bad = account()
        report = alert(bad)
        async with airlock([bad], mode="audit") as running:
            running.azure.report_alert(report)
            await running.tell(told(report))
            assert set(acts(running.records(bad)).values()) == {"Audited"}
            assert running.writes() == []

    @pytest.mark.parametrize("switch", ["AIRLOCK_TAG_INCIDENT", "AIRLOCK_TAG_INCIDENT_COGNITIVE_ACCOUNTS"])
    async def test_a_response_that_is_off_leaves_no_trace(self, switch: str) -> None:
        bad = account()
        report = alert(bad)
        async with airlock([bad], settings={switch: "off"}) as running:
            running.azure.report_alert(report)
            await running.tell(told(report))
            assert "AIR-102/cognitive-accounts" not in acts(running.records(bad))

    async def test_an_alert_about_the_subscription_has_its_ai_resources_looked_at(self) -> None:
        bad = account()
        subscription = str(bad["id"]).partition("/resourceGroups/")[0]
        report = alert(subscription, kind="ARM_AnomalousOperation.DefenseEvasion", severity="Medium")
        async with airlock([bad, storage(tags={})]) as running:
            running.azure.report_alert(report)
            await running.tell(told(report))
            assert running.live(bad)["publicNetworkAccess"] == "Disabled"


class TestNotActedUpon:
    """A named reason in the log, and nothing but the look that any change would have brought."""

    @pytest.mark.parametrize(
        "status,code",
        [("Dismissed", "ignored.alert-closed"), ("Resolved", "ignored.alert-closed")],
    )
    async def test_a_closed_alert(self, status: str, code: str) -> None:
        bad = account()
        report = alert(bad, status=status)
        async with airlock([bad]) as running:
            running.azure.report_alert(report)
            await running.tell(told(alert(bad)))
            assert running.outcomes(bad)["Ignored"] == 1
            assert [row["ReasonCode"] for row in running.records(bad) if row["Outcome"] == "Ignored"] == [code]
            assert acts(running.records(bad)) == {}
            assert running.live(bad)["publicNetworkAccess"] == "Disabled"

    async def test_an_attempt_that_was_blocked(self) -> None:
        bad = account()
        report = alert(bad, kind=BLOCKED)
        async with airlock([bad]) as running:
            running.azure.report_alert(report)
            await running.tell(told(report))
            assert running.outcomes(bad) == {"Ignored": 1}
            assert running.writes() == []

    @pytest.mark.parametrize(
        "report,code",
        [
            (alert(), "ignored.alert-without-resource"),
            (alert(f"{GROUP}/Microsoft.CognitiveServices/accounts/../../x"), "ignored.alert-without-resource"),
            (alert(f"{GROUP}/Microsoft.CognitiveServices/accounts/a%2fb"), "ignored.alert-without-resource"),
            (
                alert(f"{GROUP}/Microsoft.CognitiveServices/accounts/a?x=/subscriptions/y"),
                "ignored.alert-without-resource",
            ),
            (alert(f"{GROUP}/Microsoft.Compute/virtualMachines/vm"), "ignored.type"),
            (
                alert("/subscriptions/other/resourceGroups/g/providers/Microsoft.Search/searchServices/s"),
                "ignored.alert-elsewhere",
            ),
            (
                alert(*(f"{GROUP}/Microsoft.Search/searchServices/s{number}" for number in range(20))),
                "ignored.too-many-resources",
            ),
        ],
    )
    async def test_an_alert_about_nothing_that_airlock_may_touch(self, report: Body, code: str) -> None:
        async with airlock([account()]) as running:
            running.azure.report_alert(report)
            await running.tell(told(report))
            told_codes = [row["ReasonCode"] for row in running.records() if row["Outcome"] == "Ignored"]
            assert told_codes == [code]
            assert running.writes() == []

    async def test_a_storage_account_that_has_nothing_to_do_with_ai(self) -> None:
        bad = storage(tags={})
        report = alert(bad, kind="Storage.Blob_OpenACL", severity="Medium")
        async with airlock([bad]) as running:
            running.azure.report_alert(report)
            await running.tell(told(report))
            assert [row["ReasonCode"] for row in running.records(bad)] == ["ignored.scope"]
            assert running.writes() == []

    async def test_an_alert_of_another_tenant(self) -> None:
        elsewhere = LOCATION.replace("11111111", "33333333")
        report = alert(account(), location=elsewhere)
        async with airlock([account(publicNetworkAccess="Disabled", disableLocalAuth=True)]) as running:
            await running.tell(told(report))
            codes = {str(row["ReasonCode"]) for row in running.records()}
            assert "ignored.alert-unreadable" in codes
            assert running.writes() == []

    async def test_an_alert_with_ten_thousand_entities(self) -> None:
        bad = account()
        many = tuple(f"198.18.{number // 250}.{number % 250}" for number in range(10_000))
        report = alert(bad, addresses=many)
        async with airlock([bad]) as running:
            running.azure.report_alert(report)
            await running.tell(told(report))
            assert running.live(bad)["publicNetworkAccess"] == "Disabled"
            row = next(row for row in running.records(bad) if row["ReasonCode"] == "incident.confirmed")
            assert 0 < len(row["Evidence"]["alert"]["addresses"]) <= 64


class TestNotThereYet:
    async def test_an_alert_that_arm_does_not_show_yet_is_asked_for_again(self) -> None:
        bad = account()
        report = alert(bad)
        async with airlock([bad]) as running:
            await running.azure.publish_alert(told(report))
            await running.azure.alerts_grid.drain()
            await running.azure.host.wait_idle(30)
            assert not running.records(bad)
            assert running.writes() == []
            running.azure.report_alert(report)
            await running.advance()
            assert acts(running.records(bad))["AIR-102/cognitive-accounts"] == "Fixed"

    async def test_one_that_stays_unknown_ends_ignored(self) -> None:
        bad = account()
        report = alert(bad, kind=TOR)
        heard = (datetime.now(UTC) - timedelta(hours=1)).isoformat()
        waiting = {"airlock": {"attempt": 60, "received": heard, "ticket": ""}, "event": told(report)}
        async with airlock([bad]) as running:
            await running.queue(json.dumps(waiting))
            await running.finish()
            codes = [row["ReasonCode"] for row in running.records(bad)]
            assert "ignored.alert-not-found" in codes
            assert acts(running.records(bad)) == {}
            assert running.live(bad)["publicNetworkAccess"] == "Disabled"
