"""Account keys through the typed management SDKs: listed, regenerated, and out of our hands as soon as possible."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol

from shared.azure.failures import odd_answers_as_failures, told_as_failures
from shared.domain.act import ListKeys, ListQueryKeys, RegenerateKey
from shared.domain.arm_id import ArmId
from shared.domain.failure import Cause, Refused
from shared.domain.resource_types import COGNITIVE_ACCOUNTS, SEARCH, STORAGE, ResourceType
from shared.domain.secret import Secret

# Each SDK has a class of its own for clients and answers, without a common base.
type Sdk = Any
type Connect = Callable[[ResourceType, str], Sdk]
type Keys = dict[str, Secret]


class _Provider(Protocol):
    """How one resource provider lists and regenerates: each answers all keys of the account, by slot."""

    async def list(self, client: Sdk, target: ArmId, permit: ListKeys) -> Keys: ...

    async def regenerate(self, client: Sdk, target: ArmId, permit: RegenerateKey) -> Keys: ...


class AccountKeys:
    """`ports.Keys`. `connect` makes the typed client of a type's provider for a subscription; each is made once."""

    def __init__(self, connect: Connect) -> None:
        self._connect = connect
        self._clients: dict[tuple[str, str], Sdk] = {}

    async def current(self, act: ListKeys) -> Mapping[str, Secret]:
        """The keys of the account by slot. Raises TryAgain or Refused."""
        kind = _kind(act.target)
        async with told_as_failures("arm"), odd_answers_as_failures("arm"):
            return await _PROVIDERS[kind.name].list(self._client(kind, act.target), act.target, act)

    async def regenerate(self, act: RegenerateKey) -> Mapping[str, Secret]:
        """Regenerates the key, and answers all keys as they are then. Raises TryAgain or Refused."""
        kind = _kind(act.target)
        async with told_as_failures("arm"), odd_answers_as_failures("arm"):
            return await _PROVIDERS[kind.name].regenerate(self._client(kind, act.target), act.target, act)

    async def query_key_names(self, act: ListQueryKeys) -> tuple[str, ...]:
        """The names of the service's query keys; the one that every service has from the start has none."""
        client = self._client(SEARCH, act.target)
        async with told_as_failures("arm"), odd_answers_as_failures("arm"):
            found = client.query_keys.list_by_search_service(_group(act.target), act.target.name, permit=act)
            return tuple(sorted([str(key.name or "") async for key in found]))

    def _client(self, kind: ResourceType, target: ArmId) -> Sdk:
        name = (kind.name, target.subscription.lower())
        if name not in self._clients:
            self._clients[name] = self._connect(kind, target.subscription)
        return self._clients[name]


class _CognitiveServices:
    async def list(self, client: Sdk, target: ArmId, permit: ListKeys) -> Keys:
        return self._read(await client.accounts.list_keys(_group(target), target.name, permit=permit))

    async def regenerate(self, client: Sdk, target: ArmId, permit: RegenerateKey) -> Keys:
        keys = await client.accounts.regenerate_key(_group(target), target.name, permit.slot, permit=permit)
        return self._read(keys)

    def _read(self, keys: Sdk) -> Keys:
        return _present([("Key1", keys.key1), ("Key2", keys.key2)])


class _Search:
    async def list(self, client: Sdk, target: ArmId, permit: ListKeys) -> Keys:
        return self._read(await client.admin_keys.get(_group(target), target.name, permit=permit))

    async def regenerate(self, client: Sdk, target: ArmId, permit: RegenerateKey) -> Keys:
        keys = await client.admin_keys.regenerate(_group(target), target.name, permit.slot, permit=permit)
        return self._read(keys)

    def _read(self, keys: Sdk) -> Keys:
        return _present([("primary", keys.primary_key), ("secondary", keys.secondary_key)])


class _Storage:
    async def list(self, client: Sdk, target: ArmId, permit: ListKeys) -> Keys:
        return self._read(await client.storage_accounts.list_keys(_group(target), target.name, permit=permit))

    async def regenerate(self, client: Sdk, target: ArmId, permit: RegenerateKey) -> Keys:
        wanted = {"keyName": permit.slot}
        return self._read(
            await client.storage_accounts.regenerate_key(_group(target), target.name, wanted, permit=permit)
        )

    def _read(self, listed: Sdk) -> Keys:
        # Kerberos keys stand in the same list and are not ours to judge.
        slots = STORAGE.keys.slots if STORAGE.keys else ()
        return _present((key.key_name, key.value) for key in listed.keys_property if key.key_name in slots)


_PROVIDERS: Mapping[str, _Provider] = {
    COGNITIVE_ACCOUNTS.name: _CognitiveServices(),
    SEARCH.name: _Search(),
    STORAGE.name: _Storage(),
}


def _present(keys: Iterable[tuple[str, str | None]]) -> Keys:
    return {slot: Secret(value) for slot, value in keys if value}


def _kind(target: ArmId) -> ResourceType:
    kinds = [kind for kind in (COGNITIVE_ACCOUNTS, SEARCH, STORAGE) if kind.name.lower() == target.type.lower()]
    if not kinds:
        raise Refused(Cause("keys.type", f"resources of type {target.type} have no keys that Airlock knows"))
    return kinds[0]


def _group(target: ArmId) -> str:
    if target.resource_group is None:
        raise Refused(Cause("keys.no-group", "an account stands in a resource group"))
    return target.resource_group
