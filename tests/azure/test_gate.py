"""What may leave: every method to every host with every permit."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import product
from typing import Literal, get_args
from urllib.parse import quote

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from yarl import URL

from shared.azure.gate import Gate
from shared.domain.act import Act, Command, ListKeys, ListQueryKeys, PublishKey, RegenerateKey
from shared.domain.arm_id import ArmId, parse_arm_id
from shared.domain.fix import Fix
from shared.domain.mode import Mode
from shared.domain.resource_types import RESOURCE_TYPES
from shared.domain.vault import secret_name
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
    assert GATE.refusal("POST", url, None) == "a POST to another host than the client is for"


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


@pytest.mark.parametrize(
    "path",
    [
        TARGET.path.upper(),
        TARGET.path.lower(),
        TARGET.path.replace("resourceGroups", "resourcegroups"),
        TARGET.path.replace("Microsoft.CognitiveServices", "microsoft.cognitiveservices"),
        f"{TARGET.path}/",
    ],
)
def test_a_fix_may_go_to_its_resource_in_every_spelling_that_azure_takes_for_it(path: str) -> None:
    assert GATE.refusal("PATCH", f"{ARM}{path}?api-version=2025-06-01", fix()) is None


@settings(max_examples=20)
@given(arm_ids)
def test_a_fix_may_go_to_its_resource_as_our_client_spells_it(target: ArmId) -> None:
    url = f"{ARM}{quote(target.path, safe='/()$')}?api-version=2025-06-01"
    assert GATE.refusal("PATCH", url, fix(target)) is None


@settings(max_examples=20)
@given(arm_ids, arm_ids, st.sampled_from(METHODS[2:]))
def test_a_fix_opens_nothing_else(target: ArmId, other: ArmId, method: str) -> None:
    url = f"{ARM}{quote(other.path)}"
    is_own = other.key == target.key and method == "PATCH"
    assert (GATE.refusal(method, url, fix(target)) is None) is is_own


def test_why_is_said() -> None:
    assert GATE.refusal("PATCH", HERE, None) == "a PATCH without a fix"
    assert GATE.refusal("PATCH", HERE, fix(mode=Mode.AUDIT)) == "a PATCH for a fix in mode audit"
    assert GATE.refusal("PUT", HERE, fix()) == "a PUT that is not the fix it carries"


# From here on: the one POST that only reads.

GRAPH = "/providers/Microsoft.ResourceGraph/resources"


@pytest.mark.parametrize("permit", PERMITS)
@pytest.mark.parametrize("query", ["", "?api-version=2021-03-01", "?api-version=2021-03-01&x=/../other"])
def test_a_search_only_reads_and_so_needs_no_fix_in_any_mode(query: str, permit: Fix | None) -> None:
    assert GATE.refusal("POST", f"{ARM}{GRAPH}{query}", permit) is None


@pytest.mark.parametrize("method", METHODS[2:])
def test_nothing_else_is_let_through_where_a_search_goes(method: str) -> None:
    assert (GATE.refusal(method, f"{ARM}{GRAPH}", None) is None) is (method == "POST")


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/",
        f"{GRAPH}/",
        f"{GRAPH}2",
        f"{GRAPH}/operations",
        f"{GRAPH}History",
        f"{GRAPH};x",
        f"{GRAPH}%20",
        f"{GRAPH}%2F",
        f"{GRAPH}/../resources",
        f"{GRAPH}/..{TARGET.path}/listKeys",
        f"{GRAPH}/%2e%2e/%2e%2e/%2e%2e{TARGET.path}/listKeys",
        f"/{GRAPH}",
        f"/.{GRAPH}",
        GRAPH.replace("/resources", "%2Fresources"),
        GRAPH.replace("/resources", "//resources"),
        GRAPH.replace("/resources", "\\resources"),
        GRAPH.replace("ResourceGraph", "Resource%47raph"),
        GRAPH.replace("ResourceGraph", "Resources"),
        f"/subscriptions/{TARGET.subscription}{GRAPH}",
        f"{TARGET.path}{GRAPH}",
        f"{TARGET.path}/listKeys?x={GRAPH}",
        f"{TARGET.path}/listKeys#{GRAPH}",
        f"{TARGET.path}/regenerateKey",
        "/providers/Microsoft.Management/managementGroups/root",
    ],
)
def test_no_other_post_is_a_search(path: str) -> None:
    assert GATE.refusal("POST", f"{ARM}{path}", None) is not None


@pytest.mark.parametrize(
    "host",
    [
        "https://evil.example",
        f"{ARM}.evil.example",
        f"{ARM}@evil.example",
        f"{ARM}:8443",
        f"https://user@{ARM.removeprefix('https://')}",
        f"https://evil.example/{ARM}",
        "https://other.table.core.windows.net",
        "",
    ],
)
def test_a_search_goes_to_azure_and_nowhere_else(host: str) -> None:
    assert GATE.refusal("POST", f"{host}{GRAPH}", None) is not None


def test_a_search_goes_to_the_resource_manager_of_its_own_cloud() -> None:
    government = Gate(frozenset(), "management.usgovcloudapi.net")
    assert government.refusal("POST", f"https://management.usgovcloudapi.net{GRAPH}", None) is None
    assert government.refusal("POST", f"{ARM}{GRAPH}", None) is not None


def test_no_search_goes_to_a_vault() -> None:
    assert VAULT_GATE.refusal("POST", f"https://{VAULT}{GRAPH}", None) is not None


@settings(max_examples=40)
@given(st.text("rR/.%2F\\;?#@: \u2100", max_size=8))
def test_whatever_stands_behind_a_search_is_another_request(rest: str) -> None:
    url = f"{ARM}{GRAPH}{rest}"
    try:
        called = URL(url)
        told = GATE.refusal("POST", url, None)
    except ValueError:
        return  # no address at all, as above
    assert told is not None or (called.path == GRAPH and called.host == "management.azure.com")


# From here on: acts. Each is the one request that it permits, spelt out by hand.

GROUP = f"/subscriptions/{TARGET.subscription}/resourceGroups/rg-ai/providers"
ACCOUNT = f"{GROUP}/Microsoft.CognitiveServices/accounts/aoai"
SEARCH = f"{GROUP}/Microsoft.Search/searchServices/srch"
STORAGE = f"{GROUP}/Microsoft.Storage/storageAccounts/stai"
VAULT = "kv-keys.vault.azure.net"
VAULT_GATE = Gate(frozenset(), VAULT, may_search=False)
LISTS = {ACCOUNT: "listKeys", SEARCH: "listAdminKeys", STORAGE: "listKeys"}
REGENERATES = {
    ACCOUNT: {"Key1": "regenerateKey", "Key2": "regenerateKey"},
    SEARCH: {"primary": "regenerateAdminKey/primary", "secondary": "regenerateAdminKey/secondary"},
    STORAGE: {"key1": "regenerateKey", "key2": "regenerateKey"},
}


def command(method: Literal["PATCH", "POST"], suffix: str, path: str = ACCOUNT) -> Command:
    """A command that needs one request of that method below the path."""
    return Command(parse_arm_id(path), "2025-06-01", method, suffix, None, "does something", (), {}, "", Mode.ENFORCE)


def arm_acts() -> Iterator[tuple[Act, str, str]]:
    """Every act of Azure Resource Manager, with its method and path."""
    for path, action in LISTS.items():
        target = parse_arm_id(path)
        scheme = next(kind.keys for kind in RESOURCE_TYPES if kind.name == target.type)
        assert scheme is not None
        yield ListKeys(target, scheme, Mode.ENFORCE), "POST", f"{path}/{action}"
        for slot, regenerate in REGENERATES[path].items():
            yield RegenerateKey(target, scheme, slot, Mode.ENFORCE), "POST", f"{path}/{regenerate}"
    yield ListQueryKeys(parse_arm_id(SEARCH), Mode.ENFORCE), "POST", f"{SEARCH}/listQueryKeys"
    deployment = f"{ACCOUNT}/deployments/gpt"
    yield command("PATCH", "", deployment), "PATCH", deployment
    yield command("POST", "/pause", deployment), "POST", f"{deployment}/pause"
    tags = "/providers/Microsoft.Resources/tags/default"
    yield command("PATCH", tags), "PATCH", f"{ACCOUNT}{tags}"


ARM_ACTS = tuple(arm_acts())
PUBLISH = PublishKey(secret_name(TARGET), Mode.ENFORCE)
ACTS: tuple[tuple[Act, str, str], ...] = (*ARM_ACTS, (PUBLISH, "PUT", f"/secrets/{PUBLISH.secret_name}"))
every_act = pytest.mark.parametrize(
    "act, method, path", [pytest.param(*each, id=f"{type(each[0]).__name__} {each[2][-40:]}") for each in ACTS]
)


def way(act: Act) -> tuple[Gate, str]:
    """The gate that the act's client has, and the address behind it."""
    return (VAULT_GATE, f"https://{VAULT}") if isinstance(act, PublishKey) else (GATE, ARM)


