"""After provisioning: rights go when the setting that called for them is gone. A deployment only ever adds."""

import json

from azd import arm, given, run, say

_ASSIGNMENTS = "/providers/Microsoft.Authorization/roleAssignments"
_DEFINITIONS = "/providers/Microsoft.Authorization/roleDefinitions"
_VERSION = "api-version=2022-04-01"
_OURS = "Airlock "


def main() -> None:
    """Takes away the assignments of our own roles, to our own identity, that no setting calls for any more."""
    scope = f"/subscriptions/{given('AZURE_SUBSCRIPTION_ID')}"
    principal, wanted = given("AIRLOCK_PRINCIPAL_ID"), set(json.loads(given("AIRLOCK_ROLE_ASSIGNMENTS")))
    service = arm()
    defined = service.listed(f"{scope}{_DEFINITIONS}?{_VERSION}&$filter=type%20eq%20'CustomRole'")
    ours = {each["id"].lower(): each["properties"]["roleName"] for each in defined if _is_ours(each)}
    chosen = f"$filter=principalId%20eq%20'{principal}'"
    for assignment in service.listed(f"{scope}{_ASSIGNMENTS}?{_VERSION}&{chosen}"):
        about = assignment["properties"]
        role = ours.get(about["roleDefinitionId"].lower())
        if role is None or assignment["name"] in wanted or about["scope"].lower() != scope.lower():
            continue
        service.call("DELETE", f"{assignment['id']}?{_VERSION}")
        say(f"took away the role {role}: no setting enforces what it is for")


def _is_ours(definition: dict[str, dict[str, str]]) -> bool:
    return definition["properties"]["roleName"].startswith(_OURS)


if __name__ == "__main__":
    run(main)
