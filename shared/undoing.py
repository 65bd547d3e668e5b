"""Putting back what a fix replaced, as an operator ordered: with an intention first and a read that shows it after."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from shared.domain.decision import Decision
from shared.domain.drafting import finished, of_fix, of_signal, performed
from shared.domain.failure import Cause, Refused
from shared.domain.ledger import Entry
from shared.domain.orders import Undo
from shared.domain.record import Outcome, Record, Row
from shared.domain.resource import Resource
from shared.domain.signal import Signal, SignalKind, put_back
from shared.domain.undo import take_back
from shared.fixing import Order, Workbench, carry_out
from shared.world import Visit


@dataclass(frozen=True, slots=True)
class Undone:
    """The entry without the orders, as it stands in the ledger; the rows to be sent; the resource as it is then."""

    entry: Entry
    rows: tuple[Row, ...]
    resource: Resource


async def undo(visit: Visit, entry: Entry, resource: Resource, closed: Sequence[Record]) -> Undone:
    """Carries out the orders of the entry. `closed` are the records of what was begun before.

    Raises TryAgain where it cannot be known yet how a write ended: the orders stay, and the next look goes on.
    """
    world, began = visit.world, visit.world.now()
    told = [(order, _told(visit, order, entry, resource)) for order in entry.undos]
    doing = {order: found for order, found in told if isinstance(found, Decision) and found.finding.changes}
    # What an interrupted worker had put back has its record already.
    done = {record.rule for record in closed if record.outcome is Outcome.UNDONE}
    records = [_without_a_write(visit, order, found) for order, found in told if order not in doing]
    records = [record for record in records if record.outcome is not Outcome.UNDONE or record.rule not in done]
    rows: tuple[Row, ...] = ()
    if doing:
        order = Order(
            resource,
            list(doing.values()),
            [_draft(visit, order, resource, decision, began) for order, decision in doing.items()],
            closed,
            put_back(replace(visit.signal, recalled=True)),
            visit.ticket,
        )
        entry, rows, made = await carry_out(_bench(visit), entry, order)
        records += made
    else:
        records = [*closed, *records]
    # What is not taken back is not left alone either.
    refused = {record.rule for record in records if record.outcome is Outcome.REFUSED}
    holds = tuple(hold for hold in entry.holds if hold.rule not in refused)
    left = replace(entry, undos=(), intention=None, holds=holds)
    left, written = left.append([finished(record, world.now()) for record in records])
    entry = await world.ledger.commit(left, written)
    return Undone(entry, rows + written, await visit.read_again(resource) if doing else resource)


def _told(visit: Visit, order: Undo, entry: Entry, resource: Resource) -> Decision | Cause:
    if all(hold.rule != order.rule or hold.until <= visit.world.now() for hold in entry.holds):
        # It would be fixed again in the same breath.
        return Cause("undo.expired", "the order was given so long ago that its hold is over")
    return take_back(order, resource, visit.world.catalogue, visit.world.settings)


def nothing_to_undo(visit: Visit, entry: Entry) -> list[Record]:
    """The records of orders on a resource that is not there any more."""
    cause = Cause("undo.gone", "there is no such resource any more")
    return [_without_a_write(visit, order, cause) for order in entry.undos]


def _bench(visit: Visit) -> Workbench:
    world = visit.world

    async def decide_again(current: Resource, before: Decision) -> Decision | None:
        entry = await world.ledger.open(current.id.key)
        orders = [order for order in entry.undos if order.rule == before.finding.rule_id]
        again = take_back(orders[-1], current, world.catalogue, world.settings) if orders else None
        if isinstance(again, Cause):
            raise Refused(again)
        return again if again is not None and again.finding.changes else None

    return Workbench(world.arm, world.ledger, world.now, world.settings.operational.lease_seconds, decide_again)


def _signal(visit: Visit, order: Undo) -> Signal:
    """The request as it stands in the ledger: whichever signal had the resource looked at, the record is the same."""
    now = visit.world.now()
    cause = f"{order.request} {visit.target.key}"
    return Signal(
        SignalKind.OPERATOR_REQUEST, order.request, cause, now, now, visit.target, {}, operation="undo", actor=order.by
    )


def _draft(visit: Visit, order: Undo, resource: Resource, decision: Decision, began: datetime) -> Record:
    record = of_fix(_signal(visit, order), visit.world.stamp, resource, decision, began)
    return replace(record, evidence={**(record.evidence or {}), "undoOf": order.record_id})


def _without_a_write(visit: Visit, order: Undo, found: Decision | Cause) -> Record:
    """The record of an order that needs no write, or that is refused."""
    world = visit.world
    record = of_signal(_signal(visit, order), world.stamp, world.now(), Outcome.REFUSED, "", "", visit.target)
    record = replace(record, ref=order.rule.partition("/")[0], rule=order.rule, severity="medium")
    if isinstance(found, Cause):
        return performed(record, Outcome.REFUSED, found.code, found.text, undoOf=order.record_id)
    reason = "the resource is as it was before the fix"
    return performed(record, Outcome.UNDONE, "undo.already", reason, undoOf=order.record_id)
