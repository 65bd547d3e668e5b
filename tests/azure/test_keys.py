"""Account keys through the typed SDKs: what is asked for changes, what is refused never leaves, no key is ever told."""

import logging
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path

import pytest

from local.faults import Fault, Faults
from shared.azure.clients import Clients
from shared.azure.keys import AccountKeys, Sdk
from shared.domain.act import ListKeys, ListQueryKeys, RegenerateKey
from shared.domain.arm_id import ArmId, parse_arm_id
from shared.domain.failure import AirlockError, Refused, TryAgain
from shared.domain.mode import Mode
from shared.domain.resource_types import COGNITIVE_ACCOUNTS, SEARCH, STORAGE, KeyScheme, ResourceType
from shared.domain.settings import HostStorage, Operational
from tests.azure.making import Answer, TrustingClients, scripted
from tests.local import arm_world as places
from tests.local.arm_world import ArmWorld, account, arm_world, resource

pytestmark = pytest.mark.usefixtures("identity")

PATHS = {COGNITIVE_ACCOUNTS: places.ACCOUNT, SEARCH: places.SEARCH, STORAGE: places.STORAGE}
SPELT = {COGNITIVE_ACCOUNTS: ("Key1", "Key2"), SEARCH: ("primary", "secondary"), STORAGE: ("key1", "key2")}
every_type = pytest.mark.parametrize("kind", PATHS, ids=lambda kind: kind.slug)
every_slot = pytest.mark.parametrize(
    "kind,slot", [pytest.param(kind, slot, id=f"{kind.slug} {slot}") for kind, slots in SPELT.items() for slot in slots]
)
# As local Azure shapes them, and as no text should ever show them.
KEY = "k" * 52 + "JQQJ99BCAC" + "k" * 22
JSON = {"Content-Type": "application/json"}


def scheme(kind: ResourceType) -> KeyScheme:
    assert kind.keys is not None
    return kind.keys


def lists(kind: ResourceType, mode: Mode = Mode.ENFORCE) -> ListKeys:
    """Lists the keys of that type's account."""
    return ListKeys(parse_arm_id(PATHS[kind]), scheme(kind), mode)


def regenerates(kind: ResourceType, slot: str, mode: Mode = Mode.ENFORCE) -> RegenerateKey:
    """Regenerates one of them."""
    return RegenerateKey(parse_arm_id(PATHS[kind]), scheme(kind), slot, mode)


QUERY = ListQueryKeys(parse_arm_id(PATHS[SEARCH]), Mode.ENFORCE)


@dataclass
class Connected:
    """Makes the typed clients with the factory, counts them, and closes them."""

    clients: Clients
    made: list[tuple[ResourceType, str]] = field(default_factory=list)
    open: list[Sdk] = field(default_factory=list)

    def __call__(self, kind: ResourceType, subscription: str) -> Sdk:
        self.made.append((kind, subscription))
        self.open.append(self.clients.keys(kind, subscription))
        return self.open[-1]


@asynccontextmanager
async def keys_at(url: str, ca_file: Path) -> AsyncIterator[tuple[AccountKeys, Connected]]:
    """The keys of whatever stands at that address, through the factory that ships."""
    async with TrustingClients(Operational(arm_endpoint=url), HostStorage(), ca_file) as clients:
        connect = Connected(clients)
        try:
            yield AccountKeys(connect), connect
        finally:
            for client in connect.open:
                await client.close()


@asynccontextmanager
async def azure(*faults: Fault, local_auth: bool = True) -> AsyncIterator[tuple[ArmWorld, AccountKeys]]:
    """One account of each type, and their keys."""
    bodies = [
        account(disableLocalAuth=not local_auth),
        resource(places.SEARCH, {"disableLocalAuth": not local_auth}),
        resource(places.STORAGE, {"allowSharedKeyAccess": local_auth}),
    ]
    async with arm_world(bodies, faults=Faults(faults)) as world, keys_at(world.url, world.ca_file) as (keys, _):
        yield world, keys


def live(world: ArmWorld, kind: ResourceType) -> dict[str, str]:
    """The keys that are in force, by the slots of the scheme."""
    return {slot: world.service.key_of(PATHS[kind], slot) for slot in SPELT[kind]}


