"""What happens to the resources of one scenario when nothing breaks: all of them carry the scenario's token."""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Self, override
from uuid import NAMESPACE_OID, uuid5

from local.contoso import GROUP, SUBSCRIPTION, Deed, write_event
from local.faults import Fault
from shared.azure.entities import crash_row, entry_entity, entry_row, filed_row, kept_row, month_of, shard
from shared.domain.ledger import Entry
from shared.domain.operator import undead
from shared.domain.stores import BURIED, DEAD_LETTERS
from tests.chaos.seen import Body, Dead, Order, subscription_of
from tests.chaos.session import OURS, Session
from tests.engine.alerts import alert, exposed, told
from tests.engine.running import account, storage

_ENDPOINTS = f"{GROUP}/Microsoft.Network/privateEndpoints"
_STALE_TAGS: Body = {"tags": {"touched": "true"}}
_PUT_BACK = 8
_UNDELIVERED: Body = {
    "deadLetterReason": "MaxDeliveryAttemptsExceeded",
    "deliveryAttempts": 30,
    "lastDeliveryOutcome": "Unauthorized",
    "publishTime": "2026-11-24T08:00:00Z",
}
_TOO_LARGE = _UNDELIVERED | {"deadLetterReason": "NotRetried", "lastDeliveryOutcome": "PayloadTooLarge"}
_SOUND: Body = {"minimumTlsVersion": "TLS1_2", "supportsHttpsTrafficOnly": True}
_TLS = "AIR-004/storage"
# What the RecordIds begin with of what is buried only to be replayed.
REPLAYED = "00000000"
_WALLET = "AI.Azure_DOWVolumeAnomaly"
# A month whose rows are to be forgotten.
_LONG_AGO = "202001"


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """The resources, and what befalls them.

    `subject` is the resource that it is about; `changed` are those that an event tells of. A `deed` is done by a
    person first, through ARM. `alert` is what Defender has and tells of. With `leaks` the subject's first key is
    found in public. `faults` belong to the story itself, `excused` are the rules that stay violated because of them.
    """

    subject: Body
    others: tuple[Body, ...] = ()
    changed: tuple[Body, ...] = ()
    deeds: tuple[Deed, ...] = ()
    alert: Body | None = None
    leaks: bool = False
    faults: tuple[Fault, ...] = ()
    excused: frozenset[str] = frozenset()

    @property
    def bodies(self) -> tuple[Body, ...]:
        """All resources, the alert too."""
        return (self.subject, *self.others, *((self.alert,) if self.alert else ()))

    @property
    def causes(self) -> int:
        """How many reasons there are to rotate the subject's keys."""
        return int(self.leaks)

    @property
    def untold(self) -> frozenset[str]:
        """The resources that drifted without an event."""
        return frozenset()

    @property
    def dead(self) -> tuple[Dead, ...]:
        """What nobody could deliver or deal with."""
        return ()

    async def prepare(self, session: Session) -> None:
        """Lets happen what comes before the story; it begins when all of that is done."""

    def prepared(self, _session: Session) -> Self:
        """The story with what it has to know of what came before."""
        return self

    async def begin(self, session: Session) -> tuple[Body, ...]:
        """Lets it happen. Answers the events that may come once more."""
        for deed in self.deeds:
            await session.azure.act(deed)
        now = datetime.now(UTC)
        changes = tuple(write_event(body, now) for body in self.changed)
        for event in changes:
            await session.azure.publish(event)
        incidents = self._incidents(session)
        for event in incidents:
            await session.azure.publish_alert(event)
        return (*changes, *incidents)

    def _incidents(self, session: Session) -> tuple[Body, ...]:
        name = str(self.subject["name"])
        if self.alert is not None:
            return (told(self.alert, f"alert-{name}"),)
        if self.leaks:
            key = session.azure.key_of(str(self.subject["id"]), "key1")
            return (exposed(key, self.subject, f"leak-{name}"),)
        return ()


type Tell = Callable[[str], Story]


def drift(token: str) -> Story:
    """Somebody opened an account."""
    body = account(f"oai-{token}")
    return Story(subject=body, changed=(body,))


def reverted(token: str) -> Story:
    """Somebody opens an account through ARM, which so has an earlier state to answer with."""
    shut: Body = {"publicNetworkAccess": "Disabled", "disableLocalAuth": True}
    body = account(f"oai-{token}", **shut, networkAcls={"defaultAction": "Deny"})
    opened: Body = {"properties": {"publicNetworkAccess": "Enabled", "networkAcls": {"defaultAction": "Allow"}}}
    return Story(subject=body, deeds=(Deed("PATCH", str(body["id"]), "2025-09-01", opened),))


