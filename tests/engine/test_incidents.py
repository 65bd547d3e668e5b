"""Incidents that meet crashes, other work and each other: nothing is lost, nothing is done twice."""

import asyncio

from local.faults import Fault
from tests.engine.alerts import LOCATION, TOR, alert, exposed, told
from tests.engine.running import Body, Running, account, airlock, assert_chained, until, until_settled
from tests.engine.test_exposed_keys import ALL, PRE_APPROVED, keys_told, rotations, search

PHISHING = "AI.Azure_MaliciousUrl.ModelResponse"
WALLET = "AI.Azure_DOWVolumeAnomaly"


def deployment(body: Body, name: str = "gpt", **properties: object) -> Body:
    """A deployment that can be paused."""
    return {
        "id": f"{body['id']}/deployments/{name}",
        "name": name,
        "type": "Microsoft.CognitiveServices/accounts/deployments",
        "sku": {"name": "GlobalStandard", "capacity": 50},
        "properties": {"provisioningState": "Succeeded", "deploymentState": "Running"} | properties,
    }


def shut(name: str = "oai", tags: dict[str, str] | None = None) -> Body:
    """An account that every rule is satisfied with."""
    body = account(name, publicNetworkAccess="Disabled", disableLocalAuth=True)
    body["tags"] = tags or {}
    return body


def states(running: Running, *deployments: Body) -> list[object]:
    return [running.live(each).get("deploymentState") for each in deployments]


class TestAnswers:
    """Incidents that nothing befalls, or only a bad answer, each about an account of its own in one run."""

    async def test_each_incident_is_answered_once_and_as_its_row_says(self) -> None:
        acted, undone, asked, crowded = (
            shut("acted", PRE_APPROVED),
            shut("undone", PRE_APPROVED),
            shut("asked"),
            shut("crowded", PRE_APPROVED),
        )
        one, two = deployment(acted, "one"), deployment(acted, "two")
        running_again, named, other = deployment(undone), deployment(asked), deployment(asked, "other")
        many = [deployment(crowded, f"d{number}") for number in range(30)]
        filtered = shut("filtered")
        policy = self.lax_policy(filtered)
        twofold = account("twofold", customSubDomainName=None)
        twofold["tags"] = PRE_APPROVED
        bad, bystander = account("bad"), account("bystander")
        estate = [acted, one, two, undone, running_again, asked, named, other, crowded, *many]
        busy = Fault(service="arm", method="POST", path_contains="acted/deployments/two/pause", times=3, status=503)
        async with airlock(
            [*estate, filtered, policy, twofold, bad, bystander], busy, settings={"AIRLOCK_LEASE_SECONDS": "60"}
        ) as running:
            await self.assert_an_act_that_was_done_has_its_record_whatever_befalls_the_next(running, acted, one, two)
            await self.assert_what_a_person_undid_is_not_done_again(running, undone, running_again)
            await self.assert_a_row_that_leaves_acts_to_a_person_names_them(running, asked, named)
            await self.assert_many_deployments_are_answered_once(running, crowded, len(many))
            await self.assert_filters_that_wait_for_a_person_are_named(running, filtered, policy)
            await self.assert_one_alert_is_one_cause_under_its_subscription_and_its_group(running, twofold)
            await self.assert_a_resource_that_only_took_part_is_left_alone(running, bad, bystander)
            assert_chained(running.azure.logs.rows)

    def lax_policy(self, body: Body) -> Body:
        return {
            "id": f"{body['id']}/raiPolicies/lax",
            "name": "lax",
            "type": "Microsoft.CognitiveServices/accounts/raiPolicies",
            "properties": {"type": "UserManaged", "mode": "Default", "contentFilters": []},
        }

    async def assert_an_act_that_was_done_has_its_record_whatever_befalls_the_next(
        self, running: Running, body: Body, one: Body, two: Body
    ) -> None:
        report = alert(body, name="1_acted", kind=PHISHING)
        running.azure.report_alert(report)
        await running.tell(told(report, "acted"))
        assert states(running, one, two) == ["Paused", "Paused"]
        paused = [row["Changes"][0]["path"] for row in running.records(body) if row.get("Ref") == "AIR-104"]
        assert sorted(paused) == ["deployments.one.deploymentState", "deployments.two.deploymentState"]

    async def assert_what_a_person_undid_is_not_done_again(self, running: Running, body: Body, one: Body) -> None:
        """For the same alert."""
        report = alert(body, name="1_undone", kind=PHISHING)
        running.azure.report_alert(report)
        await running.tell(told(report, "undone"))
        assert states(running, one) == ["Paused"]
        running.azure.arm.estate.settle(one)
        running.azure.arm.estate.settle(body)
        before = running.records()
        await running.tell(told(report, "again-1"), told(report, "again-2"))
        assert states(running, one) == ["Running"]
        assert "airlock-incident" not in running.tags(body)
        assert running.records() == before

    async def assert_a_row_that_leaves_acts_to_a_person_names_them(
        self, running: Running, body: Body, one: Body
    ) -> None:
        report = alert(one, name="1_asked", kind=WALLET, severity="Medium")
        running.azure.report_alert(report)
        await running.tell(told(report, "asked"))
        waiting = {
            str(row["Ref"]): row["Changes"] for row in running.records(body) if row["Outcome"] == "AwaitingApproval"
        }
        assert waiting["AIR-103"] == [{"path": "deployments.gpt.sku.capacity", "actual": 50, "desired": 1}]
        assert [change["path"] for change in waiting["AIR-104"]] == ["deployments.gpt.deploymentState"]

    async def assert_many_deployments_are_answered_once(self, running: Running, body: Body, number: int) -> None:
        report = alert(body, name="1_crowded", kind=PHISHING)
        running.azure.report_alert(report)
        await running.tell(told(report, "crowded"))
        before = running.records()
        assert len([row for row in running.records(body) if row.get("Ref") == "AIR-104"]) == number
        await running.tell(told(report, "crowded-again"))
        assert running.records() == before

    async def assert_filters_that_wait_for_a_person_are_named(self, running: Running, body: Body, policy: Body) -> None:
        report = alert(body, name="1_filtered", kind="AI.Azure_Agentic_InstructionLeakage", severity="Low")
        running.azure.report_alert(report)
        await running.tell(told(report, "filtered"), told(report, "filtered-again"))
        assert running.outcomes(policy) == {"AwaitingApproval": 1}
        assert running.live(policy)["contentFilters"] == []

    async def assert_one_alert_is_one_cause_under_its_subscription_and_its_group(
        self, running: Running, body: Body
    ) -> None:
        above = LOCATION.replace("/resourceGroups/rg-ai-prod", "")
        reports = [alert(body, name="1_twofold"), alert(body, name="1_twofold", location=above)]
        for report in reports:
            running.azure.report_alert(report)
        await running.tell(told(reports[0], "twofold"), told(reports[1], "twofold-again"))
        assert rotations(running, body) == (1, 1)
        assert {outcome for _, outcome in keys_told(running, body)} == {"Fixed"}

    async def assert_a_resource_that_only_took_part_is_left_alone(
        self, running: Running, bad: Body, bystander: Body
    ) -> None:
        entities = [{"type": "azure-resource", "resourceId": bystander["id"]}]
        report = alert(bad, name="1_bad", entities=entities)
        running.azure.report_alert(report)
        await running.tell(told(report, "bad"))
        assert running.live(bad)["publicNetworkAccess"] == "Disabled"
        assert running.live(bystander)["publicNetworkAccess"] == "Enabled"


