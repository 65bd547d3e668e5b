"""Every hour: a sign of life, the heads of the log's chains where nobody can change them, and what may be forgotten."""

import hashlib
from dataclasses import replace
from datetime import datetime

from shared.domain.anchor import Anchor
from shared.domain.drafting import of_airlock
from shared.domain.failure import Cause, TryAgain
from shared.domain.record import GENESIS, Outcome
from shared.domain.stores import ANCHORS
from shared.world import World, do_each, record_apart

# How far back the anchor before is looked for, in months.
_MOST_MONTHS = 24


async def hourly(world: World) -> None:
    """Raises TryAgain where a part of it could not be done, after the other parts."""
    await do_each(world, _beat, _anchor, _forget)


async def _beat(world: World) -> None:
    now, problems = world.now(), world.settings.problems
    code = "heartbeat.problems" if problems else "heartbeat"
    reason = f"{len(problems)} settings have problems, so nothing enforces" if problems else "Airlock is running"
    record = of_airlock(world.stamp, now, Outcome.HEARTBEAT, code, reason, f"heartbeat {now:%Y-%m-%dT%H}")
    await record_apart(replace(record, mode=world.settings.mode.value), world)


async def _anchor(world: World) -> None:
    """Writes the heads of the chains that grew into a blob of its own, which names the digest of the one before it.

    The heads are struck off the list only once the blob is there. A crash in between has them anchored once more.
    """
    heads = await world.archive.heads()
    if not heads:
        return
    now = world.now()
    data = Anchor(now, await _newest(world, now), {head.chain: head.digest for head in heads}).to_bytes()
    if not await world.blobs.create(ANCHORS, _name(now), data):
        raise TryAgain(Cause("anchor.exists", f"there is another anchor {_name(now)}"))
    await world.archive.strike_heads(heads)


def _name(now: datetime) -> str:
    return f"{now:%Y/%m/%d/%H%M%S-%f}.json"


async def _newest(world: World, now: datetime) -> str:
    """The digest of the newest anchor; GENESIS where there is none."""
    year, month = now.year, now.month
    for _ in range(_MOST_MONTHS):
        if names := await world.blobs.names(ANCHORS, f"{year:04}/{month:02}/"):
            return await _digest(names[-1], world)
        year, month = (year, month - 1) if month > 1 else (year - 1, 12)
    return GENESIS


async def _digest(name: str, world: World) -> str:
    data = await world.blobs.read(ANCHORS, name)
    if data is None:
        raise TryAgain(Cause("anchor.gone", f"the anchor {name} went away"))
    return hashlib.sha256(data).hexdigest()


async def _forget(world: World) -> None:
    await world.archive.forget(world.now())
