"""The queue trigger and the queue output, against a real queue service."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from aiohttp import ClientSession
from azure.core.credentials import AzureNamedKeyCredential
from azure.storage.queue.aio import QueueServiceClient

from tests.local.azurite import ACCOUNT, KEY, Azurite
from tests.local.hosting import PATIENCE, Hosting, hosting
from tests.storage_account import Authority


async def test_a_failed_message_comes_again_and_tells_so(authority: Authority) -> None:
    async with hosting(authority) as case, case.host("queues") as host:
        await case.send("flaky", '{"succeed_at": 3}')
        await host.wait_idle(PATIENCE)
        [result] = await case.messages("results")
        told = json.loads(result)
        assert (told["count"], told["receipt"]) == (3, True)
        assert host.invocations == 3
        now = datetime.now(UTC)
        assert now - timedelta(minutes=1) < datetime.fromisoformat(told["inserted"]) < now
        assert now + timedelta(days=6) < datetime.fromisoformat(told["expires"])
        assert now + timedelta(minutes=9) < datetime.fromisoformat(told["next"]) < now + timedelta(minutes=11)
        assert await case.messages("flaky") == []


async def test_a_message_that_fails_too_often_is_buried(authority: Authority) -> None:
    async with hosting(authority) as case, case.host("queues") as host:
        await case.send("flaky", '{"succeed_at": 4}')
        await host.wait_idle(PATIENCE)
        assert await case.messages("flaky-poison") == ['{"succeed_at": 4}']
        assert host.invocations == 3
        await host.wait_idle(1, hidden=True)


async def test_a_message_that_is_not_base64_is_buried_as_it_is(authority: Authority) -> None:
    async with hosting(authority) as case, case.host("queues") as host:
        async with case.queues() as service, service.get_queue_client("flaky") as plain:
            await plain.send_message("<not base64 & more>")
            await host.wait_idle(PATIENCE)
            async with service.get_queue_client("flaky-poison") as poison:
                assert [message.content for message in await poison.peek_messages()] == ["<not base64 & more>"]
        assert host.invocations == 0


async def test_messages_run_side_by_side(authority: Authority) -> None:
    async with hosting(authority) as case:
        # Four in a batch, and one more batch while at most two are under way: none would end if they ran in turn.
        await case.send("party", *["4"] * 4)
        async with case.host("queues") as host:
            await host.wait_idle(PATIENCE, hidden=True)
            assert host.invocations == 4


async def test_no_more_messages_are_taken_than_host_json_allows(authority: Authority) -> None:
    async with hosting(authority) as case:
        await case.send("slow", *["0.3"] * 8)
        async with case.host("queues") as host:
            await case.heard.line("slow began", times=4)
            assert len(await case.messages("slow")) == 4
            await host.wait_idle(PATIENCE, hidden=True)
        assert len(await case.messages("results")) == 8


async def test_outputs_of_many_and_of_bytes(authority: Authority) -> None:
    async with hosting(authority) as case, case.host("queues") as host:
        await case.send("spread", "one two três")
        await host.wait_idle(PATIENCE)
        assert await case.messages("results") == ["one", "três", "two"]
        assert await case.messages("raw") == ["one two três"]


async def test_a_crash_fails_what_ran_and_the_host_goes_on(authority: Authority) -> None:
    async with hosting(authority) as case, case.host("queues") as host:
        await case.send("crash", "self")
        await host.wait_idle(PATIENCE, hidden=True)
        assert await case.messages("results") == ["self 2"]
        assert host.worker_restarts == 1


async def test_a_killed_worker_is_replaced(authority: Authority) -> None:
    async with hosting(authority) as case, case.host("queues", workers=2) as host:
        await case.send("crash", "wait")
        await case.heard.line("waiting to be killed")
        for index in (0, 1):
            await host.kill_worker(index)
        await host.wait_idle(PATIENCE, hidden=True)
        assert await case.messages("results") == ["wait 2"]
        assert host.worker_restarts == 2
        # What was left half done is told.
        assert "ended with exit code -9" in (await case.heard.line("Executed 'crash' (Failed")).message


async def test_a_lease_is_renewed_while_the_function_runs(authority: Authority) -> None:
    async with hosting(authority) as case:
        async with case.host("queues", message_lease=timedelta(seconds=1)) as host:
            await case.send("slow", "1.5")
            await host.wait_idle(PATIENCE, hidden=True)
            assert host.invocations == 1
        assert await case.messages("results") == ["slow 1"]


async def test_hidden_messages_are_waited_for_only_when_asked(authority: Authority) -> None:
    async with hosting(authority) as case, case.host("queues") as host, case.queue("touch") as queue:
        await queue.send_message(b"/nowhere", visibility_timeout=600)
        await host.wait_idle(1)
        with pytest.raises(TimeoutError, match="not idle"):
            await host.wait_idle(0.1, hidden=True)


async def test_what_runs_at_the_end_may_finish(authority: Authority, tmp_path: Path) -> None:
    async with hosting(authority) as case:
        async with case.host("queues"):
            await case.send("slow", "0.3")
            await case.heard.line("slow began")
        assert await case.messages("results") == ["slow 1"]
        await case.send("touch", str(tmp_path / "touched"))
        assert not (tmp_path / "touched").exists()


async def test_what_does_not_finish_comes_again(authority: Authority, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("local.host.host._GRACE", 0.1)
    async with hosting(authority) as case:
        async with case.host("queues"):
            await case.send("slow", "60")
            await case.heard.line("slow began")
        assert await case.messages("slow") == ["60"]


async def test_the_same_against_azurite(emulator: Azurite) -> None:
    key = AzureNamedKeyCredential(ACCOUNT, KEY)
    url = f"http://127.0.0.1:{emulator.queue_port}/{ACCOUNT}"
    async with ClientSession() as session:
        case = Hosting(lambda: QueueServiceClient(url, credential=key), session)
        async with case.host("queues", message_lease=timedelta(seconds=1)) as host:
            await case.send("flaky", '{"succeed_at": 3}', '{"succeed_at": 4}')
            await case.send("slow", "1.2")
            await host.wait_idle(PATIENCE, hidden=True)
            await case.send("crash", "self")
            await host.wait_idle(PATIENCE, hidden=True)
            assert await case.messages("flaky-poison") == ['{"succeed_at": 4}']
            results = await case.messages("results")
            assert results[:2] == ["self 2", "slow 1"]
            assert json.loads(results[2])["count"] == 3