async def test_a_fix_that_a_dead_worker_made_keeps_its_record_when_an_alert_comes_first() -> None:
    bad = account()
    slow = Fault(kind="hang", service="arm", method="GET", path_contains="accounts/oai", skip=1, seconds=30)
    report = alert(bad)
    async with airlock([bad], slow) as running:
        running.azure.report_alert(report)
        await running.change_soon(bad)
        await until(lambda: running.faults.done["hang"] == 1)
        await running.clear_queue()
        await running.azure.host.kill_worker()
        await running.tell(told(report))
        fixed = {str(row["Rule"]) for row in running.records(bad) if row["Outcome"] == "Fixed"}
        assert {"AIR-001/cognitive-accounts", "AIR-003/cognitive-accounts", "AIR-102/cognitive-accounts"} <= fixed
        await until_settled(running, lambda: True)


async def test_another_incident_waits_until_claimed_keys_are_regenerated() -> None:
    body = account()
    slow = Fault(kind="hang", service="arm", method="POST", path_contains="regenerateKey", seconds=600)
    report = alert(body)
    async with airlock([body], slow) as running:
        running.azure.report_alert(report)
        await running.azure.publish_alert(exposed(running.azure.key_of(body["id"], "key1"), body))
        await until(lambda: running.faults.done["hang"] == 1)
        await running.azure.host.kill_worker()
        await running.tell(told(report))
        assert rotations(running, body) == (1, 1)
        assert {("keys.Key2", "Fixed"), ("keys.Key1", "Fixed")} <= set(keys_told(running, body))
        assert running.live(body)["disableLocalAuth"] is True


