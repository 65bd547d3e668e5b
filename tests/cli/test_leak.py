"""`airlock leak` as people run it, against a topic that only takes what Event Grid would.

What depends on a process of its own is run in one: pipes, terminals, the ways to sign in. Inputs are tried in ours.
"""

import asyncio
import base64
import json
import os
import pty
import ssl
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from unittest import mock

import pytest
from aiohttp import connector, web

from local.certificate import Certificate
from local.identity import PATH, IdentityService, bearer_of, claims_of
from shared.azure.exposures import publish_exposures
from shared.domain.arm_id import parse_arm_id
from shared.domain.body import Json, JsonObject
from shared.domain.exposure import Exposure, parse_exposure
from shared.domain.failure import TryAgain
from shared.domain.secret import digest
from tests.cli.command import airlock, airlock_inside
from tests.local.arm_world import DEV, serve

COGNITIVE = "0f1e2d3c4b5a69788796a5b4c3d2e1f0"
SEARCH = "Zq3" + "aB9xK2mN7pL4" * 4 + "e"
STORAGE = base64.b64encode(bytes(range(3, 67))).decode()
PASSWORD = "hunter2-of-contoso"
ACCOUNT = "/subscriptions/s/resourceGroups/rg/providers/Microsoft.CognitiveServices/accounts/oai-chat-prod"
BATCH = "application/cloudevents-batch+json; charset=utf-8"

type Ended = subprocess.CompletedProcess[str]


@dataclass
class Topic:
    """A custom topic that answers the given statuses, one a call, and 200 when they are used up."""

    statuses: list[int] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)
    calls: list[bytes] = field(default_factory=list)
    url: str = ""
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def host(self) -> str:
        return self.url.removeprefix("https://").removesuffix("/api/events")

    @property
    def events(self) -> list[JsonObject]:
        return [event for call in self.calls for event in json.loads(call)]

    async def take(self, request: web.Request) -> web.Response:
        body = await request.read()
        self.calls.append(body)
        audience = claims_of(bearer_of(request) or "").get("aud")
        assert (audience, request.headers["Content-Type"]) == ("https://eventgrid.azure.net", BATCH)
        assert request.query["api-version"] == "2018-01-01"
        if not self.statuses:
            return web.Response()
        # Event Grid's own words may quote what it was sent.
        error = {"error": {"code": "Refused", "message": f"no: {body.decode()}"}}
        return web.json_response(error, status=self.statuses.pop(0), headers=self.headers)

    async def told(self, *arguments: str, stdin: bytes = b"", command: Callable[..., Ended] = airlock_inside) -> Ended:
        """What the command says that is given this topic, having checked that neither it nor the topic saw a secret."""
        environment = {"AIRLOCK_ALERTS_TOPIC": self.url, **self.environment}
        # aiohttp reads SSL_CERT_FILE as it is imported, which in this process it has been.
        trusting = ssl.create_default_context(cafile=self.environment["SSL_CERT_FILE"])
        with mock.patch.object(connector, "_SSL_CONTEXT_VERIFIED", trusting):
            done = await asyncio.to_thread(command, "leak", *arguments, stdin=stdin, **environment)
        assert_hidden(done.stdout, done.stderr, *(call.decode() for call in self.calls))
        assert not any(digest(key) in done.stdout + done.stderr for key in (COGNITIVE, SEARCH, STORAGE))
        return done


def assert_hidden(*texts: str) -> None:
    parts = [key[at : at + 10] for key in (COGNITIVE, SEARCH, STORAGE, PASSWORD) for at in range(len(key) - 9)]
    assert [text for text in texts if any(part in text for part in parts)] == []


@asynccontextmanager
async def topic(directory: Path, *statuses: int, **headers: str) -> AsyncIterator[Topic]:
    """A topic over TLS, and an identity that may ask for tokens."""
    answering = Topic(list(statuses), {name.replace("_", "-"): value for name, value in headers.items()})
    app = web.Application()
    app.router.add_post("/api/events", answering.take)
    certificate = Certificate.issue(directory)
    identity = IdentityService([DEV], "header", time.time).application()
    async with serve(app, certificate.server) as url, serve(identity) as endpoint:
        answering.url = f"{url}/api/events"
        answering.environment = {
            "AZURE_TOKEN_CREDENTIALS": "ManagedIdentityCredential",
            "IDENTITY_ENDPOINT": endpoint + PATH,
            "IDENTITY_HEADER": "header",
            "SSL_CERT_FILE": str(certificate.ca_file),
        }
        yield answering


def finding(secret: str, file: str, line: int = 3) -> Json:
    commit = "7d4f09c2a1b83e56d7f0c4a9182b3c5d6e7f8091"
    match = f'KEY="{secret}"'
    return {"RuleID": "k", "Secret": secret, "Match": match, "File": file, "StartLine": line, "Commit": commit}


def report(*findings: Json) -> bytes:
    return json.dumps(findings).encode()


