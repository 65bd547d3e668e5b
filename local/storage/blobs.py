"""Azure Blob Storage over REST (learn.microsoft.com, "Blob service REST API", read 2026-11-24).

Containers, block blobs that come in one request, and flat lists. What differs from the service: signatures and tokens
are not verified (any Bearer, SharedKey or SharedKeyLite header is let in), SAS is not understood, checksums are not
answered, and names that XML cannot carry are refused. Everything else that changes what a request means (blocks,
leases, snapshots, versions, tiers, tags, dates as conditions, checksums) answers 501 NotImplemented.
A condition is looked at before a container's policy; in which order the service does it is not documented.
"""

import re
from base64 import b64decode, urlsafe_b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from email.utils import format_datetime
from xml.sax.saxutils import quoteattr

from aiohttp import web

from local.storage.blob_store import BlobStore, Container, Listed
from local.storage.database import Database
from local.storage.moment import moment
from local.storage.parameters import METADATA, invalid, metadata_of, number, unsupported
from local.storage.service import Call, Reply, StorageError, not_implemented, serve
from local.storage.xml_form import PROLOGUE, element, leaf, refusal, xml_reply

# What azure-storage-blob sends in one request; more comes in blocks.
LARGEST_BODY = 64 * 1024 * 1024
MOST_BLOBS = 5000

_MEDIA_TYPE = "application/octet-stream"
_RANGE = re.compile(r"bytes=([0-9]{1,18})-([0-9]{1,18})?")
# The properties that a blob is written with, and the headers that they come in and go out by.
_PROPERTIES = {
    "x-ms-blob-content-encoding": "Content-Encoding",
    "x-ms-blob-content-language": "Content-Language",
    "x-ms-blob-content-disposition": "Content-Disposition",
    "x-ms-blob-cache-control": "Cache-Control",
}
_NOT_UNDERSTOOD = (
    *("Content-MD5", "If-Modified-Since", "If-Unmodified-Since", "x-ms-access-tier", "x-ms-blob-content-md5"),
    *("x-ms-content-crc64", "x-ms-copy-source", "x-ms-encryption-key", "x-ms-encryption-scope", "x-ms-if-tags"),
    *("x-ms-immutability-policy-mode", "x-ms-immutability-policy-until-date", "x-ms-lease-id", "x-ms-legal-hold"),
    *("x-ms-range-get-content-crc64", "x-ms-range-get-content-md5", "x-ms-structured-body", "x-ms-tags"),
)
_LIST_PARAMETERS = frozenset({"restype", "comp", "prefix", "marker", "maxresults", "timeout"})


def application(database: Database, account: str) -> web.Application:
    """Return the Blob service of `account`; the caller serves it, and closes `database` afterwards."""
    return serve(BlobService(database, account), database, account)


@dataclass(frozen=True, slots=True)
class BlobService:
    """Calls to replies, over the containers of one account."""

    database: Database
    account: str

    @property
    def largest_body(self) -> int:
        """What one request may bring."""
        return LARGEST_BODY

    def answer(self, call: Call) -> Reply:
        """Do what the call asks; raises StorageError."""
        if any(name in call.headers for name in _NOT_UNDERSTOOD):
            raise not_implemented()
        container, _, blob = call.path.removeprefix("/").partition("/")
        if blob:
            return self._blob(container, blob, call)
        if container and call.query.get("restype") == "container":
            return self._container(container, call)
        raise unsupported(call)

    def refuse(self, error: StorageError, request_id: str) -> Reply:
        """Render the XML error document."""
        return refusal(error, request_id, moment(self.database.now()).exact)

    @property
    def _store(self) -> BlobStore:
        return BlobStore(self.database, self.account)

    def _container(self, name: str, call: Call) -> Reply:
        match call.method, call.query.get("comp"):
            case "PUT", None:
                headers = {METADATA + key: value for key, value in metadata_of(call).items()}
                return Reply(201, headers=_version(self._store.create_container(name, headers)))
            case "GET" | "HEAD", None:
                container = self._store.container(name)
                told = {
                    "x-ms-has-immutability-policy": str(container.immutable).lower(),
                    "x-ms-has-legal-hold": "false",
                }
                return Reply(200, headers={**container.headers, **told, **_version(container)})
            case "GET", "list":
                return self._list(name, call)
            case "DELETE", None:
                raise not_implemented()
            case _:
                raise unsupported(call)

    def _list(self, name: str, call: Call) -> Reply:
        if not call.query.keys() <= _LIST_PARAMETERS:
            raise not_implemented()
        # Asked for more than it gives at once, the service gives what it does.
        limit = min(number(call, "maxresults", range(1, 2**31), MOST_BLOBS), MOST_BLOBS)
        start = _read_marker(call.query.get("marker", ""))
        blobs, following = self._store.page(name, call.query.get("prefix", ""), start, limit)
        endpoint = f"https://{call.headers.get('Host', '')}/{self.account}"
        return xml_reply(200, _listing((endpoint, name), call.query, blobs, following))

    def _blob(self, container: str, name: str, call: Call) -> Reply:
        if not call.query.keys() <= {"timeout"}:
            raise not_implemented()
        match call.method:
            case "PUT":
                return self._put(container, name, call)
            case "GET" | "HEAD":
                return self._get(container, name, call)
            case "DELETE":
                _check_write(call, self._store.find(container, name))
                self._store.delete(container, name)
                return Reply(202, headers={"x-ms-delete-type-permanent": "true"})
            case _:
                raise unsupported(call)

    def _put(self, container: str, name: str, call: Call) -> Reply:
        kind = call.headers.get("x-ms-blob-type", "")
        if not kind:
            raise StorageError(
                400,
                "MissingRequiredHeader",
                "An HTTP header that's mandatory for this request is not specified.",
                {"HeaderName": "x-ms-blob-type"},
            )
        if kind != "BlockBlob":
            raise not_implemented()
        _check_write(call, self._store.find(container, name))
        blob = self._store.put(container, name, call.body, _properties(call))
        return Reply(201, headers={**_version(blob), "x-ms-request-server-encrypted": "true"})

    def _get(self, container: str, name: str, call: Call) -> Reply:
        blob = self._store.get(container, name)
        _check_read(call, blob)
        headers = {
            **blob.headers,
            **_version(blob),
            "Accept-Ranges": "bytes",
            "x-ms-blob-type": "BlockBlob",
            "x-ms-creation-time": _http_date(blob),
            "x-ms-lease-state": "available",
            "x-ms-lease-status": "unlocked",
            "x-ms-server-encrypted": "true",
        }
        if call.method == "HEAD":
            return Reply(200, headers={**headers, "Content-Length": str(blob.size)})
        asked = call.headers.get("x-ms-range", call.headers.get("Range"))
        if asked is None:
            return Reply(200, blob.content, headers)
        first, last = _read_range(asked, blob.size)
        within = {"Content-Range": f"bytes {first}-{last}/{blob.size}"}
        return Reply(206, blob.content[first : last + 1], headers | within)


