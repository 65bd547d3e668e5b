"""The responses on raw bodies: what each plans, and when there is nothing to do."""

import copy
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from remediations.alerts.exposed_key import EXPOSED_KEY
from remediations.responses import cap_deployments, pause_deployments, rotate_exposed_keys, tag_incident
from shared.domain.act import Act, Command, RegenerateKey, changed_by
from shared.domain.alert import Alert, AlertStatus
from shared.domain.arm_id import ArmId, parse_arm_id
from shared.domain.body import Json, JsonObject, as_object, as_text, overlay
from shared.domain.exposure import Exposure
from shared.domain.incident import Incident
from shared.domain.mode import Mode
from shared.domain.redact import one_line
from shared.domain.remediation import Severity
from shared.domain.resource import Resource
from shared.domain.resource_types import (
    COGNITIVE_ACCOUNTS,
    ML_WORKSPACES,
    RESOURCE_TYPES,
    SEARCH,
    STORAGE,
    ResourceType,
)
from shared.domain.response import Children, Plan, Response
from shared.domain.secret import digest
from tests.hostile import NASTY, anything, places, put
from tests.remediations.bodies import account, raw, resource, search, storage, workspace

ROTATE, TAG = rotate_exposed_keys.RESPONSE, tag_incident.RESPONSE
CAP, PAUSE = cap_deployments.RESPONSE, pause_deployments.RESPONSE
# Once these are done there is nothing more to do. A key can be regenerated again; the ledger knows that it was.
SETTLING = (TAG, CAP, PAUSE)
ALERT = "2518298467986649999_4d25bfef-2d77-4a08-adc0-3e35715cc92a"
ACCOUNT = str(account()["id"])


def deployment(name: str = "gpt", sku: str = "GlobalStandard", capacity: Json = 100, **properties: Json) -> JsonObject:
    """A model deployment of the account, as GET answers it at 2025-09-01."""
    own: JsonObject = {
        "model": {"format": "OpenAI", "name": "gpt-4.1", "version": "2025-04-14"},
        "versionUpgradeOption": "OnceNewDefaultVersionAvailable",
        "currentCapacity": capacity,
        "capabilities": {"chatCompletion": "true"},
        "raiPolicyName": "Microsoft.DefaultV2",
        "provisioningState": "Succeeded",
        "rateLimits": [{"key": "request", "renewalPeriod": 10, "count": 100}],
    }
    return {
        "id": path_of(name),
        "type": "Microsoft.CognitiveServices/accounts/deployments",
        "name": name,
        "sku": {"name": sku, "capacity": capacity},
        "properties": own | properties,
        "systemData": {"createdBy": "dana@contoso.com", "createdByType": "User"},
        "etag": '"7b2f1c"',
    }


def path_of(name: str) -> str:
    """The ARM id of a deployment of the account."""
    return f"{ACCOUNT}/deployments/{name}"


THREE = (deployment(), deployment("mini", capacity=50), deployment("embed", "Standard", 350))


def incident(*named: str, name: str = ALERT) -> Incident:
    """The incident of an alert that names these resources."""
    alert = Alert(
        name=name,
        id=None,
        type="AI.Azure_DOWVolumeAnomaly",
        title="Something happened",
        severity=Severity.HIGH,
        status=AlertStatus.ACTIVE,
        resources=tuple(map(parse_arm_id, named)),
    )
    return Incident(f"alert {name}", name, alert.title, alert.severity, EXPOSED_KEY, alert=alert)


def leak() -> Incident:
    """The incident of an exposed key."""
    exposure = Exposure(digest("a key"))
    return Incident(exposure.cause, exposure.cause, "A key was found", Severity.HIGH, EXPOSED_KEY, exposure=exposure)


@dataclass(frozen=True, slots=True)
class Example:
    """One plan. `does` are its requests in their order, below the resource: empty where there is nothing to do."""

    shows: str
    response: Response
    type: ResourceType
    body: JsonObject = field(repr=False)
    does: tuple[str, ...] = ()
    deployments: Sequence[JsonObject] | None = field(default=None, repr=False)
    incident: Incident = field(default_factory=lambda: incident(ACCOUNT), repr=False)

    @property
    def children(self) -> Children:
        """As ARM lists them."""
        return {} if self.deployments is None else {"deployments": self.deployments}

    def plan(self, mode: Mode = Mode.ENFORCE) -> Plan:
        """What the response plans."""
        return planned(self, self.body, self.children, mode)


