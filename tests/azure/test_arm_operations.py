"""Fixes that ARM accepts and carries out later."""

from datetime import timedelta

import pytest

from local.faults import Fault, Faults
from shared.domain.failure import TryAgain
from tests.azure.making import TARGET, Answer, arm_client, arm_of, fix, scripted
from tests.local.arm_world import ACCOUNT, account, arm_world

pytestmark = pytest.mark.usefixtures("identity")

OPERATION = "/subscriptions/s/providers/Microsoft.CognitiveServices/locations/westeurope/operationResults/1"
STATUS = {"Azure-AsyncOperation": f"{{url}}{OPERATION}"}
LOCATION = {"Location": f"{{url}}{OPERATION}"}
BOTH = STATUS | {"Location": "{url}/never"}
ACCEPTED = {"properties": {"provisioningState": "Accepted"}}
SENT = f"PATCH {TARGET.path}"
POLLED = f"GET {OPERATION}"


async def test_a_fix_is_done_when_its_operation_is() -> None:
    async with arm_world([account()], operation_seconds=0.3) as world, arm_of(world) as arm:
        receipt = await arm.send(fix())
        assert receipt.failure is None
        known = await world.properties(ACCOUNT)
        assert (known["publicNetworkAccess"], known["provisioningState"]) == ("Disabled", "Succeeded")
        methods = [line.method for line in world.service.requests]
        assert methods == ["PATCH", "GET", "GET", "GET"], "an early look, one at the time that was asked for, and ours"


async def test_an_operation_that_fails_is_told() -> None:
    fault = Fault(kind="fail_operation", code="CapacityExceeded", message="no room")
    async with arm_world([account()], faults=Faults([fault]), operation_seconds=0) as world, arm_of(world) as arm:
        receipt = await arm.send(fix())
        assert receipt.failure == "the operation failed: CapacityExceeded no room"
        assert len(receipt.request_ids) == 1


@pytest.mark.parametrize(
    "status,body,failure",
    [
        (200, {"status": "Succeeded"}, None),
        (200, {"status": "succeeded", "properties": {"output": 1}}, None),
        (200, {"status": "Failed"}, "the operation failed:  "),
        (200, {"status": "FAILED", "error": {"code": "A", "message": "b"}}, "the operation failed: A b"),
        (200, {"status": "Canceled", "error": {"code": "A", "message": "b"}}, "the operation canceled: A b"),
        (200, {"status": "Failed", "properties": {}}, "the operation failed:  "),
        (200, {"id": TARGET.path, "properties": {"provisioningState": "Succeeded"}}, None),
        (204, b"", None),
        (200, b"", None),
    ],
)
@pytest.mark.parametrize("headers", [STATUS, LOCATION, BOTH])
async def test_how_an_operation_may_end(
    headers: dict[str, str], status: int, body: object, failure: str | None
) -> None:
    async with (
        scripted(Answer(202, ACCEPTED, headers), Answer(status, body)) as server,
        arm_client(server.url, server.ca_file) as arm,
    ):
        assert (await arm.send(fix())).failure == failure
        assert server.asked == [SENT, POLLED]


async def test_a_location_ends_with_the_resource_whatever_it_calls_its_status() -> None:
    resource = {"id": TARGET.path, "status": "Online", "properties": {}}
    async with (
        scripted(Answer(202, ACCEPTED, LOCATION), Answer(200, resource)) as server,
        arm_client(server.url, server.ca_file) as arm,
    ):
        assert (await arm.send(fix())).failure is None
        assert server.asked == [SENT, POLLED]


@pytest.mark.parametrize(
    "headers,running",
    [
        (STATUS, Answer(200, {"status": "InProgress"})),
        (STATUS, Answer(200, {"status": "Running", "properties": {"percentComplete": 5}})),
        (LOCATION, Answer(202, b"", {"Retry-After": "0"})),
        (LOCATION, Answer(202, ACCEPTED, {"Retry-After": "9" * 5000})),
        (LOCATION, Answer(429, b"")),
        (STATUS, Answer(200, b'{"status": ')),
    ],
)
async def test_an_operation_that_has_not_ended_is_asked_again(headers: dict[str, str], running: Answer) -> None:
    ended = Answer(200, {"status": "Succeeded"})
    async with (
        scripted(Answer(202, ACCEPTED, headers), running, ended) as server,
        arm_client(server.url, server.ca_file) as arm,
    ):
        assert (await arm.send(fix())).failure is None
        assert server.asked == [SENT, POLLED, POLLED]


async def test_an_operation_that_is_not_to_be_asked_in_time_is_given_up_at_once() -> None:
    later = Answer(429, b"", {"Retry-After": "3600"})
    async with (
        scripted(Answer(202, ACCEPTED, STATUS), later) as server,
        arm_client(server.url, server.ca_file) as arm,
    ):
        with pytest.raises(TryAgain) as told:
            await arm.send(fix())
        assert told.value.after == timedelta(hours=1)
        assert server.asked == [SENT, POLLED]


@pytest.mark.parametrize(
    "address",
    [
        "https://evil.example{path}",
        "{url}.evil.example{path}",
        "{url}@evil.example{path}",
        "{url}1{path}",
        "http://127.0.0.1{path}",
        "//evil.example{path}",
        "{path}",
        "not an address",
        "",
    ],
)
@pytest.mark.parametrize("header", ["Azure-AsyncOperation", "Location"])
async def test_an_operation_elsewhere_is_never_called(header: str, address: str) -> None:
    """Whoever stands there would be shown our token."""
    accepted = Answer(202, ACCEPTED, {header: address.replace("{path}", OPERATION)})
    async with scripted(accepted) as server, arm_client(server.url, server.ca_file) as arm:
        receipt = await arm.send(fix())
        assert receipt.failure is None
        assert server.asked == [SENT]


@pytest.mark.parametrize("answer", [Answer(202), Answer(200), Answer(204, b"", LOCATION)])
async def test_a_fix_without_an_operation_is_left_to_the_read_that_verifies_it(answer: Answer) -> None:
    async with scripted(answer) as server, arm_client(server.url, server.ca_file) as arm:
        assert (await arm.send(fix())).failure is None
        assert server.asked == [SENT]


async def test_an_operation_beside_a_200_is_followed_too() -> None:
    async with (
        scripted(Answer(200, ACCEPTED, STATUS), Answer(200, {"status": "Failed"})) as server,
        arm_client(server.url, server.ca_file) as arm,
    ):
        assert (await arm.send(fix())).failure == "the operation failed:  "
        assert server.asked == [SENT, POLLED]


async def test_a_status_that_we_may_not_see_is_no_refusal_of_the_write() -> None:
    hidden = Answer(403, {"error": {"code": "AuthorizationFailed", "message": "no"}})
    async with (
        scripted(Answer(202, ACCEPTED, STATUS), hidden) as server,
        arm_client(server.url, server.ca_file) as arm,
    ):
        assert (await arm.send(fix())).failure is None
