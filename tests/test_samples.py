"""Payloads from Microsoft's documentation, from SDK tests and from real tenants, through the parser."""

import json
import re
from pathlib import Path

import pytest

from shared.domain.alert import Alert, essence, is_alert, parse_alert
from shared.domain.body import Json, as_object
from shared.domain.signal import Signal, fit, parse_message
from tests.domain.making import NOW

SAMPLES = Path(__file__).parents[2] / "shared" / "samples"
ACCOUNT = "Microsoft.CognitiveServices/accounts"
STORAGE = "Microsoft.Storage/storageAccounts"
# What each file's events come to: a resource type, or the code of what names nothing to look at. The placeholders of
# documentation pages (`{subscription-id}`) lose their braces first.
EXPECTED = {
    "SYNTHETIC-cog-listKeys.eventgrid": ACCOUNT,
    "SYNTHETIC-cog-regenerateKey.eventgrid": ACCOUNT,
    "SYNTHETIC-cog-write-by-own-identity.eventgrid": ACCOUNT,
    "SYNTHETIC-cog-write-by-user.cloudevent": ACCOUNT,
    "SYNTHETIC-cog-write-by-user.eventgrid": ACCOUNT,
    "SYNTHETIC-defender-eventhub-AI-credentialtheft": "unreadable.shape",
    "defender-ActivityLogAlert.schema": "unreadable.shape",
    "defender-Recommendation.schema": "unreadable.shape",
    "defender-SecurityAlert.schema": "unreadable.shape",
    "doc-arn-CreatedOrUpdated-storage.cloudevent": STORAGE,
    "doc-arn-CreatedOrUpdated-storage.eventgrid": STORAGE,
    "doc-deadletter-cloudevent": "unreadable.shape",
    "doc-deadletter-eventgridschema": "unreadable.event-type",
    "doc-defender-activitylog-alert": "unreadable.shape",
    "doc-defender-workflowautomation-alert": "unreadable.shape",
    "doc-eventgrid-ResourceActionSuccess-listKeys-eventhub": "Microsoft.EventHub/namespaces/AuthorizationRules",
    "doc-eventgrid-ResourceDeleteSuccess-storage": STORAGE,
    "doc-eventgrid-ResourceWriteSuccess-storage": STORAGE,
    "real-defender-eventhub-alert": "unreadable.shape",
    "real-defender-eventhub-assessment": "unreadable.shape",
    "real-defender-eventhub-regulatorycompliance": "unreadable.shape",
    "sdktest-cloudevent-ResourceWriteSuccess": "Microsoft.EventGrid/eventSubscriptions",
    "so-subscription-validation.eventgrid": "unreadable.event-type",
    "swagger-cognitiveservices-PATCH-account": "unreadable.shape",
    "swagger-cognitiveservices-regenerateKey": "unreadable.shape",
    "swagger-defender-rest-alert-2022-01-01": "unreadable.shape",
    "swagger-search-PATCH-disableLocalAuth": "unreadable.shape",
}
# What Defender's own payloads come to: the alert's type and the type of the resource that it is about, or None for what
# is no alert. The documentation's virtual machine lacks its type, and the activity log names no resource.
ALERTS: dict[str, tuple[str, str | None] | None] = {
    "SYNTHETIC-defender-eventhub-AI-credentialtheft": ("AI.Azure_CredentialTheftAttempt", ACCOUNT),
    "defender-ActivityLogAlert.schema": None,
    "defender-Recommendation.schema": None,
    "defender-SecurityAlert.schema": None,
    "doc-defender-activitylog-alert": ("", None),
    "doc-defender-workflowautomation-alert": ("SUSPECT_SVCHOST", None),
    "real-defender-eventhub-alert": ("K8S_AdmissionController", "Microsoft.ContainerService/managedClusters"),
    "real-defender-eventhub-assessment": None,
    "real-defender-eventhub-regulatorycompliance": None,
    "swagger-defender-rest-alert-2022-01-01": ("VM_EICAR", "Microsoft.Compute/virtualMachines"),
}
# Those whose location is told, by ARM id or link.
LOCATED = {
    "doc-defender-activitylog-alert": "centralus",
    "real-defender-eventhub-alert": "centralus",
    "swagger-defender-rest-alert-2022-01-01": "westeurope",
}


@pytest.fixture
def samples() -> Path:
    if not SAMPLES.exists():
        pytest.skip("the sample payloads are not beside the repository")
    return SAMPLES


def test_every_sample_is_classified(samples: Path) -> None:
    assert {path.stem for path in samples.glob("*.json")} == EXPECTED.keys()


def test_every_sample_of_defender_is_classified(samples: Path) -> None:
    assert {path.stem for path in samples.glob("*defender*.json")} == ALERTS.keys()


def events(samples: Path, name: str) -> list[Json]:
    text = re.sub(r"\{([A-Za-z-]+)\}", r"\1", (samples / f"{name}.json").read_text(encoding="utf-8"))
    content: Json = json.loads(text.replace("SUBSCRIPTION_ID", "subscription-id"))
    return content if isinstance(content, list) else [content]


@pytest.mark.parametrize("name", EXPECTED)
def test_sample(samples: Path, name: str) -> None:
    for event in events(samples, name):
        found = parse_message(json.dumps(event), NOW)
        if isinstance(found, Signal):
            assert found.target is not None
            assert found.target.type == EXPECTED[name]
            assert found.id
            assert found.operation
            assert found.time <= NOW
            assert isinstance(again := parse_message(fit(found.raw), NOW), Signal)
            assert again == found
        else:
            assert found.code == EXPECTED[name]


@pytest.mark.parametrize("name", ALERTS)
def test_sample_of_defender(samples: Path, name: str) -> None:
    for data in map(as_object, events(samples, name)):
        expected = ALERTS[name]
        assert is_alert(data) is (expected is not None)
        if expected is not None:
            for alert in (parse_alert(data), parse_alert(essence(data))):
                kind, resource = expected
                assert (alert.type, [found.type for found in alert.resources]) == (kind, [resource] if resource else [])
                assert alert.name
                assert alert.is_open
                assert location(alert) == LOCATED.get(name)


def location(alert: Alert) -> str | None:
    return alert.id.providers[0].pairs[0][1] if alert.id else None


@pytest.mark.parametrize("name", sorted(EXPECTED.keys() - ALERTS.keys()))
def test_no_other_sample_is_an_alert(samples: Path, name: str) -> None:
    for event in map(as_object, events(samples, name)):
        assert not is_alert(event)
        assert not is_alert(as_object(event.get("data")))
