"""The file: it outlives the process that wrote it, and a crash in the middle leaves nothing half done."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from local.storage.database import Database
from local.storage.edm import Edm, Value
from local.storage.message_store import MessageStore, Queue
from local.storage.service import StorageError
from local.storage.table_store import Change, TableStore

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def insert(row_key: str) -> Change:
    return Change("insert", "signals", "p", row_key, {"n": Value(Edm.INT64, "5")}, None)


def twice(database: Database, store: TableStore) -> None:
    with database.transaction():
        store.apply(insert("r"))
        store.apply(insert("r"))


def test_what_was_written_is_there_after_reopening(tmp_path: Path) -> None:
    path = tmp_path / "storage.db"
    with Database(path, lambda: NOON) as database:
        TableStore(database, "account").create_table("signals")
        written = TableStore(database, "account").apply(insert("r"))
        queues = MessageStore(database, "account")
        queues.create_queue(Queue("queue", {"a": "b"}))
        queues.put("queue", "work", timedelta(), None)
    with Database(path, lambda: NOON - timedelta(days=1)) as database:
        assert TableStore(database, "account").get("signals", "p", "r") == written
        assert MessageStore(database, "account").describe("queue") == (Queue("queue", {"a": "b"}), 1)
        later = TableStore(database, "account").apply(insert("later"))
    assert written is not None
    assert later is not None
    # Even a clock that was set back gives no ETag twice.
    assert later.stamp > written.stamp


def test_accounts_do_not_see_each_other() -> None:
    with Database(None, lambda: NOON) as database:
        TableStore(database, "one").create_table("signals")
        with pytest.raises(StorageError, match="does not exist"):
            TableStore(database, "two").apply(insert("r"))


def test_a_transaction_that_an_exception_leaves_writes_nothing() -> None:
    with Database(None, lambda: NOON) as database:
        store = TableStore(database, "account")
        store.create_table("signals")
        with pytest.raises(StorageError):
            twice(database, store)
        assert store.query("signals", ("", ""), None, 10).items == []
