"""The catalogue as a whole: what a reader, an auditor and the deployment rely on."""

import pkgutil
import re
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from uuid import UUID

import pytest

import remediations
from remediations import load_catalogue
from shared.domain.redact import redact
from shared.domain.remediation import Remediation, Rule
from tests.laws import Examples

CATALOGUE = load_catalogue()
MODULES = tuple(found.name for found in pkgutil.iter_modules(remediations.__path__) if not found.ispkg)
EXAMPLES = Path(__file__).parent / "remediations"
VERBS = {
    "disable",
    "restrict",
    "enforce",
    "rotate",
    "enable",
    "require",
    "remove",
    "deny",
    "limit",
    "disallow",
    "harden",
}

every = pytest.mark.parametrize(
    "remediation", [pytest.param(remediation, id=remediation.name) for remediation in CATALOGUE.remediations]
)
every_rule = pytest.mark.parametrize(
    "remediation, rule",
    [
        pytest.param(remediation, rule, id=remediation.rule_id(rule))
        for remediation in CATALOGUE.remediations
        for rule in remediation.rules
    ],
)


def test_every_module_is_in_the_catalogue_in_the_order_of_refs() -> None:
    refs = [remediation.ref for remediation in CATALOGUE.remediations]
    assert refs == sorted(set(refs))
    names = [remediation.name for remediation in CATALOGUE.remediations]
    assert sorted(names) == sorted(module.replace("_", "-") for module in MODULES)


def test_loading_twice_is_the_same_catalogue() -> None:
    assert load_catalogue() == CATALOGUE


@pytest.mark.parametrize("module", MODULES)
def test_every_module_has_its_examples_and_is_held_to_the_laws(module: str) -> None:
    assert (EXAMPLES / f"test_{module}.py").exists()
    test = import_module(f"tests.remediations.test_{module}")
    remediation = import_module(f"remediations.{module}").REMEDIATION
    assert test.TestLaws.remediation is remediation
    groups: tuple[Examples, ...] = test.EXAMPLES
    assert test.TestLaws.examples == groups
    for rule in remediation.rules:
        bodies = [group for group in groups if group.type is rule.type]
        assert any(group.drifts for group in bodies), f"{rule.type.slug} has no drifting example"
        assert any(group.complies or group.not_applicable for group in bodies), f"{rule.type.slug} has no good one"


def test_every_examples_file_has_its_module() -> None:
    found = {path.stem.removeprefix("test_") for path in EXAMPLES.glob("test_*.py")}
    assert found == {*MODULES, "together"}


@every
def test_names(remediation: Remediation) -> None:
    assert re.fullmatch(r"AIR-\d{3}", remediation.ref)
    assert re.fullmatch(r"[a-z]+(-[a-z]+)+", remediation.name)
    assert remediation.name.partition("-")[0] in VERBS
    module = import_module(f"remediations.{remediation.name.replace('-', '_')}")
    assert module.REMEDIATION is remediation
    assert str(module.__doc__).startswith(f"{remediation.ref}: ")


@every
def test_prose(remediation: Remediation) -> None:
    assert remediation.title[0].isupper()
    assert not remediation.title.endswith((".", "!", ":"))
    assert len(remediation.title) <= 90
    for sentence in (remediation.why, remediation.disrupts):
        assert sentence[0].isupper()
        assert sentence.endswith(".")
        assert len(sentence) <= 240
    for text in (remediation.title, remediation.why, remediation.disrupts):
        assert text == " ".join(text.split())
        assert text == redact(text)


@every
def test_controls(remediation: Remediation) -> None:
    frameworks = ("MCSB ", "NIST 800-53 ", "ISO 27001 A.", "CIS Azure Foundations ", "MITRE ATLAS AML.")
    assert remediation.controls
    assert len(set(remediation.controls)) == len(remediation.controls)
    assert all(control.startswith(frameworks) for control in remediation.controls)


@every
def test_policies_are_built_in_definitions(remediation: Remediation) -> None:
    assert len(set(remediation.policies)) == len(remediation.policies)
    assert all(str(UUID(policy)) == policy for policy in remediation.policies)


@every
def test_sources(remediation: Remediation) -> None:
    assert remediation.sources
    assert len({source.url for source in remediation.sources}) == len(remediation.sources)
    for source in remediation.sources:
        assert re.fullmatch(r"https://[a-z.]+/[^\s?#]+", source.url)
        assert source.reviewed <= datetime.now(UTC).date()


@every
def test_one_rule_for_each_type(remediation: Remediation) -> None:
    assert remediation.rules
    assert len({rule.type.name for rule in remediation.rules}) == len(remediation.rules)


@every_rule
def test_actions(remediation: Remediation, rule: Rule) -> None:
    assert f"{rule.type.name}/write" in rule.actions, remediation.name
    assert len(set(rule.actions)) == len(rule.actions)
    assert all(re.fullmatch(r"Microsoft\.[A-Za-z]+(/[A-Za-z]+)+/(write|delete|action)", each) for each in rule.actions)


@every_rule
def test_a_rule_says_what_absence_means(remediation: Remediation, rule: Rule) -> None:
    assert rule.defaults, remediation.name
    assert set(rule.defaults) == {"properties"}
    assert len({guard.name for guard in rule.guards}) == len(rule.guards)
