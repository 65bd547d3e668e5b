"""AIR-001 on every judged type."""

import pytest

from remediations.disable_public_network_access import REMEDIATION
from shared.domain.baseline import Baseline
from shared.domain.body import Json, JsonObject
from shared.domain.resource_types import COGNITIVE_ACCOUNTS, ML_WORKSPACES, SEARCH, STORAGE, ResourceType
from tests.laws import Examples, judge, laws, wants
from tests.remediations.bodies import EIGHTS, SUBNET, account, acls, ip_rules, search, storage, storage_acls, workspace

HOSTILE = Baseline(hostile=frozenset({"198.51.100.7", "2001:db8::7"}))

EXAMPLES = (
    Examples(
        COGNITIVE_ACCOUNTS,
        complies={
            "a narrow allow-list, the rest denied": account(networkAcls=acls("Deny", "203.0.113.0/24")),
            "one subnet, the rest denied": account(networkAcls=acls("Deny", subnets=[SUBNET])),
            "everybody denied": account(networkAcls=acls("Deny")),
            "an IPv6 allow-list": account(networkAcls=acls("Deny", "2001:db8::/32")),
            "an allow-list written first-last": account(networkAcls=acls("Deny", "203.0.113.4-203.0.113.9")),
        },
        drifts={
            "open": account(publicNetworkAccess="Enabled", networkAcls=acls("Allow")),
            "never set": account(absent=["publicNetworkAccess", "networkAcls"]),
            "an allow-list that lets the rest in": account(networkAcls=acls("Allow", "203.0.113.0/24")),
            "an allow-list that does not say": account(networkAcls={"ipRules": ip_rules("203.0.113.0/24")}),
            "0.0.0.0/0": account(networkAcls=acls("Deny", "203.0.113.0/24", "0.0.0.0/0")),
            "the internet in two halves": account(networkAcls=acls("Deny", "0.0.0.0/1", "128.0.0.0/1")),
            "the internet in many pieces": account(networkAcls=acls("Deny", *EIGHTS)),
            "::/0": account(networkAcls=acls("Deny", "::/0")),
            "the internet written first-last": account(networkAcls=acls("Deny", "0.0.0.0-255.255.255.255")),
            "a range that nobody can read": account(networkAcls=acls("Deny", "everyone")),
            "a word that nobody knows": account(publicNetworkAccess="Sometimes"),
        },
        not_applicable={"closed": account(publicNetworkAccess="Disabled")},
    ),
    Examples(
        COGNITIVE_ACCOUNTS,
        drifts={"allow-lists are not wanted": account(networkAcls=acls("Deny", "203.0.113.0/24"))},
        not_applicable={"closed whatever is listed": account(publicNetworkAccess="Disabled")},
        baseline=Baseline(allow_lists=False),
    ),
    Examples(
        COGNITIVE_ACCOUNTS,
        complies={"as narrow as asked for": account(networkAcls=acls("Deny", "203.0.113.0/28"))},
        drifts={"wider than asked for": account(networkAcls=acls("Deny", "203.0.113.0/24"))},
        baseline=Baseline(min_ipv4_prefix=28),
    ),
    Examples(
        COGNITIVE_ACCOUNTS,
        complies={
            "nobody of the attack is let in": account(networkAcls=acls("Deny", "203.0.113.0/24")),
            "everybody denied": account(networkAcls=acls("Deny")),
        },
        drifts={
            "an attacker among others": account(networkAcls=acls("Deny", "203.0.113.0/24", "198.51.100.7")),
            "nobody but an attacker": account(networkAcls=acls("Deny", "198.51.100.0/24")),
            "nobody but an attacker, and the rest let in": account(networkAcls=acls("Allow", "198.51.100.7")),
            "an attacker beside a subnet": account(networkAcls=acls("Deny", "2001:db8::/48", subnets=[SUBNET])),
            "an attacker and the internet": account(networkAcls=acls("Deny", "203.0.113.0/24", "0.0.0.0/0")),
        },
        not_applicable={"closed": account(publicNetworkAccess="Disabled", networkAcls=acls("Deny", "198.51.100.7"))},
        baseline=HOSTILE,
    ),
    Examples(
        SEARCH,
        drifts={
            "an attacker among others": search(networkRuleSet={"ipRules": ip_rules("203.0.113.0/24", "198.51.100.7")}),
            "nobody but an attacker": search(networkRuleSet={"ipRules": ip_rules("198.51.100.7")}),
            "nobody but an attacker, and a word that nobody knows": search(
                networkRuleSet={"ipRules": ip_rules("198.51.100.7"), "defaultAction": "Deny"}
            ),
            "an attacker and the internet": search(networkRuleSet={"ipRules": ip_rules("198.51.100.7", "0.0.0.0/0")}),
        },
        not_applicable={
            "nobody of the attack is let in": search(networkRuleSet={"ipRules": ip_rules("203.0.113.0/24")}),
            "closed": search(publicNetworkAccess="disabled", networkRuleSet={"ipRules": ip_rules("198.51.100.7")}),
        },
        baseline=HOSTILE,
    ),
    Examples(
        SEARCH,
        not_applicable={
            "a narrow list": search(networkRuleSet={"ipRules": ip_rules("203.0.113.0/24"), "bypass": "None"}),
            "a narrow list and a null that means nothing": search(
                networkRuleSet={"ipRules": ip_rules("203.0.113.0/24"), "defaultAction": None}
            ),
            "closed": search(publicNetworkAccess="disabled"),
            "a perimeter decides": search(publicNetworkAccess="securedByPerimeter"),
        },
        drifts={
            "an empty list lets everybody in": search(networkRuleSet={"ipRules": [], "bypass": "None"}),
            "no list": search(absent=["networkRuleSet"]),
            "never set": search(absent=["publicNetworkAccess", "networkRuleSet"]),
            "only a wide range": search(networkRuleSet={"ipRules": ip_rules("0.0.0.0/0"), "bypass": "None"}),
            "a wide range among narrow ones": search(
                networkRuleSet={"ipRules": ip_rules("203.0.113.0/24", "0.0.0.0/0"), "bypass": "AzurePortal"}
            ),
        },
    ),
    Examples(
        SEARCH,
        drifts={"allow-lists are not wanted": search(networkRuleSet={"ipRules": ip_rules("203.0.113.0/24")})},
        baseline=Baseline(allow_lists=False),
    ),
    Examples(
        ML_WORKSPACES,
        not_applicable={
            "closed": workspace(publicNetworkAccess="Disabled"),
            "a project, whose hub is judged": workspace({"kind": "Project"}, publicNetworkAccess="Enabled"),
            "a perimeter decides": workspace(publicNetworkAccess="SecuredByPerimeter"),
        },
        drifts={
            "open": workspace(publicNetworkAccess="Enabled"),
            "never set": workspace(absent=["publicNetworkAccess"]),
            "an open hub": workspace({"kind": "Hub"}, publicNetworkAccess="Enabled"),
            "a feature store": workspace({"kind": "FeatureStore"}, publicNetworkAccess="Enabled"),
            "no kind": workspace({"kind": None}, publicNetworkAccess="Enabled"),
        },
    ),
    Examples(
        STORAGE,
        complies={
            "a narrow allow-list, the rest denied": storage(networkAcls=storage_acls("Deny", "203.0.113.0/24")),
            "one workspace, the rest denied": storage(
                networkAcls={
                    "defaultAction": "Deny",
                    "resourceAccessRules": [
                        {
                            "tenantId": "99999999-0000-0000-0000-000000000001",
                            "resourceId": workspace()["id"],
                        }
                    ],
                }
            ),
        },
        drifts={
            "open": storage(),
            "never set": storage(absent=["publicNetworkAccess", "networkAcls"]),
            "0.0.0.0/0": storage(networkAcls=storage_acls("Deny", "0.0.0.0/0")),
            "Cloud Shell's own": storage({"tags": {"ms-resource-usage": "azure-cloud-shell", "airlock": "protect"}}),
            "an allow-list that lets the rest in": storage(networkAcls=storage_acls("Allow", subnets=[SUBNET])),
        },
        not_applicable={
            "closed": storage(publicNetworkAccess="Disabled"),
            "a perimeter decides": storage(publicNetworkAccess="SecuredByPerimeter"),
        },
    ),
)

