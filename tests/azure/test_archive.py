"""What the ledger knows beside its entries, and what it forgets, on this repository's storage and on Azurite."""

import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from urllib.parse import unquote

import pytest
from aiohttp import web
from aiohttp.typedefs import Handler
from azure.core.pipeline.transport import AioHttpTransport
from azure.data.tables.aio import TableClient

from local.faults import Fault, Faults
from local.storage import tables
from local.storage.database import Database
from shared.azure.archive import TableArchive
from shared.azure.entities import SHARDS, filed_row, kept_row, shard
from shared.azure.ledger import TableLedger
from shared.azure.ledger_table import LedgerTable
from shared.domain.body import Json
from shared.domain.change import Change
from shared.domain.contest import Attempt
from shared.domain.failure import TryAgain
from shared.domain.kept import Kept
from shared.domain.ledger import Entry
from shared.domain.orders import Hold, Undo
from shared.domain.ports import Head
from shared.domain.record import Outcome, Record, Row
from tests.azure.making import (
    NOW,
    SECOND,
    TARGET,
    Answer,
    concluded,
    incompressible,
    intended,
    key,
    record,
    scripted,
    trusting,
)
from tests.local.arm_world import serve
from tests.storage_account import Authority, FixedToken

DAY = timedelta(days=1)
# The last day of a month, and the first of the one that ends 180 days and more after it.
APRIL = datetime(2026, 4, 30, 23, 59, tzinfo=UTC)
NOVEMBER = datetime(2026, 11, 1, tzinfo=UTC)
MESSAGE = "message that brings it about again"


@dataclass
class Shelf:
    """The ledger and the archive of one table, and the time that both go by."""

    table: TableClient
    now: datetime = NOW
    archive: TableArchive = field(init=False)
    ledger: TableLedger = field(init=False)

    def __post_init__(self) -> None:
        self.archive = TableArchive(LedgerTable(self.table))
        self.ledger = TableLedger(LedgerTable(self.table), lambda: self.now)

    async def written(self, *records: Record, name: str = TARGET.key) -> tuple[Row, ...]:
        """The records, appended to the chain of the entry."""
        entry, rows = (await self.ledger.open(name)).append(records)
        await self.ledger.commit(entry, rows)
        return rows

    async def touched(self, name: str, at: datetime, **state: object) -> Entry:
        """The entry, committed at that time with that state."""
        before, self.now = self.now, at
        opened = await self.ledger.open(name)
        committed = await self.ledger.commit(replace(opened, **state))  # type: ignore[arg-type] # each test names fields of Entry
        self.now = before
        return committed

    async def rows(self, *kinds: str) -> list[str]:
        """The row keys of those kinds, all of them where none is named."""
        names = [str(row["RowKey"]) async for row in self.table.list_entities(select=["RowKey"])]
        return sorted(name for name in names if not kinds or name[0] in kinds)


@pytest.fixture
async def shelf(table: TableClient) -> Shelf:
    """A ledger and an archive whose table is there."""
    await table.create_table()
    return Shelf(table)


def fixed(number: int = 0, time: datetime = NOW, **changes: object) -> Record:
    """The record of a fix, one of many."""
    return record(number, time, **{"outcome": Outcome.FIXED, **changes})


