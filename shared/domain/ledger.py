"""What Airlock remembers of one resource, and how that changes: pure; the storage stands behind `ports.Ledger`."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from shared.domain.arm_id import ArmId, parse_arm_id
from shared.domain.change import Change
from shared.domain.contest import Attempt, recent
from shared.domain.orders import Approval, Hold, Undo
from shared.domain.record import GENESIS, Outcome, Record, Row, seal
from shared.domain.rotation import Rotation
from shared.domain.signal import SignalKind, of_ours

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# A resource that never becomes quiet is looked at all the same after this.
LONGEST_UNREST = timedelta(minutes=5)
# So long acts that a dead worker began are left to the message that they belong to.
_ACTS_TAKE = timedelta(minutes=30)
# What a record says of a fix that ARM took.
_TAKEN = frozenset({Outcome.FIXED, Outcome.FIX_UNVERIFIED, Outcome.FAILED})
# How many record ids, and how many acts, an entry remembers, so that a signal delivered again adds no second row and
# does nothing a second time: more than one look can have.
REMEMBERED = 192
# So much of a record id tells the records of one resource apart, and there is an entry for every resource.
_OF_ID = 12


@dataclass(frozen=True, slots=True)
class Intention:
    """A fix that was begun: the signal to come back to, and the records to write once it is known how it ended."""

    message: str
    begun: datetime
    drafts: tuple[Record, ...]


@dataclass(frozen=True, slots=True)
class Version:
    """What the storage needs to change an entry: its ETag, and whether it is listed as one with open work."""

    etag: str
    listed: bool


@dataclass(frozen=True, slots=True)
class Entry:
    """One resource (or, for records without one, one subscription).

    `watermark` is when the newest finished evaluation began its read. `held_until` and `holder` are the lease.
    `head` is the digest of the newest row of the chain. `names` are the attachable resources that the body named when
    it was last read, by key; `attached_to` the AI resources that name this one. `history` are the fixes that ARM
    took, `rotations` the keys that were regenerated or claimed for it, `performed` the other acts and the approvals
    that were spent, by their tokens. `returns` are the times at which a message comes back for another look.
    `last_signal` is the newest change that waits for the resource to become quiet, `first_signal` the oldest.
    `holds`, `approvals` and `undos` are what operators said.
    `filed` is the month under which it is listed to be forgotten one day (`202611`). `version` is None for an entry
    never written.
    """

    key: str
    watermark: datetime | None = None
    held_until: datetime | None = None
    holder: str = ""
    intention: Intention | None = None
    head: str = GENESIS
    remembered: tuple[str, ...] = ()
    names: frozenset[str] = frozenset()
    attached_to: frozenset[ArmId] = frozenset()
    settings_digest: str = ""
    history: tuple[Attempt, ...] = ()
    rotations: tuple[Rotation, ...] = ()
    performed: tuple[str, ...] = ()
    returns: tuple[datetime, ...] = ()
    first_signal: datetime | None = None
    last_signal: datetime | None = None
    holds: tuple[Hold, ...] = ()
    approvals: tuple[Approval, ...] = ()
    undos: tuple[Undo, ...] = ()
    filed: str = ""
    version: Version | None = None

    def covers(self, time: datetime, grace: timedelta) -> bool:
        """Whether a finished evaluation began its read so long after the time that it cannot have missed it."""
        return self.watermark is not None and self.watermark >= time + grace

    def awaits_later(self, time: datetime) -> bool:
        """Whether a later change of the same burst waits in the queue and will be looked at in this one's place."""
        if self.first_signal is None or self.last_signal is None:
            return False
        return time < self.last_signal < self.first_signal + LONGEST_UNREST

    def burst(self, time: datetime) -> tuple[datetime, datetime]:
        """The oldest and the newest change of the burst that a change at that time belongs to."""
        first, last = self.first_signal, self.last_signal
        if first is None or last is None or (self.watermark is not None and self.watermark > last):
            return time, time
        return min(first, time), max(last, time)

    def held_by_another(self, worker: str, now: datetime) -> bool:
        """Whether somebody else's lease is still good."""
        return self.held_until is not None and self.held_until > now and self.holder != worker

    def intend(self, intention: Intention, worker: str, until: datetime) -> "Entry":
        """The entry while the worker carries the intention out."""
        return replace(self, intention=intention, holder=worker, held_until=until)

    def begin_acts(self, tokens: Iterable[str]) -> "Entry":
        """The entry that remembers those acts as claimed; none of them is begun for the same cause again."""
        return replace(self, performed=tuple(dict.fromkeys((*self.performed, *tokens)))[-REMEMBERED:])

    def end_act(self, draft: Record, record: Record, until: datetime) -> tuple["Entry", tuple[Row, ...]]:
        """The entry with the record of one act of its intention, whose draft is struck off, and with a new lease."""
        if self.intention is None:
            raise ValueError("an act ends only within an intention")
        left = tuple(each for each in self.intention.drafts if each.record_id != draft.record_id)
        open_ = replace(self.intention, drafts=left) if left else None
        return replace(self, intention=open_, held_until=until).append((record,))

    def knows(self, record: Record) -> bool:
        """Whether the record is written already, by an earlier delivery of its cause."""
        return record.record_id[:_OF_ID] in self.remembered

    def held(self, hold: Hold) -> "Entry":
        """The entry with the hold, in place of those on the same rule."""
        return replace(self, holds=(*(each for each in self.holds if each.rule != hold.rule), hold))

    def released(self, rule: str, changes: Sequence[Change]) -> "Entry":
        """The entry as if nobody had ever fought over the rule or asked to leave it alone, or what it changes."""
        return replace(
            self,
            holds=tuple(each for each in self.holds if not each.covers(rule, changes)),
            history=tuple(each for each in self.history if each.rule != rule),
        )

    def approved(self, approval: Approval, now: datetime) -> "Entry":
        """The entry with the approval, without those that are over or for the same values."""
        others = (each for each in self.approvals if each.until > now)
        kept = (each for each in others if (each.rule, each.wanted) != (approval.rule, approval.wanted))
        return replace(self, approvals=(*kept, approval))

    def spent(self, approvals: Iterable[Approval], now: datetime) -> "Entry":
        """The entry without the approvals that were made use of, and without what is over."""
        used = set(approvals)
        tokens = [_spent(approval.record_id) for approval in self.approvals if approval in used]
        return replace(
            self.begin_acts(tokens) if tokens else self,
            approvals=tuple(each for each in self.approvals if each not in used and each.until > now),
            holds=tuple(each for each in self.holds if each.until > now),
        )

    @property
    def is_open(self) -> bool:
        """Whether something was begun or ordered that has yet to be brought to its end."""
        return self.intention is not None or bool(self.undos)

    def recall(self, now: datetime) -> str:
        """The message that brings it to its end. Raises ValueError where nothing is open."""
        if self.intention is not None:
            return self.intention.message
        if not self.undos:
            raise ValueError("nothing is open")
        cause = f"operator {self.undos[0].request}"
        return of_ours(SignalKind.OPERATOR_REQUEST, parse_arm_id(self.key), cause, now)

    @property
    def has_open_acts(self) -> bool:
        """Whether acts of an incident were begun of which nobody knows yet how they ended."""
        return bool(self._open_acts())

    def leaves_acts_to_another(self, cause: str, now: datetime) -> bool:
        """Whether open acts belong to another cause, whose own message brings them to their end; after half an hour
        that one is not waited for any more."""
        waits = self.intention is not None and now - self.intention.begun <= _ACTS_TAKE
        return waits and any(draft.cause != cause for draft in self._open_acts())

    def _open_acts(self) -> list[Record]:
        drafts = self.intention.drafts if self.intention else ()
        return [draft for draft in drafts if draft.outcome is Outcome.UNCONFIRMED]

    def has_spent(self, record_id: str) -> bool:
        """Whether the approval of that record let something through before."""
        return _spent(record_id) in self.performed

    def coming_back(self, moment: datetime, now: datetime) -> "Entry":
        """The entry with one more time at which a message comes back; those that are past are dropped."""
        return replace(self, returns=tuple(sorted({moment, *(each for each in self.returns if each > now)})))

    def release(self) -> "Entry":
        """The entry without a lease; an open intention stays open."""
        return replace(self, holder="", held_until=None)

    def append(self, records: Sequence[Record]) -> tuple["Entry", tuple[Row, ...]]:
        """The entry with the records in its chain, and their rows, each chained to the one before.

        Lease, intention and watermark stay. A record whose id is remembered is not written again.
        """
        head, known, rows = self.head, self.remembered, list[Row]()
        for record in records:
            if record.record_id[:_OF_ID] not in known:
                rows.append(seal(record, self.key, head))
                head = rows[-1].digest
                known = (*known, record.record_id[:_OF_ID])[-REMEMBERED:]
        taken = [Attempt(record.rule, record.time_generated) for record in records if record.outcome in _TAKEN]
        history = (*recent(self.history, taken[-1].begun), *taken) if taken else self.history
        return replace(self, head=head, remembered=known, history=history), tuple(rows)

    def conclude(self, records: Sequence[Record], began: datetime) -> tuple["Entry", tuple[Row, ...]]:
        """The entry once a look is finished: with its records, without lease and intention.

        `began` is when the look began its read, from then on the watermark.
        """
        entry, rows = self.append(records)
        watermark = max(self.watermark, began) if self.watermark else began
        return replace(entry.release(), intention=None, watermark=watermark), rows


def _spent(record_id: str) -> str:
    return f"approval {record_id[:_OF_ID]}"


def next_look(time: datetime, grace: timedelta) -> datetime:
    """When a change at that time can be missed no more, rounded up so that the changes of one burst share the look."""
    grid = max(grace / 2, timedelta(milliseconds=1))
    beyond = time + grace - _EPOCH
    return _EPOCH + -(-beyond // grid) * grid
