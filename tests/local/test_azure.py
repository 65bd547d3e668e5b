"""The whole local Azure: which event goes to which function, and which services the app is told of."""

import json
import re
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import jwt
import pytest
from aiohttp import ClientSession, TCPConnector
from azure.core.exceptions import HttpResponseError
from azure.core.messaging import CloudEvent
from azure.data.tables.aio import TableServiceClient
from azure.eventgrid import EventGridEvent
from azure.eventgrid.aio import EventGridPublisherClient
from azure.keyvault.secrets.aio import SecretClient
from azure.storage.blob.aio import BlobServiceClient
from azure.storage.queue.aio import QueueServiceClient

from local.azure import ACCOUNT as STORAGE_ACCOUNT
from local.azure import APP, PERSON, LocalAzure, Plan
from local.contoso import Deed
from local.credential import FixedToken
from local.event_grid import Delivery
from local.faults import Fault, Faults
from local.host.log import LogLine
from local.storage.database import Database
from tests.local.arm_world import ACCOUNT, GROUP, STORAGE, Token, account, resource
from tests.local.hosting import APPS

SAID = re.compile(r"^(change|alert) (\S+)$")
DEAD_LETTER = re.compile(r"ALERTS/AIRLOCK/20\d\d/[1-9]\d?/[1-9]\d?/(0|[1-9]\d?)/[0-9a-f-]{36}\.json")
GRIDS = Plan(
    app_directory=APPS / "grids",
    webhook="on_change",
    settings={},
    stream="Custom-Any_CL",
    columns={"TimeGenerated": "datetime"},
    estate=[account(), resource(STORAGE)],
)
ALERTS = replace(GRIDS, alerts_webhook="on_alert")

type Body = dict[str, Any]


@dataclass
class Heard:
    """What Event Grid was given, and what the functions said they got."""

    given: list[str] = field(default_factory=list)
    got: list[tuple[str, ...]] = field(default_factory=list)

    def event(self, event: Body) -> None:
        self.given.append(event["id"])

    def line(self, line: LogLine) -> None:
        if said := SAID.fullmatch(line.message):
            self.got.append(said.groups())


@dataclass
class Running:
    azure: LocalAzure
    heard: Heard

    async def finish(self) -> list[tuple[str, ...]]:
        """Which function got which event, once all is done."""
        await self.azure.finish(20)
        return sorted(self.heard.got)


@asynccontextmanager
async def running(plan: Plan = GRIDS) -> AsyncIterator[Running]:
    heard = Heard()
    async with LocalAzure(plan, heard.event, heard.line) as azure:
        yield Running(azure, heard)


def trust(azure: LocalAzure) -> dict[str, Any]:
    """Keyword arguments for a client that trusts the certificate and gives up at once."""
    return {"connection_verify": str(azure.certificate.ca_file), "retry_total": 0}


def alert_event(name: str, **data: object) -> Body:
    event: Body = {"id": name, "subject": "s", "eventType": "Alert", "eventTime": "2026-11-23T01:00:00Z", "data": data}
    return event | {"topic": "/t", "dataVersion": "1.0", "metadataVersion": "1"}


async def test_what_the_alerts_topic_is_given_goes_to_the_function_for_alerts() -> None:
    async with running(ALERTS) as case:
        azure = case.azure
        await azure.publish(alert_event("c1"))
        await azure.publish_alert(alert_event("a1"))
        trusting = trust(azure)
        async with EventGridPublisherClient(azure.alerts_topic_url, Token(), **trusting) as client:
            await client.send(EventGridEvent("s", "Alert", {}, "1.0", id="a2"))
        assert await azure.act(Deed("PATCH", STORAGE, "2025-06-01", {"tags": {"a": "b"}})) == 200
        got = await case.finish()
        assert {("alert", "a1"), ("alert", "a2"), ("change", "c1")} <= set(got)
        assert len(got) == 4
        assert sorted(case.heard.given) == sorted(name for _, name in got)
        assert (azure.grid.delivered, azure.alerts_grid.delivered) == (2, 2)


async def test_without_a_function_of_their_own_alerts_go_where_the_rest_goes() -> None:
    async with running() as case:
        await case.azure.publish_alert(alert_event("a1"))
        assert await case.finish() == [("change", "a1")]
        assert case.azure.alerts_grid is case.azure.grid


async def test_an_alert_is_tried_again_and_ends_among_the_dead_letters() -> None:
    delivery = Delivery(time_scale=0.00001, max_attempts=3, duplicates=2, seed=3)
    async with running(replace(ALERTS, delivery=delivery)) as case:
        await case.azure.publish_alert(alert_event("a1", fail=True))
        await case.azure.publish(alert_event("c1"))
        await case.finish()
        grid = case.azure.alerts_grid
        assert {letter["id"] for letter in grid.dead_letters} == {"a1"}
        assert grid.attempts == 3 * grid.dead_lettered
        assert case.azure.grid.dead_letters == []
        blobs = case.azure.blobs
        names = blobs.names("airlock-dead-letters")
        assert all(DEAD_LETTER.fullmatch(name) for name in names)
        kept = [json.loads(blobs.read("airlock-dead-letters", name) or b"") for name in names]
        assert all(isinstance(array, list) for array in kept)
        assert sorted(map(str, kept)) == sorted(str([letter]) for letter in grid.dead_letters)