def chain(error: BaseException | None) -> Iterator[BaseException]:
    """An exception and all that it came from, as a traceback shows them."""
    while error is not None:
        yield error
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


def told_by(error: BaseException) -> str:
    """Every text that a log may make of an exception and of what it came from."""
    return "\n".join(f"{each!s} {each!r} {each.args!r}" for each in chain(error))


@every_type
async def test_keys_are_listed_by_the_slots_of_the_scheme(kind: ResourceType) -> None:
    async with azure() as (world, keys):
        found = await keys.current(lists(kind))
        assert {slot: key.value for slot, key in found.items()} == live(world, kind)
        assert found.keys() == {*scheme(kind).slots}
        assert [(line.method, line.path, line.status) for line in world.service.requests] == [
            ("POST", f"{PATHS[kind]}/{scheme(kind).list_action}", 200)
        ]
        assert world.service.regenerations == Counter()


@every_slot
async def test_only_the_key_that_was_asked_for_changes(kind: ResourceType, slot: str) -> None:
    async with azure() as (world, keys):
        before = {each: live(world, each) for each in PATHS}
        found = await keys.regenerate(regenerates(kind, slot))
        after = {each: live(world, each) for each in PATHS}
        assert {key: key_.value for key, key_ in found.items()} == after[kind]
        changed = {(each, name) for each in PATHS for name in SPELT[each] if before[each][name] != after[each][name]}
        assert changed == {(kind, slot)}
        assert world.service.regenerations == Counter({(PATHS[kind].lower(), slot.lower()): 1})
        assert [line.path for line in world.service.requests] == [regenerates(kind, slot).path]


@every_type
async def test_ids_in_another_spelling_are_the_same_account(kind: ResourceType) -> None:
    odd = parse_arm_id(PATHS[kind].lower().replace("resourcegroups", "resourceGroups"))
    async with azure() as (world, keys):
        found = await keys.current(replace(lists(kind), target=odd))
        assert {slot: key.value for slot, key in found.items()} == live(world, kind)


async def test_query_keys_are_known_by_name_only() -> None:
    async with azure() as (world, keys):
        assert await keys.query_key_names(QUERY) == ("", "reporting")
        assert [line.path for line in world.service.requests] == [f"{PATHS[SEARCH]}/listQueryKeys"]


REFUSED = (
    (Fault(status=403, code="AuthorizationFailed", times=None), "arm.authorization-failed"),
    (Fault(status=404, code="ResourceNotFound", times=None), "arm.resource-not-found"),
    (Fault(status=400, code="BadRequest", times=None), "arm.bad-request"),
    (Fault(status=409, code="ScopeLocked", times=None), "arm.scope-locked"),
    # The SDK of a management plane would register the provider by itself.
    (Fault(status=409, code="MissingSubscriptionRegistration", times=None), "arm.missing-subscription-registration"),
)
PASSING = (
    (Fault(status=429, code="TooManyRequests", headers={"Retry-After": "7"}, times=None), timedelta(seconds=7)),
    (Fault(status=429, code="TooManyRequests", times=None), None),
    (Fault(status=500, times=None), None),
    (Fault(status=503, code="ServiceUnavailable", headers={"Retry-After": "90"}, times=None), timedelta(seconds=90)),
    (Fault(status=409, code="RequestConflict", times=None), None),
    (Fault(status=408, code="RequestTimeout", times=None), None),
    (Fault(status=202, times=None), None),
    (Fault(kind="reset", times=None), None),
    (Fault(kind="truncate", times=None), None),
)

type Call = Callable[[AccountKeys], Awaitable[object]]


def calls() -> Iterator[Call]:
    """Every call that the port has, for every type."""
    for kind, slots in SPELT.items():
        yield lambda keys, kind=kind: keys.current(lists(kind))  # type: ignore[misc] # a default of a lambda
        yield lambda keys, kind=kind, slot=slots[0]: keys.regenerate(regenerates(kind, slot))  # type: ignore[misc] # as above
    yield lambda keys: keys.query_key_names(QUERY)


