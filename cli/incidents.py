"""What became of the alerts and the exposed keys of a rehearsal, and whether that is as promised."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from cli.promised import left_open
from cli.rehearsal import Played
from shared.domain.alert import Alert, is_alert, parse_alert
from shared.domain.arm_id import ArmId
from shared.domain.body import Json, JsonObject, as_list, as_object, as_text
from shared.domain.catalogue import Catalogue
from shared.domain.containment import contained
from shared.domain.decision import Verdict
from shared.domain.exposure import SECRET_EXPOSED
from shared.domain.incident import AlertRow, Incident, row_for
from shared.domain.mode import Mode
from shared.domain.record import Outcome
from shared.domain.resource import Resource
from shared.domain.resource_types import judged_ancestor
from shared.domain.settings import Settings
from shared.domain.signal import Signal, SignalKind, parse_message

CONFIRMED = "incident.confirmed"
ROTATE = "rotate-exposed-keys"
_KINDS = {SignalKind.DEFENDER_ALERT.value, SignalKind.SECRET_EXPOSED.value}
# How an exposed key may end where keys may be regenerated: each of these records says why, or that it is done.
_ENDS = {Outcome.FIXED, Outcome.REFUSED, Outcome.AWAITING_APPROVAL, Outcome.IGNORED}


@dataclass(frozen=True, slots=True)
class Told:
    """One alert or exposed key: every event that told of it has the same cause.

    `alert` is the alert as Defender has it, None for one that it does not know and for a key. `rows` are the records,
    in their order. `forged` are the judged resources that only events claim and Defender does not.
    `broken` is what is not as promised; None: nothing.
    """

    signals: tuple[Signal, ...]
    alert: Alert | None
    row: AlertRow | None
    rows: tuple[JsonObject, ...]
    forged: tuple[ArmId, ...] = ()
    broken: str | None = None

    @property
    def title(self) -> str:
        """What it is, in words: the alert map's, else those of the alert."""
        if (exposure := self.signals[0].exposure) is not None:
            return f"Exposed key: {exposure.found_at or 'nobody told where it was found'}"
        told = self.alert or self.signals[0].alert
        return f"Alert: {self.row.title if self.row else told.title if told else ''}"

    @property
    def asks(self) -> frozenset[str]:
        """The names of everything that the alert map has done about it, with approval or without."""
        row = self.row
        named = (row.respond, row.contain, row.respond_on_approval, row.contain_on_approval) if row else ()
        return frozenset(name for names in named for name in names)

    @property
    def waits(self) -> bool:
        """Whether it is an alert that Defender does not show yet: Airlock asks again for half an hour."""
        claimed = self.signals[0].alert
        return claimed is not None and claimed.id is not None and self.alert is None and not self.rows

    def summary(self, given: Mapping[str, datetime]) -> JsonObject:
        """The incident as summary.json has it."""
        outcomes = Counter(as_text(row.get("Outcome")) for row in self.rows)
        names = dict.fromkeys(name_of(as_text(row.get("ResourceId"))) for row in self.rows)
        records: dict[str, Json] = dict(sorted(outcomes.items()))
        resources: list[Json] = [*names]
        untouched: list[Json] = [named.name for named in self.forged]
        times = [took for row in self.rows if (took := time_taken(row, given)) is not None]
        return {
            "title": self.title,
            "kind": self.signals[0].kind.value,
            "events": len(self.signals),
            "resources": resources,
            "forged": untouched,
            "records": records,
            "ms": max(times, default=None),
        }


def name_of(resource_id: str) -> str:
    """The last part of an ARM id."""
    return resource_id.rpartition("/")[2]


def time_taken(row: Mapping[str, Json], given: Mapping[str, datetime]) -> int | None:
    """Milliseconds from when Event Grid was given the event to the record; None where it was given none of that id."""
    begun = given.get(as_text(row.get("SignalId")))
    if begun is None:
        return None
    ended = datetime.fromisoformat(as_text(row.get("TimeGenerated")))
    return max(0, round((ended - begun).total_seconds() * 1000))


def is_of_incident(row: Mapping[str, Json]) -> bool:
    """Whether an alert or an exposed key led to the record."""
    return row.get("SignalKind") in _KINDS


def judge_incidents(
    played: Played, live: Mapping[str, Resource], settings: Settings, catalogue: Catalogue
) -> tuple[Told, ...]:
    """Every alert and every exposed key that an event told of, held against what the settings promise."""
    told = _told(played, catalogue)
    return tuple(replace(each, broken=_broken(each, played, live, settings, catalogue)) for each in told)


def _told(played: Played, catalogue: Catalogue) -> Iterable[Told]:
    known = {alert.id.key: alert for alert in map(parse_alert, filter(is_alert, played.estate)) if alert.id}
    by_cause: dict[str, dict[str, Signal]] = {}
    for event in played.events:
        signal = parse_message(json.dumps(event), datetime.now(UTC))
        if isinstance(signal, Signal) and signal.kind is not SignalKind.RESOURCE_CHANGE:
            by_cause.setdefault(signal.cause, {}).setdefault(signal.id, signal)
    for signals in by_cause.values():
        claimed = next(iter(signals.values())).alert
        alert = known.get(claimed.id.key) if claimed is not None and claimed.id is not None else None
        told = alert or claimed
        yield Told(
            signals=tuple(signals.values()),
            alert=alert,
            row=row_for(told.type if told else SECRET_EXPOSED, catalogue.alerts),
            rows=tuple(row for row in played.rows if is_of_incident(row) and as_text(row.get("SignalId")) in signals),
            forged=_forged(signals.values(), alert),
        )


