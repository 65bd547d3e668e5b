"""The remediation log: the real ingestion client, a service that fails as it is told, and the ledger behind both."""

import asyncio
import hashlib
import json
import logging
import re
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from aiohttp import web
from aiohttp.typedefs import Handler, Middleware
from azure.data.tables.aio import TableClient
from azure.monitor.ingestion.aio import LogsIngestionClient

from local.certificate import Certificate
from local.faults import Fault, Faults
from local.logs import LIMIT_BYTES, LogsService
from local.storage import tables
from local.storage.database import Database
from shared.azure.chunks import chunks
from shared.azure.ledger import TableLedger
from shared.azure.ledger_table import LedgerTable
from shared.azure.log import RemediationLog
from shared.domain.failure import TryAgain
from shared.domain.ledger import Entry
from shared.domain.record import Record, Row, schema
from shared.domain.settings import HostStorage, Operational
from tests.azure.making import TrustingClients, assert_chain, concluded, key, record
from tests.local.arm_world import serve, until

pytestmark = pytest.mark.usefixtures("identity")

RULE, STREAM = "dcr-1", "Custom-AirlockRemediation_CL"
DOWN = Fault(service="logs", status=503, code="ServiceUnavailable", times=None)


@dataclass
class Gatekeeper:
    """Holds transactions back while it is closed."""

    open: asyncio.Event
    arrived: asyncio.Event

    def middleware(self) -> Middleware:
        @web.middleware
        async def hold(request: web.Request, handler: Handler) -> web.StreamResponse:
            if request.path.endswith("$batch"):
                self.arrived.set()
                await self.open.wait()
            return await handler(request)

        return hold


@dataclass
class Picky:
    """Refuses whatever holds a row that it does not like; the digests of those, with the status that it answers."""

    status: int = 400
    dislikes: set[str] = field(default_factory=set)

    def middleware(self) -> Middleware:
        @web.middleware
        async def pick(request: web.Request, handler: Handler) -> web.StreamResponse:
            digests = {row["Digest"] for row in json.loads(await request.read())}
            if digests & self.dislikes:
                error = {"error": {"code": "InvalidRecord", "message": "A row is not what the table wants."}}
                return web.json_response(error, status=self.status)
            return await handler(request)

        return pick


@dataclass(frozen=True)
class Logging:
    """A log and its ledger, as the factory that ships makes them, and what they speak to."""

    service: LogsService
    faults: Faults
    table: TableClient
    url: str
    ca_file: Path
    gatekeeper: Gatekeeper
    picky: Picky
    log: RemediationLog
    ledger: TableLedger

    async def written(self, number: int, count: int = 1) -> tuple[Row, ...]:
        """So many rows in the chain of one resource, committed and not sent."""
        entry, rows = concluded(await self.ledger.open(key(number)), count, datetime.now(UTC), 1000 * number)
        await self.ledger.commit(entry, rows)
        return rows

    async def unsent(self) -> Sequence[Row]:
        return await self.ledger.unsent(datetime.now(UTC) + timedelta(hours=1))

    async def struck(self) -> bool:
        """Whether no row is listed any more."""
        return not [row async for row in self.table.query_entities("RowKey ge 'o|' and RowKey lt 'o|~'")]

    def arrived(self) -> list[str]:
        """The digests of the rows that the service took."""
        return [str(row["Digest"]) for row in self.service.rows]


@asynccontextmanager
async def running(*faults: Fault) -> AsyncIterator[Logging]:
    async with AsyncExitStack() as stack:
        certificate = Certificate.issue(Path(stack.enter_context(TemporaryDirectory())))
        known = Faults(faults)
        service, picky = LogsService(RULE, {STREAM: schema()}, time.time, known), Picky()
        taking = service.application()
        taking.middlewares.append(picky.middleware())
        logs = await stack.enter_async_context(serve(taking, certificate.server))
        gatekeeper = Gatekeeper(asyncio.Event(), asyncio.Event())
        gatekeeper.open.set()
        database = stack.enter_context(Database(None, lambda: datetime.now(UTC)))
        stored = tables.application(database, "st")
        stored.middlewares.extend([gatekeeper.middleware(), known.middleware("tables")])
        own = await stack.enter_async_context(serve(stored, certificate.server))
        clients = TrustingClients(
            Operational(logs_endpoint=logs, logs_rule=RULE), HostStorage(tables=f"{own}/st"), certificate.ca_file
        )
        await stack.enter_async_context(clients)
        table = await stack.enter_async_context(clients.ledger())
        await table.create_table()
        client = await stack.enter_async_context(clients.logs())
        ledger = TableLedger(LedgerTable(table))
        log = RemediationLog(lambda: client, ledger, RULE, STREAM)
        yield Logging(service, known, table, logs, certificate.ca_file, gatekeeper, picky, log, ledger)
        for task in log_tasks():
            task.cancel()


