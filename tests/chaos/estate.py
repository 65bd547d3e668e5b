"""The resources of one seed, and what becomes of them: stories, people who open them again, a lock, a deletion."""

from collections.abc import Mapping
from dataclasses import dataclass
from random import Random

from local.contoso import Deed
from local.faults import repeatable
from tests.chaos import stories
from tests.chaos.seen import Body
from tests.chaos.stories import Story, Tell

# Stories of drift, those that happen more often more than once.
_DRIFTING: tuple[Tell, ...] = (
    stories.drift,
    stories.drift,
    stories.guarded,
    stories.guarded,
    stories.search,
    stories.attached,
    stories.policy,
)
_FEWEST, _MOST = 4, 8
# How often something happens that does not happen in every seed, 0 to 1.
_ALARMS, _LEAKS, _LOCKS, _DELETIONS = 0.35, 0.35, 0.25, 0.25
_MOST_REVERTS = 5

# What people open, by the type of the resource, and the API version that they do it with.
_VERSIONS: Mapping[str, str] = {
    "Microsoft.CognitiveServices/accounts": "2025-09-01",
    "Microsoft.CognitiveServices/accounts/raiPolicies": "2025-09-01",
    "Microsoft.Search/searchServices": "2025-05-01",
    "Microsoft.Storage/storageAccounts": "2024-01-01",
}
_OPENINGS: Mapping[str, tuple[Body, ...]] = {
    "Microsoft.CognitiveServices/accounts": (
        {"publicNetworkAccess": "Enabled", "networkAcls": {"defaultAction": "Allow"}},
        {"disableLocalAuth": False},
    ),
    "Microsoft.CognitiveServices/accounts/raiPolicies": (
        {"type": "UserManaged", "mode": "Asynchronous_filter", "contentFilters": []},
    ),
    "Microsoft.Search/searchServices": (
        {"publicNetworkAccess": "enabled"},
        {"disableLocalAuth": False, "authOptions": {"aadOrApiKey": {"aadAuthFailureMode": "http403"}}},
    ),
    "Microsoft.Storage/storageAccounts": (
        {"minimumTlsVersion": "TLS1_0"},
        {"supportsHttpsTrafficOnly": False, "minimumTlsVersion": "TLS1_1"},
        {"allowBlobPublicAccess": True},
    ),
}


@dataclass(frozen=True, slots=True)
class Scene:
    """What is there at the beginning of a seed, and what people do to it.

    `locked` is the resource under a lock of the estate, `deleted` the one that somebody deletes; None where there is
    none. `reverts` open resources again, in this order.
    """

    token: str
    stories: tuple[Story, ...]
    locks: tuple[Body, ...]
    locked: Body | None
    deleted: Body | None
    reverts: tuple[Deed, ...]

    @property
    def bodies(self) -> tuple[Body, ...]:
        """Everything that stands in the estate."""
        return (*(body for story in self.stories for body in story.bodies), *self.locks)

    @property
    def excused(self) -> dict[str, frozenset[str]]:
        """The rules that may stay violated, by resource."""
        return {str(story.subject["id"]).lower(): story.excused for story in self.stories if story.excused}

    @property
    def causes(self) -> dict[str, int]:
        """How many reasons there are to rotate the keys of an account."""
        return {str(story.subject["id"]).lower(): 1 for story in self.stories if story.leaks}


def scene(seed: int) -> Scene:
    """What the seed means: always the same."""
    dice, token = repeatable("scene", seed), f"s{seed:05}"
    told = _stories(token, dice)
    plain = [story.subject for story in told if not story.leaks and story.alert is None]
    locked = dice.choice(plain) if dice.random() < _LOCKS else None
    free = [story.subject for story in told if story.subject is not locked]
    deleted = dice.choice(free) if dice.random() < _DELETIONS else None
    return Scene(
        token=token,
        stories=told,
        locks=() if locked is None else (_lock(locked, token, dice),),
        locked=locked,
        deleted=deleted,
        reverts=tuple(_revert(dice.choice(plain), dice) for _ in range(dice.randint(0, _MOST_REVERTS))),
    )


def _stories(token: str, dice: Random) -> tuple[Story, ...]:
    names = (f"{token}{letter}" for letter in "abcdefghij")
    told: list[Story] = []
    if dice.random() < _ALARMS:
        told.append(stories.alarm(next(names)))
    if dice.random() < _LEAKS:
        told.append(stories.leak(next(names)))
    enough = dice.randint(_FEWEST, _MOST - 1)
    drifting = 0
    while not drifting or sum(1 + len(story.others) for story in told) < enough:
        told.append(dice.choice(_DRIFTING)(next(names)))
        drifting += 1
    dice.shuffle(told)
    return tuple(told)


def _lock(body: Body, token: str, dice: Random) -> Body:
    name = f"lock-{token}"
    return {
        "id": f"{body['id']}/providers/Microsoft.Authorization/locks/{name}",
        "name": name,
        "type": "Microsoft.Authorization/locks",
        "properties": {"level": dice.choice(("ReadOnly", "ReadOnly", "CanNotDelete")), "notes": "legal hold"},
    }


def api_version(body: Body) -> str:
    """What people ask for a resource of its type with."""
    return _VERSIONS[str(body["type"])]


def _revert(body: Body, dice: Random) -> Deed:
    kind = str(body["type"])
    method = "PUT" if kind.endswith("/raiPolicies") else "PATCH"
    return Deed(method, str(body["id"]), api_version(body), {"properties": dice.choice(_OPENINGS[kind])})
