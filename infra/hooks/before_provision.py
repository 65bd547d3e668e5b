"""Before provisioning: what would fail later is said now, and what is there already is used."""

import difflib
import json
import os
from pathlib import Path

from azd import arm, give_up, given, remember, run, say
from registration import register

_TOPICS = "/providers/Microsoft.EventGrid/systemTopics?api-version=2025-02-15"
_OF_SUBSCRIPTIONS = "microsoft.resources.subscriptions"
_GENERATED = Path(__file__).resolve().parent.parent / "generated"


def main() -> None:
    """Checks the settings, looks for a system topic, and registers the operators' application."""
    check_settings(os.environ.get("AIRLOCK_SETTINGS", ""))
    subscription = os.environ.get("AZURE_SUBSCRIPTION_ID", "")
    if not subscription:
        give_up("azd does not know the subscription yet: run azd up, or azd env set AZURE_SUBSCRIPTION_ID <id>.")
    find_topic(subscription, f"rg-airlock-{given('AZURE_ENV_NAME')}")
    if not os.environ.get("AIRLOCK_OPERATOR_AUDIENCE") and os.environ.get("AIRLOCK_OPERATORS") != "none":
        register()


def check_settings(told: str) -> None:
    """With an unknown setting nothing would enforce: better to stop here."""
    known = json.loads((_GENERATED / "app.json").read_text(encoding="utf-8"))["settings"]
    for pair in filter(None, (part.strip() for part in told.split(";"))):
        name, sign, _ = pair.partition("=")
        if not sign:
            give_up(f"AIRLOCK_SETTINGS: {pair[:80]!r} is not NAME=value; settings are parted by semicolons.")
        if name.strip() not in known:
            near = difflib.get_close_matches(name.strip(), known, n=1, cutoff=0.0)[0]
            give_up(f"AIRLOCK_SETTINGS: {name.strip()[:80]} is not a setting of Airlock; the nearest is {near}.")


def find_topic(subscription: str, own_group: str) -> None:
    """Azure takes one system topic for a subscription's events. Somebody else's is used as it is."""
    source = f"/subscriptions/{subscription}".lower()
    for topic in arm().listed(f"/subscriptions/{subscription}{_TOPICS}"):
        about = topic["properties"]
        if about["topicType"].lower() != _OF_SUBSCRIPTIONS or about["source"].lower() != source:
            continue
        group = topic["id"].split("/")[4]
        if group.lower() == own_group.lower():
            return
        if "SystemAssigned" not in topic.get("identity", {}).get("type", ""):
            give_up(
                f"The system topic {topic['name']} in {group} has no system-assigned identity, by which events are "
                "delivered. Switch it on (portal: Identity), then run this again."
            )
        say(f"events come from the system topic {topic['name']} in {group}, which is there already")
        remember("AIRLOCK_SYSTEM_TOPIC", topic["name"])
        remember("AIRLOCK_SYSTEM_TOPIC_GROUP", group)
        return


if __name__ == "__main__":
    run(main)
