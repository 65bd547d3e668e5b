"""Azure Resource Manager over raw JSON: typed models would drop the properties that they do not know."""

import json
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from typing import Any
from urllib.parse import quote

from azure.core.rest import AsyncHttpResponse, HttpRequest
from azure.mgmt.core import AsyncARMPipelineClient

from shared.azure.failures import failure, retry_after, told_as_failures
from shared.azure.gate import SEARCH_PATH
from shared.domain.act import Command
from shared.domain.arm_id import ArmId
from shared.domain.body import JsonObject, as_list, as_object, as_text, at
from shared.domain.failure import Cause, Refused, TryAgain
from shared.domain.fix import Fix
from shared.domain.permit import Permit
from shared.domain.ports import Receipt
from shared.domain.resource import place_of
from shared.patience import patience

# How long a worker waits for an operation that ARM accepted before the signal goes back to the queue.
_OPERATION = timedelta(seconds=45)
_ABSENT = frozenset({"arm.http-404", "arm.not-found", "arm.resource-not-found", "arm.resource-group-not-found"})
_LONGEST_POLL = timedelta(seconds=15)
_SUBSCRIPTIONS_API_VERSION = "2022-12-01"
_MOST_PAGES = 1000
# Azure Resource Graph, Microsoft.ResourceGraph/resources (azure-rest-api-specs, read 2026-11-24).
_SEARCH_API_VERSION = "2021-03-01"
_COLUMNS = "id, name, type, kind, location, tags, sku, identity, properties"
# How long one page is waited for: a principal has fifteen queries in five seconds.
_SEARCH = timedelta(seconds=60)
_ENDED_WELL = "succeeded"
_ENDED_BADLY = frozenset({"failed", "canceled"})


