"""What a worker's process prints."""

import asyncio
import os
from collections.abc import Callable
from io import FileIO

from local.host.log import Log, LogLine

# Bytes of a line after which it is logged in pieces.
_LONGEST_LINE = 64 * 1024


class Console:
    """A pipe whose lines are logged. `writing` is the process's end; whoever has handed it over closes it here.

    Not asyncio's own pipes: `Process.wait` would wait for their end, and a process that the app has started may hold
    them open for as long as it likes.
    """

    def __init__(self, log: Log, level: Callable[[str], str]) -> None:
        """`level` says at which level a line is logged."""
        self._log = log
        self._level = level
        reading, writing = os.pipe()
        self._reading, self.writing = FileIO(reading), FileIO(writing, "w")
        self._reader = asyncio.StreamReader()
        self._transport: asyncio.ReadTransport | None = None
        self._logging: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Begin to log."""
        self._transport, _ = await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(self._reader), self._reading
        )
        self._logging = asyncio.create_task(self._run())

    async def close(self, grace: float) -> None:
        """Log what is left, at most `grace` seconds, and close both ends."""
        self.writing.close()
        if self._logging is not None:
            _, running = await asyncio.wait((self._logging,), timeout=grace)
            for task in running:
                task.cancel()
        if self._transport is not None:
            self._transport.close()
        else:
            self._reading.close()

    async def _run(self) -> None:
        pending = b""
        while chunk := await self._reader.read(_LONGEST_LINE):
            *lines, pending = (pending + chunk).split(b"\n")
            if len(pending) > _LONGEST_LINE:
                lines, pending = [*lines, pending], b""
            for line in lines:
                self._tell(line)
        if pending:
            self._tell(pending)

    def _tell(self, line: bytes) -> None:
        text = line.decode(errors="replace").rstrip("\r")
        self._log(LogLine("", self._level(text), text))


def level_of_output(_line: str) -> str:
    """Whatever it says."""
    return "Information"


def level_of_error(line: str) -> str:
    """By its words, as Azure's host does (azure-functions-host, WorkerProcess.cs at 028b34a, read 2026-11-23)."""
    words = line.lower()
    if "warn" in words:
        return "Warning"
    return "Error" if any(word in words for word in ("error", "fail", "severe")) else "Information"