def _forged(signals: Iterable[Signal], alert: Alert | None) -> tuple[ArmId, ...]:
    if alert is None:
        return ()
    claimed = [named for signal in signals if signal.alert for named in signal.alert.resources]
    real = _judged(alert.resources).keys()
    return tuple(target for key, target in _judged(claimed).items() if key not in real)


def _judged(named: Iterable[ArmId]) -> dict[str, ArmId]:
    return {target.key: target for each in named if (target := judged_ancestor(each)) is not None}


def _broken(
    told: Told, played: Played, live: Mapping[str, Resource], settings: Settings, catalogue: Catalogue
) -> str | None:
    if settings.mode is Mode.OFF or told.waits:
        return None
    if not told.rows:
        return "no record says what became of it"
    touched = {as_text(row.get("ResourceId")).lower() for row in told.rows}
    for named in told.forged:
        if named.key in touched:
            return f"{named.name}, which only a forged event names, was touched"
    return (
        _unrotated(told, played, settings, catalogue)
        or _undone(told)
        or _uncontained(told, played, live, settings, catalogue)
    )


def _unrotated(told: Told, played: Played, settings: Settings, catalogue: Catalogue) -> str | None:
    """Whether an exposed key ended without new keys and without a reason, or still opens an account after all."""
    if told.signals[0].exposure is None:
        return None
    response = next((each for each in catalogue.responses if each.name == ROTATE), None)
    enforced = response and any(settings.mode_for(response, kind) is Mode.ENFORCE for kind in response.types)
    about = [row for row in told.rows if row.get("Remediation") == ROTATE or not row.get("Rule")]
    ends = {as_text(row.get("Outcome")) for row in about}
    if enforced and not ends & _ENDS and not _planned(told.rows, Verdict.ADVISE):
        return f"the key was neither replaced nor is there a reason; the records say {', '.join(sorted(ends))}"
    rotated = {as_text(row.get("Outcome")) for row in told.rows if row.get("Remediation") == ROTATE}
    if rotated == {Outcome.FIXED} and told.signals[0].cause in played.alive:
        return "the records say that the key is dead, and it still opens its account"
    return None


def _undone(told: Told) -> str | None:
    """An act that the record of the incident announces, and that no record says was performed or refused."""
    done = {(row.get("ResourceId"), row.get("Remediation")) for row in told.rows}
    for resource, name in _planned(told.rows, Verdict.FIX):
        if (resource, name) not in done:
            return f"{name} was announced, and no record says what became of it"
    return None


def _planned(rows: Sequence[JsonObject], verdict: Verdict) -> list[tuple[Json, str]]:
    """Resource and name of every response that a record of a confirmed incident gives this verdict."""
    return [
        (row.get("ResourceId"), name)
        for row in rows
        if row.get("ReasonCode") == CONFIRMED
        for name, plan in as_object(as_object(row.get("Evidence")).get("responses")).items()
        if as_text(plan).startswith(f"{verdict.value}:")
    ]


def _uncontained(
    told: Told, played: Played, live: Mapping[str, Resource], settings: Settings, catalogue: Catalogue
) -> str | None:
    """What a confirmed incident asks for beyond the baseline, and its resource still lacks without a reason."""
    if told.row is None:
        return None
    first = told.signals[0]
    incident = Incident(first.cause, "", told.row.title, told.row.severity, told.row, told.alert, first.exposure)
    for row in told.rows:
        key = as_text(row.get("ResourceId")).lower()
        resource = live.get(key)
        if row.get("ReasonCode") != CONFIRMED or resource is None:
            continue
        rows = [other for other in played.rows if as_text(other.get("ResourceId")).lower() == key]
        strict = contained(settings.baseline, resource, incident)
        if problem := left_open(resource, rows, settings, catalogue, strict):
            return f"{resource.id.name}: {problem}"
    return None


def broken_keys(played: Played) -> Iterable[str]:
    """What is wrong with regenerated keys: done twice, without a record, or published as what opens nothing."""
    recorded = Counter(
        (as_text(row.get("ResourceId")).lower(), as_text(as_object(change).get("path")).lower())
        for row in played.rows
        if row.get("Remediation") == ROTATE and row.get("Outcome") == Outcome.FIXED.value
        for change in as_list(row.get("Changes"))
    )
    for (account, slot), times in sorted(played.regenerations.items()):
        if times > 1:
            yield f"{slot} of {name_of(account)} was regenerated {times} times"
        if recorded[account, f"keys.{slot}"] < times:
            yield f"{slot} of {name_of(account)} was regenerated, and no record says so"
    for name, works in sorted(played.published.items()):
        if not works:
            yield f"the vault's secret {name} holds a key that opens nothing"
