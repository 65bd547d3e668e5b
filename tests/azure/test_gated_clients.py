"""The gate below real clients: what is refused never reaches the server."""

from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from azure.core.rest import HttpRequest
from azure.mgmt.cognitiveservices.aio import CognitiveServicesManagementClient
from azure.mgmt.storage.aio import StorageManagementClient

from local.faults import Fault, Faults
from shared.azure.gate import Gate, GatedTransport
from shared.domain.arm_id import parse_arm_id
from shared.domain.failure import Refused
from shared.domain.mode import Mode
from shared.domain.settings import HostStorage, Operational
from tests.azure.making import CLOSED, Answer, TrustingClients, fix, patch, scripted
from tests.local.arm_world import ACCOUNT, STORAGE, SUBSCRIPTION, ArmWorld, Token, account, arm_world, resource

BODY: Any = CLOSED


@pytest.fixture
async def world() -> AsyncIterator[ArmWorld]:
    async with arm_world([account(), resource(STORAGE)], operation_seconds=0) as world:
        yield world


@pytest.fixture
def clients(world: ArmWorld, identity: object) -> TrustingClients:
    del identity
    return TrustingClients(Operational(arm_endpoint=world.url), HostStorage(), world.ca_file)


def gated(world: ArmWorld) -> dict[str, Any]:
    """Keyword arguments that point a typed client here, through a gate without stores of our own."""
    gate = Gate(frozenset(), urlsplit(world.url).netloc)
    transport = GatedTransport(gate, connection_verify=str(world.ca_file))
    return {"base_url": world.url, "transport": transport}


@pytest.mark.usefixtures("identity")
async def test_only_the_enforced_fix_of_a_resource_reaches_it(world: ArmWorld, clients: TrustingClients) -> None:
    async with clients, clients.arm() as client:
        for permit in (None, fix(mode=Mode.AUDIT), fix(mode=Mode.OFF), fix(target=parse_arm_id(STORAGE))):
            with pytest.raises(Refused) as closed:
                await client.send_request(patch(world.url), permit=permit)
            assert closed.value.cause.code == "gate.write-refused"
        for method in ("PUT", "POST", "DELETE"):
            with pytest.raises(Refused):
                await client.send_request(HttpRequest(method, patch(world.url).url, json=CLOSED), permit=fix())
        assert world.service.requests == []
        answer = await client.send_request(patch(world.url), permit=fix())
        assert answer.status_code == 202
        answer = await client.send_request(HttpRequest("GET", patch(world.url).url))
        assert answer.json()["properties"]["publicNetworkAccess"] == "Disabled"


async def test_a_fix_goes_to_azure_resource_manager_and_nowhere_else(world: ArmWorld, clients: TrustingClients) -> None:
    """The same path at another host is another resource, and whoever answers there reads our token."""
    async with scripted(Answer()) as other, clients, clients.arm() as client:
        with pytest.raises(Refused):
            await client.send_request(patch(other.url), permit=fix(), connection_verify=str(other.ca_file))
        assert other.asked == []
        assert world.service.requests == []


async def test_typed_clients_read_and_do_not_write(world: ArmWorld) -> None:
    async with CognitiveServicesManagementClient(Token(), SUBSCRIPTION, **gated(world)) as client:
        assert (await client.accounts.get("rg-ai", "aoai")).name == "aoai"
        with pytest.raises(Refused):
            await client.accounts.begin_update("rg-ai", "aoai", BODY)
        with pytest.raises(Refused):
            await client.accounts.begin_delete("rg-ai", "aoai")
        with pytest.raises(Refused):
            await client.accounts.list_keys("rg-ai", "aoai")
        with pytest.raises(Refused):
            await client.accounts.regenerate_key("rg-ai", "aoai", BODY)
    async with StorageManagementClient(Token(), SUBSCRIPTION, **gated(world)) as storage:
        with pytest.raises(Refused):
            await storage.storage_accounts.update("rg-ai", "stai", BODY)
    assert [(line.method, line.path) for line in world.service.requests] == [("GET", ACCOUNT)]


async def test_providers_are_not_registered_on_the_way() -> None:
    """A management client posts a registration of its own accord when ARM says that a provider is missing."""
    told = "The subscription is not registered to use namespace 'Microsoft.CognitiveServices'."
    unregistered = Fault(status=409, code="MissingSubscriptionRegistration", message=told, times=None)
    async with (
        arm_world([account()], faults=Faults([unregistered])) as world,
        CognitiveServicesManagementClient(Token(), SUBSCRIPTION, retry_total=0, **gated(world)) as client,
    ):
        with pytest.raises(Refused):
            await client.accounts.get("rg-ai", "aoai")
        assert {line.method for line in world.service.requests} == {"GET"}


async def test_our_own_stores_are_written_to(world: ArmWorld) -> None:
    gate = Gate(frozenset({world.url.removeprefix("https://")}))
    transport = GatedTransport(gate, connection_verify=str(world.ca_file))
    async with CognitiveServicesManagementClient(
        Token(), SUBSCRIPTION, base_url=world.url, transport=transport, polling_interval=0
    ) as client:
        await (await client.accounts.begin_update("rg-ai", "aoai", BODY)).result()
    assert (await world.properties(ACCOUNT))["publicNetworkAccess"] == "Disabled"
