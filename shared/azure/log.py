"""The remediation log: rows go to the Logs Ingestion API, and off the ledger's list once they were taken."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from shared.azure.chunks import chunks
from shared.azure.failures import own_store
from shared.azure.ledger import TableLedger
from shared.domain.failure import AirlockError
from shared.domain.record import Row

if TYPE_CHECKING:
    from azure.monitor.ingestion.aio import LogsIngestionClient

_LOG = logging.getLogger(__name__)
# Seconds that rows which were sent stay on the list, so that one transaction strikes many. A crash in between has
# them sent again, unchanged, and queries take one row by RecordId.
_LINGER = 1.0
# Seconds that a signal waits for its records to be taken.
_PATIENCE = 3.0


class RemediationLog:
    """`ports.Log`. Rows that come while others are on their way leave together in the next call."""

    def __init__(
        self, connect: "Callable[[], LogsIngestionClient]", ledger: TableLedger, rule: str, stream: str
    ) -> None:
        self._connect = connect
        self._ledger = ledger
        self._rule = rule
        self._stream = stream
        self._client: LogsIngestionClient | None = None
        self._waiting: list[Row] = []
        self._sent: list[Row] = []
        self._sending: asyncio.Task[None] | None = None
        self._striking: asyncio.Task[None] | None = None

    async def deliver(self, rows: Sequence[Row]) -> None:
        """Sends the rows. Never raises for a log that does not answer: then they stay listed as unsent.

        Returns when they are sent, or after a few seconds: a log that hangs must not hold up fixes.
        """
        if not rows:
            return
        self._waiting += rows
        if self._sending is None or self._sending.done():
            self._sending = asyncio.create_task(self._send_waiting())
        done, _ = await asyncio.wait({self._sending}, timeout=_PATIENCE)
        for sending in done:
            sending.result()  # a mistake of ours is not taken for an outage

    async def _send_waiting(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting, []
            for chunk in chunks(batch):
                if not await self._send(chunk):
                    break  # the rest is listed too, and would fare no better now
        if self._sent and (self._striking is None or self._striking.done()):
            self._striking = asyncio.create_task(self._strike())

    async def _send(self, chunk: list[Row]) -> bool:
        self._client = self._client or self._connect()
        try:
            async with own_store("log"):
                await self._client.upload(self._rule, self._stream, [row.columns for row in chunk])
        except AirlockError as problem:
            _LOG.warning("%d records wait in the ledger: %s", len(chunk), problem)
            return False
        self._sent += chunk
        return True

    async def _strike(self) -> None:
        while self._sent:
            await asyncio.sleep(_LINGER)
            rows, self._sent = self._sent, []
            try:
                await self._ledger.strike(rows)
            except AirlockError as problem:
                _LOG.warning("%d sent records stay listed and will be sent again: %s", len(rows), problem)
