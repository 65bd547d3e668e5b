"""Entity group transactions on the wire: multipart/mixed in, multipart/mixed out.

learn.microsoft.com, "Performing entity group transactions", reviewed 2026-11: one change set per batch, at most 100
operations on one table and one PartitionKey, each entity once, 4 MiB in all. A batch of a single query is allowed there
too; it is refused here with 501 NotImplemented, since azure-data-tables never sends one.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from urllib.parse import urlsplit

from multidict import CIMultiDict

from local.storage.edm import invalid_input
from local.storage.service import Call, Headers, Reply, address, not_implemented

_BOUNDARY = re.compile(r"multipart/mixed\s*;\s*boundary=\"?([A-Za-z0-9'()+_,./:=?-]{1,70})\"?\s*", re.IGNORECASE)
_LINE = b"\r\n"
_BLANK = b"\r\n\r\n"


@dataclass(frozen=True, slots=True)
class _Part:
    headers: Headers
    content: bytes


def read_batch(call: Call, account: str) -> list[Call]:
    """Return the operations of the one change set in `call`; raises StorageError for any other form."""
    outer = _parts(call.body, call.headers.get("Content-Type", ""))
    if len(outer) != 1:
        raise invalid_input("A batch must hold exactly one change set.")
    (changeset,) = outer
    if changeset.headers.get("Content-Type", "").lower().startswith("application/http"):
        raise not_implemented()
    parts = _parts(changeset.content, changeset.headers.get("Content-Type", ""))
    if not parts:
        raise invalid_input("A change set must hold an operation.")
    return [_operation(part, account, call.request_id) for part in parts]


def render_batch(replies: Sequence[tuple[Reply, str | None]], request_id: str) -> Reply:
    """Return 202 with one part per reply, each with the Content-ID of its operation, None when it had none."""
    inner, outer = f"changesetresponse_{request_id}", f"batchresponse_{request_id}"
    parts = b"".join(f"--{inner}\r\n".encode() + _rendered(reply, content_id) for reply, content_id in replies)
    body = (
        f"--{outer}\r\nContent-Type: multipart/mixed; boundary={inner}\r\n\r\n".encode()
        + parts
        + f"--{inner}--\r\n--{outer}--\r\n".encode()
    )
    return Reply(202, body, {"Content-Type": f"multipart/mixed; boundary={outer}"})


def _parts(body: bytes, content_type: str) -> list[_Part]:
    boundary = _BOUNDARY.fullmatch(content_type.strip())
    if boundary is None:
        raise invalid_input("The content type is not multipart/mixed with a boundary.")
    _, *sections = (_LINE + body).split(f"\r\n--{boundary[1]}".encode())
    if not sections or not sections.pop().startswith(b"--"):
        raise invalid_input("The multipart body does not end with its boundary.")
    return [_part(section) for section in sections]


def _part(section: bytes) -> _Part:
    # A section begins with the rest of its delimiter line.
    padding, line, rest = section.partition(_LINE)
    head, blank, content = rest.partition(_BLANK)
    if padding.strip() or not line or not blank:
        raise invalid_input("A part of the multipart body has no headers.")
    return _Part(_headers(head), content)


def _headers(head: bytes) -> CIMultiDict[str]:
    headers: CIMultiDict[str] = CIMultiDict()
    for line in head.decode("latin-1").split("\r\n"):
        name, colon, value = line.partition(":")
        if not colon or not name.strip():
            raise invalid_input("A header in the batch is malformed.")
        headers.add(name.strip(), value.strip())
    return headers


def _operation(part: _Part, account: str, request_id: str) -> Call:
    if not part.headers.get("Content-Type", "").lower().startswith("application/http"):
        raise invalid_input("A part of the change set is not application/http.")
    head, _, body = part.content.partition(_BLANK)
    first, _, rest = head.partition(_LINE)
    words = first.decode("latin-1").split(" ")
    if len(words) != 3 or not words[2].startswith("HTTP/"):
        raise invalid_input("An operation has no request line.")
    try:
        target = urlsplit(words[1])
    except ValueError as error:
        raise invalid_input("An operation's address is malformed.") from error
    path, query = address(target.path, target.query, account)
    headers = _headers(rest) if rest.strip() else CIMultiDict[str]()
    if "Content-ID" in part.headers:
        headers["Content-ID"] = part.headers["Content-ID"]
    return Call(words[0], path, query, headers, body, request_id)


def _rendered(reply: Reply, content_id: str | None) -> bytes:
    headers = dict(reply.headers)
    if content_id is not None:
        headers["Content-ID"] = content_id
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    status = f"HTTP/1.1 {reply.status} {HTTPStatus(reply.status).phrase}\r\n"
    return (
        b"Content-Type: application/http\r\nContent-Transfer-Encoding: binary\r\n\r\n"
        + f"{status}{lines}\r\n".encode("latin-1")
        + reply.body
        + _LINE
    )
