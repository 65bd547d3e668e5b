"""Keys that were regenerated or are about to be: who may turn which key, and what a crash left open. Pure."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from shared.domain.secret import Secret

# So often a key is regenerated without a person's approval, whatever the causes.
ONE_IN = timedelta(hours=24)
# How long a delivery that comes again is recognised. Defender and Event Grid give up long before.
_REMEMBERED_FOR = timedelta(days=30)
_MOST_REMEMBERED = 64
# So long a claim that nobody ended keeps others from turning keys off: more than any lease, and then no longer.
_PENDING_FOR = timedelta(minutes=30)


@dataclass(frozen=True, slots=True)
class Rotation:
    """The claim of one cause on one key. `fingerprint` is that of the key which is to die, `begun` when it was claimed.

    `ended` says that it is known how it ended; until then a worker may have died around the act.
    """

    cause: str
    slot: str
    fingerprint: str
    begun: datetime
    ended: bool = False


class Turn(StrEnum):
    """What is to be done about one key."""

    REGENERATE = "regenerate"
    # The claimed key is not current any more: a worker that died had regenerated it.
    DONE = "done"
    # Another cause had it regenerated within the day.
    LATELY = "lately"


@dataclass(frozen=True, slots=True)
class Step:
    """One key's turn, with the claim that it rests on; for `LATELY` the other cause's."""

    turn: Turn
    claim: Rotation


def steps(  # noqa: PLR0913 - what a turn depends on
    rotations: Iterable[Rotation],
    keys: Mapping[str, Secret],
    slots: Sequence[str],
    cause: str,
    now: datetime,
    *,
    approved: Collection[str] = (),
) -> tuple[Step, ...]:
    """The turns of the account's keys for a cause, in the order of the slots.

    `keys` are the current ones. A key that this cause has dealt with, or that the account does not have, has no turn.
    Those in the `approved` slots may be regenerated although another cause had it done lately.
    """
    binding = [each for each in rotations if each.cause == cause or each.slot not in approved]
    found = (_step(binding, keys.get(slot), slot, cause, now) for slot in slots)
    return tuple(step for step in found if step is not None)


def _step(rotations: Sequence[Rotation], key: Secret | None, slot: str, cause: str, now: datetime) -> Step | None:
    of_slot = [rotation for rotation in rotations if rotation.slot == slot]
    own = next((rotation for rotation in of_slot if rotation.cause == cause), None)
    if key is None or (own is not None and own.ended):
        return None
    if own is not None:
        if key.fingerprint != own.fingerprint:
            return Step(Turn.DONE, own)
        # Taken up again: the day in which no other cause may regenerate the key begins now.
        return Step(Turn.REGENERATE, replace(own, begun=now))
    others = [rotation for rotation in of_slot if now - rotation.begun < ONE_IN]
    if others:
        return Step(Turn.LATELY, max(others, key=lambda rotation: rotation.begun))
    return Step(Turn.REGENERATE, Rotation(cause, slot, key.fingerprint, now))


def is_pending(rotations: Iterable[Rotation], now: datetime, besides: str = "") -> bool:
    """Whether keys are about to be regenerated for a cause besides that one.

    Turned off before that, they could not be listed any more, and the old ones would open the account again as soon as
    keys are back.
    """
    return any(
        not rotation.ended and rotation.cause != besides and now - rotation.begun < _PENDING_FOR
        for rotation in rotations
    )


def with_claims(rotations: Iterable[Rotation], claims: Iterable[Rotation]) -> tuple[Rotation, ...]:
    """The rotations with the claims in place of those of the same cause and key, without what is past remembering."""
    newest = {(rotation.cause, rotation.slot): rotation for rotation in (*rotations, *claims)}
    ordered = sorted(newest.values(), key=lambda rotation: rotation.begun)
    recent = [rotation for rotation in ordered if ordered[-1].begun - rotation.begun <= _REMEMBERED_FOR]
    return tuple(recent[-_MOST_REMEMBERED:])


def without_claim(rotations: Iterable[Rotation], claim: Rotation) -> tuple[Rotation, ...]:
    """The rotations without one that was refused: nothing happened to its key."""
    return tuple(each for each in rotations if (each.cause, each.slot) != (claim.cause, claim.slot))
