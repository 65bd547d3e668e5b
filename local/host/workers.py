"""The worker processes together: who gets the next invocation, and who is started anew."""

import asyncio
import contextlib
from types import TracebackType
from typing import Self

from local.host.activity import Activity
from local.host.error import HostError
from local.host.log import Log, LogLine
from local.host.process import Answer, Call, Failure, Index, Launch, WorkerProcess

# Starts in a row that may fail before the host gives up, as Azure's host does with a worker of one language.
_ATTEMPTS = 3
# Seconds for an idle process to end by itself.
_GRACE = 5.0


class Workers:
    """`count` processes that run the same app. One that ends is started again; invocations wait meanwhile."""

    def __init__(self, launch: Launch, count: int, activity: Activity, log: Log) -> None:
        if count < 1:
            raise ValueError(f"{count} is not a number of workers")
        self._launch = launch
        self._activity = activity
        self._log = log
        self._processes: list[WorkerProcess | None] = [None] * count
        self._changed = asyncio.Condition()
        self._broken: HostError | None = None
        self._stopping = False
        self._turn = 0
        self._supervisors: list[asyncio.Task[None]] = []
        self.restarts = 0
        self.functions: Index = ()

    async def __aenter__(self) -> Self:
        """Start all. Raises HostError when the app does not index."""
        async with contextlib.AsyncExitStack() as undo:
            undo.push_async_callback(self._stop)
            # All are waited for: a start that is cut off while it cleans up would leave something behind.
            starts = [self._start(index) for index in range(len(self._processes))]
            started = await asyncio.gather(*starts, return_exceptions=True)
            for failed in started:
                if isinstance(failed, BaseException):
                    raise failed
            undo.pop_all()
        self.functions = next(process.functions for process in self._processes if process is not None)
        self._supervisors = [self._activity.keep(self._supervise(i)) for i in range(len(starts))]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopping = True
        for supervisor in self._supervisors:
            supervisor.cancel()
        await asyncio.wait(self._supervisors)
        async with self._changed:
            self._changed.notify_all()
        await self._stop()

    async def invoke(self, call: Call) -> Answer:
        """Run an invocation in the next worker that is ready. Raises HostError when there will be none."""
        async with self._changed:
            await self._changed.wait_for(lambda: self._broken or self._stopping or self._ready())
            if self._broken is not None:
                raise self._broken
            ready = self._ready()
            if self._stopping or not ready:
                return Answer(Failure("the host is stopping"))
            self._turn += 1
            worker = ready[self._turn % len(ready)]
        return await worker.invoke(call)

    async def kill(self, index: int) -> None:
        """Kill one worker and wait until it has ended."""
        process = self._processes[index]
        if process is not None:
            process.kill()
            await asyncio.shield(process.ended)

    async def _start(self, index: int) -> None:
        self._processes[index] = await WorkerProcess.start(self._launch, self._log)

    async def _stop(self) -> None:
        # What still runs has had its time; the grace is for those that only have to end.
        running = [process for process in self._processes if process is not None]
        await asyncio.gather(*(process.stop(grace=0 if process.busy else _GRACE) for process in running))

    def _ready(self) -> list[WorkerProcess]:
        return [process for process in self._processes if process is not None and not process.ended.done()]

    async def _supervise(self, index: int) -> None:
        while (process := self._processes[index]) is not None:
            await asyncio.shield(process.ended)
            self._processes[index] = None
            self._log(LogLine("", "Error", f"worker {process.pid} ended; the host starts another"))
            self.restarts += 1
            with self._activity.one():
                self._processes[index] = await self._restart()
            async with self._changed:
                self._changed.notify_all()

    async def _restart(self) -> WorkerProcess | None:
        fault: HostError | None = None
        for _ in range(_ATTEMPTS):
            try:
                return await WorkerProcess.start(self._launch, self._log)
            except HostError as error:
                fault = error
                self._log(LogLine("", "Error", str(error)))
        self._broken = HostError(f"the worker does not start any more: {fault}")
        self._activity.fail(self._broken)
        return None
