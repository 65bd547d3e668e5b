"""What ARM may answer, and what becomes of the signal: told apart by error code first, status second."""

from collections.abc import Mapping

import pytest

from local.arm.service import ArmConfig
from local.contoso import GROUP
from local.faults import Fault
from tests.engine.running import PATIENCE, Body, account, airlock, assert_chained, storage


def lock(resource: Body, level: str) -> Body:
    """A management lock on the resource."""
    return {
        "id": f"{resource['id']}/providers/Microsoft.Authorization/locks/l",
        "name": "l",
        "type": "Microsoft.Authorization/locks",
        "properties": {"level": level},
    }


class TestRefused:
    @pytest.mark.parametrize(
        "status,code,reason",
        [
            (403, "AuthorizationFailed", "arm.authorization-failed"),
            (403, "RequestDisallowedByPolicy", "arm.request-disallowed-by-policy"),
            (400, "InvalidParameter", "arm.invalid-parameter"),
            (404, "ResourceNotFound", "arm.resource-not-found"),
            (409, "ReadOnlyDisabledSubscription", "arm.read-only-disabled-subscription"),
        ],
    )
    async def test_a_write_refused_for_good_is_recorded_once_and_the_message_is_done(
        self, status: int, code: str, reason: str
    ) -> None:
        bad = storage()
        async with airlock(
            [bad], Fault(service="arm", method="PATCH", times=None, status=status, code=code)
        ) as running:
            await running.change(bad)
            assert running.outcomes(bad) == {"Refused": 1}
            assert running.records(bad)[0]["ReasonCode"] == reason
            assert len(running.writes(bad)) == 1

    async def test_a_read_only_lock_refuses_although_it_answers_409(self) -> None:
        bad = storage()
        async with airlock([bad, lock(bad, "ReadOnly")]) as running:
            await running.change(bad)
            codes = [row["ReasonCode"] for row in running.records(bad)]
            assert codes == ["arm.scope-locked", "ignored.failed-operation"]
            assert_chained(running.azure.logs.rows)

    async def test_a_lock_against_deletion_does_not_hold_up_a_fix(self) -> None:
        bad = storage()
        async with airlock([bad, lock(bad, "CanNotDelete")]) as running:
            await running.change(bad)
            assert running.by_rule(bad)["AIR-004/storage"] == "Fixed"

    async def test_a_read_that_is_refused_says_so(self) -> None:
        bad = storage()
        denied = Fault(service="arm", method="GET", times=None, status=403, code="AuthorizationFailed")
        async with airlock([bad], denied) as running:
            await running.change(bad)
            assert running.by_rule(bad) == {"": "Refused"}

    async def test_one_refused_property_does_not_keep_the_others_from_being_fixed(self) -> None:
        bad = account()
        denied = Fault(
            kind="refuse_property",
            service="arm",
            times=None,
            status=403,
            code="RequestDisallowedByPolicy",
            property="properties.disableLocalAuth",
        )
        async with airlock([bad], denied) as running:
            await running.change(bad)
            # With the public network closed, the network rules need no fix of their own any more.
            assert running.by_rule(bad) | {"": ""} == {
                "AIR-001/cognitive-accounts": "Fixed",
                "AIR-003/cognitive-accounts": "Refused",
                "": "",
            }
            assert running.live(bad)["publicNetworkAccess"] == "Disabled"
            assert "disableLocalAuth" not in running.live(bad)
            assert_chained(running.azure.logs.rows)


class TestTriedAgain:
    @pytest.mark.parametrize(
        "status,code,headers",
        [
            (429, "TooManyRequests", {"Retry-After": "1"}),
            (429, "TooManyRequests", {}),
            (503, "ServiceUnavailable", {}),
            (500, "InternalServerError", {}),
            (408, "RequestTimeout", {}),
            (409, "RequestConflict", {}),
            (412, "PreconditionFailed", {}),
            (400, "AccountProvisioningStateInvalid", {}),
        ],
    )
    async def test_a_write_that_can_succeed_later_ends_fixed(
        self, status: int, code: str, headers: Mapping[str, str]
    ) -> None:
        bad = storage()
        again = Fault(service="arm", method="PATCH", status=status, code=code, headers=headers)
        async with airlock([bad], again) as running:
            await running.change(bad)
            assert running.outcomes(bad)["Fixed"] == 1
            assert running.outcomes(bad)["Refused"] == 0
            assert_chained(running.azure.logs.rows)

    @pytest.mark.parametrize(
        "broken", [Fault(kind="reset", service="arm", times=2), Fault(kind="truncate", service="arm", times=2)]
    )
    async def test_an_answer_that_breaks_off_is_asked_for_again(self, broken: Fault) -> None:
        bad = storage()
        async with airlock([bad], broken) as running:
            await running.change(bad)
            assert running.outcomes(bad)["Fixed"] == 1

    async def test_a_write_whose_answer_was_lost_is_recorded_as_fixed_and_not_made_twice(self) -> None:
        bad = storage()
        lost = Fault(kind="reset", service="arm", method="PATCH", after_effect=True)
        async with airlock([bad], lost) as running:
            await running.change(bad)
            assert running.outcomes(bad)["Fixed"] == 1
            assert len(running.writes(bad)) == 1

    async def test_a_wait_longer_than_a_worker_has_patience_goes_back_to_the_queue(self) -> None:
        bad = storage()
        busy = Fault(service="arm", method="GET", status=503, headers={"Retry-After": "11"})
        async with airlock([bad], busy) as running:
            await running.change(bad)
            fixed = [row for row in running.records(bad) if row["Outcome"] == "Fixed"]
            assert [row["Attempt"] for row in fixed] == [2]

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