class TestKept:
    async def test_what_an_operator_has_use_for_is_found_by_its_id(self, shelf: Shelf) -> None:
        told = fixed(message=MESSAGE)
        await shelf.written(told)
        assert await shelf.archive.kept(told.record_id, NOW) == Kept(
            told.record_id,
            TARGET.path,
            "AIR-001/cognitive-accounts",
            Outcome.FIXED,
            (Change("properties.publicNetworkAccess", "Enabled", "Disabled"),),
            MESSAGE,
        )
        assert await shelf.archive.kept("0" * 32, NOW) is None

    async def test_records_are_found_wherever_they_stand(self, shelf: Shelf) -> None:
        records = {number: fixed(number, resource_id=f"{TARGET.path}-{number}") for number in range(8)}
        for number, told in records.items():
            await shelf.written(told, name=key(number))
        assert len({shard(key(number)) for number in records}) > 3
        found = [await shelf.archive.kept(told.record_id, NOW) for told in records.values()]
        assert [kept.resource_id for kept in found if kept] == [told.resource_id for told in records.values()]

    async def test_what_nobody_has_use_for_is_not_kept(self, shelf: Shelf) -> None:
        told = {outcome: record(number, outcome=outcome) for number, outcome in enumerate(Outcome)}
        await shelf.written(*told.values(), record(99, outcome=Outcome.FIXED, rule=""))
        of_use = (Outcome.FIXED, Outcome.FIX_UNVERIFIED, Outcome.FAILED, Outcome.AWAITING_APPROVAL)
        waiting = (Outcome.CONTESTED, Outcome.HELD, Outcome.OVER_BUDGET)
        wanted = [kept_row("202611", told[outcome].record_id) for outcome in (*of_use, *waiting)]
        assert await shelf.rows("d") == sorted(wanted)

    async def test_the_largest_of_messages_and_changes_is_kept_whole(self, shelf: Shelf) -> None:
        changes: list[Json] = [
            {"path": f"properties.p{number}", "actual": incompressible(2_000, number), "desired": None}
            for number in range(8)
        ]
        told = fixed(changes=changes, message=incompressible(48_000))
        await shelf.written(told)
        kept = await shelf.archive.kept(told.record_id, NOW)
        assert kept is not None
        assert kept.message == told.message
        assert [change.as_json() for change in kept.changes] == changes

    async def test_more_is_kept_than_one_transaction_takes(self, shelf: Shelf) -> None:
        told = [fixed(number, rule=f"AIR-001/{number}") for number in range(97)]
        await shelf.written(*told)
        assert len(await shelf.rows("d")) == 97
        for each in (told[0], told[-1]):
            assert await shelf.archive.kept(each.record_id, NOW) is not None

    async def test_a_record_is_known_in_its_month_and_the_next_one_and_then_forgotten(self, shelf: Shelf) -> None:
        first = fixed(0, datetime(2026, 11, 1, tzinfo=UTC))
        last = fixed(1, datetime(2026, 11, 30, 23, 59, tzinfo=UTC))
        next_ = fixed(2, datetime(2026, 12, 31, 23, 59, tzinfo=UTC))
        await shelf.written(first, last, next_)

        async def known(now: datetime) -> list[bool]:
            return [await shelf.archive.kept(each.record_id, now) is not None for each in (first, last, next_)]

        december, january = datetime(2026, 12, 31, 23, 59, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)
        assert await shelf.archive.forget(december) == 0
        assert await known(december) == [True, True, True]
        assert await known(january) == [False, False, True]
        assert await shelf.archive.forget(january) == 2
        assert await known(december) == [False, False, True]
        assert await shelf.archive.forget(datetime(2027, 1, 31, tzinfo=UTC)) == 0
        assert await shelf.archive.forget(datetime(2027, 2, 1, tzinfo=UTC)) == 1
        assert await shelf.rows("d") == []

    async def test_a_commit_that_comes_second_keeps_nothing_that_is_not_written(self, shelf: Shelf) -> None:
        await shelf.written(fixed())
        late, rows = Entry(TARGET.key).append([fixed(1)])
        with pytest.raises(TryAgain):
            await shelf.ledger.commit(late, rows)
        assert await shelf.archive.kept(rows[0].record_id, NOW) is None


class TestCrashes:
    async def test_what_a_message_failed_with_last_is_told(self, shelf: Shelf) -> None:
        await shelf.archive.note_crash(MESSAGE, "KeyError: 'a'", NOW)
        await shelf.archive.note_crash(MESSAGE, "TypeError: b", NOW + SECOND)
        await shelf.archive.note_crash("another", "KeyError: 'c'", NOW)
        assert await shelf.archive.crash_of(MESSAGE, NOW) == "TypeError: b"
        assert await shelf.archive.crash_of("another", NOW) == "KeyError: 'c'"
        assert await shelf.archive.crash_of("a third", NOW) == ""

    async def test_any_message_can_be_told_of(self, shelf: Shelf) -> None:
        messages = ["", "x" * 48_000, "a|b/c\\d#e?f", "\x00\ufffd"]
        for message in messages:
            await shelf.archive.note_crash(message, f"KeyError: é {len(message)}", NOW)
        for message in messages:
            assert await shelf.archive.crash_of(message, NOW) == f"KeyError: é {len(message)}"

    async def test_a_crash_is_known_over_the_turn_of_the_month_and_then_forgotten(self, shelf: Shelf) -> None:
        last = datetime(2026, 12, 31, 23, 59, tzinfo=UTC)
        await shelf.archive.note_crash(MESSAGE, "KeyError", last)
        assert await shelf.archive.crash_of(MESSAGE, last + timedelta(minutes=5)) == "KeyError"
        assert await shelf.archive.forget(last + 31 * DAY) == 0
        assert await shelf.archive.crash_of(MESSAGE, last + 40 * DAY) == ""
        assert await shelf.archive.forget(last + 40 * DAY) == 1
        assert await shelf.rows() == []

    async def test_the_table_is_made_with_the_first_crash(self, table: TableClient) -> None:
        archive = TableArchive(LedgerTable(table))
        await archive.note_crash(MESSAGE, "KeyError", NOW)
        assert await archive.crash_of(MESSAGE, NOW) == "KeyError"


