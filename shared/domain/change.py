"""One property before and after: the three names that findings, acts, records and reports use alike."""

from dataclasses import dataclass

from shared.domain.body import Json, JsonObject


@dataclass(frozen=True, slots=True)
class Change:
    """One property that differs, or that an act makes differ.

    `actual` is None where the body does not have it, or where nobody has looked.
    """

    path: str
    actual: Json
    desired: Json

    def as_json(self) -> JsonObject:
        """The change as records, tables and JSON output show it."""
        return {"path": self.path, "actual": self.actual, "desired": self.desired}