async def test_one_key_from_a_pipe(tmp_path: Path) -> None:
    async with topic(tmp_path) as events:
        done = await events.told(
            "--found-at", "wiki", "--resource", ACCOUNT, stdin=f"{COGNITIVE}\n".encode(), command=airlock
        )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == (
        f"Told {events.host} of 1 key:\n"
        "  wiki\n"
        "Airlock rotates the account whose current key matches; see the log for the\n"
        "outcome, Fixed or Refused.\n"
    )
    (event,) = events.events
    assert (event["type"], event["source"], event["subject"]) == ("Airlock.SecretExposed", "airlock/leak", ACCOUNT)
    data = event["data"]
    assert isinstance(data, dict)
    assert parse_exposure(data) == Exposure(digest(COGNITIVE), "wiki", parse_arm_id(ACCOUNT))


async def test_a_report_is_one_call_with_an_event_for_each_key(tmp_path: Path) -> None:
    found = report(
        finding(COGNITIVE, "deploy.env"),
        finding(f"AccountName=st;AccountKey={STORAGE}", f"{COGNITIVE}/{STORAGE}.env"),
        finding(COGNITIVE, "b.env"),
        finding("REDACTED", "c.env"),
        finding(PASSWORD, f"{PASSWORD}.env"),
    )
    async with topic(tmp_path) as events:
        done = await events.told(stdin=found)
        again = await events.told("--json", stdin=found)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == (
        f"Told {events.host} of 2 keys:\n"
        "  deploy.env:3 7d4f09c2a1b8 and 1 more\n"
        "  [redacted]/[redacted].env:3 7d4f09c2a1b8\n"
        "Skipped 2 findings: 1 redacted, 1 not like a key of an Azure account.\n"
        "Airlock rotates the account whose current key matches; see the log for the\n"
        "outcome, Fixed or Refused.\n"
    )
    told = json.loads(again.stdout)
    assert told == {
        "published": 2,
        "skipped": 2,
        "findings": [
            {"foundAt": "deploy.env:3 7d4f09c2a1b8 and 1 more", "cause": Exposure(digest(COGNITIVE)).cause},
            {"foundAt": "[redacted]/[redacted].env:3 7d4f09c2a1b8", "cause": Exposure(digest(STORAGE)).cause},
        ],
    }
    first, second = (json.loads(call) for call in events.calls)
    assert [event["subject"] for event in first] == ["unknown", "unknown"]
    assert len({event["id"] for event in first}) == 2
    assert [event["id"] for event in first] == [event["id"] for event in second], "telling again is a duplicate"


async def test_a_thousand_keys_are_several_calls_of_less_than_1_mb(tmp_path: Path) -> None:
    # Long ids and letters that take six bytes each make the largest events there can be.
    group = f"/subscriptions/s/resourceGroups/{'ü' * 80}/providers/Microsoft.Search/searchServices/s"
    found = report(*(finding(f"{at:032x}", "ü" * 80) for at in range(1000)))
    async with topic(tmp_path) as events:
        done = await events.told("--resource", group, stdin=found)
    assert (done.returncode, done.stderr) == (0, "")
    assert len(events.events) == 1000
    assert len(events.calls) > 1
    assert max(map(len, events.calls)) < 1_000_000
    assert "  and 980 more, which --json lists\n" in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 80


async def test_a_dry_run_tells_nobody(tmp_path: Path) -> None:
    async with topic(tmp_path) as events:
        done = await events.told("--dry-run", stdin=report(finding(SEARCH, "deploy.env")))
        listed = await events.told("--dry-run", "--json", stdin=report(finding(SEARCH, "deploy.env")))
    assert (done.returncode, done.stderr, events.calls) == (0, "", [])
    assert done.stdout == "Dry run: would tell of 1 key:\n  deploy.env:3 7d4f09c2a1b8\n"
    assert json.loads(listed.stdout)["published"] == 0
    assert airlock_inside("leak", "--dry-run", stdin=SEARCH.encode()).stdout == "Dry run: would tell of 1 key.\n"


async def test_a_report_without_findings_is_good_news(tmp_path: Path) -> None:
    async with topic(tmp_path) as events:
        done = await events.told(stdin=b"[]")
    assert (done.returncode, done.stdout, done.stderr) == (0, f"Told {events.host} of no key.\n", "")
    assert events.calls == []


@pytest.mark.parametrize(
    "status, advice",
    [
        (401, "az login as one with the role EventGrid Data Sender on the topic"),
        (403, "az login as one with the role EventGrid Data Sender on the topic"),
        (404, "az eventgrid topic show --query endpoint tells it"),
        (400, "it needs the input schema CloudEventSchemaV1_0"),
        (413, "413 Refused: "),
    ],
)
async def test_a_topic_that_refuses_ends_with_1_and_what_to_do(tmp_path: Path, status: int, advice: str) -> None:
    async with topic(tmp_path, status) as events:
        done = await events.told(stdin=STORAGE.encode())
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"airlock: the topic {events.host} was not told: ")
    assert advice in done.stderr
    assert done.stderr.count("\n") == 1
    assert len(events.calls) == 1


async def test_a_topic_that_is_busy_is_told_again(tmp_path: Path) -> None:
    async with topic(tmp_path, 503, 429) as events:
        done = await events.told(stdin=STORAGE.encode())
    assert (done.returncode, done.stderr) == (0, "")
    assert events.calls == events.calls[:1] * 3


