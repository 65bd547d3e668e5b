"""From a key that was found somewhere to the account that it opens: only a current key that matches proves it."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta

from shared.domain.act import ListKeys
from shared.domain.arm_id import ArmId
from shared.domain.body import JsonObject, same
from shared.domain.drafting import of_signal
from shared.domain.exposure import SECRET_EXPOSED, Exposure
from shared.domain.failure import Cause, Refused, TryAgain
from shared.domain.guards import NOT_OUR_OWN
from shared.domain.incident import Incident, row_for
from shared.domain.ledger import Entry
from shared.domain.mode import Mode
from shared.domain.record import Outcome
from shared.domain.resource import Resource
from shared.domain.resource_types import ResourceType, judged_ancestor, known_type
from shared.domain.response import Response
from shared.domain.rotation import Turn, steps
from shared.domain.secret import Secret
from shared.domain.signal import Signal
from shared.incidents import answer, each_body
from shared.patience import patience
from shared.world import World, lease, record_apart

# The response that an exposed key leads to.
_ROTATE = "rotate-exposed-keys"
# How long one account of many may keep a search waiting: ARM lets a principal list some ten keys a second.
_PATIENCE = timedelta(seconds=15)
_SEARCH = "search for exposed keys"
_AUDIT = "audit"


@dataclass(frozen=True, slots=True)
class _Candidate:
    """An account that the key may open."""

    type: ResourceType
    id: ArmId


async def answer_exposure(signal: Signal, exposure: Exposure, ticket: str, world: World) -> None:
    """Rotates the account that the key opens, or records why there is none. Raises TryAgain."""
    row = row_for(SECRET_EXPOSED, world.catalogue.alerts)
    response = next((each for each in world.catalogue.responses if each.name == _ROTATE), None)
    if row is None or response is None:
        await _tell(signal, Outcome.IGNORED, "ignored.no-response", "nothing answers an exposed key", world)
        return
    incident = Incident(exposure.cause, exposure.name, row.title, row.severity, row, exposure=exposure)
    search = _Search(exposure, response, ticket, world)
    # Deliveries of one finding one after the other: what the first one found is all that the others have to see.
    async with world.turns.of(exposure.cause):
        # What was begun is brought to its end whatever the mode is now.
        owner = await _begun(signal, search) or await _owner(search)
        if isinstance(owner, Cause):
            outcome = Outcome.AUDITED if owner.code == _AUDIT else Outcome.REFUSED
            await _tell(signal, outcome, owner.code, owner.text, world)
        elif owner is not None:
            await answer(signal, owner, incident, ticket, world)


async def _begun(signal: Signal, search: "_Search") -> ArmId | None:
    """The account on which a worker began what this very key asks for. The message that names it may be forged; the
    ledger is what counts."""
    if signal.place is None:
        return None
    entry = await search.world.ledger.open(signal.place.key)
    drafts = entry.intention.drafts if entry.intention else ()
    causes = {*(rotation.cause for rotation in entry.rotations), *(draft.cause for draft in drafts)}
    return signal.place if search.exposure.cause in causes else None


@dataclass(frozen=True, slots=True)
class _Search:
    """What is looked for, and with what right."""

    exposure: Exposure
    response: Response
    ticket: str
    world: World

    @property
    def kinds(self) -> list[ResourceType]:
        """The types whose keys may be listed."""
        return [kind for kind in self.response.types if self._mode(kind) is Mode.ENFORCE]

    @property
    def is_off(self) -> bool:
        """Whether nobody wants to hear of exposed keys."""
        return all(self._mode(kind) is Mode.OFF for kind in self.response.types)

    def _mode(self, kind: ResourceType) -> Mode:
        return self.world.settings.mode_for(self.response, kind)


async def _owner(search: _Search) -> ArmId | Cause | None:
    """The account that the key opens, its keys claimed; or why nobody knows it; None if nobody wants to."""
    if not search.kinds:
        told = f"audit mode, so no key was listed to find the account; the key was found at {search.exposure.found_at}"
        return None if search.is_off else Cause(_AUDIT, told)
    told = "nobody told which resource the key opens"
    if (named := _named(search)) is not None:
        body = await _read(named, search)
        problem = body if isinstance(body, str) else await _problem(named, body, search)
        if problem is None:
            return named.id
        told = f"of the resource that it is said to open, {problem}"
    if search.world.settings.operational.allow_list_keys:
        # One search at a time: listing keys from many sides at once looks like an attack.
        async with search.world.turns.of(_SEARCH):
            return await _found(search)
    if named is not None:
        return Cause("secret.no-match", f"no current key matches: {told}")
    return Cause("secret.search-off", f"{told}: name it, or set AIRLOCK_ALLOW_LIST_KEYS=true")


async def _found(search: _Search) -> ArmId | Cause:
    """Searches every account in scope. One that cannot be asked now does not keep the others from being asked: only if
    none of those has the key TryAgain is raised for it."""
    searched, passed_over = 0, list[TryAgain]()
    try:
        async for candidate, body in _all(search):
            searched += 1
            try:
                if await patience(_PATIENCE)(_problem, candidate, body, search) is None:
                    return candidate.id
            except TryAgain as again:
                passed_over.append(again)
    except Refused as refused:
        return Cause(refused.cause.code, f"the subscriptions cannot be listed: {refused.cause.text}")
    if passed_over:
        raise passed_over[0]
    return Cause("secret.no-match", f"no current key matches, of {searched} accounts searched")


def _named(search: _Search) -> _Candidate | None:
    target = judged_ancestor(search.exposure.resource) if search.exposure.resource else None
    kind = known_type(target.type) if target else None
    return _Candidate(kind, target) if target is not None and kind is not None and kind in search.kinds else None


async def _all(search: _Search) -> AsyncIterator[tuple[_Candidate, JsonObject]]:
    for subscription in await search.world.arm.subscriptions():
        async for kind, target, body in each_body(search.world, subscription, search.kinds):
            yield _Candidate(kind, target), body


async def _read(named: _Candidate, search: _Search) -> JsonObject | str:
    """The account as it is, or why nobody can tell."""
    try:
        body = await search.world.arm.read(named.id, named.type.api_version)
    except Refused as refused:
        return f"nothing can be read: {refused.cause.text}"
    return body if body is not None else "there is none"


async def _problem(candidate: _Candidate, body: JsonObject, search: _Search) -> str | None:
    """Why the exposed key is none of the account's; None, with the claim made, if it is one, or was until this very
    cause had it regenerated. Others are kept off while the keys are listed."""
    ledger = search.world.ledger
    entry = await ledger.open(candidate.id.key)
    if any(rotation.cause == search.exposure.cause for rotation in entry.rotations):
        return None
    if reason := _kept_out(candidate, body, entry, search):
        return reason
    entry = await lease(entry, search.ticket, search.world)
    keys = await _keys(candidate, search)
    if isinstance(keys, Mapping) and _opens(keys, search.exposure):
        await _claim(candidate, entry, keys, search)
        return None
    await ledger.commit(entry.release())
    return keys if isinstance(keys, str) else "the keys are others"


def _kept_out(candidate: _Candidate, body: JsonObject, entry: Entry, search: _Search) -> str | None:
    """Why the account's keys are not to be listed at all; None if they may be."""
    resource = Resource(candidate.id, candidate.type, body, entry.attached_to)
    if not resource.in_scope:
        return "it is out of scope"
    scheme = candidate.type.keys
    if scheme is not None and scheme.off is not None and same(resource.at(scheme.off[0]), scheme.off[1]):
        return "its keys are off and open nothing"
    return NOT_OUR_OWN.check(resource, resource, {}, search.world.settings.baseline)


