"""The Functions host: all its parts together.

What Azure's host does and this one does not: functionTimeout, log levels of host.json, app settings that switch
functions off, a check that a binding's connection is set, past-due timers, leases between several hosts, scaling, and
every trigger and binding besides Event Grid, HTTP, queue and timer. Entra authentication sits before the host in Azure
too: whoever rehearses it sends the `X-MS-CLIENT-PRINCIPAL` headers himself.
"""

import asyncio
import contextlib
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import Self

from azure.storage.queue.aio import QueueServiceClient

from local.host.activity import Activity
from local.host.error import HostError
from local.host.front import Front
from local.host.function import FunctionDefinition, QueueTrigger
from local.host.invocations import Invocations
from local.host.keys import Keys
from local.host.listener import QueueListener
from local.host.log import Log, LogLine
from local.host.process import Launch
from local.host.queues import Queues
from local.host.settings import HostSettings
from local.host.timers import Timers
from local.host.workers import Workers

# Seconds that running invocations get when the host stops.
_GRACE = 5.0
# Seconds between two looks into the queues while somebody waits for idleness: a server has no other way to tell.
_LOOK = 0.02


@dataclass(frozen=True, slots=True)
class _Running:
    """The parts of a host that is up."""

    functions: tuple[FunctionDefinition, ...]
    workers: Workers
    invocations: Invocations
    listeners: tuple[QueueListener, ...]
    timers: Timers
    front: Front


class FunctionsHost:
    """Runs the function app of a directory while it is entered. Everything it says goes to `log`.

    Entering raises HostError when the app does not index, with the app's own exception, and AzureError when the queue
    service does not answer. Leaving lets what runs end for up to five seconds, then ends the workers; a queue message
    whose invocation was cut off becomes visible again.
    """

    def __init__(  # noqa: PLR0913 -- each is a choice of its own, and all but three have a default
        self,
        app_directory: Path,
        environment: Mapping[str, str],
        queues: Callable[[], QueueServiceClient],
        *,
        workers: int = 1,
        log: Log | None = None,
        timers: bool = True,
        message_lease: timedelta = timedelta(minutes=10),
    ) -> None:
        """`environment` is all that a worker sees besides PATH, LANG and HOME, an empty directory.

        `queues` makes the client of the one queue service that all bindings use, whatever their connection; the host
        closes it. `workers` is FUNCTIONS_WORKER_PROCESS_COUNT. `log` None means that nobody listens. `timers` False
        keeps schedules and run_on_startup from firing. `message_lease` is how long a message stays hidden for a running
        function; it is renewed at half time. Raises ValueError when it is under a second.
        """
        if message_lease < timedelta(seconds=1):
            raise ValueError("a message is leased for whole seconds")
        self._app_directory = app_directory.resolve()
        self._environment = dict(environment)
        self._service = queues
        self._worker_count = workers
        self._log: Log = log or _nobody
        self._scheduled = timers
        self._message_lease = message_lease
        self._keys = Keys()
        self._activity = Activity()
        self._run = contextlib.AsyncExitStack()
        self._up: _Running | None = None

    async def __aenter__(self) -> Self:
        async with contextlib.AsyncExitStack() as run:
            self._up = await self._start(run)
            self._run = run.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._run.aclose()

    @property
    def url(self) -> str:
        """Where the host listens, `http://127.0.0.1:PORT`."""
        return self._running.front.url

    @property
    def system_key(self) -> str:
        """Opens the webhooks: `code` or `x-functions-key`."""
        return self._keys.system

    @property
    def function_key(self) -> str:
        """Opens HTTP functions of level `function`, as the host key `default` does."""
        return self._keys.function

    @property
    def master_key(self) -> str:
        """Opens everything, and alone the level `admin`."""
        return self._keys.master

    @property
    def functions(self) -> tuple[FunctionDefinition, ...]:
        """What the app indexed."""
        return self._running.functions

    @property
    def worker_restarts(self) -> int:
        """How many workers ended and were started again."""
        return self._running.workers.restarts

    @property
    def invocations(self) -> int:
        """How many invocations were begun, retries included."""
        return self._running.invocations.count

    async def wait_idle(self, timeout: float, *, hidden: bool = False) -> None:  # noqa: ASYNC109 -- told apart below
        """Wait until nothing runs, no HTTP request is open and no triggering queue holds a visible message.

        A message that waits is fetched at once, whatever the polling interval. `hidden`: also wait for messages that
        are not visible yet. Raises TimeoutError after `timeout` seconds, HostError when the host has failed, AzureError
        when the queue service does not answer.
        """
        try:
            async with asyncio.timeout(timeout):
                while not await self._idle(hidden=hidden):
                    await self._activity.change(_LOOK)
        except TimeoutError:
            raise TimeoutError(f"not idle after {timeout} s, {self._activity.open} under way") from None

    async def run_timer(self, function: str) -> None:
        """Run a timer function now. Raises HostError when there is none of that name or when it fails."""
        await self._running.timers.run(function)

    def change_setting(self, name: str, value: str) -> None:
        """Change an app setting. Workers that start from now on see it; Azure would restart them all."""
        self._environment[name] = value

    async def kill_worker(self, index: int = 0) -> None:
        """Kill worker `index` as a crash would, and wait for its end. The host starts another."""
        await self._running.workers.kill(index)

    @property
    def _running(self) -> _Running:
        if self._up is None:
            raise RuntimeError("the host is not entered")
        return self._up

    async def _start(self, run: contextlib.AsyncExitStack) -> _Running:
        """Start all parts. What is entered first is left last: workers outlive the polling, tasks the workers."""
        settings = HostSettings.read(self._app_directory, self._environment)
        home = run.enter_context(tempfile.TemporaryDirectory(prefix="functions-home-"))
        queues = Queues(await run.enter_async_context(self._service()), base64=settings.queues.base64)
        run.push_async_callback(self._activity.finish)
        launch = Launch(self._app_directory, self._environment, Path(home))
        workers = await run.enter_async_context(Workers(launch, self._worker_count, self._activity, self._log))
        functions = tuple(FunctionDefinition.parse(found, self._environment) for found in workers.functions)
        if not functions:
            raise HostError(f"no functions were found in {self._app_directory}")
        invocations = Invocations(workers, queues, self._activity, self._log)
        front = Front(functions, invocations, self._keys, settings.route_prefix)
        run.push_async_callback(front.finish)
        run.push_async_callback(self._activity.drain, _GRACE)
        listeners = tuple(self._listeners(functions, invocations, settings))
        for listener in listeners:
            await run.enter_async_context(listener)
        timers = await run.enter_async_context(Timers(functions, invocations, scheduled=self._scheduled))
        run.push_async_callback(front.close)
        await front.open()
        return _Running(functions, workers, invocations, listeners, timers, front)

    def _listeners(
        self, functions: tuple[FunctionDefinition, ...], invocations: Invocations, settings: HostSettings
    ) -> Iterator[QueueListener]:
        for function in functions:
            if isinstance(function.trigger, QueueTrigger):
                yield QueueListener(function, function.trigger, invocations, settings.queues, self._message_lease)

    async def _idle(self, *, hidden: bool) -> bool:
        begun = self._activity.begun
        if self._activity.open > 0:
            return False
        for listener in self._running.listeners:
            if await listener.waiting(hidden=hidden):
                return False
        # Whatever began since may have put a message where it was already looked for.
        return self._activity.begun == begun and self._activity.open == 0


def _nobody(_line: LogLine) -> None:
    """Nobody listens."""
