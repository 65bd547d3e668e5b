"""What counts as an exposed key, in text and in scanners' reports, and that none of it shows."""

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli.documents import UnusableInput
from cli.leaked import MOST_BYTES, MOST_FINDINGS, Format, Leaked, Skip, read_leaked
from shared.domain.arm_id import parse_arm_id
from shared.domain.body import JsonObject
from shared.domain.exposure import Exposure, parse_exposure
from shared.domain.secret import digest
from tests.hostile import NASTY, anything, places, put

COGNITIVE = "0f1e2d3c4b5a69788796a5b4c3d2e1f0"
SEARCH = "Zq3" + "aB9xK2mN7pL4" * 4 + "e"
STORAGE = base64.b64encode(bytes(range(3, 67))).decode()
CONNECTION = f"DefaultEndpointsProtocol=https;AccountName=stscans;AccountKey={STORAGE};EndpointSuffix=core.windows.net"
COMMIT = "7d4f09c2a1b83e56d7f0c4a9182b3c5d6e7f8091"
ALERT_URL = "https://github.com/contoso/chat/security/secret-scanning/7"

keys = (
    st.text("0123456789abcdef", min_size=32, max_size=32)
    | st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789", min_size=52, max_size=84)
    | st.binary(min_size=64, max_size=64).map(lambda key: base64.b64encode(key).decode())
)


def gitleaks(secret: str = COGNITIVE, match: str = "", **more: object) -> JsonObject:
    """A finding as gitleaks 8 writes it."""
    finding = {
        "RuleID": "generic-api-key",
        "Description": "Detected a Generic API Key.",
        "StartLine": 3,
        "EndLine": 3,
        "StartColumn": 2,
        "EndColumn": 60,
        "Match": match or f'OPENAI_KEY="{secret}"',
        "Secret": secret,
        "File": "deploy.env",
        "SymlinkFile": "",
        "Commit": COMMIT,
        "Entropy": 3.9,
        "Author": "Dana",
        "Email": "dana@contoso.com",
        "Date": "2026-11-20T09:12:44Z",
        "Message": "deploy",
        "Tags": [],
        "Fingerprint": f"{COMMIT}:deploy.env:generic-api-key:3",
    }
    return finding | more  # type: ignore[return-value] # what each test puts in is JSON


def alert(**more: object) -> JsonObject:
    """An alert as GitHub's REST API answers it for an organization."""
    told = {
        "number": 7,
        "created_at": "2026-11-20T09:14:02Z",
        "url": "https://api.github.com/repos/contoso/chat/secret-scanning/alerts/7",
        "html_url": ALERT_URL,
        "state": "open",
        "resolution": None,
        "secret_type": "azure_cognitive_services_key",
        "secret_type_display_name": "Azure Cognitive Services Key",
        "secret": COGNITIVE,
        "validity": "unknown",
        "repository": {"id": 1, "full_name": "contoso/chat", "private": True},
        "first_location_detected": {"path": "deploy.env", "start_line": 3, "commit_sha": COMMIT},
        "has_more_locations": False,
    }
    return told | more  # type: ignore[return-value] # what each test puts in is JSON


def told(value: object, kind: Format = Format.AUTO, found_at: str = "") -> Leaked:
    raw = (
        value if isinstance(value, bytes) else value.encode() if isinstance(value, str) else json.dumps(value).encode()
    )
    return read_leaked(raw, kind, found_at=found_at)


def hashes(leaked: Leaked) -> list[str]:
    return [exposure.sha256 for exposure in leaked.exposures]


def said_of(raw: bytes, kind: Format) -> str:
    """Why the input is unusable; empty if it is not."""
    try:
        read_leaked(raw, kind)
    except UnusableInput as refusal:
        return str(refusal)
    return ""


def reason(value: object, kind: Format = Format.AUTO) -> str:
    with pytest.raises(UnusableInput) as refusal:
        told(value, kind)
    return str(refusal.value)


@pytest.mark.parametrize("key", [COGNITIVE, SEARCH, STORAGE], ids=["cognitive", "search", "storage"])
@pytest.mark.parametrize(
    "line",
    [
        "{}",
        "  {}\r\n",
        '"{}",',
        "'{}';",
        "export AZURE_OPENAI_API_KEY={}",
        'AZURE_OPENAI_API_KEY="{}"',
        "$env:AZURE_OPENAI_API_KEY = '{}'",
        "docker run -e AZURE_SEARCH_KEY={} contoso/chat",
        "api-key: {}",
        "Ocp-Apim-Subscription-Key: {}",
        "Authorization: Bearer {}",
        "Authorization: {}",
        'curl -H "api-key: {}" https://oai.openai.azure.com/openai/models',
        '  "apiKey": "{}",',
        '<add key="StorageKey" value="{}" />',
        "DefaultEndpointsProtocol=https;AccountName=stscans;AccountKey={};EndpointSuffix=core.windows.net",
        "AccountName=stscans;AccountKey={}",
        "Endpoint=https://oai.openai.azure.com/;Key={};",
        'export STORAGE="DefaultEndpointsProtocol=https;AccountName=stscans;AccountKey={}"',
    ],
)
def test_the_key_in_a_line_is_found(line: str, key: str) -> None:
    assert hashes(told(line.format(key))) == [digest(key)]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32"])
