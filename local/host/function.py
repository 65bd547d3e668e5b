"""What the worker's index says about one function: its trigger, its outputs, its retries."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from local.host.error import HostError
from local.host.schedule import Schedule
from local.host.wire import Json


@dataclass(frozen=True, slots=True)
class EventGridTrigger:
    parameter: str


@dataclass(frozen=True, slots=True)
class HttpTrigger:
    """`methods` is empty when the function takes them all; `auth_level` is anonymous, function or admin."""

    parameter: str
    route: str
    methods: frozenset[str]
    auth_level: str


@dataclass(frozen=True, slots=True)
class QueueTrigger:
    """`binary`: the binding's dataType asks for bytes, which need not be UTF-8."""

    parameter: str
    queue: str
    binary: bool


@dataclass(frozen=True, slots=True)
class TimerTrigger:
    parameter: str
    schedule: Schedule
    run_on_startup: bool


type Trigger = EventGridTrigger | HttpTrigger | QueueTrigger | TimerTrigger


@dataclass(frozen=True, slots=True)
class Retry:
    """What `@app.retry` asks for. The delay doubles from `first` to `longest`; they are equal for a fixed delay.

    `count` -1 means without end.
    """

    count: int
    first: timedelta
    longest: timedelta


@dataclass(frozen=True, slots=True)
class FunctionDefinition:
    """One indexed function. `outputs` maps a binding's name (`$return` for the returned value) to its queue."""

    name: str
    id: str
    trigger: Trigger
    outputs: Mapping[str, str]
    http_output: str | None
    retry: Retry | None

    @classmethod
    def parse(cls, indexed: Json, environment: Mapping[str, str]) -> "FunctionDefinition":
        """Read one entry of the worker's index; `%NAME%` in a binding is the app setting NAME.

        Raises HostError for bindings that this host does not serve and settings that are not there.
        """
        name = indexed["name"]
        bindings = [_resolved(binding, environment, name) for binding in indexed["bindings"]]
        triggers = [binding for binding in bindings if binding["type"].lower().endswith("trigger")]
        if len(triggers) != 1:
            raise HostError(f"function {name!r} has {len(triggers)} triggers instead of one")
        others = [binding for binding in bindings if binding is not triggers[0]]
        unknown = sorted({binding["type"] for binding in others} - {"queue", "http"})
        if unknown:
            raise HostError(f"function {name!r} has bindings that this host does not serve: {', '.join(unknown)}")
        return cls(
            name=name,
            id=indexed["id"],
            trigger=_trigger(triggers[0], name),
            outputs={other["name"]: other["queueName"].lower() for other in others if other["type"] == "queue"},
            http_output=next((other["name"] for other in others if other["type"] == "http"), None),
            retry=indexed["retry"] and _retry(indexed["retry"]),
        )


def _resolved(binding: Json, environment: Mapping[str, str], function: str) -> Json:
    def setting(match: re.Match[str]) -> str:
        value = environment.get(match[1])
        if value is None:
            raise HostError(f"function {function!r} names the app setting {match[1]!r}, which is not set")
        return value

    return {
        key: re.sub("%([^%]+)%", setting, value) if isinstance(value, str) else value for key, value in binding.items()
    }


def _trigger(binding: Json, function: str) -> Trigger:
    parameter = binding["name"]
    match binding["type"]:
        case "eventGridTrigger":
            return EventGridTrigger(parameter)
        case "httpTrigger":
            methods = frozenset(method.upper() for method in binding.get("methods") or ())
            route = binding.get("route") or function
            return HttpTrigger(parameter, route, methods, binding.get("authLevel", "function").lower())
        case "queueTrigger":
            binary = str(binding.get("dataType", "")).lower() == "binary"
            return QueueTrigger(parameter, binding["queueName"].lower(), binary)
        case "timerTrigger":
            try:
                schedule = Schedule.parse(binding["schedule"])
            except ValueError as error:
                raise HostError(f"function {function!r} has no valid schedule: {error}") from error
            return TimerTrigger(parameter, schedule, bool(binding.get("runOnStartup")))
        case other:
            raise HostError(f"function {function!r} has a trigger that this host does not serve: {other}")


def _retry(options: Json) -> Retry:
    if options["retry_strategy"] == "fixed_delay":
        first = longest = options["delay_interval"]
    else:
        first, longest = options["minimum_interval"], options["maximum_interval"]
    return Retry(options["max_retry_count"], timedelta(seconds=first), timedelta(seconds=longest))
