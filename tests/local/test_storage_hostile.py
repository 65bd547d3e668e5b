"""Calls that no SDK sends: each gets the service's refusal, none an error of ours."""

import json
import ssl
from collections.abc import AsyncIterator
from io import BytesIO

import pytest
from aiohttp import ClientResponse, ClientSession, TCPConnector
from yarl import URL

from tests.storage_account import ACCOUNT, Authority, Storage

AUTHORIZED = {"Authorization": "Bearer rehearsal"}
BATCH = {**AUTHORIZED, "Content-Type": "multipart/mixed; boundary=b"}
CHANGE_SET = "--b\r\nContent-Type: multipart/mixed; boundary=c\r\n\r\n{}\r\n--b--\r\n"
OPERATION = "--c\r\nContent-Type: application/http\r\n\r\n{}\r\n--c--\r\n"
DOCTYPE = '<!DOCTYPE a [<!ENTITY e "x">]><QueueMessage><MessageText>&e;</MessageText></QueueMessage>'
ENTITY = '{"PartitionKey": "p", "RowKey": "r"}'


@pytest.fixture
async def session(authority: Authority) -> AsyncIterator[ClientSession]:
    trusted = ssl.create_default_context(cafile=authority.bundle)
    async with ClientSession(connector=TCPConnector(ssl=trusted)) as opened:
        yield opened


async def code_of(response: ClientResponse) -> tuple[int, str]:
    """Return status and error code of a refusal, whichever service's format it has."""
    body = await response.text()
    if response.content_type == "application/json":
        return response.status, json.loads(body)["odata.error"]["code"]
    return response.status, body.partition("<Code>")[2].partition("</Code>")[0]


@pytest.mark.parametrize("authorization", [None, "", "Bearer", "Basic dXNlcjpwYXNz", "Negotiate x"])
async def test_without_authorization_nothing_is_said(
    local: Storage, session: ClientSession, authorization: str | None
) -> None:
    headers = {} if authorization is None else {"Authorization": authorization}
    for url in (f"{local.table_url}/Tables", f"{local.queue_url}?comp=list", f"{local.blob_url}/box/a"):
        async with session.get(url, headers=headers) as response:
            assert await code_of(response) == (403, "AuthenticationFailed")


@pytest.mark.parametrize("scheme", ["SharedKey", "SharedKeyLite"])
async def test_shared_keys_are_let_in(local: Storage, session: ClientSession, scheme: str) -> None:
    async with session.get(f"{local.table_url}/Tables", headers={"Authorization": f"{scheme} a:b"}) as response:
        assert (response.status, await response.json()) == (200, {"value": []})


