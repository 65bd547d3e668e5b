"""The hooks that azd runs around a deployment, as it runs them: scripts with an environment, an `azd`, and Azure."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest

from shared.domain.operator import ROLE

_HOOKS = Path(__file__).resolve().parent.parent / "infra" / "hooks"
_SUBSCRIPTION = "11111111-2222-3333-4444-555555555555"
_PRINCIPAL = "aaaaaaaa-0000-0000-0000-000000000001"
_SCOPE = f"/subscriptions/{_SUBSCRIPTION}"
_SITE = f"{_SCOPE}/resourceGroups/rg-airlock-test/providers/Microsoft.Web/sites/func-airlock"
_TOKEN = "a token of the deployer"
_AZD = f"""#!{sys.executable}
import json, os, sys
if sys.argv[1:3] == ["auth", "token"]:
    print(json.dumps({{"token": {_TOKEN!r}}}))
elif sys.argv[1:3] == ["env", "set"]:
    with open(os.environ["REMEMBERED"], "a") as told:
        print(json.dumps(sys.argv[3:]), file=told)
else:
    sys.exit(2)
"""


@dataclass
class Cloud:
    """Azure Resource Manager and Graph as far as hooks see them: lists by path, and whatever was written."""

    lists: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    written: list[tuple[str, str, Any]] = field(default_factory=list)
    refuses: set[str] = field(default_factory=set)
    busy: int = 0
    young: int = 0
    slow_path: str = ""
    state: str = "Succeeded"

    def answer(self, method: str, path: str, body: Any) -> tuple[int, Any]:  # noqa: ANN401 - any JSON
        if self.busy:
            self.busy -= 1
            return 503, {"error": {"code": "ServiceUnavailable", "message": "busy"}}
        if method in self.refuses:
            return 403, {"error": {"code": "AuthorizationFailed", "message": "the deployer may not"}}
        if method == "GET":
            return 200, {"value": self.lists.get(path, [])}
        self.written.append((method, path, body))
        if self.young or path == self.slow_path:
            self.young, self.slow_path = max(self.young - 1, 0), ""
            return 404, {"error": {"code": "NotFound", "message": "not known everywhere yet"}}
        made = {**(body or {}), "appId": "client-id", "id": "object-id"}
        if method == "PUT":
            made["properties"] = {**made["properties"], "provisioningState": self.state}
        return 200, made


@pytest.fixture
def cloud() -> Cloud:
    return Cloud()


@pytest.fixture
def endpoint(cloud: Cloud) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def _any(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length)) if length else None
            assert self.headers["Authorization"] == f"Bearer {_TOKEN}"
            status, told = cloud.answer(self.command, urlsplit(self.path).path, body)
            content = json.dumps(told).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_PUT = do_PATCH = do_POST = do_DELETE = _any  # noqa: N815 - http.server calls them so

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    thread.join()
    server.server_close()


@dataclass(frozen=True)
class Ended:
    status: int
    said: str
    remembered: dict[str, str]


@dataclass(frozen=True)
class Azd:
    """Runs hooks with an azd of the test's own."""

    home: Path
    endpoint: str

    def run(self, hook: str, **values: str) -> Ended:
        azd, remembered = self.home / "azd", self.home / "remembered"
        azd.write_text(_AZD, encoding="utf-8")
        azd.chmod(0o755)
        environment = {
            "PATH": f"{self.home}{os.pathsep}{os.environ['PATH']}",
            "REMEMBERED": str(remembered),
            "AIRLOCK_ARM_ENDPOINT": self.endpoint,
            "AIRLOCK_GRAPH_ENDPOINT": self.endpoint,
            "AZURE_SUBSCRIPTION_ID": _SUBSCRIPTION,
            "AZURE_ENV_NAME": "test",
            **values,
        }
        command = [sys.executable, "-S", str(_HOOKS / f"{hook}.py")]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)  # noqa: S603 - our own hook
        lines = remembered.read_text(encoding="utf-8").splitlines() if remembered.exists() else []
        assert _TOKEN not in done.stdout + done.stderr
        return Ended(done.returncode, done.stdout + done.stderr, dict(json.loads(line) for line in lines))


@pytest.fixture
def azd(tmp_path: Path, endpoint: str) -> Azd:
    return Azd(tmp_path, endpoint)


def _topic(group: str, *, identity: str = "SystemAssigned", source: str = _SCOPE) -> dict[str, Any]:
    return {
        "id": f"{_SCOPE}/resourceGroups/{group}/providers/Microsoft.EventGrid/systemTopics/theirs",
        "name": "theirs",
        "identity": {"type": identity},
        "properties": {"topicType": "microsoft.resources.subscriptions", "source": source},
    }


_TOPICS = f"{_SCOPE}/providers/Microsoft.EventGrid/systemTopics"


