"""What Airlock asks of Azure is what its roles grant: every request of whole rehearsals, against those roles."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import PurePosixPath
from urllib.parse import urlsplit

import pytest

from cli.infra.roles import READER, Role, roles
from local import contoso
from remediations import load_catalogue
from shared.domain.resource_types import known_type
from tests.engine.running import Body, Running, airlock

# Whoever may read resources may ask Resource Graph for them; there is no right of its own for it.
_SEARCH = "/providers/microsoft.resourcegraph/resources"


def _estate() -> tuple[list[Body], list[Body]]:
    """Everything that Contoso has, and of that what is judged."""
    bodies = contoso.estate(datetime.now(UTC).date())
    return bodies, [body for body in bodies if known_type(str(body["type"]))]


def _granted(*names: str) -> frozenset[str]:
    chosen: Iterable[Role] = (role for role in roles(load_catalogue()) if role.name in {READER, *names})
    return frozenset(action.lower() for role in chosen for action in role.actions)


def _needed(method: str, path: str) -> frozenset[str]:
    """The RBAC actions one of which lets the request through; none where it needs no right."""
    place = urlsplit(path).path.rstrip("/").lower()
    if place == _SEARCH:
        return frozenset()
    if "/providers/" not in place:
        return frozenset({"microsoft.resources/subscriptions/read"})
    namespace, *steps = PurePosixPath(place.rpartition("/providers/")[2]).parts
    kinds = "/".join([namespace, *steps[0::2]])
    match method:
        case "GET" | "HEAD":
            return frozenset({f"{kinds}/read"})
        case "PUT" | "PATCH":
            return frozenset({f"{kinds}/write"})
        case "DELETE":
            return frozenset({f"{kinds}/delete"})
        case _:
            # An action stands at the end, or before the name of a key.
            return frozenset(_actions(namespace, steps))


def _actions(namespace: str, steps: list[str]) -> Iterator[str]:
    for end in (len(steps) - 1, len(steps) - 2):
        yield "/".join([namespace, *steps[:end][0::2], steps[end], "action"])


def _unmet(running: Running, granted: frozenset[str]) -> set[str]:
    """The requests that the roles would not let through. How an operation ends may be hidden: the read behind tells."""
    return {
        f"{request.method} {request.path}"
        for request in running.azure.arm.requests
        if "/locations/" not in request.path or "/alerts/" in request.path
        if (needed := _needed(request.method, request.path)) and not needed & granted
    }


async def test_audit_mode_needs_the_reader_alone() -> None:
    estate, judged = _estate()
    async with airlock(estate, mode="audit") as running:
        await running.change(*judged)
        assert running.azure.arm.requests
        assert _unmet(running, _granted()) == set()


async def test_what_is_enforced_needs_its_own_role_and_no_other() -> None:
    estate, judged = _estate()
    async with airlock(estate, mode="audit", settings={"AIRLOCK_ENFORCE_TLS": "enforce"}) as running:
        await running.change(*judged)
        assert running.writes()
        assert _unmet(running, _granted("enforce-tls")) == set()
        assert _unmet(running, _granted()) != set()


async def test_everything_enforced_needs_no_more_than_all_roles() -> None:
    estate, judged = _estate()
    now = datetime.now(UTC)
    alerts = contoso.alerts(now)
    async with airlock([*estate, *alerts]) as running:
        await running.change(*judged)
        await running.tell(*(contoso.alert_event(alert, now) for alert in alerts))
        assert any(request.path.endswith("/tags/default") for request in running.azure.arm.requests)
        assert _unmet(running, _granted(*(role.name for role in roles(load_catalogue())))) == set()


@pytest.mark.parametrize(
    "method, path, action",
    [
        ("GET", "/subscriptions/s/providers/Microsoft.Search/searchServices", "microsoft.search/searchservices/read"),
        ("POST", "/subscriptions/s/resourceGroups/g/providers/A.B/c/d/listKeys", "a.b/c/listkeys/action"),
        (
            "POST",
            "/subscriptions/s/resourceGroups/g/providers/A.B/c/d/regenerateKey/primary",
            "a.b/c/regeneratekey/action",
        ),
        ("PATCH", "/subscriptions/s/providers/A.B/c/d/providers/M.R/tags/default", "m.r/tags/write"),
        ("GET", "/subscriptions", "microsoft.resources/subscriptions/read"),
    ],
)
def test_requests_are_told_apart(method: str, path: str, action: str) -> None:
    assert action in _needed(method, path)