@pytest.mark.parametrize(
    "call,refusal",
    [
        (("GET", "/Tables?$filter=TableName+eq", ""), (400, "InvalidInput")),
        (("GET", "/Tables?$top=0", ""), (400, "InvalidInput")),
        (("GET", "/t1t()?$top=1001", ""), (400, "InvalidInput")),
        (("GET", "/t1t()?NextPartitionKey=1!4!%2B%2B%2B%2B", ""), (400, "InvalidQueryParameterValue")),
        (("GET", "/t1t()?NextPartitionKey=1!2!_w", ""), (400, "InvalidQueryParameterValue")),
        (("GET", "/t1t()?NextPartitionKey=x", ""), (400, "InvalidQueryParameterValue")),
        (("GET", "/t1t()?$filter=%FF", ""), (400, "InvalidUri")),
        (("GET", "/t1t(PartitionKey='%ff',RowKey='r')", ""), (400, "InvalidUri")),
        (("GET", "/t1t(PartitionKey='p%00',RowKey='r')", ""), (400, "OutOfRangeInput")),
        (("GET", "/t1t(PartitionKey='p',RowKey='r)", ""), (405, "MethodNotAllowed")),
        (("GET", "/x", ""), (400, "OutOfRangeInput")),
        (("GET", "/not_a_name", ""), (400, "InvalidResourceName")),
        (("GET", "/absent", ""), (404, "TableNotFound")),
        (("GET", "/t1t?comp=acl", ""), (501, "NotImplemented")),
        (("GET", "/a/b/c", ""), (405, "MethodNotAllowed")),
        (("TRACE", "/t1t", ""), (405, "MethodNotAllowed")),
        (("POST", "/Tables", '{"TableName": 5}'), (400, "PropertiesNeedValue")),
        (("POST", "/Tables", '{"TableName": "tables"}'), (400, "InvalidResourceName")),
        (("POST", "/t1t", "{"), (400, "InvalidInput")),
        (("POST", "/t1t", "[]"), (400, "InvalidInput")),
        (("POST", "/t1t", "[" * 100_000), (400, "InvalidInput")),
        (("POST", "/t1t", "1" * 5000), (400, "InvalidInput")),
        (("POST", "/t1t", '{"PartitionKey": "p"}'), (400, "PropertiesNeedValue")),
        (("POST", "/t1t", '{"PartitionKey": 5, "RowKey": "r"}'), (400, "InvalidInput")),
        (("POST", "/t1t", '{"PartitionKey": "\\ud800", "RowKey": "r"}'), (400, "InvalidInput")),
        (("POST", "/t1t", ENTITY[:-1] + ', "n": "\\udfff"}'), (400, "InvalidInput")),
        (("POST", "/t1t", ENTITY[:-1] + ', "n": 1, "n": 2}'), (400, "DuplicatePropertiesSpecified")),
        (("POST", "/t1t", ENTITY[:-1] + ', "n": NaN}'), (400, "InvalidInput")),
        (("POST", "/t1t", ENTITY[:-1] + ', "n": 1e999}'), (400, "InvalidInput")),
        (("POST", "/t1t", ENTITY[:-1] + ', "n": 2147483648}'), (400, "InvalidInput")),
        (("POST", "/t1t", ENTITY[:-1] + ', "n": [1]}'), (400, "InvalidInput")),
        (("POST", "/t1t", ENTITY[:-1] + ', "n": "1", "n@odata.type": "Edm.Decimal"}'), (400, "InvalidInput")),
        (("POST", "/t1t", ENTITY[:-1] + ', "n": "1", "n@odata.type": 5}'), (400, "InvalidInput")),
        (("PUT", "/t1t(PartitionKey='p',RowKey='other')", ENTITY), (400, "InvalidInput")),
        (("DELETE", "/t1t(PartitionKey='p',RowKey='r')", ""), (400, "MissingRequiredHeader")),
    ],
)
async def test_malformed_table_calls(
    local: Storage, session: ClientSession, call: tuple[str, str, str], refusal: tuple[int, str]
) -> None:
    method, target, body = call
    await local.tables.create_table("t1t")
    url = URL(local.table_url + target, encoded=True)
    async with session.request(method, url, data=body.encode(), headers=AUTHORIZED) as response:
        assert await code_of(response) == refusal
    assert [entity async for entity in local.tables.get_table_client("t1t").list_entities()] == []


@pytest.mark.parametrize(
    "body,refusal",
    [
        ("", "InvalidInput"),
        ("--b--", "InvalidInput"),
        ("--b\r\n\r\n", "InvalidInput"),
        (CHANGE_SET.format(""), "InvalidInput"),
        (CHANGE_SET.format("--c--"), "InvalidInput"),
        (CHANGE_SET.format("--c\r\nno colon\r\n\r\n\r\n--c--"), "InvalidInput"),
        (CHANGE_SET.format("--c\r\nContent-Type: text/plain\r\n\r\nhello\r\n--c--"), "InvalidInput"),
        (CHANGE_SET.format(OPERATION.format("POST")), "InvalidInput"),
        (CHANGE_SET.format(OPERATION.format("POST http://[::1/rehearsal/t1t HTTP/1.1\r\n\r\n{}")), "InvalidInput"),
        (CHANGE_SET.format(OPERATION.format("POST /other/t1t HTTP/1.1\r\n\r\n{}")), "ResourceNotFound"),
        (CHANGE_SET.format(OPERATION.format("POST /rehearsal/%ff HTTP/1.1\r\n\r\n{}")), "InvalidUri"),
    ],
)
async def test_malformed_batches(local: Storage, session: ClientSession, body: str, refusal: str) -> None:
    async with session.post(f"{local.table_url}/$batch", data=body.encode(), headers=BATCH) as response:
        status, code = await code_of(response)
    assert (status in (400, 404), code) == (True, refusal)