def test_a_system_topic_that_is_there_is_used(cloud: Cloud, azd: Azd) -> None:
    other = _topic("rg-else", source=f"{_SCOPE}/resourceGroups/one")
    cloud.lists[_TOPICS] = [other, _topic("rg-shared")]
    ended = azd.run("before_provision", AIRLOCK_OPERATORS="none")
    assert ended.status == 0, ended.said
    assert ended.remembered == {"AIRLOCK_SYSTEM_TOPIC": "theirs", "AIRLOCK_SYSTEM_TOPIC_GROUP": "rg-shared"}


def test_our_own_topic_of_the_last_deployment_is_not_taken_for_somebody_elses(cloud: Cloud, azd: Azd) -> None:
    cloud.lists[_TOPICS] = [_topic("rg-airlock-test")]
    ended = azd.run("before_provision", AIRLOCK_OPERATORS="none")
    assert (ended.status, ended.remembered) == (0, {})


def test_a_topic_that_cannot_deliver_ends_the_deployment_before_it_begins(cloud: Cloud, azd: Azd) -> None:
    cloud.lists[_TOPICS] = [_topic("rg-shared", identity="None")]
    ended = azd.run("before_provision", AIRLOCK_OPERATORS="none")
    assert ended.status == 1
    assert "no system-assigned identity" in ended.said


@pytest.mark.parametrize(
    "told, complaint",
    [
        ("AIRLOCK_MOD=enforce", "the nearest is AIRLOCK_MODE"),
        ("AIRLOCK_MODE", "not NAME=value"),
        ("AIRLOCK_MODE=audit;AIRLOCK_ENFORCE_TSL=off", "the nearest is AIRLOCK_ENFORCE_TLS"),
    ],
)
def test_an_unknown_setting_ends_the_deployment_before_it_begins(azd: Azd, told: str, complaint: str) -> None:
    ended = azd.run("before_provision", AIRLOCK_OPERATORS="none", AIRLOCK_SETTINGS=told)
    assert ended.status == 1
    assert complaint in ended.said


def test_known_settings_pass(azd: Azd) -> None:
    told = "AIRLOCK_MODE=enforce; AIRLOCK_ENFORCE_TLS=off;"
    assert azd.run("before_provision", AIRLOCK_OPERATORS="none", AIRLOCK_SETTINGS=told).status == 0


def test_the_operators_application_is_registered(cloud: Cloud, azd: Azd) -> None:
    cloud.busy = 1
    ended = azd.run("before_provision")
    assert ended.status == 0, ended.said
    assert ended.remembered == {"AIRLOCK_OPERATOR_AUDIENCE": "client-id"}
    written = {path: body for _, path, body in cloud.written}
    (role,) = written["/v1.0/applications"]["appRoles"]
    assert role["value"] == ROLE
    assert written["/v1.0/servicePrincipals"]["appRoleAssignmentRequired"] is True
    assert written["/v1.0/applications/object-id"] == {"identifierUris": ["api://client-id"]}


def test_an_application_of_that_name_is_not_taken_over(cloud: Cloud, azd: Azd) -> None:
    cloud.lists["/v1.0/applications"] = [{"appId": "somebody-else", "id": "object-id"}]
    ended = azd.run("before_provision")
    assert (ended.status, ended.remembered, cloud.written) == (0, {}, [])
    assert "Look who owns it" in ended.said


def test_a_registration_that_is_not_known_everywhere_yet_is_waited_for(cloud: Cloud, azd: Azd) -> None:
    cloud.lists["/v1.0/applications"] = []
    cloud.slow_path = "/v1.0/servicePrincipals"
    ended = azd.run("before_provision")
    assert ended.remembered == {"AIRLOCK_OPERATOR_AUDIENCE": "client-id"}


def test_without_the_right_to_register_all_else_goes_on(cloud: Cloud, azd: Azd) -> None:
    cloud.refuses = {"POST"}
    ended = azd.run("before_provision")
    assert (ended.status, ended.remembered) == (0, {})
    assert "docs/deploy.md" in ended.said


def test_rights_go_with_the_setting_that_called_for_them(cloud: Cloud, azd: Azd) -> None:
    definitions = f"{_SCOPE}/providers/Microsoft.Authorization/roleDefinitions"
    assignments = f"{_SCOPE}/providers/Microsoft.Authorization/roleAssignments"
    cloud.lists[definitions] = [
        {"id": f"{definitions}/ours", "properties": {"roleName": f"Airlock enforce-tls ({_SUBSCRIPTION})"}},
        {"id": f"{definitions}/else", "properties": {"roleName": "Somebody's"}},
    ]
    cloud.lists[assignments] = [
        _assignment("wanted", "ours"),
        _assignment("stale", "OURS"),
        _assignment("foreign", "else"),
        _assignment("elsewhere", "ours", scope=f"{_SCOPE}/resourceGroups/rg"),
    ]
    ended = azd.run("after_provision", AIRLOCK_PRINCIPAL_ID=_PRINCIPAL, AIRLOCK_ROLE_ASSIGNMENTS=json.dumps(["wanted"]))
    assert ended.status == 0, ended.said
    assert [(method, unquote(path)) for method, path, _ in cloud.written] == [("DELETE", f"{assignments}/stale")]


