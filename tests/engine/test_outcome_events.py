"""Whoever subscribes to the topic is told of every record of severity medium and up, and nobody waits for the topic."""

from datetime import datetime

from local.faults import Fault
from shared.domain.remediation import Severity
from tests.engine.running import Body, Running, account, airlock, storage, until_settled

NOTABLE = {severity.value for severity in (Severity.MEDIUM, Severity.HIGH, Severity.CRITICAL)}


def published(running: Running) -> dict[object, Body]:
    """What the topic was told, by record."""
    return {event["id"]: event for event in running.azure.notifications.events}


def notable(running: Running) -> dict[object, Body]:
    """The records that it should have been told of."""
    return {row["RecordId"]: row for row in running.records() if row.get("Severity") in NOTABLE}


async def test_every_notable_record_is_published_once() -> None:
    bad, other = account(), storage()
    async with airlock([bad, other], notify=True) as running:
        await running.change(bad, other)
        rows = notable(running)
        assert published(running).keys() == rows.keys()
        assert len(running.azure.notifications.events) == len(rows) >= 2
        assert {"Fixed", "Compliant"} <= running.outcomes().keys()
        for record_id, event in published(running).items():
            row = rows[record_id]
            assert event["type"] == f"Airlock.Remediation.{row['Outcome']}"
            assert event["source"] == f"/subscriptions/{row['SubscriptionId']}"
            assert event["subject"] == event["data"]["ResourceId"] == row["ResourceId"]
            assert datetime.fromisoformat(event["time"]) == datetime.fromisoformat(row["TimeGenerated"])
            assert event["data"]["Digest"] == row["Digest"]
            assert "Sealed" not in event["data"]


async def test_a_topic_that_is_down_stops_no_fix_and_no_record_and_is_told_later() -> None:
    bad = account()
    async with airlock([bad], Fault(service="topic", status=503, times=None), notify=True) as running:
        await running.change(bad)
        assert running.live(bad)["publicNetworkAccess"] == "Disabled"
        assert running.outcomes(bad)["Fixed"]
        assert not running.azure.notifications.events
        running.faults.clear()
        await until_settled(running, lambda: published(running).keys() == notable(running).keys())


async def test_without_a_topic_nobody_is_told() -> None:
    bad = account()
    async with airlock([bad]) as running:
        await running.change(bad)
        assert notable(running)
        assert not running.azure.notifications.events
