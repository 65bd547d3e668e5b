"""Long-running operations: what was accepted and is not done yet."""

from dataclasses import dataclass

from local.arm.body import Body, at, with_value
from local.arm.estate import Estate
from local.arm.events import Happening, event_time
from local.arm.providers import Provider, provider_of
from local.arm.resource_id import parse
from local.faults import Fault

TERMINAL = frozenset({"", "succeeded", "failed", "canceled", "cancelled"})
STATE = "properties.provisioningState"


def is_busy(body: Body | None) -> bool:
    """Whether the resource is in the middle of an update."""
    return str(at(body, STATE) or "").lower() not in TERMINAL


@dataclass(slots=True, kw_only=True)
class Operation:
    """One accepted write or delete. Times are epoch seconds.

    `before` is what a failed operation falls back to. `happening` is None for what was under way before the start:
    it ends without an event, since nobody's request here caused it.
    """

    id: str
    resource_id: str
    provider: Provider
    started_at: float
    ends_at: float
    deletes: bool = False
    before: Body | None = None
    failure: Fault | None = None
    happening: Happening | None = None
    ended: bool = False

    def report(self) -> Body:
        """The body that a poll of Azure-AsyncOperation gets."""
        status = ("Failed" if self.failure else "Succeeded") if self.ended else "InProgress"
        body: Body = {"name": self.id, "status": status, "startTime": event_time(self.started_at)}
        if self.ended:
            body["endTime"] = event_time(self.ends_at)
        if self.ended and self.failure:
            body["error"] = {"code": self.failure.code, "message": self.failure.message}
        return body


class Operations:
    """Every operation of one estate, ended or not."""

    def __init__(self, estate: Estate) -> None:
        self._estate = estate
        self._all: dict[str, Operation] = {}
        self._open: dict[str, Operation] = {}

    def adopt(self, now: float, ends_at: float) -> None:
        """Take over the resources that stand in the estate in the middle of an update."""
        for body in self._estate:
            address = parse(str(body["id"]))
            if address is not None and is_busy(body):
                self.begin(
                    Operation(
                        id=f"adopted {address.path}",
                        resource_id=address.path,
                        provider=provider_of(address.type),
                        started_at=now,
                        ends_at=ends_at,
                    )
                )

    def begin(self, operation: Operation) -> None:
        """Start one; its resource must already show that it is busy."""
        self._all[operation.id] = self._open[operation.id] = operation

    def find(self, operation_id: str) -> Operation | None:
        """The operation of that id, ended or not."""
        return self._all.get(operation_id)

    def end_due(self, now: float) -> list[Operation]:
        """End what is due, in the order it is due, and say which."""
        due = [operation for operation in self._open.values() if operation.ends_at <= now]
        due.sort(key=lambda operation: operation.ends_at)
        for operation in due:
            self._end(operation)
        return due

    def _end(self, operation: Operation) -> None:
        operation.ended = True
        del self._open[operation.id]
        body = self._estate.find(operation.resource_id)
        if body is None:
            return
        if operation.failure:
            self._estate.settle(with_value(operation.before or body, STATE, "Failed"))
        elif operation.deletes:
            self._estate.remove(operation.resource_id)
        else:
            self._estate.settle(settled(body, operation.provider))


def settled(body: Body, provider: Provider) -> Body:
    """The body as it looks when nothing is under way any more."""
    done = with_value(body, STATE, provider.done or "Succeeded")
    return with_value(done, "properties.status", provider.status[1]) if provider.status else done