def guarded(token: str) -> Story:
    """A storage account is open, and only the private endpoint itself tells what it leads to."""
    return _guarded(token)


def guarded_anew(token: str) -> Story:
    """The same, when the private endpoint has an earlier state."""
    told_ = _guarded(token)
    endpoint = told_.others[0]
    return Story(
        subject=told_.subject,
        others=told_.others,
        changed=told_.changed,
        deeds=(Deed("PATCH", str(endpoint["id"]), "2024-05-01", _STALE_TAGS),),
    )


def _guarded(token: str) -> Story:
    name, endpoint = f"st{token}", f"{_ENDPOINTS}/pe-{token}"
    link: Body = {
        "id": f"{GROUP}/Microsoft.Storage/storageAccounts/{name}/privateEndpointConnections/pe-{token}",
        "name": f"pe-{token}",
        "properties": {
            "privateEndpoint": {"id": endpoint},
            "privateLinkServiceConnectionState": {"status": "Approved"},
        },
    }
    wide: Body = {"publicNetworkAccess": "Enabled", "networkAcls": {"defaultAction": "Allow"}}
    body = storage(name, **wide, privateEndpointConnections=[link])
    leads: Body = {"privateLinkServiceId": body["id"], "groupIds": ["blob"]}
    other: Body = {
        "id": endpoint,
        "name": f"pe-{token}",
        "type": "Microsoft.Network/privateEndpoints",
        "location": "westeurope",
        "properties": {"provisioningState": "Succeeded", "privateLinkServiceConnections": [{"properties": leads}]},
    }
    return Story(subject=body, others=(other,), changed=(body,))


def attached(token: str) -> Story:
    """A workspace is seen for the first time; the storage account that it names becomes a business of ours."""
    store = storage(f"st{token}", tags={})
    workspace: Body = {
        "id": f"{GROUP}/Microsoft.MachineLearningServices/workspaces/mlw-{token}",
        "name": f"mlw-{token}",
        "type": "Microsoft.MachineLearningServices/workspaces",
        "location": "westeurope",
        "kind": "Default",
        "tags": {},
        "properties": {
            "provisioningState": "Succeeded",
            "publicNetworkAccess": "Disabled",
            "storageAccount": store["id"],
        },
    }
    return Story(subject=store, others=(workspace,), changed=(workspace,))


def alone(token: str) -> Story:
    """A policy denies one of the properties, so that each rule is written alone."""
    body = account(f"oai-{token}")
    denied = Fault(
        kind="refuse_property",
        service="arm",
        path_contains=f"oai-{token}",
        times=None,
        status=403,
        code="RequestDisallowedByPolicy",
        property="properties.disableLocalAuth",
    )
    return Story(subject=body, changed=(body,), faults=(denied,), excused=frozenset({"AIR-003/cognitive-accounts"}))


def policy(token: str) -> Story:
    """A content filter was weakened: a type that is written as a whole."""
    shut: Body = {"publicNetworkAccess": "Disabled", "disableLocalAuth": True}
    parent = account(f"oai-{token}", **shut, networkAcls={"defaultAction": "Deny"})
    body: Body = {
        "id": f"{parent['id']}/raiPolicies/rai-{token}",
        "name": f"rai-{token}",
        "type": "Microsoft.CognitiveServices/accounts/raiPolicies",
        "properties": {"type": "UserManaged", "mode": "Asynchronous_filter", "contentFilters": []},
    }
    return Story(subject=body, others=(parent,), changed=(body,))


def search(token: str) -> Story:
    """A search service takes keys: a write is answered at once, and goes on."""
    name = f"srch-{token}"
    link: Body = {
        "properties": {
            "privateEndpoint": {"id": f"{_ENDPOINTS}/pe-{token}"},
            "privateLinkServiceConnectionState": {"status": "Approved"},
            "groupId": "searchService",
        }
    }
    body: Body = {
        "id": f"{GROUP}/Microsoft.Search/searchServices/{name}",
        "name": name,
        "type": "Microsoft.Search/searchServices",
        "location": "westeurope",
        "sku": {"name": "standard"},
        "tags": {},
        "properties": {
            "provisioningState": "succeeded",
            "status": "running",
            "publicNetworkAccess": "enabled",
            "disableLocalAuth": False,
            "authOptions": {"aadOrApiKey": {"aadAuthFailureMode": "http403"}},
            "privateEndpointConnections": [link],
        },
    }
    return Story(subject=body, changed=(body,))


