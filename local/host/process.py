"""One worker process, seen from the host."""

import asyncio
import contextlib
import json
import os
import socket
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from io import FileIO
from pathlib import Path
from typing import Protocol

from local.host.console import Console, level_of_error, level_of_output
from local.host.error import HostError
from local.host.log import Log, LogLine
from local.host.wire import PREFIX, Datum, Json

_ROOT = Path(__file__).parents[2]
_LEVELS = ((50, "Critical"), (40, "Error"), (30, "Warning"), (20, "Information"), (10, "Debug"), (0, "Trace"))
_WARNING = 30
# Seconds between a worker's last message and its end, and from there to the end of its console.
_LAST_STEPS = 5.0
_LAST_WORDS = 1.0

# What the worker knows of each function; `FunctionDefinition.parse` reads it.
type Index = tuple[Json, ...]


@dataclass(frozen=True, slots=True)
class Failure:
    """Why an invocation failed: the app's own exception, or the end of its worker."""

    message: str
    stack_trace: str = ""


@dataclass(frozen=True, slots=True)
class Call:
    """One invocation as the worker needs it. `retry` counts the failed attempts before this one."""

    id: str
    function_name: str
    function_id: str
    inputs: Mapping[str, Datum]
    metadata: Mapping[str, Datum]
    retry: int = 0
    max_retries: int = 0

    def to_wire(self) -> Json:
        return {
            "invocation": self.id,
            "function": self.function_id,
            "inputs": {name: datum.to_wire() for name, datum in self.inputs.items()},
            "metadata": {name: datum.to_wire() for name, datum in self.metadata.items()},
            "retry": {"retry_count": self.retry, "max_retry_count": self.max_retries},
        }


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back. With a failure there are no outputs."""

    failure: Failure | None
    outputs: Mapping[str, Datum] = field(default_factory=dict)

    @classmethod
    def parse(cls, reply: Json) -> "Answer":
        if error := reply.get("error"):
            return cls(Failure(error["message"], error["stack_trace"]))
        outputs = reply["outputs"] | ({"$return": reply["returned"]} if reply["returned"] else {})
        return cls(None, {name: Datum.from_wire(datum) for name, datum in outputs.items()})


class Process(Protocol):
    """What the host needs of a process that it has started."""

    @property
    def pid(self) -> int: ...

    @property
    def returncode(self) -> int | None: ...

    def kill(self) -> None: ...

    async def wait(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Launch:
    """How to start a worker. `environment` is everything it sees besides PATH, HOME and LANG."""

    app_directory: Path
    environment: Mapping[str, str]
    # An empty directory: the credentials of whoever runs the host must not be found by an app that is only rehearsed.
    home: Path

    def variables(self) -> dict[str, str]:
        basics = {"PATH": os.defpath, "HOME": str(self.home), "LANG": "C.UTF-8"}
        measured = ("COVERAGE_PROCESS_START", "COVERAGE_PROCESS_CONFIG")
        coverage = {name: os.environ[name] for name in measured if name in os.environ}
        return basics | coverage | dict(self.environment)

    async def start(self, channel: socket.socket, out: FileIO, error: FileIO) -> Process:
        """Start the process that speaks through `channel` and prints to `out` and `error`."""
        descriptor = channel.fileno()
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "local.host.worker", str(descriptor), str(self.app_directory)),
            pass_fds=(descriptor,),
            cwd=_ROOT,
            env=self.variables(),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=out,
            stderr=error,
        )


class WorkerProcess:
    """A running worker with the app indexed. Made by `start`."""

    def __init__(
        self,
        process: Process,
        channel: tuple[asyncio.StreamReader, asyncio.StreamWriter],
        consoles: tuple[Console, ...],
        log: Log,
    ) -> None:
        self._process = process
        self._reader, self._writer = channel
        self._consoles = consoles
        self._log = log
        self._waiting: dict[str, asyncio.Future[Json]] = {}
        self._names: dict[str, str] = {}
        self.functions: Index = ()
        self.ended = asyncio.create_task(self._attend())

    @classmethod
    async def start(cls, launch: Launch, log: Log) -> "WorkerProcess":
        """Start a process and index the app in it. Raises HostError with the app's own exception when it fails."""
        async with contextlib.AsyncExitStack() as undo:
            worker = await cls._spawn(launch, log)
            undo.push_async_callback(worker.stop, 0)
            await worker.index()
            undo.pop_all()
        return worker

    @classmethod
    async def _spawn(cls, launch: Launch, log: Log) -> "WorkerProcess":
        async with contextlib.AsyncExitStack() as undo:
            ours, theirs = socket.socketpair()
            reader, writer = await asyncio.open_connection(sock=ours)
            undo.callback(writer.close)
            printed, complained = Console(log, level_of_output), Console(log, level_of_error)
            for console in (printed, complained):
                undo.push_async_callback(console.close, 0)
                await console.open()
            with theirs, printed.writing, complained.writing:
                process = await launch.start(theirs, printed.writing, complained.writing)
            undo.pop_all()
        return cls(process, (reader, writer), (printed, complained), log)

    @property
    def busy(self) -> int:
        """How many invocations wait for an answer."""
        return len(self._waiting)

    @property
    def pid(self) -> int:
        return self._process.pid

    async def invoke(self, call: Call) -> Answer:
        """Run one invocation. The end of the process is a failure of what ran in it."""
        frame = json.dumps({"invoke": call.to_wire()}).encode()
        self._writer.write(PREFIX.pack(len(frame)) + frame)
        try:
            return Answer.parse(await self._expect(call.id, call.function_name))
        except HostError as error:
            return Answer(Failure(str(error)))

    def kill(self) -> None:
        """End the process at once, as a crash would."""
        if self._process.returncode is None:
            self._process.kill()

    async def stop(self, grace: float) -> None:
        """Tell the process to end and give it `grace` seconds, then kill it."""
        if not self.ended.done():
            self._writer.write_eof()
        done, _ = await asyncio.wait((self.ended,), timeout=grace)
        if not done:
            self.kill()
        # Shielded: whoever is cut off while he waits must not cut off the process's end.
        await asyncio.shield(self.ended)

    async def index(self) -> None:
        """Take in the app's index, once. Raises HostError with the app's own exception when there is none."""
        indexed = await self._expect("start", "")
        if error := indexed.get("error"):
            raise HostError(f"the app does not index: {error['message']}\n{error['stack_trace']}")
        self.functions = tuple(indexed["functions"])

    async def _expect(self, reply: str, function: str) -> Json:
        future: asyncio.Future[Json] = asyncio.get_running_loop().create_future()
        if self.ended.done():
            raise HostError("the worker process has ended")
        self._waiting[reply], self._names[reply] = future, function
        try:
            return await future
        finally:
            del self._waiting[reply], self._names[reply]

    async def _attend(self) -> None:
        """Hear the process out; returns when it has ended and those who wait for it know."""
        try:
            while prefix := await self._reader.read(PREFIX.size):
                rest = await self._reader.readexactly(PREFIX.size - len(prefix))
                self._hear(json.loads(await self._reader.readexactly(*PREFIX.unpack(prefix + rest))))
        except (asyncio.IncompleteReadError, ConnectionError, ValueError, LookupError) as error:
            self._log(LogLine("", "Debug", f"worker {self.pid} broke off: {error!r}"))
        code = await self._exit_code()
        self._writer.close()
        for console in self._consoles:
            await console.close(_LAST_WORDS)
        for future in self._waiting.values():
            if not future.done():
                future.set_exception(HostError(f"the worker process ended with exit code {code}"))

    async def _exit_code(self) -> int:
        """Wait for the process, which has nothing more to say to the host, to end."""
        try:
            async with asyncio.timeout(_LAST_STEPS):
                return await self._process.wait()
        except TimeoutError:
            self.kill()
        return await self._process.wait()

    def _hear(self, message: Json) -> None:
        if entry := message.get("log"):
            # The runtime's own chatter goes to Microsoft, not to the app's owner, in Azure too.
            if not entry["system"] or entry["level"] >= _WARNING:
                level = next(name for least, name in _LEVELS if entry["level"] >= least)
                self._log(LogLine(self._names.get(entry["invocation"], ""), level, entry["message"]))
        elif (future := self._waiting.get(message["reply"])) is not None and not future.done():
            future.set_result(message)
