"""Exemptions: a tag on the resource that says until when, and why, one remediation leaves it alone."""

import re
from dataclasses import dataclass
from datetime import date, timedelta

from shared.domain.redact import redact
from shared.domain.remediation import Remediation
from shared.domain.resource import Resource

LONGEST = timedelta(days=180)
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_PREFIX = "airlock-exempt-"


@dataclass(frozen=True, slots=True)
class Exemption:
    """An exemption tag. `problem` says why it does not count; None for one that does."""

    text: str
    problem: str | None = None


def exemption(resource: Resource, remediation: Remediation, today: date, *, allowed: bool) -> Exemption | None:
    """The resource's exemption from the remediation, whether it counts or not; None if it carries none.

    `allowed` is `AIRLOCK_EXEMPTION_TAGS`: owners of a resource can tag it, so without it no tag counts.
    """
    text = resource.tags.get(f"{_PREFIX}{remediation.name}")
    if text is None:
        return None
    shown = redact(text, 256)
    return Exemption(shown, _problem(text, today) if allowed else "AIRLOCK_EXEMPTION_TAGS is off")


def _problem(text: str, today: date) -> str | None:
    day, _, reason = text.strip().partition(" ")
    try:
        until = date.fromisoformat(day if _DAY.fullmatch(day) else "")
    except ValueError:
        return "it does not begin with a date (YYYY-MM-DD)"
    if until < today:
        return f"it ended on {until}"
    if until - today > LONGEST:
        return f"it would last until {until}, more than {LONGEST.days} days away"
    return None if reason.strip() else "it gives no reason after the date"
