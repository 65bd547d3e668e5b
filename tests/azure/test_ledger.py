"""The ledger over the real SDK, on this repository's storage and on Azurite: entries and what stands beside them."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from azure.data.tables.aio import TableClient

from shared.azure.ledger import TableLedger
from shared.azure.ledger_table import LedgerTable
from shared.domain.arm_id import parse_arm_id
from shared.domain.change import Change
from shared.domain.contest import Attempt
from shared.domain.failure import TryAgain
from shared.domain.ledger import Entry, Intention
from shared.domain.orders import Approval, Hold, Undo
from shared.domain.record import Outcome, Row
from tests.azure.making import NOW, SECOND, TARGET, assert_chain, concluded, incompressible, intended, record
from tests.local.arm_world import STORAGE, VAULT

KEY = TARGET.key
FULL = Entry(
    key=KEY,
    watermark=NOW,
    held_until=NOW + 30 * SECOND,
    holder="worker",
    intention=Intention("signal", NOW, (record(0, controls=["MCSB NS-2"], total_ms=7), record(1, attempt=3))),
    head="ab" * 32,
    remembered=("one", "two"),
    names=frozenset({STORAGE.lower(), VAULT.lower()}),
    settings_digest="0123456789ab",
    history=(Attempt("AIR-001/cognitive-accounts", NOW - SECOND), Attempt("AIR-002/cognitive-accounts", NOW)),
    returns=(NOW + timedelta(hours=1), NOW + timedelta(days=2)),
    holds=(Hold("AIR-001/cognitive-accounts", NOW + timedelta(days=7), "oid"),),
    approvals=(Approval("AIR-101/cognitive-accounts", "0123456789abcdef", NOW, "oid", "f" * 32),),
    undos=(Undo("AIR-002/cognitive-accounts", (Change("a.b", None, [1, {"c": "d"}]),), "e" * 32, "oid", "request"),),
)


async def test_an_unknown_key_is_a_new_entry(ledger: TableLedger) -> None:
    assert await ledger.open(KEY) == Entry(KEY)


async def test_an_entry_comes_back_as_it_was_committed(ledger: TableLedger) -> None:
    committed = await ledger.commit(FULL)
    assert replace(committed, version=None, filed="") == FULL
    assert committed.filed == f"{datetime.now(UTC):%Y%m}"
    assert await ledger.open(KEY) == committed
    assert await ledger.open(KEY + "x") == Entry(KEY + "x")


async def test_a_large_intention_comes_back(ledger: TableLedger) -> None:
    drafts = tuple(record(at, reason=incompressible(20_000, at)) for at in range(12))
    large = replace(FULL, intention=Intention(incompressible(48_000), NOW, drafts))
    assert await ledger.open(KEY) == Entry(KEY)
    committed = await ledger.commit(large)
    assert (await ledger.open(KEY)).intention == large.intention
    # What a smaller one leaves over does not show.
    await ledger.commit(replace(committed, intention=FULL.intention))
    assert (await ledger.open(KEY)).intention == FULL.intention


async def test_a_resource_may_name_very_many_others(ledger: TableLedger) -> None:
    """How many a body names is up to whoever wrote it."""
    many = frozenset(f"{STORAGE.lower()}{number}" for number in range(400))
    await ledger.commit(Entry(KEY, names=many))
    assert (await ledger.open(KEY)).names == many


async def test_what_commit_answers_can_be_committed_again(ledger: TableLedger) -> None:
    entry = await ledger.commit(Entry(KEY))
    for marked in (NOW, NOW + SECOND, NOW + 2 * SECOND):
        entry = await ledger.commit(replace(entry, watermark=marked))
        assert (await ledger.open(KEY)).watermark == marked
    opened = await ledger.open(KEY)
    assert opened == entry
    await ledger.commit(replace(opened, watermark=NOW))


async def test_who_creates_second_tries_again(ledger: TableLedger) -> None:
    await ledger.commit(Entry(KEY, holder="first"))
    with pytest.raises(TryAgain) as late:
        await ledger.commit(Entry(KEY, holder="second"))
    assert late.value.cause.code == "ledger.entity-already-exists"
    assert (await ledger.open(KEY)).holder == "first"


async def test_who_changes_second_tries_again(ledger: TableLedger) -> None:
    entry = await ledger.commit(Entry(KEY))
    await ledger.commit(replace(entry, holder="first"))
    with pytest.raises(TryAgain) as late:
        await ledger.commit(replace(entry, holder="second"))
    assert late.value.cause.code == "ledger.update-condition-not-satisfied"
    assert (await ledger.open(KEY)).holder == "first"


async def test_a_commit_that_comes_second_writes_no_rows(ledger: TableLedger) -> None:
    first, rows = concluded(Entry(KEY), 2)
    kept = await ledger.commit(first, rows)
    late, more = concluded(Entry(KEY), 3, first=10)
    with pytest.raises(TryAgain):
        await ledger.commit(late, more)
    assert await ledger.unsent(NOW + SECOND) == rows
    assert await ledger.open(KEY) == kept
    assert await ledger.interrupted(NOW) == ()


async def test_a_commit_whose_rows_are_not_taken_writes_no_entry(ledger: TableLedger) -> None:
    entry, (row,) = concluded(intended(Entry(KEY), NOW))
    with pytest.raises(TryAgain):
        await ledger.commit(entry, (row, row))
    assert await ledger.open(KEY) == Entry(KEY)
    assert await ledger.unsent(NOW + SECOND) == ()


async def test_the_table_is_made_with_the_first_commit(table: TableClient) -> None:
    ledger = TableLedger(LedgerTable(table))
    entry, rows = concluded(Entry(KEY))
    committed = await ledger.commit(entry, rows)
    assert await ledger.open(KEY) == committed
    assert await ledger.unsent(NOW + SECOND) == rows


async def test_the_table_is_made_with_the_first_burst(table: TableClient) -> None:
    ledger = TableLedger(LedgerTable(table))
    await ledger.wait_for_quiet(KEY, NOW, NOW)
    assert (await ledger.open(KEY)).first_signal == NOW


async def test_the_table_is_made_with_the_first_attachment(table: TableClient) -> None:
    """The first signal of all may be about a resource that names others, and notes that before it commits."""
    ledger = TableLedger(LedgerTable(table))
    await ledger.attach(TARGET, [STORAGE.lower()], [])
    assert (await ledger.open(STORAGE.lower())).attached_to == {TARGET}


async def test_without_a_table_nothing_is_remembered(table: TableClient) -> None:
    ledger = TableLedger(LedgerTable(table))
    _, rows = concluded(Entry(KEY))
    assert await ledger.open(KEY) == Entry(KEY)
    assert await ledger.interrupted(NOW) == ()
    assert await ledger.unsent(NOW) == ()
    await ledger.strike(rows)
    await ledger.attach(TARGET, [], [STORAGE.lower()])


async def test_owners_are_noted_beside_what_they_name(ledger: TableLedger) -> None:
    store, vault = STORAGE.lower(), VAULT.lower()
    other = parse_arm_id(f"{TARGET.path}2")
    await ledger.attach(TARGET, [store, vault], [])
    await ledger.attach(other, [store], [])
    await ledger.attach(other, [store], [])
    assert (await ledger.open(store)).attached_to == {TARGET, other}
    assert (await ledger.open(vault)).attached_to == {TARGET}
    assert (await ledger.open(KEY)).attached_to == frozenset()
    await ledger.attach(TARGET, [], [store])
    await ledger.attach(TARGET, [vault], [store, KEY])
    assert (await ledger.open(store)).attached_to == {other}
    assert (await ledger.open(vault)).attached_to == {TARGET}


async def test_owners_stay_when_the_entry_changes_and_do_not_disturb_it(ledger: TableLedger) -> None:
    store = STORAGE.lower()
    entry = await ledger.commit(Entry(store))
    await ledger.attach(TARGET, [store], [])
    await ledger.commit(replace(entry, watermark=NOW))
    opened = await ledger.open(store)
    assert opened.attached_to == {TARGET}
    assert opened.watermark == NOW


async def test_a_burst_is_noted_beside_the_entry_and_does_not_disturb_it(ledger: TableLedger) -> None:
    entry = await ledger.commit(Entry(KEY))
    await ledger.wait_for_quiet(KEY, NOW, NOW + SECOND)
    await ledger.wait_for_quiet(KEY, NOW, NOW + 2 * SECOND)
    await ledger.commit(replace(entry, watermark=NOW))
    opened = await ledger.open(KEY)
    assert (opened.first_signal, opened.last_signal, opened.watermark) == (NOW, NOW + 2 * SECOND, NOW)
    assert (await ledger.open(STORAGE.lower())).first_signal is None


async def test_the_chain_goes_on_where_the_entry_left_it(ledger: TableLedger) -> None:
    rows: tuple[Row, ...] = ()
    for first in range(0, 9, 3):
        entry, more = concluded(await ledger.open(KEY), 3, NOW + first * SECOND, first)
        await ledger.commit(entry, more)
        rows = (*rows, *more)
    assert await ledger.unsent(NOW + timedelta(hours=1)) == rows
    assert_chain(await ledger.unsent(NOW + timedelta(hours=1)), (await ledger.open(KEY)).head)


async def test_a_record_that_was_written_is_not_written_again(ledger: TableLedger) -> None:
    for _ in range(2):
        again, rows = (await ledger.open(KEY)).conclude([record(outcome=Outcome.COMPLIANT)], NOW)
        await ledger.commit(again, rows)
    assert len(await ledger.unsent(NOW + SECOND)) == 1
