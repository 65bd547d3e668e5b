"""PUT, PATCH and DELETE: what is refused, what changes, and how long it takes."""

import math
from collections.abc import Callable
from uuid import UUID

from local.arm import private_endpoints, tags
from local.arm.body import Body, with_value
from local.arm.change import change
from local.arm.estate import Estate
from local.arm.events import Happening
from local.arm.exchange import Answer, Call
from local.arm.locks import refuse_locked
from local.arm.operations import STATE, Operation, is_busy, settled
from local.arm.providers import Pace, Provider, provider_of
from local.arm.refusal import RefusedError, group_not_found, missing, not_terminal
from local.arm.resource_id import Address
from local.arm.world import World
from local.faults import repeatable

_LATER = frozenset({Pace.ACCEPTED, Pace.TRACKED})


class Writer:
    """Changes the estate. An accepted operation takes `operation_seconds`; operation ids come from `seed`."""

    def __init__(self, world: World, operation_seconds: float, seed: int) -> None:
        self._estate = world.estate
        self._operations = world.operations
        self._faults = world.faults
        self._clock = world.clock
        self._operation_seconds = operation_seconds
        self._ids = repeatable("operations", seed)

    def write(self, call: Call, happening: Happening) -> Answer:
        """Perform a PUT or a PATCH. Raises RefusedError."""
        address, provider = call.address, provider_of(call.address.type)
        before = current(self._estate, address)
        if before is None and call.method == "PATCH":
            raise missing(address, group_exists=has_group(self._estate, address))
        self._refuse_homeless(address)
        self._refuse_now(call, address, before)
        after = change(call, provider, before, self._clock()).after
        if _is_private_endpoint(after):
            private_endpoints.refuse_busy_targets(self._estate, after)
        return self._commit(call, provider, before, after, happening)

    def delete(self, call: Call, happening: Happening) -> Answer:
        """Perform a DELETE; what is absent is gone already (204). Raises RefusedError."""
        address, provider = call.address, provider_of(call.address.type)
        before = current(self._estate, address)
        if before is None:
            return Answer(204)
        self._refuse_now(call, address, before)
        if provider.pace not in _LATER:
            self._estate.remove(address.path)
            return Answer(200)
        self._estate.write(with_value(before, STATE, "Deleting"))
        headers = self._begin(call, provider, before, happening)
        return Answer(202, headers=headers, pending=True)

    def retag(self, call: Call, carrier: Address) -> Answer:
        """Change the tags of `carrier` at once, whatever its pace. Raises RefusedError."""
        before = current(self._estate, carrier)
        if before is None:
            raise missing(carrier, group_exists=has_group(self._estate, carrier))
        self._refuse_now(call, carrier, before)
        after = tags.retagged(before, call.body)
        self._estate.write(self._tagged(after, provider_of(carrier.type)))
        return Answer(200, tags.shown(call.address, after))

    def act(self, call: Call, perform: Callable[[Body], Body]) -> Answer:
        """Replace the resource by what an action makes of it, at once. Raises RefusedError."""
        before = self._estate.find(call.address.path)
        if before is None:
            raise missing(call.address, group_exists=has_group(self._estate, call.address))
        self._refuse_now(call, call.address, before)
        after = perform(before)
        self._estate.write(self._tagged(after, provider_of(call.address.type)))
        return Answer(200, self._estate.find(call.address.path))

    def settle(self) -> list[Operation]:
        """End every operation that is due, and say which."""
        ended = self._operations.end_due(self._clock())
        for operation in ended:
            body = self._estate.find(operation.resource_id)
            if body is not None and not operation.failure and _is_private_endpoint(body):
                private_endpoints.connect(self._estate, body)
        return ended

    def _commit(self, call: Call, provider: Provider, before: Body | None, after: Body, happening: Happening) -> Answer:
        status = provider.created if before is None else 200
        after = self._tagged(after, provider)
        if provider.pace is Pace.AT_ONCE:
            after = after if provider.done is None else settled(after, provider)
            self._estate.write(after)
            return Answer(status, after, self._tag_header(provider, after))
        after = with_value(after, STATE, provider.busy)
        if provider.status:
            after = with_value(after, "properties.status", provider.status[0])
        self._estate.write(after)
        headers = self._begin(call, provider, before, happening)
        if provider.pace is Pace.SETTLING:
            return Answer(status, after, self._tag_header(provider, after))
        accepted = provider.pace is Pace.ACCEPTED or call.method == "PATCH"
        return Answer(202 if accepted else status, after, headers, pending=True)

    def _begin(self, call: Call, provider: Provider, before: Body | None, happening: Happening) -> dict[str, str]:
        """Start the operation; the headers that lead to it."""
        now, path = self._clock(), call.address.path
        later = provider.pace in _LATER
        operation = Operation(
            id=str(UUID(int=self._ids.getrandbits(128), version=4)),
            resource_id=path,
            provider=provider,
            started_at=now,
            ends_at=now + self._operation_seconds,
            deletes=call.method == "DELETE",
            before=before,
            failure=self._faults.take("fail_operation", "arm", call.method, path) if later else None,
            happening=happening if later else None,
        )
        self._operations.begin(operation)
        place = f"/subscriptions/{call.address.subscription}/providers/{call.address.namespace}/locations/local"
        suffix = f"{operation.id}?api-version={call.api_version}"
        return {
            "Azure-AsyncOperation": f"{call.origin}{place}/operationStatuses/{suffix}",
            "Location": f"{call.origin}{place}/operationResults/{suffix}",
            "Retry-After": str(max(1, math.ceil(self._operation_seconds))),
        }

    def _refuse_homeless(self, address: Address) -> None:
        """A resource needs its group, and its parent or the resource that carries it."""
        if address.is_container:
            return
        home = address.parent
        if address.group is not None and not has_group(self._estate, address):
            raise group_not_found(address.group)
        if "/providers/" in home.lower() and self._estate.view(home) is None:
            code = "ParentResourceNotFound" if address.is_child else "ResourceNotFound"
            raise RefusedError(404, code, f"'{home}' was not found.")

    def _refuse_now(self, call: Call, address: Address, before: Body | None) -> None:
        """Locks, preconditions, updates under way and asked-for refusals, in that order.

        `address` is what would change: the call's own address, but for tags.
        """
        refuse_locked(self._estate, address, call.method)
        etag = etag_of(self._estate, provider_of(address.type), before) if before else None
        _refuse_precondition(call, etag, exists=before is not None)
        if is_busy(before):
            raise not_terminal(address.path)
        if address.is_child and is_busy(self._estate.find(address.parent)):
            raise not_terminal(address.parent)
        fault = self._faults.refusal("arm", call.method, call.address.path, call.body)
        if fault is not None:
            raise RefusedError(fault.status, fault.code, fault.message, dict(fault.headers))

    def _tag_header(self, provider: Provider, after: Body) -> dict[str, str]:
        etag = etag_of(self._estate, provider, after)
        return {"ETag": etag} if etag else {}

    def _tagged(self, after: Body, provider: Provider) -> Body:
        """The body with its next entity tag, where the type shows one there."""
        if provider.etag_in != "body" and "etag" not in after:
            return after
        return {**after, "etag": _tag(self._estate.version(str(after["id"])) + 1)}


