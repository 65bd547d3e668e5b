"""The host's own life: starting, failing to start, dying."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from aiohttp import ClientConnectionError
from hypothesis import given
from hypothesis import strategies as st

from local.host.error import HostError
from local.host.invocations import messages_of
from local.host.settings import HostSettings
from local.host.wire import Datum
from tests.local.hosting import APPS, PATIENCE, hosting
from tests.storage_account import Authority

# A host of its own process, to be killed: it says where it listens and stays.
_HOST = """
import asyncio, sys
from pathlib import Path
from azure.storage.queue.aio import QueueServiceClient
from local.host.host import FunctionsHost

async def main():
    unused = lambda: QueueServiceClient("http://127.0.0.1:1/a", credential="a2V5")
    async with FunctionsHost(Path(sys.argv[1]), {}, unused, log=lambda line: print(line.message, flush=True)) as host:
        print(host.url, flush=True)
        await asyncio.Event().wait()

asyncio.run(main())
"""


async def test_an_app_that_cannot_be_imported(authority: Authority) -> None:
    async with hosting(authority) as case:
        with pytest.raises(HostError, match=r"ModuleNotFoundError: No module named 'no_such_package_for_sure'"):
            await case.host("broken", workers=2).__aenter__()


@pytest.mark.parametrize(
    "app,reason",
    [("unserved", "blobTrigger"), ("chain", "app setting 'SIGNALS'"), ("timers", "'EVERY'"), (".", "no functions")],
)
async def test_an_app_that_cannot_be_served(authority: Authority, app: str, reason: str) -> None:
    async with hosting(authority) as case:
        with pytest.raises(HostError, match=reason):
            await case.host(app).__aenter__()


async def test_an_app_that_stops_starting(authority: Authority, tmp_path: Path) -> None:
    """A worker that dies and cannot be replaced ends the host's work, loudly, and keeps the messages."""
    app = tmp_path / "function_app.py"
    app.write_text((APPS / "queues" / "function_app.py").read_text())
    async with hosting(authority) as case, case.host(str(tmp_path)) as host:
        app.write_text("raise SystemExit('worn out')")
        await host.kill_worker()
        with pytest.raises(HostError, match="does not start any more"):
            await host.wait_idle(PATIENCE)
        assert (await case.heard.line("worn out")).level == "Information"
        async with case.session.get(host.url) as response:
            assert response.status == 404


@asynccontextmanager
async def host_process(temporary: Path) -> AsyncIterator[tuple[asyncio.subprocess.Process, asyncio.StreamReader]]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", _HOST, str(APPS / "web")),
        stdout=asyncio.subprocess.PIPE,
        # What a killed host leaves behind goes with the test.
        env=os.environ | {"TMPDIR": str(temporary)},
    )
    assert process.stdout is not None
    try:
        yield process, process.stdout
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def ended(pid: int) -> None:
    """Wait for the end of a process that is not our child."""
    loop, gone = asyncio.get_running_loop(), asyncio.Event()
    descriptor = os.pidfd_open(pid)
    try:
        loop.add_reader(descriptor, gone.set)
        async with asyncio.timeout(PATIENCE):
            await gone.wait()
    finally:
        loop.remove_reader(descriptor)
        os.close(descriptor)


async def test_a_worker_ends_with_its_host(authority: Authority, tmp_path: Path) -> None:
    async with hosting(authority) as case, host_process(tmp_path) as (process, said):
        url = (await said.readline()).decode().strip()
        async with case.session.get(f"{url}/api/pid") as response:
            worker = int(await response.text())
        process.kill()
        await ended(worker)


async def test_a_worker_that_hangs_ends_with_its_host(authority: Authority, tmp_path: Path) -> None:
    async with hosting(authority) as case, host_process(tmp_path) as (process, said):
        url = (await said.readline()).decode().strip()
        async with case.session.get(f"{url}/api/pid") as response:
            worker = int(await response.text())
        hanging = asyncio.create_task(case.session.get(f"{url}/api/hang").__aenter__())
        while b"hanging" not in await said.readline():
            assert process.returncode is None
        process.kill()
        await ended(worker)
        with pytest.raises(ClientConnectionError):
            await hanging


def settings(folder: Path, text: str) -> HostSettings:
    (folder / "host.json").write_text(text)
    return HostSettings.read(folder, {})


def test_host_json(tmp_path: Path) -> None:
    assert HostSettings.read(tmp_path, {}).queues.batch_size == 16
    queues = {"BatchSize": 32, "visibilityTimeout": "1.00:00:30.5", "messageEncoding": "None"}
    read = settings(tmp_path, json.dumps({"extensions": {"Queues": queues, "http": {"routePrefix": "/x/"}}}))
    assert read.route_prefix == "x"
    assert (read.queues.batch_size, read.queues.new_batch_threshold, read.queues.base64) == (32, 16, False)
    assert read.queues.visibility_timeout == timedelta(days=1, seconds=30.5)


def test_app_settings_override_host_json(tmp_path: Path) -> None:
    (tmp_path / "host.json").write_text(json.dumps({"extensions": {"Queues": {"batchSize": 32, "maxDequeueCount": 2}}}))
    override = {"AzureFunctionsJobHost__extensions__queues__BATCHSIZE": "4", "AzureWebJobsStorage": "x"}
    read = HostSettings.read(tmp_path, override)
    assert (read.queues.batch_size, read.queues.max_dequeue_count) == (4, 2)


@pytest.mark.parametrize(
    "queues,reason",
    [
        ({"batchSize": 33}, "batchSize"),
        ({"batchSize": "four"}, "batchsize"),
        ({"newBatchThreshold": -1}, "newBatchThreshold"),
        ({"maxDequeueCount": 0}, "maxDequeueCount"),
        ({"maxPollingInterval": "00:00:00.05"}, "maxPollingInterval"),
        ({"visibilityTimeout": "soon"}, "'soon'"),
        ({"messageEncoding": "rot13"}, "messageEncoding"),
        ([], "queues must be an object"),
    ],
)
def test_host_json_that_is_wrong(tmp_path: Path, queues: object, reason: str) -> None:
    with pytest.raises(HostError, match=reason):
        settings(tmp_path, json.dumps({"extensions": {"queues": queues}}))


def test_host_json_that_is_no_json(tmp_path: Path) -> None:
    for text in ("{", "[]", "3"):
        with pytest.raises(HostError, match=r"host\.json"):
            settings(tmp_path, text)


@given(st.lists(st.text() | st.dictionaries(st.text(), st.integers())))
def test_an_array_makes_one_message_for_each_element(elements: list[str | dict[str, int]]) -> None:
    messages = messages_of(Datum("json", json.dumps(elements)))
    expected = [element if isinstance(element, str) else json.dumps(element) for element in elements]
    assert [message.decode() for message in messages] == expected


@given(st.text(), st.binary())
def test_anything_else_is_one_message(text: str, data: bytes) -> None:
    assert messages_of(Datum("string", text)) == (text.encode(),)
    assert messages_of(Datum("bytes", data)) == (data,)
    assert messages_of(Datum("json", json.dumps({"text": text}))) == (json.dumps({"text": text}).encode(),)


async def test_the_host_may_stop_while_a_worker_starts(authority: Authority) -> None:
    async with hosting(authority) as case:
        async with case.host("queues") as host:
            await host.kill_worker()
            await case.send("flaky", '{"succeed_at": 1}')
        # Done or not, the message is not lost.
        async with case.host("queues") as host:
            await host.wait_idle(PATIENCE, hidden=True)
        assert len(await case.messages("results")) == 1
