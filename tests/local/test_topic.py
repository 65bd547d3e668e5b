"""The custom topic, through the real client."""

import json
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession, TCPConnector
from azure.core.exceptions import HttpResponseError
from azure.core.messaging import CloudEvent
from azure.eventgrid import EventGridEvent
from azure.eventgrid.aio import EventGridPublisherClient

from local.certificate import Certificate
from local.faults import Fault, Faults
from local.identity import issue_token
from local.topic import LIMIT_BYTES, PATH, Topic
from tests.local.arm_world import ARM, GROUP, OURS, Token, serve

TOPIC = f"{GROUP}/providers/Microsoft.EventGrid/topics/alerts"
WHERE = f"{PATH}?api-version=2018-01-01"
CLOUD = "application/cloudevents-batch+json"
GRID = "application/json"

type Body = dict[str, Any]


def cloud_event(**more: object) -> Body:
    return {"id": "a", "source": "/s", "type": "T", "specversion": "1.0", "data": {}} | more


def grid_event(**more: object) -> Body:
    return {"id": "a", "subject": "s", "eventType": "T", "eventTime": "2026-11-23T01:00:00Z", "data": {}} | more


@dataclass
class Publishing:
    topic: Topic
    client: EventGridPublisherClient
    session: ClientSession
    handed_on: list[Body] = field(default_factory=list)

    async def post(self, content: object, media: str, where: str = WHERE, **headers: str) -> tuple[int, str]:
        """Send raw content; the status and the error code."""
        data = content if isinstance(content, bytes) else json.dumps(content).encode()
        given = {"Content-Type": media} | headers
        async with self.session.post(where, data=data, headers=given) as answer:
            text = await answer.read()
            return answer.status, json.loads(text)["error"]["code"] if text else ""


@asynccontextmanager
async def publishing(faults: Sequence[Fault] = ()) -> AsyncIterator[Publishing]:
    handed_on: list[Body] = []

    async def on_event(event: dict[str, object]) -> None:
        handed_on.append(event)

    async with AsyncExitStack() as stack:
        certificate = Certificate.issue(Path(stack.enter_context(tempfile.TemporaryDirectory())))
        topic = Topic(TOPIC, time.time, Faults(faults), on_event)
        url = await stack.enter_async_context(serve(topic.application(), certificate.server))
        client = EventGridPublisherClient(
            url + PATH, Token(), connection_verify=str(certificate.ca_file), retry_total=0
        )
        headers = {"Authorization": f"Bearer {issue_token(OURS, 'https://eventgrid.azure.net', time.time())}"}
        connector = TCPConnector(ssl=certificate.client)
        session = await stack.enter_async_context(ClientSession(url, headers=headers, connector=connector))
        yield Publishing(topic, await stack.enter_async_context(client), session, handed_on)


async def test_cloud_events_arrive_as_they_are() -> None:
    async with publishing() as case:
        sent = [CloudEvent(source="/airlock", type="Record", data={"n": n}, subject="s") for n in range(2)]
        await case.client.send(sent)
        assert [event["data"] for event in case.topic.events] == [{"n": 0}, {"n": 1}]
        assert [event["id"] for event in case.topic.events] == [event.id for event in sent]
        assert case.handed_on == case.topic.events


async def test_events_in_the_event_grid_schema_get_their_topic() -> None:
    async with publishing() as case:
        await case.client.send(EventGridEvent("s", "Alert", {"n": 1}, "1.0"))
        (event,) = case.topic.events
        assert (event["topic"], event["metadataVersion"], event["dataVersion"]) == (TOPIC, "1", "1.0")
        assert (event["subject"], event["eventType"], event["data"]) == ("s", "Alert", {"n": 1})


async def test_one_cloud_event_needs_no_array() -> None:
    async with publishing() as case:
        assert await case.post(cloud_event(), "application/cloudevents+json; charset=utf-8") == (200, "")
        assert case.topic.events == [cloud_event()]


@pytest.mark.parametrize(
    "content,media,status,code",
    [
        *(
            ([cloud_event(), cloud_event() | {name: wrong}], CLOUD, 400, "InvalidEvent")
            for name in ("id", "source", "type", "specversion")
            for wrong in ("", None, 1)
        ),
        ([cloud_event(specversion="0.3")], CLOUD, 400, "InvalidEvent"),
        ([cloud_event(data_base64="")], CLOUD, 400, "InvalidEvent"),
        *(
            ([grid_event(), grid_event() | {name: None}], GRID, 400, "InvalidEvent")
            for name in ("id", "subject", "eventType", "eventTime")
        ),
        ([grid_event(topic=f"{TOPIC}x")], GRID, 400, "InvalidEvent"),
        ([1], GRID, 400, "InvalidEvent"),
        ({}, GRID, 400, "InvalidContent"),
        (b"[", CLOUD, 400, "InvalidContent"),
        (b"[NaN]", CLOUD, 400, "InvalidContent"),
        ([], "text/plain", 415, "UnsupportedMediaType"),
    ],
)
async def test_a_batch_is_taken_whole_or_not_at_all(content: object, media: str, status: int, code: str) -> None:
    async with publishing() as case:
        assert await case.post(content, media) == (status, code)
        assert case.topic.events == case.handed_on == []


@pytest.mark.filterwarnings("ignore:Sending a large body:ResourceWarning")  # the SDK sends bytes
async def test_more_than_a_megabyte_is_refused() -> None:
    async with publishing() as case:
        with pytest.raises(HttpResponseError) as caught:
            await case.client.send(CloudEvent(source="/s", type="T", data="x" * LIMIT_BYTES))
        assert caught.value.status_code == 413
        await case.client.send(CloudEvent(source="/s", type="T", data="x" * (LIMIT_BYTES - 1000)))
        assert len(case.topic.events) == 1


async def test_the_api_version_is_known() -> None:
    async with publishing() as case:
        assert await case.post([], CLOUD, PATH) == (400, "InvalidApiVersion")


@pytest.mark.parametrize("authorization", ["", f"Bearer {issue_token(OURS, ARM, time.time())}"])
async def test_a_token_for_event_grid_is_needed(authorization: str) -> None:
    async with publishing() as case:
        assert (await case.post([cloud_event()], CLOUD, Authorization=authorization))[0] == 401
        assert case.topic.events == []


@pytest.mark.parametrize("after_effect,taken", [(False, 0), (True, 1)])
async def test_faults_reach_the_client(after_effect: bool, taken: int) -> None:  # noqa: FBT001 (a parameter of the test)
    async with publishing([Fault(service="topic", status=503, after_effect=after_effect)]) as case:
        with pytest.raises(HttpResponseError) as caught:
            await case.client.send(CloudEvent(source="/s", type="T", data=1))
        assert caught.value.status_code == 503
        assert len(case.topic.events) == taken
