"""What must hold of the resources that are deployed, in each of the ways an operator can choose."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from shared.domain.body import as_list, as_object, as_text
from tests.infra.bicep import Deployed, Deployment, Value
from tests.infra.bicep.values import is_literal
from tests.infra.estate import Estate, Way, at, estate, principal_of, texts_in
from tests.infra.order import waits_for

STORAGE = "Microsoft.Storage/storageAccounts"
SITE = "Microsoft.Web/sites"
TOPIC = "Microsoft.EventGrid/topics"
SYSTEM_TOPIC = "Microsoft.EventGrid/systemTopics"
WORKSPACE = "Microsoft.OperationalInsights/workspaces"
INSIGHTS = "Microsoft.Insights/components"
RULE = "Microsoft.Insights/dataCollectionRules"
ENDPOINT = "Microsoft.Insights/dataCollectionEndpoints"
MONITOR_SCOPE = "Microsoft.Insights/privateLinkScopes"
IDENTITY = "Microsoft.ManagedIdentity/userAssignedIdentities"
WORKFLOW = "Microsoft.Logic/workflows"
CONTAINER = "Microsoft.Storage/storageAccounts/blobServices/containers"
ASSIGNMENT = "Microsoft.Authorization/roleAssignments"
DEFINITION = "Microsoft.Authorization/roleDefinitions"
PRIVATE_ENDPOINT = "Microsoft.Network/privateEndpoints"
ALERT_RULE = "Microsoft.Insights/scheduledQueryRules"
FUNCTION = "Microsoft.OperationalInsights/workspaces/savedSearches"
SUBSCRIPTION = "subscription"
# The identity that the app has; any other goes by its type.
APP = "the app"


@dataclass(frozen=True, slots=True)
class Must:
    """A value that every resource of a type has; with `private`, only where nothing is open to the public network."""

    type: str
    path: str
    values: tuple[Value, ...]
    private: bool = False


MUSTS = (
    Must(STORAGE, "properties.allowSharedKeyAccess", (False,)),
    Must(STORAGE, "properties.allowBlobPublicAccess", (False,)),
    Must(STORAGE, "properties.allowCrossTenantReplication", (False,)),
    Must(STORAGE, "properties.supportsHttpsTrafficOnly", (True,)),
    Must(STORAGE, "properties.minimumTlsVersion", ("TLS1_2", "TLS1_3")),
    Must(STORAGE, "properties.publicNetworkAccess", ("Disabled",), private=True),
    Must(STORAGE, "properties.networkAcls.defaultAction", ("Deny",), private=True),
    Must(CONTAINER, "properties.publicAccess", ("None",)),
    Must(SITE, "properties.httpsOnly", (True,)),
    Must(SITE, "properties.siteConfig.minTlsVersion", ("1.2", "1.3")),
    Must(SITE, "properties.siteConfig.scmMinTlsVersion", ("1.2", "1.3")),
    Must(SITE, "properties.siteConfig.ftpsState", ("Disabled",)),
    Must(SITE, "properties.siteConfig.remoteDebuggingEnabled", (False,)),
    Must(SITE, "identity.type", ("UserAssigned",)),
    Must(SITE, "properties.publicNetworkAccess", ("Disabled",), private=True),
    Must(TOPIC, "properties.disableLocalAuth", (True,)),
    Must(TOPIC, "properties.minimumTlsVersionAllowed", ("1.2",)),
    Must(TOPIC, "identity.type", ("SystemAssigned",)),
    Must(SYSTEM_TOPIC, "identity.type", ("SystemAssigned",)),
    Must(WORKSPACE, "properties.features.disableLocalAuth", (True,)),
    Must(WORKSPACE, "properties.publicNetworkAccessForIngestion", ("Disabled",), private=True),
    Must(INSIGHTS, "properties.DisableLocalAuth", (True,)),
    Must(INSIGHTS, "properties.publicNetworkAccessForIngestion", ("Disabled",), private=True),
    Must(ENDPOINT, "properties.networkAcls.publicNetworkAccess", ("Disabled",), private=True),
    Must("Microsoft.Web/sites/basicPublishingCredentialsPolicies", "properties.allow", (False,)),
)
# What is not there cannot be badly set.
ALWAYS_THERE = (STORAGE, SITE, TOPIC, WORKSPACE, INSIGHTS, RULE, IDENTITY, CONTAINER, DEFINITION)

# learn.microsoft.com/azure/role-based-access-control/built-in-roles, read 2026-11-24.
TOO_MUCH = MappingProxyType(
    {
        "8e3af657-a8ff-443c-a75c-2fe8c4bcb635": "Owner",
        "b24988ac-6180-42a0-ab88-20f7382dd24c": "Contributor",
        "18d7d88d-d35e-4fb5-a5c3-7773c20a72d9": "User Access Administrator",
        "f58310d9-a9f6-439a-9e8d-f62e7b41a168": "Role Based Access Control Administrator",
    }
)
# Who may do what, and where: the whole of it.
GRANTS = (
    (APP, "Storage Blob Data Owner", STORAGE),
    (APP, "Storage Queue Data Contributor", STORAGE),
    (APP, "Storage Table Data Contributor", STORAGE),
    (APP, "Monitoring Metrics Publisher", RULE),
    (APP, "Monitoring Metrics Publisher", INSIGHTS),
    (SYSTEM_TOPIC, "Storage Queue Data Message Sender", f"{STORAGE}/queueServices/queues"),
    (SYSTEM_TOPIC, "Storage Blob Data Contributor", f"{STORAGE}/blobServices/containers"),
    (TOPIC, "Storage Queue Data Message Sender", f"{STORAGE}/queueServices/queues"),
    (TOPIC, "Storage Blob Data Contributor", f"{STORAGE}/blobServices/containers"),
    (IDENTITY, "Log Analytics Reader", WORKSPACE),
    (WORKFLOW, "EventGrid Data Sender", TOPIC),
)
# What is reached through a private endpoint: type and sub-resource.
PRIVATE_WAYS = {
    (STORAGE, "blob"),
    (STORAGE, "queue"),
    (STORAGE, "table"),
    (SITE, "sites"),
    (MONITOR_SCOPE, "azuremonitor"),
}

# learn.microsoft.com/azure/azure-resource-manager/management/resource-name-rules, read 2026-11-24.
_GUID = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
NAMES = MappingProxyType(
    {
        STORAGE: r"[a-z0-9]{3,24}",
        CONTAINER: r"(?=.{3,63}$)[a-z0-9]+(?:-[a-z0-9]+)*",
        f"{STORAGE}/queueServices/queues": r"(?=.{3,63}$)[a-z0-9]+(?:-[a-z0-9]+)*",
        f"{STORAGE}/tableServices/tables": r"[A-Za-z][A-Za-z0-9]{2,62}",
        SITE: r"(?=.{2,60}$)[A-Za-z0-9]+(?:-+[A-Za-z0-9]+)*",
        TOPIC: r"[A-Za-z0-9-]{3,50}",
        SYSTEM_TOPIC: r"[A-Za-z0-9-]{3,128}",
        f"{TOPIC}/eventSubscriptions": r"[A-Za-z0-9-]{3,64}",
        f"{SYSTEM_TOPIC}/eventSubscriptions": r"[A-Za-z0-9-]{3,64}",
        WORKSPACE: r"(?=.{4,63}$)[A-Za-z0-9]+(?:-[A-Za-z0-9]+)*",
        f"{WORKSPACE}/tables": r"[A-Za-z]\w{0,41}_CL",
        WORKFLOW: r"[\w.()-]{1,43}",
        IDENTITY: r"(?=.{3,128}$)[A-Za-z0-9][\w-]*",
        ASSIGNMENT: _GUID,
        DEFINITION: _GUID,
        "Microsoft.Resources/resourceGroups": r"[\w.()-]{0,89}[\w()-]",
    }
)
_SECRET = re.compile(r"(?:Account|SharedAccess|Instrumentation)Key=|[?&]sig=|list\w*Keys?\(", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Case:
    """One deployment and the choice that led to it."""

    whole: Estate
    way: Way
    deployment: Deployment

    def one(self, type_: str) -> Deployed | None:
        """The first resource of the type."""
        return next(self.deployment.of(type_), None)


def problems(root: Path) -> list[str]:
    """Everything that is wrong with what is deployed."""
    whole = estate(root)
    found = [
        f"{name}: {problem}"
        for name, way, deployment in whole.deployments()
        for check in CHECKS
        for problem in check(Case(whole, way, deployment))
    ]
    found += [
        f"{name}: {each}"
        for name, evaluated in whole.rollouts.items()
        for each in _rollout(whole, evaluated.deployment)
    ]
    return whole.told(found)


def _musts(case: Case) -> Iterator[str]:
    for must in MUSTS:
        if must.private and not case.way.is_private:
            continue
        for resource in case.deployment.of(must.type):
            value = at(resource.body, must.path)
            if not any(value is each or (value == each and not isinstance(each, bool)) for each in must.values):
                due = " or ".join(map(str, must.values))
                yield f"{resource.place}: {resource.name}: {must.path} is {value}, {due} is due"


def _all_there(case: Case) -> Iterator[str]:
    due = [*ALWAYS_THERE, *([PRIVATE_ENDPOINT, ENDPOINT] if case.way.is_private else [])]
    yield from (f"no {type_} is deployed" for type_ in due if case.one(type_) is None)


def _nothing_twice(case: Case) -> Iterator[str]:
    met: dict[str, Deployed] = {}
    for each in case.deployment.resources:
        if not each.existing and (other := met.setdefault(each.id.lower(), each)) is not each:
            yield f"{each.place}: {each.id} is deployed already in {other.place}"


def _names(case: Case) -> Iterator[str]:
    for type_, pattern in NAMES.items():
        for each in case.deployment.of(type_):
            if is_literal(each.name) and not re.fullmatch(pattern, each.name):
                yield f"{each.place}: {each.name!r} is no name for {type_}"


# Apps


def _passwords_off(case: Case) -> Iterator[str]:
    for site in case.deployment.of(SITE):
        policies = case.deployment.of(f"{SITE}/basicPublishingCredentialsPolicies")
        named = {each.name for each in policies if each.id.startswith(f"{site.id}/")}
        yield from (f"{site.place}: {site.name} takes passwords over {way}" for way in sorted({"ftp", "scm"} - named))


def _app_network(case: Case) -> Iterator[str]:
    for site in case.deployment.of(SITE):
        subnet = at(site.body, "properties.virtualNetworkSubnetId")
        if case.way.is_private and not (isinstance(subnet, str) and "/subnets/" in subnet):
            yield f"{site.place}: {site.name} is in no subnet"


def _app_settings(case: Case) -> Iterator[str]:
    known = {as_text(each) for each in as_list(case.whole.object("generated/app.json").get("settings"))}
    for config in case.deployment.of(f"{SITE}/config"):
        if config.name != "appsettings":
            continue
        settings = config.properties
        for name in settings:
            if name.startswith("AIRLOCK_") and name not in known:
                yield f"{config.place}: the app does not know the setting {name}"
        for name, value in texts_in(settings):
            if _SECRET.search(value) or name in {"AzureWebJobsStorage", "APPINSIGHTS_INSTRUMENTATIONKEY"}:
                yield f"{config.place}: the setting {name} holds a secret"
        yield from (f"{config.place}: {problem}" for problem in _system_settings(case, settings))


def _system_settings(case: Case, settings: Mapping[str, Value]) -> Iterator[str]:
    storage = case.one(STORAGE)
    identity = next((each for each in case.deployment.of(IDENTITY) if _label(case, each) == APP), None)
    due = {
        "AzureWebJobsStorage__accountName": "" if storage is None else storage.name,
        "AzureWebJobsStorage__credential": "managedidentity",
        "AzureWebJobsStorage__clientId": "" if identity is None else f"{identity.id}.properties.clientId",
    }
    for name, value in due.items():
        if value not in str(settings.get(name)):
            yield f"the setting {name} is {settings.get(name)}, {value} is due"
    own = str(settings.get("AIRLOCK_OWN_RESOURCES"))
    if identity is not None and identity.id not in own:
        yield f"{identity.name} is not in AIRLOCK_OWN_RESOURCES"
    for type_ in (STORAGE, SITE, WORKSPACE, TOPIC):
        yield from (
            f"{each.name} is not in AIRLOCK_OWN_RESOURCES" for each in case.deployment.of(type_) if each.id not in own
        )


def _app_has_its_storage(case: Case) -> Iterator[str]:
    """The host asks for its storage as soon as it starts."""
    for site in case.deployment.of(SITE):
        for assignment in case.deployment.of(ASSIGNMENT):
            is_its = STORAGE in assignment.scope and IDENTITY in _principal(assignment)
            if is_its and not waits_for(case.deployment, site, assignment.id):
                yield f"{site.place}: {site.name} does not wait for the role in {assignment.place}"


# Logs and evidence


def _logged(case: Case) -> Iterator[str]:
    settings = [each for each in case.deployment.of("Microsoft.Insights/diagnosticSettings") if _logs_something(each)]
    for resource in case.deployment.of(STORAGE, SITE, TOPIC, WORKFLOW):
        if not any(each.scope == resource.id or each.scope.startswith(f"{resource.id}/") for each in settings):
            yield f"{resource.place}: {resource.name} has no diagnostic setting"


def _logs_something(setting: Deployed) -> bool:
    logs = setting.properties.get("logs")
    enabled = (
        any(isinstance(each, dict) and each.get("enabled") is True for each in logs)
        if isinstance(logs, list)
        else False
    )
    return enabled and bool(setting.properties.get("workspaceId"))


def _anchors_stay(case: Case) -> Iterator[str]:
    anchors = as_text(case.whole.object("generated/app.json").get("anchors"))
    containers = [each for each in case.deployment.of(CONTAINER) if each.name == anchors]
    if not containers:
        yield f"there is no container {anchors!r} for anchors"
    for container in containers:
        policies = [each for each in case.deployment.of(f"{CONTAINER}/immutabilityPolicies") if container.id in each.id]
        days = [at(each.body, "properties.immutabilityPeriodSinceCreationInDays") for each in policies]
        if not any(isinstance(each, int) and each >= 1 for each in days):
            yield f"{container.place}: what is in {anchors} can be changed"


def _locked(case: Case) -> Iterator[str]:
    if case.way.chosen.get("AIRLOCK_LOCK_LOG") == "true":
        locks = {each.scope for each in case.deployment.of("Microsoft.Authorization/locks")}
        yield from (f"{each.name} is not locked" for each in case.deployment.of(WORKSPACE) if each.id not in locks)


def _rules_after_functions(case: Case) -> Iterator[str]:
    """Azure reads a rule's query when the rule is made: the functions in it have to be there."""
    functions = list(case.deployment.of(FUNCTION))
    for rule in case.deployment.of(ALERT_RULE, "Microsoft.SecurityInsights/alertRules"):
        if at(rule.body, "properties.skipQueryValidation") is True:
            continue
        asked = " ".join(text for path, text in texts_in(rule.properties) if path.endswith("query"))
        for function in functions:
            alias = str(function.properties.get("functionAlias"))
            if re.search(rf"\b{re.escape(alias)}\b", asked) and not waits_for(case.deployment, rule, function.id):
                yield f"{rule.place}: {rule.name} does not wait for the function {alias}"


