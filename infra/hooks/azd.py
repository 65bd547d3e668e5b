"""What the hooks need of azd and Azure. The standard library alone, since hooks run on whatever Python is there."""

import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NoReturn

_ARM = "https://management.azure.com"
_GRAPH = "https://graph.microsoft.com"
_SECONDS = 60
# A minute in all: 1, 2, 4, 8, 16 and 32 seconds.
_ATTEMPTS = 7
_BUSY = frozenset({409, 429, 500, 502, 503, 504})
_YOUNG = frozenset({400, 404})


class NotDone(Exception):  # noqa: N818 - it is about Azure's answer, not about an error in here
    """Azure did not do it. `status` is the HTTP status, `code` and the text are Azure's own."""

    def __init__(self, status: int, code: str, text: str) -> None:
        self.status = status
        self.code = code
        super().__init__(f"{status} {code}: {text}")


@dataclass(frozen=True)
class Service:
    """A REST service that takes the deployer's token. `endpoint` without a slash at its end."""

    endpoint: str
    token: str

    def call(
        self, method: str, path: str, body: dict[str, Any] | None = None, *, young: bool = False
    ) -> dict[str, Any]:
        """The answer's JSON, empty if it has none. Busy answers are waited for, and with `young` also those that tell
        that something which was made a moment ago is not known everywhere yet. Raises NotDone."""
        passing = _BUSY | _YOUNG if young else _BUSY
        for attempt in range(_ATTEMPTS):
            try:
                return self._once(method, path, body)
            except NotDone as problem:
                if problem.status not in passing or attempt == _ATTEMPTS - 1:
                    raise
                time.sleep(2**attempt)
        raise AssertionError("the last attempt returns or raises")

    def listed(self, path: str) -> list[dict[str, Any]]:
        """All items of a list, whatever its pages. Raises NotDone."""
        found: list[dict[str, Any]] = []
        while path:
            page = self.call("GET", path)
            found += page.get("value", [])
            link = page.get("nextLink") or ""
            # Another host would get the token.
            path = link.removeprefix(self.endpoint) if link.startswith(f"{self.endpoint}/") else ""
        return found

    def _once(self, method: str, path: str, body: dict[str, Any] | None) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.endpoint}{path}", data, headers, method=method)  # noqa: S310 - the endpoint is ours
        try:
            with urllib.request.urlopen(request, timeout=_SECONDS) as answer:  # noqa: S310 - as above
                text = answer.read()
        except urllib.error.HTTPError as problem:
            raise _refused(problem.code, problem.read()) from None
        except urllib.error.URLError as problem:
            raise NotDone(503, "Unreachable", f"{self.endpoint} does not answer: {problem.reason}") from None
        answered: dict[str, Any] = json.loads(text) if text else {}
        return answered


def arm() -> Service:
    """Azure Resource Manager, in the cloud that AIRLOCK_ARM_ENDPOINT names."""
    endpoint = os.environ.get("AIRLOCK_ARM_ENDPOINT", _ARM).rstrip("/")
    return Service(endpoint, _token(f"{endpoint}/.default"))


def graph() -> Service:
    """Microsoft Graph, where app registrations are."""
    endpoint = os.environ.get("AIRLOCK_GRAPH_ENDPOINT", _GRAPH).rstrip("/")
    return Service(endpoint, _token(f"{endpoint}/.default"))


def remember(name: str, value: str) -> None:
    """Sets a value of the azd environment, which the deployment's parameters are taken from."""
    subprocess.run(["azd", "env", "set", name, value], check=True)  # noqa: S603, S607 - azd called us


def given(name: str) -> str:
    """A value of the azd environment that has to be there."""
    value = os.environ.get(name, "")
    if not value:
        give_up(f"{name} is not set. Run this through azd: azd provision, azd deploy, or azd up.")
    return value


def say(text: str) -> None:
    """A line for whoever runs azd."""
    print(f"  airlock: {text}", flush=True)  # noqa: T201 - hooks speak through standard output


def give_up(text: str) -> NoReturn:
    """Ends the hook, and with it what azd was about to do."""
    say(text)
    sys.exit(1)


def run(hook: Callable[[], None]) -> None:
    """Runs the hook, and ends azd with what Azure refused."""
    try:
        hook()
    except NotDone as problem:
        give_up(f"Azure refused: {problem}")


def _token(scope: str) -> str:
    command = ["azd", "auth", "token", "--output", "json", "--scope", scope]
    done = subprocess.run(command, check=False, capture_output=True, text=True)  # noqa: S603 - azd called us
    if done.returncode != 0:
        give_up("azd has no token for Azure. Run azd auth login.")
    token: str = json.loads(done.stdout)["token"]
    return token


def _refused(status: int, content: bytes) -> NotDone:
    try:
        error = json.loads(content).get("error", {})
    except ValueError:
        error = {}
    return NotDone(status, str(error.get("code", "")), str(error.get("message", ""))[:500])
