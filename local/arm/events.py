"""The events of an Azure subscription: who did what to which resource, and nothing of the resource itself.

Shape: "Azure subscription as an Event Grid source" (reviewed 2026-11). Reads raise nothing. `httpRequest` is absent
when the resource did not exist before.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from local.arm.body import Body
from local.arm.exchange import Caller
from local.arm.resource_id import Address
from local.faults import repeatable

CLAIM_PREFIX = "http://schemas.microsoft.com/identity/claims/"
NO_TENANT = "00000000-0000-0000-0000-000000000000"
# Token claims that Azure spells as a URI in an event.
_SPELLED = {
    "idp": f"{CLAIM_PREFIX}identityprovider",
    "oid": f"{CLAIM_PREFIX}objectidentifier",
    "tid": f"{CLAIM_PREFIX}tenantid",
    "sub": "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/nameidentifier",
    "upn": "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/upn",
}


@dataclass(frozen=True, slots=True)
class Happening:
    """One write, delete or action that reached a resource provider.

    `verb` is the tail of the operation name: "write", "delete" or "listKeys/action".
    """

    address: Address
    verb: str
    method: str
    path_and_query: str
    caller: Caller
    existed: bool

    @property
    def operation(self) -> str:
        """Such as Microsoft.Search/searchServices/write."""
        return f"{self.address.type}/{self.verb}"

    @property
    def kind(self) -> str:
        """Write, Delete or Action."""
        return {"write": "Write", "delete": "Delete"}.get(self.verb, "Action")


class Announcer:
    """Makes events out of happenings and hands each to `on_event`, which must not wait for its delivery.

    Ids come from `seed`; `clock` gives epoch seconds; `cloud_events` chooses CloudEvents 1.0 over the Event Grid
    schema.
    """

    def __init__(
        self,
        seed: int,
        clock: Callable[[], float],
        on_event: Callable[[Body], Awaitable[None]],
        *,
        cloud_events: bool,
    ) -> None:
        self._ids = repeatable("events", seed)
        self._clock = clock
        self._on_event = on_event
        self._cloud_events = cloud_events

    async def announce(self, happening: Happening, *, succeeded: bool) -> None:
        """Raise the event of one happening."""
        outcome = "Success" if succeeded else "Failure"
        topic = f"/subscriptions/{happening.address.subscription}"
        event_id = str(UUID(int=self._ids.getrandbits(128), version=4))
        event_type = f"Microsoft.Resources.Resource{happening.kind}{outcome}"
        subject, time = happening.address.path, event_time(self._clock())
        data = _data(happening, "Succeeded" if succeeded else "Failed")
        if self._cloud_events:
            envelope: Body = {"id": event_id, "source": topic, "subject": subject, "type": event_type}
            await self._on_event({**envelope, "specversion": "1.0", "time": time, "data": data})
            return
        event: Body = {"subject": subject, "eventType": event_type, "eventTime": time, "id": event_id, "data": data}
        await self._on_event({**event, "dataVersion": "2", "metadataVersion": "1", "topic": topic})


def event_time(now: float) -> str:
    """Epoch seconds as Event Grid writes a time: UTC with seven digits of fraction."""
    return f"{datetime.fromtimestamp(now, UTC):%Y-%m-%dT%H:%M:%S.%f}0Z"


def _data(happening: Happening, status: str) -> Body:
    address, caller = happening.address, happening.caller
    data: Body = {
        "authorization": {
            "scope": address.path,
            "action": happening.operation,
            "evidence": _evidence(happening),
        },
        "claims": {_SPELLED.get(name, name): str(value) for name, value in _claims(caller).items()},
        "correlationId": caller.correlation_id,
        "resourceProvider": address.namespace,
        "resourceUri": address.path,
        "operationName": happening.operation,
        "status": status,
        "subscriptionId": address.subscription,
        "tenantId": str(caller.claims.get("tid", NO_TENANT)),
    }
    if happening.existed:
        data["httpRequest"] = {
            "clientRequestId": caller.client_request_id or caller.correlation_id,
            "clientIpAddress": caller.address,
            "method": happening.method,
            "url": f"https://management.azure.com{happening.path_and_query}",
        }
    return data


def _claims(caller: Caller) -> Body:
    return {**caller.claims, "aio": "-", "appidacr": "2"} if caller.claims else {}


def _evidence(happening: Happening) -> Body:
    claims, subscription = happening.caller.claims, happening.address.subscription
    if not claims:
        return {"role": "Subscription Admin"}
    return {
        "role": "Contributor",
        "roleAssignmentScope": f"/subscriptions/{subscription}",
        "principalId": str(claims.get("oid", "")).replace("-", ""),
        "principalType": "User" if "upn" in claims else "ServicePrincipal",
    }
