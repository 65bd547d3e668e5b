"""HTTP functions, their keys and their routes; what the worker sees of its surroundings."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local.host.error import HostError
from local.host.function import FunctionDefinition, HttpTrigger
from local.host.routes import routes
from tests.local.hosting import APPS, hosting
from tests.storage_account import Authority


async def test_a_request_arrives_whole_and_the_answer_too(authority: Authority) -> None:
    async with hosting(authority) as case, case.host("web") as host:
        url = f"{host.url}/API/echo/alpha/a%2Fb?x=1&x=2&y=%C3%A9"
        headers = {"x-functions-key": host.function_key, "X-Asked": "so"}
        async with case.session.post(url, json={"n": [1, None]}, headers=headers) as response:
            assert response.status == 201
            assert response.content_type == "application/json"
            assert await response.json() == {
                "method": "POST",
                "route": {"kind": "alpha", "id": "a/b"},
                "query": {"x": "1,2", "y": "é"},
                "header": "so",
                "body": {"n": [1, None]},
            }
        async with case.session.put(f"{host.url}/api/open", data="world") as response:
            assert (response.status, await response.text()) == (200, "hello world")
            assert response.headers["X-Answer"] == "yes"
            cookie = response.cookies["session"]
            assert (cookie.value, cookie["httponly"], cookie["samesite"]) == ("abc", True, "Lax")
        async with case.session.get(f"{host.url}/api/text?say=hi") as response:
            assert (response.content_type, await response.text()) == ("text/plain", "hi")


async def test_who_is_turned_away(authority: Authority) -> None:
    async with hosting(authority) as case, case.host("web") as host:
        for method, path, key, status in (
            ("POST", "/api/echo/alpha", "", 401),
            ("POST", "/api/echo/alpha", host.system_key, 401),
            ("POST", "/api/echo/alpha/1/2", host.function_key, 404),
            ("POST", "/api/echo/4711", host.function_key, 404),
            ("GET", "/api/echo/alpha", host.function_key, 404),
            ("GET", "/echo/alpha", host.function_key, 404),
            ("GET", "/api/admin", host.function_key, 401),
            ("GET", "/api/admin", host.master_key, 200),
            ("GET", "/api/fails", "", 500),
            ("POST", "/runtime/webhooks/EventHub", host.master_key, 404),
        ):
            async with case.session.request(method, host.url + path, params={"code": key}) as response:
                assert response.status == status, (method, path)
                assert status == 200 or await response.text() == ""


async def test_the_worker_sees_only_what_it_was_given(authority: Authority, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLANTED", "of whoever runs the host")
    for name in ("COVERAGE_PROCESS_START", "COVERAGE_PROCESS_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    async with (
        hosting(authority) as case,
        case.host("web", {"GIVEN": "yes"}) as host,
        case.session.get(f"{host.url}/api/environment") as response,
    ):
        told = await response.json(content_type=None)
    variables = told["variables"]
    assert variables.pop("GIVEN") == "yes"
    assert set(variables) - {"LC_CTYPE"} == {"PATH", "HOME", "LANG"}
    assert told["home"] == []
    assert told["cwd"] == str(APPS / "web")


def function(route: str, *methods: str) -> FunctionDefinition:
    trigger = HttpTrigger("req", route, frozenset(methods), "anonymous")
    return FunctionDefinition(route, route, trigger, {}, "$return", None)


def answering(method: str, path: str, *functions: FunctionDefinition) -> tuple[str, dict[str, str]] | None:
    for route in routes(functions):
        params = route.match(method, path)
        if params is not None:
            return route.function.name, dict(params)
    return None


def test_the_closest_route_answers() -> None:
    every = [function(route) for route in ("{*rest}", "a/{x}", "a/{x:int}", "a/b", "a/{x}/{y?}", "{flag:bool}/c")]
    assert answering("GET", "/a/b", *every) == ("a/b", {})
    assert answering("GET", "/A/7", *every) == ("a/{x:int}", {"x": "7"})
    assert answering("GET", "/a/z", *every) == ("a/{x}", {"x": "z"})
    assert answering("GET", "/a/z/y", *every) == ("a/{x}/{y?}", {"x": "z", "y": "y"})
    assert answering("GET", "/True/c", *every) == ("{flag:bool}/c", {"flag": "True"})
    assert answering("GET", "/q/w/e", *every) == ("{*rest}", {"rest": "q/w/e"})
    assert answering("GET", "/", *every) == ("{*rest}", {"rest": ""})
    assert answering("PUT", "/a", function("a", "GET")) is None


@given(st.text())
def test_a_template_is_understood_or_refused(route: str) -> None:
    try:
        routes([function(route)])
    except HostError:
        assert "{" in route
