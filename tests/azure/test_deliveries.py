"""Records that go to the log and to the topic: neither waits for the other, and each gets what it did not take."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

import function_app
from local.certificate import Certificate
from local.faults import Fault, Faults
from local.logs import LogsService
from local.storage import tables
from local.storage.database import Database
from local.topic import PATH
from shared.azure.deliveries import Deliveries
from shared.azure.gate import GatedTransport
from shared.azure.ledger import TableLedger
from shared.azure.ledger_table import LedgerTable
from shared.domain.failure import Cause, TryAgain
from shared.domain.record import Outlet, Row, schema
from shared.domain.settings import HostStorage, Operational
from shared.settle import settle
from shared.world import World
from tests.azure.making import NOW, TrustingClients, key
from tests.azure.test_topic import DOWN, NOTABLE, SEVERITIES, CountedTopic, digests_of, rows_of
from tests.local.arm_world import serve, until

RULE, STREAM = "dcr-1", "Custom-AirlockRemediation_CL"


@dataclass
class Meeting:
    """An outlet that waits for the others of its kind, and then fails if it is to."""

    barrier: asyncio.Barrier
    failure: Exception | None = None
    done: list[str] = field(default_factory=list)

    async def deliver(self, rows: Sequence[Row]) -> None:
        del rows
        await self._meet("deliver")

    async def resend(self, before: datetime) -> None:
        del before
        await self._meet("resend")

    async def _meet(self, what: str) -> None:
        async with asyncio.timeout(5):
            await self.barrier.wait()
        if self.failure is not None:
            raise self.failure
        self.done.append(what)


async def test_all_outlets_are_served_at_the_same_time() -> None:
    barrier = asyncio.Barrier(2)
    outlets = [Meeting(barrier), Meeting(barrier)]
    both = Deliveries(*outlets)
    await both.deliver([])
    await both.resend(NOW)
    assert [outlet.done for outlet in outlets] == [["deliver", "resend"]] * 2


async def test_an_outlet_that_fails_keeps_no_other_from_its_turn() -> None:
    barrier = asyncio.Barrier(2)
    failing = Meeting(barrier, TryAgain(Cause("ledger.unreachable", "it does not answer")))
    other = Meeting(barrier)
    for both in (Deliveries(failing, other), Deliveries(other, failing)):
        with pytest.raises(TryAgain):
            await both.resend(NOW)
    assert other.done == ["resend", "resend"]


class OwnClients(TrustingClients):
    """The factory, and an end to the connections of all clients that it made."""

    def __init__(self, options: Operational, storage: HostStorage, ca_file: Path) -> None:
        super().__init__(options, storage, ca_file)
        self.made: list[GatedTransport] = []

    def _transport(self, *own_addresses: str, **more: Any) -> GatedTransport:  # noqa: ANN401 - the factory's own
        self.made.append(super()._transport(*own_addresses, **more))
        return self.made[-1]

    async def close(self) -> None:
        for transport in self.made:
            await transport.close()
        await self._credential.close()


@dataclass(frozen=True)
class Composed:
    """The app's own world, as it composes it from its settings, and what it speaks to."""

    world: World
    logs: LogsService
    topic: CountedTopic
    faults: Faults
    ledger: TableLedger

    async def written(self, number: int, *severities: str) -> tuple[Row, ...]:
        """Rows of those severities, a minute old, that were committed and not sent."""
        entry, rows = rows_of(await self.world.ledger.open(key(number)), severities, timedelta(minutes=1))
        await self.world.ledger.commit(entry, rows)
        return rows

    async def unsent(self, outlet: Outlet) -> Sequence[Row]:
        return await self.ledger.unsent(datetime.now(UTC) + timedelta(hours=1), outlet)

    async def is_struck(self, outlet: Outlet) -> bool:
        return not await self.unsent(outlet)

    def logged(self) -> list[str]:
        """The digests of the rows in the log, those about settings left out."""
        return [str(row["Digest"]) for row in self.logs.rows if row["Outcome"] != "SettingsChanged"]

    def published(self) -> list[str]:
        """The digests of the rows that the topic was told of."""
        return digests_of(self.topic)


