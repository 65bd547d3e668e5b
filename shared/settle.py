"""What no message brings back by itself: fixes whose worker died, records that were not sent, new settings."""

from dataclasses import replace
from datetime import timedelta

from shared.domain.body import JsonObject
from shared.domain.drafting import of_airlock
from shared.domain.record import Outcome
from shared.domain.redact import redact
from shared.world import World, do_each

# The chain of what belongs to no subscription.
_OURS = "-"


async def settle(world: World) -> None:
    """Puts interrupted fixes back into the queue, sends unsent records again, records changed settings.

    Raises TryAgain where a part of it could not be done, after the other parts; the next run does what this one did
    not.
    """
    await do_each(world, _recall, _send_again, _tell_settings)


async def _recall(world: World) -> None:
    for message in await world.ledger.interrupted(world.now()):
        await world.queue.put(message, timedelta())


async def _send_again(world: World) -> None:
    # Younger rows may be on their way from the worker that wrote them.
    await world.log.resend(world.now() - world.settings.operational.lease_seconds)


async def _tell_settings(world: World) -> None:
    entry = await world.ledger.open(_OURS)
    stamp = world.stamp
    if entry.settings_digest == stamp.settings_digest:
        return
    effective: JsonObject = {name: redact(value) for name, value in world.settings.effective().items()}
    problems = world.settings.problems
    code = "settings.problems" if problems else "settings.changed"
    reason = "; ".join(("nothing enforces until this is mended", *problems)) if problems else "as evidence says"
    cause = f"{stamp.settings_digest} {entry.head}"
    record = of_airlock(stamp, world.now(), Outcome.SETTINGS_CHANGED, code, reason, cause)
    evidence: JsonObject = {"settings": effective, "was": entry.settings_digest}
    record = replace(record, mode=world.settings.mode.value, evidence=evidence)
    told, rows = replace(entry, settings_digest=stamp.settings_digest).append((record,))
    await world.ledger.commit(told, rows)
    await world.log.deliver(rows)
