"""Reading the log back: every row exactly once, whatever fits into one answer."""

import ssl
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from unittest import mock

import pytest
from aiohttp import ClientSession, TCPConnector, connector

from local.certificate import Certificate
from local.identity import issue_token
from local.log_query import LogQueryService
from shared.azure.log_query import NO_TOKEN, read_log
from shared.domain.failure import AirlockError, Refused, TryAgain
from shared.domain.ledger import Entry
from shared.domain.record import TABLE, schema
from shared.domain.verification import verify
from tests.azure.making import NOW, Answer, Identity, record, scripted
from tests.local.arm_world import DEV, serve

type Columns = dict[str, object]
WORKSPACE = "5f3c9a4e-7d21-4c6b-9f0e-1a2b3c4d5e6f"
JSON = {"Content-Type": "application/json"}
DAY, NO_TIME = timedelta(days=1), timedelta(0)
pytestmark = pytest.mark.usefixtures("identity")


@pytest.fixture(autouse=True)
def _managed_identity(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_TOKEN_CREDENTIALS", "ManagedIdentityCredential")


def rows_at(times: Sequence[datetime]) -> list[Columns]:
    records = [record(at, time) for at, time in enumerate(times)]
    return [dict(row.columns) for row in Entry(records[0].chain).append(records)[1]]


@asynccontextmanager
async def log_analytics(directory: Path, service: LogQueryService) -> AsyncIterator[str]:
    """The service over TLS, which this process trusts meanwhile."""
    certificate = Certificate.issue(directory)
    async with serve(service.application(), certificate.server) as url, trusted(certificate.ca_file):
        yield url


@asynccontextmanager
async def trusted(ca_file: Path) -> AsyncIterator[None]:
    with mock.patch.object(connector, "_SSL_CONTEXT_VERIFIED", ssl.create_default_context(cafile=ca_file)):
        yield


def workspace(rows: Sequence[Columns], most_rows: int = 500_000, most_bytes: int = 100 << 20) -> LogQueryService:
    return LogQueryService(WORKSPACE, TABLE, schema(), rows, time.time, most_rows=most_rows, most_bytes=most_bytes)


async def read(url: str, since: datetime = NOW - 3 * DAY, until: datetime = NOW) -> list[Columns]:
    return [row async for rows in read_log(WORKSPACE, since, until, url, NO_TIME) for row in rows]


async def refused(url: str) -> AirlockError:
    with pytest.raises(AirlockError) as caught:
        await read(url)
    return caught.value


@pytest.mark.parametrize("seed", range(3))
async def test_every_row_comes_exactly_once(tmp_path: Path, seed: int) -> None:
    dice = Random(seed)  # noqa: S311 - repeatable, nothing secret
    # Some at once, most apart, and some right where one slice may end and the next begins.
    times = [NOW - dice.randrange(1, 2 * 86_400) * timedelta(seconds=1) for _ in range(40)]
    times += [NOW - DAY, NOW - 3 * DAY, NOW - 2 * DAY - timedelta(microseconds=1), *[NOW - DAY / 2] * 3]
    rows = rows_at(times)
    service = workspace([*rows, *rows_at([NOW, NOW + DAY])], most_rows=dice.choice([4, 7, 20]))
    async with log_analytics(tmp_path, service) as url:
        found = await read(url)
    assert sorted(str(row["RecordId"]) for row in found) == sorted(str(row["RecordId"]) for row in rows)
    assert any(asked.partial for asked in service.requests)
    assert verify(found).intact


async def test_a_size_is_a_limit_too(tmp_path: Path) -> None:
    rows = rows_at([NOW - at * timedelta(hours=1) for at in range(1, 41)])
    service = workspace(rows, most_bytes=20_000)
    async with log_analytics(tmp_path, service) as url:
        assert len(await read(url)) == 40
    assert any(asked.partial for asked in service.requests)


async def test_a_quiet_log_is_few_queries(tmp_path: Path) -> None:
    service = workspace(rows_at([NOW - 300 * DAY, NOW - DAY]))
    async with log_analytics(tmp_path, service) as url:
        assert len(await read(url, NOW - 360 * DAY)) == 2
    assert len(service.requests) < 10
    windows = [(asked.since, asked.until) for asked in service.requests]
    assert [until for _, until in windows[:-1]] == [since for since, _ in windows[1:]]


async def test_more_rows_in_a_second_than_one_answer_holds_are_refused(tmp_path: Path) -> None:
    service = workspace(rows_at([NOW - DAY] * 5), most_rows=4)
    async with log_analytics(tmp_path, service) as url:
        failure = await refused(url)
    assert isinstance(failure, Refused)
    assert failure.cause.code == "log-query.too-much"
    assert len(service.requests) < 40


async def test_what_is_asked_for_is_what_the_token_is_for(tmp_path: Path, identity: Identity) -> None:
    async with log_analytics(tmp_path, workspace([])) as url:
        assert await read(url) == []
    assert identity.resources == [url]


async def test_without_a_token_nothing_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IDENTITY_HEADER", "wrong")
    service = workspace([])
    async with log_analytics(tmp_path, service) as url:
        assert (await refused(url)).cause.code == NO_TOKEN
    assert service.requests == []


async def test_a_host_without_a_trusted_certificate_hears_nothing(tmp_path: Path) -> None:
    service = workspace([])
    async with serve(service.application(), Certificate.issue(tmp_path).server) as url:
        failure = await refused(url)
    assert isinstance(failure, TryAgain)
    assert "CERTIFICATE_VERIFY_FAILED" in failure.cause.text
    assert service.requests == []


@pytest.mark.parametrize(
    "answer, kind",
    [
        (Answer(body=b"<html>"), TryAgain),
        (Answer(body=b"["), TryAgain),
        (Answer(body={}), TryAgain),
        (Answer(body=[]), TryAgain),
        (Answer(body={"tables": []}), TryAgain),
        (Answer(body={"tables": [7]}), TryAgain),
        (Answer(body={"tables": [{"columns": [{"name": "a", "type": "int"}], "rows": [[1, 2]]}]}), TryAgain),
        (Answer(status=302, headers={"Location": "{url}/elsewhere"}), AirlockError),
        (Answer(400, {"error": {"code": "BadArgumentError", "message": "no"}}, JSON), Refused),
        (Answer(400, {"error": [7]}, JSON), Refused),
        (Answer(200, {"tables": [], "error": 7}, JSON), TryAgain),
        (Answer(status=429), TryAgain),
        (Answer(status=500, body=b"oh"), TryAgain),
    ],
)
async def test_whatever_is_answered_is_a_failure_of_ours(answer: Answer, kind: type[AirlockError]) -> None:
    async with scripted(answer) as script, trusted(script.ca_file):
        failure = await refused(script.url)
    assert isinstance(failure, kind)
    assert failure.cause.code.startswith("log-query.")
    assert script.asked == [f"POST /v1/workspaces/{WORKSPACE}/query"]


@pytest.mark.parametrize(
    "query",
    [
        None,
        7,
        "",
        f"{TABLE} | take 5",
        f"{TABLE} | where TimeGenerated >= datetime(x) and TimeGenerated < datetime(y)",
        "Other_CL | where TimeGenerated >= datetime(2026-11-23) and TimeGenerated < datetime(2026-11-24)",
    ],
)
async def test_the_local_one_knows_one_query(tmp_path: Path, query: object) -> None:
    service = workspace([])
    certificate = Certificate.issue(tmp_path)
    async with serve(service.application(), certificate.server) as url:
        headers = {"Authorization": f"Bearer {issue_token(DEV, url, time.time())}"}
        async with ClientSession(connector=TCPConnector(ssl=certificate.client), headers=headers) as session:
            path = f"{url}/v1/workspaces/{WORKSPACE}/query"
            async with session.post(path, json={"query": query}) as answer:
                assert (answer.status, (await answer.json())["error"]["code"]) == (400, "BadArgumentError")


async def test_the_local_one_refuses_the_tokens_of_others(tmp_path: Path) -> None:
    certificate = Certificate.issue(tmp_path)
    async with serve(workspace([]).application(), certificate.server) as url:
        headers = {"Authorization": f"Bearer {issue_token(DEV, 'https://vault.azure.net', time.time())}"}
        async with (
            ClientSession(connector=TCPConnector(ssl=certificate.client), headers=headers) as session,
            session.post(f"{url}/v1/workspaces/{WORKSPACE}/query", json={}) as answer,
        ):
            assert answer.status == 401
