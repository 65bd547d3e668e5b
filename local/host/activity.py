"""What the host is doing, so that somebody can wait until it does nothing."""

import asyncio
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager

from local.host.error import HostError


class Activity:
    """Counts what is under way: HTTP requests, queue messages, timer runs, invocations."""

    def __init__(self) -> None:
        self._open = 0
        self._changed = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._fault: BaseException | None = None
        self.begun = 0

    @property
    def open(self) -> int:
        """How much is under way now. Raises HostError when a part of the host has failed."""
        if self._fault is not None:
            raise HostError(f"the host has failed: {self._fault!r}") from self._fault
        return self._open

    @property
    def failed(self) -> bool:
        """Whether a part of the host has failed for good."""
        return self._fault is not None

    @contextmanager
    def one(self) -> Iterator[None]:
        """Count what happens inside as under way."""
        self._begin()
        try:
            yield
        finally:
            self._end()

    def spawn(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        """Run `work` as a task, counted as under way from now until it ends; what it raises is the host's failure."""
        self._begin()
        task = self.keep(work)
        task.add_done_callback(lambda _: self._end())
        return task

    def keep(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        """As `spawn`, for what never ends by itself and so is not counted."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._finished)
        return task

    def fail(self, fault: BaseException) -> None:
        """Note that a part of the host has failed for good."""
        self._fault = self._fault or fault
        self._changed.set()

    async def change(self, longest: float) -> None:
        """Wait until something ends, at most `longest` seconds."""
        self._changed.clear()
        try:
            async with asyncio.timeout(longest):
                await self._changed.wait()
        except TimeoutError:
            return

    async def drain(self, grace: float) -> None:
        """Wait until nothing is under way, at most `grace` seconds."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + grace
        while self._open and (left := deadline - loop.time()) > 0:
            await self.change(left)

    async def finish(self) -> None:
        """Wait for every task to end."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    def _begin(self) -> None:
        self.begun += 1
        self._open += 1

    def _end(self) -> None:
        self._open -= 1
        self._changed.set()

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (fault := task.exception()) is not None:
            self.fail(fault)