NAMES = (*(f"{kind.slug} {verb}" for kind in PATHS for verb in ("list", "regenerate")), "query keys")
CALLS = tuple(pytest.param(call, id=name) for call, name in zip(calls(), NAMES, strict=True))
every_call = pytest.mark.parametrize("call", CALLS)


@every_call
@pytest.mark.parametrize("fault,code", REFUSED)
async def test_a_refusal_is_told_with_its_code_and_asked_for_once(call: Call, fault: Fault, code: str) -> None:
    async with azure(fault) as (world, keys):
        with pytest.raises(Refused) as refused:
            await call(keys)
        assert refused.value.cause.code == code
        assert len(world.service.requests) == 1


@every_call
@pytest.mark.parametrize("fault,after", PASSING)
async def test_what_may_pass_is_left_to_another_try_and_asked_for_once(
    call: Call, fault: Fault, after: timedelta | None
) -> None:
    async with azure(fault) as (world, keys):
        with pytest.raises(TryAgain) as again:
            await call(keys)
        assert again.value.after == after
        assert again.value.cause.code.startswith("arm.")
        assert len(world.service.requests) == 1
        assert set(world.service.regenerations.values()) <= {1}


@pytest.mark.parametrize("kind", [COGNITIVE_ACCOUNTS, SEARCH], ids=lambda kind: kind.slug)
async def test_keys_that_are_off_cannot_be_listed(kind: ResourceType) -> None:
    async with azure(local_auth=False) as (_, keys):
        with pytest.raises(Refused) as refused:
            await keys.current(lists(kind))
        assert refused.value.cause.code == "arm.bad-request"
        assert "disableLocalAuth" in refused.value.cause.text


async def test_keys_of_a_storage_account_are_listed_whether_they_open_it_or_not() -> None:
    async with azure(local_auth=False) as (world, keys):
        assert {slot: key.value for slot, key in (await keys.current(lists(STORAGE))).items()} == live(world, STORAGE)


@pytest.mark.parametrize("mode", [Mode.AUDIT, Mode.OFF])
@every_slot
async def test_nothing_leaves_in_another_mode(kind: ResourceType, slot: str, mode: Mode) -> None:
    async with azure() as (world, keys):
        for call in (
            keys.current(lists(kind, mode)),
            keys.regenerate(regenerates(kind, slot, mode)),
            keys.query_key_names(replace(QUERY, mode=mode)),
        ):
            with pytest.raises(Refused) as refused:
                await call
            assert refused.value.cause.code == "gate.write-refused"
        assert world.service.requests == []


@every_slot
async def test_nothing_leaves_for_an_act_of_another_account(kind: ResourceType, slot: str) -> None:
    """The typed clients are asked by hand here, as a mistake in the adapter would ask them."""
    own, other = parse_arm_id(PATHS[kind]), parse_arm_id(f"{PATHS[kind]}2")
    async with azure() as (world, _), keys_at(world.url, world.ca_file) as (_, connect):
        client = connect(kind, own.subscription)
        group, name = str(own.resource_group), own.name
        for permit in (replace(lists(kind), target=other), replace(regenerates(kind, slot), target=other), None):
            match kind:
                case _ if kind is COGNITIVE_ACCOUNTS:
                    asked = [
                        client.accounts.list_keys(group, name, permit=permit),
                        client.accounts.regenerate_key(group, name, slot, permit=permit),
                    ]
                case _ if kind is SEARCH:
                    asked = [
                        client.admin_keys.get(group, name, permit=permit),
                        client.admin_keys.regenerate(group, name, slot, permit=permit),
                    ]
                case _:
                    accounts = client.storage_accounts
                    asked = [
                        accounts.list_keys(group, name, permit=permit),
                        accounts.regenerate_key(group, name, {"keyName": slot}, permit=permit),
                    ]
            for call in asked:
                with pytest.raises(Refused) as refused:
                    await call
                assert refused.value.cause.code == "gate.write-refused"
        assert world.service.requests == []


async def test_a_regeneration_is_no_permit_to_list_and_none_for_another_search_key() -> None:
    async with azure() as (world, _), keys_at(world.url, world.ca_file) as (_, connect):
        client = connect(SEARCH, parse_arm_id(PATHS[SEARCH]).subscription)
        permit = regenerates(SEARCH, "primary")
        for call in (
            client.admin_keys.get("rg-ai", "find", permit=permit),
            client.admin_keys.regenerate("rg-ai", "find", "secondary", permit=permit),
        ):
            with pytest.raises(Refused):
                await call
        assert world.service.requests == []


