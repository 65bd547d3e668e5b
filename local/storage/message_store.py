"""Queues and messages in SQLite: what each operation does to the rows, without HTTP."""

import json
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from secrets import token_urlsafe
from uuid import uuid4

from local.storage.database import Database
from local.storage.moment import EPOCH
from local.storage.parameters import check_name, out_of_range
from local.storage.service import StorageError

_COLUMNS = "id, text, receipt, dequeue_count, inserted, visible, expires"
_MICROSECOND = timedelta(microseconds=1)

# What the service answers as the expiry of a message that never expires.
NEVER = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Message:
    """One message; `receipt` is what its next delete or update must show."""

    id: str
    text: str
    receipt: str
    dequeue_count: int
    inserted: datetime
    visible: datetime
    expires: datetime


@dataclass(frozen=True, slots=True)
class Queue:
    """One queue with its metadata."""

    name: str
    metadata: Mapping[str, str]


class MessageStore:
    """The queues of one account. Every method raises StorageError in the service's words."""

    def __init__(self, database: Database, account: str) -> None:
        self._database = database
        self._account = account

    def create_queue(self, queue: Queue) -> bool:
        """Create a queue; False when it is there with the same metadata, 409 QueueAlreadyExists with another."""
        check_name(queue.name)
        row = self._run(
            "SELECT metadata FROM queues WHERE account = ? AND name = ?", self._account, queue.name
        ).fetchone()
        if row is not None and json.loads(row[0]) != queue.metadata:
            raise StorageError(409, "QueueAlreadyExists", "The specified queue already exists.")
        if row is None:
            self._run(
                "INSERT INTO queues (account, name, metadata) VALUES (?, ?, ?)",
                *(self._account, queue.name, json.dumps(queue.metadata)),
            )
        return row is None

    def delete_queue(self, name: str) -> None:
        """Delete a queue and its messages at once (the real service keeps the name busy for a while)."""
        self._run("DELETE FROM queues WHERE id = ?", self._queue(name))

    def set_metadata(self, queue: Queue) -> None:
        """Replace all metadata of a queue."""
        self._run("UPDATE queues SET metadata = ? WHERE id = ?", json.dumps(queue.metadata), self._queue(queue.name))

    def describe(self, name: str) -> tuple[Queue, int]:
        """Return a queue and the number of its messages, visible or not."""
        queue_id = self._live(name)
        (metadata,) = self._run("SELECT metadata FROM queues WHERE id = ?", queue_id).fetchone()
        (count,) = self._run("SELECT count(*) FROM messages WHERE queue_id = ?", queue_id).fetchone()
        return Queue(name, json.loads(metadata)), count

    def list_queues(self, prefix: str, start: str, limit: int) -> tuple[Sequence[Queue], str | None]:
        """Return up to `limit` queues by name from `start` on, and the name to start the next page with."""
        rows = self._run(
            "SELECT name, metadata FROM queues WHERE account = ? AND name >= ? AND substr(name, 1, ?) = ?"
            " ORDER BY name LIMIT ?",
            *(self._account, start, len(prefix), prefix, limit + 1),
        ).fetchall()
        queues = [Queue(name, json.loads(metadata)) for name, metadata in rows]
        return queues[:limit], queues[limit].name if len(queues) > limit else None

    def put(self, queue: str, text: str, invisible: timedelta, lives: timedelta | None) -> Message:
        """Append a message that shows after `invisible`; `lives` is its time to live, None for ever."""
        now = self._database.now()
        expires = NEVER if lives is None else _later(now, lives)
        message = Message(str(uuid4()), text, _receipt(), 0, now, _later(now, invisible), expires)
        self._run(
            f"INSERT INTO messages (queue_id, {_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",  # noqa: S608 # columns are ours
            *(self._queue(queue), *_row(message)),
        )
        return message

    def receive(self, queue: str, limit: int, invisible: timedelta) -> Sequence[Message]:
        """Take up to `limit` visible messages, hide each for `invisible`, count the delivery and renew its receipt."""
        visible = _later(self._database.now(), invisible)
        with self._database.transaction():
            received = [
                replace(message, receipt=_receipt(), dequeue_count=message.dequeue_count + 1, visible=visible)
                for message in self.peek(queue, limit)
            ]
            for message in received:
                self._save(message)
        return received

    def peek(self, queue: str, limit: int) -> Sequence[Message]:
        """Return up to `limit` visible messages, those first that became visible first, and change none."""
        rows = self._run(
            f"SELECT {_COLUMNS} FROM messages WHERE queue_id = ? AND visible <= ?"  # noqa: S608 # columns are ours
            " ORDER BY visible, sequence LIMIT ?",
            *(self._live(queue), _micros(self._database.now()), limit),
        )
        return [_message(row) for row in rows]

    def update(self, queue: str, identity: tuple[str, str], text: str | None, invisible: timedelta) -> Message:
        """Renew visibility and receipt of the message with this id and receipt, and its text unless that is None."""
        message = self._claimed(queue, identity)
        visible = _later(self._database.now(), invisible)
        if visible > message.expires:
            raise out_of_range("visibilitytimeout", str(int(invisible.total_seconds())))
        updated = replace(message, text=message.text if text is None else text, receipt=_receipt(), visible=visible)
        self._save(updated)
        return updated

    def delete(self, queue: str, identity: tuple[str, str]) -> None:
        """Delete the message with this id and receipt: 404 MessageNotFound, 400 PopReceiptMismatch."""
        self._run("DELETE FROM messages WHERE id = ?", self._claimed(queue, identity).id)

    def clear(self, queue: str) -> None:
        """Delete all messages of a queue."""
        self._run("DELETE FROM messages WHERE queue_id = ?", self._queue(queue))

    def is_due(self, horizon: timedelta) -> bool:
        """Whether any queue but those of poison holds a message that is or becomes visible within the horizon."""
        (count,) = self._run(
            "SELECT count(*) FROM messages JOIN queues ON queues.id = queue_id"
            " WHERE account = ? AND name NOT LIKE '%-poison' AND visible <= ?",
            self._account,
            _micros(_later(self._database.now(), horizon)),
        ).fetchone()
        return bool(count)

    def show_all(self) -> None:
        """Lets every message that nobody has taken yet show now: as if the time that they wait for had passed."""
        now = _micros(self._database.now())
        self._run("UPDATE messages SET visible = ? WHERE visible > ? AND dequeue_count = 0", now, now)

    def _claimed(self, queue: str, identity: tuple[str, str]) -> Message:
        message_id, receipt = identity
        row = self._run(
            f"SELECT {_COLUMNS} FROM messages WHERE queue_id = ? AND id = ?",  # noqa: S608 # columns are ours
            *(self._live(queue), message_id),
        ).fetchone()
        if row is None:
            raise StorageError(404, "MessageNotFound", "The specified message does not exist.")
        message = _message(row)
        if message.receipt != receipt:
            raise StorageError(
                400,
                "PopReceiptMismatch",
                "The specified pop receipt did not match the pop receipt for a dequeued message.",
            )
        return message

    def _save(self, message: Message) -> None:
        self._run(
            "UPDATE messages SET text = ?, receipt = ?, dequeue_count = ?, visible = ? WHERE id = ?",
            *(message.text, message.receipt, message.dequeue_count, _micros(message.visible), message.id),
        )

    def _queue(self, name: str) -> int:
        check_name(name)
        row = self._run("SELECT id FROM queues WHERE account = ? AND name = ?", self._account, name).fetchone()
        if row is None:
            raise StorageError(404, "QueueNotFound", "The specified queue does not exist.")
        return int(row[0])

    def _live(self, name: str) -> int:
        """Return the queue's id after dropping its expired messages, so that no reader sees one."""
        queue_id = self._queue(name)
        self._run("DELETE FROM messages WHERE queue_id = ? AND expires <= ?", queue_id, _micros(self._database.now()))
        return queue_id

    def _run(self, statement: str, *parameters: object) -> sqlite3.Cursor:
        return self._database.connection.execute(statement, parameters)


def _receipt() -> str:
    return token_urlsafe(18)


def _later(instant: datetime, duration: timedelta) -> datetime:
    return NEVER if duration > NEVER - instant else instant + duration


def _micros(instant: datetime) -> int:
    return (instant - EPOCH) // _MICROSECOND


def _row(message: Message) -> tuple[str | int, ...]:
    instants = (_micros(message.inserted), _micros(message.visible), _micros(message.expires))
    return (message.id, message.text, message.receipt, message.dequeue_count, *instants)


def _message(row: tuple[str, str, str, int, int, int, int]) -> Message:
    message_id, text, receipt, dequeue_count, *micros = row
    inserted, visible, expires = (EPOCH + count * _MICROSECOND for count in micros)
    return Message(message_id, text, receipt, dequeue_count, inserted, visible, expires)
