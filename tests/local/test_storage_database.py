"""The file: it outlives the process that wrote it, and a crash in the middle leaves nothing half done."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from local.storage.blob_store import BlobStore
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
        BlobStore(database, "account").create_container("container", {"x-ms-meta-a": "b"})
        kept = BlobStore(database, "account").put("container", "a", b"1", {"Content-Type": "text/plain"})
    with Database(path, lambda: NOON - timedelta(days=1)) as database:
        assert TableStore(database, "account").get("signals", "p", "r") == written
        assert MessageStore(database, "account").describe("queue") == (Queue("queue", {"a": "b"}), 1)
        blobs = BlobStore(database, "account")
        assert (blobs.find("container", "a"), blobs.get("container", "a").content) == (kept, b"1")
        assert blobs.container("container").headers == {"x-ms-meta-a": "b"}
        later = TableStore(database, "account").apply(insert("later"))
    assert written is not None
    assert later is not None
    # Even a clock that was set back gives no ETag twice.
    assert later.stamp > kept.changed > written.stamp


def test_accounts_do_not_see_each_other() -> None:
    with Database(None, lambda: NOON) as database:
        TableStore(database, "one").create_table("signals")
        with pytest.raises(StorageError, match="does not exist"):
            TableStore(database, "two").apply(insert("r"))
        BlobStore(database, "one").create_container("container", {})
        with pytest.raises(StorageError, match="does not exist"):
            BlobStore(database, "two").put("container", "a", b"", {})


def test_a_transaction_that_an_exception_leaves_writes_nothing() -> None:
    with Database(None, lambda: NOON) as database:
        store = TableStore(database, "account")
        store.create_table("signals")
        with pytest.raises(StorageError):
            twice(database, store)
        assert store.query("signals", ("", ""), None, 10).items == []
