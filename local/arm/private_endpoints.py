"""A private endpoint shows on the resource it leads to, as a connection.

Source: "What is a private endpoint?" (reviewed 2026-11): automatic connections are approved at once, manual ones
wait as Pending. An account in the middle of an update refuses the connection (pulumi-defang#274).
"""

from local.arm.body import Body, at
from local.arm.estate import Estate
from local.arm.links import TYPE, connection, links
from local.arm.operations import is_busy
from local.arm.refusal import bad_request

__all__ = ["TYPE", "connect", "refuse_busy_targets"]


def refuse_busy_targets(estate: Estate, endpoint: Body) -> None:
    """Raises RefusedError when the endpoint leads to a resource that is being updated."""
    for target, _, _ in links(endpoint):
        if is_busy(estate.find(target)):
            state = at(estate.find(target), "properties.provisioningState")
            raise bad_request(f"'{target}' is in state {state}.", "AccountProvisioningStateInvalid")


def connect(estate: Estate, endpoint: Body) -> None:
    """Show the endpoint on every resource in the estate that it leads to."""
    for target, groups, status in links(endpoint):
        owner = estate.find(target)
        if owner is not None:
            estate.settle(connection(str(owner["id"]), endpoint, groups, status))
