"""How a rehearsal ended: whether every resource that an event named is as the mode promises, and in figures."""

import json
import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from cli import output
from cli.files import resources_to_judge
from cli.incidents import Told, broken_keys, judge_incidents, time_taken
from cli.promised import left_open
from cli.rehearsal import Played
from shared.domain.body import Json, JsonObject, as_text
from shared.domain.catalogue import Catalogue
from shared.domain.mode import Mode
from shared.domain.record import Outcome
from shared.domain.remediation import Severity
from shared.domain.resource import Resource
from shared.domain.resource_types import judged_ancestor, known_type
from shared.domain.settings import Settings
from shared.domain.signal import Signal, SignalKind, parse_message

_BAD = {Outcome.FAILED.value, Outcome.FIX_UNVERIFIED.value, Outcome.UNCONFIRMED.value, "DeadLettered"}
# What a record says of a fix whose worker did not come back, and which the resource does not show.
_INTERRUPTED = "fix.interrupted"
_NOTABLE = {Severity.MEDIUM.value, Severity.HIGH.value, Severity.CRITICAL.value}


@dataclass(frozen=True, slots=True)
class Ending:
    """One resource that an event named, its records in their order, and what is not as promised (None: nothing)."""

    resource: str
    rows: tuple[JsonObject, ...]
    broken: str | None


@dataclass(frozen=True, slots=True)
class Verdict:
    """The whole rehearsal. `summary` is what summary.json holds, `broken` what else is not as promised."""

    endings: tuple[Ending, ...]
    incidents: tuple[Told, ...]
    broken: tuple[str, ...]
    summary: JsonObject

    @property
    def exit(self) -> int:
        """0 when everything ended as the mode promises, else 1."""
        return int(
            any((*self.broken, *(each.broken for each in self.endings), *(each.broken for each in self.incidents)))
        )


def judge(played: Played, settings: Settings, catalogue: Catalogue) -> Verdict:
    """Holds what was seen against what the settings promise."""
    rows: defaultdict[str, list[JsonObject]] = defaultdict(list)
    for row in played.rows:
        rows[as_text(row.get("ResourceId")).lower()].append(row)
    live = {resource.id.key: resource for resource in resources_to_judge(played.estate)}
    delivered = replace(played, events=[event for event in played.events if event.get("id") not in played.lost])
    named, heard_of = _named(played.events), _named(delivered.events).keys()
    endings = tuple(
        Ending(path, tuple(rows[key]), _broken(live.get(key), rows[key], settings, catalogue, told=key in heard_of))
        for key, path in named.items()
    )
    incidents = judge_incidents(delivered, live, settings, catalogue)
    verdict = Verdict(endings, incidents, tuple(_broken_overall(played, settings, catalogue)), {})
    return replace(verdict, summary=_summary(played, verdict, settings, len(live)))


def _named(events: Iterable[JsonObject]) -> dict[str, str]:
    """The judged resources that events of a change name: id by key, in the order of their first event."""
    named: dict[str, str] = {}
    for event in events:
        signal = parse_message(json.dumps(event), datetime.now(UTC))
        if not isinstance(signal, Signal) or signal.kind is not SignalKind.RESOURCE_CHANGE:
            continue
        target = judged_ancestor(signal.target) if signal.target else None
        if target is not None and known_type(target.type) is not None:
            named.setdefault(target.key, target.path)
    return named


def _broken(
    resource: Resource | None, rows: Sequence[JsonObject], settings: Settings, catalogue: Catalogue, *, told: bool
) -> str | None:
    """What is not as promised. `told` says that an event about it was delivered: then there must be a record."""
    if settings.mode is Mode.OFF:
        return None
    if told and not rows:
        return "no record says what became of it"
    if resource is None or not resource.in_scope:
        return None
    return left_open(resource, rows, settings, catalogue, settings.baseline)


