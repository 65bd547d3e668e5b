"""Logs Ingestion, through the real client."""

import gzip
import io
import json
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession, TCPConnector
from azure.core.exceptions import HttpResponseError
from azure.monitor.ingestion.aio import LogsIngestionClient

from local.certificate import Certificate
from local.faults import Fault, Faults
from local.identity import issue_token
from local.logs import LogsService
from tests.local.arm_world import ARM, OURS, Token, serve

RULE, STREAM = "dcr-1", "Custom-Airlock_CL"
COLUMNS = {
    "TimeGenerated": "datetime",
    "Text": "string",
    "Whole": "int",
    "Long": "long",
    "Real": "real",
    "Yes": "boolean",
    "Guid": "guid",
    "Any": "dynamic",
}
NOW = datetime.now(UTC).isoformat()


@dataclass(frozen=True)
class Ingestion:
    service: LogsService
    client: LogsIngestionClient
    session: ClientSession
    file: Path

    async def upload(self, *rows: dict[str, Any]) -> None:
        """Send rows by the real client."""
        await self.client.upload(rule_id=RULE, stream_name=STREAM, logs=list(rows))

    async def post(self, content: bytes, path: str = "", **headers: str) -> tuple[int, Any]:
        """Send raw content."""
        where = path or f"/dataCollectionRules/{RULE}/streams/{STREAM}?api-version=2023-01-01"
        async with self.session.post(where, data=io.BytesIO(content), headers=headers) as answer:
            text = await answer.read()
            return answer.status, json.loads(text) if text else None


@asynccontextmanager
async def ingestion(faults: Sequence[Fault] = ()) -> AsyncIterator[Ingestion]:
    async with AsyncExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        certificate = Certificate.issue(directory)
        file = directory / "rows.jsonl"
        service = LogsService(RULE, {STREAM: COLUMNS}, time.time, Faults(faults), file)
        url = await stack.enter_async_context(serve(service.application(), certificate.server))
        client = LogsIngestionClient(url, Token(), connection_verify=str(certificate.ca_file), retry_total=0)
        headers = {"Authorization": f"Bearer {issue_token(OURS, 'https://monitor.azure.com/', time.time())}"}
        connector = TCPConnector(ssl=certificate.client)
        session = await stack.enter_async_context(ClientSession(url, headers=headers, connector=connector))
        yield Ingestion(service, await stack.enter_async_context(client), session, file)


async def test_rows_arrive_and_are_written_down() -> None:
    row = {
        "TimeGenerated": NOW,
        "Text": "é",
        "Whole": 1,
        "Long": 2**40,
        "Real": 0.5,
        "Yes": True,
        "Guid": "11111111-2222-3333-4444-555555555555",
        "Any": {"a": [1]},
    }
    async with ingestion() as logs:
        await logs.upload(row, {**row, "Text": "b"})
        assert logs.service.rows == [row, {**row, "Text": "b"}]
        assert [json.loads(line) for line in logs.file.read_text().splitlines()] == logs.service.rows
        assert not any(logs.service.dropped.values())
        (request,) = logs.service.requests
        assert (request.stream, request.rows, request.status) == (STREAM, 2, 204)


@pytest.mark.parametrize(
    "column,value",
    [
        ("Text", 1),
        ("Whole", "1"),
        ("Whole", True),
        ("Whole", 2**31),
        ("Long", 2**63),
        ("Real", "x"),
        ("Yes", "true"),
        ("Guid", "x"),
    ],
)
async def test_values_of_the_wrong_type_become_null_in_silence(column: str, value: object) -> None:
    async with ingestion() as logs:
        await logs.upload({"TimeGenerated": NOW, column: value})
        assert logs.service.rows[0][column] is None
        assert logs.service.dropped["wrong_type"] == 1