async def test_a_batch_names_the_operation_that_breaks_its_group(local: Storage, session: ClientSession) -> None:
    await local.tables.create_table("t1t")
    entities = (ENTITY, ENTITY.replace('"p"', '"q"'))
    operations = "".join(
        f"--c\r\nContent-Type: application/http\r\n\r\nPOST /{ACCOUNT}/t1t HTTP/1.1\r\n\r\n{entity}\r\n"
        for entity in entities
    )
    body = CHANGE_SET.format(f"{operations}--c--")
    async with session.post(f"{local.table_url}/$batch", data=body.encode(), headers=BATCH) as response:
        answer = await response.text()
    assert response.status == 202
    assert "HTTP/1.1 400 Bad Request" in answer
    assert '"value": "1:All commands in a batch must operate on same entity group.' in answer


@pytest.mark.parametrize(
    "call,refusal",
    [
        (("GET", "", ""), (405, "UnsupportedHttpVerb")),
        (("GET", "?comp=list&maxresults=x", ""), (400, "InvalidQueryParameterValue")),
        (("GET", "?comp=properties&restype=service", ""), (501, "NotImplemented")),
        (("PUT", "/Capitals", ""), (400, "InvalidResourceName")),
        (("PUT", "/two--hyphens", ""), (400, "InvalidResourceName")),
        (("PUT", "/q", ""), (400, "OutOfRangeInput")),
        (("GET", "/queue/messages/a/b", ""), (400, "InvalidUri")),
        (("GET", "/queue/messages?numofmessages=33", ""), (400, "OutOfRangeQueryParameterValue")),
        (("GET", "/queue/messages?numofmessages=%00", ""), (400, "InvalidQueryParameterValue")),
        (("GET", "/queue/messages?visibilitytimeout=0", ""), (400, "OutOfRangeQueryParameterValue")),
        (("POST", "/queue/messages", ""), (400, "InvalidXmlDocument")),
        (("POST", "/queue/messages", "<QueueMessage/>"), (400, "InvalidXmlDocument")),
        (("POST", "/queue/messages", "<Other><MessageText>x</MessageText></Other>"), (400, "InvalidXmlDocument")),
        (("POST", "/queue/messages", "<QueueMessage><MessageText>&#0;</MessageText>"), (400, "InvalidXmlDocument")),
        (("POST", "/queue/messages", DOCTYPE), (400, "InvalidXmlDocument")),
        (("POST", "/queue/messages?messagettl=0", "<QueueMessage/>"), (400, "InvalidQueryParameterValue")),
        (("POST", "/queue/messages?messagettl=-2", "<QueueMessage/>"), (400, "OutOfRangeQueryParameterValue")),
        (("POST", "/queue/messages?visibilitytimeout=604801", ""), (400, "OutOfRangeQueryParameterValue")),
        (("PUT", "/queue/messages/id?visibilitytimeout=1", ""), (400, "MissingRequiredQueryParameter")),
        (("PUT", "/queue/messages/id?popreceipt=x", ""), (400, "MissingRequiredQueryParameter")),
        (("DELETE", "/queue/messages/id?popreceipt=x", ""), (404, "MessageNotFound")),
        (("PATCH", "/queue/messages", ""), (405, "UnsupportedHttpVerb")),
    ],
)
async def test_malformed_queue_calls(
    local: Storage, session: ClientSession, call: tuple[str, str, str], refusal: tuple[int, str]
) -> None:
    method, target, body = call
    queue = await local.queues.create_queue("queue")
    url = URL(local.queue_url + target, encoded=True)
    async with session.request(method, url, data=body.encode(), headers=AUTHORIZED) as response:
        assert await code_of(response) == refusal
        assert response.headers["x-ms-error-code"] == refusal[1]
    assert await queue.peek_messages(32) == []


BLOCK = {"x-ms-blob-type": "BlockBlob"}


