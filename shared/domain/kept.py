"""What the ledger keeps of a record for those who may come back to it by its RecordId: operators. Pure."""

from dataclasses import dataclass

from shared.domain.body import as_list, as_text
from shared.domain.change import Change
from shared.domain.orders import changes_of
from shared.domain.record import Outcome, Row

# What can be taken back, approved, held or released: what was fixed, or would have been.
_OF_USE = frozenset(
    {
        Outcome.FIXED,
        Outcome.FIX_UNVERIFIED,
        Outcome.FAILED,
        Outcome.AWAITING_APPROVAL,
        Outcome.CONTESTED,
        Outcome.HELD,
        Outcome.OVER_BUDGET,
    }
)


@dataclass(frozen=True, slots=True)
class Kept:
    """A record of a rule on a resource. `changes` is empty where they were too large for the record; `message` brings
    the look about again that it stands for, empty where there is none."""

    record_id: str
    resource_id: str
    rule: str
    outcome: Outcome
    changes: tuple[Change, ...]
    message: str


def kept_of(row: Row) -> Kept | None:
    """What is kept of the row; None for one that no operator has any use for."""
    outcome, rule = as_text(row.columns.get("Outcome")), as_text(row.columns.get("Rule"))
    if outcome not in _OF_USE or not rule:
        return None
    return Kept(
        record_id=row.record_id,
        resource_id=as_text(row.columns.get("ResourceId")),
        rule=rule,
        outcome=Outcome(outcome),
        changes=changes_of(as_list(row.columns.get("Changes"))),
        message=row.message,
    )
