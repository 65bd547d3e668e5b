"""Which HTTP function answers a path: the route templates of ASP.NET as far as Functions use them."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import unquote

from local.host.error import HostError
from local.host.function import FunctionDefinition, HttpTrigger

_CONSTRAINTS = {
    "": "[^/]+",
    "alpha": "[A-Za-z]+",
    "int": r"-?\d+",
    "long": r"-?\d+",
    "bool": "(?i:true|false)",
    "guid": "[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}",
}
# How close a segment comes to the literal text; ASP.NET prefers the closer route.
_LITERAL, _CONSTRAINED, _PLAIN, _OPTIONAL, _REST = range(5)


@dataclass(frozen=True, slots=True)
class Route:
    """One function's template, compiled. Literals match in any case."""

    function: FunctionDefinition
    trigger: HttpTrigger
    pattern: re.Pattern[str]
    closeness: tuple[int, ...]

    def match(self, method: str, path: str) -> Mapping[str, str] | None:
        """The route parameters when the function answers `method` at `path` (encoded, without the prefix)."""
        found = self.pattern.fullmatch(path)
        if found is None or (self.trigger.methods and method not in self.trigger.methods):
            return None
        return {name: unquote(value) for name, value in found.groupdict().items() if value is not None}


def routes(functions: Iterable[FunctionDefinition]) -> tuple[Route, ...]:
    """The routes of all HTTP functions, the closest first. Raises HostError for a template that is not understood."""
    triggers = ((function, function.trigger) for function in functions)
    found = [_route(function, trigger) for function, trigger in triggers if isinstance(trigger, HttpTrigger)]
    return tuple(sorted(found, key=lambda route: route.closeness))


def _route(function: FunctionDefinition, trigger: HttpTrigger) -> Route:
    segments = [_segment(text, function.name) for text in trigger.route.strip("/").split("/")]
    pattern = "".join(pattern for pattern, _ in segments)
    return Route(function, trigger, re.compile(pattern), tuple(closeness for _, closeness in segments))


def _segment(text: str, function: str) -> tuple[str, int]:
    if not text.startswith("{"):
        if "{" in text:
            raise HostError(f"function {function!r}: the route segment {text!r} is not supported")
        return f"/(?i:{re.escape(text)})", _LITERAL
    parameter = re.fullmatch(r"\{(\*?)([A-Za-z_]\w*)(?::([a-z]+))?(\??)\}", text)
    if parameter is None or (parameter[3] or "") not in _CONSTRAINTS:
        raise HostError(f"function {function!r}: the route segment {text!r} is not supported")
    rest, name, constraint, optional = parameter.groups(default="")
    if rest:
        return f"(?:/(?P<{name}>.*))?", _REST
    value = f"/(?P<{name}>{_CONSTRAINTS[constraint]})"
    if optional:
        return f"(?:{value})?", _OPTIONAL
    return value, _CONSTRAINED if constraint else _PLAIN