def _assignment(name: str, role: str, *, scope: str = _SCOPE) -> dict[str, Any]:
    at = f"{_SCOPE}/providers/Microsoft.Authorization"
    about = {"roleDefinitionId": f"{at}/roleDefinitions/{role}", "scope": scope, "principalId": _PRINCIPAL}
    return {"id": f"{at}/roleAssignments/{name}", "name": name, "properties": about}


def test_the_private_app_opens_for_one_address_and_closes_again(cloud: Cloud, azd: Azd) -> None:
    private = {"AIRLOCK_DELIVERY": "private", "AIRLOCK_APP_ID": _SITE}
    assert azd.run("before_deploy", **private, AIRLOCK_DEPLOY_FROM="203.0.113.9").status == 0
    opened = {path: body["properties"] for _, path, body in cloud.written}
    assert opened[_SITE] == {"publicNetworkAccess": "Enabled"}
    assert opened[f"{_SITE}/config/web"]["ipSecurityRestrictionsDefaultAction"] == "Deny"
    assert opened[f"{_SITE}/config/web"]["scmIpSecurityRestrictionsDefaultAction"] == "Deny"
    assert [rule["ipAddress"] for rule in opened[f"{_SITE}/config/web"]["scmIpSecurityRestrictions"]] == [
        "203.0.113.9/32"
    ]
    # The rules stand before the door opens.
    assert [path for _, path, _ in cloud.written] == [f"{_SITE}/config/web", _SITE]

    cloud.written.clear()
    assert azd.run("after_deploy", **private).status == 0
    closed = {path: body["properties"] for _, path, body in cloud.written}
    assert closed[_SITE] == {"publicNetworkAccess": "Disabled"}
    assert closed[f"{_SITE}/config/web"]["scmIpSecurityRestrictions"] == []


@pytest.mark.parametrize("address", ["0.0.0.0/0", "the office", "::1"])
def test_the_door_opens_to_no_more_than_one_address(cloud: Cloud, azd: Azd, address: str) -> None:
    ended = azd.run("before_deploy", AIRLOCK_DELIVERY="private", AIRLOCK_APP_ID=_SITE, AIRLOCK_DEPLOY_FROM=address)
    assert ended.status == 1
    assert cloud.written == []


@pytest.mark.parametrize(
    "values", [{"AIRLOCK_DELIVERY": "push"}, {"AIRLOCK_DELIVERY": "private", "AIRLOCK_DEPLOY_FROM": "network"}]
)
def test_nothing_opens_that_need_not(cloud: Cloud, azd: Azd, values: dict[str, str]) -> None:
    assert azd.run("before_deploy", AIRLOCK_APP_ID=_SITE, **values).status == 0
    assert cloud.written == []


def test_with_push_the_event_subscriptions_are_made_as_bicep_wrote_them(cloud: Cloud, azd: Azd) -> None:
    topic = f"{_SCOPE}/resourceGroups/rg/providers/Microsoft.EventGrid/systemTopics/t/eventSubscriptions"
    wanted = [{"id": f"{topic}/{name}", "properties": {"filter": {"n": name}}} for name in ("one", "two")]
    ended = azd.run("after_deploy", AIRLOCK_DELIVERY="push", AIRLOCK_EVENT_SUBSCRIPTIONS=json.dumps(wanted))
    assert ended.status == 0, ended.said
    assert cloud.written == [("PUT", each["id"], {"properties": each["properties"]}) for each in wanted]


def test_a_function_that_is_not_known_yet_is_waited_for(cloud: Cloud, azd: Azd) -> None:
    cloud.young = 1
    wanted = [{"id": f"{_SCOPE}/resourceGroups/rg/one", "properties": {}}]
    ended = azd.run("after_deploy", AIRLOCK_DELIVERY="push", AIRLOCK_EVENT_SUBSCRIPTIONS=json.dumps(wanted))
    assert ended.status == 0, ended.said
    assert len(cloud.written) == 2


def test_a_subscription_that_event_grid_gives_up_ends_azd(cloud: Cloud, azd: Azd) -> None:
    cloud.state = "Failed"
    wanted = [{"id": f"{_SCOPE}/resourceGroups/rg/one", "properties": {}}]
    ended = azd.run("after_deploy", AIRLOCK_DELIVERY="push", AIRLOCK_EVENT_SUBSCRIPTIONS=json.dumps(wanted))
    assert ended.status == 1
    assert "did not take" in ended.said


def test_what_azure_refuses_is_told_and_ends_azd(cloud: Cloud, azd: Azd) -> None:
    cloud.refuses = {"PATCH"}
    ended = azd.run("after_deploy", AIRLOCK_DELIVERY="private", AIRLOCK_APP_ID=_SITE)
    assert ended.status == 1
    assert "403 AuthorizationFailed: the deployer may not" in ended.said


def test_outside_of_azd_a_hook_says_what_is_missing(azd: Azd) -> None:
    ended = azd.run("after_deploy")
    assert ended.status == 1
    assert "AIRLOCK_DELIVERY is not set" in ended.said
