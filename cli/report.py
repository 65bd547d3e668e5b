"""What the rules say of resources in files: pure."""

from collections.abc import Iterable
from dataclasses import dataclass

from shared.domain.baseline import Baseline
from shared.domain.body import Json, JsonObject
from shared.domain.catalogue import Catalogue
from shared.domain.drift import Finding, evaluate
from shared.domain.resource import PROTECT_TAG, PROTECT_VALUE, Resource

_NO_PROPERTIES = (
    "the properties were not exported (az resource list prints none); "
    "take what az graph query, az resource show or az rest prints"
)
_NOT_TIED = (
    "nothing given ties it to AI, and without that Airlock leaves it alone; "
    f"give the AI resources that use it as well, or tag it {PROTECT_TAG}={PROTECT_VALUE}"
)


@dataclass(frozen=True, slots=True)
class Report:
    """Resources and what is to be said of each, in the order of their ids.

    `good` satisfy every rule of their type, `drifted` have findings, in the catalogue's order. `unknown` could not be
    judged, for the reason that stands beside them.
    """

    good: tuple[Resource, ...]
    drifted: tuple[tuple[Resource, tuple[Finding, ...]], ...]
    unknown: tuple[tuple[Resource, str], ...]

    @property
    def resources(self) -> tuple[Resource, ...]:
        """All of them."""
        return (*self.good, *(resource for resource, _ in self.drifted), *(resource for resource, _ in self.unknown))

    def as_json(self) -> JsonObject:
        """The report as `airlock check --format json` prints it."""
        return {
            "resources": len(self.resources),
            "findings": [_finding(resource, finding) for resource, found in self.drifted for finding in found],
            "unknown": [_named(resource) | {"reason": reason} for resource, reason in self.unknown],
        }


def judge(resources: Iterable[Resource], catalogue: Catalogue, baseline: Baseline) -> Report:
    """The report on the resources. What cannot be judged is unknown, never good."""
    good: list[Resource] = []
    drifted: list[tuple[Resource, tuple[Finding, ...]]] = []
    unknown: list[tuple[Resource, str]] = []
    for resource in sorted(resources, key=lambda resource: resource.id.key):
        if reason := _missing(resource):
            unknown.append((resource, reason))
        elif findings := evaluate(resource, catalogue, baseline):
            drifted.append((resource, findings))
        else:
            good.append(resource)
    return Report(tuple(good), tuple(drifted), tuple(unknown))


def _missing(resource: Resource) -> str | None:
    """What keeps the resource from being judged; None if nothing does."""
    if not isinstance(resource.body.get("properties"), dict):
        return _NO_PROPERTIES
    return None if resource.in_scope else _NOT_TIED


def _named(resource: Resource) -> JsonObject:
    return {"resourceId": resource.id.path, "resourceType": resource.type.name}


def _finding(resource: Resource, finding: Finding) -> JsonObject:
    changes: list[Json] = [change.as_json() for change in finding.changes]
    return _named(resource) | {
        "remediation": finding.remediation.name,
        "ref": finding.remediation.ref,
        "severity": finding.remediation.severity.value,
        "changes": changes,
    }