# Rights


def _grants(case: Case) -> Iterator[str]:
    there = {_label(case, each) for each in case.deployment.resources}
    due = {grant for grant in GRANTS if grant[0] in there}
    due |= {(APP, f"custom {name}", SUBSCRIPTION) for name in _custom_roles_due(case)}
    given = {}
    for assignment in case.deployment.of(ASSIGNMENT):
        grant = _grant(case, assignment)
        given[grant] = assignment
        if at(assignment.body, "properties.principalType") != "ServicePrincipal":
            # Without it an identity that was made a moment ago is looked for and not found.
            yield f"{assignment.place}: principalType is not ServicePrincipal"
    yield from (f"{given[grant].place}: {_told(grant)} is not due" for grant in sorted(given.keys() - due))
    yield from (f"{_told(grant)} is missing" for grant in sorted(due - given.keys()))


def _told(grant: tuple[str, str, str]) -> str:
    return "the role {1} of {0} on {2}".format(*grant)


def _custom_roles_due(case: Case) -> Iterator[str]:
    for role in map(as_object, as_list(case.whole.json("generated/roles.json"))):
        if not role["switches"] or case.way.settings.get("AIRLOCK_MODE") == "enforce":
            yield as_text(role["name"])


def _grant(case: Case, assignment: Deployed) -> tuple[str, str, str]:
    who = next(
        (_label(case, each) for each in case.deployment.resources if principal_of(each) in _principal(assignment)),
        "nobody",
    )
    there = {each.id: each.type for each in case.deployment.resources}
    scope = there.get(assignment.scope, SUBSCRIPTION if assignment.scope.count("/") == 2 else assignment.scope)
    return who, _role_name(case, assignment), scope


