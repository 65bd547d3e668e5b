"""The commands of operators as people run them, against an app that lets in whom the deployed one would."""

import asyncio
import json
import ssl
import subprocess
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from unittest import mock

import pytest
from aiohttp import connector, web

from local.certificate import Certificate
from local.entra import OPERATOR_ROLE, EntraService, operator_token
from local.identity import PATH as IDENTITY_PATH
from shared.azure.operate import PATH, order
from shared.azure.tokens import EntraTokens
from shared.domain.body import JsonObject
from shared.domain.failure import Refused, TryAgain
from shared.domain.operator import MOST_BYTES, MOST_EVENTS, OperatorAct, OperatorRequest, parse_request
from tests.cli.command import airlock, airlock_inside
from tests.local.arm_world import DEV, TENANT, serve

AUDIENCE = "c3c3c3c3-0000-4000-8000-000000000003"
RECORD = "0123456789abcdef" * 2
TOLD = "fedcba9876543210" * 2
ACCOUNT = "/subscriptions/s/resourceGroups/rg/providers/Microsoft.CognitiveServices/accounts/oai-chat-prod"
GRID: JsonObject = {
    "id": "e1",
    "topic": "/subscriptions/s",
    "subject": ACCOUNT,
    "eventType": "Microsoft.Resources.ResourceWriteSuccess",
    "eventTime": "2026-11-24T11:00:00Z",
    "data": {"operationName": "Microsoft.CognitiveServices/accounts/write"},
}
CLOUD: JsonObject = {
    "specversion": "1.0",
    "id": "e2",
    "source": "/subscriptions/s",
    "subject": ACCOUNT,
    "type": "Microsoft.Resources.ResourceWriteSuccess",
}
DEAD_GRID: JsonObject = {**GRID, "deadLetterReason": "MaxDeliveryAttemptsExceeded", "deliveryAttempts": 30}
DEAD_CLOUD: JsonObject = {**CLOUD, "deadletterreason": "TimeToLiveExceeded", "publishtime": "2026-11-24T11:00:01Z"}

type Ended = subprocess.CompletedProcess[str]


@dataclass
class App:
    """A function app that takes requests of operators and answers each in its turn, the last answer ever again.

    `tokens` are all that were issued or shown to it.
    """

    directory: Path
    roles: Sequence[str] = (OPERATOR_ROLE,)
    answers: list[web.Response | JsonObject] = field(default_factory=list)
    requests: list[OperatorRequest] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)
    shown: list[str] = field(default_factory=list)
    issued: list[str] = field(default_factory=list)
    checks: EntraTokens = field(init=False)
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def host(self) -> str:
        return self.environment["AIRLOCK_APP"].removeprefix("https://")

    async def operate(self, request: web.Request) -> web.Response:
        raw = await request.read()
        self.sizes.append(len(raw))
        self.shown.append(request.headers["Authorization"])
        assert request.headers["Content-Type"] == "application/json"
        try:
            caller = await self.checks.caller(request.headers["Authorization"])
        except Refused as refused:
            return error(401, refused.cause.code, refused.cause.text)
        if not caller.may_operate:
            return error(403, "operator.not-allowed", "the caller does not have the app role Airlock.Operator")
        self.requests.append(parse_request(raw))
        if not self.answers:
            return web.json_response({"text": "AIR-007/storage is held", "records": [TOLD]}, status=202)
        answer = self.answers.pop(0)
        return answer if isinstance(answer, web.Response) else web.json_response(answer)

    async def token(self, request: web.Request) -> web.Response:
        """The endpoint of a managed identity that has the app role."""
        if "IDENTITY_HEADER" not in self.environment:
            return web.json_response({"statusCode": 400, "message": "no"}, status=400)
        token = operator_token(DEV, request.query["resource"], self.roles, time.time())
        self.issued.append(token)
        expires = str(int(time.time()) + 3600)
        told = {"access_token": token, "expires_on": expires, "token_type": "Bearer"}
        return web.json_response(told | {"resource": request.query["resource"]})

    async def told(
        self, *arguments: str | Path, stdin: bytes = b"", command: Callable[..., Ended] = airlock_inside
    ) -> Ended:
        """What the command says that is given this app, having checked that it showed no token."""
        # aiohttp reads SSL_CERT_FILE as it is imported, which in this process it has been.
        done = await asyncio.to_thread(command, *arguments, stdin=stdin, **self.environment)
        said = done.stdout + done.stderr
        assert not [token for token in self.issued if any(part in said for part in token.split("."))]
        assert max(map(len, done.stdout.splitlines()), default=0) <= 80
        assert done.stderr.count("\n") <= 1 or done.returncode == 2
        return done

    def answer(self, *answers: web.Response | JsonObject) -> None:
        self.answers = [*answers]