def planned(example: Example, body: JsonObject, children: Children, mode: Mode = Mode.ENFORCE) -> Plan:
    """What the example's response plans for another body with other children."""
    return example.response.plan(live(example, body), example.incident, children, mode)


def live(example: Example, body: JsonObject) -> Resource:
    """The body under the id that was asked for, whatever id it tells."""
    return Resource(resource(example.type, example.body).id, example.type, body)


def regenerates(*slots: str, action: str = "regenerateKey") -> tuple[str, ...]:
    return tuple(f"POST /{action} {slot}" for slot in slots)


def tags(value: str) -> tuple[str, ...]:
    body = {"operation": "Merge", "properties": {"tags": {"airlock-incident": value}}}
    path = "/providers/Microsoft.Resources/tags/default?2021-04-01"
    return (f"PATCH {path} {json.dumps(body)}",)


def caps(*names: str, sku: str = "GlobalStandard") -> tuple[str, ...]:
    body = json.dumps({"sku": {"name": sku, "capacity": 1}})
    return tuple(f"PATCH /deployments/{name}?2025-09-01 {body}" for name in names)


def pauses(*names: str) -> tuple[str, ...]:
    return tuple(f"POST /deployments/{name}/pause?2026-09-15-preview" for name in names)


def on_account(shows: str, response: Response, deployments: Sequence[JsonObject] | None, *does: str) -> Example:
    return Example(shows, response, COGNITIVE_ACCOUNTS, account(), does, deployments)


def about(shows: str, response: Response, found: Incident, *does: str) -> Example:
    """An example with the three deployments of the account."""
    return Example(shows, response, COGNITIVE_ACCOUNTS, account(), does, THREE, found)


EXAMPLES = (
    Example("an account", ROTATE, COGNITIVE_ACCOUNTS, account(), regenerates("Key2", "Key1")),
    Example(
        "keys on, unsaid", ROTATE, COGNITIVE_ACCOUNTS, account(absent=["disableLocalAuth"]), regenerates("Key2", "Key1")
    ),
    Example("keys off", ROTATE, COGNITIVE_ACCOUNTS, account(disableLocalAuth=True)),
    Example("keys off, as a word", ROTATE, COGNITIVE_ACCOUNTS, account(disableLocalAuth="True")),
    Example(
        "a search service",
        ROTATE,
        SEARCH,
        search(disableLocalAuth=False),
        ("POST /regenerateAdminKey/secondary secondary", "POST /regenerateAdminKey/primary primary"),
    ),
    Example("a search service with keys off", ROTATE, SEARCH, search(disableLocalAuth=True)),
    Example("a storage account", ROTATE, STORAGE, storage(), regenerates("key2", "key1")),
    Example(
        "a storage account that takes no shared key, whose keys still sign",
        ROTATE,
        STORAGE,
        storage(allowSharedKeyAccess=False),
        regenerates("key2", "key1"),
    ),
    Example("an exposed key", ROTATE, COGNITIVE_ACCOUNTS, account(), regenerates("Key2", "Key1"), incident=leak()),
    Example("an account", TAG, COGNITIVE_ACCOUNTS, account(), tags(ALERT)),
    Example("a search service", TAG, SEARCH, search(), tags(ALERT)),
    Example("a workspace", TAG, ML_WORKSPACES, workspace(), tags(ALERT)),
    Example("a storage account", TAG, STORAGE, storage(), tags(ALERT)),
    Example("no tags at all", TAG, STORAGE, storage({"tags": None}), tags(ALERT)),
    Example("another incident's tag", TAG, STORAGE, storage({"tags": {"airlock-incident": "2517_x"}}), tags(ALERT)),
    Example("a tag that only looks like it", TAG, STORAGE, storage({"tags": {"airlock": ALERT}}), tags(ALERT)),
    Example("the tag", TAG, STORAGE, storage({"tags": {"airlock-incident": ALERT}})),
    Example("the tag in another case", TAG, STORAGE, storage({"tags": {"Airlock-Incident": ALERT}})),
    Example("a long name", TAG, STORAGE, storage(), tags("n" * 256), incident=incident(name="n" * 300)),
    Example(
        "the tag of a long name",
        TAG,
        STORAGE,
        storage({"tags": {"airlock-incident": "n" * 256}}),
        incident=incident(name="n" * 300),
    ),
    about("an alert about the account", CAP, incident(ACCOUNT), *caps("gpt", "mini"), *caps("embed", sku="Standard")),
    about("an alert without resources", CAP, incident(), *caps("gpt", "mini"), *caps("embed", sku="Standard")),
    about("an exposed key", CAP, leak(), *caps("gpt", "mini"), *caps("embed", sku="Standard")),
    about("an alert about one deployment", CAP, incident(path_of("mini")), *caps("mini")),
    about(
        "one in another case",
        CAP,
        incident(ACCOUNT, path_of("MINI").upper().replace("/SUBSCRIPTIONS", "/subscriptions")),
        *caps("mini"),
    ),
    about("about two of three", CAP, incident(path_of("mini"), ACCOUNT, path_of("gpt")), *caps("gpt", "mini")),
    on_account("the smallest already", CAP, [deployment(capacity=1)]),
    on_account("smaller than the smallest", CAP, [deployment(capacity=0)]),
    on_account("no capacity of its own", CAP, [deployment(capacity=None)]),
    on_account("the smallest and a larger one", CAP, [deployment("mini", capacity=1), deployment()], *caps("gpt")),
    on_account("no deployment", CAP, []),
    on_account("deployments that nobody may read", CAP, None),
    about("an alert about the account", PAUSE, incident(ACCOUNT), *pauses("gpt", "mini", "embed")),
    about("an exposed key", PAUSE, leak(), *pauses("gpt", "mini", "embed")),
    about("an alert about one deployment", PAUSE, incident(path_of("embed")), *pauses("embed")),
    on_account("running", PAUSE, [deployment(deploymentState="Running")], *pauses("gpt")),
    on_account("paused", PAUSE, [deployment(deploymentState="Paused")]),
    on_account("paused, in another case", PAUSE, [deployment(deploymentState="PAUSED")]),
    on_account("a data zone", PAUSE, [deployment(sku="DataZoneStandard")], *pauses("gpt")),
    on_account("a sku in another case", PAUSE, [deployment(sku="globalstandard")], *pauses("gpt")),
    on_account("provisioned throughput, which cannot be", PAUSE, [deployment(sku="ProvisionedManaged")]),
    on_account("batch, which cannot be", PAUSE, [deployment(sku="GlobalBatch")]),
    on_account("no deployment", PAUSE, []),
    on_account("deployments that nobody may read", PAUSE, None),
)

