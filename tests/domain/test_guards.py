"""What must be true before a fix: each guard lets through, and each refuses."""

import pytest

from shared.domain.arm_id import parse_arm_id
from shared.domain.baseline import Baseline
from shared.domain.body import Json, JsonObject
from shared.domain.guards import (
    ACCEPTS_ENTRA,
    CUSTOM_SUBDOMAIN,
    NO_KEY_DATASTORES,
    NOT_CLOUD_SHELL,
    NOT_OUR_OWN,
    REACHABLE_AFTERWARDS,
    Guard,
    nothing,
)
from shared.domain.redact import redact
from shared.domain.resource import Resource
from shared.domain.resource_types import COGNITIVE_ACCOUNTS, ML_WORKSPACES, SEARCH, STORAGE
from tests.domain.making import TARGET, resource
from tests.remediations import bodies

GUARDS = (
    ACCEPTS_ENTRA,
    CUSTOM_SUBDOMAIN,
    NO_KEY_DATASTORES,
    NOT_CLOUD_SHELL,
    NOT_OUR_OWN,
    REACHABLE_AFTERWARDS,
)
ACCOUNT = bodies.resource(COGNITIVE_ACCOUNTS, bodies.account())
LONELY = bodies.resource(COGNITIVE_ACCOUNTS, bodies.account(privateEndpointConnections=[]))
WORKSPACE = parse_arm_id(str(bodies.workspace()["id"]))


def ask(guard: Guard, before: Resource, after: Resource | None = None, baseline: Baseline | None = None) -> str | None:
    reads = {target.key: None for target in guard.reads(before)}
    return guard.check(before, after or before, reads, baseline or Baseline())


def closed(before: Resource) -> Resource:
    return resource({"properties": {"publicNetworkAccess": "Disabled"}}, before.type)


def listed(rules: JsonObject) -> Resource:
    return resource({"properties": {"publicNetworkAccess": "Enabled", "networkAcls": rules}}, COGNITIVE_ACCOUNTS)


def test_names_are_words_of_reason_codes() -> None:
    assert len({guard.name for guard in GUARDS}) == len(GUARDS)
    assert all(guard.name == guard.name.lower().replace(" ", "-") for guard in GUARDS)


def test_a_refusal_is_a_sentence_that_may_be_recorded() -> None:
    refusals = [
        ask(REACHABLE_AFTERWARDS, LONELY, closed(LONELY)),
        ask(CUSTOM_SUBDOMAIN, resource({})),
        ask(ACCEPTS_ENTRA, resource({})),
        ask(NO_KEY_DATASTORES, resource({}, STORAGE, frozenset({WORKSPACE}))),
        ask(NOT_CLOUD_SHELL, resource({"tags": {"ms-resource-usage": "azure-cloud-shell"}})),
        ask(NOT_OUR_OWN, resource({}), baseline=Baseline(protected=frozenset({"stmlprodweu"}))),
    ]
    for sentence in refusals:
        assert sentence is not None
        assert sentence == redact(sentence)
        assert not sentence.endswith(".")


@pytest.mark.parametrize("guard", [guard for guard in GUARDS if guard is not REACHABLE_AFTERWARDS])
def test_most_guards_read_nothing_more(guard: Guard) -> None:
    assert guard.reads(ACCOUNT) == nothing(ACCOUNT) == frozenset()


def test_a_closed_resource_needs_a_private_endpoint() -> None:
    assert ask(REACHABLE_AFTERWARDS, ACCOUNT, closed(ACCOUNT)) is None
    refusal = ask(REACHABLE_AFTERWARDS, LONELY, closed(LONELY))
    assert refusal is not None
    assert "for account" in refusal


def test_a_storage_account_is_told_which_endpoints_count() -> None:
    lonely = resource({})
    refusal = ask(REACHABLE_AFTERWARDS, lonely, closed(lonely))
    assert refusal is not None
    assert "for blob or dfs" in refusal


def test_isolation_can_be_chosen() -> None:
    assert ask(REACHABLE_AFTERWARDS, LONELY, closed(LONELY), Baseline(allow_isolation=True)) is None


