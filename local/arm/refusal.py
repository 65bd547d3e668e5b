"""What ARM and the resource providers refuse, with the codes that clients decide by."""

from local.arm.body import Body
from local.arm.resource_id import Address


class RefusedError(Exception):
    """A request that is answered with an ARM error body.

    `code` is what the real service says; the message is our own wording. `headers` go with the answer.
    """

    def __init__(self, status: int, code: str, message: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.headers = headers or {}

    @property
    def body(self) -> Body:
        """ARM's error envelope."""
        return {"error": {"code": self.code, "message": str(self)}}


def group_not_found(group: str) -> RefusedError:
    """The whole resource group is absent."""
    return RefusedError(404, "ResourceGroupNotFound", f"Resource group '{group}' could not be found.")


def missing(address: Address, *, group_exists: bool) -> RefusedError:
    """The resource is absent, or the whole group it would be in."""
    if address.group is not None and not group_exists:
        return group_not_found(address.group)
    return RefusedError(404, "ResourceNotFound", f"The resource '{address.path}' was not found.")


def not_served(path: str) -> RefusedError:
    """A path or an action that names nothing ARM knows."""
    return RefusedError(404, "InvalidResourceType", f"No resource type or action is served at '{path}'.")


def bad_request(message: str, code: str = "BadRequest") -> RefusedError:
    """The resource provider does not take this request."""
    return RefusedError(400, code, message)


def not_terminal(resource_id: str) -> RefusedError:
    """The resource is in the middle of another update."""
    message = f"Cannot modify '{resource_id}': its provisioning state is not terminal. Please retry later."
    return RefusedError(409, "RequestConflict", message)
