"""Promises 3, 4, 5, 7, 8 and 10, each through the real runtime and a simulated ARM."""

import json
from collections import Counter
from datetime import UTC, datetime

import pytest

from local.arm.service import ArmConfig
from local.contoso import GROUP, HUB, write_event
from local.event_grid import Delivery
from local.faults import Fault
from tests.engine.operators import last, order
from tests.engine.running import account, airlock, assert_chained, storage, until

COGNITIVE = ("AIR-001/cognitive-accounts", "AIR-002/cognitive-accounts", "AIR-003/cognitive-accounts")


class TestNeverTwice:
    """Promise 3, for fixes that are states."""

    async def test_an_event_that_comes_four_times_makes_one_write_and_its_own_event_none(self) -> None:
        bad, other = storage(), account()
        event = write_event(bad, datetime.now(UTC))
        async with airlock([bad, other]) as running:
            for _ in range(4):
                await running.azure.publish(event)
            await running.finish()
            assert len(running.writes(bad)) == 1
            assert [row["Rule"] for row in running.records(bad) if row["Outcome"] == "Fixed"] == ["AIR-004/storage"]
            await running.change(other)
            assert [
                event for event in running.own_events() if str(event["subject"]).lower() == str(other["id"]).lower()
            ]
            assert len(running.writes(other)) == 1, "all fixes of one look are one request"
            assert running.by_rule(other)[""] == "Compliant"
            assert {running.by_rule(other)[rule] for rule in COGNITIVE} == {"Fixed"}
            assert_chained(running.azure.logs.rows)

    async def test_two_workers_on_one_resource_make_one_write(self) -> None:
        bad = account()
        async with airlock([bad], workers=2, delivery=Delivery(duplicates=5, reordered=True)) as running:
            await running.change(*[bad] * 4)
            assert len(running.writes(bad)) == 1
            assert sum(row["Outcome"] == "Fixed" for row in running.records(bad)) == len(COGNITIVE)


class TestAuditWritesNothing:
    """Promise 4."""

    @pytest.mark.parametrize("mode", ["audit", "off"])
    async def test_from_no_entry_point(self, mode: str) -> None:
        estate = [account(), storage()]
        async with airlock(estate, mode=mode) as running:
            await running.change(*estate)
            await running.queue(*(json.dumps(write_event(resource, datetime.now(UTC))) for resource in estate))
            await running.finish()
            await running.azure.host.run_timer("settle")
            await running.finish()
            assert not running.writes()
            assert set(running.outcomes()) == ({"Audited"} if mode == "audit" else set())

    async def test_off_wins_over_every_switch(self) -> None:
        async with airlock([storage()], mode="off", settings={"AIRLOCK_ENFORCE_TLS": "enforce"}) as running:
            await running.change(storage())
            assert not running.writes()
            assert not running.azure.arm.requests

    @pytest.mark.parametrize(
        "wrong", [{"AIRLOCK_ENFORCE_TSL": "enforce"}, {"AIRLOCK_ENFORCE_TLS": "yes"}, {"AIRLOCK_MIN_IPV4_PREFIX": "33"}]
    )
    async def test_with_a_setting_that_nobody_understands_nothing_enforces(self, wrong: dict[str, str]) -> None:
        bad = storage()
        async with airlock([bad], settings=wrong) as running:
            await running.change(bad)
            await running.azure.host.run_timer("settle")
            assert not running.writes()
            assert running.outcomes(bad) == {"Audited": 1}
            told = [row for row in running.records() if row["Outcome"] == "SettingsChanged"]
            assert [name in str(told[0]["Reason"]) for name in wrong] == [True]

    async def test_a_switch_turns_one_remediation_on(self) -> None:
        estate = [account(), storage(allowSharedKeyAccess=True)]
        on = {"AIRLOCK_ENFORCE_TLS": "enforce", "AIRLOCK_DISABLE_LOCAL_AUTHENTICATION_STORAGE": "off"}
        async with airlock(estate, mode="audit", settings=on) as running:
            await running.change(*estate)
            assert running.by_rule(estate[1]) | {"": ""} == {"AIR-004/storage": "Fixed", "": ""}
            assert set(running.outcomes(estate[0])) == {"Audited"}


