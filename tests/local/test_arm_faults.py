"""Misbehaviour on demand, as clients see it."""

import asyncio
from typing import Any

import pytest
from aiohttp import ClientError, ClientPayloadError, ClientTimeout, ServerDisconnectedError, web
from aiohttp.test_utils import make_mocked_request
from azure.core.exceptions import HttpResponseError
from azure.mgmt.storage.aio import StorageManagementClient

from local.faults import CHAOS, WIRE, Fault, Faults, chaos_of, inflict, label
from tests.local.arm_world import (
    GROUP,
    STORAGE,
    SUBSCRIPTION,
    ArmWorld,
    Token,
    arm_world,
    resource,
)

SECURE: dict[str, Any] = {"properties": {"minimumTlsVersion": "TLS1_2"}}
TLS = "minimumTlsVersion"


async def tls_of(world: ArmWorld) -> object:
    """The TLS version that stands in the estate, whatever a GET shows."""
    return world.service.estate.export()[0]["properties"].get(TLS)  # type: ignore[attr-defined]  # a body's values are object


async def test_a_status_is_answered_as_often_as_asked() -> None:
    fault = Fault(
        method="PATCH", path_contains="/STAI", skip=1, times=2, status=429, headers={"Retry-After": "1"}, code="Busy"
    )
    async with arm_world([resource(STORAGE)], faults=Faults([fault])) as world:
        replies = [await world.send("PATCH", STORAGE, SECURE) for _ in range(4)]
        assert [reply.status for reply in replies] == [200, 429, 429, 200]
        assert (replies[1].code, replies[1].headers["Retry-After"]) == ("Busy", "1")
        assert (await world.send("GET", STORAGE)).status == 200
        assert [line.status for line in world.service.requests] == [200, 429, 429, 200, 200]


@pytest.mark.parametrize("after_effect,tls", [(False, None), (True, "TLS1_2")])
async def test_an_error_before_or_after_the_effect(after_effect: bool, tls: str | None) -> None:  # noqa: FBT001 (a parameter of the test)
    faults = Faults([Fault(status=504, after_effect=after_effect)])
    async with (
        arm_world([resource(STORAGE)], faults=faults) as world,
        StorageManagementClient(Token(), SUBSCRIPTION, **world.sdk) as client,
    ):
        body: Any = SECURE
        with pytest.raises(HttpResponseError) as caught:
            await client.storage_accounts.update("rg-ai", "stai", body)
        assert caught.value.status_code == 504
        assert await tls_of(world) == tls


@pytest.mark.parametrize("after_effect,tls", [(False, None), (True, "TLS1_2")])
async def test_reset(after_effect: bool, tls: str | None) -> None:  # noqa: FBT001 (a parameter of the test)
    faults = Faults([Fault(kind="reset", after_effect=after_effect)])
    async with arm_world([resource(STORAGE)], faults=faults) as world:
        with pytest.raises((ServerDisconnectedError, ClientError, ConnectionError)):
            await world.send("PATCH", STORAGE, SECURE)
        assert await tls_of(world) == tls
        assert world.service.requests[-1].status == 0
        assert (await world.send("PATCH", STORAGE, SECURE)).status == 200


async def test_truncate() -> None:
    async with arm_world([resource(STORAGE)], faults=Faults([Fault(kind="truncate")])) as world:
        with pytest.raises(ClientPayloadError):
            await world.send("GET", STORAGE)
        assert (await world.send("GET", STORAGE)).status == 200


async def test_truncate_of_nothing_is_a_reset() -> None:
    async with arm_world(
        [resource(STORAGE)], faults=Faults([Fault(kind="truncate", method="DELETE", times=2)])
    ) as world:
        with pytest.raises((ClientError, ConnectionError)):
            await world.send("DELETE", STORAGE)
        assert world.service.estate.export() == []


async def test_hang() -> None:
    async with arm_world([resource(STORAGE)], faults=Faults([Fault(kind="hang", seconds=0.3)])) as world:
        path = f"{STORAGE}?api-version=2025-01-01"
        with pytest.raises(TimeoutError):
            await world.session.get(path, timeout=ClientTimeout(total=0.05))
        assert (await world.send("GET", STORAGE)).status == 200


async def test_stale_reads_show_the_state_before_the_last_write() -> None:
    async with arm_world([resource(STORAGE)], faults=Faults([Fault(kind="stale", times=2)])) as world:
        assert TLS not in await world.properties(STORAGE)
        await world.send("PATCH", STORAGE, SECURE)
        assert [TLS in await world.properties(STORAGE) for _ in range(3)] == [False, False, True]


async def test_a_stale_read_of_something_new_finds_nothing() -> None:
    vault = f"{GROUP}/providers/Microsoft.KeyVault/vaults/kv"
    async with arm_world([resource(STORAGE)], faults=Faults([Fault(kind="stale")])) as world:
        assert (await world.send("PUT", vault, {"location": "westeurope"})).status == 201
        assert [(await world.send("GET", vault)).status for _ in range(2)] == [404, 200]


@pytest.mark.parametrize("value", ["TLS1_2", None])
async def test_one_property_is_refused_and_others_pass(value: str | None) -> None:
    fault = Fault(
        kind="refuse_property", property=f"properties.{TLS}", status=403, code="RequestDisallowedByPolicy", times=None
    )
    async with arm_world([resource(STORAGE)], faults=Faults([fault])) as world:
        body = {"properties": {TLS: value, "allowBlobPublicAccess": False}}
        refused = await world.send("PATCH", STORAGE, body)
        assert (refused.status, refused.code) == (403, "RequestDisallowedByPolicy")
        assert (await world.send("PATCH", STORAGE, {"properties": {"allowBlobPublicAccess": False}})).status == 200