@pytest.mark.parametrize(
    "target,code",
    [
        (f"{places.GROUP}/providers/Microsoft.KeyVault/vaults/kv", "keys.type"),
        (f"{places.ACCOUNT}/deployments/gpt", "keys.type"),
        (places.ACCOUNT.replace("/resourceGroups/rg-ai", ""), "keys.no-group"),
    ],
)
async def test_what_has_no_keys_is_not_asked_for_any(target: str, code: str) -> None:
    act = replace(lists(COGNITIVE_ACCOUNTS), target=parse_arm_id(target))
    async with azure() as (world, keys):
        for call in (keys.current(act), keys.regenerate(RegenerateKey(act.target, act.scheme, "Key1", act.mode))):
            with pytest.raises(Refused) as refused:
                await call
            assert refused.value.cause.code == code
        assert world.service.requests == []


async def test_a_client_is_made_once_for_each_subscription_and_provider() -> None:
    elsewhere = places.SUBSCRIPTION.replace("1", "a")
    there = places.ACCOUNT.replace(places.SUBSCRIPTION, elsewhere)
    async with (
        arm_world([account(), resource(there), resource(places.SEARCH)]) as world,
        keys_at(world.url, world.ca_file) as (keys, connect),
    ):
        act = lists(COGNITIVE_ACCOUNTS)
        for target in (places.ACCOUNT, there, there.replace(elsewhere, elsewhere.upper()), places.ACCOUNT):
            await keys.current(replace(act, target=parse_arm_id(target)))
        await keys.regenerate(regenerates(COGNITIVE_ACCOUNTS, "Key1"))
        await keys.current(lists(SEARCH))
        await keys.query_key_names(QUERY)
        assert connect.made == [
            (COGNITIVE_ACCOUNTS, places.SUBSCRIPTION),
            (COGNITIVE_ACCOUNTS, elsewhere),
            (SEARCH, places.SUBSCRIPTION),
        ]


def answered(kind: ResourceType, key: str | None) -> object:
    """The keys of an account as the provider spells them; only the first one if there is no other."""
    match kind:
        case _ if kind is COGNITIVE_ACCOUNTS:
            return {"key1": KEY, "key2": key}
        case _ if kind is SEARCH:
            return {"primaryKey": KEY, "secondaryKey": key}
        case _:
            return {"keys": [{"keyName": "key1", "value": KEY}, {"keyName": "key2", "value": key}]}


@every_type
@pytest.mark.parametrize("key", [None, ""])
async def test_a_key_that_is_not_there_has_no_slot(kind: ResourceType, key: str | None) -> None:
    async with (
        scripted(Answer(200, answered(kind, key), JSON)) as server,
        keys_at(server.url, server.ca_file) as (keys, _),
    ):
        assert (await keys.current(lists(kind))).keys() == {SPELT[kind][0]}


async def test_kerberos_keys_are_not_ours() -> None:
    listed = [{"keyName": name, "value": KEY} for name in ("key1", "key2", "kerb1", "kerb2")]
    async with (
        scripted(Answer(200, {"keys": listed}, JSON)) as server,
        keys_at(server.url, server.ca_file) as (keys, _),
    ):
        assert (await keys.current(lists(STORAGE))).keys() == {"key1", "key2"}


@pytest.mark.parametrize("body", [{}, None, b"", b"{", b"<html/>", [], "text", 7, {"keys": None, "value": None}])
async def test_an_odd_answer_is_another_try_or_no_key_and_never_a_crash(body: object) -> None:
    """The port promises TryAgain or Refused; whatever else is raised makes a poison message of the signal."""
    ends = dict[str, object]()
    async with scripted(Answer(200, body, JSON)) as server, keys_at(server.url, server.ca_file) as (keys, _):
        for name, call in zip(NAMES, calls(), strict=True):
            try:
                ends[name] = await call(keys) or "no key"
            except Exception as problem:  # noqa: BLE001 - the crash is what is looked for
                ends[name] = problem
    assert {name: end for name, end in ends.items() if end != "no key" and not isinstance(end, TryAgain)} == {}
    assert len(server.asked) == len(NAMES)