class ArmClient:
    """`ports.Arm` over azure-core's ARM pipeline. `client` has no retry policy and a gated transport."""

    def __init__(self, client: AsyncARMPipelineClient[HttpRequest, AsyncHttpResponse], endpoint: str) -> None:
        self._client = client
        self._endpoint = endpoint

    async def read(self, target: ArmId, api_version: str) -> JsonObject | None:
        """The live body; None where there is no such resource. Raises TryAgain or Refused."""
        try:
            answer = await self._call(HttpRequest("GET", self._url(target, api_version)))
        except Refused as refused:
            if refused.cause.code in _ABSENT:
                return None
            raise
        return _json(answer)

    async def children(self, parent: ArmId, kind: str, api_version: str) -> list[JsonObject]:
        """All resources of a type below the parent: the last part of a child's type (`deployments`), or for a
        subscription a full one (`Microsoft.Search/searchServices`). Raises TryAgain or Refused."""
        below = f"/providers/{kind}" if parent.resource_group is None and not parent.providers else f"/{kind}"
        return await self._listed(f"{self._endpoint}{_escaped(parent.path + below)}?api-version={api_version}")

    async def subscriptions(self) -> list[ArmId]:
        """The subscriptions that the identity may read. Raises TryAgain or Refused."""
        found = await self._listed(f"{self._endpoint}/subscriptions?api-version={_SUBSCRIPTIONS_API_VERSION}")
        return [place for body in found if (place := place_of(body)) is not None]

    async def search(self, kinds: Sequence[str]) -> AsyncIterator[JsonObject]:
        """Every resource of those types that the identity may see, as Resource Graph knows it. Raises TryAgain or
        Refused."""
        listed = ", ".join(f"'{kind.lower()}'" for kind in kinds)
        query = f"resources | where type in~ ({listed}) | project {_COLUMNS} | order by id asc"
        token = ""
        for _ in range(_MOST_PAGES):
            page: JsonObject = await patience(_SEARCH)(self._searched, query, token)
            for row in as_list(page.get("data")):
                yield as_object(row)
            token = as_text(page.get("$skipToken"))
            if not token:
                return
        raise Refused(Cause("arm.too-many-pages", f"a search of more than {_MOST_PAGES} pages"))

    async def _searched(self, query: str, token: str) -> JsonObject:
        options: JsonObject = {"resultFormat": "objectArray"}
        if token:
            options["$skipToken"] = token
        url = f"{self._endpoint}{SEARCH_PATH}?api-version={_SEARCH_API_VERSION}"
        return _json(await self._call(HttpRequest("POST", url, json={"query": query, "options": options})))

    async def send(self, fix: Fix) -> Receipt:
        """Sends the fix and waits until ARM says that the operation has ended. Raises TryAgain or Refused."""
        headers = {"If-Match": fix.if_match} if fix.if_match else {}
        return await self._write(fix, fix.api_version, fix.body, headers)

    async def perform(self, act: Command) -> Receipt:
        """Performs the act and waits until ARM says that the operation has ended. Raises TryAgain or Refused."""
        return await self._write(act, act.api_version, act.body, {})

    async def _write(
        self, permit: Permit, api_version: str, body: JsonObject | None, headers: dict[str, str]
    ) -> Receipt:
        url = f"{self._endpoint}{_escaped(permit.path)}?api-version={api_version}"
        answer = await self._call(HttpRequest(permit.method, url, json=body, headers=headers), permit=permit)
        ids = tuple(filter(None, (answer.headers.get("x-ms-request-id"),)))
        told, done = answer.headers.get("Azure-AsyncOperation"), answer.headers.get("Location")
        operation = told or done
        under_way = told is not None or answer.status_code == 202
        if not under_way or operation is None or not operation.startswith(f"{self._endpoint}/"):
            return Receipt(ids)
        try:
            return Receipt(ids, await patience(_OPERATION)(self._poll, operation, tells_status=told is not None))
        except Refused:
            return Receipt(ids)  # ARM took the write; a status that we may not see is left to the read that verifies it

    async def _listed(self, url: str) -> list[JsonObject]:
        found: list[JsonObject] = []
        for _ in range(_MOST_PAGES):
            page = _json(await self._call(HttpRequest("GET", url)))
            found += [as_object(item) for item in as_list(page.get("value"))]
            url = as_text(page.get("nextLink"))
            if not url:
                return found
            if not url.startswith(f"{self._endpoint}/"):
                raise Refused(Cause("arm.foreign-link", "a list goes on at another host, which would get our token"))
        raise Refused(Cause("arm.too-many-pages", f"a list of more than {_MOST_PAGES} pages"))

    async def _poll(self, operation: str, *, tells_status: bool) -> str | None:
        """How the operation ended badly; None if it ended well. Raises TryAgain while it has not ended.

        An Azure-AsyncOperation address tells a status until the end and after; a Location answers 202 until the end,
        and then with the resource, which may have a status of its own.
        """
        answer = await self._call(HttpRequest("GET", operation))
        body = _json(answer) if answer.content else {}
        status = as_text(body.get("status")).lower()
        if status in _ENDED_BADLY:
            return f"the operation {status}: {as_text(at(body, 'error.code'))} {as_text(at(body, 'error.message'))}"
        if answer.status_code == 202 or (tells_status and status not in {"", _ENDED_WELL}):
            after = retry_after(answer.headers)
            wait = min(after, _LONGEST_POLL) if after else None
            raise TryAgain(Cause("arm.operation-running", "the operation has not ended"), wait)
        return None

    def _url(self, target: ArmId, api_version: str) -> str:
        return f"{self._endpoint}{_escaped(target.path)}?api-version={api_version}"

    async def _call(self, request: HttpRequest, **options: Any) -> AsyncHttpResponse:  # noqa: ANN401 - azure-core's own signature
        async with told_as_failures("arm"):
            answer = await self._client.send_request(request, **options)
        if answer.status_code >= 400:
            raise failure("arm", answer.status_code, answer.headers, answer.content)
        return answer


def _escaped(path: str) -> str:
    return quote(path, safe="/()$")


def _json(answer: AsyncHttpResponse) -> JsonObject:
    try:
        body = json.loads(answer.content)
    except (ValueError, RecursionError) as problem:
        raise TryAgain(Cause("arm.unreadable-answer", "the answer is not JSON")) from problem
    if not isinstance(body, dict):
        raise TryAgain(Cause("arm.unreadable-answer", "the answer is not an object"))
    return body