def _broken_overall(played: Played, settings: Settings, catalogue: Catalogue) -> Iterable[str]:
    if played.unfinished:
        yield played.unfinished
    modes = {
        settings.mode_of(remediation, rule) for remediation in catalogue.remediations for rule in remediation.rules
    }
    modes |= {settings.mode_for(response, kind) for response in catalogue.responses for kind in response.types}
    if played.own_writes and Mode.ENFORCE not in modes:
        yield f"nothing enforces, and yet Airlock wrote {played.own_writes} times"
    for outcome, count in sorted(_bad_outcomes(played).items()):
        yield f"{count} records say {outcome}"
    yield from broken_keys(played)
    if played.repeated:
        yield f"events that came again left {output.counted(played.repeated, 'record')} more"
    if untold := _untold(played):
        yield f"the topic for outcomes was not told of {output.counted(untold, 'record')}"


def _bad_outcomes(played: Played) -> Counter[str]:
    """The outcomes that no fix should have. What becomes of a fix whose resource is deleted meanwhile nobody can tell:
    there the record that it is gone is an end too. So is a later fix for one whose worker was interrupted."""
    gone = {row.get("ResourceId") for row in played.rows if row.get("Outcome") == Outcome.GONE.value}
    gone -= {body.get("id") for body in played.estate}
    fixed = {_which(row): _when(row) for row in sorted(played.rows, key=_when) if row.get("Outcome") == Outcome.FIXED}
    return Counter(
        outcome
        for row in played.rows
        if (outcome := as_text(row.get("Outcome"))) in _BAD
        and row.get("ResourceId") not in gone
        and not (row.get("ReasonCode") == _INTERRUPTED and fixed.get(_which(row), "") > _when(row))
    )


def _which(row: Mapping[str, Json]) -> tuple[str, str]:
    return as_text(row.get("ResourceId")).lower(), as_text(row.get("Rule"))


def _when(row: Mapping[str, Json]) -> str:
    return as_text(row.get("TimeGenerated"))


def _untold(played: Played) -> int:
    """How many records of severity medium and up the topic should have been told of, and was not."""
    if played.notified is None:
        return 0
    notable = {as_text(row.get("RecordId")) for row in played.rows if row.get("Severity") in _NOTABLE}
    return len(notable - played.notified)


def _summary(played: Played, verdict: Verdict, settings: Settings, resources: int) -> JsonObject:
    drift = _of_drift(played, verdict.incidents)
    times = sorted(took for row in drift if (took := time_to_fix(row, played.given)) is not None)
    records: dict[str, Json] = dict(sorted(_outcomes(played).items()))
    return {
        "mode": settings.mode.value,
        "resources": resources,
        "events": len(played.events),
        "drifted": len({row.get("ResourceId") for row in drift}),
        "incidents": [told.summary(played.given) for told in verdict.incidents],
        "records": records,
        "repeated": played.repeated,
        "notified": None if played.notified is None else len(played.notified),
        "secrets": [*sorted(played.published)],
        "seconds": round(played.seconds, 3),
        "p50_ms": _percentile(times, 0.50),
        "p95_ms": _percentile(times, 0.95),
        "exit": verdict.exit,
    }


def _outcomes(played: Played) -> Counter[str]:
    return Counter(as_text(row.get("Outcome")) for row in played.rows)


def time_to_fix(row: Mapping[str, Json], given: Mapping[str, datetime]) -> int | None:
    """Milliseconds from when Event Grid was given the event to the record of the verified fix; None for no fix."""
    return time_taken(row, given) if row.get("Outcome") == Outcome.FIXED.value else None


def _of_drift(played: Played, incidents: Iterable[Told]) -> list[JsonObject]:
    """The records of findings, without what an alert or an exposed key asked for: that is no drift."""
    asked = {row.get("RecordId") for told in incidents for row in told.rows if row.get("Remediation") in told.asks}
    return [row for row in played.rows if row.get("Rule") and row.get("RecordId") not in asked]


def _percentile(ordered: Sequence[int], part: float) -> int | None:
    """The nearest-rank percentile; None where there is nothing to rank."""
    return ordered[math.ceil(part * len(ordered)) - 1] if ordered else None