async def test_faults_come_and_go() -> None:
    faults = Faults()
    async with arm_world([resource(STORAGE)], faults=faults) as world:
        faults.add(Fault(service="logs", times=None))
        assert (await world.send("GET", STORAGE)).status == 200
        faults.add(Fault(service="arm", times=None))
        assert (await world.send("GET", STORAGE)).status == 500
        faults.clear()
        assert (await world.send("GET", STORAGE)).status == 200
        assert faults.done["status"] == 1


class Served:
    """A handler that counts how often it carried a request out."""

    def __init__(self) -> None:
        self.times = 0

    async def __call__(self, _request: web.Request) -> web.StreamResponse:
        self.times += 1
        return web.Response(text="carried out")


@pytest.mark.parametrize(
    "fault,status,times",
    [
        (Fault(status=503), 503, 0),
        (Fault(status=504, after_effect=True), 504, 1),
        (Fault(kind="reset"), 500, 0),
        (Fault(kind="reset", after_effect=True), 500, 1),
        (Fault(kind="hang"), 200, 1),
        (Fault(kind="hang", after_effect=True), 200, 1),
    ],
)
async def test_an_inflicted_fault_has_its_effect_once_or_never(fault: Fault, status: int, times: int) -> None:
    served = Served()
    answer = await inflict(fault, make_mocked_request("PATCH", STORAGE), served)
    assert (answer.status, served.times) == (status, times)


async def test_an_inflicted_status_says_what_was_asked_for() -> None:
    fault = Fault(status=429, code="Busy", message="Later.", headers={"Retry-After": "7"})
    answer = await inflict(fault, make_mocked_request("GET", STORAGE), Served())
    assert isinstance(answer, web.Response)
    assert answer.headers["Retry-After"] == "7"
    assert answer.text == '{"error": {"code": "Busy", "message": "Later."}}'


@pytest.mark.parametrize("after_effect", [False, True])
async def test_what_hangs_is_carried_out_before_or_after_its_wait(after_effect: bool) -> None:  # noqa: FBT001 (a parameter of the test)
    served = Served()
    fault = Fault(kind="hang", seconds=30, after_effect=after_effect)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(inflict(fault, make_mocked_request("PATCH", STORAGE), served), 0.01)
    assert served.times == int(after_effect)


@pytest.mark.parametrize(
    "fault,told",
    [
        (Fault(status=429), "429"),
        (Fault(status=429, headers={"Retry-After": "1"}), "429, Retry-After 1"),
        (Fault(status=504, after_effect=True), "504 after the effect"),
        (Fault(kind="reset", after_effect=True), "reset after the effect"),
        (Fault(kind="refuse_property"), "refuse property"),
    ],
)
def test_a_label_tells_what_happens(fault: Fault, told: str) -> None:
    assert label(fault) == told


def test_a_service_has_its_own_bad_days_beside_those_of_all() -> None:
    own = {
        name: {label(fault) for fault in chaos_of(name)[len(CHAOS) :]} for name in ("arm", "tables", "logs", "vault")
    }
    assert own == {"arm": {"412"}, "tables": {"412"}, "logs": {"403", "413"}, "vault": set()}
    for name in own:
        labels = [label(fault) for fault in chaos_of(name)]
        assert len(labels) == len({*labels}), "one that is there twice comes up twice as often"
        assert all(fault.kind in WIRE for fault in chaos_of(name))


async def test_faults_are_counted_by_service_and_by_what_happened() -> None:
    faults = Faults([Fault(method="PATCH", status=503, times=2), Fault(method="GET", kind="stale")])
    async with arm_world([resource(STORAGE)], faults=faults) as world:
        for _ in range(3):
            await world.send("PATCH", STORAGE, SECURE)
        await world.send("GET", STORAGE)
    assert faults.injected == {("arm", "503"): 2, ("arm", "stale"): 1}


def outcomes(faults: Faults) -> list[object]:
    return [faults.take("stale", "arm", "GET", f"/x{n % 3}") is not None for n in range(60)]


def test_chaos_is_repeatable() -> None:
    assert outcomes(Faults.chaos(7, 0.5)) == outcomes(Faults.chaos(7, 0.5))
    assert outcomes(Faults.chaos(7, 0.5)) != outcomes(Faults.chaos(8, 0.5))
    assert not any(outcomes(Faults.chaos(7, 0)))


def test_chaos_hits_at_most_three_times_in_a_row() -> None:
    faults = Faults.chaos(1, 1.0)
    hits = [faults.take("stale", "arm", "GET", "/x") is not None for _ in range(8)]
    assert hits == [True, True, True, False] * 2


async def test_a_patient_client_gets_through_chaos() -> None:
    faults = Faults.chaos(3, 0.9)
    async with arm_world([resource(STORAGE)], faults=faults) as world:
        for n in range(12):
            assert await patiently(world, {"tags": {"n": str(n)}}) <= 4
            assert world.service.estate.export()[0]["tags"] == {"n": str(n)}
    assert sum(faults.done.values()) > 12
    assert {fault.kind for fault in CHAOS} <= set(faults.done)


async def patiently(world: ArmWorld, body: object) -> int:
    """How many tries a write takes."""
    for attempt in range(1, 10):
        try:
            async with asyncio.timeout(5):
                if (await world.send("PATCH", STORAGE, body)).status == 200:
                    return attempt
        except (ClientError, ConnectionError):
            continue
    return 10
