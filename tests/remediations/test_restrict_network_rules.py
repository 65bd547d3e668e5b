"""AIR-002 on accounts, search services and storage accounts."""

import pytest

from remediations.restrict_network_rules import REMEDIATION
from shared.domain.baseline import Baseline
from shared.domain.body import Json, JsonObject, at
from shared.domain.resource_types import COGNITIVE_ACCOUNTS, SEARCH, STORAGE, ResourceType
from tests.laws import Examples, judge, laws, patch_of
from tests.remediations.bodies import EIGHTS, SUBNET, account, acls, ip_rules, resource, search, storage, storage_acls

OFFICE = "203.0.113.0/24"
HOSTILE = Baseline(hostile=frozenset({"198.51.100.7", "2001:db8::7"}))

EXAMPLES = (
    Examples(
        COGNITIVE_ACCOUNTS,
        complies={
            "a narrow allow-list, the rest denied": account(networkAcls=acls("Deny", OFFICE)),
            "everybody denied": account(networkAcls=acls("Deny")),
            "one subnet, the rest denied": account(networkAcls=acls("Deny", subnets=[SUBNET])),
            "a single address": account(networkAcls=acls("Deny", "203.0.113.7")),
            "the broadest range that is still somebody's": account(networkAcls=acls("Deny", "10.0.0.0/8")),
        },
        drifts={
            "the rest let in": account(networkAcls=acls("Allow", OFFICE)),
            "no rules at all": account(absent=["networkAcls"]),
            "no rules at all, of a kind that trusts nobody": account({"kind": "SpeechServices"}, ["networkAcls"]),
            "no rules at all, AI services": account({"kind": "AIServices"}, networkAcls=None),
            "rules that say nothing": account(networkAcls={"bypass": None, "defaultAction": None}),
            "no custom subdomain": account(absent=["customSubDomainName"]),
            "0.0.0.0/0 among others": account(networkAcls=acls("Deny", OFFICE, "0.0.0.0/0", subnets=[SUBNET])),
            "the internet in two halves": account(networkAcls=acls("Deny", "0.0.0.0/1", OFFICE, "128.0.0.0/1")),
            "the internet in many pieces": account(networkAcls=acls("Deny", *EIGHTS)),
            "::/0": account(networkAcls=acls("Deny", "::/0", "2001:db8::/48")),
            "the internet written first-last": account(networkAcls=acls("Deny", "0.0.0.0 - 255.255.255.255", OFFICE)),
            "a range that nobody can read": account(networkAcls=acls("Deny", "everyone", OFFICE)),
            "a rule without a range": account(networkAcls={"defaultAction": "Deny", "ipRules": [{}, None, "x"]}),
        },
        not_applicable={"closed": account(publicNetworkAccess="Disabled", networkAcls=acls("Allow", "0.0.0.0/0"))},
    ),
    Examples(
        COGNITIVE_ACCOUNTS,
        complies={"as narrow as asked for": account(networkAcls=acls("Deny", "203.0.113.7"))},
        drifts={"wider than asked for": account(networkAcls=acls("Deny", OFFICE))},
        baseline=Baseline(min_ipv4_prefix=32),
    ),
    Examples(
        COGNITIVE_ACCOUNTS,
        complies={"nobody of the attack is let in": account(networkAcls=acls("Deny", OFFICE, "2001:db9::/48"))},
        drifts={
            "an attacker's address": account(networkAcls=acls("Deny", OFFICE, "198.51.100.7")),
            "a range with an attacker in it": account(networkAcls=acls("Deny", "198.51.100.0/24", OFFICE)),
            "an attacker behind IPv6": account(networkAcls=acls("Deny", "2001:db8::/48", OFFICE)),
            "nobody but an attacker": account(networkAcls=acls("Deny", "198.51.100.7")),
            "an attacker, and the rest let in": account(networkAcls=acls("Allow", "198.51.100.7")),
            "an attacker and the internet": account(networkAcls=acls("Deny", OFFICE, "198.51.100.7", "0.0.0.0/0")),
        },
        not_applicable={
            "closed": account(publicNetworkAccess="Disabled", networkAcls=acls("Deny", "198.51.100.7")),
        },
        baseline=HOSTILE,
    ),
    Examples(
        SEARCH,
        drifts={
            "an attacker among others": search(networkRuleSet={"ipRules": ip_rules(OFFICE, "198.51.100.7")}),
            "nobody but attackers": search(networkRuleSet={"ipRules": ip_rules("198.51.100.7", "2001:db8::/48")}),
        },
        not_applicable={"nobody of the attack is let in": search(networkRuleSet={"ipRules": ip_rules(OFFICE)})},
        baseline=HOSTILE,
    ),
    Examples(
        STORAGE,
        drifts={"an attacker among others": storage(networkAcls=storage_acls("Deny", OFFICE, "198.51.100.0/28"))},
        baseline=HOSTILE,
    ),
    Examples(
        SEARCH,
        drifts={
            "an empty list lets everybody in": search(networkRuleSet={"ipRules": [], "bypass": "None"}),
            "no list": search(absent=["networkRuleSet"]),
            "only wide ranges": search(networkRuleSet={"ipRules": ip_rules("0.0.0.0/0", "::/0"), "bypass": "None"}),
            "a wide range among narrow ones": search(
                networkRuleSet={"ipRules": ip_rules(OFFICE, "0.0.0.0/0"), "bypass": "AzurePortal"}
            ),
            "the internet in two halves": search(networkRuleSet={"ipRules": ip_rules("0.0.0.0/1", "128.0.0.0/1")}),
            "the internet in many pieces": search(networkRuleSet={"ipRules": ip_rules(*EIGHTS, OFFICE)}),
        },
        not_applicable={
            "a narrow list": search(networkRuleSet={"ipRules": ip_rules(OFFICE), "bypass": "None"}),
            "closed": search(publicNetworkAccess="disabled", networkRuleSet={"ipRules": ip_rules("0.0.0.0/0")}),
            "a perimeter decides": search(publicNetworkAccess="securedByPerimeter"),
        },
    ),
    Examples(
        STORAGE,
        complies={
            "a narrow allow-list, the rest denied": storage(networkAcls=storage_acls("Deny", OFFICE)),
            "everybody denied": storage(networkAcls=storage_acls("Deny")),
        },
        drifts={
            "the rest let in": storage(networkAcls=storage_acls("Allow")),
            "no rules at all": storage(absent=["networkAcls"]),
            "a wide range beside what a service may do": storage(
                networkAcls={
                    "bypass": "AzureServices, Logging",
                    "defaultAction": "Deny",
                    "ipRules": [{"value": "0.0.0.0/0", "action": "Allow"}, {"value": OFFICE, "action": "Allow"}],
                    "virtualNetworkRules": [{"id": SUBNET, "action": "Allow", "state": "Succeeded"}],
                    "resourceAccessRules": [],
                }
            ),
            "Cloud Shell's own": storage({"tags": {"ms-resource-usage": "azure-cloud-shell", "airlock": "protect"}}),
        },
        not_applicable={
            "closed": storage(publicNetworkAccess="Disabled"),
            "a perimeter decides": storage(publicNetworkAccess="SecuredByPerimeter"),
        },
    ),
)

