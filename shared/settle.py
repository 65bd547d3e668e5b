"""What no message brings back by itself: fixes whose worker died, records that the log did not take, new settings."""

from dataclasses import replace
from datetime import timedelta

from shared.domain.body import JsonObject
from shared.domain.record import Outcome, Record
from shared.pipeline import World

# The chain of what belongs to no subscription.
_OURS = "-"


async def settle(world: World) -> None:
    """Puts interrupted fixes back into the queue, sends unsent records again, records changed settings.

    Raises TryAgain where the ledger or the queue does not answer; the next run does what this one did not.
    """
    await _tell_settings(world)
    now = world.now()
    for intention in await world.ledger.interrupted(now):
        await world.queue.put(intention.message, timedelta())
    # Younger rows may be on their way from the worker that wrote them.
    await world.log.deliver(await world.ledger.unsent(now - world.settings.operational.lease_seconds))


async def _tell_settings(world: World) -> None:
    entry = await world.ledger.open(_OURS)
    stamp = world.stamp
    if entry.settings_digest == stamp.settings_digest:
        return
    effective: JsonObject = dict(world.settings.effective())
    problems = world.settings.problems
    record = Record(
        time_generated=world.now(),
        outcome=Outcome.SETTINGS_CHANGED,
        mode=world.settings.mode.value,
        reason_code="settings.problems" if problems else "settings.changed",
        reason="; ".join(("nothing enforces until this is mended", *problems)) if problems else "settings in force",
        evidence={"settings": effective, "was": entry.settings_digest},
        app_version=stamp.app_version,
        settings_digest=stamp.settings_digest,
        cause=f"{stamp.settings_digest} {entry.head}",
    )
    concluded, rows = replace(entry, settings_digest=stamp.settings_digest).conclude((record,), None)
    await world.ledger.commit(concluded, rows)
    await world.log.deliver(rows)
