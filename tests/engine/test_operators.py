"""What operators order: approve, undo, hold, release; and who may not."""

import copy
import json
import time
from datetime import UTC, datetime

from local.azure import PERSON
from local.contoso import write_event
from local.entra import operator_token
from local.faults import Fault
from shared.domain.stores import BURIED
from tests.engine.alerts import alert, told
from tests.engine.operators import last, order, post
from tests.engine.running import Body, Running, account, airlock, assert_chained, storage

WALLET = "AI.Azure_DOWVolumeAnomaly"
NOBODY = "f" * 32


class TestUndo:
    """Promise 9."""

    async def test_what_a_fix_replaced_is_put_back_and_left_alone(self) -> None:
        """Undo after fix restores what the record says, and no event has it fixed again while the hold lasts."""
        rules = [{"value": "198.51.100.7"}, {"value": "203.0.113.0/24"}]
        lists = {"defaultAction": "Allow", "ipRules": rules, "virtualNetworkRules": [], "bypass": "AzureServices"}
        # An absent value becomes the explicit default of the service.
        open_, absent = account("open", networkAcls=lists, disableLocalAuth=False), storage("stabsent")
        del absent["properties"]["minimumTlsVersion"]
        changed = storage("stchanged")
        before = copy.deepcopy(open_["properties"])
        async with airlock([open_, absent, changed], settings={"AIRLOCK_ALLOW_LISTS": "false"}) as running:
            await running.change(open_, absent, changed)
            assert running.live(open_)["publicNetworkAccess"] == "Disabled"
            for record in [row for row in running.records(open_) if row["Outcome"] == "Fixed"]:
                status, _ = await order(running, "undo", record, hold="30d")
                assert status == 202
            live = running.live(open_)
            assert {name: live[name] for name in ("publicNetworkAccess", "networkAcls", "disableLocalAuth")} == {
                name: before[name] for name in ("publicNetworkAccess", "networkAcls", "disableLocalAuth")
            }
            writes = running.writes(open_)
            await running.change(open_)
            assert running.writes(open_) == writes, "a held rule is not fixed"
            assert {row["Outcome"] for row in running.records(open_)[-3:]} == {"Held"}
            undone = last(running, open_, "Undone")
            assert (undone["SignalKind"], undone["Actor"]) == ("OperatorRequest", PERSON.object_id)

            await order(running, "undo", last(running, absent, "Fixed"))
            assert running.live(absent)["minimumTlsVersion"] == "TLS1_0"
            await self.assert_later_changes_are_not_undone(running, changed)
            await self.assert_a_release_lets_the_fix_through_again(running, absent)
            assert_chained(running.azure.logs.rows)

    async def assert_later_changes_are_not_undone(self, running: Running, changed: Body) -> None:
        record = last(running, changed, "Fixed")
        later = storage("stchanged", minimumTlsVersion="TLS1_3", supportsHttpsTrafficOnly=True)
        running.azure.arm.estate.settle(later)
        writes = running.writes(changed)
        await order(running, "undo", record)
        assert running.writes(changed) == writes
        assert last(running, changed, "Refused")["ReasonCode"] == "undo.changed-since"

    async def assert_a_release_lets_the_fix_through_again(self, running: Running, absent: Body) -> None:
        await running.change(absent)
        assert running.live(absent)["minimumTlsVersion"] == "TLS1_0"
        await order(running, "release", last(running, absent, "Held"))
        assert running.live(absent)["minimumTlsVersion"] == "TLS1_2"

    async def test_an_undo_that_azure_refuses_leaves_no_hold(self) -> None:
        """What was not taken back is not left alone either."""
        bad = storage("strefused")
        denied = Fault(
            service="arm",
            method="PATCH",
            path_contains="strefused",
            skip=1,
            status=403,
            code="RequestDisallowedByPolicy",
        )
        async with airlock([bad], denied) as running:
            await running.change(bad)
            await order(running, "undo", last(running, bad, "Fixed"))
            assert last(running, bad, "Refused")["ReasonCode"] == "arm.request-disallowed-by-policy"
            assert running.live(bad)["minimumTlsVersion"] == "TLS1_2"
            running.azure.arm.estate.settle(storage("strefused"))
            await running.change(bad)
            assert running.live(bad)["minimumTlsVersion"] == "TLS1_2"
            assert running.outcomes(bad)["Held"] == 1, "the order itself, and no finding"


class TestLostAnswers:
    """An order that was carried out is called so, though our own storage did not say that it did its part."""

    async def test_an_undo_is_ordered_once(self) -> None:
        bad = storage("stonce")
        lost = Fault(service="queues", method="POST", after_effect=True)
        async with airlock([bad], lost) as running:
            await running.change(bad)
            status, _ = await order(running, "undo", last(running, bad, "Fixed"))
            assert status == 202
            assert running.faults.done["status"] == 1
            assert running.outcomes(bad)["Undone"] == 1

    async def test_a_replay_finds_what_it_took_out_itself(self) -> None:
        bad, record = storage("stagain"), {"RecordId": "a" * 32}
        async with airlock([bad], Fault(service="blobs", method="DELETE", after_effect=True)) as running:
            event = json.dumps(write_event(bad, datetime.now(UTC)))
            running.azure.blobs.put(BURIED, f"{record['RecordId']}.json", event.encode())
            status, answer = await order(running, "replay", record)
            assert (status, answer.get("text")) == (202, "1 event is in the queue again")
            assert running.faults.done["status"] == 1
            assert running.live(bad)["minimumTlsVersion"] == "TLS1_2"


