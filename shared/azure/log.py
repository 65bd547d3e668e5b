"""The remediation log: rows go to the Logs Ingestion API."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from shared.azure.courier import Courier
from shared.azure.ledger import TableLedger
from shared.domain.body import JsonObject
from shared.domain.record import Outlet

if TYPE_CHECKING:
    from azure.monitor.ingestion.aio import LogsIngestionClient


class RemediationLog(Courier):
    """The courier of every row. `connect` makes the client when the first rows leave."""

    outlet = Outlet.LOG

    def __init__(
        self, connect: "Callable[[], LogsIngestionClient]", ledger: TableLedger, rule: str, stream: str
    ) -> None:
        super().__init__(ledger)
        self._connect = connect
        self._rule = rule
        self._stream = stream
        self._client: LogsIngestionClient | None = None

    async def send(self, told: Sequence[JsonObject]) -> None:
        """Sends the columns of some rows."""
        self._client = self._client or self._connect()
        await self._client.upload(self._rule, self._stream, [*told])
