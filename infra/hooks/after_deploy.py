"""After the code went out: the door closes, or the functions that are there now get their events."""

import json
import os
import time
from typing import Any

from azd import Service, arm, give_up, given, run, say
from door import close

_EVENTS = "api-version=2025-02-15"
_LOOKS, _BETWEEN = 60, 2


def main() -> None:
    """Private delivery: nothing is left open. Push: the event subscriptions are made as Bicep wrote them."""
    service = arm()
    if given("AIRLOCK_DELIVERY") == "private":
        close(service, given("AIRLOCK_APP_ID"))
        say("the app is closed to the public network")
    for subscription in json.loads(os.environ.get("AIRLOCK_EVENT_SUBSCRIPTIONS") or "[]"):
        subscribe(service, f"{subscription['id']}?{_EVENTS}", subscription["properties"])
        say(f"events come in through {subscription['id'].rsplit('/', 1)[-1]}")


def subscribe(service: Service, path: str, properties: dict[str, Any]) -> None:
    """Makes the event subscription and waits until Event Grid has it. Right after the code went out the function may
    not be known yet."""
    made = service.call("PUT", path, {"properties": properties}, young=True)
    for _ in range(_LOOKS):
        state = made.get("properties", {}).get("provisioningState", "Succeeded")
        if state == "Succeeded":
            return
        if state in {"Failed", "Canceled"}:
            break
        time.sleep(_BETWEEN)
        made = service.call("GET", path)
    give_up(f"Event Grid did not take the event subscription {path.partition('?')[0]}: {state}")


if __name__ == "__main__":
    run(main)