TestLaws = laws(REMEDIATION, *EXAMPLES)


def patch(kind: ResourceType, body: JsonObject, baseline: Baseline = Baseline()) -> JsonObject:  # noqa: B008 # frozen
    (rule,) = (rule for rule in REMEDIATION.rules if rule.type is kind)
    live = resource(kind, body)
    return patch_of(live, judge(REMEDIATION, rule, baseline, body))


@pytest.mark.parametrize(
    "ranges, kept",
    [
        ([OFFICE, "0.0.0.0/0"], [OFFICE]),
        (["0.0.0.0/1", OFFICE, "128.0.0.0/1"], [OFFICE]),
        (["::/0", "2001:db8::/48"], ["2001:db8::/48"]),
        ([*EIGHTS, "203.0.113.7"], ["203.0.113.7"]),
        (["0.0.0.0-255.255.255.255"], []),
    ],
)
def test_narrow_ranges_stay_in_their_order(ranges: list[str], kept: list[str]) -> None:
    sent = patch(COGNITIVE_ACCOUNTS, account(networkAcls=acls("Deny", *ranges)))
    assert at(sent, "properties.networkAcls.ipRules") == ip_rules(*kept)


def test_the_subnets_of_an_account_go_along() -> None:
    sent = patch(COGNITIVE_ACCOUNTS, account(networkAcls=acls("Allow", OFFICE, subnets=[SUBNET])))
    assert sent == {"properties": {"networkAcls": acls("Deny", OFFICE, subnets=[SUBNET])}}


