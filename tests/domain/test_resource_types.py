"""The table of types."""

import re

import pytest

from shared.domain.arm_id import parse_arm_id
from shared.domain.resource_types import RESOURCE_TYPES, ResourceType, judged_ancestor, known_type

GROUP = "/subscriptions/s/resourceGroups/rg"
ACCOUNT = f"{GROUP}/providers/Microsoft.CognitiveServices/accounts/a"
every = pytest.mark.parametrize("kind", [pytest.param(kind, id=kind.slug) for kind in RESOURCE_TYPES])


@every
def test_a_row_is_well_formed(kind: ResourceType) -> None:
    assert re.fullmatch(r"Microsoft\.[A-Za-z]+(/[A-Za-z]+)+", kind.name)
    assert re.fullmatch(r"[A-Z]+(_[A-Z]+)*", kind.suffix)
    assert re.fullmatch(r"[a-z]+(-[a-z]+)*", kind.slug)
    assert re.fullmatch(r"20\d\d-\d\d-\d\d", kind.api_version)
    assert all(path.startswith("properties.") for path in (*kind.whole, *kind.names, kind.state))
    assert kind.firewall is None or kind.firewall in kind.whole, "lists of rules are replaced with their object"
    assert all(state == state.lower() for state in kind.settled)
    assert all(group == group.lower() for group in kind.private_link_groups)
    assert {"write", "delete"} <= set(kind.operations)
    assert bool(kind.read_only) is (kind.method == "PUT"), "what a PUT must leave out"


def test_no_two_rows_share_a_name_or_a_suffix() -> None:
    assert len({kind.name.lower() for kind in RESOURCE_TYPES}) == len(RESOURCE_TYPES)
    assert len({kind.suffix for kind in RESOURCE_TYPES}) == len(RESOURCE_TYPES)


@every
def test_known_in_any_case(kind: ResourceType) -> None:
    assert known_type(kind.name.upper()) is kind
    assert known_type(kind.name) is kind


@pytest.mark.parametrize(
    "name", ["", "Microsoft.CognitiveServices", "Microsoft.CognitiveServices/accounts/deployments"]
)
def test_unknown(name: str) -> None:
    assert known_type(name) is None


@pytest.mark.parametrize(
    "path, ancestor",
    [
        (ACCOUNT, ACCOUNT),
        (f"{ACCOUNT}/deployments/gpt", ACCOUNT),
        (f"{ACCOUNT}/raiPolicies/strict", f"{ACCOUNT}/raiPolicies/strict"),
        (f"{ACCOUNT}/RAIPOLICIES/strict", f"{ACCOUNT}/RAIPOLICIES/strict"),
        (f"{ACCOUNT}/raiPolicies/strict/providers/Microsoft.Authorization/locks/l", f"{ACCOUNT}/raiPolicies/strict"),
        (f"{ACCOUNT}/raiBlocklists/names", ACCOUNT),
        (f"{ACCOUNT}/projects/p/connections/c", ACCOUNT),
        (f"{ACCOUNT}/providers/Microsoft.Authorization/locks/l", ACCOUNT),
        (f"{ACCOUNT}/deployments/gpt/providers/Microsoft.Insights/diagnosticSettings/d", ACCOUNT),
        (f"{GROUP}/providers/Microsoft.KeyVault/vaults/kv", None),
        (f"{GROUP}/providers/Microsoft.Authorization/locks/l", None),
        (GROUP, None),
        ("/subscriptions/s", None),
    ],
)
def test_judged_ancestor(path: str, ancestor: str | None) -> None:
    assert judged_ancestor(parse_arm_id(path)) == (parse_arm_id(ancestor) if ancestor else None)