@pytest.mark.parametrize(
    "call,refusal",
    [
        (("GET", "", {}), (405, "UnsupportedHttpVerb")),
        (("GET", "?comp=list", {}), (501, "NotImplemented")),
        (("GET", "/box?restype=container&comp=list&maxresults=0", {}), (400, "OutOfRangeQueryParameterValue")),
        (("GET", "/box?restype=container&comp=list&maxresults=x", {}), (400, "InvalidQueryParameterValue")),
        (("GET", "/box?restype=container&comp=list&marker=!", {}), (400, "InvalidQueryParameterValue")),
        (("GET", "/box?restype=container&comp=list&marker=_w==", {}), (400, "InvalidQueryParameterValue")),
        (("GET", "/box?restype=container&comp=list&delimiter=/", {}), (501, "NotImplemented")),
        (("GET", "/box?restype=container&comp=acl", {}), (501, "NotImplemented")),
        (("DELETE", "/box?restype=container", {}), (501, "NotImplemented")),
        (("PATCH", "/box?restype=container", {}), (405, "UnsupportedHttpVerb")),
        (("PUT", "/b?restype=container", {}), (400, "OutOfRangeInput")),
        (("PUT", "/box/a", {}), (400, "MissingRequiredHeader")),
        (("PUT", "/box/a", {"x-ms-blob-type": "PageBlob"}), (501, "NotImplemented")),
        (("PUT", "/box/a?comp=block&blockid=x", {}), (501, "NotImplemented")),
        (("PUT", "/box/a", BLOCK | {"Content-MD5": "x"}), (501, "NotImplemented")),
        (("PUT", "/box/a", BLOCK | {"x-ms-meta-a-b": "x"}), (400, "InvalidMetadata")),
        (("PUT", "/box/a", BLOCK | {"x-ms-blob-content-type": "\u00e9"}), (400, "InvalidHeaderValue")),
        (("PUT", "/box/a%00", BLOCK), (400, "InvalidUri")),
        (("PUT", f"/box/{'a' * 1025}", BLOCK), (400, "OutOfRangeInput")),
        (("GET", "/box/a", {}), (404, "BlobNotFound")),
        (("GET", "/box/kept", {"Range": "bytes=-1"}), (400, "InvalidHeaderValue")),
        (("GET", "/box/kept", {"Range": "bytes=3-2"}), (400, "InvalidHeaderValue")),
        (("GET", "/box/kept", {"x-ms-range": "bytes=1-", "Range": "bytes=0-"}), (416, "InvalidRange")),
        (("GET", "/box/kept?snapshot=x", {}), (501, "NotImplemented")),
        (("DELETE", "/box/kept", {"x-ms-lease-id": "x"}), (501, "NotImplemented")),
        (("POST", "/box/kept", {}), (405, "UnsupportedHttpVerb")),
    ],
)
async def test_malformed_blob_calls(
    local: Storage, session: ClientSession, call: tuple[str, str, dict[str, str]], refusal: tuple[int, str]
) -> None:
    method, target, headers = call
    container = await local.blobs.create_container("box")
    await container.upload_blob("kept", b"1")
    url = URL(local.blob_url + target, encoded=True)
    async with session.request(method, url, data=b"", headers=AUTHORIZED | headers) as response:
        assert await code_of(response) == refusal
        assert response.headers["x-ms-error-code"] == refusal[1]
    assert [name async for name in container.list_blob_names()] == ["kept"]


async def test_a_body_over_the_limit_is_refused(local: Storage, session: ClientSession) -> None:
    body = BytesIO(b" " * (4 * 1024 * 1024 + 1))
    async with session.post(f"{local.table_url}/t1t", data=body, headers=AUTHORIZED) as response:
        assert await code_of(response) == (413, "RequestBodyTooLarge")


async def test_a_body_that_is_not_encoded_as_it_claims(local: Storage, session: ClientSession) -> None:
    headers = {**AUTHORIZED, "Content-Encoding": "gzip"}
    async with session.post(f"{local.table_url}/t1t", data=b"not gzip", headers=headers) as response:
        assert await code_of(response) == (400, "InvalidHeaderValue")


async def test_metadata_that_no_header_could_carry_back(local: Storage, session: ClientSession) -> None:
    for name, value in (("a-b", "x"), ("a", "\u00e9")):
        headers = {**AUTHORIZED, f"x-ms-meta-{name}": value}
        async with session.put(f"{local.queue_url}/queue", headers=headers) as response:
            assert await code_of(response) == (400, "InvalidMetadata")
