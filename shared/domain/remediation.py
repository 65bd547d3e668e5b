"""What a remediation is: prose for people, and one rule per resource type that says what must hold."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from shared.domain.baseline import Baseline
from shared.domain.body import JsonObject
from shared.domain.guards import Guard
from shared.domain.resource import Resource
from shared.domain.resource_types import ResourceType


class Severity(StrEnum):
    """How much an open finding matters."""

    INFO = "info"
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"


class FixMode(StrEnum):
    """Who may apply the fix once the security team has set the remediation to enforce."""

    AUTO = "auto"
    APPROVAL = "approval"
    DETECT_ONLY = "detect-only"


@dataclass(frozen=True, slots=True)
class Rule:
    """What must hold for one resource type.

    `desired` is a pure function of the live resource: the part of the body as it must be, empty where the rule does
    not apply. It returns the actual value wherever that is as good. `defaults` are the values that the service takes
    for absent ones at the pinned api-version. `guards` must all pass before the fix is applied. `actions` are the
    RBAC actions that the fix needs.
    """

    type: ResourceType
    desired: Callable[[Resource, Baseline], JsonObject]
    defaults: JsonObject
    actions: tuple[str, ...]
    guards: tuple[Guard, ...] = ()
    mode: FixMode = FixMode.AUTO


@dataclass(frozen=True, slots=True)
class Source:
    """Where a claim was read, and when a person last checked it."""

    url: str
    reviewed: date


@dataclass(frozen=True, slots=True)
class Remediation:
    """A named act. The name is imperative, the title states the good state, the ref is never used again."""

    ref: str
    name: str
    title: str
    why: str
    disrupts: str
    severity: Severity
    controls: tuple[str, ...]
    policies: tuple[str, ...]
    sources: tuple[Source, ...]
    rules: tuple[Rule, ...]

    def rule_id(self, rule: Rule) -> str:
        """The rule's id in records: `AIR-001/storage`."""
        return f"{self.ref}/{rule.type.slug}"