class TestApprove:
    """What waits for a person is done once they say so, exactly that, and once."""

    async def test_a_response_that_waits_is_let_through_once(self) -> None:
        # Keys cannot be turned off here, so new ones are worth something.
        body = account("wallet", customSubDomainName=None, publicNetworkAccess="Disabled")
        other = account("regional")
        async with airlock([body, other]) as running:
            report = alert(body, name="1_wallet", kind=WALLET)
            running.azure.report_alert(report)
            await running.tell(told(report, "wallet-1"))
            waiting = last(running, body, "AwaitingApproval", "AIR-101")
            assert not running.azure.arm.regenerations
            status, answer = await order(running, "approve", waiting)
            assert status == 202
            assert {slot for _, slot in running.azure.arm.regenerations} == {"key1", "key2"}
            fixed = [row for row in running.records(body) if row.get("Ref") == "AIR-101" and row["Outcome"] == "Fixed"]
            assert [row["Evidence"]["approvedBy"] for row in fixed] == [PERSON.object_id] * 2
            assert {row["Evidence"]["approvalOf"] for row in fixed} == {waiting["RecordId"]}
            approved = last(running, body, "Approved")
            assert answer["records"] == [approved["RecordId"]]
            # The word is spent: another alert waits for another one.
            second = alert(body, name="2_wallet", kind=WALLET)
            running.azure.report_alert(second)
            await running.tell(told(second, "wallet-2"))
            assert set(running.azure.arm.regenerations.values()) == {1}
            # Only what waits can be approved, and only what was fixed can be undone.
            await running.change(other)
            status, answer = await order(running, "approve", last(running, other, "Fixed"))
            assert (status, answer["error"]["code"]) == (409, "operator.wrong-record")
            status, answer = await order(running, "undo", fixed[0])
            assert (status, answer["error"]["code"]) == (409, "operator.wrong-record")
            assert_chained(running.azure.logs.rows)


class TestWhoMayNot:
    """A caller without the role, with a forged header, or on somebody else's record gets 403 and a record."""

    async def test_nobody_else_orders_anything(self) -> None:
        bad = storage()
        async with airlock([bad]) as running:
            await running.change(bad)
            record = last(running, bad, "Fixed")
            writes = running.writes()
            undo: Body = {"act": "undo", "record": record["RecordId"]}
            stranger = running.azure.operator_token(roles=())
            tenant = running.azure.environment["AIRLOCK_OPERATOR_AUDIENCE"]
            other_audience = operator_token(PERSON, tenant + "x", ["Airlock.Operator"], time.time())
            forged = {
                "X-MS-CLIENT-PRINCIPAL": "eyJyb2xlcyI6WyJBaXJsb2NrLk9wZXJhdG9yIl19",
                "X-MS-CLIENT-PRINCIPAL-ID": "me",
            }
            answers = [
                await post(running, undo, f"Bearer {stranger}"),
                await post(running, undo, f"Bearer {other_audience}"),
                await post(running, undo, "Bearer e30.e30.e30"),
                await post(running, undo, headers=forged),
                await order(running, "undo", {"RecordId": NOBODY}),
                await order(running, "hold", {"RecordId": NOBODY}),
            ]
            assert [status for status, _ in answers] == [403] * 6
            assert running.writes() == writes
            codes = {str(row["ReasonCode"]) for row in running.records() if row.get("SignalKind") == "OperatorRequest"}
            assert codes == {
                "operator.not-allowed",
                "operator.bad-token",
                "operator.no-token",
                "operator.unknown-record",
            }
            named = [row for row in running.records() if row["ReasonCode"] == "operator.not-allowed"]
            assert [row["Actor"] for row in named] == [PERSON.object_id]
            # Somebody who asks again and again cannot fill the log.
            count = len(running.records())
            for _ in range(5):
                await post(running, undo, f"Bearer {stranger}")
            assert len(running.records()) == count
            told_ = json.dumps(running.records()) + "".join(line.message for line in running.logged)
            assert stranger not in told_
            # A message in the queue orders nothing, whatever it claims: orders stand in the ledger.
            claimed = {
                "kind": "OperatorRequest",
                "cause": "undo",
                "about": bad["id"],
                "act": "undo",
                "due": "2026-01-01",
            }
            await running.queue(json.dumps({"airlock": claimed | {"received": datetime.now(UTC).isoformat()}}))
            await running.finish()
            assert running.writes() == writes

    async def test_audit_mode_undoes_nothing(self) -> None:
        bad = storage()
        async with airlock([bad]) as running:
            await running.change(bad)
            record = last(running, bad, "Fixed")
            writes = running.writes()
            running.azure.host.change_setting("AIRLOCK_MODE", "audit")
            await running.azure.host.kill_worker()
            status, answer = await order(running, "undo", record)
            assert (status, answer["error"]["code"]) == (409, "operator.mode")
            assert "set it to enforce" in answer["error"]["message"]
            assert running.writes() == writes