async def test_the_app_is_told_of_the_vault_and_the_topic_if_the_plan_says_so() -> None:
    async with running(replace(GRIDS, vault=True, notify=True)) as case:
        azure = case.azure
        told, trusting = azure.environment, trust(azure)
        async with SecretClient(told["AIRLOCK_KEY_VAULT_URI"], Token(), **trusting) as vault:
            await vault.set_secret("a", "one")
        async with EventGridPublisherClient(told["AIRLOCK_NOTIFY_TOPIC"], Token(), **trusting) as topic:
            await topic.send(CloudEvent(source="/s", type="T", data=1))
        assert azure.vault.versions("a") == ["one"]
        assert [event["data"] for event in azure.notifications.events] == [1]
        assert case.heard.given == []


async def test_a_plain_plan_has_neither() -> None:
    async with running() as case:
        assert not {"AIRLOCK_KEY_VAULT_URI", "AIRLOCK_NOTIFY_TOPIC"} & case.azure.environment.keys()


async def test_operators_have_tokens_that_the_app_can_check() -> None:
    chosen = {"AIRLOCK_OPERATOR_AUDIENCE": "api://airlock"}
    async with running(replace(GRIDS, settings=chosen)) as case:
        azure, told = case.azure, case.azure.environment
        assert azure.operate_url == f"{azure.host.url}/api/operate"
        url = f"{told['AIRLOCK_ENTRA_ENDPOINT']}/{told['AIRLOCK_TENANT_ID']}/discovery/v2.0/keys"
        connector = TCPConnector(ssl=azure.certificate.client)
        async with ClientSession(connector=connector) as session, session.get(url) as answer:
            keys = jwt.PyJWKSet.from_dict(await answer.json())
    claims = [
        jwt.decode(text, keys["local-entra-1"], audience="api://airlock")
        for text in (azure.operator_token(), azure.operator_token(APP, roles=()))
    ]
    assert [(each["oid"], each["roles"]) for each in claims] == [
        (PERSON.object_id, ["Airlock.Operator"]),
        (APP.object_id, []),
    ]
    assert {each["tid"] for each in claims} == {told["AIRLOCK_TENANT_ID"]}


async def test_defender_reports_an_alert_without_an_event() -> None:
    alert: Body = {
        "id": f"{GROUP}/providers/Microsoft.Security/locations/westeurope/alerts/a",
        "name": "a",
        "properties": {},
    }
    async with running() as case:
        case.azure.report_alert(alert)
        assert await case.azure.act(Deed("GET", alert["id"], "2022-01-01")) == 200
        assert await case.finish() == []
        assert case.azure.export() == [account(), resource(STORAGE), alert]
        assert case.azure.key_of(ACCOUNT, "Key1") == case.azure.arm.key_of(ACCOUNT, "key1")


async def test_the_storage_services_have_faults_of_their_own() -> None:
    faults = Faults([Fault(service=service, times=None) for service in ("tables", "queues", "blobs")])
    async with running(replace(GRIDS, faults=faults)) as case:
        azure = case.azure
        where = {
            name: azure.environment[f"AzureWebJobsStorage__{name}ServiceUri"] for name in ("table", "queue", "blob")
        }
        app, trusting = Token(APP), trust(azure)
        async with (
            TableServiceClient(where["table"], credential=app, **trusting) as tables,
            QueueServiceClient(where["queue"], credential=app, **trusting) as queues,
            QueueServiceClient(where["queue"], credential=FixedToken(), **trusting) as host,
            BlobServiceClient(where["blob"], credential=app, **trusting) as blobs,
        ):
            for attempt in (tables.create_table, queues.create_queue, blobs.create_container):
                with pytest.raises(HttpResponseError) as hit:
                    await attempt("name")
                assert hit.value.status_code == 500
            # The host's requests pass, and use nothing up.
            assert faults.done == {"status": 3}
            await host.create_queue("name")
            assert faults.done == {"status": 3}
            faults.clear()
            await tables.create_table("name")
            await blobs.create_container("name")
            azure.blobs.put("name", "a", b"1")
            assert [name async for name in blobs.get_container_client("name").list_blob_names()] == ["a"]


class Elsewhere(LocalAzure):
    """A local Azure whose app is told of another table service."""

    async def _tables(self, run: AsyncExitStack, database: Database) -> str:
        self.own_tables = await super()._tables(run, database)
        return "https://tables.example/other"


async def test_the_table_service_can_be_another_one() -> None:
    async with Elsewhere(GRIDS) as azure:
        assert azure.environment["AzureWebJobsStorage__tableServiceUri"] == "https://tables.example/other"
        assert azure.own_tables.endswith(f"/{STORAGE_ACCOUNT}")
        async with TableServiceClient(azure.own_tables, credential=FixedToken(), **trust(azure)) as client:
            await client.create_table(f"t{int(time.time())}")