def log_tasks() -> list[asyncio.Task[object]]:
    """The strikes that are still to come."""
    return [task for task in asyncio.all_tasks() if "Courier" in str(task.get_coro())]


async def test_rows_arrive_as_they_were_sealed_and_are_struck() -> None:
    async with running() as world:
        rows = await world.written(0, 5)
        await world.log.deliver(rows)
        kept = [{name: value for name, value in row.items() if value is not None} for row in world.service.rows]
        assert kept == [row.columns for row in rows]
        assert not any(world.service.dropped.values())
        for row in kept:
            told = str(row["PreviousDigest"]) + str(row["Sealed"])
            assert hashlib.sha256(told.encode()).hexdigest() == row["Digest"]
            assert json.loads(str(row["Sealed"])).items() <= row.items()
        assert_chain(rows, (await world.ledger.open(key(0))).head)
        await until(world.struck)


async def test_deliveries_at_the_same_time_share_requests() -> None:
    async with running() as world:
        rows = [(await world.written(number))[0] for number in range(30)]
        await asyncio.gather(*(world.log.deliver([row]) for row in rows))
        assert sorted(world.arrived()) == sorted(row.digest for row in rows)
        assert len(world.service.requests) <= 2
        assert await world.unsent()
        await until(world.struck)


async def test_nothing_to_deliver_asks_nobody() -> None:
    async with running() as world:
        await world.log.deliver([])
        assert world.service.requests == []


async def test_what_is_too_much_for_one_call_leaves_in_several() -> None:
    async with running() as world:
        _, rows = Entry(key(0)).append([large(at) for at in range(24)])
        await world.log.deliver(rows)
        assert world.arrived() == [row.digest for row in rows]
        assert [request.status for request in world.service.requests] == [204, 204]
        assert max(request.size for request in world.service.requests) <= LIMIT_BYTES


def large(number: int) -> Record:
    """A record that is nearly as long as one may be."""
    return record(number, datetime.now(UTC), evidence={"why": "x" * 25_000})


@pytest.mark.parametrize(
    "fault",
    [
        DOWN,
        Fault(service="logs", status=403, code="Forbidden"),
        Fault(service="logs", status=413, code="ContentLengthLimitExceeded", times=None),
        Fault(service="logs", status=429, code="TooManyRequests", headers={"Retry-After": "60"}),
        Fault(service="logs", kind="reset"),
    ],
)
async def test_a_log_that_does_not_take_rows_leaves_them_in_the_ledger(
    fault: Fault, caplog: pytest.LogCaptureFixture
) -> None:
    async with running(fault) as world:
        rows = await world.written(0, 2)
        with caplog.at_level(logging.WARNING, "shared.azure.courier"):
            await world.log.deliver(rows)
        assert re.search(r"records waits? in the ledger: log\.", caplog.text)
        assert world.service.rows == []
        assert tuple(await world.unsent()) == rows
        world.faults.clear()
        await world.log.deliver(await world.unsent())
        assert world.arrived() == [row.digest for row in rows]


async def test_a_log_that_is_down_is_asked_once_for_each_delivery() -> None:
    async with running(DOWN) as world:
        rows = [(await world.written(number))[0] for number in range(3)]
        for row in rows:
            await world.log.deliver([row])
        assert len(await world.unsent()) == 3
        assert world.faults.done["status"] == 3


async def test_a_log_that_is_not_configured_leaves_rows_in_the_ledger() -> None:
    async with running() as world:
        rows = await world.written(0)
        clients = TrustingClients(Operational(), HostStorage())
        async with clients:
            unconfigured = RemediationLog(clients.logs, world.ledger, "", STREAM)
            await unconfigured.deliver(rows)
        assert tuple(await world.unsent()) == rows


async def test_without_a_token_rows_stay_in_the_ledger(monkeypatch: pytest.MonkeyPatch) -> None:
    async with running() as world:
        rows = await world.written(0)
        monkeypatch.setenv("IDENTITY_HEADER", "guessed")
        options = Operational(logs_endpoint=world.url)
        async with TrustingClients(options, HostStorage(), world.ca_file) as clients, clients.logs() as client:
            await RemediationLog(lambda: client, world.ledger, RULE, STREAM).deliver(rows)
        assert tuple(await world.unsent()) == rows
        assert world.service.requests == []


