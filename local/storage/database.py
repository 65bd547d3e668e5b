"""The one SQLite file behind the local Table, Queue and Blob Storage."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from local.storage.moment import Moment, moment

_SCHEMA = """
CREATE TABLE IF NOT EXISTS tables (
    id INTEGER PRIMARY KEY, account TEXT NOT NULL, name TEXT NOT NULL COLLATE NOCASE, UNIQUE (account, name));
CREATE TABLE IF NOT EXISTS entities (
    table_id INTEGER NOT NULL REFERENCES tables (id) ON DELETE CASCADE,
    partition_key TEXT NOT NULL, row_key TEXT NOT NULL, ticks INTEGER NOT NULL, properties TEXT NOT NULL,
    PRIMARY KEY (table_id, partition_key, row_key)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS queues (
    id INTEGER PRIMARY KEY, account TEXT NOT NULL, name TEXT NOT NULL, metadata TEXT NOT NULL, UNIQUE (account, name));
CREATE TABLE IF NOT EXISTS messages (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    queue_id INTEGER NOT NULL REFERENCES queues (id) ON DELETE CASCADE,
    id TEXT NOT NULL UNIQUE, text TEXT NOT NULL, receipt TEXT NOT NULL, dequeue_count INTEGER NOT NULL,
    inserted INTEGER NOT NULL, visible INTEGER NOT NULL, expires INTEGER NOT NULL);
CREATE INDEX IF NOT EXISTS messages_by_visibility ON messages (queue_id, visible, sequence);
CREATE INDEX IF NOT EXISTS messages_by_expiry ON messages (queue_id, expires);
CREATE TABLE IF NOT EXISTS containers (
    id INTEGER PRIMARY KEY, account TEXT NOT NULL, name TEXT NOT NULL, ticks INTEGER NOT NULL, headers TEXT NOT NULL,
    immutable INTEGER NOT NULL DEFAULT FALSE, UNIQUE (account, name));
CREATE TABLE IF NOT EXISTS blobs (
    container_id INTEGER NOT NULL REFERENCES containers (id), name TEXT NOT NULL, ticks INTEGER NOT NULL,
    headers TEXT NOT NULL, content BLOB NOT NULL, PRIMARY KEY (container_id, name));
"""
_LAST = """
SELECT coalesce(max(ticks), 0) FROM (
    SELECT ticks FROM entities UNION ALL SELECT ticks FROM containers UNION ALL SELECT ticks FROM blobs)
"""


class Database:
    """State of the local storage account, used from one thread: the event loop's.

    `path` is created when it does not exist; None keeps everything in memory. `now` must return time-zone aware
    instants and is the only clock. Commits survive the end of the process, not a power cut: a rehearsal is worth no
    fsync per write.
    Raises sqlite3.DatabaseError when `path` is something else than a database.
    """

    def __init__(self, path: Path | None, now: Callable[[], datetime]) -> None:
        self._now = now
        self.connection = sqlite3.connect(path or ":memory:", isolation_level=None)
        self.connection.execute("PRAGMA journal_mode = WAL")
        self.connection.execute("PRAGMA synchronous = NORMAL")
        self.connection.execute("PRAGMA foreign_keys = ON")
        self.connection.executescript(_SCHEMA)
        (self._last,) = self.connection.execute(_LAST).fetchone()

    def now(self) -> datetime:
        """Return the injected clock's instant."""
        return self._now()

    def stamp(self) -> Moment:
        """Return an instant later than any stamp before, so that ETags differ even while the clock stands still."""
        self._last = max(moment(self._now()).ticks, self._last + 1)
        return Moment(self._last)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Commit what happens inside together, or nothing of it when an exception leaves."""
        with self.connection:
            self.connection.execute("BEGIN IMMEDIATE")
            yield

    def close(self) -> None:
        """Close the file; the applications over it can no longer answer."""
        self.connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