async def test_unknown_columns_and_what_is_no_row_are_dropped() -> None:
    async with ingestion() as logs:
        await logs.upload({"TimeGenerated": NOW, "text": "case matters"})
        assert (await logs.post(b"[1]"))[0] == 204
        assert len(logs.service.rows) == 1
        assert "text" not in logs.service.rows[0]
        assert (logs.service.dropped["unknown_column"], logs.service.dropped["no_object"]) == (1, 1)


async def test_long_fields_are_truncated() -> None:
    async with ingestion() as logs:
        await logs.upload({"TimeGenerated": NOW, "Text": "é" * 40_000, "Any": ["x" * 70_000]})
        assert logs.service.rows[0]["Text"] == "é" * 32_768
        assert len(str(logs.service.rows[0]["Any"])) == 65_536
        assert logs.service.dropped["truncated"] == 2


@pytest.mark.parametrize("days", [None, -3, 2])
async def test_a_time_out_of_range_becomes_the_time_of_receipt(days: int | None) -> None:
    given = {} if days is None else {"TimeGenerated": (datetime.now(UTC) + timedelta(days=days)).isoformat()}
    async with ingestion() as logs:
        await logs.upload(given)
        kept = datetime.fromisoformat(str(logs.service.rows[0]["TimeGenerated"]))
        assert abs(kept - datetime.now(UTC)) < timedelta(minutes=1)
        assert logs.service.dropped["time_replaced"] == 1


@pytest.mark.parametrize("packed", [False, True])
async def test_more_than_a_megabyte_unpacked_is_refused(packed: bool) -> None:  # noqa: FBT001 (a parameter of the test)
    async with ingestion() as logs:
        content = json.dumps([{"Text": "x"}] * 90_000).encode()
        headers = {"Content-Encoding": "gzip"} if packed else {}
        status, body = await logs.post(gzip.compress(content) if packed else content, **headers)
        assert (status, body["error"]["code"]) == (413, "ContentLengthLimitExceeded")
        assert logs.service.rows == []


@pytest.mark.parametrize("content", [b"{}", b"", b"[", b"1", b"[" * 100_000])
async def test_only_an_array_is_taken(content: bytes) -> None:
    async with ingestion() as logs:
        assert (await logs.post(content))[0] == 400


async def test_broken_gzip_is_refused() -> None:
    async with ingestion() as logs:
        content = gzip.compress(b"[]")[:-9]
        async with logs.session.post(
            f"/dataCollectionRules/{RULE}/streams/{STREAM}?api-version=2023-01-01",
            data=b"not gzip" + content,
            headers={"Content-Encoding": "gzip"},
        ) as answer:
            assert answer.status == 400
        assert logs.service.rows == []


@pytest.mark.parametrize(
    "path,status",
    [
        (f"/dataCollectionRules/other/streams/{STREAM}?api-version=2023-01-01", 404),
        (f"/dataCollectionRules/{RULE}/streams/Custom-Other_CL?api-version=2023-01-01", 404),
        (f"/dataCollectionRules/{RULE}/streams/{STREAM}?api-version=2021-11-01-preview", 400),
    ],
)
async def test_rule_stream_and_version_are_known(path: str, status: int) -> None:
    async with ingestion() as logs:
        assert (await logs.post(b"[]", path))[0] == status


@pytest.mark.parametrize("authorization", ["", f"Bearer {issue_token(OURS, ARM, time.time())}"])
async def test_a_token_for_monitor_is_needed(authorization: str) -> None:
    async with ingestion() as logs:
        assert (await logs.post(b"[]", Authorization=authorization))[0] == 401


async def test_faults_reach_the_client() -> None:
    async with ingestion([Fault(service="logs", status=503)]) as logs:
        with pytest.raises(HttpResponseError) as caught:
            await logs.upload({"TimeGenerated": NOW})
        assert caught.value.status_code == 503
        await logs.upload({"TimeGenerated": NOW})
        assert len(logs.service.rows) == 1


def test_a_table_has_known_column_types() -> None:
    with pytest.raises(ValueError, match="decimal"):
        LogsService(RULE, {STREAM: {"A": "decimal"}}, time.time, Faults())