async def test_rows_that_could_not_be_struck_stay_and_are_sent_again(caplog: pytest.LogCaptureFixture) -> None:
    async with running() as world:
        rows = await world.written(0, 2)
        world.faults.add(Fault(service="tables", method="POST", status=503, times=None))
        world.faults.add(Fault(service="tables", method="DELETE", status=503, times=None))
        with caplog.at_level(logging.WARNING, "shared.azure.courier"):
            await world.log.deliver(rows)
            await until(lambda: "2 sent records stay listed and will be sent again: ledger." in caplog.text)
        world.faults.clear()
        assert tuple(await world.unsent()) == rows
        await world.log.deliver(await world.unsent())
        assert world.arrived() == [row.digest for row in (*rows, *rows)]
        await until(world.struck)


async def test_rows_that_were_sent_during_a_strike_are_struck_too() -> None:
    """Nobody may deliver anything after them."""
    async with running() as world:
        first, second = await world.written(0), await world.written(1)
        world.gatekeeper.open.clear()
        world.gatekeeper.arrived.clear()
        await world.log.deliver(first)
        await world.gatekeeper.arrived.wait()
        await world.log.deliver(second)
        world.gatekeeper.open.set()
        await until(world.struck)


async def test_who_is_cut_off_loses_nothing() -> None:
    hang = Fault(service="logs", kind="hang", seconds=30)
    async with running(hang) as world:
        rows = await world.written(0)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await world.log.deliver(rows)
        more = await world.written(1)
        await world.log.deliver(more)
        assert world.arrived() == []
        assert {row.digest for row in await world.unsent()} == {row.digest for row in (*rows, *more)}


async def test_a_mistake_of_ours_is_not_taken_for_an_outage() -> None:
    def connect() -> LogsIngestionClient:
        raise KeyError("a mistake of ours")

    async with running() as world:
        rows = await world.written(0)
        with pytest.raises(KeyError):
            await RemediationLog(connect, world.ledger, RULE, STREAM).deliver(rows)


# From here on: what an outage left over.

LATER = timedelta(hours=1)


async def left_over(world: Logging, numbers: Sequence[int], count: int = 1) -> list[Row]:
    """Rows that an outage left unsent, so many for each resource, oldest first."""
    first = datetime.now(UTC) - LATER
    rows: list[Row] = []
    for number in numbers:
        entry, more = concluded(
            await world.ledger.open(key(number)), count, first + timedelta(seconds=number), 1000 * number
        )
        await world.ledger.commit(entry, more)
        rows += more
    return rows


async def test_all_that_was_left_over_is_sent_oldest_first_and_struck() -> None:
    async with running() as world:
        rows = await left_over(world, range(12), 3)
        await world.log.resend(datetime.now(UTC))
        assert world.arrived() == [row.digest for row in rows]
        assert await world.struck()
        await world.log.resend(datetime.now(UTC))
        assert len(world.arrived()) == len(rows)


async def test_more_pages_than_one_are_sent_in_one_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.azure.ledger_table.MOST", 4)
    async with running() as world:
        rows = [row for first in range(3) for row in await left_over(world, [0], 5 + first)]
        rows += await left_over(world, [1], 2)
        await world.log.resend(datetime.now(UTC))
        chains = {chain: [row.digest for row in rows if row.chain == chain] for chain in (key(0), key(1))}
        arrived = world.arrived()
        assert {chain: [each for each in arrived if each in digests] for chain, digests in chains.items()} == chains
        assert len(arrived) == len(rows)
        assert await world.struck()


async def test_one_run_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.azure.ledger_table.MOST", 2)
    monkeypatch.setattr("shared.azure.courier._MOST_PAGES", 3)
    async with running() as world:
        rows = [row for _ in range(2) for row in await left_over(world, [0], 5)]
        for sent in (6, 10):
            await world.log.resend(datetime.now(UTC))
            assert world.arrived() == [row.digest for row in rows[:sent]]
        assert await world.struck()


async def test_what_was_written_just_now_is_left_to_whoever_wrote_it() -> None:
    async with running() as world:
        old = await left_over(world, [0], 2)
        young = await world.written(1)
        await world.log.resend(datetime.now(UTC) - timedelta(minutes=5))
        assert world.arrived() == [row.digest for row in old]
        assert tuple(await world.unsent()) == young


