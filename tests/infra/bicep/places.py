"""Bicep's functions that ask where the deployment is, or for a file beside it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tests.infra.bicep import functions
from tests.infra.bicep.handles import ScopeHandle
from tests.infra.bicep.scopes import (
    RESOURCE_GROUP,
    SUBSCRIPTION,
    Scope,
    Surroundings,
    management_group,
    resource_group,
    resource_id,
    subscription,
)
from tests.infra.bicep.values import Fault, Runtime, Value, is_known, text


@dataclass(frozen=True, slots=True)
class Place:
    """Where a file lies, what it is deployed to, and by which modules."""

    file: Path
    scope: Scope
    module: tuple[str, ...]
    where: Surroundings

    def scope_of(self, arguments: Sequence[Value], kind_: str) -> Value:  # noqa: PLR0911 - one line for each form
        """`subscription()` and its like: the scope of the file, or another that is named."""
        texts = [each if isinstance(each, str) else "" for each in arguments]
        if not all(texts):
            raise Fault("a scope is named by strings")
        match kind_, texts:
            case "subscription", [id_]:
                return _scope_handle(subscription(id_), self.where)
            case "resourceGroup", [name]:
                return _scope_handle(resource_group(self.scope.subscription, name), self.where)
            case "resourceGroup", [id_, name]:
                return _scope_handle(resource_group(id_, name), self.where)
            case "managementGroup", [name]:
                return _scope_handle(management_group(name), self.where)
            case "tenant", []:
                return _scope_handle(self.where.scope("tenant"), self.where)
            case "subscription", []:
                return _scope_handle(subscription(self.scope.subscription), self.where)
            case _, [] if self.scope.kind == kind_:
                return _scope_handle(self.scope, self.where)
        raise Fault(f"{kind_} takes no such arguments here: this file deploys to a {self.scope.kind}")

    def id_of(self, arguments: Sequence[Value]) -> Value:
        """`resourceId`: of a resource in this resource group, or another that is named before its type."""
        if not all(is_known(each) for each in arguments):
            return Runtime("resourceId(...)")
        words = [text(each) for each in arguments]
        type_at = next((place for place, word in enumerate(words) if "/" in word), None)
        if type_at is None:
            raise Fault("no type is named")
        match words[:type_at]:
            case []:
                base = self.scope.id
            case [group]:
                base = resource_group(self.scope.subscription, group).id
            case [id_, group]:
                base = resource_group(id_, group).id
            case _:
                raise Fault("too much is named before the type")
        return resource_id(base, words[type_at], words[type_at + 1 :])

    def id_in(self, arguments: Sequence[Value], kind_: str) -> Value:
        """`subscriptionResourceId` and its like."""
        if not all(is_known(each) for each in arguments):
            return Runtime(f"{kind_}ResourceId(...)")
        words = [text(each) for each in arguments]
        match kind_:
            case "extension":
                base, *words = words
            case "tenant":
                base = ""
            case "subscription" if "/" not in words[0]:
                base, words = subscription(words[0]).id, words[1:]
            case "subscription":
                base = subscription(self.scope.subscription).id
            case _ if "/" not in words[0]:
                base, words = management_group(words[0]).id, words[1:]
            case _:
                base = self.scope.id
        return resource_id(base, words[0], words[1:])

    def load(self, arguments: Sequence[Value], *, as_json: bool) -> Value:
        """The text of a file, or the JSON in it."""
        name, *path = [text(each) for each in arguments]
        file = self.file.parent / name
        try:
            content = file.read_text(encoding="utf-8")
        except OSError as error:
            raise Fault(f"{name}: {error.strerror}") from error
        if not as_json:
            return content
        found = _parsed_file(content)
        for key in path[0].removeprefix("$").strip(".").split(".") if path and path[0].strip("$.") else ():
            if not isinstance(found, dict) or key not in found:
                raise Fault(f"{name} has no {key!r}")
            found = found[key]
        return found

    def deployment(self) -> Value:
        """`deployment()`: this one."""
        name = self.module[-1] if self.module else "main"
        return {"name": name, "location": self.where.location, "properties": Runtime("deployment()")}

    def deployer(self) -> Value:
        """`deployer()`: whoever deploys."""
        where = self.where
        return {"objectId": where.operator, "tenantId": where.tenant, "userPrincipalName": "operator@contoso.com"}


@cache
def _parsed_file(content: str) -> Value:
    # Nothing in this package changes a value.
    return functions.parsed(content)


def _scope_handle(scope: Scope, where: Surroundings) -> ScopeHandle:
    values: dict[str, Value] = {"id": scope.id, "name": scope.name}
    match scope.kind:
        case "subscription":
            values = {"id": scope.id, "subscriptionId": scope.name, "tenantId": where.tenant, "displayName": "Contoso"}
        case "resourceGroup":
            values |= {
                "location": where.location,
                "tags": Runtime("resourceGroup().tags"),
                "type": "Microsoft.Resources/resourceGroups",
            }
        case "tenant":
            values = {"tenantId": where.tenant}
        case "managementGroup":
            values |= {"properties": Runtime("managementGroup().properties")}
    return ScopeHandle(scope, values)


_ENVIRONMENT: dict[str, Value] = {
    "name": "AzureCloud",
    "resourceManager": "https://management.azure.com/",
    "authentication": {
        "loginEndpoint": "https://login.microsoftonline.com/",
        "audiences": ["https://management.core.windows.net/", "https://management.azure.com/"],
        "tenant": "common",
    },
    "portal": "https://portal.azure.com",
    "graph": "https://graph.windows.net/",
    "suffixes": {
        "storage": "core.windows.net",
        "keyvaultDns": ".vault.azure.net",
        "sqlServerHostname": ".database.windows.net",
    },
}


PLACES: Mapping[str, Callable[[Place, Sequence[Value]], Value]] = {
    "subscription": lambda place, given: place.scope_of(given, SUBSCRIPTION),
    "resourceGroup": lambda place, given: place.scope_of(given, RESOURCE_GROUP),
    "managementGroup": lambda place, given: place.scope_of(given, "managementGroup"),
    "tenant": lambda place, given: place.scope_of(given, "tenant"),
    "resourceId": lambda place, given: place.id_of(given),
    "subscriptionResourceId": lambda place, given: place.id_in(given, "subscription"),
    "managementGroupResourceId": lambda place, given: place.id_in(given, "managementGroup"),
    "tenantResourceId": lambda place, given: place.id_in(given, "tenant"),
    "extensionResourceId": lambda place, given: place.id_in(given, "extension"),
    "loadTextContent": lambda place, given: place.load(given, as_json=False),
    "loadJsonContent": lambda place, given: place.load(given, as_json=True),
    "deployment": lambda place, _: place.deployment(),
    "deployer": lambda place, _: place.deployer(),
    "environment": lambda _, __: _ENVIRONMENT,
}
