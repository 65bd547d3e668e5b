"""How consumers find a key in the vault."""

import hashlib
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.arm_id import ArmId, parse_arm_id
from shared.domain.vault import secret_name
from tests.domain.making import SUBSCRIPTION, TARGET, arm_ids

# learn.microsoft.com/azure/key-vault/general/about-keys-secrets-certificates, read 2026-11-24.
VALID = re.compile(r"[0-9A-Za-z-]{1,127}")
GROUP = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg-ai"
names = st.text(min_size=1, max_size=260)


def account(name: str, group: str = "rg-ai") -> ArmId:
    return parse_arm_id(
        f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{group}/providers/Microsoft.CognitiveServices/accounts/{name}"
    )


@given(arm_ids)
def test_any_id_has_a_name_that_the_vault_takes(target: ArmId) -> None:
    assert VALID.fullmatch(secret_name(target))
    assert secret_name(target) == secret_name(target)


@given(names)
def test_any_name_that_azure_allows_gives_one_that_the_vault_takes(name: str) -> None:
    try:
        target = account(name)
    except ValueError:
        return  # no resource is called that
    assert VALID.fullmatch(secret_name(target))


@pytest.mark.parametrize("name", ["a", "資源", "Größe_ĳ", "a.b_c d", "(x)", "x" * 260, "$Default", "-" * 3, "K", "İ"])
def test_odd_names(name: str) -> None:
    try:
        target = account(name)
    except ValueError:
        return  # no resource is called that
    assert VALID.fullmatch(secret_name(target))


@given(arm_ids, arm_ids)
def test_two_accounts_have_two_names(first: ArmId, second: ArmId) -> None:
    assert (secret_name(first) == secret_name(second)) is (first.key == second.key)


@pytest.mark.parametrize(
    "other",
    [
        account("oai", "rg-other"),
        account("oai2"),
        account("o-ai"),
        parse_arm_id(account("oai").path.replace("1", "2", 1)),
        parse_arm_id(account("oai").path.replace("CognitiveServices/accounts", "Search/searchServices")),
        parse_arm_id(f"{account('oai').path}/deployments/oai"),
    ],
)
def test_accounts_of_one_name_are_told_apart(other: ArmId) -> None:
    assert secret_name(account("oai")) != secret_name(other)


def test_names_that_the_vault_spells_alike_are_told_apart() -> None:
    found = {secret_name(account(name)) for name in ("a.b", "a_b", "a b", "a-b")}
    assert len(found) == 4


@given(arm_ids)
def test_the_spelling_of_the_id_does_not_matter(target: ArmId) -> None:
    assert secret_name(parse_arm_id(target.path.lower())) == secret_name(target)


def test_people_can_compute_it() -> None:
    digits = hashlib.sha256(TARGET.path.lower().encode()).hexdigest()[:8]
    assert secret_name(TARGET) == f"stmlprodweu-{digits}"
