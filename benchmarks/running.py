"""Airlock as it ships on a local Azure that counts."""

import asyncio
import json
import re
import time
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from aiohttp import web
from aiohttp.typedefs import Handler

from benchmarks.estate import Body
from local.arm.service import ArmConfig
from local.azure import APP, LocalAzure, Plan
from local.contoso import write_event
from local.host.log import LogLine
from local.storage.database import Database
from shared.domain.record import TABLE, schema

ROOT = Path(__file__).resolve().parent.parent
PATIENCE = 60.0
_LOOK_SECONDS = 0.002
_OPERATION = re.compile(rb"^(GET|POST|PUT|PATCH|MERGE|DELETE) https?://", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class TableCall:
    """One request to the Table service. `struck` counts its deletions if it does nothing else: those take rows that
    were sent off the list."""

    method: str
    path: str
    struck: int


class CountingAzure(LocalAzure):
    """A local Azure that keeps a journal of the Table service, and on request drops the events of Airlock's own writes.

    Every such event is one more event to look at; without them a figure is of one kind of event.
    """

    def __init__(self, plan: Plan, *, echo: bool, on_log: Callable[[LogLine], None] | None) -> None:
        super().__init__(plan, on_log=on_log)
        self._echo = echo
        self.table_calls: list[TableCall] = []

    async def publish(self, event: Body) -> None:
        """Gives Event Grid an event."""
        if self._echo or APP.object_id not in json.dumps(event):
            await super().publish(event)

    async def change(self, resources: Iterable[Body]) -> None:
        """Tells Event Grid that somebody wrote each resource."""
        for resource in resources:
            await self.publish(write_event(resource, datetime.now(UTC)))

    def records(self, outcome: str) -> int:
        """How many records of that outcome the log took, by RecordId."""
        return len({row["RecordId"] for row in self.rows if row["Outcome"] == outcome})

    def table_service(self, database: Database) -> web.Application:
        """The Table service with the journal in front."""
        application = super().table_service(database)
        application.middlewares.append(self._count)
        return application

    @web.middleware
    async def _count(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        operations = _OPERATION.findall(await request.read()) or [request.method.encode()]
        struck = len(operations) if set(operations) == {b"DELETE"} else 0
        self.table_calls.append(TableCall(request.method, request.path, struck))
        return await handler(request)


@asynccontextmanager
async def airlock(
    estate: Sequence[Body],
    *,
    arm: ArmConfig | None = None,
    settings: Mapping[str, str] | None = None,
    echo: bool = True,
    on_log: Callable[[LogLine], None] | None = None,
) -> AsyncIterator[CountingAzure]:
    """Airlock in mode enforce over that estate; unless told otherwise it neither waits for quiet nor looks twice."""
    plan = Plan(
        app_directory=ROOT,
        webhook="on_resource_change",
        settings={
            "AIRLOCK_MODE": "enforce",
            "AIRLOCK_QUIET_SECONDS": "0",
            "AIRLOCK_GRACE_SECONDS": "0",
            "AIRLOCK_MAX_FIXES_PER_HOUR": "100000",
        }
        | dict(settings or {}),
        stream=f"Custom-{TABLE}",
        columns=schema(),
        estate=estate,
        arm=arm or ArmConfig(operation_seconds=0.05),
    )
    async with CountingAzure(plan, echo=echo, on_log=on_log) as azure:
        yield azure


async def until(reached: Callable[[], bool], what: str) -> None:
    """Looks every 2 ms. Raises TimeoutError, which says what did not come, after a minute."""
    deadline = time.monotonic() + PATIENCE
    while not reached():
        if time.monotonic() > deadline:
            raise TimeoutError(f"after {PATIENCE:.0f} s there is still no {what}")
        await asyncio.sleep(_LOOK_SECONDS)