@pytest.mark.parametrize(
    "kind, bypass", [("OpenAI", "AzureServices"), ("AIServices", "AzureServices"), ("SpeechServices", None)]
)
def test_trusted_services_keep_the_way_in_that_was_unsaid(kind: str, bypass: Json) -> None:
    sent = patch(COGNITIVE_ACCOUNTS, account({"kind": kind}, absent=["networkAcls"]))
    assert at(sent, "properties.networkAcls.bypass") == bypass


def test_trusted_services_get_their_way_in_with_the_deny_and_never_without() -> None:
    silent = {"ipRules": ip_rules(OFFICE)}
    sent = patch(COGNITIVE_ACCOUNTS, account({"kind": "OpenAI"}, networkAcls=silent | {"defaultAction": "Allow"}))
    assert at(sent, "properties.networkAcls.bypass") == "AzureServices"
    denied = account({"kind": "OpenAI"}, networkAcls=silent | {"defaultAction": "Deny"})
    rule = next(rule for rule in REMEDIATION.rules if rule.type is COGNITIVE_ACCOUNTS)
    assert not judge(REMEDIATION, rule, Baseline(), denied)


def test_a_bypass_that_was_said_stays() -> None:
    said = acls("Allow") | {"bypass": "None"}
    sent = patch(COGNITIVE_ACCOUNTS, account(networkAcls=said))
    assert at(sent, "properties.networkAcls.bypass") == "None"


@pytest.mark.parametrize(
    "ranges, sent",
    [
        ([], {"publicNetworkAccess": "Disabled"}),
        (["0.0.0.0/0"], {"publicNetworkAccess": "Disabled"}),
        (["0.0.0.0/0", OFFICE], {"networkRuleSet": {"ipRules": [{"value": OFFICE}], "bypass": "AzurePortal"}}),
    ],
)
def test_the_last_rule_of_a_search_service_never_goes(ranges: list[str], sent: JsonObject) -> None:
    body = search(networkRuleSet={"ipRules": ip_rules(*ranges), "bypass": "AzurePortal"})
    assert patch(SEARCH, body) == {"properties": sent}


@pytest.mark.parametrize(
    "ranges, sent",
    [
        (["198.51.100.7"], {"publicNetworkAccess": "Disabled"}),
        (["198.51.100.0/24", "0.0.0.0/0"], {"publicNetworkAccess": "Disabled"}),
        (["198.51.100.7", OFFICE], {"networkRuleSet": {"ipRules": [{"value": OFFICE}], "bypass": "AzurePortal"}}),
    ],
)
def test_a_search_service_that_lets_nobody_but_attackers_in_is_closed(ranges: list[str], sent: JsonObject) -> None:
    body = search(networkRuleSet={"ipRules": ip_rules(*ranges), "bypass": "AzurePortal"})
    assert patch(SEARCH, body, HOSTILE) == {"properties": sent}


def test_subnets_stay_when_an_attacker_goes() -> None:
    sent = patch(STORAGE, storage(networkAcls=storage_acls("Deny", "198.51.100.7", subnets=[SUBNET])), HOSTILE)
    assert sent == {"properties": {"networkAcls": storage_acls("Deny", subnets=[SUBNET])}}
