"""Containment that is a state: the same rules, asked with a stricter baseline as long as an incident is answered."""

from dataclasses import replace

from shared.domain.baseline import Baseline
from shared.domain.incident import Incident
from shared.domain.resource import Resource

# An owner's standing approval, for the parts of a response where the alert map allows one.
CONTAINMENT_TAG = "airlock-containment"
CONTAINMENT_VALUE = "auto"
_CLOSE = "disable-public-network-access"
_DENY = "restrict-network-rules"


def is_pre_approved(resource: Resource) -> bool:
    """Whether the resource's owner asks for containment without approval."""
    return resource.tags.get(CONTAINMENT_TAG, "").casefold() == CONTAINMENT_VALUE


def contained(baseline: Baseline, resource: Resource, incident: Incident, *, approved: bool = False) -> Baseline:
    """The baseline as the incident's row makes it stricter for this resource.

    `approved` adds what the row wants only on approval. Closing in spite of an allow-list also closes a resource that
    nobody could reach afterwards, where its owner asked for that.
    """
    names = {*incident.row.contain, *(incident.row.contain_on_approval if approved else ())}
    closes = _CLOSE in names
    addresses = incident.alert.addresses if incident.alert is not None and _DENY in names else ()
    return replace(
        baseline,
        allow_lists=baseline.allow_lists and not closes,
        allow_isolation=baseline.allow_isolation or (_CLOSE in incident.row.contain and is_pre_approved(resource)),
        hostile=baseline.hostile | frozenset(addresses),
    )