@pytest.mark.parametrize(
    "rules, through",
    [
        ({"defaultAction": "Deny", "ipRules": [{"value": "203.0.113.7"}]}, True),
        ({"defaultAction": "Deny", "virtualNetworkRules": [{"id": "x"}]}, True),
        ({"defaultAction": "Deny", "ipRules": [], "virtualNetworkRules": []}, False),
        ({"defaultAction": "Deny"}, False),
    ],
)
def test_an_allow_list_that_stays_is_a_way_in(rules: JsonObject, through: bool) -> None:  # noqa: FBT001 # a column
    assert (ask(REACHABLE_AFTERWARDS, LONELY, listed(rules)) is None) is through


def test_an_allow_list_of_a_closed_resource_is_none() -> None:
    rules: JsonObject = {"ipRules": [{"value": "203.0.113.7"}]}
    after = resource({"properties": {"publicNetworkAccess": "Disabled", "networkAcls": rules}}, COGNITIVE_ACCOUNTS)
    assert ask(REACHABLE_AFTERWARDS, LONELY, after) is not None


@pytest.mark.parametrize("name, through", [("aoai-prod-weu", True), ("", False), (None, False), (5, False)])
def test_custom_subdomain(name: Json, through: bool) -> None:  # noqa: FBT001 # a column of the table
    account = bodies.resource(COGNITIVE_ACCOUNTS, bodies.account(customSubDomainName=name))
    assert (ask(CUSTOM_SUBDOMAIN, account) is None) is through


def test_an_account_without_a_custom_subdomain() -> None:
    assert ask(CUSTOM_SUBDOMAIN, bodies.resource(COGNITIVE_ACCOUNTS, bodies.account(absent=["customSubDomainName"])))


@pytest.mark.parametrize(
    "options, through",
    [
        ({"aadOrApiKey": {"aadAuthFailureMode": "http403"}}, True),
        ({"aadOrApiKey": {}}, True),
        ({"aadOrApiKey": None}, False),
        ({"apiKeyOnly": {}}, False),
        ({}, False),
        (None, False),
    ],
)
def test_accepts_entra(options: Json, through: bool) -> None:  # noqa: FBT001 # a column of the table
    service = bodies.resource(SEARCH, bodies.search(authOptions=options))
    assert (ask(ACCEPTS_ENTRA, service) is None) is through


@pytest.mark.parametrize("user, through", [(None, True), (ACCOUNT.id, True), (WORKSPACE, False)])
def test_no_key_datastores(user: object, through: bool) -> None:  # noqa: FBT001 # a column of the table
    users = frozenset({WORKSPACE if user == WORKSPACE else ACCOUNT.id}) if user else frozenset()
    assert (ask(NO_KEY_DATASTORES, resource({}, STORAGE, users)) is None) is through


def test_a_workspace_in_any_spelling_uses_the_account() -> None:
    shouted = parse_arm_id(WORKSPACE.path.upper())
    assert ask(NO_KEY_DATASTORES, resource({}, STORAGE, frozenset({shouted}))) is not None


@pytest.mark.parametrize(
    "tags, through",
    [
        ({}, True),
        (None, True),
        ({"ms-resource-usage": "something-else"}, True),
        ({"ms-resource-usage": "azure-cloud-shell"}, False),
        ({"MS-Resource-Usage": "Azure-Cloud-Shell"}, False),
    ],
)
def test_not_cloud_shell(tags: Json, through: bool) -> None:  # noqa: FBT001 # a column of the table
    assert (ask(NOT_CLOUD_SHELL, resource({"tags": tags})) is None) is through


@pytest.mark.parametrize(
    "protected, through",
    [
        (set(), True),
        ({"other"}, True),
        ({"stmlprodweu"}, False),
        ({TARGET.key}, False),
        ({TARGET.key.replace("rg-ai-prod", "rg-other")}, True),
    ],
)
def test_not_our_own(protected: set[str], through: bool) -> None:  # noqa: FBT001 # a column of the table
    baseline = Baseline(protected=frozenset(protected))
    shouted = Resource(parse_arm_id(TARGET.path.upper()), STORAGE, {})
    assert (ask(NOT_OUR_OWN, shouted, baseline=baseline) is None) is through


def test_a_workspace_without_a_firewall_needs_an_endpoint() -> None:
    lonely = bodies.resource(ML_WORKSPACES, bodies.workspace(privateEndpointConnections=[]))
    assert ask(REACHABLE_AFTERWARDS, lonely, closed(lonely)) is not None
    served = bodies.resource(ML_WORKSPACES, bodies.workspace())
    assert ask(REACHABLE_AFTERWARDS, served, closed(served)) is None
