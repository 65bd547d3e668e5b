"""host.json, as far as it concerns what this host does.

Defaults and bounds: Azure/azure-sdk-for-net, QueuesOptions.cs of the Storage.Queues extension at 3e25d84, and
https://learn.microsoft.com/azure/azure-functions/functions-host-json (both read 2026-11-23).
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from local.host.error import HostError
from local.host.wire import Json

_OVERRIDE = "AzureFunctionsJobHost"
# The poller's first delay and the least that maxPollingInterval may be.
SHORTEST_POLL = timedelta(milliseconds=100)


@dataclass(frozen=True, slots=True)
class QueueSettings:
    """`extensions.queues`. `visibility_timeout` is the delay before a *failed* message is visible again."""

    batch_size: int = 16
    # Half a batch per core; Consumption and Flex count one core.
    new_batch_threshold: int = 8
    max_dequeue_count: int = 5
    visibility_timeout: timedelta = timedelta(0)
    max_polling_interval: timedelta = timedelta(minutes=1)
    base64: bool = True

    def __post_init__(self) -> None:
        for fine, rule in (
            (1 <= self.batch_size <= 32, "batchSize must be from 1 to 32"),
            (self.new_batch_threshold >= 0, "newBatchThreshold must not be negative"),
            (self.max_dequeue_count >= 1, "maxDequeueCount must be at least 1"),
            (self.max_polling_interval >= SHORTEST_POLL, "maxPollingInterval must be at least 100 ms"),
        ):
            if not fine:
                raise HostError(f"host.json: extensions.queues.{rule}")


@dataclass(frozen=True, slots=True)
class HostSettings:
    queues: QueueSettings = QueueSettings()
    route_prefix: str = "api"

    @classmethod
    def read(cls, app_directory: Path, environment: Mapping[str, str]) -> "HostSettings":
        """Read the app's host.json; defaults where there is none. Raises HostError when it is not valid.

        An app setting AzureFunctionsJobHost__a__b overrides a.b (learn.microsoft.com/azure/azure-functions/
        functions-host-json, "Override host.json values", reviewed 2026-11).
        """
        path = app_directory / "host.json"
        try:
            told = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
        except ValueError as error:
            raise HostError(f"host.json is not JSON: {error}") from error
        extensions = _section(_overridden(told, environment), "extensions")
        prefix = _section(extensions, "http").get("routeprefix", "api")
        return cls(_queues(_section(extensions, "queues")), str(prefix).strip("/"))


def _overridden(told: object, environment: Mapping[str, str]) -> object:
    """host.json as the app settings override it; a name that host.json spells otherwise wins over its spelling."""
    for name, value in environment.items():
        prefix, *path = name.split("__")
        if prefix == _OVERRIDE and path:
            told = _put(told, path, value)
    return told


def _put(parent: object, path: Sequence[str], value: str) -> object:
    if not path:
        return value
    members: dict[str, object] = parent if isinstance(parent, dict) else {}
    kept = {name: member for name, member in members.items() if name.lower() != path[0].lower()}
    earlier: object = next((member for name, member in members.items() if name.lower() == path[0].lower()), {})
    return kept | {path[0]: _put(earlier, path[1:], value)}


def _section(parent: object, name: str) -> Json:
    """A member of host.json by its lower-case name, its own names in lower case: .NET's configuration ignores case."""
    if not isinstance(parent, dict):
        raise HostError("host.json: an object was expected")
    found = {key.lower(): value for key, value in parent.items()}.get(name, {})
    if not isinstance(found, dict):
        raise HostError(f"host.json: {name} must be an object")
    return {key.lower(): value for key, value in found.items()}


def _queues(section: Json) -> QueueSettings:
    encoding = str(section.get("messageencoding", "base64")).lower()
    if encoding not in {"base64", "none"}:
        raise HostError("host.json: extensions.queues.messageEncoding must be base64 or none")
    batch_size = _number(section, "batchsize", 16)
    return QueueSettings(
        batch_size=batch_size,
        new_batch_threshold=_number(section, "newbatchthreshold", batch_size // 2),
        max_dequeue_count=_number(section, "maxdequeuecount", 5),
        visibility_timeout=_time_span(section.get("visibilitytimeout", "00:00:00")),
        max_polling_interval=_time_span(section.get("maxpollinginterval", "00:01:00")),
        base64=encoding == "base64",
    )


def _number(section: Json, name: str, default: int) -> int:
    value: Any = section.get(name, default)
    if isinstance(value, str) and value.isdecimal():
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool):
        raise HostError(f"host.json: extensions.queues.{name} must be a whole number")
    return value


def _time_span(value: object) -> timedelta:
    """A .NET TimeSpan of the form `[d.]hh:mm:ss[.fraction]`."""
    found = re.fullmatch(r"(?:(\d+)\.)?(\d{1,2}):(\d{1,2}):(\d{1,2}(?:\.\d+)?)", str(value))
    if found is None:
        raise HostError(f"host.json: {value!r} is not a time span")
    days, hours, minutes, seconds = found.groups(default="0")
    return timedelta(days=int(days), hours=int(hours), minutes=int(minutes), seconds=float(seconds))
