"""GET: one resource, a collection, a group, a subscription, an operation."""

import re
from collections.abc import Mapping
from urllib.parse import urlencode

from local.arm import tags
from local.arm.body import Body, at
from local.arm.estate import Estate
from local.arm.events import NO_TENANT
from local.arm.exchange import Answer, Call, Caller
from local.arm.providers import provider_of
from local.arm.refusal import RefusedError, bad_request, missing, not_served
from local.arm.resource_id import GROUP, SUBSCRIPTION, Address, inside, parse
from local.arm.world import World
from local.arm.writes import current, etag_of, has_group

_TYPE_FILTER = re.compile(r"\s*resourceType\s+eq\s+'([^']+)'\s*", re.IGNORECASE)
_POLLS = ("/locations/operationstatuses", "/locations/operationresults")
_RETRY = {"Retry-After": "1"}


class Reader:
    """Answers from the estate. `page_size` is how many a collection shows at once; None means all of them."""

    def __init__(self, world: World, page_size: int | None) -> None:
        self._estate = world.estate
        self._operations = world.operations
        self._faults = world.faults
        self._page_size = page_size

    def get(self, call: Call) -> Answer:
        """Perform a GET. Raises RefusedError."""
        address = call.address
        if address.type.lower().endswith(_POLLS):
            return self._poll(address)
        if address.name is None:
            return self._collection(call)
        if address.type == SUBSCRIPTION:
            return Answer(200, _subscription(address.subscription))
        carrier = tags.carrier(address)
        if carrier is not None:
            return Answer(200, tags.shown(address, self._body(call, carrier)))
        body = self._body(call, address)
        etag = etag_of(self._estate, provider_of(address.type), body)
        return Answer(200, body, {"ETag": etag} if etag else {})

    def subscriptions(self, caller: Caller, origin: str, query: Mapping[str, str]) -> Answer:
        """The subscriptions there are. Raises RefusedError."""
        tenant = str(caller.claims.get("tid", NO_TENANT))
        found = [{**_subscription(name), "tenantId": tenant} for name in self._estate.subscriptions()]
        return self._page(found, f"{origin}/subscriptions", query)

    def _body(self, call: Call, address: Address) -> Body:
        body = self._estate.view(address.path) or current(self._estate, address)
        earlier = self._estate.earlier(address.path)
        if earlier is not None and self._faults.take("stale", "arm", "GET", call.address.path):
            body = earlier.body
        if body is None:
            raise missing(address, group_exists=has_group(self._estate, address))
        return body

    def _collection(self, call: Call) -> Answer:
        address = call.address
        home = address.path.rpartition("/")[0]
        orphan = address.is_child and not _is_place(home) and self._estate.view(home) is None
        if orphan or not has_group(self._estate, address):
            raise missing(address, group_exists=has_group(self._estate, address))
        return self._page(self._listed(call), f"{call.origin}{address.path}", call.query)

    def _page(self, found: list[Body], url: str, query: Mapping[str, str]) -> Answer:
        start = _position(query.get("$skipToken", "0"))
        size = self._page_size or max(1, len(found))
        body: Body = {"value": found[start : start + size]}
        if start + size < len(found):
            body["nextLink"] = f"{url}?{urlencode({**query, '$skipToken': str(start + size)})}"
        return Answer(200, body)

    def _listed(self, call: Call) -> list[Body]:
        address = call.address
        if address.type == GROUP:
            groups = [parse(group) for group in self._estate.groups(address.subscription)]
            bodies = [current(self._estate, group) for group in groups if group is not None]
            return [body for body in bodies if body is not None]
        if address.type:
            return [self._estate.view(str(body["id"])) or body for body in self._estate.collection(address)]
        wanted = _wanted_type(call.query.get("$filter"))
        return [
            body
            for body in tracked(self._estate)
            if inside(str(body["id"]), address.scope) and wanted in {None, str(body.get("type")).lower()}
        ]

    def _poll(self, address: Address) -> Answer:
        operation = self._operations.find(address.name or "")
        if operation is None:
            raise not_served(address.path)
        waiting = {} if operation.ended else _RETRY
        if address.type.lower().endswith("operationstatuses"):
            return Answer(200, {"id": address.path, **operation.report()}, waiting)
        if not operation.ended:
            return Answer(202, headers=_RETRY)
        if operation.failure:
            raise RefusedError(409, operation.failure.code, operation.failure.message)
        body = self._estate.view(operation.resource_id)
        return Answer(200, body) if body is not None else Answer(204)


def tracked(estate: Estate) -> list[Body]:
    """What ARM and Resource Graph list as resources: neither extensions, nor groups, nor children without a place."""
    return [body for body in estate if _is_tracked(body)]


def _is_tracked(body: Body) -> bool:
    address = parse(str(body["id"]))
    if address is None or address.is_container or address.is_extension:
        return False
    return address.group is not None and (not address.is_child or at(body, "location") is not None)


def _subscription(subscription: str) -> Body:
    path = f"/subscriptions/{subscription}"
    return {"id": path, "subscriptionId": subscription, "displayName": "Local rehearsal", "state": "Enabled"}


def _is_place(path: str) -> bool:
    """Whether the path ends in a region, which no body stands for."""
    return path.lower().rpartition("/")[0].endswith("/locations")


def _position(token: str) -> int:
    if not token.isascii() or not token.isdigit():
        raise bad_request("The $skipToken is not one of ours.", "InvalidSkipToken")
    return int(token[:9])


def _wanted_type(text: str | None) -> str | None:
    if text is None:
        return None
    match = _TYPE_FILTER.fullmatch(text)
    if match is None:
        raise bad_request("Only resourceType eq '...' is understood here.", "InvalidFilterInQueryString")
    return match[1].lower()