def test_every_kind_of_act_is_here() -> None:
    assert {type(act) for act, _, _ in ACTS} == set(get_args(Act.__value__))
    with_keys = [kind for kind in RESOURCE_TYPES if kind.keys is not None]
    assert {parse_arm_id(path).type for path in LISTS} == {kind.name for kind in with_keys}
    slots = {parse_arm_id(path).type: {*found} for path, found in REGENERATES.items()}
    assert slots == {kind.name: {*kind.keys.slots} for kind in with_keys if kind.keys is not None}


@every_act
def test_an_act_gets_through_as_its_own_request(act: Act, method: str, path: str) -> None:
    gate, host = way(act)
    assert gate.refusal(method, f"{host}{path}?api-version=2025-06-01", act) is None
    assert gate.refusal(method, f"{host}{path.upper()}?api-version=2025-06-01", act) is None


@every_act
@pytest.mark.parametrize("mode", [Mode.AUDIT, Mode.OFF])
def test_no_act_gets_through_in_another_mode(act: Act, method: str, path: str, mode: Mode) -> None:
    gate, host = way(act)
    assert gate.refusal(method, f"{host}{path}", replace(act, mode=mode)) is not None


@every_act
@pytest.mark.parametrize("other", METHODS[2:])
def test_an_act_gets_through_by_its_own_method_only(act: Act, method: str, path: str, other: str) -> None:
    gate, host = way(act)
    assert (gate.refusal(other, f"{host}{path}", act) is None) is (other == method)


