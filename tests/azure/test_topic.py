"""The topic: the real publisher, a custom topic that fails as it is told, and the ledger behind both."""

import asyncio
import logging
import re
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from aiohttp import web
from aiohttp.typedefs import Handler
from azure.data.tables.aio import TableClient
from azure.eventgrid.aio import EventGridPublisherClient

from local.certificate import Certificate
from local.faults import Fault, Faults
from local.storage import tables
from local.storage.database import Database
from local.topic import PATH, Topic
from shared.azure.gate import GatedTransport
from shared.azure.ledger import TableLedger
from shared.azure.ledger_table import LedgerTable
from shared.azure.topic import OutcomeTopic, outcome_event
from shared.domain.failure import Refused
from shared.domain.ledger import Entry
from shared.domain.record import GENESIS, Outcome, Outlet, Row, seal
from shared.domain.settings import HostStorage, Operational
from tests.azure.making import Answer, TrustingClients, key, record, scripted
from tests.local.arm_world import ACCOUNT, SUBSCRIPTION, serve, until

type Event = dict[str, Any]

SEVERITIES = ("", "info", "low", "medium", "high", "critical")
NOTABLE = SEVERITIES[3:]
DOWN = Fault(service="topic", status=503, code="ServiceUnavailable", times=None)


class CountedTopic(Topic):
    """A custom topic that counts the requests which reach it; `faults` are those of the service "topic"."""

    def __init__(self, faults: Faults) -> None:
        super().__init__("/topics/outcomes", time.time, faults)
        self.calls = 0

    def application(self) -> web.Application:
        app = super().application()
        app.middlewares.insert(0, self._count)
        return app

    @web.middleware
    async def _count(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        self.calls += 1
        return await handler(request)


@dataclass(frozen=True)
class Publishing:
    """A topic's courier and its ledger, as the factory that ships makes them, and what they speak to."""

    service: CountedTopic
    faults: Faults
    table: TableClient
    client: EventGridPublisherClient
    ledger: TableLedger
    topic: OutcomeTopic

    async def written(self, number: int, *severities: str) -> tuple[Row, ...]:
        """Rows of those severities in the chain of one resource, committed and not sent."""
        entry, rows = rows_of(await self.ledger.open(key(number)), severities)
        await self.ledger.commit(entry, rows)
        return rows

    async def unsent(self, outlet: Outlet = Outlet.TOPIC) -> Sequence[Row]:
        return await self.ledger.unsent(datetime.now(UTC) + timedelta(hours=1), outlet)

    async def struck(self) -> bool:
        """Whether no row waits to be published any more."""
        return not [row async for row in self.table.query_entities("RowKey ge 'n|' and RowKey lt 'n|~'")]

    def published(self) -> list[str]:
        """The digests of the rows that the topic was told of."""
        return digests_of(self.service)


def digests_of(topic: Topic) -> list[str]:
    """The digests of the rows that a topic was told of."""
    events: list[Event] = topic.events
    return [event["data"]["Digest"] for event in events]


def rows_of(entry: Entry, severities: Sequence[str], age: timedelta = timedelta()) -> tuple[Entry, tuple[Row, ...]]:
    """The entry with a record of each severity more, so old, and their rows."""
    first = datetime.now(UTC) - age
    records = [
        record(at, first + timedelta(milliseconds=at), severity=severity, subscription_id=SUBSCRIPTION, rule=entry.head)
        for at, severity in enumerate(severities)
    ]
    return entry.append(records)


@asynccontextmanager
async def publishing(*faults: Fault) -> AsyncIterator[Publishing]:
    async with AsyncExitStack() as stack:
        certificate = Certificate.issue(Path(stack.enter_context(TemporaryDirectory())))
        known = Faults(faults)
        service = CountedTopic(known)
        topic = await stack.enter_async_context(serve(service.application(), certificate.server))
        database = stack.enter_context(Database(None, lambda: datetime.now(UTC)))
        stored = tables.application(database, "st")
        stored.middlewares.append(known.middleware("tables"))
        own = await stack.enter_async_context(serve(stored, certificate.server))
        options, storage = Operational(notify_topic=topic + PATH), HostStorage(tables=f"{own}/st")
        clients = await stack.enter_async_context(TrustingClients(options, storage, certificate.ca_file))
        table = await stack.enter_async_context(clients.ledger())
        await table.create_table()
        client = await stack.enter_async_context(clients.topic())
        ledger = TableLedger(LedgerTable(table), notifies=True)
        yield Publishing(service, known, table, client, ledger, OutcomeTopic(lambda: client, ledger))
        for task in asyncio.all_tasks():
            if "Courier" in str(task.get_coro()):
                task.cancel()


def test_an_event_says_what_its_row_says() -> None:
    told = record(severity="high", subscription_id=SUBSCRIPTION, outcome=Outcome.FIX_UNVERIFIED)
    row = seal(told, "chain", GENESIS)
    event: Event = outcome_event(row)
    assert event["type"] == "Airlock.Remediation.FixUnverified"
    assert (event["id"], event["specversion"]) == (told.record_id, "1.0")
    assert (event["source"], event["subject"]) == (f"/subscriptions/{SUBSCRIPTION}", ACCOUNT)
    assert event["time"] == row.columns["TimeGenerated"]
    assert event["data"] == {name: value for name, value in row.columns.items() if name != "Sealed"}
    assert {"Digest", "PreviousDigest", "Changes"} <= event["data"].keys()


def test_an_event_about_nothing_in_azure() -> None:
    event = outcome_event(seal(record(resource_id="", severity="high"), "-", GENESIS))
    assert (event["source"], event["subject"]) == ("airlock", "-")


@pytest.mark.usefixtures("identity")
class TestPublishing:
    """What reaches the topic, and what waits for it."""

    async def test_notable_rows_are_published_and_struck(self) -> None:
        async with publishing() as world:
            rows = await world.written(0, *SEVERITIES)
            assert [row.columns["Severity"] for row in await world.unsent()] == list(NOTABLE)
            await world.topic.deliver(rows)
            wanted: list[Event] = [outcome_event(row) for row in rows[3:]]
            told: list[Event] = world.service.events
            for event, own in zip(told, wanted, strict=True):
                assert datetime.fromisoformat(event.pop("time")) == datetime.fromisoformat(own.pop("time"))
                assert event == own
            await until(world.struck)
            assert tuple(await world.unsent(Outlet.LOG)) == rows, "the log's list is none of its business"

    async def test_rows_that_are_not_notable_ask_nobody(self) -> None:
        async with publishing() as world:
            await world.topic.deliver(await world.written(0, "", "info", "low"))
            await world.topic.resend(datetime.now(UTC) + timedelta(hours=1))
            assert world.service.calls == 0

    async def test_what_is_too_much_for_one_call_leaves_in_several(self) -> None:
        async with publishing() as world:
            large = [record(at, severity="high", evidence={"why": "x" * 50_000}) for at in range(24)]
            _, rows = Entry(key(0)).append(large)
            await world.topic.deliver(rows)
            assert world.published() == [row.digest for row in rows]
            assert world.service.calls == 2

    @pytest.mark.parametrize(
        "fault",
        [
            DOWN,
            Fault(service="topic", status=401, code="Unauthorized", times=None),
            Fault(service="topic", status=403, code="Forbidden", times=None),
            Fault(service="topic", status=404, code="NotFound", times=None),
            Fault(service="topic", status=413, code="PayloadTooLarge", times=None),
            Fault(service="topic", status=429, headers={"Retry-After": "60"}, times=None),
            Fault(service="topic", status=303, headers={"Location": "/api/events"}, times=None),
            Fault(service="topic", kind="reset", times=None),
        ],
        ids=lambda fault: f"{fault.kind}-{fault.status}",
    )
    async def test_a_topic_that_takes_nothing_is_not_asked_again_at_once_and_told_later(
        self, fault: Fault, caplog: pytest.LogCaptureFixture
    ) -> None:
        async with publishing(fault) as world:
            rows = await world.written(0, *SEVERITIES)
            with caplog.at_level(logging.WARNING, "shared.azure.courier"):
                await world.topic.deliver(rows)
            assert re.search(r"records waits? in the ledger: topic\.", caplog.text)
            # What is refused for its content may be the fault of one record: those are tried in halves.
            assert world.service.calls == (5 if fault.status == 413 else 1)
            assert tuple(await world.unsent()) == rows[3:]
            world.faults.clear()
            await world.topic.resend(datetime.now(UTC) + timedelta(hours=1))
            assert world.published() == [row.digest for row in rows[3:]]
            await until(world.struck)

    async def test_a_topic_that_is_not_there_leaves_rows_in_the_ledger(self) -> None:
        async with publishing() as world:
            rows = await world.written(0, "high")
            nowhere = Operational(notify_topic="https://127.0.0.1:9/api/events")
            async with TrustingClients(nowhere, HostStorage()) as clients, clients.topic() as client:
                await OutcomeTopic(lambda: client, world.ledger).deliver(rows)
            assert tuple(await world.unsent()) == rows

    async def test_rows_that_were_published_are_struck_once_the_ledger_answers(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        async with publishing() as world:
            rows = await world.written(0, "critical")
            world.faults.add(Fault(service="tables", status=503, times=None))
            await world.topic.deliver(rows)
            await until(lambda: "1 sent records stay listed and will be sent again: ledger." in caplog.text)
            world.faults.clear()
            await world.topic.resend(datetime.now(UTC) + timedelta(hours=1))
            assert world.published() == [rows[0].digest] * 2, "twice rather than not at all, with the same id"
            await until(world.struck)

    async def test_a_mistake_of_ours_is_not_taken_for_an_outage(self) -> None:
        def connect() -> EventGridPublisherClient:
            raise KeyError("a mistake of ours")

        async with publishing() as world:
            rows = await world.written(0, "high")
            with pytest.raises(KeyError):
                await OutcomeTopic(connect, world.ledger).deliver(rows)


class NothingOfOurs(TrustingClients):
    """The factory, but for what it takes for our own stores: nothing."""

    def _transport(self, *own_addresses: str, **more: Any) -> GatedTransport:  # noqa: ANN401 - the factory's own
        del own_addresses
        return super()._transport(**more)


@pytest.mark.usefixtures("identity")
async def test_the_gate_is_in_the_publishers_pipeline() -> None:
    """Events leave because the topic is our own, and would not without that."""
    async with scripted(Answer(200, {}, {"Content-Type": "application/json"})) as server:
        options = Operational(notify_topic=f"{server.url}/api/events")
        event = outcome_event(seal(record(), "chain", GENESIS))
        async with NothingOfOurs(options, HostStorage(), server.ca_file) as clients, clients.topic() as client:
            with pytest.raises(Refused):
                await client.send(event)
        assert server.asked == []
        async with TrustingClients(options, HostStorage(), server.ca_file) as ours, ours.topic() as client:
            await client.send(event)
        assert server.asked == ["POST /api/events"]
