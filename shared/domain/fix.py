"""From decisions to one ARM request: a frozen value that is printed, stored, compared, and sent last."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from shared.domain.arm_id import ArmId
from shared.domain.body import Json, JsonObject, as_object, as_text, at, overlay, place
from shared.domain.decision import Decision
from shared.domain.drift import Finding, as_fixed
from shared.domain.mode import Mode
from shared.domain.resource import Resource


@dataclass(frozen=True, slots=True)
class Fix:
    """One request. `if_match` is the ETag of the body it was computed from, `*` where the resource need only be there,
    None where the type honours none.

    `mode` is the effective mode of every rule in it; the client refuses to send any but `enforce`.
    """

    target: ArmId
    api_version: str
    body: JsonObject
    if_match: str | None
    mode: Mode
    rules: tuple[str, ...]
    method: Literal["PATCH", "PUT"] = "PATCH"

    @property
    def path(self) -> str:
        """Where the request goes: the resource itself."""
        return self.target.path


def merge(resource: Resource, decisions: Sequence[Decision]) -> Fix:
    """The one request that fixes all of the decisions' findings.

    What the provider replaces as a whole is sent as a whole: the live object, or the live resource where the type is
    written by PUT, with the desired values in it.
    """
    findings = [decision.finding for decision in decisions]
    modes = {decision.mode for decision in decisions}
    return Fix(
        target=resource.id,
        api_version=resource.type.api_version,
        body=_whole(resource, findings) if resource.type.method == "PUT" else _part(resource, findings),
        if_match=_if_match(resource),
        mode=Mode.ENFORCE if modes == {Mode.ENFORCE} else Mode.AUDIT,
        rules=tuple(finding.rule_id for finding in findings),
        method=resource.type.method,
    )


def _if_match(resource: Resource) -> str | None:
    """The ETag of the body. What has none and is written as a whole must at least still be there: a PUT would make
    anew what somebody deleted meanwhile."""
    etag = as_text(resource.at(resource.type.etag)) if resource.type.etag else ""
    return etag or ("*" if resource.type.method == "PUT" else None)


def _part(resource: Resource, findings: Sequence[Finding]) -> JsonObject:
    wanted: Json = {}
    for finding in findings:
        for change in finding.changes:
            wanted = overlay(wanted, place(change.path, change.desired))
    for path in resource.type.whole:
        part = at(wanted, path)
        if isinstance(part, dict):
            wanted = overlay(wanted, place(path, overlay(resource.at(path), part)))
    return as_object(wanted)


def _whole(resource: Resource, findings: Sequence[Finding]) -> JsonObject:
    body: Json = as_fixed(resource, findings).body
    for path in resource.type.read_only:
        body = _without(body, path.split("."))
    return as_object(body)


def _without(body: Json, path: list[str]) -> Json:
    first, *rest = path
    if not isinstance(body, dict) or first not in body:
        return body
    if rest:
        return {**body, first: _without(body[first], rest)}
    return {name: value for name, value in body.items() if name != first}