class TestHeads:
    async def test_a_chain_that_grew_is_listed_once_with_its_newest_digest(self, shelf: Shelf) -> None:
        await shelf.written(record(0))
        *_, newest = await shelf.written(record(1), record(2))
        (other,) = await shelf.written(record(3), name=key(1))
        await shelf.touched(key(2), NOW, watermark=NOW)
        found = {head.chain: head.digest for head in await shelf.archive.heads()}
        assert found == {TARGET.key: newest.digest, key(1): other.digest}
        assert (await shelf.ledger.open(TARGET.key)).head == newest.digest

    async def test_heads_are_listed_wherever_they_stand_until_they_are_struck(self, shelf: Shelf) -> None:
        rows = {key(number): (await shelf.written(record(number), name=key(number)))[0] for number in range(16)}
        heads = await shelf.archive.heads()
        assert {head.chain: head.digest for head in heads} == {chain: row.digest for chain, row in rows.items()}
        await shelf.archive.strike_heads(heads[:12])
        assert {head.chain for head in await shelf.archive.heads()} == {head.chain for head in heads[12:]}
        # Somebody may have struck some before.
        await shelf.archive.strike_heads(heads)
        await shelf.archive.strike_heads(heads)
        await shelf.archive.strike_heads([])
        assert await shelf.archive.heads() == []

    async def test_a_head_that_moved_on_meanwhile_stays(self, shelf: Shelf) -> None:
        for number in range(3):
            await shelf.written(record(number), name=key(number))
        before = await shelf.archive.heads()
        (moved,) = await shelf.written(record(9), name=key(1))
        await shelf.archive.strike_heads(before)
        assert [(head.chain, head.digest) for head in await shelf.archive.heads()] == [(key(1), moved.digest)]

    async def test_heads_that_moved_on_keep_none_of_their_partition_from_being_struck(self, shelf: Shelf) -> None:
        """One that changed fails the whole transaction."""
        together = [number for number in range(200) if shard(key(number)) == "7"][:4]
        for number in together:
            await shelf.written(record(number), name=key(number))
        before = await shelf.archive.heads()
        assert len(before) == 4
        await shelf.written(record(999), name=key(together[2]))
        await shelf.archive.strike_heads(before)
        assert [head.chain for head in await shelf.archive.heads()] == [key(together[2])]

    async def test_a_struck_chain_is_listed_again_when_it_grows(self, shelf: Shelf) -> None:
        await shelf.written(record(0))
        await shelf.archive.strike_heads(await shelf.archive.heads())
        (row,) = await shelf.written(record(1))
        assert [head.digest for head in await shelf.archive.heads()] == [row.digest]

    async def test_a_commit_that_comes_second_moves_no_head(self, shelf: Shelf) -> None:
        (row,) = await shelf.written(record(0))
        late, rows = Entry(TARGET.key).append([record(1)])
        with pytest.raises(TryAgain):
            await shelf.ledger.commit(late, rows)
        assert [head.digest for head in await shelf.archive.heads()] == [row.digest]


async def test_without_a_table_nothing_is_known_and_nothing_fails(table: TableClient) -> None:
    archive = TableArchive(LedgerTable(table))
    assert await archive.kept("0" * 32, NOW) is None
    assert await archive.crash_of(MESSAGE, NOW) == ""
    assert await archive.heads() == []
    assert await archive.forget(NOW) == 0
    await archive.strike_heads([Head(TARGET.key, "a" * 64, 'W/"tag"')])