async def test_nobody_waits_longer_than_half_a_minute(tmp_path: Path) -> None:
    async with topic(tmp_path, 503, Retry_After="60") as events:
        done = await events.told(stdin=STORAGE.encode())
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.endswith("telling again does no harm\n")
    assert len(events.calls) == 1, "the SDK would have waited a minute and told again"


@pytest.mark.parametrize(
    "credential,command",
    [("ManagedIdentityCredential", airlock_inside), ("AzureCliCredential", airlock), ("dev", airlock)],
)
async def test_without_a_token_it_says_how_to_sign_in(
    tmp_path: Path, credential: str, command: Callable[..., Ended]
) -> None:
    async with topic(tmp_path) as events:
        events.environment |= {"IDENTITY_HEADER": "wrong", "AZURE_TOKEN_CREDENTIALS": credential}
        # Whoever runs the tests may have signed in.
        events.environment |= {"PATH": "", "HOME": str(tmp_path), "AZURE_CONFIG_DIR": str(tmp_path)}
        done = await events.told(stdin=STORAGE.encode(), command=command)
    assert (done.returncode, done.stdout, events.calls) == (1, "", [])
    why = "there is no Entra token: run az login, then this again"
    assert done.stderr == f"airlock: the topic {events.host} was not told: {why}\n"


async def test_a_host_without_a_trusted_certificate_hears_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with topic(tmp_path) as events:
        for name in ("AZURE_TOKEN_CREDENTIALS", "IDENTITY_ENDPOINT", "IDENTITY_HEADER"):
            monkeypatch.setenv(name, events.environment[name])
        with pytest.raises(TryAgain, match="CERTIFICATE_VERIFY_FAILED"):
            await publish_exposures(events.url, [Exposure(digest(STORAGE))], datetime.now(UTC), timedelta(0))
    assert events.calls == []


@pytest.mark.parametrize(
    "url",
    [
        "",
        "http://t.eventgrid.azure.net/api/events",
        "t.eventgrid.azure.net",
        "https://",
        "https://user@t.eventgrid.azure.net",
        "https://t.eventgrid.azure.net:x/",
        "https://t.eventgrid.azure.net/api/events?code=1",
        "https://[",
    ],
)
def test_a_topic_is_an_https_address(url: str) -> None:
    done = airlock_inside("leak", "--topic", url, stdin=STORAGE.encode())
    assert (done.returncode, done.stdout) == (2, "")
    assert "Error: Invalid value for --topic: " in done.stderr


def test_a_resource_is_an_arm_id() -> None:
    done = airlock_inside("leak", "--dry-run", "--resource", f"accounts/{STORAGE}", stdin=STORAGE.encode())
    assert (done.returncode, done.stdout) == (2, "")
    assert "an ARM id begins with /subscriptions/{id}" in done.stderr
    assert_hidden(done.stderr)


def test_unusable_input_ends_with_2_and_is_not_repeated() -> None:
    done = airlock("leak", "--dry-run", stdin=f"{STORAGE}\n{COGNITIVE}\n{PASSWORD}".encode())
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("airlock: standard input: holds more than one key in one line")
    assert_hidden(done.stderr)


@pytest.mark.parametrize(
    "arguments",
    [[COGNITIVE], ["--", STORAGE], ["--dry-run", f"/{SEARCH}"], ["--secret", SEARCH], [f"--key={SEARCH}"]],
)
def test_a_key_as_an_argument_is_refused_and_not_repeated(arguments: list[str]) -> None:
    done = airlock_inside("leak", *arguments, stdin=COGNITIVE.encode())
    assert (done.returncode, done.stdout) == (2, "")
    assert_hidden(done.stderr)


def test_no_option_takes_a_secret() -> None:
    done = airlock_inside("leak", "--help")
    options = {word for row in done.stdout.splitlines() for word in row.split()[:1] if word.startswith("--")}
    assert options == {"--topic", "--found-at", "--resource", "--format", "--dry-run", "--json"}
    assert "Usage: airlock leak [OPTIONS]\n" in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 80


def test_a_terminal_is_asked_and_does_not_show_the_key() -> None:
    controller, terminal = pty.openpty()
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("AIRLOCK_", "COVERAGE_"))}
    asked = subprocess.Popen(
        [sys.executable, "-m", "cli.main", "leak", "--dry-run"],
        stdin=terminal,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**environment, "COLUMNS": "80"},
        start_new_session=True,  # away from the terminal of whoever runs the tests
    )
    assert asked.stderr is not None
    prompt = b"Key (not shown): "
    seen = asked.stderr.read(len(prompt))
    os.write(controller, f"{STORAGE}\n".encode())
    out, error = asked.communicate(timeout=30)
    os.write(terminal, b"that is all")
    echoed = os.read(controller, 1000).decode()
    os.close(terminal)
    os.close(controller)
    assert (seen, asked.returncode, out) == (prompt, 0, b"Dry run: would tell of 1 key.\n")
    assert echoed.strip() == "that is all"
    assert_hidden(error.decode())