def put_back(token: str) -> Story:
    """ARM asks for more patience than a worker has, so that the signal goes back to the queue."""
    body = account(f"oai-{token}")
    away = Fault(
        service="arm",
        method="GET",
        path_contains=f"accounts/oai-{token}",
        times=_PUT_BACK,
        status=503,
        headers={"Retry-After": "11"},
    )
    return Story(subject=body, changed=(body,), faults=(away,))


def leak(token: str) -> Story:
    """The account's key is found in public. Its keys are never turned off, so that they can be listed at any time."""
    body = account(f"oai-{token}", customSubDomainName=None, publicNetworkAccess="Disabled")
    # Without a subdomain a guard refuses to turn the keys off.
    return Story(subject=body, leaks=True, excused=frozenset({"AIR-003/cognitive-accounts"}))


def alarm(token: str) -> Story:
    """Defender tells of a call through Tor."""
    body = account(f"oai-{token}")
    return Story(subject=body, alert=alert(body, name=f"25182984-{token}"))


def elsewhere(token: str) -> Story:
    """Somebody opened an account in a subscription whose hour nobody else has used."""
    body = _alone(token, account(f"oai-{token}"))
    return Story(subject=body, changed=(body,))


def _alone(token: str, body: Body) -> Body:
    """The resource in the scenario's own subscription."""
    moved: Body = json.loads(json.dumps(body).replace(SUBSCRIPTION, subscription_of(token)))
    return moved


@dataclass(frozen=True, slots=True, kw_only=True)
class Timed(Story):
    """What a timer finds: of this one nobody tells. `timer` is run for it."""

    timer: str

    @override
    async def begin(self, session: Session) -> tuple[Body, ...]:
        await self.lay(session)
        session.start(session.run_timer(self.timer))
        return ()

    async def lay(self, session: Session) -> None:
        """Puts there what the timer finds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unseen(Timed):
    """A resource that drifted, and whose event was lost."""

    @property
    @override
    def untold(self) -> frozenset[str]:
        return frozenset({str(self.subject["id"]).lower()})


@dataclass(frozen=True, slots=True, kw_only=True)
class Buried(Timed):
    """What waits to be buried: an event that Event Grid gave up, with what it `added`; without, a poisoned message."""

    event: Body
    added: Body | None

    @property
    @override
    def dead(self) -> tuple[Dead, ...]:
        return (Dead(event=str(self.event["id"]), text=self.text),)

    @property
    def text(self) -> str:
        """The message as it was, and is to be kept."""
        return json.dumps(self.event)

    @override
    async def lay(self, session: Session) -> None:
        if self.added is not None:
            letter = json.dumps([self.event | self.added]).encode()
            session.azure.blobs.put(DEAD_LETTERS, f"CHANGES/AIRLOCK/2026/11/24/8/{self.subject['name']}.json", letter)
            return
        row = crash_row(month_of(datetime.now(UTC)), self.text)
        await session.azure.put_rows({"PartitionKey": shard(self.text), "RowKey": row, "Error": "KeyError: 'sku'"})
        session.azure.poison(self.text)


@dataclass(frozen=True, slots=True, kw_only=True)
class Hour(Timed):
    """An hour has passed, and a chain grew. With `old` the ledger holds what nobody has touched for years; with `beat`
    no sign of life was given in this hour yet."""

    old: bool = False
    beat: bool = False

    @property
    def old_key(self) -> str:
        """The key of an entry that is to be forgotten."""
        return f"{self.subject['id']}-of-old".lower()

    @override
    async def lay(self, session: Session) -> None:
        if self.beat:
            session.azure.forget_records(OURS)
        if self.old:
            await session.azure.put_rows(*_old_rows(self.old_key))
        await session.azure.publish(write_event(self.subject, datetime.now(UTC)))
        await session.recorded(str(self.subject["id"]))


def _old_rows(key: str) -> tuple[Body, ...]:
    partition = {"PartitionKey": shard(key)}
    filed, kept = filed_row(_LONG_AGO, key), kept_row(_LONG_AGO, entry_row(key).removeprefix("r|"))
    entry = entry_entity(Entry(key, filed=_LONG_AGO))
    return entry, partition | {"RowKey": filed}, partition | {"RowKey": kept}


@dataclass(frozen=True, slots=True, kw_only=True)
class Ordered(Story):
    """An operator orders something about the record of what came before; `order` tells how it is known to be done.

    `record` is that record's RecordId, empty until it is known.
    """

    order: Order
    waits_for: str
    record: str = ""

    @property
    @override
    def causes(self) -> int:
        return int(self.alert is not None)

    @override
    async def prepare(self, session: Session) -> None:
        await super(Ordered, self).begin(session)

    @override
    def prepared(self, session: Session) -> Self:
        found = [row for row in session.azure.logs.rows if self._is_told_by(row)]
        return replace(self, record=str(found[-1]["RecordId"]))

    def _is_told_by(self, row: Body) -> bool:
        named = str(row.get("ResourceId")), str(row.get("Outcome"))
        return named == (self.subject["id"], self.waits_for) and str(row.get("Rule")).startswith(self.order.rule)

    @override
    async def begin(self, session: Session) -> tuple[Body, ...]:
        body: Body = {"act": self.order.act, "record": self.record}
        session.start(session.order(self.order, body))
        return ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Replayed(Story):
    """An operator wants an event again that was buried. It is the only one that tells of the subject's drift."""

    order: Order
    event: Body

    @property
    def record(self) -> str:
        """The RecordId that the event is kept under."""
        return REPLAYED + uuid5(NAMESPACE_OID, str(self.subject["name"])).hex[len(REPLAYED) :]

    @override
    async def begin(self, session: Session) -> tuple[Body, ...]:
        session.azure.blobs.put(BURIED, f"{self.record}.json", json.dumps(self.event).encode())
        session.start(session.order(self.order, {"act": self.order.act, "record": self.record}))
        return ()