every = pytest.mark.parametrize(
    "example", [pytest.param(example, id=f"{example.response.name}: {example.shows}") for example in EXAMPLES]
)


def requests(plan: Plan, target: ArmId) -> tuple[str, ...]:
    """The plan's requests as the examples spell them."""
    return tuple(_request(act, target.path) for act in plan.acts)


def _request(act: Act, prefix: str) -> str:
    below = act.path.removeprefix(prefix)
    match act:
        case RegenerateKey():
            return f"{act.method} {below} {act.slot}"
        case Command(body=None):
            return f"{act.method} {below}?{act.api_version}"
        case Command():
            return f"{act.method} {below}?{act.api_version} {json.dumps(act.body)}"
        case _:
            pytest.fail(f"a response plans no {type(act).__name__}")


@every
def test_what_is_planned(example: Example) -> None:
    plan = example.plan()
    assert requests(plan, live(example, example.body).id) == example.does


@every
def test_a_plan_says_what_it_comes_to(example: Example) -> None:
    plan = example.plan()
    assert plan.reason
    assert plan.reason == one_line(plan.reason, 2048)
    for act in plan.acts:
        assert changed_by(act), "an act that changes nothing"
        assert not isinstance(act, Command) or act.what


@every
def test_the_mode_is_carried_and_changes_nothing_else(example: Example) -> None:
    for mode in Mode:
        plan = example.plan(mode)
        assert {act.mode for act in plan.acts} <= {mode}, mode
        assert requests(plan, live(example, example.body).id) == example.does, mode
        assert plan.reason == example.plan().reason, mode


@every
def test_no_act_leaves_the_resource(example: Example) -> None:
    target = live(example, example.body).id
    for act in example.plan().acts:
        assert act.path.startswith(f"{target.path}/")


@every
def test_planning_changes_nothing_and_is_the_same_again(example: Example) -> None:
    kept = copy.deepcopy((example.body, example.children))
    assert example.plan() == example.plan()
    assert (example.body, example.children) == kept


@pytest.mark.parametrize(
    "example",
    [pytest.param(each, id=f"{each.response.name}: {each.shows}") for each in EXAMPLES if each.response in SETTLING],
)
def test_what_is_done_is_not_done_again(example: Example) -> None:
    body, children = as_left(example.plan().acts, example.body, example.children)
    again = planned(example, body, children)
    assert again.acts == ()
    assert again.reason


