"""Before the code goes out: with private delivery the app takes packages from nobody. Its door for them opens to the
one address that deploys, and closes again afterwards."""

import ipaddress
import os
import time
import urllib.error
import urllib.request
from typing import Any

from azd import arm, give_up, given, run, say
from door import open_to

_FORBIDDEN = 403
_LOOKS, _BETWEEN = 30, 4
# Azure has nothing that tells one's own public address. AIRLOCK_DEPLOY_FROM spares the question.
_WHO_AM_I = "https://api.ipify.org"


def main() -> None:
    """Opens the door, unless the deployer is in the private network (AIRLOCK_DEPLOY_FROM=network)."""
    if given("AIRLOCK_DELIVERY") != "private" or os.environ.get("AIRLOCK_DEPLOY_FROM") == "network":
        return
    address = _checked(os.environ.get("AIRLOCK_DEPLOY_FROM") or _own_address())
    wait_for_door(open_to(arm(), given("AIRLOCK_APP_ID"), address))
    say(f"the app takes packages from {address} until they are there, signed in as before; all else stays closed")


def wait_for_door(site: dict[str, Any]) -> None:
    """What changes about networks takes Azure up to a minute; azd would not wait."""
    hosts = site.get("properties", {}).get("enabledHostNames", [])
    for host in (each for each in hosts if ".scm." in each):
        for _ in range(_LOOKS):
            if _status(f"https://{host}") != _FORBIDDEN:
                return
            time.sleep(_BETWEEN)


def _status(address: str) -> int:
    try:
        with urllib.request.urlopen(address, timeout=10) as answer:  # noqa: S310 - the app's own address, from Azure
            return int(answer.status)
    except urllib.error.HTTPError as problem:
        return problem.code
    except OSError:
        return _FORBIDDEN


def _checked(text: str) -> ipaddress.IPv4Address:
    try:
        return ipaddress.IPv4Address(text)
    except ValueError:
        give_up(f"{text[:40]!r} is not an IPv4 address; set AIRLOCK_DEPLOY_FROM to the one that you deploy from.")


def _own_address() -> str:
    try:
        with urllib.request.urlopen(_WHO_AM_I, timeout=10) as answer:
            return str(answer.read().decode().strip())
    except OSError:
        give_up("Set AIRLOCK_DEPLOY_FROM to the public address that you deploy from, or to `network` inside of it.")


if __name__ == "__main__":
    run(main)
