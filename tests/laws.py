"""What every rule owes, said once: `TestLaws = laws(REMEDIATION, *EXAMPLES)` in each remediation's test."""

import copy
import importlib.util
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.baseline import Baseline
from shared.domain.body import Json, JsonObject, as_object, at, leaves, overlay, place, same
from shared.domain.catalogue import Catalogue
from shared.domain.decision import Decision, Verdict
from shared.domain.drift import Finding, as_fixed, changes, evaluate
from shared.domain.fix import merge
from shared.domain.mode import Mode
from shared.domain.remediation import Remediation, Rule
from shared.domain.resource import Resource
from shared.domain.resource_types import ResourceType
from tests.hostile import NASTY, mutated, places, put
from tests.remediations.bodies import resource
from tests.tracing import untraced

_CHECKER = Path(__file__).parents[2] / "shared" / "bicep" / "arm_check.py"
_OPEN_ENUM = "(open enum: warning)"
COMPLYING = ("complies", "not_applicable")


@dataclass(frozen=True, slots=True)
class Examples:
    """Complete raw bodies of one type by what they show, each under a name that says it.

    A rule asks nothing at all of a `not_applicable` body. `steps` is how many fixes a drifting body may take.
    """

    type: ResourceType
    complies: Mapping[str, JsonObject] = field(default_factory=dict, repr=False)
    drifts: Mapping[str, JsonObject] = field(default_factory=dict, repr=False)
    not_applicable: Mapping[str, JsonObject] = field(default_factory=dict, repr=False)
    baseline: Baseline = field(default_factory=Baseline)
    steps: int = 1

    @property
    def bodies(self) -> Mapping[str, JsonObject]:
        """All of them."""
        return {**self.complies, **self.drifts, **self.not_applicable}


@dataclass(frozen=True, slots=True)
class Case:
    """One rule and one example of its type."""

    remediation: Remediation
    rule: Rule
    baseline: Baseline
    body: JsonObject
    steps: int
    applies: bool

    def judge(self, body: JsonObject) -> tuple[Finding, ...]:
        """What the rule alone finds in the body."""
        return judge(self.remediation, self.rule, self.baseline, body)


def judge(remediation: Remediation, rule: Rule, baseline: Baseline, body: JsonObject) -> tuple[Finding, ...]:
    """What one rule of the remediation finds in the body."""
    live = resource(rule.type, body)
    differing = tuple(changes(body, rule.desired(live, baseline)))
    return (Finding(remediation, rule, differing),) if differing else ()


def wants(findings: Sequence[Finding]) -> list[tuple[str, Json]]:
    """What the findings would write, and where."""
    found = [(change.path, change.desired) for finding in findings for change in finding.changes]
    return sorted(found, key=lambda wish: wish[0])


def assert_same_wants(left: Sequence[Finding], right: Sequence[Finding]) -> None:
    """Asserts that both would write the same values at the same paths."""
    assert [path for path, _ in wants(left)] == [path for path, _ in wants(right)]
    assert all(same(one, other) for (_, one), (_, other) in zip(wants(left), wants(right), strict=True))


def patch_of(live: Resource, findings: Sequence[Finding]) -> JsonObject:
    """The body of the one request that fixes the findings."""
    return merge(live, [Decision(finding, Mode.ENFORCE, Verdict.FIX, "fix", "") for finding in findings]).body


def patched(live: Resource, patch: JsonObject) -> Resource:
    """The resource as its provider leaves it: some objects are replaced as a whole, the others merged.

    A type that is written by PUT is replaced but for what only the provider writes.
    """
    if live.type.method == "PUT":
        return Resource(live.id, live.type, as_object(_replaced(live, patch)), live.attached_to)
    body = overlay(live.body, patch)
    for path in live.type.whole:
        if isinstance(sent := at(patch, path), dict):
            body = overlay(overlay(body, place(path, None)), place(path, sent))
    return Resource(live.id, live.type, as_object(body), live.attached_to)


def _replaced(live: Resource, sent: Json) -> Json:
    for path in live.type.read_only:
        assert at(sent, path) is None, f"{path} is the provider's own"
        if (own := at(live.body, path)) is not None:
            sent = overlay(sent, place(path, own))
    return sent