def test_a_pipe_that_writes_other_encodings_changes_no_key(encoding: str) -> None:
    assert hashes(told(f"{STORAGE}\r\n".encode(encoding))) == [digest(STORAGE)]


@pytest.mark.parametrize(
    "text, why",
    [
        ("", "is empty"),
        (" \r\n\t", "is empty"),
        ("hunter2", "no key"),
        ("PASSWORD=correct horse battery staple", "no key"),
        ("AZURE_COGNITIVE_SERVICES_ACCOUNT_KEY_OF_PRODUCTION=", "no key"),
        (f"{COGNITIVE}...", "no key"),
        ("Authorization: Bearer eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.eyJhdWQiOiJodHRwczovL2V4YW1wbGUifQ.x", "no key"),
        (f"https://stscans.blob.core.windows.net/scans?sv=2024-11-04&sig={STORAGE[:40]}%3D", "no key"),
        (f"{COGNITIVE}\n{SEARCH}", "more than one key in one line"),
        (f"A={COGNITIVE} B={SEARCH}", "several keys"),
        (f"{COGNITIVE} " * 1000, "more than one key in one line"),
        ("x" * (MOST_BYTES + 1), "is larger than 1 MB"),
        (b"\xff\xfe\xff", "is not text"),
        (f'[{{"Secret": {COGNITIVE}}}]', "line 1, column 14: is not JSON"),
        (f'["\\{COGNITIVE}"]', "line 1, column 3: is not JSON"),
        ("[" * 100_000, "is not JSON"),
        ("[" + "9" * 5000 + "]", "is not JSON"),
        (json.dumps({"key": COGNITIVE}), "item 1: is no finding of gitleaks or of GitHub secret scanning"),
        (json.dumps([gitleaks(), COGNITIVE]), "item 2: is no finding"),
        (json.dumps([gitleaks(File=str(at)) for at in range(MOST_FINDINGS + 1)]), "holds 1001 findings"),
    ],
    ids=lambda value: repr(value)[:32],
)
def test_what_cannot_be_used_is_refused_without_a_word_of_it(text: str | bytes, why: str) -> None:
    said = reason(text)
    assert said.startswith("standard input: ")
    assert why in said
    assert not any(
        part in said for part in (COGNITIVE[:8], SEARCH[:8], STORAGE[:8], "hunter2", "horse", "eyJ", "9" * 9)
    )


def test_a_report_of_gitleaks() -> None:
    report = [gitleaks(), gitleaks(STORAGE, File="src/app.py", StartLine=41, Commit="")]
    assert told(report) == told(report, Format.GITLEAKS)
    assert told(report).exposures == (
        Exposure(digest(COGNITIVE), "deploy.env:3 7d4f09c2a1b8"),
        Exposure(digest(STORAGE), "src/app.py:41"),
    )


def test_the_key_within_a_connection_string_is_what_is_told_of() -> None:
    part = gitleaks("AccountName=stscans", CONNECTION)
    whole = gitleaks(CONNECTION, CONNECTION)
    redacted = gitleaks("REDACTED", CONNECTION)
    for finding in (part, whole, redacted):
        assert hashes(told([finding])) == [digest(STORAGE)]
        assert told([finding]).skipped == ()


def test_what_a_report_hides_or_no_account_has_is_counted_and_skipped() -> None:
    hidden = [gitleaks("REDACTED"), gitleaks(""), gitleaks(f"{STORAGE[:44]}...")]
    leaked = told([gitleaks(), *hidden, gitleaks("hunter2-of-contoso")])
    assert hashes(leaked) == [digest(COGNITIVE)]
    assert leaked.skipped == (Skip.REDACTED, Skip.REDACTED, Skip.REDACTED, Skip.NO_KEY)
    assert "make it without hiding them" in reason(hidden)


def test_alerts_of_github() -> None:
    page = [
        alert(),
        alert(secret=SEARCH, html_url=None),
        alert(secret=STORAGE, state="resolved", resolution="revoked"),
        alert(secret="ghp_0123456789abcdefghijklmnopqrstuvwxyz"),
        alert(secret=None),
    ]
    leaked = told(page)
    assert leaked.exposures == (
        Exposure(digest(COGNITIVE), ALERT_URL),
        Exposure(digest(SEARCH), "contoso/chat deploy.env:3 7d4f09c2a1b8"),
    )
    assert leaked.skipped == (Skip.RESOLVED, Skip.NO_KEY, Skip.REDACTED)
    pages = (page, [page[:2], page[2:]], {"alerts": page})
    assert [told(each) for each in pages] == [leaked] * 3
    assert told(f"{json.dumps(page[:2])}\n{json.dumps(page[2:])}") == leaked
    assert hashes(told(alert())) == [digest(COGNITIVE)]


