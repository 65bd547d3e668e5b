"""The ledger's open work: intentions whose worker died, and rows that wait to be sent."""

import asyncio
import base64
import random
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest
from azure.data.tables.aio import TableClient

from shared.azure.entities import SHARDS, shard
from shared.azure.ledger import TableLedger
from shared.azure.ledger_table import LedgerTable
from shared.domain.failure import TryAgain
from shared.domain.ledger import Entry
from shared.domain.record import Outlet, Row
from tests.azure.making import NOW, SECOND, assert_chain, concluded, intended, key, record

LATER = NOW + timedelta(hours=1)
ROUNDS = 2


async def listed(table: TableClient) -> int:
    """How many intentions the table lists as open."""
    return len([row async for row in table.query_entities("RowKey ge 'i|' and RowKey lt 'i|~'")])


async def written(ledger: TableLedger, number: int, count: int) -> tuple[Row, ...]:
    """The rows of one resource after so many records more."""
    entry, rows = concluded(await ledger.open(key(number)), count, NOW + number * SECOND, number * 1000)
    await ledger.commit(entry, rows)
    return rows


async def test_intentions_whose_lease_ran_out_are_found_wherever_they_stand(
    ledger: TableLedger, table: TableClient
) -> None:
    own = {name: [number for number in range(400) if shard(key(number)) == name][:2] for name in SHARDS}
    for lost, held in own.values():
        await ledger.commit(intended(Entry(key(lost)), NOW - SECOND, f"signal {lost}"))
        await ledger.commit(intended(Entry(key(held)), NOW + SECOND, f"signal {held}"))
    await ledger.commit(Entry(key(1000)))
    found = await ledger.interrupted(NOW)
    assert sorted(found) == sorted(f"signal {lost}" for lost, _ in own.values())
    assert len(await ledger.interrupted(NOW + 2 * SECOND)) == 32
    assert await listed(table) == 32


async def test_an_intention_that_was_concluded_is_not_listed_any_more(ledger: TableLedger, table: TableClient) -> None:
    entry = await ledger.commit(intended(Entry(key(0)), NOW - SECOND))
    assert len(await ledger.interrupted(NOW)) == 1
    done, rows = concluded(entry)
    done = await ledger.commit(done, rows)
    assert await ledger.interrupted(NOW) == ()
    assert await listed(table) == 0
    # Once more from the beginning: what was struck off can be listed and struck off again.
    done = await ledger.commit(intended(done, NOW - SECOND))
    assert len(await ledger.interrupted(NOW)) == 1
    await ledger.commit(concluded(await ledger.open(key(0)), first=1)[0])
    assert await ledger.interrupted(NOW) == ()
    assert await listed(table) == 0


async def test_an_intention_that_was_let_go_is_found_at_once(ledger: TableLedger) -> None:
    entry = await ledger.commit(intended(Entry(key(0)), LATER))
    assert await ledger.interrupted(NOW) == ()
    await ledger.commit(entry.release())
    assert await ledger.interrupted(NOW) == ("signal",)


async def test_unsent_rows_come_oldest_first_from_all_partitions(ledger: TableLedger) -> None:
    numbers = random.Random(1).sample(range(20), 20)  # noqa: S311 - repeatable, nothing secret
    for number in numbers:
        await written(ledger, number, 2)
    found = await ledger.unsent(LATER)
    times = [str(row.columns["TimeGenerated"]) for row in found]
    assert len(found) == 40
    assert times == sorted(times)
    assert [row.chain for row in found[::2]] == [key(number) for number in range(20)]


async def test_only_older_rows_come(ledger: TableLedger) -> None:
    rows = {number: await written(ledger, number, 1) for number in range(4)}
    assert await ledger.unsent(NOW) == ()
    assert await ledger.unsent(NOW + SECOND) == rows[0]
    assert await ledger.unsent(NOW + 3 * SECOND) == (*rows[0], *rows[1], *rows[2])


async def test_rows_that_were_struck_do_not_come_again(ledger: TableLedger) -> None:
    rows = [row for number in range(12) for row in await written(ledger, number, 2)]
    struck, kept = rows[::3], [row for row in rows if row not in rows[::3]]
    await ledger.strike(struck)
    assert list(await ledger.unsent(LATER)) == kept
    # Somebody else may have struck some of them before, or all.
    await ledger.strike([*struck, *kept[:3]])
    await ledger.strike(struck)
    await ledger.strike([])
    assert list(await ledger.unsent(LATER)) == kept[3:]
    assert (await ledger.open(key(11))).head == rows[-1].digest


async def test_more_rows_are_struck_than_one_transaction_takes(ledger: TableLedger) -> None:
    rows = [row for _ in range(2) for row in await appended(ledger, 60)]
    assert len(await ledger.unsent(LATER)) == 100, "one page at a time, after an outage"
    await ledger.strike([*rows, *rows])
    assert await ledger.unsent(LATER) == ()


async def appended(ledger: TableLedger, count: int) -> Sequence[Row]:
    entry = await ledger.open(key(0))
    done, rows = entry.conclude([record(at, rule=entry.head) for at in range(count)], NOW)
    await ledger.commit(done, rows)
    return rows


