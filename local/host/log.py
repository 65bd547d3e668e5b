"""Log lines, as the host hears them."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line that the app or the host said.

    `function` is the function that was running, empty when none was. `level` is one of `Trace`, `Debug`,
    `Information`, `Warning`, `Error`, `Critical`: the words of host.json.
    """

    function: str
    level: str
    message: str


type Log = Callable[[LogLine], None]