def _label(case: Case, resource: Deployed) -> str:
    sites = case.deployment.of(SITE)
    is_apps = any(resource.id in identities for site in sites if (identities := _identities(site)))
    return APP if is_apps else resource.type


def _identities(resource: Deployed) -> list[str]:
    found = at(resource.body, "identity.userAssignedIdentities")
    return list(found) if isinstance(found, dict) else []


def _principal(assignment: Deployed) -> str:
    return str(assignment.properties.get("principalId"))


def _role_name(case: Case, assignment: Deployed) -> str:
    id_ = str(assignment.properties.get("roleDefinitionId"))
    for definition in case.deployment.of(DEFINITION):
        if definition.id == id_:
            return f"custom {_custom_name(definition)}"
    guid = id_.rsplit("/", 1)[-1]
    built_in = {as_text(value): name for name, value in case.whole.object("builtin-roles.json").items()}
    return {**built_in, **TOO_MUCH}.get(guid, f"unknown {guid}")


def _custom_name(definition: Deployed) -> str:
    return str(definition.properties.get("roleName")).removeprefix("Airlock ").partition(" ")[0]


def _custom_roles(case: Case) -> Iterator[str]:
    told = {as_text(role["name"]): role for role in map(as_object, as_list(case.whole.json("generated/roles.json")))}
    defined = {_custom_name(each): each for each in case.deployment.of(DEFINITION)}
    due = {*_custom_roles_due(case)}
    yield from (f"the custom role {name} is not defined" for name in sorted(due - defined.keys()))
    for name, definition in defined.items():
        permissions = definition.properties.get("permissions")
        given = [each for each in permissions if isinstance(each, dict)] if isinstance(permissions, list) else []
        actions = [action for each in given for key in ("actions", "dataActions") for action in _list(each.get(key))]
        if any("*" in str(action) for action in actions):
            yield f"{definition.place}: the custom role {name} has a wildcard"
        if sorted(map(str, actions)) != sorted(map(str, as_list(told.get(name, {}).get("actions")))):
            yield f"{definition.place}: the custom role {name} has other actions than generated/roles.json"
        scopes = _list(definition.properties.get("assignableScopes"))
        if scopes != [definition.scope]:
            yield f"{definition.place}: the custom role {name} can be assigned in {scopes}"


