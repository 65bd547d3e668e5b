"""From decisions to one ARM request: a frozen value that is printed, stored, compared, and sent last."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from shared.domain.arm_id import ArmId
from shared.domain.body import Json, JsonObject, as_object, as_text, at, overlay, place
from shared.domain.decision import Decision
from shared.domain.drift import Change
from shared.domain.mode import Mode
from shared.domain.resource import Resource


@dataclass(frozen=True, slots=True)
class Fix:
    """One PATCH. `if_match` is the ETag of the body it was computed from, None where the type honours none.

    `mode` is the effective mode of every rule in it; the client refuses to send any but `enforce`.
    """

    target: ArmId
    api_version: str
    body: JsonObject
    if_match: str | None
    mode: Mode
    rules: tuple[str, ...]


def merge(resource: Resource, decisions: Sequence[Decision]) -> Fix:
    """The one request that fixes all of the decisions' findings.

    What the provider replaces as a whole object is sent as a whole: the live object with the desired values in it.
    """
    changes = [change for decision in decisions for change in decision.finding.changes]
    modes = {decision.mode for decision in decisions}
    return Fix(
        target=resource.id,
        api_version=resource.type.api_version,
        body=_body(resource, changes),
        if_match=as_text(resource.at(resource.type.etag)) or None if resource.type.etag else None,
        mode=Mode.ENFORCE if modes == {Mode.ENFORCE} else Mode.AUDIT,
        rules=tuple(decision.finding.rule_id for decision in decisions),
    )


def _body(resource: Resource, changes: Iterable[Change]) -> JsonObject:
    wanted: Json = {}
    for change in changes:
        wanted = overlay(wanted, place(change.path, change.desired))
    for path in resource.type.whole:
        part = at(wanted, path)
        if isinstance(part, dict):
            wanted = overlay(wanted, place(path, overlay(resource.at(path), part)))
    return as_object(wanted)