def current(estate: Estate, address: Address) -> Body | None:
    """The body that a write starts from: as it is kept, or as its parent or its group implies it."""
    found = estate.find(address.path) or estate.view(address.path)
    if found is None and address.is_container and (group := estate.group(address.path)) is not None:
        return {
            "id": group,
            "name": address.name,
            "type": address.body_type,
            "location": "westeurope",
        }
    return found


def has_group(estate: Estate, address: Address) -> bool:
    """Whether the group of an address exists; what is in no group needs none."""
    return address.group is None or estate.group(address.group_path) is not None


def etag_of(estate: Estate, provider: Provider, body: Body) -> str | None:
    """The entity tag that If-Match is compared with; None where the type has none."""
    shown = body.get("etag")
    if isinstance(shown, str):
        return shown
    return _tag(estate.version(str(body["id"]))) if provider.etag_in == "header" else None


def _is_private_endpoint(body: Body) -> bool:
    return str(body.get("type")).lower() == private_endpoints.TYPE


def _tag(version: int) -> str:
    return f'W/"{version:08x}"'


def _refuse_precondition(call: Call, etag: str | None, *, exists: bool) -> None:
    wanted, unwanted = call.headers.get("If-Match"), call.headers.get("If-None-Match")
    stale = wanted is not None and not (exists if wanted == "*" else _same(wanted, etag))
    if (stale and (etag is not None or wanted == "*")) or (unwanted == "*" and exists):
        raise RefusedError(412, "PreconditionFailed", "The condition set in the request's headers is not met.")


def _same(wanted: str, etag: str | None) -> bool:
    return etag is not None and wanted.strip().strip('"') == etag.strip().strip('"')
