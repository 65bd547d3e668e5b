"""Airlock as it ships, on a local Azure: what every test of a promise starts from."""

import asyncio
import hashlib
import json
import re
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from azure.storage.queue import TextBase64EncodePolicy
from azure.storage.queue.aio import QueueClient

from local.arm.service import ArmConfig
from local.azure import APP, LocalAzure, Plan
from local.contoso import GROUP, write_event
from local.credential import FixedToken
from local.event_grid import Delivery
from local.faults import Fault, Faults
from local.host.log import LogLine
from shared.domain.record import GENESIS, schema

REPOSITORY = Path(__file__).resolve().parents[2]
STREAM = "Custom-AirlockRemediation_CL"
PATIENCE = 60.0
_TIME = re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+Z")

type Body = dict[str, Any]


def account(name: str = "oai", link: bool = True, **properties: object) -> Body:  # noqa: FBT001, FBT002 - reads as data
    """An Azure OpenAI account as ARM answers it; open to everybody and with keys unless told otherwise."""
    resource_id = f"{GROUP}/Microsoft.CognitiveServices/accounts/{name}"
    own: Body = {
        "provisioningState": "Succeeded",
        "customSubDomainName": name,
        "publicNetworkAccess": "Enabled",
        "privateEndpointConnections": [_approved(resource_id)] if link else [],
    }
    return {
        "id": resource_id,
        "name": name,
        "type": "Microsoft.CognitiveServices/accounts",
        "location": "westeurope",
        "kind": "OpenAI",
        "sku": {"name": "S0"},
        "etag": '"1"',
        "tags": {},
        "properties": own | properties,
    }


def storage(name: str = "stdata", tags: Mapping[str, str] | None = None, **properties: object) -> Body:
    """A storage account under protection that only its TLS settings set apart from a sound one."""
    own: Body = {
        "provisioningState": "Succeeded",
        "publicNetworkAccess": "Disabled",
        "allowSharedKeyAccess": False,
        "allowBlobPublicAccess": False,
        "minimumTlsVersion": "TLS1_0",
        "supportsHttpsTrafficOnly": False,
        "networkAcls": {"defaultAction": "Deny", "bypass": "AzureServices"},
    }
    return {
        "id": f"{GROUP}/Microsoft.Storage/storageAccounts/{name}",
        "name": name,
        "type": "Microsoft.Storage/storageAccounts",
        "location": "westeurope",
        "kind": "StorageV2",
        "sku": {"name": "Standard_LRS"},
        "tags": dict({"airlock": "protect"} if tags is None else tags),
        "properties": own | properties,
    }


def _approved(resource_id: str) -> Body:
    return {
        "id": f"{resource_id}/privateEndpointConnections/pe",
        "name": "pe",
        "properties": {
            "groupIds": ["account"],
            "privateEndpoint": {"id": f"{GROUP}/Microsoft.Network/privateEndpoints/pe"},
            "privateLinkServiceConnectionState": {"status": "Approved"},
        },
    }


@dataclass
class Running:
    """A running Airlock and everything that can be seen of it from outside."""

    azure: LocalAzure
    faults: Faults
    logged: list[LogLine] = field(default_factory=list)
    raised: list[Body] = field(default_factory=list)

    async def change(self, *resources: Body) -> None:
        """Tells Event Grid that somebody wrote each resource, and waits until all that follows is done."""
        for resource in resources:
            await self.azure.publish(write_event(resource, datetime.now(UTC)))
        await self.finish()

    async def change_soon(self, resource: Body) -> None:
        """Tells Event Grid that somebody wrote the resource, and waits for nothing."""
        await self.azure.publish(write_event(resource, datetime.now(UTC)))

    async def finish(self) -> None:
        """Waits until every event and every signal is done."""
        await self.azure.finish(PATIENCE)

    async def advance(self) -> None:
        """Lets what waits for later come now, and waits until all that follows is done."""
        self.azure.hurry()
        await self.finish()

    async def tell(self, *events: Body) -> None:
        """Gives the alerts topic the events, and waits until all that follows is done."""
        for event in events:
            await self.azure.publish_alert(event)
        await self.finish()

    async def queue(self, *messages: str) -> None:
        """Puts raw messages into the queue of signals, as Event Grid does in the private deployment."""
        async with self._signals() as client:
            for message in messages:
                await client.send_message(message)

    async def clear_queue(self) -> None:
        """Loses every message, those under way included."""
        async with self._signals() as client:
            await client.clear_messages()

    def _signals(self) -> QueueClient:
        return QueueClient(
            self.azure.environment["AzureWebJobsStorage__queueServiceUri"],
            "signals",
            credential=FixedToken(),
            connection_verify=str(self.azure.certificate.ca_file),
            message_encode_policy=TextBase64EncodePolicy(),
        )

    def live(self, resource: Body) -> Body:
        """The properties of the resource as ARM has them now."""
        found = self.azure.arm.estate.view(str(resource["id"]))
        assert found is not None
        properties = found["properties"]
        assert isinstance(properties, dict)
        return properties

    def tags(self, resource: Body) -> Body:
        """The tags of the resource as ARM has them now."""
        found = self.azure.arm.estate.view(str(resource["id"]))
        tags = found.get("tags") if found is not None else None
        assert isinstance(tags, dict)
        return tags

    def records(self, resource: Body | None = None) -> list[Body]:
        """The log as a query sees it: one row for each RecordId; of one resource if it is given."""
        rows = {row["RecordId"]: dict(row) for row in self.azure.logs.rows}
        return [row for row in rows.values() if resource is None or row.get("ResourceId") == resource["id"]]

    def records_of(self, kind: str) -> list[Body]:
        """The records of signals of that kind that no rule or response is named in."""
        return [row for row in self.records() if row.get("SignalKind") == kind and not row.get("Ref")]

    def outcomes(self, resource: Body | None = None) -> Counter[str]:
        """How many records say what, those of changed settings left out."""
        told = Counter(str(row["Outcome"]) for row in self.records(resource))
        del told["SettingsChanged"]
        return told

    def by_rule(self, resource: Body) -> dict[str, str]:
        """The last outcome of every rule of the resource; the signal's own under the empty rule."""
        return {str(row.get("Rule") or ""): str(row["Outcome"]) for row in self.records(resource)}

    def writes(self, resource: Body | None = None) -> list[str]:
        """The method and path of every request that reached ARM and was no read."""
        return [
            f"{request.method} {request.path}"
            for request in self.azure.arm.requests
            if request.method not in {"GET", "HEAD"} and (resource is None or request.path == resource["id"])
        ]

    def own_events(self) -> list[Body]:
        """The events that Airlock's own writes raised."""
        return [event for event in self.raised if APP.object_id in json.dumps(event)]