def error(status: int, code: str, message: str, **headers: str) -> web.Response:
    told = {"error": {"code": code, "message": message}}
    return web.json_response(told, status=status, headers={name.replace("_", "-"): headers[name] for name in headers})


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return Certificate.issue(tmp_path_factory.mktemp("tls"))


@pytest.fixture(autouse=True)
def trusting(certificate: Certificate) -> Iterator[None]:
    trusted = ssl.create_default_context(cafile=str(certificate.ca_file))
    with mock.patch.object(connector, "_SSL_CONTEXT_VERIFIED", trusted):
        yield


@pytest.fixture
async def app(certificate: Certificate, tmp_path: Path) -> AsyncIterator[App]:
    async with running(certificate, tmp_path) as one:
        yield one


@asynccontextmanager
async def running(certificate: Certificate, directory: Path) -> AsyncIterator[App]:
    one = App(directory)
    functions, identity = web.Application(client_max_size=2 * MOST_BYTES), web.Application()
    functions.router.add_post(PATH, one.operate)
    identity.router.add_get(IDENTITY_PATH, one.token)
    entra = EntraService(TENANT).application()
    async with (
        serve(functions, certificate.server) as url,
        serve(entra, certificate.server) as keys,
        serve(identity) as endpoint,
    ):
        one.checks = EntraTokens(TENANT, AUDIENCE, keys)
        one.environment = {
            "AIRLOCK_APP": url,
            "AIRLOCK_OPERATOR_AUDIENCE": AUDIENCE,
            "AZURE_TOKEN_CREDENTIALS": "ManagedIdentityCredential",
            "IDENTITY_ENDPOINT": endpoint + IDENTITY_PATH,
            "IDENTITY_HEADER": "header",
            "SSL_CERT_FILE": str(certificate.ca_file),
        }
        yield one


async def test_an_approval_from_the_shell(app: App) -> None:
    app.answer({"text": "AIR-001/cognitive-accounts is let through once, until 2026-11-25", "records": [TOLD]})
    done = await app.told("approve", RECORD, command=airlock)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == (f"AIR-001/cognitive-accounts is let through once, until 2026-11-25.\n  record {TOLD}\n")
    assert app.requests == [OperatorRequest(OperatorAct.APPROVE, RECORD)]


@pytest.mark.parametrize(
    "arguments, request_",
    [
        (["approve", RECORD.upper()], OperatorRequest(OperatorAct.APPROVE, RECORD)),
        (["release", RECORD], OperatorRequest(OperatorAct.RELEASE, RECORD)),
        (["undo", RECORD], OperatorRequest(OperatorAct.UNDO, RECORD)),
        (["undo", RECORD, "--hold", "90m"], OperatorRequest(OperatorAct.UNDO, RECORD, timedelta(minutes=90))),
        (["hold", RECORD], OperatorRequest(OperatorAct.HOLD, RECORD)),
        (["hold", "--for", "2w", RECORD], OperatorRequest(OperatorAct.HOLD, RECORD, timedelta(weeks=2))),
        (["replay", RECORD], OperatorRequest(OperatorAct.REPLAY, RECORD)),
        (["replay", "buried"], OperatorRequest(OperatorAct.REPLAY, store="buried")),
        (["replay", "dead-letters"], OperatorRequest(OperatorAct.REPLAY, store="dead-letters")),
    ],
)
async def test_every_command_asks_for_its_act(app: App, arguments: list[str], request_: OperatorRequest) -> None:
    done = await app.told(*arguments)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"AIR-007/storage is held.\n  record {TOLD}\n"
    assert app.requests == [request_]


