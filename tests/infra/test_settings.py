"""What the security team set stays, and rights follow it: deployed again over an app that somebody has set."""

import pytest

from cli.infra.roles import roles
from remediations import load_catalogue
from shared.domain.mode import Mode
from shared.domain.settings import read_settings
from tests.infra.bicep import Deployment
from tests.infra.estate import REPOSITORY, Way, render


def _deployed(chosen: str = "", **current: str) -> Deployment:
    way = Way({"AIRLOCK_DELIVERY": "private", "AIRLOCK_SETTINGS": chosen}, current)
    evaluated = render(REPOSITORY, way)
    assert evaluated.problems == ()
    return evaluated.deployment


def _settings(deployment: Deployment) -> dict[str, str]:
    (found,) = [each for each in deployment.of("Microsoft.Web/sites/config") if each.name == "appsettings"]
    return {name: str(value) for name, value in found.properties.items()}


def test_a_first_deployment_looks_and_does_no_more() -> None:
    settings = _settings(_deployed())
    assert settings["AIRLOCK_MODE"] == "audit"
    assert not [name for name in settings if name.startswith("AIRLOCK_ENFORCE")]


def test_what_was_set_in_the_portal_stays() -> None:
    told = {"AIRLOCK_MODE": "enforce", "AIRLOCK_ENFORCE_TLS": "off", "SOMETHING_OF_THEIRS": "kept"}
    assert _settings(_deployed(**told)).items() >= told.items()


def test_what_the_deployment_names_wins_and_nothing_else_changes() -> None:
    current = {"AIRLOCK_MODE": "enforce", "AIRLOCK_ENFORCE_TLS": "off"}
    settings = _settings(_deployed("AIRLOCK_MODE=off; AIRLOCK_QUIET_SECONDS=5", **current))
    assert settings["AIRLOCK_MODE"] == "off"
    assert settings["AIRLOCK_ENFORCE_TLS"] == "off"
    assert settings["AIRLOCK_QUIET_SECONDS"] == "5"


def test_what_has_to_fit_the_resources_cannot_be_set_and_own_resources_only_grow() -> None:
    settings = _settings(_deployed("AIRLOCK_CLIENT_ID=x", AIRLOCK_LOGS_RULE="y", AIRLOCK_OWN_RESOURCES="theirs"))
    assert settings["AIRLOCK_CLIENT_ID"] != "x"
    assert settings["AIRLOCK_LOGS_RULE"] != "y"
    named = settings["AIRLOCK_OWN_RESOURCES"].split(",")
    assert named[0] == "theirs"
    assert any(
        name.endswith("/Microsoft.Web/sites/" + settings["AIRLOCK_OWN_RESOURCES"].rpartition("/")[2]) for name in named
    )
    assert not [name for name in _settings(_deployed())["AIRLOCK_OWN_RESOURCES"].split(",") if not name]


def test_the_app_understands_every_setting_that_it_is_given() -> None:
    given = {name: value.replace("⟨", "").replace("⟩", "") for name, value in _settings(_deployed()).items()}
    # What Azure makes up reads as where it comes from here.
    made_up = {"AIRLOCK_LOGS_ENDPOINT": "https://dce.ingest.monitor.azure.com", "AIRLOCK_LOGS_RULE": "dcr-1"}
    settings = read_settings(given | made_up, load_catalogue())
    assert settings.problems == ()
    assert settings.mode is Mode.AUDIT


@pytest.mark.parametrize(
    "settings, writers",
    [
        ({}, set()),
        ({"AIRLOCK_MODE": "audit", "AIRLOCK_ENFORCE_TLS": "enforce"}, {"enforce-tls"}),
        ({"AIRLOCK_ENFORCE_TLS_STORAGE": "Enforce"}, {"enforce-tls"}),
        ({"AIRLOCK_ENFORCE_TLS": "enforce", "AIRLOCK_ENFORCE_TLS_STORAGE": "audit"}, set()),
        ({"AIRLOCK_MODE": "off", "AIRLOCK_ENFORCE_TLS": "enforce"}, set()),
        ({"AIRLOCK_ROTATE_EXPOSED_KEYS": "enforce"}, {"rotate-exposed-keys", "list-keys-for-rotate-exposed-keys"}),
    ],
)
def test_a_role_for_writing_is_given_where_a_setting_says_enforce(settings: dict[str, str], writers: set[str]) -> None:
    deployment = _deployed(**settings)
    assert deployment.outputs["AIRLOCK_WRITERS"] == ",".join(
        role.name for role in roles(load_catalogue()) if role.name in writers
    )
    names = deployment.outputs["AIRLOCK_ROLE_ASSIGNMENTS"]
    assert isinstance(names, list)
    assert len(names) == 1 + len(writers)


def test_all_roles_but_those_that_are_off_in_mode_enforce() -> None:
    deployment = _deployed(AIRLOCK_MODE="enforce", AIRLOCK_ENFORCE_TLS="off")
    every = {role.name for role in roles(load_catalogue()) if role.switches}
    assert set(str(deployment.outputs["AIRLOCK_WRITERS"]).split(",")) == every - {"enforce-tls"}
