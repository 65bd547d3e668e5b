"""What ARM may answer, and what becomes of the signal: told apart by error code first, status second."""

from collections.abc import Mapping

from local.arm.service import ArmConfig
from local.contoso import GROUP
from local.faults import Fault
from tests.engine.running import PATIENCE, Body, Running, account, airlock, assert_chained, storage


def lock(resource: Body, level: str) -> Body:
    """A management lock on the resource."""
    return {
        "id": f"{resource['id']}/providers/Microsoft.Authorization/locks/l",
        "name": "l",
        "type": "Microsoft.Authorization/locks",
        "properties": {"level": level},
    }


def write(name: str, status: int, code: str, headers: Mapping[str, str] | None = None, times: int | None = 1) -> Fault:
    """A fault that meets writes of that account alone."""
    return Fault(
        service="arm",
        method="PATCH",
        path_contains=f"/{name}",
        times=times,
        status=status,
        code=code,
        headers=headers or {},
    )


class TestRefused:
    async def test_what_is_refused_for_good_is_recorded_once_and_the_message_is_done(self) -> None:
        cases = {
            "stunauthorized": (403, "AuthorizationFailed", "arm.authorization-failed"),
            "stpolicy": (403, "RequestDisallowedByPolicy", "arm.request-disallowed-by-policy"),
            "stinvalid": (400, "InvalidParameter", "arm.invalid-parameter"),
            "stmissing": (404, "ResourceNotFound", "arm.resource-not-found"),
            "stdisabled": (409, "ReadOnlyDisabledSubscription", "arm.read-only-disabled-subscription"),
        }
        bodies = {name: storage(name) for name in cases}
        refusing = [write(name, status, code, times=None) for name, (status, code, _) in cases.items()]
        locked, kept, unread, partly = storage("stlocked"), storage("stkept"), storage("stunread"), account("partly")
        locks = [lock(locked, "ReadOnly"), lock(kept, "CanNotDelete")]
        hidden = Fault(
            service="arm", method="GET", path_contains="/stunread", times=None, status=403, code="AuthorizationFailed"
        )
        denied = Fault(
            kind="refuse_property",
            service="arm",
            path_contains="/partly",
            times=None,
            status=403,
            code="RequestDisallowedByPolicy",
            property="properties.disableLocalAuth",
        )
        estate = [*bodies.values(), locked, kept, unread, partly, *locks]
        async with airlock(estate, *refusing, hidden, denied) as running:
            await running.change(*bodies.values(), locked, kept, unread, partly)
            for name, (_, _, reason) in cases.items():
                assert running.outcomes(bodies[name]) == {"Refused": 1}, name
                assert running.records(bodies[name])[0]["ReasonCode"] == reason, name
                assert len(running.writes(bodies[name])) == 1, name
            # A read-only lock refuses although it answers 409; one against deletion does not hold up a fix.
            codes = [row["ReasonCode"] for row in running.records(locked)]
            assert codes == ["arm.scope-locked", "ignored.failed-operation"]
            assert running.by_rule(kept)["AIR-004/storage"] == "Fixed"
            # A read that is refused says so.
            assert running.by_rule(unread) == {"": "Refused"}
            self.assert_one_refused_property_does_not_keep_the_others_from_being_fixed(running, partly)
            assert_chained(running.azure.logs.rows)

    def assert_one_refused_property_does_not_keep_the_others_from_being_fixed(
        self, running: Running, bad: Body
    ) -> None:
        # With the public network closed, the network rules need no fix of their own any more.
        assert running.by_rule(bad) | {"": ""} == {
            "AIR-001/cognitive-accounts": "Fixed",
            "AIR-003/cognitive-accounts": "Refused",
            "": "",
        }
        assert running.live(bad)["publicNetworkAccess"] == "Disabled"
        assert "disableLocalAuth" not in running.live(bad)


