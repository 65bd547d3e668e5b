"""Model deployments of cognitive accounts: paused, so that they answer no more calls, and resumed.

Source: Microsoft.CognitiveServices/accounts/deployments, api-version 2026-09-15-preview (reviewed 2026-11).
"""

from local.arm.body import Body, at, with_value
from local.arm.refusal import bad_request, not_served

TYPE = "microsoft.cognitiveservices/accounts/deployments"
API_VERSION = "2026-09-15-preview"
_STATES = {"pause": "Paused", "resume": "Running"}
# Only these can be paused: the others are billed by the hour, or run in batches.
_SKUS = frozenset({"standard", "datazonestandard", "globalstandard"})


def switched(deployment: Body, action: str, api_version: str) -> Body:
    """The deployment as `action`, pause or resume, leaves it; the same one when that is how it is.

    Raises RefusedError: 404 for another action, 400 for another api-version or a SKU that cannot be paused.
    """
    state = _STATES.get(action.lower())
    if state is None:
        raise not_served(f"{deployment['id']}/{action}")
    if api_version.lower() != API_VERSION:
        message = f"No API version '{api_version}' is registered for this action. The supported one is {API_VERSION}."
        raise bad_request(message, "NoRegisteredProviderFound")
    if str(at(deployment, "sku.name")).lower() not in _SKUS:
        raise bad_request("Only Standard, DataZoneStandard and GlobalStandard deployments can be paused.")
    return with_value(deployment, "properties.deploymentState", state)
