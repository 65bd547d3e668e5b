"""Everything that Airlock can do, as one value that is passed in."""

from collections.abc import Iterator
from dataclasses import dataclass

from shared.domain.incident import AlertRow
from shared.domain.remediation import Remediation, Rule
from shared.domain.resource_types import ResourceType
from shared.domain.response import Response


@dataclass(frozen=True, slots=True)
class Catalogue:
    """All remediations and all responses to incidents, each in the order of their refs, and the map of alerts.

    Of the rows those with exact alert types stand before those with patterns.
    """

    remediations: tuple[Remediation, ...]
    responses: tuple[Response, ...] = ()
    alerts: tuple[AlertRow, ...] = ()

    def rules(self, kind: ResourceType) -> Iterator[tuple[Remediation, Rule]]:
        """The rules of a type, each with the remediation it belongs to."""
        for remediation in self.remediations:
            for rule in remediation.rules:
                if rule.type is kind:
                    yield remediation, rule