def _properties(call: Call) -> dict[str, str]:
    media = call.headers.get("x-ms-blob-content-type") or call.headers.get("Content-Type") or _MEDIA_TYPE
    given = {out: call.headers[name] for name, out in _PROPERTIES.items() if call.headers.get(name)}
    metadata = {METADATA + name: value for name, value in metadata_of(call).items()}
    properties = {"Content-Type": media, **given, **metadata}
    if not all(value.isascii() and value.isprintable() for value in properties.values()):
        raise _invalid_header()
    return properties


def _check_write(call: Call, blob: Listed | None) -> None:
    """Raise StorageError unless the call's conditions hold for the blob, or for there being none."""
    unless = call.headers.get("If-None-Match")
    if unless == "*" and blob is not None:
        raise StorageError(409, "BlobAlreadyExists", "The specified blob already exists.")
    only = call.headers.get("If-Match")
    if only is not None and (blob is None or only not in ("*", blob.etag)):
        raise _condition_not_met(412)
    if blob is not None and unless == blob.etag:
        raise _condition_not_met(412)


def _check_read(call: Call, blob: Listed) -> None:
    if call.headers.get("If-Match", "*") not in ("*", blob.etag):
        raise _condition_not_met(412)
    if call.headers.get("If-None-Match") in ("*", blob.etag):
        raise _condition_not_met(304)


def _condition_not_met(status: int) -> StorageError:
    message = "The condition specified using HTTP conditional header(s) is not met."
    return StorageError(status, "ConditionNotMet", message)


def _read_range(text: str, size: int) -> tuple[int, int]:
    """Return the first and the last byte that are asked for and there."""
    asked = _RANGE.fullmatch(text.strip())
    if asked is None or (asked[2] is not None and int(asked[2]) < int(asked[1])):
        raise _invalid_header()
    first, last = int(asked[1]), int(asked[2] or size - 1)
    if first >= size:
        message = "The range specified is invalid for the current size of the resource."
        raise StorageError(416, "InvalidRange", message, headers={"Content-Range": f"bytes */{size}"})
    return first, min(last, size - 1)


def _invalid_header() -> StorageError:
    return StorageError(
        400, "InvalidHeaderValue", "The value for one of the HTTP headers is not in the correct format."
    )


def _version(changed: Container | Listed) -> dict[str, str]:
    return {"ETag": changed.etag, "Last-Modified": _http_date(changed)}


def _http_date(changed: Container | Listed) -> str:
    return format_datetime(changed.changed.instant, usegmt=True)


def _listing(where: tuple[str, str], asked: Mapping[str, str], blobs: Sequence[Listed], following: str | None) -> bytes:
    """Answer List Blobs; `asked` holds prefix, marker and maxresults as the call gave them."""
    endpoint, container = (quoteattr(part) for part in where)
    echoed = leaf("Prefix", asked.get("prefix", "")) + leaf("Marker", asked.get("marker", ""))
    pages = leaf("MaxResults", asked.get("maxresults", str(MOST_BLOBS)))
    listed = element("Blobs", "".join(element("Blob", _entry(blob)) for blob in blobs))
    inner = echoed + pages + listed + leaf("NextMarker", _marker(following) if following else "")
    opening = f"<EnumerationResults ServiceEndpoint={endpoint} ContainerName={container}>"
    return f"{PROLOGUE}{opening}{inner}</EnumerationResults>".encode()


def _entry(blob: Listed) -> str:
    properties = {
        "Creation-Time": _http_date(blob),
        "Last-Modified": _http_date(blob),
        "Etag": blob.etag.strip('"'),
        "Content-Length": str(blob.size),
        "Content-Type": blob.headers.get("Content-Type", _MEDIA_TYPE),
        "BlobType": "BlockBlob",
        "LeaseStatus": "unlocked",
        "LeaseState": "available",
        "ServerEncrypted": "true",
    }
    return leaf("Name", blob.name) + element("Properties", "".join(leaf(*item) for item in properties.items()))


def _marker(name: str) -> str:
    return urlsafe_b64encode(name.encode()).decode()


def _read_marker(marker: str) -> str:
    try:
        return b64decode(marker, altchars=b"-_", validate=True).decode()
    except ValueError as error:
        raise invalid("marker", marker) from error
