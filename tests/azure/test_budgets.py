"""How many fixes all workers together may begin within an hour, on this repository's storage and on Azurite."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import pytest
from azure.core.pipeline.transport import AioHttpTransport
from azure.data.tables.aio import TableClient
from hypothesis import given
from hypothesis import strategies as st

from local.faults import Fault, Faults
from local.storage import tables
from local.storage.database import Database
from shared.azure.budgets import TableBudgets
from shared.azure.entities import budget_entity, budget_row, read_budget, shard
from shared.azure.ledger_table import LedgerTable
from shared.domain.budget import Budget
from shared.domain.failure import TryAgain
from tests.azure.making import NOW, SECOND, Answer, scripted, trusting
from tests.domain.making import moments
from tests.local.arm_world import SUBSCRIPTION, serve
from tests.storage_account import Authority, FixedToken

HOUR = timedelta(hours=1)


@pytest.fixture
async def made(table: TableClient) -> TableClient:
    """The table, which is there."""
    await table.create_table()
    return table


async def kept(table: TableClient, subscription: str = SUBSCRIPTION) -> Budget:
    """The budget as it stands in the table."""
    return read_budget(await table.get_entity(shard(subscription), budget_row(subscription)))


async def begun(claims: Sequence[Callable[[], Awaitable[bool]]]) -> list[bool]:
    """What came of the claims, all at the same time; who met others too often tries again, as the queue does."""

    async def insist(claim: Callable[[], Awaitable[bool]]) -> bool:
        for _ in range(50):
            try:
                return await claim()
            except TryAgain as again:
                assert again.cause.code == "ledger.busy"  # noqa: PT017 - whatever else went wrong
        raise TimeoutError

    return await asyncio.gather(*map(insist, claims))


def claims_of(
    workers: Sequence[TableBudgets], count: int, limit: int, *, critical: Callable[[int], bool]
) -> list[Callable[[], Awaitable[bool]]]:
    """So many claims, by turns of one worker and another."""

    def one(number: int) -> Callable[[], Awaitable[bool]]:
        worker = workers[number % len(workers)]
        return lambda: worker.claim(SUBSCRIPTION, NOW, limit, critical=critical(number))

    return [one(number) for number in range(count)]


@pytest.mark.parametrize(
    "limit, critical, common_begun, critical_begun",
    [
        (20, lambda _: False, 16, 0),
        (20, lambda number: number >= 40, 16, None),
        (100, lambda number: number % 5 == 0, 40, 10),
    ],
    ids=["common", "a few critical", "room for all"],
)
async def test_two_workers_together_never_begin_more_than_the_limit(
    made: TableClient, limit: int, critical: Callable[[int], bool], common_begun: int, critical_begun: int | None
) -> None:
    workers = [TableBudgets(LedgerTable(made)) for _ in range(2)]
    found = await begun(claims_of(workers, 50, limit, critical=critical))
    by_kind = [sum(won for number, won in enumerate(found) if critical(number) is kind) for kind in (False, True)]
    assert sum(found) <= limit
    assert by_kind[0] == common_begun
    if critical_begun is None:
        assert by_kind[1] >= limit // 5, "what is kept is there for whoever comes last"
    else:
        assert by_kind[1] == critical_begun
    assert await kept(made) == Budget(NOW, *by_kind)


async def test_a_worker_that_another_came_before_looks_again(made: TableClient) -> None:
    one, other = TableBudgets(LedgerTable(made)), TableBudgets(LedgerTable(made))
    for worker in (one, other, one, other, other, one):
        assert await worker.claim(SUBSCRIPTION, NOW, 100, critical=False)
    assert await kept(made) == Budget(NOW, common=6)


async def test_what_another_worker_begun_counts(made: TableClient) -> None:
    one, other = TableBudgets(LedgerTable(made)), TableBudgets(LedgerTable(made))
    assert await one.claim(SUBSCRIPTION, NOW, 2, critical=True)
    assert await other.claim(SUBSCRIPTION, NOW, 2, critical=True)
    for worker in (one, other, TableBudgets(LedgerTable(made))):
        assert not await worker.claim(SUBSCRIPTION, NOW, 2, critical=True)
    assert await kept(made) == Budget(NOW, critical=2)


async def test_a_new_hour_is_one_for_all_workers(made: TableClient) -> None:
    one, other = TableBudgets(LedgerTable(made)), TableBudgets(LedgerTable(made))
    for worker in (one, other):
        await worker.claim(SUBSCRIPTION, NOW, 2, critical=False)
        assert not await worker.claim(SUBSCRIPTION, NOW + HOUR - SECOND, 1, critical=False)
    for worker in (other, one):
        assert await worker.claim(SUBSCRIPTION, NOW + HOUR, 2, critical=False)
    assert not await TableBudgets(LedgerTable(made)).claim(SUBSCRIPTION, NOW + HOUR, 2, critical=True)
    assert await kept(made) == Budget(NOW + HOUR, common=2)


async def test_every_subscription_has_a_budget_of_its_own(made: TableClient) -> None:
    budgets = TableBudgets(LedgerTable(made))
    names = [f"{SUBSCRIPTION[:-1]}{number}" for number in range(6)]
    for name in names:
        assert await budgets.claim(name, NOW, 1, critical=False)
        assert not await budgets.claim(name, NOW, 1, critical=False)
    assert [await kept(made, name) for name in names] == [Budget(NOW, common=1)] * 6


async def test_the_table_is_made_with_the_first_claim(table: TableClient) -> None:
    budgets = TableBudgets(LedgerTable(table))
    assert await budgets.claim(SUBSCRIPTION, NOW, 1, critical=False)
    assert not await budgets.claim(SUBSCRIPTION, NOW, 1, critical=False)


@given(st.builds(Budget, moments, st.integers(0, 10_000), st.integers(0, 10_000)))
def test_a_budget_comes_back(budget: Budget) -> None:
    assert read_budget(budget_entity(SUBSCRIPTION, budget)) == budget


@asynccontextmanager
async def failing(authority: Authority) -> AsyncIterator[tuple[TableClient, Faults]]:
    """A table, and what is to go wrong with it."""
    faults = Faults()
    with Database(None, lambda: datetime.now(UTC)) as database:
        app = tables.application(database, "st")
        app.middlewares.append(faults.middleware("tables"))
        transport = AioHttpTransport(session=trusting(authority.bundle))
        async with (
            serve(app, authority.server) as url,
            TableClient(f"{url}/st", "Ledger", credential=FixedToken(), transport=transport, retry_total=0) as table,
        ):
            await table.create_table()
            yield table, faults


@pytest.mark.parametrize("seen", [False, True], ids=["unseen", "seen before"])
@pytest.mark.parametrize(
    "fault",
    [
        Fault(status=503, code="ServerBusy", times=None),
        Fault(status=403, code="AuthorizationFailure", times=None),
        Fault(kind="reset", times=None),
        Fault(kind="truncate", times=None),
    ],
    ids=lambda fault: f"{fault.kind}-{fault.status}",
)
async def test_a_budget_that_nobody_can_tell_is_no_leave_to_begin(
    authority: Authority,
    fault: Fault,
    seen: bool,  # noqa: FBT001 - a column
) -> None:
    async with failing(authority) as (table, faults):
        budgets = TableBudgets(LedgerTable(table))
        if seen:
            assert await budgets.claim(SUBSCRIPTION, NOW, 10, critical=False)
        faults.add(fault)
        for _ in range(2):
            with pytest.raises(TryAgain) as told:
                await budgets.claim(SUBSCRIPTION, NOW, 10, critical=True)
            assert told.value.cause.code.startswith("ledger.")
        faults.clear()
        assert await budgets.claim(SUBSCRIPTION, NOW, 10, critical=False)
        found = await kept(table)
        assert found.common == 1 + seen
        # A claim whose answer was lost may stand: that is a fix too few, never one too many.
        assert found.critical == (0 if fault.kind != "truncate" else found.critical)


async def test_a_claim_whose_answer_was_lost_is_never_counted_twice_for_one_fix(authority: Authority) -> None:
    async with failing(authority) as (table, faults):
        budgets = TableBudgets(LedgerTable(table))
        assert await budgets.claim(SUBSCRIPTION, NOW, 10, critical=False)
        faults.add(Fault(status=504, method="POST", after_effect=True))
        with pytest.raises(TryAgain):
            await budgets.claim(SUBSCRIPTION, NOW, 10, critical=False)
        assert (await kept(table)).common == 2
        assert await budgets.claim(SUBSCRIPTION, NOW, 10, critical=False)
        assert (await kept(table)).common == 3


@pytest.mark.parametrize("status", [409, 412])
async def test_who_loses_every_time_goes_back_to_the_queue(authority: Authority, status: int) -> None:
    async with failing(authority) as (table, faults):
        budgets = TableBudgets(LedgerTable(table))
        faults.add(Fault(status=status, code="UpdateConditionNotSatisfied", method="POST", times=None))
        with pytest.raises(TryAgain) as told:
            await budgets.claim(SUBSCRIPTION, NOW, 10, critical=False)
        assert told.value.cause.code == "ledger.busy"
        faults.clear()
        assert await budgets.claim(SUBSCRIPTION, NOW, 10, critical=False)
        assert await kept(table) == Budget(NOW, common=1)


@pytest.mark.parametrize("body", [b"<html>Bad Gateway</html>", b"{", b"[]", b""])
async def test_answers_that_no_table_service_gives(body: bytes) -> None:
    async with scripted(Answer(502, body, {"Content-Type": "application/json"})) as server:
        transport = AioHttpTransport(session=trusting(server.ca_file))
        table = TableClient(f"{server.url}/st", "Ledger", credential=FixedToken(), transport=transport, retry_total=0)
        async with table:
            with pytest.raises(TryAgain) as told:
                await TableBudgets(LedgerTable(table)).claim(SUBSCRIPTION, NOW, 10, critical=False)
            assert told.value.cause.code == "ledger.http-502"