def _rollout(whole: Estate, deployment: Deployment) -> Iterator[str]:
    """What a management group gives away."""
    case = Case(whole, Way({"AIRLOCK_DELIVERY": "private"}), deployment)
    for definition in deployment.of(DEFINITION):
        if any("*" in text for path, text in texts_in(definition.properties) if "ctions[" in path):
            yield f"{definition.place}: {definition.name} has a wildcard"
    yield from _missing_roles(whole, deployment)
    for assignment in deployment.of(ASSIGNMENT):
        role = _role_name(case, assignment)
        if role in TOO_MUCH.values() and not assignment.properties.get("condition"):
            yield f"{assignment.place}: {role} without a condition is too much"
        if at(assignment.body, "properties.principalType") != "ServicePrincipal":
            yield f"{assignment.place}: principalType is not ServicePrincipal"


def _missing_roles(whole: Estate, deployment: Deployment) -> Iterator[str]:
    assigned = {str(each.properties.get("roleDefinitionId")) for each in deployment.of(ASSIGNMENT)}
    defined = {_custom_name(each): each for each in deployment.of(DEFINITION)}
    for role in map(as_object, as_list(whole.json("generated/roles.json"))):
        definition = defined.get(as_text(role["name"]))
        if definition is None and not role["switches"]:
            yield f"the custom role {role['name']} is not defined"
        if definition is not None and definition.id not in assigned:
            yield f"{definition.place}: nobody has the role {role['name']}"