async def test_options_go_before_the_environment(app: App) -> None:
    where = ["--app", app.environment["AIRLOCK_APP"] + "/", "--audience", f"api://{AUDIENCE}"]
    app.environment |= {"AIRLOCK_APP": "https://nowhere.example", "AIRLOCK_OPERATOR_AUDIENCE": TENANT}
    done = await app.told("release", RECORD, *where)
    assert (done.returncode, done.stderr) == (0, "")


async def test_the_answer_as_json(app: App) -> None:
    app.answer({"text": "done", "records": [TOLD, 7, "x", RECORD.upper()]})
    done = await app.told("release", RECORD, "--json")
    assert json.loads(done.stdout) == {"text": "done", "records": [TOLD, RECORD]}


@pytest.mark.parametrize(
    "text",
    [
        json.dumps([DEAD_GRID, CLOUD], indent=2),
        f"{json.dumps(GRID)}\n{json.dumps(DEAD_CLOUD)}\n",
        f"{json.dumps([DEAD_GRID])}\n{json.dumps([DEAD_CLOUD])}",
    ],
)
async def test_events_of_a_file_in_every_form(app: App, text: str) -> None:
    file = app.directory / "events.json"
    file.write_text(text)
    for arguments, stdin in ((["replay", str(file)], b""), (["replay", "-"], text.encode())):
        done = await app.told(*arguments, stdin=stdin)
        assert (done.returncode, done.stderr) == (0, "")
    assert app.requests == [OperatorRequest(OperatorAct.REPLAY, events=(GRID, CLOUD))] * 2


async def test_one_event_alone(app: App) -> None:
    await app.told("replay", "-", stdin=json.dumps(DEAD_CLOUD).encode())
    assert app.requests == [OperatorRequest(OperatorAct.REPLAY, events=(CLOUD,))]


async def test_many_events_are_several_requests(app: App) -> None:
    for number in (200, 200, 50):
        app.answers.append({"text": f"{number} events are in the queue again", "records": [TOLD]})
    events = [{**GRID, "id": f"e{number}"} for number in range(450)]
    done = await app.told("replay", "-", stdin=json.dumps(events).encode())
    assert (done.returncode, done.stderr) == (0, "")
    assert [len(request.events) for request in app.requests] == [MOST_EVENTS, MOST_EVENTS, 50]
    assert [event["id"] for request in app.requests for event in request.events] == [f"e{n}" for n in range(450)]
    assert done.stdout.splitlines()[:2] == [
        "200 events are in the queue again.",
        "50 events are in the queue again.",
    ]


