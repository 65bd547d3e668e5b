"""What a fresh process does to be measured: `python -m benchmarks.probe app|sdks` prints seconds.

Microsoft's runtime is loaded before the clock starts, in both cases: it is the platform's, and what it has loaded
neither the app nor the SDKs load again.
"""

import asyncio
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import azure_functions_runtime as runtime

from local.host import protos

_APP_DIRECTORY = Path(__file__).resolve().parent.parent


async def app() -> None:
    """Imports `function_app` and indexes it, as a worker does before its first message."""
    runtime.start_threadpool_executor()
    init = SimpleNamespace(function_app_directory=str(_APP_DIRECTORY), capabilities={})
    started = await runtime.worker_init_request(_request(worker_init_request=init))
    if started.result.exception is not None:
        raise ImportError(started.result.exception.message)
    await runtime.functions_metadata_request(_request(functions_metadata_request=SimpleNamespace()))


async def sdks() -> None:
    """Imports what any Functions app in Python that calls ARM imports."""
    # ruff: noqa: F401, PLC0415 - importing is all there is to it
    import azure.functions
    import azure.identity.aio
    import tenacity
    from azure.mgmt.core import AsyncARMPipelineClient


def _request(**message: SimpleNamespace) -> SimpleNamespace:
    return SimpleNamespace(request=SimpleNamespace(**message), properties={"protos": protos, "host": "127.0.0.1"})


def _main(name: str) -> None:
    work = {"app": app, "sdks": sdks}[name]
    began = time.perf_counter()
    asyncio.run(work())
    print(time.perf_counter() - began)


if __name__ == "__main__":
    _main(sys.argv[1])
