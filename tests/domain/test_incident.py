"""The row of the alert map that counts, and incidents from raw alerts and exposed keys for other tests."""

from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remediations import load_catalogue
from shared.domain.alert import parse_alert
from shared.domain.exposure import SECRET_EXPOSED, parse_exposure
from shared.domain.incident import AlertRow, Incident, row_for
from shared.domain.mode import Mode
from shared.domain.resource import Resource
from shared.domain.secret import digest
from shared.domain.settings import Settings, read_settings
from tests.engine.alerts import TOR, Body, alert

CATALOGUE = load_catalogue()
# Deliberately of no account: 84 characters as those of AI services.
KEY = "k" * 52 + "JQQJ99BCAC" + "k" * 22


def row(alert_type: str) -> AlertRow:
    """The row of the alert map that counts for the type."""
    found = row_for(alert_type, CATALOGUE.alerts)
    assert found is not None
    return found


def incident(*resources: Body | str, kind: str = TOR, body: Body | None = None, **more: object) -> Incident:
    """The incident of an alert of that type, as ARM answers it; `body` is another raw alert in its place."""
    told = parse_alert(body or alert(*resources, kind=kind, **more))  # type: ignore[arg-type] # each test names parts of an alert
    found = row(kind)
    return Incident(f"alert {told.name}", told.name, found.title, told.severity, found, alert=told)


def leak(found_at: str = "contoso/app config.py:3", resource: str = "") -> Incident:
    """The incident of an exposed key, as its event tells of it."""
    exposure = parse_exposure({"sha256": digest(KEY), "foundAt": found_at, "resourceId": resource})
    found = row(SECRET_EXPOSED)
    return Incident(exposure.cause, exposure.name, found.title, found.severity, found, exposure=exposure)


def settings_of(environment: Mapping[str, str] | None = None, mode: Mode = Mode.ENFORCE) -> Settings:
    """The settings of those app settings in that mode."""
    return read_settings({"AIRLOCK_MODE": mode.value, **(environment or {})}, CATALOGUE)


def tagged(resource: Resource, **tags: str) -> Resource:
    """The resource with other tags."""
    named = {name.replace("_", "-"): value for name, value in tags.items()}
    return Resource(resource.id, resource.type, {**resource.body, "tags": {**named}}, resource.attached_to)


ROW = row(SECRET_EXPOSED)


def about(*types: str) -> AlertRow:
    """A row for alerts of those types, told by its title."""
    return replace(ROW, types=types, title=" ".join(types))


ROWS = (
    about("AI.Azure_Jailbreak.ContentFiltering.BlockedAttempt"),
    about("Storage.Blob_OpenACL", "Storage.Files_OpenACL"),
    about("AI.Azure_Jailbreak.*"),
    about("AI.*"),
)


@pytest.mark.parametrize(
    "alert_type, title",
    [
        ("AI.Azure_Jailbreak.ContentFiltering.BlockedAttempt", "AI.Azure_Jailbreak.ContentFiltering.BlockedAttempt"),
        ("ai.azure_jailbreak.contentfiltering.blockedattempt", "AI.Azure_Jailbreak.ContentFiltering.BlockedAttempt"),
        ("AI.Azure_Jailbreak.ContentFiltering.DetectedAttempt", "AI.Azure_Jailbreak.*"),
        ("AI.Azure_Jailbreak.", "AI.Azure_Jailbreak.*"),
        ("AI.Azure_Jailbreak", "AI.*"),
        ("Storage.Files_OpenACL", "Storage.Blob_OpenACL Storage.Files_OpenACL"),
        ("Storage.Blob_OpenACL2", None),
        ("xAI.Azure", None),
        ("AIxAzure", None),
        ("AI", None),
        ("AI.\n", "AI.*"),
        ("", None),
    ],
)
def test_the_first_row_that_counts(alert_type: str, title: str | None) -> None:
    found = row_for(alert_type, ROWS)
    assert (found.title if found else None) == title
    assert row_for(alert_type, iter(ROWS)) == found


def test_without_rows_there_is_none() -> None:
    assert row_for("AI.Azure", ()) is None
    assert row_for("", (about(),)) is None


@given(st.text(max_size=200))
def test_any_type_has_a_row_or_none(alert_type: str) -> None:
    found = row_for(alert_type, CATALOGUE.alerts)
    assert found is None or found.is_about(alert_type)


@given(st.text(max_size=30))
def test_a_type_with_a_star_in_it_is_a_text_like_any_other(alert_type: str) -> None:
    """The pattern is the map's, never the alert's."""
    assert about("AI.Azure").is_about(f"*{alert_type}") is False


def test_an_exposed_key_has_a_row() -> None:
    assert "rotate-exposed-keys" in ROW.respond