class TestNeverCutsTheWireBlindly:
    """Promise 7."""

    async def test_without_a_way_in_nothing_is_closed(self) -> None:
        alone, regional, own = (
            account("alone", link=False),
            account("regional", customSubDomainName=None),
            storage("stairlock"),
        )
        # An endpoint elsewhere counts if it can be seen.
        seen, unseen = account("seen"), account("unseen")
        endpoints = {name: f"{HUB}/Microsoft.Network/privateEndpoints/pe-{name}" for name in ("seen", "unseen")}
        for remote in (seen, unseen):
            (connection,) = remote["properties"]["privateEndpointConnections"]
            connection["properties"]["privateEndpoint"]["id"] = endpoints[remote["name"]]
        kind = "Microsoft.Network/privateEndpoints"
        hub = {"id": endpoints["seen"], "name": "pe-seen", "type": kind, "properties": {}}
        async with airlock([alone, regional, own, seen, unseen, hub]) as running:
            await running.change(alone, regional, own, seen, unseen)
            assert running.live(alone)["publicNetworkAccess"] == "Enabled"
            assert running.by_rule(alone)["AIR-001/cognitive-accounts"] == "Refused"
            assert running.live(alone)["disableLocalAuth"] is True
            # Keys stay on where tokens cannot work.
            assert running.by_rule(regional)["AIR-003/cognitive-accounts"] == "Refused"
            assert "disableLocalAuth" not in running.live(regional)
            # Our own storage is never touched.
            assert not running.writes(own)
            assert {row["ReasonCode"] for row in running.records(own)} == {"guard.not-our-own"}
            assert running.by_rule(seen)["AIR-001/cognitive-accounts"] == "Fixed"
            assert running.by_rule(unseen)["AIR-001/cognitive-accounts"] == "Refused"

    async def test_isolation_can_be_allowed(self) -> None:
        alone = account(link=False)
        async with airlock([alone], settings={"AIRLOCK_ALLOW_ISOLATION": "true"}) as running:
            await running.change(alone)
            assert running.live(alone)["publicNetworkAccess"] == "Disabled"

    async def test_a_resource_under_an_update_is_waited_for(self) -> None:
        busy = account(provisioningState="Accepted")
        async with airlock([busy], arm=ArmConfig(operation_seconds=0.05, settle_seconds=2.0)) as running:
            await running.change(busy)
            assert {running.by_rule(busy)[rule] for rule in COGNITIVE} == {"Fixed"}
            assert len(running.writes(busy)) == 1

    async def test_storage_counts_once_an_ai_resource_that_names_it_was_seen(self) -> None:
        bad = storage("stml", tags={}, allowSharedKeyAccess=True)
        workspace = {
            "id": f"{GROUP}/Microsoft.MachineLearningServices/workspaces/mlw",
            "name": "mlw",
            "type": "Microsoft.MachineLearningServices/workspaces",
            "location": "westeurope",
            "properties": {"publicNetworkAccess": "Disabled", "storageAccount": str(bad["id"]).upper()},
        }
        async with airlock([bad, workspace]) as running:
            await running.change(bad)
            assert running.outcomes(bad) == {"Ignored": 1}
            await running.change(workspace)
            assert running.by_rule(bad)["AIR-004/storage"] == "Fixed"
            assert running.by_rule(bad)["AIR-003/storage"] == "Refused"
            named = [row["Evidence"] for row in running.records(bad) if row.get("Rule") == "AIR-003/storage"]
            assert named[0] == {"attachedTo": [workspace["id"]]}


class TestVerifiesAfterWriting:
    """Promise 8."""

    async def test_reads_that_are_behind_for_a_moment_are_waited_for(self) -> None:
        bad = storage()
        async with airlock([bad], Fault(kind="stale", service="arm", times=2)) as running:
            await running.change(bad)
            assert running.by_rule(bad)["AIR-004/storage"] == "Fixed"

    async def test_a_fix_that_no_read_shows_is_not_called_fixed(self) -> None:
        bad = storage()
        async with airlock([bad], Fault(kind="stale", service="arm", times=None)) as running:
            await running.azure.publish(write_event(bad, datetime.now(UTC)))
            await until(lambda: running.outcomes(bad)["FixUnverified"] == 1)
            running.faults.clear()
            await running.advance()

    async def test_an_operation_that_ends_badly_is_a_failure(self) -> None:
        bad = account()
        async with airlock([bad], Fault(kind="fail_operation", service="arm", method="PATCH")) as running:
            await running.azure.publish(write_event(bad, datetime.now(UTC)))
            await until(lambda: running.outcomes(bad)["Failed"] == len(COGNITIVE))
            await running.advance()


