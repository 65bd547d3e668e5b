"""What no event brings: the sweep, the burial of what nobody could deal with, the sign of life and the anchors."""

import copy
import json
from datetime import UTC, datetime, timedelta

from azure.data.tables import UpdateMode
from azure.data.tables.aio import TableClient

from local.contoso import GROUP, write_event
from local.credential import FixedToken
from local.event_grid import Delivery
from shared.azure.entities import entry_row, shard
from shared.domain.anchor import parse_anchor
from shared.domain.record import GENESIS
from shared.domain.stores import ANCHORS, BURIED, DEAD_LETTERS, LEDGER_TABLE
from tests.engine.operators import order
from tests.engine.running import Body, Running, account, airlock, assert_chained, storage

WORKSPACE = "Microsoft.MachineLearningServices/workspaces"


async def run(running: Running, timer: str) -> None:
    """Runs the timer, and waits until all that follows is done."""
    await running.azure.host.run_timer(timer)
    await running.finish()


def said(running: Running, outcome: str) -> list[Body]:
    return [row for row in running.records() if row["Outcome"] == outcome]


class TestSweep:
    """Drift of which no event tells."""

    async def test_what_drifted_without_an_event_is_found_and_fixed(self) -> None:
        bad, sound = account("bad"), account("sound", publicNetworkAccess="Disabled", disableLocalAuth=True)
        sound["properties"]["networkAcls"] = {"defaultAction": "Deny"}
        policy = {
            "id": f"{sound['id']}/raiPolicies/lax",
            "name": "lax",
            "type": "Microsoft.CognitiveServices/accounts/raiPolicies",
            "properties": {"type": "UserManaged", "mode": "Default", "contentFilters": [filter_()]},
        }
        used, foreign = storage("stused", tags={}), storage("stforeign", tags={})
        workspace = {
            "id": f"{GROUP}/{WORKSPACE}/mlw",
            "name": "mlw",
            "type": WORKSPACE,
            "location": "westeurope",
            "properties": {"publicNetworkAccess": "Disabled", "storageAccount": used["id"]},
        }
        estate = [bad, sound, policy, used, foreign, workspace]
        async with airlock(estate) as running:
            await run(running, "sweep")
            assert running.live(bad)["publicNetworkAccess"] == "Disabled"
            assert running.live(used)["minimumTlsVersion"] == "TLS1_2", "an AI resource names it"
            assert running.live(foreign)["minimumTlsVersion"] == "TLS1_0", "nobody of ours does"
            assert running.by_rule(policy)["AIR-006/rai-policies"] == "Fixed"
            assert not running.records(sound)
            (told,) = said(running, "SweepCompleted")
            assert told["Evidence"]["drifted"] == {
                "Microsoft.CognitiveServices/accounts": 1,
                "Microsoft.CognitiveServices/accounts/raiPolicies": 1,
                "Microsoft.Storage/storageAccounts": 1,
            }
            assert {row["SignalKind"] for row in running.records(bad)} == {"SweepHit", "ResourceChange"}
            # A second one finds nothing and writes nothing, but that it ran.
            count, writes = len(running.records()), running.writes()
            await run(running, "sweep")
            assert [row["Outcome"] for row in running.records()[count:]] == ["SweepCompleted"]
            assert [write for write in running.writes() if "ResourceGraph" not in write] == [
                write for write in writes if "ResourceGraph" not in write
            ]
            assert_chained(running.azure.logs.rows)

    async def test_every_event_may_be_lost_and_nothing_drifts_for_long(self) -> None:
        estate = [storage(f"st{number}") for number in range(12)]
        async with airlock(estate, delivery=Delivery(lost=1.0)) as running:
            await running.change(*estate)
            assert len(running.azure.grid.lost) >= len(estate)
            assert not running.records()
            await run(running, "sweep")
            assert {running.live(each)["minimumTlsVersion"] for each in estate} == {"TLS1_2"}

    async def test_what_only_audits_is_told_once_a_day(self) -> None:
        async with airlock([storage()], mode="audit") as running:
            await run(running, "sweep")
            await run(running, "sweep")
            assert running.outcomes(storage()) == {"Audited": 1}
            assert {write.split()[1] for write in running.writes()} == {"/providers/Microsoft.ResourceGraph/resources"}


def filter_() -> Body:
    return {"name": "Jailbreak", "blocking": False, "enabled": True, "source": "Prompt"}


