"""How a rehearsal ended: whether every resource that an event named is as the mode promises, and in figures."""

import json
import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from cli.files import resources_to_judge
from cli.rehearsal import Played
from shared.domain.body import Json, JsonObject, as_text
from shared.domain.catalogue import Catalogue
from shared.domain.drift import evaluate
from shared.domain.mode import Mode
from shared.domain.record import Outcome
from shared.domain.resource import Resource
from shared.domain.resource_types import judged_ancestor, known_type
from shared.domain.settings import Settings
from shared.domain.signal import Signal, parse_message

# With these a finding may stand at the end, since its last record gives the reason.
_EXCUSES = {
    Mode.ENFORCE: {
        Outcome.REFUSED,
        Outcome.EXEMPT,
        Outcome.ADVISED,
        Outcome.AWAITING_APPROVAL,
        Outcome.CONTESTED,
    },
    Mode.AUDIT: {Outcome.AUDITED, Outcome.EXEMPT, Outcome.ADVISED},
}
_BAD = {Outcome.FAILED.value, Outcome.FIX_UNVERIFIED.value, "DeadLettered"}


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
    broken: tuple[str, ...]
    summary: JsonObject

    @property
    def exit(self) -> int:
        """0 when everything ended as the mode promises, else 1."""
        return int(bool(self.broken) or any(ending.broken for ending in self.endings))


def judge(played: Played, settings: Settings, catalogue: Catalogue) -> Verdict:
    """Holds what was seen against what the settings promise."""
    rows: defaultdict[str, list[JsonObject]] = defaultdict(list)
    for row in played.rows:
        rows[as_text(row.get("ResourceId")).lower()].append(row)
    live = {resource.id.key: resource for resource in resources_to_judge(played.estate)}
    endings = tuple(
        Ending(path, tuple(rows[key]), _broken(live.get(key), rows[key], settings, catalogue))
        for key, path in _named(played.events).items()
    )
    broken = tuple(_broken_overall(played, settings, catalogue))
    verdict = Verdict(endings, broken, {})
    return Verdict(endings, broken, _summary(played, settings, len(live), verdict.exit))


def _named(events: Iterable[JsonObject]) -> dict[str, str]:
    """The judged resources that the events name: id by key, in the order of their first event."""
    named: dict[str, str] = {}
    for event in events:
        signal = parse_message(json.dumps(event), datetime.now(UTC))
        target = judged_ancestor(signal.target) if isinstance(signal, Signal) and signal.target else None
        if target is not None and known_type(target.type) is not None:
            named.setdefault(target.key, target.path)
    return named


def _broken(
    resource: Resource | None, rows: Sequence[JsonObject], settings: Settings, catalogue: Catalogue
) -> str | None:
    if settings.mode is Mode.OFF:
        return None
    if not rows:
        return "no record says what became of it"
    if resource is None or not resource.in_scope:
        return None
    last = {as_text(row.get("Rule")): as_text(row.get("Outcome")) for row in rows}
    for finding in evaluate(resource, catalogue, settings.baseline):
        mode = settings.mode_of(finding.remediation, finding.rule)
        if mode is not Mode.OFF and last.get(finding.rule_id) not in _EXCUSES[mode]:
            return f"{finding.remediation.name} is still open, and its last record says {last.get(finding.rule_id)}"
    return None


def _broken_overall(played: Played, settings: Settings, catalogue: Catalogue) -> Iterable[str]:
    if played.unfinished:
        yield played.unfinished
    modes = {
        settings.mode_of(remediation, rule) for remediation in catalogue.remediations for rule in remediation.rules
    }
    if played.own_writes and Mode.ENFORCE not in modes:
        yield f"nothing enforces, and yet Airlock wrote {played.own_writes} times"
    for outcome, count in sorted(_outcomes(played).items()):
        if outcome in _BAD:
            yield f"{count} records say {outcome}"


def _summary(played: Played, settings: Settings, resources: int, code: int) -> JsonObject:
    times = sorted(_times_to_fix(played))
    records: dict[str, Json] = dict(sorted(_outcomes(played).items()))
    return {
        "mode": settings.mode.value,
        "resources": resources,
        "events": len(played.events),
        "drifted": len({row.get("ResourceId") for row in played.rows if row.get("Rule")}),
        "records": records,
        "seconds": round(played.seconds, 3),
        "p50_ms": _percentile(times, 0.50),
        "p95_ms": _percentile(times, 0.95),
        "exit": code,
    }


def _outcomes(played: Played) -> Counter[str]:
    return Counter(as_text(row.get("Outcome")) for row in played.rows)


def time_to_fix(row: Mapping[str, Json], given: Mapping[str, datetime]) -> int | None:
    """Milliseconds from when Event Grid was given the event to the record of the verified fix; None for no fix."""
    begun = given.get(as_text(row.get("SignalId")))
    if row.get("Outcome") != Outcome.FIXED.value or begun is None:
        return None
    ended = datetime.fromisoformat(as_text(row.get("TimeGenerated")))
    return max(0, round((ended - begun).total_seconds() * 1000))


def _times_to_fix(played: Played) -> Iterable[int]:
    for row in played.rows:
        if (took := time_to_fix(row, played.given)) is not None:
            yield took


def _percentile(ordered: Sequence[int], part: float) -> int | None:
    """The nearest-rank percentile; None where there is nothing to rank."""
    return ordered[math.ceil(part * len(ordered)) - 1] if ordered else None