class TestForgetting:
    async def test_what_nobody_touched_for_180_days_is_forgotten_with_its_burst(self, shelf: Shelf) -> None:
        await shelf.touched(key(0), APRIL, watermark=APRIL)
        await shelf.ledger.wait_for_quiet(key(0), APRIL, APRIL)
        assert await shelf.archive.forget(APRIL + 180 * DAY) == 0
        assert (await shelf.ledger.open(key(0))).watermark == APRIL
        assert await shelf.archive.forget(NOVEMBER) == 1
        assert await shelf.rows() == []
        assert await shelf.ledger.open(key(0)) == Entry(key(0))

    async def test_nothing_is_forgotten_before_its_180_days_are_over(self, shelf: Shelf) -> None:
        times = (APRIL + timedelta(minutes=1), NOVEMBER - 180 * DAY, NOVEMBER - DAY, NOVEMBER)
        before = [await shelf.touched(key(at), time, watermark=time) for at, time in enumerate(times)]
        assert await shelf.archive.forget(NOVEMBER) == 0
        assert [await shelf.ledger.open(key(at)) for at in range(len(times))] == before

    async def test_whatever_touches_an_entry_keeps_it(self, shelf: Shelf) -> None:
        await shelf.touched(key(0), APRIL, watermark=APRIL)
        await shelf.touched(key(0), NOVEMBER - 100 * DAY, holder="")
        await shelf.touched(key(1), APRIL, watermark=APRIL)
        assert await shelf.archive.forget(NOVEMBER) == 1
        assert (await shelf.ledger.open(key(0))).watermark == APRIL
        assert (await shelf.ledger.open(key(1))).version is None
        assert await shelf.rows("x") == [filed_row("202607", key(0))]

    async def test_an_entry_is_filed_once_however_often_and_long_it_is_touched(self, shelf: Shelf) -> None:
        for days in (0, 0, 1, 40, 41, 100):
            await shelf.touched(key(0), APRIL + days * DAY, watermark=APRIL)
        assert await shelf.rows("x") == [filed_row("202608", key(0))]

    async def test_what_something_rests_on_stays(self, shelf: Shelf) -> None:
        held, over = Hold("AIR-001/x", NOVEMBER + SECOND, "oid"), Hold("AIR-002/x", NOVEMBER, "oid")
        stays: tuple[dict[str, object], ...] = (
            {"holds": (held,)},
            {"holds": (over, held)},
            {"intention": intended(Entry(""), APRIL).intention},
            {"undos": (Undo("AIR-001/x", (), "f" * 32, "oid", "request-1"),)},
            {"names": frozenset({key(9)})},
        )
        goes: tuple[dict[str, object], ...] = (
            {"holds": (over,)},
            {"holder": "worker", "held_until": APRIL},
            {"history": (Attempt("AIR-001/x", APRIL),), "remembered": ("a",), "head": "a" * 64},
        )
        before = [await shelf.touched(key(at), APRIL, **state) for at, state in enumerate((*stays, *goes))]
        await shelf.archive.forget(NOVEMBER)
        after = [await shelf.ledger.open(key(at)) for at in range(len(before))]
        assert after == [*before[: len(stays)], *(Entry(key(at)) for at in range(len(stays), len(before)))]

    async def test_what_stayed_can_be_touched_and_is_filed_anew(self, shelf: Shelf) -> None:
        hold = Hold("AIR-001/x", NOVEMBER + DAY, "oid")
        await shelf.touched(key(0), APRIL, holds=(hold,))
        await shelf.archive.forget(NOVEMBER)
        await shelf.touched(key(0), NOVEMBER, watermark=NOVEMBER)
        assert await shelf.rows("x") == [filed_row("202611", key(0))]
        assert await shelf.archive.forget(NOVEMBER + 300 * DAY) == 1
        assert await shelf.rows() == []

    async def test_who_names_a_resource_is_known_after_its_entry_is_forgotten(self, shelf: Shelf) -> None:
        await shelf.touched(key(0), APRIL, watermark=APRIL)
        await shelf.ledger.attach(TARGET, [key(0)], [])
        assert await shelf.archive.forget(NOVEMBER) == 1
        assert await shelf.ledger.open(key(0)) == Entry(key(0), attached_to=frozenset({TARGET}))

    async def test_whoever_is_noted_as_naming_a_resource_is_known_to_name_it(self, shelf: Shelf) -> None:
        """Else nobody strikes the note once the resource is not named any more, and it stays in scope for ever."""
        await shelf.ledger.attach(TARGET, [key(0)], [])
        await shelf.touched(TARGET.key, APRIL, names=frozenset({key(0)}))
        await shelf.archive.forget(NOVEMBER)
        is_noted = TARGET in (await shelf.ledger.open(key(0))).attached_to
        assert is_noted is (key(0) in (await shelf.ledger.open(TARGET.key)).names)

    async def test_a_list_that_a_crash_left_behind_takes_no_entry_with_it(self, shelf: Shelf) -> None:
        before = await shelf.touched(key(0), NOVEMBER, watermark=NOVEMBER)
        left = {"PartitionKey": shard(key(0)), "RowKey": filed_row("202603", key(0))}
        await shelf.table.upsert_entity(left)
        await shelf.archive.forget(NOVEMBER)
        assert await shelf.ledger.open(key(0)) == before
        assert await shelf.rows("x") == [filed_row("202611", key(0))]

    async def test_an_entry_that_is_touched_while_it_is_being_forgotten_stays(self, table: TableClient) -> None:
        shelf = Shelf(table)
        await shelf.touched(key(0), APRIL, watermark=APRIL)

        class Late(LedgerTable):
            """A table on which somebody comes first."""

            async def delete_unless_changed(self, partition: str, rows: Mapping[str, str]) -> None:
                if rows:
                    await shelf.touched(key(0), NOVEMBER, watermark=NOVEMBER)
                await super().delete_unless_changed(partition, rows)

        await TableArchive(Late(table)).forget(NOVEMBER)
        assert (await shelf.ledger.open(key(0))).watermark == NOVEMBER
        assert await shelf.rows("x") == [filed_row("202611", key(0))]

    async def test_much_is_forgotten_page_by_page(self, shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
        together = [number for number in range(200) if shard(key(number)) == "7"][:5]
        for number in together:
            await shelf.touched(key(number), APRIL, watermark=APRIL)
        monkeypatch.setattr("shared.azure.ledger_table.MOST", 3)
        assert [await shelf.archive.forget(NOVEMBER) for _ in range(3)] == [3, 2, 0]
        assert await shelf.rows() == []

    async def test_what_waits_to_be_sent_or_anchored_is_never_forgotten(self, shelf: Shelf) -> None:
        shelf.now = APRIL
        entry, rows = concluded(await shelf.ledger.open(key(0)), 2, APRIL)
        await shelf.ledger.commit(entry, rows)
        assert await shelf.archive.forget(NOVEMBER) == 1
        assert await shelf.ledger.unsent(NOVEMBER) == rows
        assert [head.digest for head in await shelf.archive.heads()] == [rows[-1].digest]


# From here on: on this repository's storage alone, whose requests can be seen and made to fail.

RANGE = re.compile(r"^\(?PartitionKey eq '[0-9a-f]'\)? and RowKey ge '([a-z])\|[^']*' and RowKey lt '\1\|[^']*'$")


@asynccontextmanager
async def watched(authority: Authority, *faults: Fault) -> AsyncIterator[tuple[Shelf, Faults, list[str]]]:
    """A ledger and an archive, what is to go wrong, and what was asked: the filter of each query."""
    known, asked = Faults(faults), list[str]()

    @web.middleware
    async def watch(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.method == "GET" and "RowKey=" not in unquote(request.path):
            asked.append(request.query.get("$filter", ""))
        return await handler(request)

    with Database(None, lambda: datetime.now(UTC)) as database:
        app = tables.application(database, "st")
        app.middlewares.extend([watch, known.middleware("tables")])
        transport = AioHttpTransport(session=trusting(authority.bundle))
        async with (
            serve(app, authority.server) as url,
            TableClient(f"{url}/st", "Ledger", credential=FixedToken(), transport=transport, retry_total=0) as table,
        ):
            await table.create_table()
            yield Shelf(table), known, asked


async def test_no_query_goes_through_the_table_as_a_whole(authority: Authority) -> None:
    async with watched(authority) as (shelf, _, asked):
        for number in range(8):
            await shelf.written(fixed(number), name=key(number))
            await shelf.touched(key(100 + number), APRIL, watermark=APRIL)
        await shelf.ledger.wait_for_quiet(key(100), APRIL, APRIL)
        await shelf.archive.note_crash(MESSAGE, "KeyError", NOW)
        asked.clear()
        assert await shelf.archive.kept(fixed(3).record_id, NOW) is not None
        assert await shelf.archive.kept("0" * 32, NOW) is None
        assert await shelf.archive.crash_of(MESSAGE, NOW) == "KeyError"
        assert asked == [], "one row is read by its own keys"
        await shelf.archive.strike_heads(await shelf.archive.heads())
        assert {RANGE.sub(r"\1", query) for query in asked} == {"h"}
        asked.clear()
        assert await shelf.archive.forget(NOVEMBER) == 8
        # Those that were written too late for that, with what was kept of them and the crash.
        assert await shelf.archive.forget(NOVEMBER + 300 * DAY) == 2 * 8 + 1
        assert {RANGE.sub(r"\1", query) for query in asked} == {"d", "e", "x"}
        assert len(asked) == 2 * 3 * len(SHARDS)
        asked.clear()
        await shelf.ledger.open(key(0))
        await shelf.ledger.unsent(NOVEMBER)
        await shelf.ledger.interrupted(NOVEMBER)
        assert [query for query in asked if not RANGE.match(query)] == []
        assert len(asked) == 1 + 2 * len(SHARDS)


CALLS: Mapping[str, Callable[[TableArchive], Awaitable[object]]] = {
    "kept": lambda archive: archive.kept("0" * 32, NOW),
    "note_crash": lambda archive: archive.note_crash(MESSAGE, "KeyError", NOW),
    "crash_of": lambda archive: archive.crash_of(MESSAGE, NOW),
    "heads": lambda archive: archive.heads(),
    "strike_heads": lambda archive: archive.strike_heads([Head(TARGET.key, "a" * 64, 'W/"tag"')]),
    "forget": lambda archive: archive.forget(NOVEMBER),
}


@pytest.mark.parametrize(
    "fault",
    [
        Fault(status=503, code="ServerBusy", headers={"Retry-After": "5"}, times=None),
        Fault(status=403, code="AuthorizationFailure", times=None),
        Fault(kind="reset", times=None),
        Fault(kind="truncate", times=None),
    ],
    ids=lambda fault: f"{fault.kind}-{fault.status}",
)
async def test_every_call_can_be_tried_again(authority: Authority, fault: Fault) -> None:
    async with watched(authority) as (shelf, faults, _):
        await shelf.touched(key(0), APRIL, watermark=APRIL)
        rows = await shelf.written(fixed(0), name=key(1))
        faults.add(fault)
        for name, call in CALLS.items():
            if (name, fault.kind) == ("strike_heads", "truncate"):
                continue  # the answer that is cut says that there is none, and so it is
            with pytest.raises(TryAgain) as told:
                await call(shelf.archive)
            assert told.value.cause.code.startswith("ledger."), name
        faults.clear()
        assert [head.digest for head in await shelf.archive.heads()] == [rows[-1].digest]
        assert await shelf.archive.forget(NOVEMBER) >= 0
        assert await shelf.archive.forget(NOVEMBER) == 0
        assert (await shelf.ledger.open(key(0))).version is None
        assert (await shelf.ledger.open(key(1))).head == rows[-1].digest


@pytest.mark.parametrize("status", [429, 502])
async def test_answers_that_no_table_service_gives(status: int) -> None:
    answer = Answer(status, b"<html>", {"Content-Type": "text/html"})
    async with scripted(answer) as server:
        transport = AioHttpTransport(session=trusting(server.ca_file))
        table = TableClient(f"{server.url}/st", "Ledger", credential=FixedToken(), transport=transport, retry_total=0)
        async with table:
            for name, call in CALLS.items():
                with pytest.raises(TryAgain) as told:
                    await call(TableArchive(LedgerTable(table)))
                assert told.value.cause.code == f"ledger.http-{status}", name
