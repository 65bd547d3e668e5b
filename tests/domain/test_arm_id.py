"""ARM ids: what is read comes back, and nothing else is read."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.arm_id import ArmId, extension, parse_arm_id
from tests.domain.making import arm_ids, namespaces, words

ACCOUNT = "/subscriptions/s-1/resourceGroups/rg/providers/Microsoft.CognitiveServices/accounts/a"


@given(arm_ids)
def test_an_id_reads_back_as_itself(arm_id: ArmId) -> None:
    assert parse_arm_id(arm_id.path) == arm_id
    assert str(arm_id) == arm_id.path


@given(arm_ids, st.sampled_from([str.upper, str.lower, str.swapcase]))
def test_spelling_does_not_change_the_key(arm_id: ArmId, spell: type[str]) -> None:
    assert parse_arm_id(spell(arm_id.path)).key == arm_id.key


@given(arm_ids)
def test_parents_lead_up_to_the_subscription(arm_id: ArmId) -> None:
    at: ArmId | None = arm_id
    while at is not None:
        assert parse_arm_id(at.path) == at
        last, at = at, at.parent
        assert at is None or last.path.startswith(f"{at.path}/")
    assert last == ArmId(arm_id.subscription)


@pytest.mark.parametrize(
    "path, kind, name, parent",
    [
        ("/subscriptions/s-1", "Microsoft.Resources/subscriptions", "s-1", None),
        ("/subscriptions/s-1/resourceGroups/rg", "Microsoft.Resources/resourceGroups", "rg", "/subscriptions/s-1"),
        (ACCOUNT, "Microsoft.CognitiveServices/accounts", "a", "/subscriptions/s-1/resourceGroups/rg"),
        (f"{ACCOUNT}/deployments/d", "Microsoft.CognitiveServices/accounts/deployments", "d", ACCOUNT),
        (f"{ACCOUNT}/providers/Microsoft.Authorization/locks/l", "Microsoft.Authorization/locks", "l", ACCOUNT),
        (
            "/subscriptions/s-1/providers/Microsoft.Security/pricings/AI",
            "Microsoft.Security/pricings",
            "AI",
            "/subscriptions/s-1",
        ),
    ],
)
def test_parts(path: str, kind: str, name: str, parent: str | None) -> None:
    arm_id = parse_arm_id(path)
    assert (arm_id.type, arm_id.name) == (kind, name)
    assert (arm_id.parent.path if arm_id.parent else None) == parent


def test_odd_case_keeps_its_spelling_and_gets_the_canonical_words() -> None:
    arm_id = parse_arm_id("/SUBSCRIPTIONS/S-1/resourcegroups/Rg/PROVIDERS/microsoft.STORAGE/storageaccounts/StMl")
    assert arm_id.path == "/subscriptions/S-1/resourceGroups/Rg/providers/microsoft.STORAGE/storageaccounts/StMl"
    assert arm_id.key == arm_id.path.lower()


def test_some_names_of_azure_s_own_have_blanks() -> None:
    assert parse_arm_id(f"{ACCOUNT}/raiPolicies/Indirect Attack").name == "Indirect Attack"


def test_a_group_name_may_be_of_any_letters() -> None:
    assert parse_arm_id("/subscriptions/s-1/resourceGroups/Straße-東京_(1)").resource_group == "Straße-東京_(1)"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "/",
        "subscriptions/s-1",
        "/subscriptions",
        "/subscriptions/",
        "/subscriptions/s 1",
        "/subscriptions/s_1",
        f"/subscriptions/{'s' * 65}",
        "/tenants/t/subscriptions/s-1",
        "/providers/Microsoft.Management/managementGroups/m",
        "https://management.azure.com/subscriptions/s-1",
        "//management.azure.com/subscriptions/s-1",
        "/subscriptions/s-1/",
        "/subscriptions/s-1/resourceGroups",
        "/subscriptions/s-1/resourceGroups/",
        "/subscriptions/s-1/resourceGroups/rg/",
        "/subscriptions/s-1/resourceGroups/.",
        "/subscriptions/s-1/resourceGroups/..",
        "/subscriptions/s-1/resourceGroups/rg.",
        "/subscriptions/s-1/resourceGroups/rg/extra/x",
        "/subscriptions/s-1/resourceGroups/rg/providers",
        "/subscriptions/s-1/resourceGroups/rg/providers/Microsoft.Storage",
        "/subscriptions/s-1/resourceGroups/rg/providers/Microsoft.Storage/storageAccounts",
        "/subscriptions/s-1/resourceGroups/rg/providers/Storage/storageAccounts/x",
        "/subscriptions/s-1/resourceGroups/rg/providers/Microsoft.Storage/providers/Microsoft.Storage/a/b",
        f"{ACCOUNT}/deployments",
        f"{ACCOUNT}/../b",
        f"{ACCOUNT}/..",
        f"{ACCOUNT}//",
        f"{ACCOUNT}%2f..",
        f"{ACCOUNT}%2F%2e%2e",
        f"{ACCOUNT}?api-version=2020-01-01",
        f"{ACCOUNT}#fragment",
        f"{ACCOUNT}\\b",
        f"{ACCOUNT};b",
        f"{ACCOUNT} ",
        f"{ACCOUNT}\n",
        f"{ACCOUNT}\x00",
        f"{ACCOUNT}\x7f",
        f"{ACCOUNT}\u202e",
        f"{ACCOUNT}\ud800",
        f"{ACCOUNT}@evil.example",
        f"{ACCOUNT}/deployments/{'d' * 261}",
        f"/subscriptions/s-1/resourceGroups/{'r' * 1_000_000}",
        "/" * 1_000_000,
        "\n" + ACCOUNT,
    ],
)
def test_tricks_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="ARM id"):
        parse_arm_id(text)


def test_the_refusal_does_not_repeat_the_text() -> None:
    with pytest.raises(ValueError, match="ARM id") as refusal:
        parse_arm_id("/subscriptions/s-1/resourceGroups/AccountKey=hunter2")
    assert "hunter2" not in str(refusal.value)


@given(st.text(max_size=60) | st.text("/.%?#\\subscriptionresgpovd ", max_size=80) | st.lists(st.text()).map("/".join))
def test_any_text_is_an_id_or_a_value_error(text: str) -> None:
    for spelt in (text, f"/subscriptions/s/{text}", f"/subscriptions/s/resourceGroups/{text}", f"{ACCOUNT}/{text}"):
        try:
            arm_id = parse_arm_id(spelt)
        except ValueError:
            continue
        assert parse_arm_id(arm_id.path) == arm_id
        assert not set("%?#\\\r\n\0") & set(arm_id.path)
        assert all(part.strip(" ") == part and not part.startswith(".") for part in arm_id.path.split("/")[1:])


@pytest.mark.parametrize(
    "lookalike",
    [
        # The Kelvin sign, whose lower case is the letter k.
        "/subscriptions/s-1/resourceGroups/rg/providers/Microsoft.MachineLearningServices/wor\u212aspaces/w",
        "/subscriptions/s-1/resourceGroups/rg/providers/Microsoft.MachineLearningServices/workspaces/\u212a1",
        "/subscriptions/s-1/resourceGroups/r\u212a/providers/Microsoft.MachineLearningServices/workspaces/w",
    ],
)
def test_a_letter_that_only_lowers_alike_is_no_spelling_of_the_same_id(lookalike: str) -> None:
    honest = parse_arm_id(lookalike.replace("\u212a", "k"))
    try:
        other = parse_arm_id(lookalike)
    except ValueError:
        return
    assert other.key != honest.key


@given(arm_ids, namespaces, st.lists(st.tuples(words, words), min_size=1, max_size=3))
def test_an_extension_is_what_its_parts_spell(scope: ArmId, namespace: str, pairs: list[tuple[str, str]]) -> None:
    built = extension(scope, namespace, *pairs)
    spelt = "/".join(text for pair in pairs for text in pair)
    assert built == parse_arm_id(f"{scope.path}/providers/{namespace}/{spelt}")


@pytest.mark.parametrize(
    "part", ["", ".", "..", "a/b", "a/b/c", "a/../b", "a%2fb", "a?b", "a#b", "a\\b", "a\n", "x" * 3_000]
)
def test_no_part_of_an_extension_reaches_beyond_its_place(part: str) -> None:
    scope = ArmId("s-1", "rg")
    for where, namespace, pairs in (
        (ArmId(part, "rg"), "Microsoft.Security", (("alerts", "a"),)),
        (ArmId("s-1", f"rg/{part}"), "Microsoft.Security", (("alerts", "a"),)),
        (scope, f"Microsoft.Security/{part}", (("alerts", "a"),)),
        (scope, "Microsoft.Security", ((part, "a"),)),
        (scope, "Microsoft.Security", (("locations", part), ("alerts", "a"))),
        (scope, "Microsoft.Security", (("locations", "l"), ("alerts", part))),
    ):
        with pytest.raises(ValueError, match="ARM id"):
            extension(where, namespace, *pairs)


def test_parts_that_would_read_as_other_parts_are_refused() -> None:
    for scope, namespace, pairs in (
        (ArmId("s-1/resourceGroups/rg"), "Microsoft.X", (("a", "b"),)),
        (ArmId("s-1", "rg/providers/Microsoft.Y/a/b"), "Microsoft.X", (("a", "b"),)),
        (ArmId("s-1"), "Microsoft.X/a/b/providers/Microsoft.Y", (("a", "b"),)),
        (ArmId("s-1"), "Microsoft.X", (("a", "b"), ("providers", "Microsoft.Y"), ("c", "d"))),
        (ArmId("s-1"), "Microsoft.X", (("a", "b/c/d"),)),
        (ArmId("s-1"), "Microsoft.X", ()),
    ):
        with pytest.raises(ValueError, match="ARM id"):
            extension(scope, namespace, *pairs)


@given(arm_ids, st.text(max_size=12) | words, st.text(max_size=12) | words, st.text(max_size=12) | words)
def test_any_parts_are_an_extension_or_a_value_error(scope: ArmId, namespace: str, kind: str, name: str) -> None:
    try:
        built = extension(scope, namespace, (kind, name))
    except ValueError:
        return
    assert built.parent == scope
    assert parse_arm_id(built.path) == built