class TestTriedAgain:
    async def test_what_can_succeed_later_ends_fixed(self) -> None:
        again = {
            "stthrottled": write("stthrottled", 429, "TooManyRequests", {"Retry-After": "1"}),
            "stmany": write("stmany", 429, "TooManyRequests"),
            "stunavailable": write("stunavailable", 503, "ServiceUnavailable"),
            "stinternal": write("stinternal", 500, "InternalServerError"),
            "sttimeout": write("sttimeout", 408, "RequestTimeout"),
            "stconflict": write("stconflict", 409, "RequestConflict"),
            "stprecondition": write("stprecondition", 412, "PreconditionFailed"),
            "stprovisioning": write("stprovisioning", 400, "AccountProvisioningStateInvalid"),
            "streset": Fault(kind="reset", service="arm", path_contains="/streset", times=2),
            "sttruncated": Fault(kind="truncate", service="arm", path_contains="/sttruncated", times=2),
            "stlost": Fault(kind="reset", service="arm", method="PATCH", path_contains="/stlost", after_effect=True),
        }
        # A wait longer than a worker has patience goes back to the queue.
        patient = Fault(
            service="arm", method="GET", path_contains="/stpatient", status=503, headers={"Retry-After": "11"}
        )
        bodies = {name: storage(name) for name in (*again, "stpatient")}
        async with airlock([*bodies.values()], *again.values(), patient) as running:
            for body in bodies.values():
                await running.change_soon(body)
            await running.azure.grid.drain()
            await running.azure.host.wait_idle(PATIENCE)
            await running.advance()
            for name, body in bodies.items():
                assert running.outcomes(body)["Fixed"] == 1, name
                assert running.outcomes(body)["Refused"] == 0, name
            assert len(running.writes(bodies["stlost"])) == 1, "a write whose answer was lost is not made twice"
            fixed = [row for row in running.records(bodies["stpatient"]) if row["Outcome"] == "Fixed"]
            assert [row["Attempt"] for row in fixed] == [2]
            assert_chained(running.azure.logs.rows)

    async def test_an_operation_that_takes_long_is_waited_for(self) -> None:
        bad = account()
        async with airlock([bad], arm=ArmConfig(operation_seconds=3.0)) as running:
            await running.change(bad)
            assert running.outcomes(bad)["Fixed"] == 3
            assert len(running.writes(bad)) == 1


class TestEveryTypeAndForm:
    async def test_search_is_fixed_and_waited_for(self) -> None:
        endpoint = {
            "properties": {
                "privateEndpoint": {"id": f"{GROUP}/Microsoft.Network/privateEndpoints/pe"},
                "privateLinkServiceConnectionState": {"status": "Approved"},
                "groupId": "searchService",
            }
        }
        bad = {
            "id": f"{GROUP}/Microsoft.Search/searchServices/srch",
            "name": "srch",
            "type": "Microsoft.Search/searchServices",
            "location": "westeurope",
            "sku": {"name": "standard"},
            "properties": {
                "provisioningState": "succeeded",
                "status": "running",
                "publicNetworkAccess": "enabled",
                "disableLocalAuth": False,
                "authOptions": {"aadOrApiKey": {"aadAuthFailureMode": "http403"}},
                "privateEndpointConnections": [endpoint],
            },
        }
        async with airlock([bad]) as running:
            await running.change(bad)
            assert running.outcomes(bad)["Fixed"] == 3
            live = running.live(bad)
            assert live["disableLocalAuth"] is True
            assert live["authOptions"] is None
            assert str(live["publicNetworkAccess"]).lower() == "disabled"

    async def test_cloud_events_do_the_same(self) -> None:
        bad = account()
        async with airlock([bad], arm=ArmConfig(operation_seconds=0.05, cloud_events=True)) as running:
            event = {
                "specversion": "1.0",
                "id": "c1",
                "source": "/subscriptions/11111111-2222-3333-4444-555555555555",
                "subject": str(bad["id"]).replace("resourceGroups", "resourcegroups").lower(),
                "type": "Microsoft.Resources.ResourceWriteSuccess",
                "time": "2026-11-23T10:00:00.1234567Z",
                "data": {"claims": {}, "operationName": "Microsoft.CognitiveServices/accounts/write"},
            }
            await running.azure.publish(event)
            await running.finish()
            fixed = [row for row in running.records() if row["Outcome"] == "Fixed"]
            assert len(fixed) == 3
            assert running.live(bad)["publicNetworkAccess"] == "Disabled"

    async def test_an_event_too_large_for_a_queue_message_is_cut_and_still_acted_on(self) -> None:
        bad = storage()
        async with airlock([bad]) as running:
            event = {
                "id": "big",
                "topic": "/subscriptions/11111111-2222-3333-4444-555555555555",
                "subject": bad["id"],
                "eventType": "Microsoft.Resources.ResourceWriteSuccess",
                "eventTime": "2026-11-23T10:00:00Z",
                "dataVersion": "2",
                "data": {"claims": {f"claim{number}": "x" * 1000 for number in range(200)}},
            }
            await running.azure.publish(event)
            await running.azure.finish(PATIENCE)
            assert running.by_rule(bad)["AIR-004/storage"] == "Fixed"
