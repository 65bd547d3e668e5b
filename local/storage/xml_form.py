"""XML as Queue and Blob Storage write it: elements, and the error document."""

import re
from collections.abc import Mapping
from xml.sax.saxutils import escape

from local.storage.service import Reply, StorageError

PROLOGUE = '<?xml version="1.0" encoding="utf-8"?>'
NOT_XML = re.compile("[^\\t\\n\\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def leaf(name: str, text: str) -> str:
    """Return an element that holds `text`, escaped."""
    # A carriage return that is not escaped would reach the client as a line feed; what XML cannot carry at all can only
    # come from a query parameter that is echoed.
    return element(name, escape(NOT_XML.sub("?", text), {"\r": "&#xD;"}))


def element(name: str, inner: str) -> str:
    """Return an element around what is XML already."""
    return f"<{name}>{inner}</{name}>"


def xml_reply(status: int, document: bytes, headers: Mapping[str, str] | None = None) -> Reply:
    """Return the document as a response."""
    return Reply(status, document, {"Content-Type": "application/xml", **(headers or {})})


def refusal(error: StorageError, request_id: str, time: str) -> Reply:
    """Return the error document, with the code in a header too."""
    message = f"{error.message}\nRequestId:{request_id}\nTime:{time}"
    fields = {"Code": error.code, "Message": message, **error.detail}
    document = PROLOGUE + element("Error", "".join(leaf(*item) for item in fields.items()))
    return xml_reply(error.status, document.encode(), {"x-ms-error-code": error.code, **error.headers})