async def test_an_account_that_cannot_be_asked_does_not_keep_a_search_from_the_others() -> None:
    stuck, wanted = account("aaa"), search("zzz")
    busy = Fault(
        service="arm", method="POST", path_contains="aaa/listKeys", times=None, status=409, code="RequestConflict"
    )
    async with airlock([stuck, wanted], busy, settings=ALL) as running:
        await running.azure.publish_alert(exposed(running.azure.key_of(wanted["id"], "primary")))
        await until(lambda: rotations(running, wanted) == (1, 1))
        await running.finish()
        assert {outcome for _, outcome in keys_told(running, wanted)} == {"Fixed"}


async def test_a_key_that_was_regenerated_has_its_record_although_the_mode_changed() -> None:
    body = account()
    slow = Fault(
        kind="hang", service="arm", method="POST", path_contains="regenerateKey", seconds=600, after_effect=True
    )
    async with airlock([body], slow) as running:
        await running.azure.publish_alert(exposed(running.azure.key_of(body["id"], "key1"), body))
        await until(lambda: running.faults.done["hang"] == 1)
        running.azure.host.change_setting("AIRLOCK_MODE", "audit")
        await running.clear_queue()
        await running.azure.host.kill_worker()
        await until_settled(running, lambda: ("keys.Key2", "Unconfirmed") in keys_told(running, body))
        assert rotations(running, body) == (0, 1)


async def test_a_vault_that_stays_away_hides_no_key_that_was_regenerated() -> None:
    body = account(customSubDomainName=None)
    down = Fault(service="vault", method="PUT", times=None, status=503)
    async with airlock([body], down, vault=True) as running:
        await running.azure.publish_alert(exposed(running.azure.key_of(body["id"], "key1"), body))
        await until(lambda: ("keys.Key2", "Fixed") in keys_told(running, body))
        assert rotations(running, body) == (0, 1)
        running.faults.clear()
        await running.advance()
        assert rotations(running, body) == (1, 1)
        assert keys_told(running, body) == [("keys.Key2", "Fixed"), ("keys.Key1", "Fixed")]


async def test_an_alert_about_what_no_rule_judges_tells_people_what_to_do() -> None:
    vault = str(account()["id"]).replace("Microsoft.CognitiveServices/accounts/oai", "Microsoft.KeyVault/vaults/kv")
    report = alert(vault, kind="KV_TORAccess", severity="Medium")
    async with airlock([account()], notify=True) as running:
        running.azure.report_alert(report)
        await running.tell(told(report), told(report, "again"))
        (row,) = [row for row in running.records() if row["Outcome"] == "Advised"]
        assert (row["ReasonCode"], row["Severity"]) == ("incident.not-judged", "medium")
        assert [event["type"] for event in running.azure.notifications.events] == ["Airlock.Remediation.Advised"]
        assert running.writes() == []


async def test_alerts_of_one_attack_on_one_account_at_once() -> None:
    body = account(customSubDomainName=None)
    body["tags"] = PRE_APPROVED
    reports = [alert(body, name=f"251829846798664{number}_x", kind=TOR) for number in range(8)]
    async with airlock([body], workers=2) as running:
        for report in reports:
            running.azure.report_alert(report)
        await asyncio.gather(
            *(running.azure.publish_alert(told(report, f"alert-{number}")) for number, report in enumerate(reports))
        )
        await running.finish()
        assert rotations(running, body) == (1, 1)
        assert_chained(running.azure.logs.rows)


async def test_an_act_that_is_seen_to_be_done_has_its_record_whatever_befalls_the_fix_that_follows() -> None:
    """The tag's own verifying read breaks off, and then that of the fix: the tag is told all the same."""
    body = account()
    report = alert(body, kind=TOR)
    place = "Microsoft.CognitiveServices/accounts/oai"
    # Three reads before the tag, its own; three before the fix, its own.
    broken = Fault(kind="reset", service="arm", method="GET", path_contains=place, skip=3)
    busy = Fault(service="arm", method="GET", path_contains=place, skip=6, status=503)
    async with airlock([body], broken, busy) as running:
        running.azure.report_alert(report)
        await running.tell(told(report))
        await until_settled(running, lambda: "AIR-102/cognitive-accounts" in running.by_rule(body))
        assert running.faults.done == {"reset": 1, "status": 1}
        assert running.tags(body)["airlock-incident"]
        assert running.by_rule(body)["AIR-102/cognitive-accounts"] == "Fixed"
        assert running.live(body)["publicNetworkAccess"] == "Disabled"
        assert_chained(running.azure.logs.rows)