@asynccontextmanager
async def airlock(  # noqa: PLR0913 - each is a choice of its own, with a default
    estate: Sequence[Body],
    *faults: Fault,
    mode: str = "enforce",
    arm: ArmConfig | None = None,
    delivery: Delivery | None = None,
    settings: Mapping[str, str] | None = None,
    workers: int = 1,
    vault: bool = False,
    notify: bool = False,
    local: type[LocalAzure] = LocalAzure,
) -> AsyncIterator[Running]:
    """Airlock in that mode over that estate, quick to look and to lease, with the faults in force from the start."""
    chosen = {
        "AIRLOCK_MODE": mode,
        "AIRLOCK_QUIET_SECONDS": "0",
        "AIRLOCK_GRACE_SECONDS": "0",
        "AIRLOCK_LEASE_SECONDS": "5",
        "AzureFunctionsJobHost__extensions__queues__visibilityTimeout": "00:00:01",
    } | dict(settings or {})
    in_force = Faults(faults)
    logged: list[LogLine] = []
    raised: list[Body] = []
    plan = Plan(
        app_directory=REPOSITORY,
        webhook="on_resource_change",
        alerts_webhook="on_defender_alert",
        settings=chosen,
        stream=STREAM,
        columns=schema(),
        estate=estate,
        arm=arm or ArmConfig(operation_seconds=0.05, settle_seconds=1.0),
        delivery=delivery or Delivery(),
        faults=in_force,
        workers=workers,
        vault=vault,
        notify=notify,
    )
    async with local(plan, raised.append, logged.append) as azure:
        yield Running(azure, in_force, logged, raised)


def assert_chained(rows: Iterable[Mapping[str, Any]]) -> None:
    """Every resource's rows form one chain, and each row's Digest is that of its own Sealed."""
    unique = {row["RecordId"]: row for row in rows}
    following: dict[str, Mapping[str, Any]] = {}
    for row in unique.values():
        told = hashlib.sha256((str(row["PreviousDigest"]) + str(row["Sealed"])).encode()).hexdigest()
        assert told == row["Digest"]
        sealed = json.loads(str(row["Sealed"]))
        shown = {name: row.get(name) for name in sealed}
        assert {name: _plain(value) for name, value in shown.items()} == {n: _plain(v) for n, v in sealed.items()}
        chain = f"{row.get('ResourceId') or row.get('SubscriptionId') or '-'} {row['PreviousDigest']}".lower()
        assert chain not in following, "two rows follow the same one"
        following[chain] = row
    known = {str(row["Digest"]) for row in unique.values()} | {GENESIS}
    assert all(str(row["PreviousDigest"]) in known for row in unique.values())


def _plain(value: object) -> object:
    return datetime.fromisoformat(value) if isinstance(value, str) and _TIME.fullmatch(value) else value


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not condition():  # noqa: ASYNC110 - what is waited for happens in another process
            await asyncio.sleep(0.02)


async def until_settled(running: Running, condition: Callable[[], bool]) -> None:
    """Runs the timer as the host would, only more often, until the condition holds."""
    async with asyncio.timeout(30):
        while not condition():
            await running.azure.host.run_timer("settle")
            await running.azure.host.wait_idle(20)
            await asyncio.sleep(0.1)
