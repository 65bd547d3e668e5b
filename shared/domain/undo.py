"""What has to be written to put back what a fix replaced: pure, and the counterpart of drift."""

from shared.domain.body import at, leaves, same
from shared.domain.catalogue import Catalogue
from shared.domain.change import Change
from shared.domain.decision import Decision, Verdict
from shared.domain.drift import Finding
from shared.domain.failure import Cause
from shared.domain.mode import Mode
from shared.domain.orders import Undo
from shared.domain.redact import redact
from shared.domain.remediation import Remediation, Rule
from shared.domain.resource import Resource
from shared.domain.resource_types import ResourceType
from shared.domain.settings import Settings

# What tells the record of an undo from that of a fix.
UNDO = "undo"


def take_back(undo: Undo, resource: Resource, catalogue: Catalogue, settings: Settings) -> Decision | Cause:
    """The decision to put back what the record of the order replaced, or why that is not done.

    A value that was absent becomes the explicit default of the service. A decision without changes says that the
    resource is as it was already.
    """
    found = rule_of(undo.rule, resource.type, catalogue)
    if found is None:
        return Cause("undo.unknown-rule", f"there is no rule {undo.rule} any more")
    remediation, rule = found
    mode = settings.mode_of(remediation, rule)
    if mode is not Mode.ENFORCE:
        text = f"undoing is a write, and {remediation.name} is in mode {mode.value} here"
        return Cause("undo.mode", f"{text}: set it to enforce, or put the values in Changes back by hand")
    sets = {path for path, _ in leaves(rule.desired(resource, settings.baseline))}
    back: list[Change] = []
    for change in undo.changes:
        if at(rule.defaults, change.path) is None and change.path not in sets:
            return Cause("undo.foreign-path", f"{undo.rule} never sets {redact(change.path, 128)}")
        live = resource.at(change.path)
        before = at(rule.defaults, change.path) if change.actual is None else change.actual
        if same(live, before):
            continue
        if not same(live, change.desired):
            return Cause("undo.changed-since", f"somebody changed {change.path} after the fix; a person has to decide")
        back.append(Change(change.path, live, before))
    reason = f"the fix is taken back, ordered by {undo.by}"
    return Decision(Finding(remediation, rule, tuple(back)), mode, Verdict.FIX, UNDO, reason)


def rule_of(rule_id: str, kind: ResourceType, catalogue: Catalogue) -> tuple[Remediation, Rule] | None:
    """The rule of that id with its remediation; None if the catalogue has none for the type."""
    return next(
        ((remediation, rule) for remediation, rule in catalogue.rules(kind) if remediation.rule_id(rule) == rule_id),
        None,
    )