@pytest.mark.parametrize("status, disliked", [(400, [0]), (413, [2, 3]), (413, [0, 4, 7]), (400, [7])])
async def test_a_row_that_is_refused_for_good_keeps_no_other_from_being_sent(
    status: int, disliked: list[int], caplog: pytest.LogCaptureFixture
) -> None:
    async with running() as world:
        rows = await left_over(world, range(8))
        world.picky.status = status
        world.picky.dislikes = {rows[number].digest for number in disliked}
        good = [row for number, row in enumerate(rows) if number not in disliked]
        with caplog.at_level(logging.WARNING, "shared.azure.courier"):
            await world.log.resend(datetime.now(UTC))
        assert "1 of the records waits in the ledger: log.invalid-record" in caplog.text
        assert world.arrived() == [row.digest for row in good]
        assert list(await world.unsent()) == [rows[number] for number in disliked]
        # The next run has new ones, and takes those too.
        more = await left_over(world, [99])
        await world.log.resend(datetime.now(UTC))
        assert world.arrived() == [row.digest for row in (*good, *more)]
        # Once somebody mended the table, nothing is lost.
        world.picky.dislikes.clear()
        await world.log.resend(datetime.now(UTC))
        assert sorted(world.arrived()) == sorted(row.digest for row in (*rows, *more))
        assert await world.struck()


async def test_a_whole_call_of_rows_that_are_refused_for_good_keeps_no_other_from_being_sent() -> None:
    async with running() as world:
        entry, rows = Entry(key(0)).append([large(at) for at in range(24)])
        await world.ledger.commit(entry, rows)
        listed = await world.unsent()
        bad, *_ = chunks(listed)
        world.picky.dislikes = {row.digest for row in bad}
        await world.log.resend(datetime.now(UTC) + LATER)
        assert world.arrived() == [row.digest for row in listed[len(bad) :]]


@pytest.mark.parametrize("status", [400, 413])
async def test_a_row_that_is_refused_for_good_keeps_no_other_from_being_delivered(status: int) -> None:
    async with running() as world:
        rows = [(await world.written(number))[0] for number in range(5)]
        world.picky.status, world.picky.dislikes = status, {rows[2].digest}
        await world.log.deliver(rows)
        assert world.arrived() == [row.digest for row in rows if row is not rows[2]]
        await until(lambda: len_is(world, 1))
        assert list(await world.unsent()) == [rows[2]]


async def len_is(world: Logging, count: int) -> bool:
    """Whether so many rows are listed as unsent."""
    return len(await world.unsent()) == count


@pytest.mark.parametrize(
    "fault",
    [
        DOWN,
        Fault(service="logs", status=403, code="OperationFailed", times=None),
        Fault(service="logs", status=429, code="TooManyRequests", times=None),
        Fault(service="logs", kind="reset", times=None),
    ],
    ids=lambda fault: f"{fault.kind}-{fault.status}",
)
async def test_a_log_that_is_down_is_asked_once_in_a_run(fault: Fault) -> None:
    async with running(fault) as world:
        entry, rows = Entry(key(0)).append([large(at) for at in range(24)])
        await world.ledger.commit(entry, rows)
        await world.log.resend(datetime.now(UTC) + LATER)
        assert sum(world.faults.done.values()) == 1, "not once for each of several calls"
        assert world.arrived() == []
        world.faults.clear()
        await world.log.resend(datetime.now(UTC) + LATER)
        assert sorted(world.arrived()) == sorted(row.digest for row in rows)


async def test_a_log_that_goes_down_midway_keeps_what_it_took() -> None:
    async with running(Fault(service="logs", status=503, skip=1, times=None)) as world:
        entry, rows = Entry(key(0)).append([large(at) for at in range(24)])
        await world.ledger.commit(entry, rows)
        await world.log.resend(datetime.now(UTC) + LATER)
        first = world.arrived()
        assert 0 < len(first) < len(rows)
        assert {row.digest for row in await world.unsent()} == {row.digest for row in rows} - {*first}
        world.faults.clear()
        await world.log.resend(datetime.now(UTC) + LATER)
        assert sorted(world.arrived()) == sorted(row.digest for row in rows), "none is sent twice"


async def test_a_ledger_that_cannot_say_what_is_left_over_is_asked_again_later() -> None:
    async with running() as world:
        rows = await left_over(world, [0])
        world.faults.add(Fault(service="tables", method="GET", status=503, times=None))
        with pytest.raises(TryAgain):
            await world.log.resend(datetime.now(UTC))
        world.faults.clear()
        await world.log.resend(datetime.now(UTC))
        assert world.arrived() == [row.digest for row in rows]


async def test_rows_that_could_not_be_struck_are_sent_once_more_and_not_lost() -> None:
    async with running() as world:
        rows = await left_over(world, range(2))
        for method in ("POST", "DELETE"):
            world.faults.add(Fault(service="tables", method=method, status=503, times=None))
        with pytest.raises(TryAgain):
            await world.log.resend(datetime.now(UTC))
        world.faults.clear()
        await world.log.resend(datetime.now(UTC))
        assert world.arrived() == [row.digest for row in (*rows, *rows)]
        assert await world.struck()
