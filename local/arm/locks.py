"""Management locks that stand in the estate.

Source: "Lock your Azure resources to protect your infrastructure" (reviewed 2026-11). A lock holds for its scope and
everything below it. ReadOnly blocks every write and every POST, since a POST may hand out keys; CanNotDelete blocks
deletes only. Locks themselves may always be changed.
"""

from local.arm.body import at
from local.arm.estate import Estate
from local.arm.refusal import RefusedError
from local.arm.resource_id import Address

LOCKS = "microsoft.authorization/locks"


def refuse_locked(estate: Estate, address: Address, method: str) -> None:
    """Raises RefusedError (409 ScopeLocked) when a lock forbids the method here."""
    if address.type.lower() == LOCKS:
        return
    for scope in _scopes(address.path):
        for lock in estate.children(f"{scope}/providers/Microsoft.Authorization", "locks"):
            if _forbids(str(at(lock, "properties.level")).lower(), method):
                message = (
                    f"The scope '{address.path}' cannot perform {method}: '{scope}' is locked. Remove the lock first."
                )
                raise RefusedError(409, "ScopeLocked", message)


def _forbids(level: str, method: str) -> bool:
    return level == "readonly" or (level == "cannotdelete" and method == "DELETE")


def _scopes(path: str) -> list[str]:
    steps = path.split("/")
    return ["/".join(steps[:end]) for end in range(3, len(steps) + 1, 2)]
