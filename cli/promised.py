"""What a mode promises of one resource: no finding stays open without a record that gives the reason."""

from collections.abc import Sequence

from shared.domain.baseline import Baseline
from shared.domain.body import JsonObject, as_text
from shared.domain.catalogue import Catalogue
from shared.domain.drift import evaluate
from shared.domain.mode import Mode
from shared.domain.record import Outcome
from shared.domain.resource import Resource
from shared.domain.settings import Settings

# With these a finding may stand at the end, since its last record gives the reason.
EXCUSES = {
    Mode.ENFORCE: {
        Outcome.REFUSED,
        Outcome.EXEMPT,
        Outcome.ADVISED,
        Outcome.AWAITING_APPROVAL,
        Outcome.CONTESTED,
        Outcome.HELD,
        Outcome.OVER_BUDGET,
    },
    Mode.AUDIT: {Outcome.AUDITED, Outcome.EXEMPT, Outcome.ADVISED, Outcome.HELD},
}


def left_open(
    resource: Resource, rows: Sequence[JsonObject], settings: Settings, catalogue: Catalogue, baseline: Baseline
) -> str | None:
    """What the resource still violates of the baseline although no record in `rows` excuses it; None: nothing."""
    last = {as_text(row.get("Rule")): as_text(row.get("Outcome")) for row in rows}
    for finding in evaluate(resource, catalogue, baseline):
        mode = settings.mode_of(finding.remediation, finding.rule)
        if mode is not Mode.OFF and last.get(finding.rule_id) not in EXCUSES[mode]:
            return f"{finding.remediation.name} is still open, and its last record says {last.get(finding.rule_id)}"
    return None
