"""Promises 1 and 2: nothing is lost, and no fix is without its record, whoever dies or is down."""

import json
from datetime import UTC, datetime

from local.contoso import GROUP, Deed, write_event
from local.event_grid import Delivery
from local.faults import Fault
from tests.engine.running import Body, account, airlock, assert_chained, storage, until, until_settled

COGNITIVE = ("AIR-001/cognitive-accounts", "AIR-002/cognitive-accounts", "AIR-003/cognitive-accounts")


class TestNothingLost:
    """Promise 1."""

    async def test_what_cannot_be_read_is_recorded_and_what_follows_it_is_fixed(self) -> None:
        bad = storage()
        event = write_event(bad, datetime.now(UTC))
        strange = [
            "",
            "{",
            "[]",
            "null",
            "[1, 2]",
            json.dumps("x" * 20_000),
            json.dumps({"eventType": 7}),
            json.dumps(event | {"eventType": "Contoso.Invented"}),
            json.dumps(event | {"subject": None, "data": None}),
            json.dumps(event | {"subject": "/subscriptions/../x"}),
            json.dumps(event | {"id": None, "eventTime": 12, "data": {"claims": "{broken"}}),
        ]
        parent, gone, untied = account(), account("gone"), storage("stother", tags={})
        child = {"id": f"{parent['id']}/deployments/gpt", "name": "gpt", "type": f"{parent['type']}/deployments"}
        machine = {"id": f"{GROUP}/Microsoft.Compute/virtualMachines/vm", "name": "vm", "type": "x"}
        async with airlock([bad, parent, child, untied]) as running:
            await running.queue(*strange)
            await running.change(bad)
            # The last of them names its resource well enough.
            assert running.outcomes()["Unreadable"] == len(strange) - 1
            assert running.by_rule(bad)["AIR-004/storage"] == "Fixed"
            assert running.live(bad)["minimumTlsVersion"] == "TLS1_2"
            writes = running.writes()
            # What is no business of ours is ignored with a reason.
            await running.change(machine, untied)
            codes = {str(row["ReasonCode"]) for row in running.records() if row["Outcome"] == "Ignored"}
            assert codes == {"ignored.type", "ignored.scope"}
            assert running.writes() == writes
            # A resource that went before its event came is gone; a change of a child is a reason to look at its parent.
            await running.change(gone, child)
            assert running.outcomes(gone) == {"Gone": 1}
            assert running.outcomes()["Gone"] == 1
            assert running.live(parent)["publicNetworkAccess"] == "Disabled"
            assert_chained(running.azure.logs.rows)


class TestEventualConsistency:
    """ARM is consistent within a session only: a read soon after a change may still miss it."""

    async def test_drift_that_the_first_read_missed_is_found_by_a_second(self) -> None:
        sound = storage(minimumTlsVersion="TLS1_2", supportsHttpsTrafficOnly=True)
        behind = Fault(kind="stale", service="arm", times=1)
        async with airlock([sound], behind, settings={"AIRLOCK_GRACE_SECONDS": "4"}) as running:
            weaken: Body = {"properties": {"minimumTlsVersion": "TLS1_0"}}
            await running.azure.act(Deed("PATCH", sound["id"], "2024-01-01", weaken))
            await until(lambda: bool(running.outcomes(sound)["Compliant"]))
            await running.advance()
            assert running.outcomes(sound)["Compliant"]
            assert running.by_rule(sound)["AIR-004/storage"] == "Fixed"

    async def test_a_resource_that_is_not_there_yet_is_not_called_gone(self) -> None:
        late = storage()
        async with airlock([storage("stother")], settings={"AIRLOCK_GRACE_SECONDS": "2"}) as running:
            await running.azure.publish(write_event(late, datetime.now(UTC)))
            await running.azure.grid.drain()
            await running.azure.host.wait_idle(30)
            running.azure.arm.estate.settle(late)
            await running.finish()
            assert running.outcomes(late)["Gone"] == 0
            assert running.by_rule(late)["AIR-004/storage"] == "Fixed"

    async def test_a_burst_shares_its_second_look(self) -> None:
        sound = storage(minimumTlsVersion="TLS1_2", supportsHttpsTrafficOnly=True)
        async with airlock([sound], settings={"AIRLOCK_GRACE_SECONDS": "4"}) as running:
            await running.change(*[sound] * 6)
            assert len(running.azure.arm.requests) <= 6 + 2


