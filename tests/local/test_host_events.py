"""The Event Grid webhook, and an event's way through queue and functions."""

from typing import Any

import pytest

from local.host.host import FunctionsHost
from tests.local.hosting import Hosting, hosting
from tests.storage_account import Authority

ENVIRONMENT = {"SIGNALS": "signals"}


def event(name: str, *, fail: bool = False) -> dict[str, Any]:
    return {
        "id": name,
        "eventType": "Microsoft.Resources.ResourceWriteSuccess",
        "subject": "/subscriptions/s",
        "topic": "/subscriptions/s",
        "eventTime": "2026-11-23T01:00:00.1234567Z",
        "dataVersion": "2",
        "data": {"fail": fail},
    }


async def post(  # noqa: PLR0913 -- each test varies another one
    case: Hosting,
    host: FunctionsHost,
    body: object,
    *,
    kind: str | None = "Notification",
    function: str = "on_event",
    key: str | None = None,
) -> tuple[int, str]:
    headers = {} if kind is None else {"aeg-event-type": kind}
    query = {"functionName": function, "code": host.system_key if key is None else key}
    given = {"data": body} if isinstance(body, str) else {"json": body}
    url = f"{host.url}/runtime/webhooks/EventGrid"
    async with case.session.post(url, params=query, headers=headers, **given) as response:
        return response.status, await response.text()


async def test_an_event_goes_through_both_functions(authority: Authority) -> None:
    async with hosting(authority) as case, case.host("chain", ENVIRONMENT) as host:
        assert {function.name for function in host.functions} == {"on_event", "on_signal"}
        assert (await post(case, host, [event("a"), event("b")]))[0] == 202
        await host.wait_idle(5)
        assert await case.messages("results") == ["a done", "b done"]
        assert host.invocations == 4
        warning = await case.heard.line("event a")
        assert (warning.function, warning.level, warning.message) == ("on_event", "Warning", "event a")
        assert (await case.heard.line("signal")).function == "on_signal"
        assert (await case.heard.line("printed a")).level == "Information"


async def test_a_cloud_event_is_one_event(authority: Authority) -> None:
    cloud_event = {"specversion": "1.0", "id": "c", "source": "/s", "type": "t", "data": {}}
    async with hosting(authority) as case, case.host("chain", ENVIRONMENT) as host:
        assert (await post(case, host, cloud_event))[0] == 202
        await host.wait_idle(5)
        assert await case.messages("results") == ["c done"]


async def test_one_failure_fails_the_delivery(authority: Authority) -> None:
    async with hosting(authority) as case, case.host("chain", ENVIRONMENT) as host:
        status, text = await post(case, host, [event("good"), event("bad", fail=True)])
        assert (status, text) == (500, "ValueError: cannot take bad")
        await host.wait_idle(5)
        # The other one ran all the same: Event Grid will send both again.
        assert await case.messages("results") == ["good done"]
        assert (await case.heard.line("Executed 'on_event' (Failed")).level == "Error"


async def test_the_handshakes(authority: Authority) -> None:
    async with hosting(authority) as case, case.host("chain", ENVIRONMENT) as host:
        validation = [{"id": "1", "data": {"validationCode": "code-1"}}]
        double_encoded = {"specversion": "1.0", "data": '{"validationCode": "code-2"}'}
        for body, code in ((validation, "code-1"), (double_encoded, "code-2")):
            status, text = await post(case, host, body, kind="SubscriptionValidation")
            assert (status, text) == (200, f'{{"validationResponse": "{code}"}}')
        assert await post(case, host, [], kind="Unsubscribe") == (202, "")
        query = {"functionName": "on_event", "code": host.system_key}
        origin = {"WebHook-Request-Origin": "eventgrid.azure.net"}
        url = f"{host.url}/runtime/webhooks/EventGrid"
        async with case.session.options(url, params=query, headers=origin) as response:
            assert response.status == 200
            assert response.headers["WebHook-Allowed-Origin"] == "eventgrid.azure.net"
        assert host.invocations == 0


@pytest.mark.parametrize(
    "change,status,text",
    [
        ({"key": "wrong"}, 401, ""),
        ({"key": ""}, 401, ""),
        ({"function": "on_signal"}, 404, "cannot find function: 'on_signal'"),
        ({"kind": None}, 400, None),
        ({"kind": "Other"}, 400, None),
        ({"body": "{"}, 400, None),
        ({"body": "[1]"}, 400, None),
        ({"body": "3"}, 400, None),
        ({"body": "{}", "kind": "SubscriptionValidation"}, 400, None),
    ],
)
async def test_what_is_turned_away(authority: Authority, change: dict[str, Any], status: int, text: str | None) -> None:
    async with hosting(authority) as case, case.host("chain", ENVIRONMENT) as host:
        given = {"body": [event("a")]} | change
        answer = await post(case, host, given.pop("body"), **given)
        assert answer[0] == status
        assert text is None or answer[1] == text
        assert host.invocations == 0
