"""Our own infra/ against every check, and the real `airlock check` on what it deploys."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from shared.domain.body import Json, JsonObject, as_list, as_object, as_text
from tests.cli.command import airlock
from tests.infra import deliveries, lint, posture, types
from tests.infra.estate import REPOSITORY, WAYS, estate
from tests.infra.posture import STORAGE

_EVENTS = "Microsoft.EventGrid/systemTopics/eventSubscriptions"
SAMPLES = REPOSITORY.parent / "shared" / "samples"
# How often an event of the file comes in.
SAMPLES_COME_IN = {
    "SYNTHETIC-cog-listKeys.eventgrid": 0,
    "SYNTHETIC-cog-regenerateKey.eventgrid": 1,
    "SYNTHETIC-cog-write-by-own-identity.eventgrid": 1,
    "SYNTHETIC-cog-write-by-user.eventgrid": 1,
    "doc-eventgrid-ResourceDeleteSuccess-storage": 1,
    "doc-eventgrid-ResourceWriteSuccess-storage": 1,
}


def test_the_files_say_what_they_mean() -> None:
    assert lint.problems(REPOSITORY) == []


def test_azure_has_such_types() -> None:
    if types.type_data() is None:
        pytest.skip("Azure's type data are not here")
    assert types.problems(REPOSITORY) == []


def test_what_is_deployed_is_closed_keyless_and_logged() -> None:
    assert posture.problems(REPOSITORY) == []


def test_each_event_that_matters_comes_in_once_and_no_noise_does() -> None:
    assert deliveries.problems(REPOSITORY) == []


@pytest.mark.parametrize("way", WAYS)
def test_captured_events_come_in(way: str) -> None:
    if not SAMPLES.exists():
        pytest.skip("the samples are not here")
    filters = [each.filter for each in deliveries.deliveries(estate().rendered[way].deployment) if each.is_of_changes]
    counts = {
        name: sum(filter_.passes(event) for event in events for filter_ in filters)
        for name, events in deliveries.samples(SAMPLES).items()
    }
    assert {name: counts[name] for name in SAMPLES_COME_IN} == SAMPLES_COME_IN
    assert not any(count for name, count in counts.items() if name not in SAMPLES_COME_IN)


@pytest.mark.parametrize("way", WAYS)
def test_every_way_is_a_whole_deployment(way: str) -> None:
    deployment = estate().rendered[way].deployment
    assert len({resource.id for resource in deployment.resources if not resource.existing}) > 40
    assert set(deployment.outputs) >= {"AZURE_RESOURCE_GROUP", "AIRLOCK_APP_NAME"}


def deployed(way: str, directory: Path, *, protect: bool) -> Path:
    """What the way deploys as an export of live resources, with the tag that has Airlock judge storage or without."""
    found: list[Json] = []
    for resource in estate().rendered[way].deployment.resources:
        if not resource.existing:
            body: Json = json.loads(json.dumps(resource.as_json()))
            tags = as_object(as_object(body).get("tags"))
            found.append({**as_object(body), "tags": {**tags, "airlock": "protect"} if protect else tags})
    file = directory / "deployed.json"
    file.write_text(json.dumps(found), encoding="utf-8")
    return file


def test_our_own_deployment_passes_our_own_check(tmp_path: Path) -> None:
    done = airlock("check", deployed("private", tmp_path, protect=True), "--format", "json")
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    told = json.loads(done.stdout)
    storage = list(estate().rendered["private"].deployment.of(STORAGE))
    assert (told["resources"], told["findings"], told["unknown"]) == (len(storage), [], [])


def test_with_push_only_the_open_network_is_told(tmp_path: Path) -> None:
    done = airlock("check", deployed("push", tmp_path, protect=True), "--format", "json")
    assert {finding["ref"] for finding in json.loads(done.stdout)["findings"]} == {"AIR-001", "AIR-002"}
    # It is ours, and nobody has to protect it from itself.
    assert airlock("check", deployed("push", tmp_path, protect=False)).returncode == 0


def test_other_subscriptions_deliver_as_our_own_does() -> None:
    """What both say is the same; what only a deployment knows, the policy is given."""
    rendered = estate().rendered["private"].deployment
    wired = {as_text(each["type"]): each for each in _wired(estate().object("rollout/wiring.json"))}
    pairs = [
        (next(rendered.of(_EVENTS)).properties, _EVENTS),
        (next(rendered.of("Microsoft.Security/automations")).properties, "Microsoft.Security/automations"),
    ]
    for own, type_ in pairs:
        assert list(_differences(own, as_object(wired[type_]["properties"]), "")) == []


def _wired(template: JsonObject) -> Iterator[JsonObject]:
    for each in map(as_object, as_list(template["resources"])):
        if each["type"] == "Microsoft.Resources/deployments":
            yield from _wired(as_object(as_object(each["properties"])["template"]))
        else:
            yield each


def _differences(own: object, wired: object, path: str) -> Iterator[str]:
    if isinstance(wired, str) and wired.startswith("["):
        return
    if isinstance(own, Mapping) and isinstance(wired, Mapping):
        for name in {*own, *wired}:
            yield from _differences(own.get(name), wired.get(name), f"{path}.{name}")
    elif isinstance(own, list) and isinstance(wired, list) and len(own) == len(wired):
        for one, other in zip(own, wired, strict=True):
            yield from _differences(one, other, path)
    elif own != wired:
        yield path
