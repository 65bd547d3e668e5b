"""The difference between what a resource is and what its rules want: pure, and the only place that computes it."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from shared.domain.baseline import Baseline
from shared.domain.body import Json, JsonObject, as_object, at, leaves, same
from shared.domain.catalogue import Catalogue
from shared.domain.change import Change
from shared.domain.remediation import Remediation, Rule
from shared.domain.resource import Resource


@dataclass(frozen=True, slots=True)
class Finding:
    """A rule that the resource does not satisfy."""

    remediation: Remediation
    rule: Rule
    changes: tuple[Change, ...]

    @property
    def rule_id(self) -> str:
        """As in records: `AIR-001/storage`."""
        return self.remediation.rule_id(self.rule)


def changes(body: JsonObject, desired: JsonObject) -> Iterator[Change]:
    """What has to change for the body to hold the desired values."""
    for path, wanted in leaves(desired):
        actual = at(body, path)
        if not same(actual, wanted):
            yield Change(path, actual, wanted)


def evaluate(resource: Resource, catalogue: Catalogue, baseline: Baseline) -> tuple[Finding, ...]:
    """Every rule of the resource's type that it does not satisfy, in the catalogue's order."""
    found: list[Finding] = []
    for remediation, rule in catalogue.rules(resource.type):
        if differing := tuple(changes(resource.body, rule.desired(resource, baseline))):
            found.append(Finding(remediation, rule, differing))
    return tuple(found)


def as_fixed(resource: Resource, findings: Iterable[Finding]) -> Resource:
    """The resource as it would be with the findings fixed."""
    body: Json = resource.body
    for finding in findings:
        for change in finding.changes:
            body = _put(body, change.path.split("."), change.desired)
    return replace(resource, body=as_object(body))


def _put(body: Json, path: list[str], value: Json) -> Json:
    if not path:
        return value
    return {**as_object(body), path[0]: _put(as_object(body).get(path[0]), path[1:], value)}