def fix(kind: ResourceType, body: JsonObject, find: Callable[[JsonObject], Sequence[Finding]], steps: int) -> None:
    """Asserts that fixing what is found converges, and that every write does what its changes say and nothing else."""
    live = resource(kind, body)
    for _ in range(steps):
        findings = find(live.body)
        after = patched(live, patch_of(live, findings))
        assert same(after.body, as_fixed(live, findings).body)
        assert_only_named(live.body, after.body, findings)
        live = after
    assert find(live.body) == ()


def assert_only_named(before: JsonObject, after: JsonObject, findings: Sequence[Finding]) -> None:
    """Asserts that the two differ in nothing that no change names."""
    named = [change.path for finding in findings for change in finding.changes]
    for path in {path for body in (before, after) for path, _ in leaves(body)}:
        if not same(at(before, path), at(after, path)):
            assert any(_overlap(path, name) for name in named), f"{path} was changed unasked"


def _overlap(left: str, right: str) -> bool:
    return f"{left}.".startswith(f"{right}.") or f"{right}.".startswith(f"{left}.")


def assert_no_conflict(wanted: Sequence[tuple[str, Json]]) -> None:
    """Asserts that no two wishes are about one path, or one within the other, unless they are the same."""
    for index, (left, value) in enumerate(wanted):
        for right, other in wanted[index + 1 :]:
            assert not _overlap(left, right) or (left == right and same(value, other)), f"{left} and {right}"


def check_types(kind: ResourceType, patch: JsonObject) -> list[str]:
    """What Azure's own type data has against the body that is sent; skips where that data is not at hand."""
    if not _CHECKER.exists():
        pytest.skip("Azure's resource type data is not beside the repository")
    issues = _checker()(f"{kind.name}@{kind.api_version}", patch, patch=kind.method == "PATCH")
    return [issue for issue in issues if not issue.endswith(_OPEN_ENUM)]


@cache
def _checker() -> Callable[..., list[str]]:
    spec = importlib.util.spec_from_file_location("arm_check", _CHECKER)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    with warnings.catch_warnings(action="ignore", category=ResourceWarning):  # it leaves its data file to the collector
        spec.loader.exec_module(module)
    check: Callable[..., list[str]] = module.check
    return check


def respelled(value: Json) -> Iterator[Json]:
    """The value as other api-versions, older clients and notifications spell it."""
    for text, yes, no in ((str.upper, "True", "False"), (str.lower, "true", "false"), (str.swapcase, 1, 0)):
        yield _respell(value, text, {True: yes, False: no})


def _respell(value: Json, text: Callable[[str], str], booleans: Mapping[bool, Json]) -> Json:
    match value:
        case bool():
            return booleans[value]
        case str():
            return text(value)
        case list():
            return [_respell(item, text, booleans) for item in value]
        case dict():
            return {name: _respell(child, text, booleans) for name, child in value.items()}
        case _:
            return value


def without_nulls(value: Json) -> Json:
    """The value without the members that are null; a list keeps its items."""
    match value:
        case dict():
            return {name: without_nulls(child) for name, child in value.items() if child is not None}
        case list():
            return [without_nulls(item) for item in value]
        case _:
            return value


def _without(body: JsonObject, path: str) -> JsonObject:
    return as_object(without_nulls(overlay(body, place(path, None)))) if at(body, path) is not None else body


