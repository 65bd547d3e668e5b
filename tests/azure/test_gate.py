"""What may leave: every method to every host with every permit."""

from itertools import product
from urllib.parse import quote

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from yarl import URL

from shared.azure.gate import Gate
from shared.domain.arm_id import ArmId
from shared.domain.fix import Fix
from shared.domain.mode import Mode
from tests.azure.making import TARGET, fix
from tests.domain.making import arm_ids

ARM = "https://management.azure.com"
OWN = "stairlock.table.core.windows.net"
GATE = Gate(frozenset({OWN, "127.0.0.1:10002"}))
HERE = f"{ARM}{TARGET.path}"
METHODS = ("GET", "HEAD", "PATCH", "PUT", "POST", "DELETE", "OPTIONS", "TRACE", "MERGE", "CONNECT", "get", "patch", "")
PERMITS = (None, fix(), fix(mode=Mode.AUDIT), fix(mode=Mode.OFF), fix(target=ArmId(TARGET.subscription)))


@pytest.mark.parametrize("method,permit", tuple(product(METHODS, PERMITS)))
def test_azure_is_read_and_written_to_only_by_the_enforced_fix_of_that_resource(
    method: str, permit: Fix | None
) -> None:
    is_let_out = method in {"GET", "HEAD"} or (method == "PATCH" and permit == fix())
    assert (GATE.refusal(method, f"{HERE}?api-version=2025-06-01", permit) is None) is is_let_out


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("url", [f"https://{OWN}/$batch", f"https://{OWN}", "http://127.0.0.1:10002/devstoreaccount1"])
@pytest.mark.parametrize("permit", [None, fix(mode=Mode.AUDIT)])
def test_our_own_stores_are_written_to_in_every_mode(method: str, url: str, permit: Fix | None) -> None:
    assert GATE.refusal(method, url, permit) is None


@pytest.mark.parametrize(
    "url",
    [
        f"https://{OWN}.evil.example/",
        f"https://evil.example/{OWN}",
        f"https://evil.example?{OWN}",
        f"https://evil.example#{OWN}",
        f"https://{OWN}@evil.example/",
        f"https://{OWN}:443@evil.example/",
        f"https://{OWN}\\@evil.example/",
        f"https://evil.example\\@{OWN}/",
        f"https://user@{OWN}/",
        f"https://{OWN}:8443/",
        "https://other.table.core.windows.net/",
        "https://127.0.0.1:10003/devstoreaccount1",
        "https://127.0.0.1/",
        f"//evil.example/{OWN}",
        "/relative",
        "relative",
        "",
    ],
)
def test_what_only_looks_like_our_own_is_not(url: str) -> None:
    assert GATE.refusal("POST", url, None) == "a POST without a fix"


def test_a_store_that_is_not_configured_opens_nothing() -> None:
    gate = Gate(frozenset({""}))
    assert gate.refusal("POST", TARGET.path, None) is not None


@given(st.text("ahx.:/@\\#?%[]\t\n \u3002\uff0f\u2100", max_size=12).map(lambda rest: f"https://{OWN}{rest}"))
@example(f"https://{OWN}\t.evil.example/")
@example(f"https://{OWN}\uff0fx/")
def test_the_host_that_the_gate_reads_is_the_one_that_is_called(url: str) -> None:
    try:
        called = URL(url).host
        told = GATE.refusal("POST", url, None)
    except (ValueError, IndexError):
        return  # no address at all: aiohttp, whose addresses are yarl's, would not call it either
    assert told is not None or called == OWN


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/",
        f"{TARGET.path}/",
        f"{TARGET.path}/regenerateKey",
        f"{TARGET.path}/deployments/gpt",
        f"{TARGET.path}/../other",
        f"{TARGET.path}/.",
        f"{TARGET.path};x",
        f"{TARGET.path}%00",
        f"{TARGET.path}%20",
        f"{TARGET.path}%2F",
        f"{TARGET.path}2",
        f"/{TARGET.path}",
        f"{TARGET.path}".replace("/accounts/", "//accounts/"),
        f"{TARGET.path}".replace("/accounts/", "/./accounts/"),
        f"{TARGET.path}".replace("/accounts/", "/x/../accounts/"),
        f"{TARGET.path}".replace("/accounts/", "/x/%2e%2e/accounts/"),
        f"{TARGET.path}".replace("/accounts/", "/accounts%2F"),
        f"{TARGET.path}".replace("/accounts/", "/accounts%2f"),
        f"{TARGET.path}".replace("/accounts/", "/accounts%252F"),
        f"{TARGET.path}".replace("/accounts/", "\\accounts\\"),
        f"{TARGET.path}".replace("aoai", "%2561oai"),
        f"{TARGET.path}".replace("aoai", "find"),
        f"{TARGET.path}".replace("rg-ai", "rg-other"),
        str(TARGET.parent),
        f"/subscriptions/{TARGET.subscription}",
    ],
)
def test_a_fix_goes_to_its_own_resource_only(path: str) -> None:
    assert GATE.refusal("PATCH", f"{ARM}{path}?api-version=2025-06-01", fix()) is not None


@settings(max_examples=20)
@given(arm_ids)
def test_a_fix_may_go_to_its_resource_as_our_client_spells_it(target: ArmId) -> None:
    url = f"{ARM}{quote(target.path, safe='/()$')}?api-version=2025-06-01"
    assert GATE.refusal("PATCH", url, fix(target)) is None


@settings(max_examples=20)
@given(arm_ids, arm_ids, st.sampled_from(METHODS[2:]))
def test_a_fix_opens_nothing_else(target: ArmId, other: ArmId, method: str) -> None:
    url = f"{ARM}{quote(other.path)}"
    is_own = other.path == target.path and method == "PATCH"
    assert (GATE.refusal(method, url, fix(target)) is None) is is_own


def test_why_is_said() -> None:
    assert GATE.refusal("PATCH", HERE, None) == "a PATCH without a fix"
    assert GATE.refusal("PATCH", HERE, fix(mode=Mode.AUDIT)) == "a PATCH for a fix in mode audit"
    assert GATE.refusal("PUT", HERE, fix()) == "a PUT that is not the fix it carries"