async def test_more_query_keys_elsewhere_are_not_asked_for() -> None:
    """Whoever stands there would be shown our token."""
    async with scripted(Answer(200, {"value": [{"name": "other", "key": "x"}]}, JSON)) as other:
        more = {"value": [{"name": "reporting", "key": "x"}], "nextLink": f"{other.url}{QUERY.path}?x=1"}
        async with scripted(Answer(200, more, JSON)) as server:
            bundle = server.ca_file.parent / "both.pem"
            bundle.write_bytes(server.ca_file.read_bytes() + other.ca_file.read_bytes())
            async with keys_at(server.url, bundle) as (keys, _):
                with suppress(AirlockError):  # a list that cannot be had is no reason to look elsewhere
                    await keys.query_key_names(QUERY)
        assert other.asked == []


# From here on: nothing that is said holds a key.


@pytest.fixture
def said(caplog: pytest.LogCaptureFixture) -> Callable[[], str]:
    """Everything that any logger said, the SDKs' at their most talkative."""
    caplog.set_level(logging.DEBUG)
    for name in ("azure", "azure.core", "azure.mgmt", "azure.identity", "aiohttp", "msal", "urllib3"):
        caplog.set_level(logging.DEBUG, logger=name)
    return lambda: "\n".join(f"{line.getMessage()} {line.args!r} {line.exc_text}" for line in caplog.records)


@every_slot
async def test_no_logger_tells_a_key(kind: ResourceType, slot: str, said: Callable[[], str]) -> None:
    async with azure(Fault(status=500, skip=2, after_effect=True)) as (world, keys):
        dead = live(world, kind)
        found = dict(await keys.current(lists(kind)))
        fresh = dict(await keys.regenerate(regenerates(kind, slot)))
        with pytest.raises(TryAgain):
            await keys.regenerate(regenerates(kind, slot))
        names = [world.service.key_of(PATHS[SEARCH], name) for name in ("query", "query/reporting")]
        await keys.query_key_names(QUERY)
        values = {*dead.values(), *live(world, kind).values(), *names, *(key.value for key in fresh.values())}
        text = f"{said()} {found!r} {found!s} {fresh!r}"
        assert text
        assert not [value for value in values if value in text]


@pytest.mark.parametrize("status", [200, 202, 400, 404, 409, 429, 500])
@pytest.mark.parametrize("cut", [False, True], ids=["whole", "cut"])
async def test_no_exception_tells_a_key(status: int, cut: bool, said: Callable[[], str]) -> None:  # noqa: FBT001 - an axis
    """An answer with keys in it that the SDK did not expect: under another status, or not to be read. What an exception
    was raised from stands in the same traceback, and azure-core shows the answer there."""
    whole = (
        f'{{"key1": "{KEY}", "key2": "{KEY}", "primaryKey": "{KEY}", "keys": [{{"keyName": "key1", "value": "{KEY}"}}],'
        f' "value": [{{"name": null, "key": "{KEY}"}}]'
    )
    answer = Answer(status, (whole if cut else f"{whole}}}").encode(), JSON)
    telling = list[str]()
    async with scripted(answer) as server, keys_at(server.url, server.ca_file) as (keys, _):
        for call in calls():
            try:
                text = repr(await call(keys))
            except AirlockError as failure:
                text = told_by(failure)
            telling += [text.partition(KEY)[0][-160:]] if KEY in text else []
    assert telling == []
    assert KEY not in said()


def test_every_type_with_keys_is_here() -> None:
    assert {kind.name: {*slots} for kind, slots in SPELT.items()} == {
        kind.name: {*scheme(kind).slots} for kind in (COGNITIVE_ACCOUNTS, SEARCH, STORAGE)
    }


async def test_a_type_without_keys_has_no_client() -> None:
    async with TrustingClients(Operational(), HostStorage()) as clients:
        with pytest.raises(ValueError, match="no keys"):
            clients.keys(replace(SEARCH, name="Microsoft.KeyVault/vaults"), ArmId("s").subscription)