async def _keys(candidate: _Candidate, search: _Search) -> Mapping[str, Secret] | str:
    """The account's keys, or why nobody knows them."""
    scheme, world = candidate.type.keys, search.world
    if scheme is None:
        return "the type has no keys"
    act = ListKeys(candidate.id, scheme, world.settings.mode_for(search.response, candidate.type))
    try:
        return await world.keys.current(act)
    except Refused as refused:
        return f"the keys cannot be listed: {refused.cause.text}"


def _opens(keys: Mapping[str, Secret], exposure: Exposure) -> bool:
    # All of them are compared, so that time tells nothing.
    matches = [key.matches(exposure.sha256) for key in keys.values()]
    return any(matches)


async def _claim(candidate: _Candidate, entry: Entry, keys: Mapping[str, Secret], search: _Search) -> None:
    """Claims the keys as soon as they are known to be the ones: from then on no look turns them off unregenerated,
    and whoever takes over after a crash knows what was meant."""
    slots = candidate.type.keys.slots if candidate.type.keys else ()
    found = steps(entry.rotations, keys, slots, search.exposure.cause, search.world.now())
    claims = [step.claim for step in found if step.turn is Turn.REGENERATE]
    await lease(entry, search.ticket, search.world, claims)


async def _tell(signal: Signal, outcome: Outcome, code: str, reason: str, world: World) -> None:
    """A record about the exposed key itself, on the resource that it is said to open if there is one."""
    record = of_signal(signal, world.stamp, world.now(), outcome, code, reason)
    found_at = signal.exposure.found_at if signal.exposure else ""
    await record_apart(replace(record, severity="high", evidence={"foundAt": found_at}), world)
