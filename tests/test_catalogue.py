"""The catalogue as a whole: what a reader, an auditor and the deployment rely on."""

import pkgutil
import re
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from uuid import UUID

import pytest

import remediations
import remediations.responses
from remediations import load_catalogue
from shared.domain.redact import redact
from shared.domain.remediation import Remediation, Rule
from shared.domain.resource_types import RESOURCE_TYPES, ResourceType
from shared.domain.response import Response
from tests.laws import Examples
from tests.remediations import test_responses

CATALOGUE = load_catalogue()
ACTS: tuple[Remediation | Response, ...] = (*CATALOGUE.remediations, *CATALOGUE.responses)
MODULES = tuple(found.name for found in pkgutil.iter_modules(remediations.__path__) if not found.ispkg)
RESPONSE_MODULES = tuple(found.name for found in pkgutil.iter_modules(remediations.responses.__path__))
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
    "tag",
    "cap",
    "pause",
}

every = pytest.mark.parametrize(
    "remediation", [pytest.param(remediation, id=remediation.name) for remediation in CATALOGUE.remediations]
)
every_response = pytest.mark.parametrize(
    "response", [pytest.param(response, id=response.name) for response in CATALOGUE.responses]
)
every_type = pytest.mark.parametrize(
    "response, kind",
    [
        pytest.param(response, kind, id=response.rule_id(kind))
        for response in CATALOGUE.responses
        for kind in response.types
    ],
)
# What both owe, since people read, search and switch them alike.
every_act = pytest.mark.parametrize("act", [pytest.param(act, id=act.name) for act in ACTS])
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


def test_every_response_module_is_in_the_catalogue_in_the_order_of_refs() -> None:
    refs = [response.ref for response in CATALOGUE.responses]
    assert refs == sorted(set(refs))
    names = [response.name for response in CATALOGUE.responses]
    assert sorted(names) == sorted(module.replace("_", "-") for module in RESPONSE_MODULES)


def test_no_two_share_a_ref_or_a_name() -> None:
    assert len({act.ref for act in ACTS}) == len(ACTS)
    assert len({act.name for act in ACTS}) == len(ACTS)


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
    assert found == {*MODULES, "together", "responses"}


@every_response
def test_every_response_has_its_examples(response: Response) -> None:
    """On every one of its types it plans something, and somewhere nothing."""
    own = [example for example in test_responses.EXAMPLES if example.response is response]
    assert {example.type.name for example in own if example.does} == {kind.name for kind in response.types}
    assert any(not example.does for example in own)
    assert len({example.shows for example in own}) == len(own)


@every_act
def test_names(act: Remediation | Response) -> None:
    assert re.fullmatch(r"[a-z]+(-[a-z]+)+", act.name)
    assert act.name.partition("-")[0] in VERBS


@every
def test_a_remediation_is_that_of_its_module(remediation: Remediation) -> None:
    assert re.fullmatch(r"AIR-0\d{2}", remediation.ref)
    module = import_module(f"remediations.{remediation.name.replace('-', '_')}")
    assert module.REMEDIATION is remediation
    assert str(module.__doc__).startswith(f"{remediation.ref}: ")


@every_response
def test_a_response_is_that_of_its_module(response: Response) -> None:
    assert re.fullmatch(r"AIR-1\d{2}", response.ref)
    module = import_module(f"remediations.responses.{response.name.replace('-', '_')}")
    assert module.RESPONSE is response
    assert str(module.__doc__).startswith(f"{response.ref}: ")


@every_act
def test_prose(act: Remediation | Response) -> None:
    assert act.title[0].isupper()
    assert not act.title.endswith((".", "!", ":"))
    assert len(act.title) <= 90
    for sentence in (act.why, act.disrupts):
        assert sentence[0].isupper()
        assert sentence.endswith(".")
        assert len(sentence) <= 240
    for text in (act.title, act.why, act.disrupts):
        assert text == " ".join(text.split())
        assert text == redact(text)


@every_act
def test_controls(act: Remediation | Response) -> None:
    frameworks = ("MCSB ", "NIST 800-53 ", "ISO 27001 A.", "CIS Azure Foundations ", "MITRE ATLAS AML.")
    assert act.controls
    assert len(set(act.controls)) == len(act.controls)
    assert all(control.startswith(frameworks) for control in act.controls)


@every
def test_policies_are_built_in_definitions(remediation: Remediation) -> None:
    assert len(set(remediation.policies)) == len(remediation.policies)
    assert all(str(UUID(policy)) == policy for policy in remediation.policies)


@every_act
def test_sources(act: Remediation | Response) -> None:
    assert act.sources
    assert len({source.url for source in act.sources}) == len(act.sources)
    for source in act.sources:
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


@every_response
def test_each_type_once(response: Response) -> None:
    assert response.types
    assert len({kind.name for kind in response.types}) == len(response.types)
    assert all(kind in RESOURCE_TYPES for kind in response.types)
    assert response.actions.keys() == {kind.name for kind in response.types}
    assert len({guard.name for guard in response.guards}) == len(response.guards)
    assert len(set(response.children)) == len(response.children)


@every_type
def test_actions_of_a_response(response: Response, kind: ResourceType) -> None:
    actions = response.actions[kind.name]
    assert len(set(actions)) == len(actions)
    assert all(
        re.fullmatch(r"Microsoft\.[A-Za-z]+(/[A-Za-z]+)+/(read|write|delete|action)", action) for action in actions
    )
    assert any(not action.endswith("/read") for action in actions), "nothing that an act needs"
    own = (f"{kind.name}/", "Microsoft.Resources/tags/")
    assert all(action.startswith(own) for action in actions)
    assert {f"{kind.name}/{child}/read" for child in response.children} <= set(actions)