TestLaws = laws(REMEDIATION, *EXAMPLES)

CLOSED: dict[str, Json] = {"properties.publicNetworkAccess": "Disabled"}


@pytest.mark.parametrize(
    "kind, body, wanted",
    [
        (
            COGNITIVE_ACCOUNTS,
            account(networkAcls=acls("Deny", "203.0.113.0/24", "198.51.100.7")),
            {"properties.networkAcls.ipRules": ip_rules("203.0.113.0/24")},
        ),
        (
            COGNITIVE_ACCOUNTS,
            account(networkAcls=acls("Allow", "203.0.113.0/24", "198.51.100.7")),
            {
                "properties.networkAcls.defaultAction": "Deny",
                "properties.networkAcls.ipRules": ip_rules("203.0.113.0/24"),
            },
        ),
        # What lets nobody else in was no allow-list; what denied everybody else still does.
        (COGNITIVE_ACCOUNTS, account(networkAcls=acls("Allow", "198.51.100.7")), CLOSED),
        (
            COGNITIVE_ACCOUNTS,
            account(networkAcls=acls("Deny", "198.51.100.7")),
            {"properties.networkAcls.ipRules": []},
        ),
        # An attack makes the rule no milder: a list that holds the internet is closed as in peace.
        (COGNITIVE_ACCOUNTS, account(networkAcls=acls("Deny", "203.0.113.0/24", "0.0.0.0/0")), CLOSED),
        (
            SEARCH,
            search(networkRuleSet={"ipRules": ip_rules("203.0.113.0/24", "198.51.100.7")}),
            {"properties.networkRuleSet.ipRules": ip_rules("203.0.113.0/24")},
        ),
        (SEARCH, search(networkRuleSet={"ipRules": ip_rules("198.51.100.7")}), CLOSED),
        (
            STORAGE,
            storage(networkAcls=storage_acls("Deny", "198.51.100.7", subnets=[SUBNET])),
            {"properties.networkAcls.ipRules": []},
        ),
    ],
)
def test_attackers_go_and_the_others_stay(kind: ResourceType, body: JsonObject, wanted: dict[str, Json]) -> None:
    (rule,) = (rule for rule in REMEDIATION.rules if rule.type is kind)
    assert dict(wants(judge(REMEDIATION, rule, HOSTILE, body))) == wanted
