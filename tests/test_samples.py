"""Payloads from Microsoft's documentation, from SDK tests and from real tenants, through the parser."""

import json
import re
from pathlib import Path

import pytest

from shared.domain.body import Json
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


@pytest.fixture
def samples() -> Path:
    if not SAMPLES.exists():
        pytest.skip("the sample payloads are not beside the repository")
    return SAMPLES


def test_every_sample_is_classified(samples: Path) -> None:
    assert {path.stem for path in samples.glob("*.json")} == EXPECTED.keys()


@pytest.mark.parametrize("name", EXPECTED)
def test_sample(samples: Path, name: str) -> None:
    text = re.sub(r"\{([A-Za-z-]+)\}", r"\1", (samples / f"{name}.json").read_text(encoding="utf-8"))
    content: Json = json.loads(text)
    for event in content if isinstance(content, list) else [content]:
        found = parse_message(json.dumps(event), NOW)
        if isinstance(found, Signal):
            assert found.target.type == EXPECTED[name]
            assert found.id
            assert found.operation
            assert found.time <= NOW
            assert isinstance(again := parse_message(fit(found.raw), NOW), Signal)
            assert again == found
        else:
            assert found.code == EXPECTED[name]