async def test_large_events_are_requests_of_at_most_1_mb(app: App) -> None:
    # Letters that take six bytes each, in sizes that end a request just before and just after 1 MB.
    longest = (MOST_BYTES - len(json.dumps(GRID))) // 6
    events = [{**GRID, "data": {"x": "ü" * length}} for length in (longest // 2, longest // 2, 1, longest - 20, 7)]
    done = await app.told("replay", "-", stdin=json.dumps(events).encode())
    assert (done.returncode, done.stderr) == (0, "")
    assert sum(len(request.events) for request in app.requests) == len(events)
    assert len(app.sizes) > 1
    assert max(app.sizes) <= MOST_BYTES


async def test_a_failure_among_several_says_what_was_done(app: App) -> None:
    app.answer({"text": "200 events are in the queue again", "records": []}, error(409, "operator.odd", "no more"))
    done = await app.told("replay", "-", stdin=json.dumps([GRID] * 250).encode())
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"airlock: {app.host} did not do it (1 of 2 requests were done before): no more\n"


@pytest.mark.parametrize(
    "answer, why",
    [
        (error(409, "operator.wrong-record", "the record says Fixed"), "the record says Fixed"),
        (error(404, "operator.unknown-record", "no such record"), "no such record"),
        (error(400, "operator.unreadable", "'for' must be like 7d"), "'for' must be like 7d"),
        (error(403, "operator.off", "AIRLOCK_TENANT_ID is not set"), "AIRLOCK_TENANT_ID is not set"),
        (web.Response(status=404), "there is no Airlock at that address: it answered 404"),
        (web.Response(status=405, text="[" * 9999), "there is no Airlock at that address: it answered 405"),
        (web.json_response(["text"]), "there is no Airlock at that address: it answered 200"),
        (web.json_response({"text": 7}), "there is no Airlock at that address: it answered 200"),
        (web.json_response({"text": ""}), "there is no Airlock at that address: it answered 200"),
        (web.Response(body=b"\xff{"), "there is no Airlock at that address: it answered 200"),
        (web.Response(status=401, text="You do not have permission"), "App Service does not let this identity in"),
        (web.Response(status=403), "App Service does not let this identity in"),
        (
            web.Response(status=302, headers={"Location": "https://login.example/"}),
            "there is no Airlock at that address: it answered 302",
        ),
    ],
    ids=range(13),
)
async def test_an_app_that_refuses_ends_with_1_and_its_words(app: App, answer: web.Response, why: str) -> None:
    app.answer(answer)
    done = await app.told("hold", RECORD)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"airlock: {app.host} did not do it: {why}")
    assert len(app.requests) == 1


async def test_without_the_role_it_says_how_to_get_it(app: App) -> None:
    app.roles = ["Airlock.Reader"]
    done = await app.told("approve", RECORD)
    assert (done.returncode, app.requests) == (1, [])
    assert done.stderr == (
        f"airlock: {app.host} did not do it: the caller does not have the app role Airlock.Operator: once it is "
        f"assigned, run az login --scope {AUDIENCE}/.default, since a token keeps its roles\n"
    )


async def test_a_token_for_another_audience_is_not_taken(app: App) -> None:
    done = await app.told("approve", RECORD, "--audience", "api://other")
    assert (done.returncode, app.requests) == (1, [])
    assert "the token is for another audience; --audience and its app settings must name" in done.stderr


@pytest.mark.parametrize("credential", ["ManagedIdentityCredential", "AzureCliCredential"])
async def test_without_a_token_it_says_how_to_sign_in(app: App, credential: str) -> None:
    del app.environment["IDENTITY_HEADER"]
    # Whoever runs the tests may have signed in.
    app.environment |= {"AZURE_TOKEN_CREDENTIALS": credential, "PATH": "", "AZURE_CONFIG_DIR": str(app.directory)}
    done = await app.told("approve", RECORD)
    assert (done.returncode, app.shown) == (1, [])
    why = f"there is no Entra token for it: run az login --scope {AUDIENCE}/.default, then this again"
    assert done.stderr == f"airlock: {app.host} did not do it: {why}\n"


async def test_an_app_that_is_busy_is_asked_again(app: App) -> None:
    app.answer(error(503, "ledger.busy", "busy"), {"text": "done", "records": []})
    done = await app.told("release", RECORD)
    assert (done.returncode, done.stdout, len(app.requests)) == (0, "done.\n", 2)


async def test_nobody_waits_longer_than_half_a_minute(app: App) -> None:
    app.answer(error(503, "ledger.busy", "the ledger is busy", Retry_After="60"))
    done = await app.told("release", RECORD)
    assert (done.returncode, len(app.requests)) == (1, 1)
    assert done.stderr.endswith("did not do it: the ledger is busy; asking again does no harm\n")


async def test_what_the_app_says_steers_no_terminal_and_shows_no_token(app: App) -> None:
    app.answer(
        {"text": f"\x1b[2J\u202eheld {'eyJ' + 'x' * 40}.{'y' * 40}.z\nsecond " + "w " * 900, "records": [TOLD] * 25}
    )
    done = await app.told("release", RECORD)
    assert done.returncode == 0
    assert all(letter.isprintable() or letter == "\n" for letter in done.stdout)
    assert "eyJ" not in done.stdout
    assert len(done.stdout) < 2000
    assert done.stdout.endswith("  and 5 more records, which --json lists\n")
    app.answer(error(400, "operator.unreadable", "\x1b[2J\nno: Bearer eyJabcdefghijk.abc.def"))
    done = await app.told("release", RECORD)
    assert done.returncode == 1
    assert "\x1b" not in done.stderr
    assert "eyJ" not in done.stderr


async def test_a_host_without_a_trusted_certificate_hears_nothing(
    certificate: Certificate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running(certificate, tmp_path) as app:
        for name in ("AZURE_TOKEN_CREDENTIALS", "IDENTITY_ENDPOINT", "IDENTITY_HEADER"):
            monkeypatch.setenv(name, app.environment[name])
        answers = order(app.environment["AIRLOCK_APP"], AUDIENCE, [b"{}"], timedelta(0))
        with (
            mock.patch.object(connector, "_SSL_CONTEXT_VERIFIED", ssl.create_default_context()),
            pytest.raises(TryAgain, match="CERTIFICATE_VERIFY_FAILED"),
        ):
            await anext(answers)
    assert app.shown == []


@pytest.mark.parametrize(
    "url",
    [
        "",
        "http://airlock.azurewebsites.net",
        "airlock.azurewebsites.net",
        "https://",
        "https://user@airlock.azurewebsites.net",
        "https://airlock.azurewebsites.net:x",
        "https://airlock.azurewebsites.net/api/operate",
        "https://airlock.azurewebsites.net?code=1",
        "https://airlock.azurewebsites.net#a",
        "https://[",
        "https://a\u202eb",
    ],
)
def test_an_app_is_an_https_address(url: str) -> None:
    done = airlock_inside("release", RECORD, "--app", url, "--audience", AUDIENCE)
    assert (done.returncode, done.stdout) == (2, "")
    assert "Error: Invalid value for --app: " in done.stderr


@pytest.mark.parametrize("audience", ["", "airlock", "api://", "https://airlock.contoso.com", f"{AUDIENCE}\n"])
def test_an_audience_is_a_client_id_or_an_api_address(audience: str) -> None:
    done = airlock_inside("release", RECORD, "--app", "https://a.example", "--audience", audience)
    assert (done.returncode, done.stdout) == (2, "")
    assert "Error: Invalid value for --audience: " in done.stderr


@pytest.mark.parametrize(
    "arguments, why",
    [
        (["approve", RECORD[1:]], "RECORD_ID: a RecordId has 32 hex digits"),
        (["undo", RECORD, "--hold", "1y"], "--hold: a span is like 90m"),
        (["hold", RECORD, "--for", "91d"], "--for: a span is like 90m"),
        (["approve", RECORD, "--for", "7d"], "No such option"),
        (["approve"], "Missing argument"),
        (["replay"], "Missing argument"),
    ],
)
def test_what_is_no_request_is_not_sent(arguments: list[str], why: str) -> None:
    done = airlock_inside(*arguments, AIRLOCK_APP="https://a.example", AIRLOCK_OPERATOR_AUDIENCE=AUDIENCE)
    assert (done.returncode, done.stdout) == (2, "")
    assert why in done.stderr


@pytest.mark.parametrize(
    "raw, why",
    [
        (b"", "holds no event"),
        (b"[]", "holds no event"),
        (b"{", "not JSON"),
        (b"[7]", "is not a JSON object, so it is no event"),
        (b'[{"eventType":"T"},{"id":"secret"}]', "event 2: is neither an Event Grid event nor a CloudEvent"),
        (b'{"airlock":{},"event":{}}', "event 1: is neither"),
        (b'{"eventType":"T","data":' + b"[" * 200 + b"]" * 200 + b"}", "event 1: is nested too deeply"),
        (b'{"eventType":"T","data":"' + b"x" * MOST_BYTES + b'"}', "event 1: is larger than 1 MB"),
    ],
    ids=range(8),
)
def test_unusable_events_end_with_2(raw: bytes, why: str) -> None:
    done = airlock_inside("replay", "-", stdin=raw, AIRLOCK_APP="https://a.example", AIRLOCK_OPERATOR_AUDIENCE=AUDIENCE)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("airlock: standard input: ")
    assert why in done.stderr
    assert "secret" not in done.stderr


def test_a_file_that_is_not_there_ends_with_2(tmp_path: Path) -> None:
    done = airlock_inside(
        "replay", tmp_path / "none", AIRLOCK_APP="https://a.example", AIRLOCK_OPERATOR_AUDIENCE=AUDIENCE
    )
    assert (done.returncode, done.stderr) == (2, f"airlock: {tmp_path / 'none'}: No such file or directory\n")


@pytest.mark.parametrize("command", list(OperatorAct))
def test_the_help_fits_a_terminal_and_says_where_to_point_it(command: str) -> None:
    done = airlock_inside(command, "--help")
    assert done.returncode == 0
    assert max(map(len, done.stdout.splitlines())) <= 80
    options = {word for row in done.stdout.splitlines() for word in row.split()[:1] if word.startswith("--")}
    assert {"--app", "--audience", "--json"} <= options
    assert "AIRLOCK_APP" in done.stdout
