"""A table that fails, in every way that it can: each call comes out as TryAgain and leaves nothing half done."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta

import pytest
from azure.core.pipeline.transport import AioHttpTransport
from azure.data.tables.aio import TableClient

from local.faults import Fault, Faults
from local.storage import tables
from local.storage.database import Database
from shared.azure.ledger import TableLedger
from shared.azure.ledger_table import LedgerTable
from shared.domain.failure import TryAgain
from shared.domain.ledger import Entry
from tests.azure.making import NOW, SECOND, TARGET, Answer, concluded, intended, key, scripted, trusting
from tests.local.arm_world import serve
from tests.storage_account import Authority, FixedToken

KEY = TARGET.key
LATER = NOW + timedelta(hours=1)
COMMITTED, ROWS = concluded(Entry(KEY))
_, GONE = concluded(Entry(key(1)))

CALLS: Mapping[str, Callable[[TableLedger], Awaitable[object]]] = {
    "open": lambda ledger: ledger.open(KEY),
    "commit": lambda ledger: ledger.commit(intended(COMMITTED, NOW), ROWS),
    "attach": lambda ledger: ledger.attach(TARGET, ["k"], []),
    "detach": lambda ledger: ledger.attach(TARGET, [], ["k"]),
    "wait_for_quiet": lambda ledger: ledger.wait_for_quiet(KEY, NOW, NOW),
    "interrupted": lambda ledger: ledger.interrupted(NOW),
    "unsent": lambda ledger: ledger.unsent(NOW),
    "strike": lambda ledger: ledger.strike(GONE),
}
EASY = frozenset({"detach", "strike"})
FAULTS = (
    Fault(status=503, code="ServerBusy", headers={"Retry-After": "5"}, times=None),
    Fault(status=500, code="InternalError", times=None),
    Fault(status=403, code="AuthorizationFailure", times=None),
    Fault(status=401, code="NoAuthenticationInformation", times=None),
    Fault(kind="reset", times=None),
    Fault(kind="truncate", times=None),
)


@asynccontextmanager
async def failing(authority: Authority) -> AsyncIterator[tuple[TableLedger, Faults]]:
    """A ledger whose table is there, and what is to go wrong."""
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
            yield TableLedger(LedgerTable(table)), faults


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: f"{fault.kind}-{fault.status}")
async def test_every_call_can_be_tried_again(authority: Authority, fault: Fault) -> None:
    async with failing(authority) as (ledger, faults):
        faults.add(fault)
        for name, call in CALLS.items():
            if name in EASY:
                # What is gone already need not be taken away.
                with suppress(TryAgain):
                    await call(ledger)
                continue
            with pytest.raises(TryAgain) as told:
                await call(ledger)
            assert told.value.cause.code.startswith("ledger.")
        faults.clear()
        await assert_whole(ledger)


async def assert_whole(ledger: TableLedger) -> None:
    """Either all of the commit is there or nothing of it; and everything works again."""
    entry = await ledger.open(KEY)
    assert (entry.intention is not None) == bool(await ledger.unsent(LATER)) == bool(await ledger.interrupted(LATER))
    done, rows = concluded(entry, first=1)
    await ledger.commit(done, rows)
    await ledger.strike(await ledger.unsent(LATER))
    assert await ledger.unsent(LATER) == ()
    assert await ledger.interrupted(NOW + SECOND) == ()


@pytest.mark.parametrize(
    "answer",
    [
        Answer(502, b"<html>Bad Gateway</html>", {"Content-Type": "text/html"}),
        Answer(503, b""),
        Answer(500, b"{", {"Content-Type": "application/json"}),
        Answer(429, b"[]", {"Content-Type": "application/json", "Retry-After": "5"}),
    ],
    ids=lambda answer: str(answer.status),
)
async def test_answers_that_no_table_service_gives(answer: Answer) -> None:
    async with scripted(answer) as server:
        transport = AioHttpTransport(session=trusting(server.ca_file))
        table = TableClient(f"{server.url}/st", "Ledger", credential=FixedToken(), transport=transport, retry_total=0)
        async with table:
            for call in CALLS.values():
                with pytest.raises(TryAgain) as told:
                    await call(TableLedger(LedgerTable(table)))
                assert told.value.cause.code == f"ledger.http-{answer.status}"
