"""What operators have said about a rule on a resource: leave it alone, let it through once, take it back. Pure."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from shared.domain.body import Json, as_object, as_text
from shared.domain.change import Change
from shared.domain.record import canonical

# How long an approval lets its fix through.
APPROVED_FOR = timedelta(hours=24)
# How long a rule is left alone where the operator does not say.
HELD_FOR = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Hold:
    """A rule that is not fixed until then, and the object id of whoever said so. Another rule must not set its `paths`
    either: what was taken back would not last."""

    rule: str
    until: datetime
    by: str
    paths: frozenset[str] = frozenset()

    def covers(self, rule: str, changes: Iterable[Change]) -> bool:
        """Whether a fix of the rule that makes the changes is held."""
        return rule == self.rule or any(_touches(change.path, path) for change in changes for path in self.paths)


def _touches(one: str, other: str) -> bool:
    return one == other or one.startswith(f"{other}.") or other.startswith(f"{one}.")


@dataclass(frozen=True, slots=True)
class Approval:
    """A person's word for one fix, or one response, of one rule, good until then and for one time.

    `wanted` is the fingerprint of the values that were approved: a fix that would set others needs a word of its own.
    """

    rule: str
    wanted: str
    until: datetime
    by: str
    record_id: str


@dataclass(frozen=True, slots=True)
class Undo:
    """The order to put back what a fix replaced: its changes, the record that has them, and who gave the order as
    which request."""

    rule: str
    changes: tuple[Change, ...]
    record_id: str
    by: str
    request: str


def fingerprint(changes: Iterable[Change]) -> str:
    """Sixteen hex digits that are the same for the same paths and desired values, whatever is there now."""
    told = sorted((change.path, canonical(change.desired)) for change in changes)
    return hashlib.sha256(repr(told).encode()).hexdigest()[:16]


def changes_of(recorded: Iterable[Json]) -> tuple[Change, ...]:
    """The changes as a record's column has them."""
    told = [as_object(change) for change in recorded]
    return tuple(Change(as_text(each.get("path")), each.get("actual"), each.get("desired")) for each in told)


def hold_on(rule: str, changes: Iterable[Change], holds: Iterable[Hold], now: datetime) -> Hold | None:
    """The hold that keeps the changes from being made now; the longest of several."""
    made = tuple(changes)
    good = [hold for hold in holds if hold.until > now and hold.covers(rule, made)]
    return max(good, key=lambda hold: hold.until, default=None)


def approval_of(rule: str, changes: Iterable[Change], approvals: Iterable[Approval], now: datetime) -> Approval | None:
    """The approval that lets exactly these changes through now."""
    values = fingerprint(changes)
    return next((each for each in approvals if (each.rule, each.wanted) == (rule, values) and each.until > now), None)
