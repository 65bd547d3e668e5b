"""Queue functions that succeed, fail, wait, die and put out."""

import asyncio
import json
import logging
import os
import signal
import subprocess
import time
from pathlib import Path
from typing import List  # noqa: UP035 -- Out takes no other list

import azure.functions as func

app = func.FunctionApp()
log = logging.getLogger("queues")
party = asyncio.Condition()
present: list[str] = []


@app.queue_trigger(arg_name="message", queue_name="flaky", connection="Storage")
@app.queue_output(arg_name="results", queue_name="results", connection="Storage")
def flaky(message: func.QueueMessage, results: func.Out[str]) -> None:
    """Fail until the message has come as often as it says."""
    wanted = json.loads(message.get_body())["succeed_at"]
    if message.dequeue_count < wanted:
        raise RuntimeError(f"attempt {message.dequeue_count}")
    told = {
        "id": message.id,
        "count": message.dequeue_count,
        "inserted": str(message.insertion_time),
        "expires": str(message.expiration_time),
        "next": str(message.time_next_visible),
        "receipt": bool(message.pop_receipt),
    }
    results.set(json.dumps(told))


@app.queue_trigger(arg_name="message", queue_name="party", connection="Storage")
async def join(message: func.QueueMessage) -> None:
    """End only when as many are here as the message says."""
    async with party:
        present.append(str(message.id))
        party.notify_all()
        await party.wait_for(lambda: len(present) >= int(message.get_body()))


@app.queue_trigger(arg_name="message", queue_name="crash", connection="Storage")
@app.queue_output(arg_name="$return", queue_name="results", connection="Storage")
def crash(message: func.QueueMessage) -> str:
    """Die like a crash the first time, or wait to be killed."""
    if message.dequeue_count == 1:
        if message.get_body() == b"self":
            # A child that outlives its parent, and holds its console open.
            subprocess.Popen(["/bin/sleep", "3"])
            os.kill(os.getpid(), signal.SIGKILL)
        log.info("waiting to be killed")
        time.sleep(60)
    return f"{message.get_body().decode()} {message.dequeue_count}"


@app.queue_trigger(arg_name="message", queue_name="slow", connection="Storage")
@app.queue_output(arg_name="results", queue_name="results", connection="Storage")
async def slow(message: func.QueueMessage, results: func.Out[str]) -> None:
    """Take as many seconds as the message says."""
    log.info("slow began")
    await asyncio.sleep(float(message.get_body()))
    results.set(f"slow {message.dequeue_count}")


@app.queue_trigger(arg_name="message", queue_name="spread", connection="Storage")
@app.queue_output(arg_name="results", queue_name="results", connection="Storage")
@app.queue_output(arg_name="raw", queue_name="raw", connection="Storage")
def spread(
    message: func.QueueMessage,
    results: func.Out[List[str]],  # noqa: UP006 -- as above
    raw: func.Out[bytes],
) -> None:
    results.set(message.get_body().decode().split())
    raw.set(message.get_body())


@app.queue_trigger(arg_name="message", queue_name="touch", connection="Storage")
def touch(message: str) -> None:
    Path(message).touch()