@every_act
def test_an_act_gets_through_as_no_other_act(act: Act, method: str, path: str) -> None:
    gate, host = way(act)
    for _, other_method, other_path in ACTS:
        is_own = (other_method, other_path) == (method, path)
        assert (gate.refusal(other_method, f"{host}{other_path}", act) is None) is is_own


@every_act
def test_an_act_reaches_nothing_beside_its_path(act: Act, method: str, path: str) -> None:
    gate, host = way(act)
    parent, _, last = path.rpartition("/")
    for near in (
        "",
        "/",
        parent,
        f"{path}/x",
        f"{path}2",
        f"{path}%20",
        f"{path}%2F",
        f"{path};x",
        f"{path}/../{last}",
        f"{parent}/./{last}",
        f"{parent}//{last}",
        f"{parent}%2F{last}",
        f"{parent}%252F{last}",
        f"{parent}\\{last}",
        f"/{path}",
        f"{ACCOUNT}{path}",
    ):
        assert gate.refusal(method, f"{host}{near}", act) is not None, near


@every_act
@pytest.mark.parametrize(
    "host",
    [
        f"https://{VAULT}:8443",
        f"https://{VAULT}.evil.example",
        f"https://evil.example/{VAULT}",
        f"https://user@{VAULT}",
        f"https://{VAULT}@evil.example",
        "https://other.vault.azure.net",
        f"{ARM}.evil.example",
        f"{ARM}:8443",
        f"{ARM}@evil.example",
        "",
    ],
)
def test_an_act_goes_to_its_own_host_only(act: Act, method: str, path: str, host: str) -> None:
    gate, _ = way(act)
    assert gate.refusal(method, f"{host}{path}", act) is not None


def test_a_key_is_published_at_the_vault_and_nowhere_else() -> None:
    path = f"/secrets/{PUBLISH.secret_name}"
    assert VAULT_GATE.refusal("PUT", f"https://{VAULT}{path}", PUBLISH) is None
    assert VAULT_GATE.refusal("PUT", f"{ARM}{path}", PUBLISH) is not None
    assert GATE.refusal("PUT", f"https://{VAULT}{path}", PUBLISH) is not None
    assert (
        VAULT_GATE.refusal("PUT", f"https://{VAULT}/secrets/{secret_name(parse_arm_id(SEARCH))}", PUBLISH) is not None
    )


@pytest.mark.parametrize("method", METHODS[2:])
def test_the_vault_takes_nothing_without_an_act(method: str) -> None:
    assert VAULT_GATE.refusal(method, f"https://{VAULT}/secrets/{PUBLISH.secret_name}", None) is not None


@every_act
def test_no_fix_stands_for_an_act(act: Act, method: str, path: str) -> None:
    gate, host = way(act)
    assert gate.refusal(method, f"{host}{path}", fix()) is not None


@settings(max_examples=40)
@given(st.sampled_from(ARM_ACTS), st.text("aK1/.%2F\\;?#@: \u2100", max_size=8))
def test_whatever_stands_behind_an_act_s_path_is_another_request(act: tuple[Act, str, str], rest: str) -> None:
    permit, method, path = act
    url = f"{ARM}{path}{rest}"
    try:
        called = URL(url)
        told = GATE.refusal(method, url, permit)
    except ValueError:
        return  # no address at all, as above
    assert told is not None or called.path.rstrip("/").lower() == path.lower()
