"""The timer triggers: fire by schedule, one run of a function at a time."""

import asyncio
import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import TracebackType
from typing import Self

from local.host.activity import Activity
from local.host.error import HostError
from local.host.function import FunctionDefinition, Retry, TimerTrigger
from local.host.invocations import Invocations
from local.host.process import Answer
from local.host.wire import Datum


@dataclass(frozen=True, slots=True)
class _Timer:
    function: FunctionDefinition
    trigger: TimerTrigger
    # Azure holds a blob lease; in one host a lock is the same promise.
    single: asyncio.Lock = field(default_factory=asyncio.Lock)

    def request(self) -> Datum:
        """What the app is told about this run."""
        now = datetime.now(UTC)
        following = self.trigger.schedule.next_after(now)
        status = {"Last": now, "Next": following, "LastUpdated": now}
        told = {name: moment and moment.isoformat() for name, moment in status.items()}
        value = {"Schedule": {"AdjustForDST": True}, "ScheduleStatus": told, "IsPastDue": False}
        return Datum("json", json.dumps(value))


class Timers:
    """Fires while it is entered, when `scheduled`; runs on demand in any case. What runs when it is left goes on."""

    def __init__(self, functions: Iterable[FunctionDefinition], invocations: Invocations, *, scheduled: bool) -> None:
        triggers = ((function, function.trigger) for function in functions)
        self._timers = [_Timer(f, trigger) for f, trigger in triggers if isinstance(trigger, TimerTrigger)]
        self._invocations = invocations
        self._scheduled = scheduled
        self._clocks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        for timer in self._timers if self._scheduled else ():
            if timer.trigger.run_on_startup:
                self._activity.spawn(self._due(timer))
            self._clocks.append(self._activity.keep(self._keep(timer)))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for clock in self._clocks:
            clock.cancel()
        if self._clocks:
            await asyncio.wait(self._clocks)

    async def run(self, name: str) -> None:
        """Run a timer function now and wait for it. Raises HostError when there is none or when it fails."""
        timer = next((timer for timer in self._timers if timer.function.name == name), None)
        if timer is None:
            raise HostError(f"there is no timer function {name!r}")
        with self._activity.one():
            answer = await self._fire(timer)
        if answer.failure is not None:
            raise HostError(f"timer function {name!r} failed: {answer.failure.message}\n{answer.failure.stack_trace}")

    @property
    def _activity(self) -> Activity:
        return self._invocations.activity

    async def _keep(self, timer: _Timer) -> None:
        due = timer.trigger.schedule.next_after(datetime.now(UTC))
        while due is not None:
            left = (due - datetime.now(UTC)).total_seconds()
            if left > 0:
                # In steps: a sleep does not know of a clock that is set, nor of a machine that slept.
                await asyncio.sleep(min(left, 60))
                continue
            # A run is a task of its own: the clock may be stopped while it goes on.
            await asyncio.shield(self._activity.spawn(self._due(timer)))
            due = timer.trigger.schedule.next_after(datetime.now(UTC))

    async def _due(self, timer: _Timer) -> None:
        await self._fire(timer)

    async def _fire(self, timer: _Timer) -> Answer:
        retry, failed = timer.function.retry, 0
        async with timer.single:
            answer = await self._invocations.run(timer.function, timer.request())
            while answer.failure is not None and retry is not None and failed != retry.count:
                await asyncio.sleep(_delay(retry, failed))
                failed += 1
                answer = await self._invocations.run(timer.function, timer.request(), retry=failed)
        return answer


def _delay(retry: Retry, failed: int) -> float:
    return min(retry.longest, retry.first * 2.0 ** min(failed, 20)).total_seconds()
