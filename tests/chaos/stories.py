"""What happens to the resources of one scenario when nothing breaks: all of them carry the scenario's token."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from local.contoso import GROUP, Deed, write_event
from local.faults import Fault
from tests.chaos.seen import Body
from tests.chaos.session import Session
from tests.engine.alerts import alert, exposed, told
from tests.engine.running import account, storage

_ENDPOINTS = f"{GROUP}/Microsoft.Network/privateEndpoints"
_STALE_TAGS: Body = {"tags": {"touched": "true"}}
_PUT_BACK = 8


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