class TestQuiet:
    """A resource is looked at once it has been quiet for a while."""

    async def test_a_burst_costs_one_look(self) -> None:
        bad = storage()
        async with airlock([bad], settings={"AIRLOCK_QUIET_SECONDS": "2"}) as running:
            await running.change(*[bad] * 5)
            reads = [request for request in running.azure.arm.requests if request.method == "GET"]
            assert running.by_rule(bad)["AIR-004/storage"] == "Fixed"
            assert len(running.writes(bad)) == 1
            # One look with its verification, and one for the event of our own write.
            assert len(reads) == 3


class TestNoFixWithoutARecord:
    """Promise 2."""

    async def test_a_worker_that_dies_after_the_write_leaves_a_fix_that_is_recorded_all_the_same(self) -> None:
        bad = storage()
        slow = Fault(kind="hang", service="arm", method="GET", path_contains="stdata", skip=1, seconds=30)
        async with airlock([bad], slow) as running:
            await running.azure.publish(write_event(bad, datetime.now(UTC)))
            await until(lambda: running.faults.done["hang"] == 1)
            await running.azure.host.kill_worker()
            await running.finish()
            fixed = [row for row in running.records(bad) if row["Outcome"] == "Fixed"]
            assert [row["Rule"] for row in fixed] == ["AIR-004/storage"]
            assert fixed[0]["Evidence"] == {"interrupted": True}
            assert len(running.writes(bad)) == 1
            assert_chained(running.azure.logs.rows)

    async def test_a_worker_that_dies_before_the_write_is_followed_by_one_that_makes_it(self) -> None:
        bad = storage()
        slow = Fault(kind="hang", service="arm", method="PATCH", seconds=30)
        async with airlock([bad], slow) as running:
            await running.azure.publish(write_event(bad, datetime.now(UTC)))
            await until(lambda: running.faults.done["hang"] == 1)
            await running.azure.host.kill_worker()
            await running.finish()
            assert running.by_rule(bad)["AIR-004/storage"] == "Fixed"
            assert running.live(bad)["minimumTlsVersion"] == "TLS1_2"

    async def test_settle_brings_back_a_fix_whose_message_is_lost_too(self) -> None:
        bad = storage()
        slow = Fault(kind="hang", service="arm", method="GET", path_contains="stdata", skip=1, seconds=30)
        # Not even the event of our own write may bring it back.
        async with airlock([bad], slow, delivery=Delivery(max_attempts=1)) as running:
            await running.azure.publish(write_event(bad, datetime.now(UTC)))
            await until(lambda: running.faults.done["hang"] == 1)
            await running.clear_queue()
            await running.azure.host.kill_worker()
            await running.azure.host.wait_idle(30)
            assert not running.records(bad)
            await until_settled(running, lambda: bool(running.records(bad)))
            assert running.by_rule(bad)["AIR-004/storage"] == "Fixed"

    async def test_an_ignored_event_in_another_worker_takes_no_intention_away(self) -> None:
        bad = account()
        denied = Fault(
            kind="refuse_property", service="arm", times=None, status=403, property="properties.disableLocalAuth"
        )
        slow = Fault(kind="hang", service="arm", method="GET", path_contains="accounts/oai", skip=1, seconds=2)
        async with airlock([bad], denied, slow, workers=2) as running:
            await running.azure.publish(write_event(bad, datetime.now(UTC)))
            await until(lambda: bool(running.writes(bad)))
            for number in range(4):
                failed = write_event(bad, datetime.now(UTC)) | {"id": f"failed-{number}"}
                await running.azure.publish(failed | {"eventType": "Microsoft.Resources.ResourceWriteFailure"})
            await running.finish()
            fixed = {row["Rule"] for row in running.records(bad) if row["Outcome"] == "Fixed"}
            assert fixed == {"AIR-001/cognitive-accounts"}
            assert_chained(running.azure.logs.rows)

    async def test_each_rule_that_was_written_alone_has_its_record_whatever_befalls_the_next(self) -> None:
        bad = account()
        denied = Fault(kind="refuse_property", service="arm", status=403, property="properties.disableLocalAuth")
        busy = Fault(service="arm", method="PATCH", skip=3, times=2, status=429)
        async with airlock([bad], denied, busy) as running:
            await running.change(bad)
            fixed = sorted(str(row["Rule"]) for row in running.records(bad) if row["Outcome"] == "Fixed")
            assert fixed == ["AIR-001/cognitive-accounts", "AIR-003/cognitive-accounts"]
            assert_chained(running.azure.logs.rows)

    async def test_a_second_fix_for_one_and_the_same_event_is_recorded_too(self) -> None:
        bad = storage()
        event = write_event(bad, datetime.now(UTC))
        async with airlock([bad], settings={"AIRLOCK_GRACE_SECONDS": "30"}) as running:
            for _ in range(2):
                running.azure.arm.estate.settle(storage())
                await running.azure.publish(event)
                await running.azure.grid.drain()
                await running.azure.host.wait_idle(30)
            assert len(running.writes(bad)) == 2
            assert running.outcomes(bad)["Fixed"] == 2

    async def test_a_write_whose_operation_may_not_be_seen_is_verified_all_the_same(self) -> None:
        bad = account()
        hidden = Fault(service="arm", method="GET", path_contains="operationStatuses", times=None, status=403)
        async with airlock([bad], hidden) as running:
            await running.change(bad)
            assert running.outcomes(bad)["Fixed"] == len(COGNITIVE)
            assert len(running.writes(bad)) == 1

    async def test_a_fix_that_was_begun_gets_its_record_after_everything_was_switched_off(self) -> None:
        bad = storage()
        slow = Fault(kind="hang", service="arm", method="GET", path_contains="stdata", skip=1, seconds=30)
        async with airlock([bad], slow) as running:
            await running.azure.publish(write_event(bad, datetime.now(UTC)))
            await until(lambda: running.faults.done["hang"] == 1)
            running.azure.host.change_setting("AIRLOCK_MODE", "off")
            await running.azure.host.kill_worker()
            await until_settled(running, lambda: bool(running.records(bad)))
            assert running.outcomes(bad) == {"Fixed": 1}
            assert len(running.writes(bad)) == 1

    async def test_what_a_dead_worker_wrote_is_told_although_a_part_of_it_was_reverted(self) -> None:
        bad = storage()
        slow = Fault(kind="hang", service="arm", method="PATCH", after_effect=True, seconds=30)
        async with airlock([bad], slow) as running:
            await running.azure.publish(write_event(bad, datetime.now(UTC)))
            await until(lambda: running.live(bad)["minimumTlsVersion"] == "TLS1_2")
            running.azure.arm.estate.settle(storage(supportsHttpsTrafficOnly=True))
            await running.azure.host.kill_worker()
            await until_settled(running, lambda: "Fixed" in running.outcomes(bad))
            written = [change["path"] for row in running.records(bad) for change in row.get("Changes") or []]
            assert written.count("properties.supportsHttpsTrafficOnly") == 1
            assert running.live(bad)["minimumTlsVersion"] == "TLS1_2"
            assert_chained(running.azure.logs.rows)

    async def test_a_log_that_is_down_stops_no_fix_and_gets_the_record_later_as_it_was(self) -> None:
        bad = storage()
        async with airlock([bad], Fault(service="logs", status=503, times=None)) as running:
            await running.change(bad)
            assert running.live(bad)["minimumTlsVersion"] == "TLS1_2"
            assert not running.azure.logs.rows
            running.faults.clear()
            await until_settled(running, lambda: "Fixed" in running.outcomes(bad))
            assert_chained(running.azure.logs.rows)
