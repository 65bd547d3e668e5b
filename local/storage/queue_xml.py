"""The XML documents of Queue Storage: a message in, lists of messages and queues out."""

from collections.abc import Iterable, Mapping, Sequence
from email.utils import format_datetime
from xml.parsers.expat import ExpatError, ParserCreate
from xml.sax.saxutils import quoteattr

from local.storage.message_store import Message, Queue
from local.storage.service import StorageError
from local.storage.xml_form import PROLOGUE, element, leaf

_PATH = ["QueueMessage", "MessageText"]


def read_message(body: bytes) -> str:
    """Return the text of a `<QueueMessage><MessageText>` document, exactly as it was escaped.

    Raises StorageError for anything that is not well-formed, for another document, and for any document type: expanding
    entities is how a small body becomes a large one.
    """
    reader = _MessageReader()
    try:
        reader.read(body)
    except (ExpatError, ValueError) as error:
        raise invalid_xml() from error
    if reader.text is None:
        raise invalid_xml()
    return reader.text


class _MessageReader:
    """Follows expat through one document and keeps the text at `_PATH`."""

    def __init__(self) -> None:
        self.text: str | None = None
        self._path: list[str] = []

    def read(self, body: bytes) -> None:
        parser = ParserCreate("utf-8")
        parser.StartDoctypeDeclHandler = self._doctype
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._characters
        parser.buffer_text = True
        parser.Parse(body, True)

    def _doctype(self, *_declaration: object) -> None:
        raise ValueError("a document type is not allowed")

    def _start(self, name: str, _attributes: Mapping[str, str]) -> None:
        self._path.append(name)
        if self._path == _PATH:
            if self.text is not None:
                raise ValueError("there is more than one text")
            self.text = ""

    def _end(self, _name: str) -> None:
        self._path.pop()

    def _characters(self, characters: str) -> None:
        if self._path == _PATH:
            self.text = (self.text or "") + characters


def invalid_xml() -> StorageError:
    """Return the refusal of a body that is not the expected document."""
    return StorageError(400, "InvalidXmlDocument", "XML specified is not syntactically valid.")


def put_messages(message: Message) -> bytes:
    """Answer Put Message."""
    return _list([_identity(message) + _receipt(message)])


def received_messages(messages: Sequence[Message]) -> bytes:
    """Answer Get Messages."""
    return _list(_identity(message) + _receipt(message) + _content(message) for message in messages)


def peeked_messages(messages: Sequence[Message]) -> bytes:
    """Answer Peek Messages, which gives no receipt away."""
    return _list(_identity(message) + _content(message) for message in messages)


def listed_queues(endpoint: str, asked: Mapping[str, str], queues: Sequence[Queue], following: str | None) -> bytes:
    """Answer List Queues; `asked` holds Prefix, Marker and MaxResults as the call gave them."""
    with_metadata = "metadata" in asked.get("include", "").split(",")
    listed = "".join(
        element("Queue", leaf("Name", queue.name) + (_metadata(queue) if with_metadata else "")) for queue in queues
    )
    echoed = leaf("Prefix", asked.get("prefix", "")) + leaf("Marker", asked.get("marker", ""))
    pages = leaf("MaxResults", asked.get("maxresults", "5000"))
    inner = echoed + pages + element("Queues", listed) + leaf("NextMarker", following or "")
    return f"{PROLOGUE}<EnumerationResults ServiceEndpoint={quoteattr(endpoint)}>{inner}</EnumerationResults>".encode()


def _list(messages: Iterable[str]) -> bytes:
    listed = "".join(element("QueueMessage", message) for message in messages)
    return (PROLOGUE + element("QueueMessagesList", listed)).encode()


def _identity(message: Message) -> str:
    return (
        leaf("MessageId", message.id)
        + leaf("InsertionTime", format_datetime(message.inserted, usegmt=True))
        + leaf("ExpirationTime", format_datetime(message.expires, usegmt=True))
    )


def _receipt(message: Message) -> str:
    visible = format_datetime(message.visible, usegmt=True)
    return leaf("PopReceipt", message.receipt) + leaf("TimeNextVisible", visible)


def _content(message: Message) -> str:
    return leaf("DequeueCount", str(message.dequeue_count)) + leaf("MessageText", message.text)


def _metadata(queue: Queue) -> str:
    return element("Metadata", "".join(leaf(*item) for item in queue.metadata.items()))
