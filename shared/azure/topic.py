"""The topic: whoever subscribes to it is told of every record that is notable, as a CloudEvent."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from azure.core.messaging import CloudEvent

from shared.azure.courier import Courier
from shared.azure.ledger import TableLedger
from shared.domain.body import JsonObject, as_text
from shared.domain.record import Outlet, Row, is_notable

if TYPE_CHECKING:
    from azure.eventgrid.aio import EventGridPublisherClient


class OutcomeTopic(Courier):
    """The courier of notable rows. `connect` makes the client when the first of them leave."""

    outlet = Outlet.TOPIC

    def __init__(self, connect: "Callable[[], EventGridPublisherClient]", ledger: TableLedger) -> None:
        super().__init__(ledger)
        self._connect = connect
        self._client: EventGridPublisherClient | None = None

    def wants(self, row: Row) -> bool:
        """Whether the row is notable."""
        return is_notable(row)

    def told(self, row: Row) -> JsonObject:
        """The event of its outcome."""
        return outcome_event(row)

    async def send(self, told: Sequence[JsonObject]) -> None:
        """Publishes some events."""
        self._client = self._client or self._connect()
        await self._client.send([CloudEvent.from_dict(event) for event in told])


def outcome_event(row: Row) -> JsonObject:
    """The CloudEvent of a row: the same one, with the same id, whenever the row is sent.

    Sealed only repeats the other columns, and Event Grid counts every 64 KB as an event; Digest leads to it in the log.
    """
    columns = row.columns
    subscription = as_text(columns.get("SubscriptionId"))
    return {
        "specversion": "1.0",
        "id": row.record_id,
        "type": f"Airlock.Remediation.{as_text(columns.get('Outcome'))}",
        "source": f"/subscriptions/{subscription}" if subscription else "airlock",
        "subject": as_text(columns.get("ResourceId")) or "-",
        "time": as_text(columns.get("TimeGenerated")),
        "data": {name: value for name, value in columns.items() if name != "Sealed"},
    }
