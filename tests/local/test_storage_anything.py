"""Whatever call comes, the services answer or refuse it: no exception of ours, no status of 500."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from multidict import CIMultiDict

from local.storage.blobs import BlobService
from local.storage.database import Database
from local.storage.queues import QueueService
from local.storage.service import Call, Reply, Service, StorageError
from local.storage.tables import TableService

ENTITY = b'{"PartitionKey": "p", "RowKey": "r", "n": 1, "d": "2026-01-01T00:00:00Z", "d@odata.type": "Edm.DateTime"}'
MESSAGE = b"<QueueMessage><MessageText>x</MessageText></QueueMessage>"
BATCH = (
    b"--b\r\nContent-Type: multipart/mixed; boundary=c\r\n\r\n"
    b"--c\r\nContent-Type: application/http\r\n\r\nPOST /a/t1t HTTP/1.1\r\nX: y\r\n\r\n" + ENTITY + b"\r\n"
    b"--c\r\nContent-Type: application/http\r\n\r\nDELETE /a/t1t(PartitionKey='p',RowKey='s') HTTP/1.1\r\n\r\n\r\n"
    b"--c--\r\n--b--\r\n"
)

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=4,
)
types = st.sampled_from(["Binary", "Boolean", "DateTime", "Double", "Guid", "Int32", "Int64", "String", "None"])
entities = st.builds(
    lambda value, kind: json.dumps({"PartitionKey": "p", "RowKey": "r", "v": value, "v@odata.type": f"Edm.{kind}"}),
    values,
    types,
).map(str.encode)
damaged = st.builds(
    lambda whole, at, inserted, removed: whole[:at] + inserted + whole[at + removed :],
    st.sampled_from([ENTITY, MESSAGE, BATCH]),
    st.integers(0, len(BATCH)),
    st.binary(max_size=4),
    st.integers(0, 8),
)
paths = st.text(max_size=30).map(lambda text: f"/{text}") | st.sampled_from(
    [
        "/",
        "/$batch",
        "/t1t",
        "/Tables",
        "/t1t()",
        "/t1t(PartitionKey='p',RowKey='r')",
        "/queue",
        "/queue/messages",
        "/box",
        "/box/a",
    ]
)
parameters = ["$filter", "$top", "$select", "NextPartitionKey", "comp", "visibilitytimeout", "popreceipt", "messagettl"]
parameters += ["restype", "prefix", "marker", "maxresults", "timeout"]
values_of_headers = st.sampled_from(["*", "BlockBlob", "bytes=0-", "bytes=1-0", "x", '"0x1"']) | st.text(max_size=8)
headers = st.dictionaries(
    st.sampled_from(["If-Match", "If-None-Match", "x-ms-blob-type", "x-ms-range", "x-ms-meta-a"]), values_of_headers
)
calls = st.builds(
    Call,
    method=st.sampled_from(["GET", "POST", "PUT", "PATCH", "MERGE", "DELETE", "HEAD", "OPTIONS"]),
    path=paths,
    query=st.dictionaries(st.sampled_from(parameters), st.text(max_size=20), max_size=3)
    | st.sampled_from([{}, {"restype": "container"}, {"restype": "container", "comp": "list"}]),
    headers=headers.map(
        lambda some: CIMultiDict({"Content-Type": "multipart/mixed; boundary=b", "If-Match": "*"} | some)
    ),
    body=st.binary(max_size=100) | entities | damaged,
    request_id=st.just("id"),
)


@pytest.fixture(scope="module", params=[TableService, QueueService, BlobService])
def service(request: pytest.FixtureRequest) -> Iterator[Service]:
    with Database(None, lambda: datetime(2026, 1, 1, tzinfo=UTC)) as database:
        opened: Service = request.param(database, "a")
        for method, path, query in (
            ("POST", "/Tables", {}),
            ("PUT", "/queue", {}),
            ("PUT", "/box", {"restype": "container"}),
            ("PUT", "/box/a", {}),
        ):
            block = CIMultiDict({"x-ms-blob-type": "BlockBlob"})
            answer(opened, Call(method, path, query, block, b'{"TableName": "t1t"}', ""))
        yield opened


def answer(service: Service, call: Call) -> Reply:
    try:
        return service.answer(call)
    except StorageError as error:
        return service.refuse(error, call.request_id)


@settings(deadline=None, max_examples=100)
@given(calls)
def test_whatever_comes_is_answered_or_refused(service: Service, call: Call) -> None:
    assert answer(service, call).status in range(200, 500) or answer(service, call).status == 501