async def test_one_of_many_wins_and_nothing_is_lost(table: TableClient) -> None:
    """Two workers, fifty commits at a time, on a table that is not there yet."""
    ledgers = (TableLedger(LedgerTable(table)), TableLedger(LedgerTable(table)))
    won: list[Row] = []
    for turn in range(ROUNDS):
        opened = [await ledger.open(key(0)) for ledger in ledgers]

        async def attempt(number: int, entries: Sequence[Entry] = opened, turn: int = turn) -> tuple[Row, ...]:
            done, rows = concluded(entries[number % 2], 2, NOW + turn * SECOND, 1000 * turn + 2 * number)
            await ledgers[number % 2].commit(done, rows)
            return rows

        results = await asyncio.gather(*map(attempt, range(50)), return_exceptions=True)
        winners = [result for result in results if isinstance(result, tuple)]
        assert len(winners) == 1
        assert sum(isinstance(result, TryAgain) for result in results) == 49
        won += winners[0]
    assert list(await ledgers[0].unsent(LATER)) == won
    assert_chain(won, (await ledgers[1].open(key(0))).head)


async def test_everybody_who_tries_again_gets_through(ledger: TableLedger) -> None:
    async def insist(number: int) -> None:
        while True:
            entry, rows = concluded(await ledger.open(key(0)), first=number)
            try:
                await ledger.commit(entry, rows)
            except TryAgain:
                continue
            return

    await asyncio.gather(*map(insist, range(8)))
    rows = await ledger.unsent(LATER)
    assert len(rows) == 8
    assert_chain(rows, (await ledger.open(key(0))).head)


async def test_an_entry_without_an_intention_is_never_listed(ledger: TableLedger, table: TableClient) -> None:
    entry = await ledger.commit(Entry(key(0)))
    await ledger.commit(replace(entry, holder="worker", held_until=NOW - SECOND))
    assert await listed(table) == 0


@pytest.fixture
async def notifying(ledger: TableLedger, table: TableClient) -> TableLedger:
    """The same ledger, where a topic is told of notable rows."""
    del ledger
    return TableLedger(LedgerTable(table), notifies=True)


def notable(entry: Entry, count: int, **changes: object) -> tuple[Entry, tuple[Row, ...]]:
    """The entry with so many notable records more, and their rows."""
    told = {"severity": "high", "reason": entry.head} | changes
    return entry.append([record(at, NOW + timedelta(milliseconds=at), **told) for at in range(count)])


async def test_what_is_notable_waits_for_the_topic_too(ledger: TableLedger, notifying: TableLedger) -> None:
    records = [
        record(at, NOW + at * SECOND, severity=told) for at, told in enumerate(("", "low", "medium", "critical"))
    ]
    entry, rows = Entry(key(0)).append(records)
    await notifying.commit(entry, rows)
    assert await notifying.unsent(LATER) == rows
    assert await notifying.unsent(LATER, Outlet.TOPIC) == rows[2:]
    assert await notifying.unsent(NOW + 3 * SECOND, Outlet.TOPIC) == rows[2:3]
    other, more = notable(Entry(key(1)), 1)
    await ledger.commit(other, more)
    assert await notifying.unsent(LATER, Outlet.TOPIC) == rows[2:], "without a topic nothing waits for one"


async def test_the_lists_are_struck_apart(notifying: TableLedger) -> None:
    entry, rows = notable(Entry(key(0)), 4)
    entry = await notifying.commit(entry, rows)
    await notifying.strike(rows[:2])
    await notifying.strike(rows[1:3], Outlet.TOPIC)
    assert await notifying.unsent(LATER) == rows[2:]
    assert await notifying.unsent(LATER, Outlet.TOPIC) == (rows[0], rows[3])
    assert await notifying.open(key(0)) == entry


@pytest.mark.parametrize("count", [49, 50, 60, 97])
async def test_more_is_listed_than_one_transaction_takes(
    count: int, notifying: TableLedger, table: TableClient
) -> None:
    entry, rows = notable(intended(Entry(key(0)), NOW), count)
    committed = await notifying.commit(entry, rows)
    assert await notifying.open(key(0)) == committed
    assert await listed(table) == 1
    for outlet in Outlet:
        assert await notifying.unsent(LATER, outlet) == rows
        await notifying.strike(rows, outlet)
        assert await notifying.unsent(LATER, outlet) == ()


@pytest.mark.filterwarnings("ignore:Sending a large body:ResourceWarning")
async def test_more_bytes_are_listed_than_one_transaction_takes(notifying: TableLedger) -> None:
    dice = random.Random(1)  # noqa: S311 - repeatable, nothing secret
    entry, rows = notable(Entry(key(0)), 20, evidence={"why": base64.b64encode(dice.randbytes(40_000)).decode()})
    await notifying.commit(entry, rows)
    assert await notifying.unsent(LATER) == await notifying.unsent(LATER, Outlet.TOPIC) == rows


async def test_a_large_commit_that_comes_second_writes_no_rows_for_the_log(notifying: TableLedger) -> None:
    kept = await notifying.commit(Entry(key(0)))
    with pytest.raises(TryAgain):
        await notifying.commit(*notable(Entry(key(0)), 60))
    assert await notifying.open(key(0)) == kept
    assert await notifying.unsent(LATER) == ()


async def test_the_table_is_made_with_the_first_large_commit(table: TableClient) -> None:
    ledger = TableLedger(LedgerTable(table), notifies=True)
    entry, rows = notable(Entry(key(0)), 60)
    committed = await ledger.commit(entry, rows)
    assert await ledger.open(key(0)) == committed
    assert await ledger.unsent(LATER, Outlet.TOPIC) == rows
