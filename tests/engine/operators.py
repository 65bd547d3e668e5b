"""Operators, as they reach the function over HTTP."""

import json
from typing import Any

from aiohttp import ClientSession

from tests.engine.running import Body, Running


async def order(running: Running, act: str, record: Body | None = None, **fields: Any) -> tuple[int, Body]:  # noqa: ANN401 - what a request may hold
    """What the function answers an operator who may, by status and body; then all that follows is done."""
    named = {"record": str(record["RecordId"])} if record is not None else {}
    answer = await post(running, {"act": act} | named | fields, f"Bearer {running.azure.operator_token()}")
    await running.finish()
    return answer


async def post(
    running: Running, body: Body | bytes, authorization: str = "", headers: dict[str, str] | None = None
) -> tuple[int, Body]:
    """What the function answers, whoever asks."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    told = (headers or {}) | ({"Authorization": authorization} if authorization else {})
    async with ClientSession() as session, session.post(running.azure.operate_url, data=data, headers=told) as answer:
        return answer.status, await answer.json()


def last(running: Running, resource: Body, outcome: str, rule: str = "") -> Body:
    """The newest record of the resource with that outcome, and of that rule if one is named."""
    found = [row for row in running.records(resource) if row["Outcome"] == outcome and rule in str(row.get("Rule"))]
    assert found, f"no record of {resource['name']} says {outcome}: {running.outcomes(resource)}"
    return found[-1]