class TestSecretsNeverLeave:
    """Promise 10."""

    async def test_planted_keys_are_in_no_record_and_no_log_line(self) -> None:
        key, sas = "f" * 16 + "0123456789abcdef", "sv=2024-11-04&sig=c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0"
        bad = account(link=False, apiProperties={"qnaAzureSearchEndpointKey": key})
        bad["tags"] = {"airlock-exempt-disable-public-network-access": f"2020-01-01 {key}", "sas": sas}
        refusal = Fault(service="arm", method="PATCH", status=400, code="Bad", message=f"key {key} and {sas}")
        async with airlock([bad], refusal, settings={"AIRLOCK_EXEMPTION_TAGS": "on"}) as running:
            await running.change(bad)
            await running.queue(json.dumps({"eventType": f"x {key}", "subject": sas}))
            await running.finish()
            assert running.outcomes()["Refused"]
            assert running.outcomes()["Unreadable"] == 1
            told = json.dumps(running.records()) + "".join(line.message for line in running.logged)
            for secret in (key, "c2VjcmV0c2VjcmV0"):
                assert secret not in told


class TestNeverFights:
    """Promise 5, as far as a fix must not chase its own failure."""

    async def test_a_fix_that_keeps_failing_is_tried_three_times_and_then_waits(self) -> None:
        bad = account()
        async with airlock([bad], Fault(kind="fail_operation", service="arm", method="PATCH", times=None)) as running:
            for _ in range(4):
                await running.azure.publish(write_event(bad, datetime.now(UTC)))
                await running.finish()
            assert len(running.writes(bad)) == 3
            assert running.outcomes(bad)["Failed"] == 3 * len(COGNITIVE)
            told = [str(row["Reason"]) for row in running.records(bad) if row["Outcome"] == "Contested"]
            assert all("fixed 3 times" in reason and "claimed by" in reason for reason in told)

    async def test_somebody_who_undoes_the_fix_again_and_again_is_named(self) -> None:
        bad = storage()
        async with airlock([bad]) as running:
            for _ in range(4):
                running.azure.arm.estate.settle(storage())
                await running.change(bad)
            assert running.outcomes(bad)["Fixed"] == 3
            contested = [row for row in running.records(bad) if row["Outcome"] == "Contested"]
            assert "dev@contoso.com" in str(contested[0]["Reason"])
            assert running.live(bad)["minimumTlsVersion"] == "TLS1_0"

    async def test_a_critical_fix_is_made_each_time_and_told_as_contested(self) -> None:
        """Stepping back would be an amnesty for whoever reverts often enough; other rules of the resource do wait."""
        bad = storage(allowBlobPublicAccess=True)
        async with airlock([bad]) as running:
            for _ in range(5):
                running.azure.arm.estate.settle(storage(allowBlobPublicAccess=True))
                await running.change(bad)
            assert running.live(bad)["allowBlobPublicAccess"] is False
            assert running.live(bad)["minimumTlsVersion"] == "TLS1_0"
            told = Counter((row["Rule"], row["Outcome"]) for row in running.records(bad) if row.get("Rule"))
            assert told["AIR-005/storage", "Fixed"] == 5
            assert told["AIR-004/storage", "Fixed"] == 3
            assert told["AIR-005/storage", "Contested"] == 2
            assert told["AIR-004/storage", "Contested"] >= 2, "the events of the critical fixes find it, too"
            await order(running, "release", last(running, bad, "Contested", "AIR-004"))
            assert running.live(bad)["minimumTlsVersion"] == "TLS1_2"


class TestBoundedBlastRadius:
    """Promise 6."""

    async def test_what_is_over_budget_waits_and_critical_rules_have_a_share_of_their_own(self) -> None:
        common = [storage(f"st{number}") for number in range(7)]
        critical = [storage(f"stc{number}", allowBlobPublicAccess=True) for number in range(3)]
        async with airlock([*common, *critical], settings={"AIRLOCK_MAX_FIXES_PER_HOUR": "5"}) as running:
            await running.change(*common)
            fixed = [body for body in common if running.live(body)["minimumTlsVersion"] == "TLS1_2"]
            assert len(fixed) == 4
            waiting = [row for row in running.records() if row["Outcome"] == "OverBudget"]
            assert len(waiting) == 3
            assert "wait until" in str(waiting[0]["Reason"])
            await running.change(*critical)
            open_ = [body for body in critical if running.live(body)["allowBlobPublicAccess"] is False]
            assert len(open_) == 1
            # What is not critical about the same resource does not come in with it.
            assert running.live(open_[0])["minimumTlsVersion"] == "TLS1_0"
            assert len([write for write in running.writes() if write.startswith("PATCH")]) == 5
            # Coming back early changes nothing: the hour is the same.
            await running.advance()
            assert len([write for write in running.writes() if write.startswith("PATCH")]) == 5
            assert_chained(running.azure.logs.rows)
