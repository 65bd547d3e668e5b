"""Azure Queue Storage over REST (learn.microsoft.com, "Queue service REST API", reviewed 2026-11).

What differs from the service: signatures and tokens are not verified (any Bearer, SharedKey or SharedKeyLite header is
let in), SAS is not understood, a deleted queue's name is free at once, messages come strictly in the order in which
they became visible, and access policies, service properties and statistics answer 501 NotImplemented.
"""

from dataclasses import dataclass
from datetime import timedelta
from email.utils import format_datetime

from aiohttp import web

from local.storage.database import Database
from local.storage.message_store import MessageStore, Queue
from local.storage.moment import moment
from local.storage.parameters import METADATA, check_name, invalid, metadata_of, number, required, unsupported
from local.storage.queue_xml import (
    listed_queues,
    peeked_messages,
    put_messages,
    read_message,
    received_messages,
)
from local.storage.service import Call, Reply, StorageError, serve, too_large
from local.storage.xml_form import refusal, xml_reply

LARGEST_TEXT = 64 * 1024
# Where the service stops reading a message's XML: text of the largest size may arrive escaped.
LARGEST_BODY = 131584
MOST_MESSAGES = 32
MOST_QUEUES = 5000
LONGEST_INVISIBLE = timedelta(days=7)
DEFAULT_LIFE = timedelta(days=7)
DEFAULT_INVISIBLE = timedelta(seconds=30)

_FOREVER = -1


def application(database: Database, account: str) -> web.Application:
    """Return the Queue service of `account`; the caller serves it, and closes `database` afterwards."""
    return serve(QueueService(database, account), database, account)


@dataclass(frozen=True, slots=True)
class QueueService:
    """Calls to replies, over the queues of one account."""

    database: Database
    account: str

    @property
    def largest_body(self) -> int:
        """What the service reads of one message."""
        return LARGEST_BODY

    def answer(self, call: Call) -> Reply:
        """Do what the call asks; raises StorageError."""
        match call.path.strip("/").split("/"):
            case [""]:
                return self._account(call)
            case [queue]:
                return self._queue(queue, call)
            case [queue, "messages"]:
                return self._messages(queue, call)
            case [queue, "messages", message]:
                return self._message(queue, message, call)
            case _:
                raise StorageError(
                    400, "InvalidUri", "The requested URI does not represent any resource on the server."
                )

    def refuse(self, error: StorageError, request_id: str) -> Reply:
        """Render the XML error document."""
        return refusal(error, request_id, moment(self.database.now()).exact)

    @property
    def _store(self) -> MessageStore:
        return MessageStore(self.database, self.account)

    def _account(self, call: Call) -> Reply:
        if call.method != "GET" or call.query.get("comp") != "list":
            raise unsupported(call)
        limit = number(call, "maxresults", range(1, MOST_QUEUES + 1), MOST_QUEUES)
        queues, following = self._store.list_queues(call.query.get("prefix", ""), call.query.get("marker", ""), limit)
        endpoint = f"https://{call.headers.get('Host', '')}/{self.account}"
        return xml_reply(200, listed_queues(endpoint, call.query, queues, following))

    def _queue(self, name: str, call: Call) -> Reply:
        match call.method, call.query.get("comp"):
            case "PUT", None:
                return Reply(201 if self._store.create_queue(Queue(name, metadata_of(call))) else 204)
            case "DELETE", None:
                self._store.delete_queue(name)
                return Reply(204)
            case "PUT", "metadata":
                self._store.set_metadata(Queue(name, metadata_of(call)))
                return Reply(204)
            case "GET" | "HEAD", "metadata":
                queue, count = self._store.describe(name)
                headers = {METADATA + key: value for key, value in queue.metadata.items()}
                return Reply(200, headers={**headers, "x-ms-approximate-messages-count": str(count)})
            case _:
                raise unsupported(call)

    def _messages(self, queue: str, call: Call) -> Reply:
        match call.method:
            case "POST":
                return self._put(queue, call)
            case "GET":
                return self._get(queue, call)
            case "DELETE":
                self._store.clear(queue)
                return Reply(204)
            case _:
                raise unsupported(call)

    def _put(self, queue: str, call: Call) -> Reply:
        longest = int(LONGEST_INVISIBLE.total_seconds())
        invisible = _seconds(call, "visibilitytimeout", range(longest + 1), timedelta())
        lives = _seconds(call, "messagettl", range(_FOREVER, 2**31), DEFAULT_LIFE)
        forever = lives == timedelta(seconds=_FOREVER)
        if not forever and invisible >= lives:
            raise invalid("visibilitytimeout", call.query.get("visibilitytimeout", "0"))
        message = self._store.put(queue, _text(call), invisible, None if forever else lives)
        return xml_reply(201, put_messages(message))

    def _get(self, queue: str, call: Call) -> Reply:
        limit = number(call, "numofmessages", range(1, MOST_MESSAGES + 1), 1)
        if call.query.get("peekonly", "").lower() == "true":
            return xml_reply(200, peeked_messages(self._store.peek(queue, limit)))
        longest = int(LONGEST_INVISIBLE.total_seconds())
        invisible = _seconds(call, "visibilitytimeout", range(1, longest + 1), DEFAULT_INVISIBLE)
        return xml_reply(200, received_messages(self._store.receive(queue, limit, invisible)))

    def _message(self, queue: str, message_id: str, call: Call) -> Reply:
        check_name(queue)
        identity = message_id, required(call, "popreceipt")
        if call.method == "DELETE":
            self._store.delete(queue, identity)
            return Reply(204)
        if call.method != "PUT":
            raise unsupported(call)
        required(call, "visibilitytimeout")
        longest = int(LONGEST_INVISIBLE.total_seconds())
        invisible = _seconds(call, "visibilitytimeout", range(longest + 1), timedelta())
        message = self._store.update(queue, identity, _text(call) if call.body else None, invisible)
        visible = format_datetime(message.visible, usegmt=True)
        return Reply(204, headers={"x-ms-popreceipt": message.receipt, "x-ms-time-next-visible": visible})


def _text(call: Call) -> str:
    text = read_message(call.body)
    if len(text.encode()) > LARGEST_TEXT:
        raise too_large(LARGEST_TEXT)
    return text


def _seconds(call: Call, name: str, allowed: range, default: timedelta) -> timedelta:
    return timedelta(seconds=number(call, name, allowed, int(default.total_seconds())))
