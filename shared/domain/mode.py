"""What Airlock may do."""

from enum import StrEnum


class Mode(StrEnum):
    """What Airlock may do: nothing at all, look and record, or fix as well."""

    OFF = "off"
    AUDIT = "audit"
    ENFORCE = "enforce"