class Laws:
    """The laws: every argument called `drifting`, `complying` or `case` is each such example, `rule` each rule."""

    remediation: ClassVar[Remediation]
    examples: ClassVar[Sequence[Examples]]

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """Gives each law its examples."""
        asked = {"complying": COMPLYING, "drifting": ("drifts",), "case": (*COMPLYING, "drifts")}
        for name, groups in asked.items():
            if name in metafunc.fixturenames:
                metafunc.parametrize(name, list(self._cases(groups)))
        if "rule" in metafunc.fixturenames:
            metafunc.parametrize("rule", self.remediation.rules, ids=lambda rule: rule.type.slug)

    def _cases(self, groups: Sequence[str]) -> Iterator[object]:
        for examples in self.examples:
            (rule,) = (rule for rule in self.remediation.rules if rule.type is examples.type)
            for group in groups:
                for name, body in getattr(examples, group).items():
                    applies = group != "not_applicable"
                    case = Case(self.remediation, rule, examples.baseline, body, examples.steps, applies)
                    yield pytest.param(case, id=f"{rule.type.slug}: {name}")

    def test_no_finding(self, complying: Case) -> None:
        """What complies is left alone; of what a rule is not about, it asks nothing."""
        assert complying.judge(complying.body) == ()
        desired = complying.rule.desired(resource(complying.rule.type, complying.body), complying.baseline)
        assert bool(desired) == complying.applies

    def test_finding(self, drifting: Case) -> None:
        """What drifts is found."""
        assert drifting.judge(drifting.body)

    def test_the_fix_converges_and_touches_nothing_else(self, drifting: Case) -> None:
        """The desired state, once there, is the desired state."""
        fix(drifting.rule.type, drifting.body, drifting.judge, drifting.steps)

    def test_azure_knows_every_property_of_the_patch(self, drifting: Case) -> None:
        """What is sent has the names, the types and the values of the pinned api-version."""
        patch = patch_of(resource(drifting.rule.type, drifting.body), drifting.judge(drifting.body))
        assert check_types(drifting.rule.type, patch) == []

    def test_an_absent_property_has_its_default(self, case: Case) -> None:
        """A body without a property is judged like one that states what the service then takes."""
        for path, value in leaves(case.rule.defaults):
            bare = _without(case.body, path)
            stated = as_object(overlay(bare, place(path, value)))
            assert bool(case.judge(bare)) == bool(case.judge(stated)), path

    def test_spelling_does_not_matter(self, case: Case) -> None:
        """Enums and ids in any case, booleans as words and numbers."""
        paths = [path for path, _ in wants(case.judge(case.body))]
        for body in respelled(case.body):
            again = as_object(body) | {"id": case.body["id"]}
            assert [path for path, _ in wants(case.judge(again))] == paths

    def test_null_is_absence(self, case: Case) -> None:
        """A property that is null is a property that is not there."""
        with untraced():
            for spot in places(case.body["properties"]):
                emptied = as_object(put(case.body, ("properties", *spot), None))
                assert_same_wants(case.judge(emptied), case.judge(as_object(without_nulls(emptied))))

    def test_no_value_anywhere_makes_the_rule_raise(self, case: Case) -> None:
        """Every position of `properties` is tried with everything that code could trip over."""
        with untraced():
            for spot in places(case.body["properties"]):
                for nasty in NASTY:
                    case.judge(as_object(put(case.body, ("properties", *spot), nasty)))

    def test_hostile_bodies(self, rule: Rule) -> None:
        """Whatever the body: `desired` is a pure function, nulls are absence, and the fix converges."""
        groups = [group for group in self.examples if group.type is rule.type]
        bodies = [body for group in groups for body in group.bodies.values()]

        @given(st.sampled_from(groups), mutated(bodies))
        def hold(group: Examples, body: JsonObject) -> None:
            kept = copy.deepcopy(body)

            def find(live: JsonObject) -> tuple[Finding, ...]:
                return judge(self.remediation, rule, group.baseline, live)

            findings = find(body)
            assert findings == find(body)
            assert_same_wants(findings, find(as_object(without_nulls(body))))
            fix(rule.type, body, find, 2)
            assert body == kept

        with untraced():
            hold()


def laws(remediation: Remediation, *examples: Examples) -> type[Laws]:
    """The test class that holds every rule of the remediation to the laws, on the examples and beside them."""
    return type("TestLaws", (Laws,), {"remediation": remediation, "examples": examples})


def assert_together(catalogue: Catalogue, group: Examples, body: JsonObject) -> None:
    """Asserts that all rules of the type agree about the body, and that one request settles all of them.

    A second may follow where the first one changes what another rule looks at.
    """
    live = resource(group.type, body)
    rules = [rule for _, rule in catalogue.rules(group.type)]
    assert_no_conflict([wish for rule in rules for wish in leaves(rule.desired(live, group.baseline))])
    fix(group.type, body, lambda found: evaluate(resource(group.type, found), catalogue, group.baseline), 2)