@pytest.mark.parametrize("empty", ["[]", '{"alerts": []}', "[][]"])
def test_a_report_without_findings_tells_of_nothing(empty: str) -> None:
    assert told(empty) == Leaked(())


def test_the_format_can_be_said() -> None:
    assert "is no finding of gitleaks" in reason([alert()], Format.GITLEAKS)
    assert "is no finding of GitHub secret scanning" in reason([gitleaks()], Format.GITHUB)
    assert hashes(told({"apiKey": COGNITIVE}, Format.TEXT)) == [digest(COGNITIVE)]
    assert "is not JSON" in reason(COGNITIVE, Format.GITLEAKS)


def test_a_key_found_in_several_places_is_told_of_once() -> None:
    report = [gitleaks(), gitleaks(), gitleaks(File="b.env"), gitleaks(File="", Commit=""), gitleaks(File="c.env")]
    (exposure,) = told(report).exposures
    assert exposure.found_at == "deploy.env:3 7d4f09c2a1b8 and 2 more"


def test_where_it_was_found_stands_before_what_the_report_says() -> None:
    assert told(COGNITIVE, found_at="wiki").exposures[0].found_at == "wiki"
    assert told([gitleaks()], found_at="contoso/chat").exposures[0].found_at == "contoso/chat deploy.env:3 7d4f09c2a1b8"


def test_every_key_opens_the_resource_that_was_named() -> None:
    account = parse_arm_id("/subscriptions/s/resourceGroups/rg/providers/Microsoft.CognitiveServices/accounts/oai")
    leaked = read_leaked(json.dumps([gitleaks(), gitleaks(STORAGE)]).encode(), Format.AUTO, resource=account)
    assert [exposure.resource for exposure in leaked.exposures] == [account, account]


def test_no_place_shows_a_key_or_what_else_the_report_found() -> None:
    report = [
        gitleaks(File=f"backup/{STORAGE}/{COGNITIVE}.env"),
        gitleaks(STORAGE, File="x" * 230 + STORAGE),
        gitleaks("hunter2-of-contoso", File="hunter2-of-contoso.env"),
        gitleaks(SEARCH, File="hunter2-of-contoso.env", Commit="hunter2-of-contoso"),
    ]
    places = [exposure.found_at for exposure in told(report, found_at=SEARCH).exposures]
    assert places[0] == "[redacted] backup/[redacted]/[redacted].env:3 7d4f09c2a1b8"
    assert places[2] == "[redacted] [redacted].env:3"
    assert all(len(place) <= 256 for place in places)
    assert not any(part in place for place in places for part in ("hunter2", STORAGE[:8], SEARCH[:8], COGNITIVE[:8]))


@given(st.binary(max_size=80) | st.text(max_size=80).map(lambda text: text.encode(errors="replace")))
def test_any_bytes_are_keys_or_unusable(raw: bytes) -> None:
    for kind in Format:
        for spelt in (raw, b"[" + raw, b'{"alerts": [' + raw + b"]}", b'[{"Secret": "' + raw + b'"}]'):
            said = said_of(spelt, kind)
            assert said.isascii(), "our own words and no others"


@given(anything)
def test_any_json_is_a_report_or_unusable(value: object) -> None:
    raw = json.dumps(value).encode()
    for kind in Format:
        assert said_of(raw, kind).isascii()


@pytest.mark.parametrize("finding", [gitleaks(), alert()], ids=["gitleaks", "github"])
def test_any_value_in_any_field_is_a_report_or_unusable(finding: JsonObject) -> None:
    for place in places(finding):
        for nasty in NASTY:
            try:
                leaked = told([put(finding, place, nasty), gitleaks(SEARCH)])
            except UnusableInput:
                continue
            for exposure in leaked.exposures:
                assert parse_exposure(json.loads(json.dumps(exposure.as_json()))) == exposure


@given(keys, keys, st.text(max_size=300), st.text(max_size=300))
def test_a_planted_key_shows_nowhere_and_is_always_told_of(key: str, other: str, before: str, after: str) -> None:
    report = [
        gitleaks(key, File=f"{before}{other}{after}", Commit=after),
        gitleaks(f"AccountKey={other};", File=f"{key}{before}"),
        alert(secret=key, html_url=f"{before}{key}{other}{after}"),
        alert(secret=other, state="resolved", html_url=None, repository={"full_name": key}),
    ]
    leaked = told(report, found_at=f"{after}{key}")
    assert set(hashes(leaked)) == {digest(key), digest(other)}
    shown = repr(leaked)
    # A sound place may have a few letters in common with a key; hashes have none of a dozen.
    assert key not in shown
    assert other not in shown
    for exposure in leaked.exposures:
        assert parse_exposure(exposure.as_json()) == exposure