def unseen(token: str) -> Story:
    """An account is open, and nobody told of it."""
    return Unseen(subject=account(f"oai-{token}"), timer="sweep")


def poisoned(token: str) -> Story:
    """A message made the function fail again and again."""
    return _buried(token, None)


def undelivered(token: str) -> Story:
    """Event Grid gave an event up."""
    return _buried(token, _UNDELIVERED)


def too_large(token: str) -> Story:
    """The same for an event that was too large: cut down it is put into the queue, and only so anybody hears of it."""
    body = _alone(token, storage(f"st{token}"))
    return Buried(subject=body, timer="bury", event=write_event(body, datetime.now(UTC)), added=_TOO_LARGE)


def _buried(token: str, added: Body | None) -> Story:
    body = _alone(token, storage(f"st{token}", **_SOUND))
    event = undead(write_event(body, datetime.now(UTC)))
    return Buried(subject=body, timer="bury", event=event, added=added)


def hour(token: str) -> Story:
    """The first run in this hour."""
    return Hour(subject=_silent(token), timer="hourly", beat=True)


def later_hour(token: str) -> Story:
    """One more run."""
    return Hour(subject=_silent(token), timer="hourly")


def old(token: str) -> Story:
    """The ledger holds what is to be forgotten."""
    return Hour(subject=_silent(token), timer="hourly", old=True)


def _silent(token: str) -> Body:
    return storage(f"st{token}", **_SOUND)


def taken_back(token: str) -> Story:
    """An operator takes a fix back."""
    body = storage(f"st{token}")
    order = Order(act="undo", resource=str(body["id"]), outcome="Undone", rule=_TLS)
    return Ordered(subject=body, changed=(body,), order=order, waits_for="Fixed", excused=frozenset({_TLS}))


def held(token: str) -> Story:
    """An operator wants a rule to be left alone there."""
    body = storage(f"st{token}")
    order = Order(act="hold", resource=str(body["id"]), outcome="Held", rule=_TLS)
    return Ordered(subject=body, changed=(body,), order=order, waits_for="Fixed")


def approved(token: str) -> Story:
    """An operator lets keys be rotated that Defender has told of."""
    plain = leak(token)
    tells = alert(plain.subject, kind=_WALLET, name=f"25182984-{token}")
    order = Order(act="approve", resource=str(plain.subject["id"]), outcome="Fixed", rule="AIR-101", records=2)
    return Ordered(subject=plain.subject, alert=tells, order=order, waits_for="AwaitingApproval", excused=plain.excused)


def replayed(token: str) -> Story:
    """An operator wants a buried event again."""
    body = storage(f"st{token}")
    order = Order(act="replay", resource=str(body["id"]), outcome="Fixed", rule=_TLS)
    return Replayed(subject=body, order=order, event=write_event(body, datetime.now(UTC)))