def _list(value: Value) -> list[Value]:
    return value if isinstance(value, list) else []


# The private network


def _private_ways(case: Case) -> Iterator[str]:
    there = {each.id: each.type for each in case.deployment.resources}
    zones = {each.id for each in case.deployment.of("Microsoft.Network/privateDnsZones")}
    found = set()
    for endpoint in case.deployment.of(PRIVATE_ENDPOINT):
        found |= {(there.get(target, target), group) for target, group in _connections(endpoint)}
        groups = case.deployment.of(f"{PRIVATE_ENDPOINT}/privateDnsZoneGroups")
        configured = [
            text for each in groups if each.id.startswith(f"{endpoint.id}/") for _, text in texts_in(each.body)
        ]
        named = {text for text in configured if "/privateDnsZones/" in text}
        if not named:
            yield f"{endpoint.place}: {endpoint.name} has no DNS zone"
        yield from (f"{endpoint.place}: {endpoint.name} has a zone that is not there: {each}" for each in named - zones)
    due = PRIVATE_WAYS if case.way.is_private else set()
    yield from (f"no private endpoint leads to {group} of {type_}" for type_, group in sorted(due - found))
    yield from (f"a private endpoint leads to {group} of {type_}" for type_, group in sorted(found - due))


def _connections(endpoint: Deployed) -> Iterator[tuple[str, str]]:
    for connection in _list(endpoint.properties.get("privateLinkServiceConnections")):
        if isinstance(connection, dict):
            target = at(connection, "properties.privateLinkServiceId")
            yield from ((str(target), str(each)) for each in _list(at(connection, "properties.groupIds")))


CHECKS: tuple[Callable[[Case], Iterator[str]], ...] = (
    _musts,
    _all_there,
    _nothing_twice,
    _names,
    _passwords_off,
    _app_network,
    _app_settings,
    _app_has_its_storage,
    _logged,
    _anchors_stay,
    _locked,
    _rules_after_functions,
    _grants,
    _custom_roles,
    _private_ways,
)