class TestBurial:
    """What nobody could deal with has a record, and is kept for whoever wants it again."""

    async def test_dead_letters_are_recorded_kept_and_can_be_replayed(self) -> None:
        bad, large = storage("stdead"), storage("stlarge")
        letters = [
            dead(write_event(bad, datetime.now(UTC)), "MaxDeliveryAttemptsExceeded", "Unauthorized"),
            # In the private deployment an event may be too large for the queue.
            dead(write_event(large, datetime.now(UTC)) | {"data": "y" * 70_000}, "NotRetried", "PayloadTooLarge"),
        ]
        async with airlock([bad, large]) as running:
            for number, letter in enumerate(letters):
                name = f"TOPIC/AIRLOCK/2026/11/24/9/{number}.json"
                running.azure.blobs.put(DEAD_LETTERS, name, json.dumps([letter]).encode())
            running.azure.blobs.put(DEAD_LETTERS, "TOPIC/AIRLOCK/2026/11/24/9/x.json", b"{broken")
            await run(running, "bury")
            assert not running.azure.blobs.names(DEAD_LETTERS)
            told = said(running, "DeadLettered")
            assert len(told) == len(running.azure.blobs.names(BURIED)) == 3
            (record,) = [row for row in told if row["Evidence"].get("resource") == bad["id"]]
            assert "Unauthorized" in str(record["Reason"])
            assert running.live(large)["minimumTlsVersion"] == "TLS1_2", "cut down, it is dealt with at once"
            assert running.live(bad)["minimumTlsVersion"] == "TLS1_0"
            status, _ = await order(running, "replay", record)
            assert status == 202
            assert running.live(bad)["minimumTlsVersion"] == "TLS1_2"
            await self.assert_events_and_stores_can_be_replayed(running, bad)
            assert_chained(running.azure.logs.rows)

    async def assert_events_and_stores_can_be_replayed(self, running: Running, bad: Body) -> None:
        running.azure.arm.estate.settle(storage(str(bad["name"])))
        letter = dead(write_event(bad, datetime.now(UTC)), "TimeToLiveExceeded", "Busy")
        assert (await order(running, "replay", events=[letter]))[0] == 202
        assert running.live(bad)["minimumTlsVersion"] == "TLS1_2"
        status, answer = await order(running, "replay", store="buried")
        assert (status, answer.get("text", answer)) == (202, "2 events are in the queue again")

    async def test_a_message_that_crashes_the_function_is_buried_with_its_error(self) -> None:
        """The ledger's entry of one resource is no entry at all: that is a mistake of ours, not an outage."""
        bad, sound = storage("stbroken"), storage("stsound")
        at_once = {"AzureFunctionsJobHost__extensions__queues__visibilityTimeout": "00:00:00"}
        async with airlock([bad, sound], settings=at_once) as running:
            await running.change(bad)
            await spoil_entry(running, bad)
            await running.change_soon(bad)
            await running.change(sound)
            await running.azure.host.wait_idle(30, hidden=True)
            assert not said(running, "DeadLettered")
            await run(running, "bury")
            (record,) = said(running, "DeadLettered")
            assert record["ReasonCode"] == "poison"
            assert "the last time with error" in str(record["Reason"]).lower()
            assert running.by_rule(sound)["AIR-004/storage"] == "Fixed"
            (name,) = running.azure.blobs.names(BURIED)
            assert json.loads(running.azure.blobs.read(BURIED, name) or b"")["subject"] == bad["id"]


def dead(event: Body, reason: str, outcome: str) -> Body:
    """The event as Event Grid lays it down."""
    told = {"deadLetterReason": reason, "deliveryAttempts": 30, "lastDeliveryOutcome": outcome}
    return copy.deepcopy(event) | told | {"publishTime": "2026-11-24T08:00:00Z"}


async def spoil_entry(running: Running, body: Body) -> None:
    """Makes the resource's entry in the ledger unreadable."""
    key = str(body["id"]).lower()
    address, trusted = running.azure.environment["AzureWebJobsStorage__tableServiceUri"], running.azure.certificate
    async with TableClient(
        address, LEDGER_TABLE, credential=FixedToken(), connection_verify=str(trusted.ca_file)
    ) as table:
        row = {"PartitionKey": shard(key), "RowKey": entry_row(key), "Data0": b"nothing of ours"}
        await table.upsert_entity(row, mode=UpdateMode.REPLACE)


class TestHour:
    """The sign of life, and what cannot be changed any more."""

    async def test_heads_are_anchored_in_blobs_that_name_each_other(self) -> None:
        bad, later = storage("stfirst"), storage("stlater")
        async with airlock([bad, later]) as running:
            running.azure.blobs.set_immutable(ANCHORS)
            await running.change(bad)
            await run(running, "hourly")
            await run(running, "hourly")
            await running.change(later)
            await run(running, "hourly")
            assert len(said(running, "Heartbeat")) == 1, "one an hour"
            names = running.azure.blobs.names(ANCHORS)
            anchors = [parse_anchor(running.azure.blobs.read(ANCHORS, name) or b"") for name in names]
            assert [anchor.previous for anchor in anchors] == [GENESIS, *(each.digest for each in anchors[:-1])]
            known = {str(row["Digest"]) for row in running.azure.logs.rows}
            for anchor in anchors:
                assert known.issuperset(anchor.heads.values())
                assert anchor.time > datetime.now(UTC) - timedelta(minutes=5)
            heads = {chain: head for anchor in anchors for chain, head in anchor.heads.items()}
            for body in (bad, later):
                assert heads[str(body["id"]).lower()] == running.records(body)[-1]["Digest"]
            # Only what grew is anchored again.
            assert str(bad["id"]).lower() not in anchors[-1].heads
