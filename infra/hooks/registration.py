"""The app registration whose role lets people operate Airlock. Deployments of resources cannot make one."""

import json
import uuid
from pathlib import Path
from typing import Any

from azd import NotDone, Service, graph, remember, say

_NAME = "Airlock operators"
# What `az account get-access-token` and `airlock` sign in as.
_AZURE_CLI = "04b07795-8ddb-461a-bbee-02f9e1bf7b46"
_BY_HAND = (
    "nobody can operate Airlock yet: the deployer may not register applications. docs/deploy.md tells how somebody "
    "else does it; set AIRLOCK_OPERATOR_AUDIENCE then. AIRLOCK_OPERATORS=none ends this message."
)

_IS_THERE = (
    f"there is an app registration {_NAME!r} already. Look who owns it; if it is yours, azd env set "
    "AIRLOCK_OPERATOR_AUDIENCE to its client id. Until then nobody can operate this Airlock."
)


def register() -> None:
    """Makes the registration and remembers its client id. Where one of that name is, or without the right to make one,
    all else goes on without."""
    service = graph()
    try:
        # Names are not unique, and anybody may have made one: whose it is, a person has to say.
        if service.listed(f"/v1.0/applications?$filter=displayName%20eq%20'{_NAME.replace(' ', '%20')}'"):
            say(_IS_THERE)
            return
        client_id = _registered(service)
    except NotDone as problem:
        if problem.status not in {401, 403}:
            raise
        say(_BY_HAND)
        return
    remember("AIRLOCK_OPERATOR_AUDIENCE", client_id)
    say(f"operators sign in to the app registration {client_id}; give people its role {_role()}")


def _registered(service: Service) -> str:
    application = service.call("POST", "/v1.0/applications", _application())
    client_id = str(application["appId"])
    uris = {"identifierUris": [f"api://{client_id}"]}
    service.call("PATCH", f"/v1.0/applications/{application['id']}", uris, young=True)
    # Who has no role gets no token at all.
    principal = {"appId": client_id, "appRoleAssignmentRequired": True}
    service.call("POST", "/v1.0/servicePrincipals", principal, young=True)
    return client_id


def _application() -> dict[str, Any]:
    scope = str(uuid.uuid4())
    return {
        "displayName": _NAME,
        "signInAudience": "AzureADMyOrg",
        "appRoles": [
            {
                "id": str(uuid.uuid4()),
                "allowedMemberTypes": ["User", "Application"],
                "displayName": "Airlock operator",
                "description": "May approve, undo, hold, release and replay what Airlock does.",
                "value": _role(),
                "isEnabled": True,
            }
        ],
        "api": {
            "requestedAccessTokenVersion": 2,
            "oauth2PermissionScopes": [
                {
                    "id": scope,
                    "type": "User",
                    "value": "operate",
                    "isEnabled": True,
                    "adminConsentDisplayName": "Operate Airlock",
                    "adminConsentDescription": "Lets a command operate Airlock as the person who runs it.",
                }
            ],
            "preAuthorizedApplications": [{"appId": _AZURE_CLI, "delegatedPermissionIds": [scope]}],
        },
    }


def _role() -> str:
    generated = Path(__file__).resolve().parent.parent / "generated" / "app.json"
    role: str = json.loads(generated.read_text(encoding="utf-8"))["operatorRole"]
    return role
