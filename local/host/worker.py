"""The worker process: Microsoft's runtime on one side, the host's socket on the other.

Started as `python -m local.host.worker FD DIRECTORY`. It plays the part of Azure's proxy worker, which does the same
over gRPC (Azure/azure-functions-python-worker, workers/proxy_worker/dispatcher.py at 0320cd7, read 2026-11-23), and
leaves stdin, stdout and stderr to the app.
"""

import asyncio
import base64
import json
import logging
import os
import socket
import sys
import threading
import time
from collections.abc import Iterator
from types import SimpleNamespace
from typing import override

import azure_functions_runtime as runtime

from local.host import protos
from local.host.wire import PREFIX, Json

# Seconds that running invocations have to end once the host is gone; then the process ends without them.
_GRACE = 2.0
_SYSTEM_LOGGERS = ("azure_functions_runtime", "azure.functions")


class _Channel:
    """The socket to the host. Any thread may send: log records come from all of them."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._incoming = connection.makefile("rb")
        self._sending = threading.Lock()

    def receive(self) -> Iterator[Json]:
        while prefix := self._incoming.read(PREFIX.size):
            yield json.loads(self._incoming.read(*PREFIX.unpack(prefix)))

    def send(self, message: Json) -> None:
        frame = json.dumps(message).encode()
        try:
            with self._sending:
                self._connection.sendall(PREFIX.pack(len(frame)) + frame)
        except OSError:
            # Nobody is left to tell, and nobody to work for.
            os._exit(1)


class _HostLog(logging.Handler):
    """Sends every record to the host. A record that cannot be formatted raises in the app, as in Azure's worker."""

    def __init__(self, channel: _Channel) -> None:
        super().__init__()
        self._channel = channel

    @override
    def emit(self, record: logging.LogRecord) -> None:
        entry = {
            "level": record.levelno,
            "message": self.format(record),
            "system": record.name.startswith(_SYSTEM_LOGGERS),
            "invocation": runtime.invocation_id_cv.get(),
        }
        self._channel.send({"log": entry})


async def _serve(channel: _Channel, directory: str) -> None:
    loop = asyncio.get_running_loop()
    closed = asyncio.Event()
    async with asyncio.TaskGroup() as invocations:

        def answer(message: Json) -> None:
            invocations.create_task(_answer(channel, message))

        def read() -> None:
            # A thread, so that the end of the host is noticed even while an async function blocks the loop.
            for message in channel.receive():
                loop.call_soon_threadsafe(answer, message)
            loop.call_soon_threadsafe(closed.set)
            time.sleep(_GRACE)
            os._exit(1)

        threading.Thread(target=read, daemon=True, name="host").start()
        channel.send({"reply": "start"} | await _start(directory))
        await closed.wait()


async def _start(directory: str) -> Json:
    runtime.start_threadpool_executor()
    init = SimpleNamespace(function_app_directory=directory, capabilities={})
    response = await runtime.worker_init_request(_request(worker_init_request=init))
    if response.result.exception is not None:
        return {"error": vars(response.result.exception)}
    indexed = await runtime.functions_metadata_request(_request(functions_metadata_request=SimpleNamespace()))
    functions = indexed.function_metadata_results or []
    for function in functions:
        load = SimpleNamespace(function_id=function.function_id, metadata=function)
        await runtime.function_load_request(_request(function_load_request=load))
    return {"functions": [_metadata(function) for function in functions]}


def _request(**message: SimpleNamespace) -> SimpleNamespace:
    return SimpleNamespace(request=SimpleNamespace(**message), properties={"protos": protos, "host": "127.0.0.1"})


def _metadata(function: protos.RpcFunctionMetadata) -> Json:
    retry = function.retry_options
    return {
        "id": function.function_id,
        "name": function.name,
        "bindings": [json.loads(binding) for binding in function.raw_bindings],
        "retry": retry and {n: getattr(v, "total_seconds", lambda v=v: v)() for n, v in vars(retry).items()},
    }


async def _answer(channel: _Channel, message: Json) -> None:
    call = message["invoke"]
    # The tasks that an async function starts inherit this; for a sync function the runtime sets it in its thread.
    runtime.invocation_id_cv.set(call["invocation"])
    invocation = SimpleNamespace(
        invocation_id=call["invocation"],
        function_id=call["function"],
        input_data=[protos.ParameterBinding(name=n, data=_typed(d)) for n, d in call["inputs"].items()],
        trigger_metadata={name: _typed(datum) for name, datum in call["metadata"].items()},
        trace_context=SimpleNamespace(trace_parent="", trace_state="", attributes={}),
        retry_context=SimpleNamespace(**call["retry"], exception=None),
    )
    response = await runtime.invocation_request(_request(invocation_request=invocation))
    channel.send({"reply": call["invocation"]} | _outcome(response))


def _typed(datum: Json) -> protos.TypedData:
    [(kind, value)] = datum.items()
    match kind:
        case "bytes":
            return protos.TypedData(bytes=base64.b64decode(value))
        case "http":
            body = base64.b64decode(value["body"])
            typed = protos.TypedData(bytes=body) if body else protos.TypedData()
            return protos.TypedData(http=protos.RpcHttp(**value | {"body": typed}))
        case _:
            return protos.TypedData(**datum)


def _outcome(response: protos.InvocationResponse) -> Json:
    if response.result.exception is not None:
        return {"error": vars(response.result.exception)}
    outputs = {binding.name: _datum(binding.data) for binding in response.output_data if binding.data}
    return {"returned": response.return_value and _datum(response.return_value), "outputs": outputs}


def _datum(data: protos.TypedData) -> Json:
    kind = data.WhichOneof("data")
    match kind:
        case None:
            return {"string": ""}
        case "bytes":
            return {"bytes": base64.b64encode(data.bytes).decode()}
        case "http":
            return {"http": _http(data.http)}
        case _:
            return {kind: getattr(data, kind)}


def _http(reply: protos.RpcHttp) -> Json:
    return {
        "status": reply.status_code,
        "headers": reply.headers,
        "cookies": [_cookie(cookie) for cookie in reply.cookies or ()],
        "body": _datum(reply.body),
    }


def _cookie(cookie: protos.RpcHttpCookie) -> Json:
    same_site = {1: "Lax", 2: "Strict", 3: "None"}.get(cookie.same_site)
    plain = {"name": cookie.name, "value": cookie.value, "same_site": same_site}
    nullable = {n: getattr(cookie, n) for n in ("domain", "path", "expires", "max_age", "secure", "http_only")}
    values = {name: wrapped and wrapped.value for name, wrapped in nullable.items()}
    return plain | values | {"expires": values["expires"] and values["expires"].seconds}


def _main(descriptor: int, directory: str) -> None:
    os.set_inheritable(descriptor, False)
    os.chdir(directory)
    # The folder that `-m` put on the path is this package's; Azure's worker has the app's folder there.
    sys.path[0] = directory
    channel = _Channel(socket.socket(fileno=descriptor))
    debug = os.environ.get("PYTHON_ENABLE_DEBUG_LOGGING", "").strip().lower() in {"1", "true", "t", "yes", "y"}
    logging.getLogger().setLevel(logging.DEBUG if debug else logging.INFO)
    logging.getLogger().addHandler(_HostLog(channel))
    asyncio.run(_serve(channel, directory))


if __name__ == "__main__":
    _main(int(sys.argv[1]), sys.argv[2])
