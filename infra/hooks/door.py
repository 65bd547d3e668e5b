"""The app's door for packages: with private delivery open to one address while azd deploys, to nobody else."""

from ipaddress import IPv4Address
from typing import Any

from azd import Service

_VERSION = "api-version=2024-11-01"


def open_to(service: Service, app: str, address: IPv4Address) -> dict[str, Any]:
    """Lets that address bring packages; the app itself stays closed to all. Answers the site. Raises NotDone."""
    # The rules stand before the door opens.
    service.call("PATCH", f"{app}/config/web?{_VERSION}", {"properties": _rules(address)})
    service.call("PATCH", f"{app}?{_VERSION}", {"properties": {"publicNetworkAccess": "Enabled"}})
    return service.call("GET", f"{app}?{_VERSION}")


def close(service: Service, app: str) -> None:
    """Closes it, whatever happened before. Raises NotDone."""
    service.call("PATCH", f"{app}?{_VERSION}", {"properties": {"publicNetworkAccess": "Disabled"}})
    service.call("PATCH", f"{app}/config/web?{_VERSION}", {"properties": _rules()})


def _rules(*addresses: IPv4Address) -> dict[str, Any]:
    allowed = [
        {"ipAddress": f"{address}/32", "action": "Allow", "priority": 100, "name": "airlock-deployer"}
        for address in addresses
    ]
    return {
        "ipSecurityRestrictionsDefaultAction": "Deny",
        "scmIpSecurityRestrictionsUseMain": False,
        "scmIpSecurityRestrictionsDefaultAction": "Deny",
        "scmIpSecurityRestrictions": allowed,
    }