@asynccontextmanager
async def composed(monkeypatch: pytest.MonkeyPatch, *, notifies: bool = True) -> AsyncIterator[Composed]:
    async with AsyncExitStack() as stack:
        certificate = Certificate.issue(Path(stack.enter_context(TemporaryDirectory())))
        faults = Faults()
        topic = CountedTopic(faults)
        logs = LogsService(RULE, {STREAM: schema()}, lambda: datetime.now(UTC).timestamp(), faults)
        stored = tables.application(stack.enter_context(Database(None, lambda: datetime.now(UTC))), "st")
        own = await stack.enter_async_context(serve(stored, certificate.server))
        address = await stack.enter_async_context(serve(topic.application(), certificate.server))
        settings = {
            "AIRLOCK_LEASE_SECONDS": "5",
            "AIRLOCK_LOGS_ENDPOINT": await stack.enter_async_context(serve(logs.application(), certificate.server)),
            "AIRLOCK_LOGS_RULE": RULE,
            "AIRLOCK_NOTIFY_TOPIC": address + PATH if notifies else "",
            "AzureWebJobsStorage__tableServiceUri": f"{own}/st",
            "AzureWebJobsStorage__queueServiceUri": f"{own}/st",
        }
        for name, value in settings.items():
            monkeypatch.setenv(name, value)
        made: list[OwnClients] = []

        def clients(options: Operational, storage: HostStorage) -> OwnClients:
            made.append(OwnClients(options, storage, certificate.ca_file))
            stack.push_async_callback(made[-1].close)
            return made[-1]

        monkeypatch.setattr("shared.azure.clients.Clients", clients)
        world = function_app._world.__wrapped__()  # noqa: SLF001 - one for this test, not the one of the process
        yield Composed(world, logs, topic, faults, TableLedger(LedgerTable(made[0].ledger())))
        for task in asyncio.all_tasks():
            if "Courier" in str(task.get_coro()):
                task.cancel()


@pytest.mark.usefixtures("identity")
class TestComposed:
    """The app's own log, ledger and topic, and its timer."""

    async def test_records_go_to_the_log_and_the_notable_ones_to_the_topic(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async with composed(monkeypatch) as app:
            rows = await app.written(0, *SEVERITIES)
            await app.world.log.deliver(rows)
            assert app.logged() == [row.digest for row in rows]
            assert app.published() == [row.digest for row in rows if row.columns.get("Severity") in NOTABLE]
            await until(lambda: app.is_struck(Outlet.LOG))
            await until(lambda: app.is_struck(Outlet.TOPIC))

    async def test_a_topic_that_was_down_is_told_by_the_timer_of_exactly_what_it_missed(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async with composed(monkeypatch) as app:
            told = await app.written(0, "high", "low")
            await app.world.log.deliver(told)
            await until(lambda: app.is_struck(Outlet.TOPIC))
            app.faults.add(DOWN)
            missed = await app.written(1, *SEVERITIES)
            await app.world.log.deliver(missed)
            await until(lambda: app.is_struck(Outlet.LOG))
            await settle(app.world)
            assert app.logged() == [row.digest for row in (*told, *missed)], "the log goes on"
            assert app.published() == [told[0].digest]
            assert await app.unsent(Outlet.TOPIC) == missed[3:]
            app.faults.clear()
            await settle(app.world)
            assert app.published() == [told[0].digest, *(row.digest for row in missed[3:])]
            await until(lambda: app.is_struck(Outlet.TOPIC))
            await settle(app.world)
            assert len(app.published()) == 1 + len(NOTABLE)
            assert len(app.logged()) == len(told) + len(missed)

    async def test_a_log_that_was_down_gets_its_rows_and_the_topic_none_again(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async with composed(monkeypatch) as app:
            app.faults.add(Fault(service="logs", status=503, times=None))
            rows = await app.written(0, "high", "low")
            await app.world.log.deliver(rows)
            assert app.logged() == []
            await until(lambda: app.is_struck(Outlet.TOPIC))
            app.faults.clear()
            await settle(app.world)
            assert app.logged() == [row.digest for row in rows]
            assert app.published() == [rows[0].digest]

    async def test_what_a_crash_kept_from_both_is_sent_to_both(self, monkeypatch: pytest.MonkeyPatch) -> None:
        async with composed(monkeypatch) as app:
            rows = await app.written(0, "high", "low")
            await settle(app.world)
            assert app.logged() == [row.digest for row in rows]
            assert app.published() == [rows[0].digest]

    async def test_without_a_topic_nothing_waits_for_one(self, monkeypatch: pytest.MonkeyPatch) -> None:
        async with composed(monkeypatch, notifies=False) as app:
            await app.world.log.deliver(await app.written(0, "critical"))
            await settle(app.world)
            assert await app.unsent(Outlet.TOPIC) == ()
            assert app.published() == []