def as_left(acts: Sequence[Act], body: JsonObject, children: Children) -> tuple[JsonObject, Children]:
    """The account and its deployments as Azure leaves them when the acts are done."""
    deployments = list(children.get("deployments", ()))
    for act in acts:
        assert isinstance(act, Command)
        if act.suffix == "/providers/Microsoft.Resources/tags/default":
            body = _tagged(body, as_object(as_object(as_object(act.body)["properties"])["tags"]))
        patch: Json = {"properties": {"deploymentState": "Paused"}} if act.suffix == "/pause" else act.body
        deployments = [
            as_object(overlay(each, patch)) if as_text(each["id"]) == act.target.path else each for each in deployments
        ]
    return body, {"deployments": deployments} if "deployments" in children else {}


def _tagged(body: JsonObject, merged: JsonObject) -> JsonObject:
    """Azure compares names of tags without case."""
    kept = {name: value for name, value in as_object(body.get("tags")).items() if name.lower() not in merged}
    return body | {"tags": kept | merged}


# ARM has the last word on ids, so those are left as they are.
def altered(body: JsonObject) -> st.SearchStrategy[JsonObject]:
    """The body with up to four of its values, but for its id, overwritten by anything."""
    spots = [spot for spot in places(body) if spot != ("id",)]
    changes = st.lists(st.tuples(st.sampled_from(spots), anything | st.sampled_from(NASTY)), max_size=4)

    def overwritten(chosen: list[tuple[tuple[str | int, ...], Json]]) -> JsonObject:
        found: Json = body
        for spot, value in chosen:
            found = put(found, spot, value)
        return as_object(found)

    return changes.map(overwritten)


@pytest.mark.parametrize("response", [ROTATE, TAG, CAP, PAUSE], ids=lambda response: str(response.name))
@pytest.mark.parametrize("kind", RESOURCE_TYPES, ids=lambda kind: str(kind.slug))
@settings(max_examples=40)  # of each of the twenty pairs
@given(data=st.data())
def test_whatever_the_bodies_a_plan_is_made_and_settles(
    response: Response, kind: ResourceType, data: st.DataObject
) -> None:
    """Also for a type that the response does not name, which nobody asks it about."""
    body = data.draw(altered(raw(kind)))
    deployments = [data.draw(altered(each)) for each in THREE]
    example = Example("anything", response, kind, raw(kind), (), deployments)
    plan = planned(example, body, example.children)
    assert plan == planned(example, body, example.children)
    assert plan.reason
    if response in SETTLING:
        assert planned(example, *as_left(plan.acts, body, example.children)).acts == ()


@given(st.dictionaries(st.text(max_size=20) | st.sampled_from(["airlock-incident", "AIRLOCK-INCIDENT"]), anything))
def test_whatever_the_tags_the_incident_is_told_and_no_other_tag_is_touched(tags_: Mapping[str, Json]) -> None:
    example = Example("any tags", TAG, STORAGE, storage({"tags": dict(tags_)}))
    assert {requests(example.plan(), live(example, example.body).id)} <= {(), tags(ALERT)}
    body, _ = as_left(example.plan().acts, example.body, {})
    assert live(example, body).tags["airlock-incident"] == ALERT
    assert planned(example, body, {}).acts == ()


@given(st.text(max_size=300))
def test_whatever_the_incident_is_called_a_tag_can_hold_it(name: str) -> None:
    example = Example("any name", TAG, STORAGE, storage({"tags": None}), incident=incident(name=name))
    (act,) = example.plan().acts
    assert isinstance(act, Command)
    (value,) = as_object(as_object(as_object(act.body)["properties"])["tags"]).values()
    assert len(as_text(value)) <= 256
    assert name.startswith(as_text(value))


@given(st.sets(st.sampled_from(["gpt", "mini", "embed"])), st.sampled_from([CAP, PAUSE]), st.booleans())
def test_only_what_the_alert_names_is_touched(names: set[str], response: Response, with_account: bool) -> None:  # noqa: FBT001 # drawn
    named = [*([ACCOUNT] if with_account else []), *map(path_of, sorted(names))]
    example = Example("some of three", response, COGNITIVE_ACCOUNTS, account(), (), THREE, incident(*named))
    touched = {act.target.name for act in example.plan().acts if isinstance(act, Command)}
    assert touched == (names or {"gpt", "mini", "embed"})
