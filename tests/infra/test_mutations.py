"""Defects that somebody could put into infra/: each is planted in a copy, and a check has to tell of it."""

import json
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.infra import deliveries, lint, posture, types
from tests.infra.checks import problems
from tests.infra.estate import REPOSITORY

Check = Callable[[Path], list[str]]
_COPIED = ("azure.yaml", "function_app.py", "infra", "docs")


@dataclass(frozen=True, slots=True)
class Defect:
    """A change of one file and what a check says of it. `old` is a pattern; what it finds first is replaced."""

    name: str
    file: str
    old: str
    new: str
    told: str
    check: Check = lint.problems


def bicep(name: str) -> str:
    return f"infra/modules/{name}.bicep"


MAIN, ROLLOUT, WIRING = "infra/main.bicep", "infra/rollout/main.bicep", "infra/rollout/wiring.json"
PARAMETERS, EVENTS, ROLES = "infra/main.parameters.json", "infra/generated/events.json", "infra/generated/roles.json"
MANY = ", ".join(f'"Microsoft.Storage/storageAccounts/x{number}/write"' for number in range(25))
TYPES, POSTURE, DELIVERIES = types.problems, posture.problems, deliveries.problems

DEFECTS = (
    # Texts
    Defect("syntax error", bicep("storage"), r"properties: \{", "properties: {{", "no Bicep"),
    Defect(
        "unused parameter", bicep("log"), r"^param token", "param nobody string\nparam token", "'nobody' is never used"
    ),
    Defect("unused variable", MAIN, r"^var tags", "var nobody = 1\nvar tags", "'nobody' is never used"),
    Defect(
        "unknown name in a branch that is not taken",
        MAIN,
        r": storageName\b",
        ": true ? storageName : sName",
        "'sName'",
    ),
    Defect("unknown function", MAIN, r"\btrim\(", "strip(", "unknown function 'strip'"),
    Defect(
        "parameter of a module misspelt",
        MAIN,
        r"packageContainer:",
        "packageContainr:",
        "no parameter 'packageContainr'",
    ),
    Defect("parameter of a module dropped", MAIN, r" +sku: storageSku\n", "", "needs the parameter 'sku'"),
    Defect(
        "parameter of a module of another type", MAIN, r"lock: lockLog == 'true'", "lock: lockLog", "lock is a string"
    ),
    Defect(
        "output of a module misspelt",
        MAIN,
        r"storage\.outputs\.packageContainer",
        "storage.outputs.pkg",
        "no output 'pkg'",
    ),
    Defect("module that nobody uses", bicep("unused"), "", "var a = 1\noutput b int = a\n", "no file uses this module"),
    Defect(
        "value not allowed by a decorator",
        PARAMETERS,
        r"=Standard_ZRS\}",
        "=Standard}",
        "'Standard', which is not one of",
    ),
    Defect(
        "condition on what is not known",
        MAIN,
        r"if \(defenderForAi == 'true'\)",
        "if (log.outputs.customerId == '')",
        "start",
    ),
    Defect(
        "name of what is not known", bicep("identity"), r"'id-airlock", "'${identity.properties.clientId}", "depends on"
    ),
    Defect(
        "condition inverted", MAIN, r"(network.bicep' = if )\(isPrivate\)", r"\1(!isPrivate)", "is not deployed here"
    ),
    Defect(
        "resource in a file of another scope",
        bicep("defender"),
        r"\Z",
        "\nresource r 'Microsoft.Web/serverfarms@2024-11-01' = {\n  name: 'p'\n}\n",
        "only a resource group takes",
    ),
    Defect(
        "secret in an output",
        bicep("storage"),
        r"\Z",
        "\noutput key string = account.listKeys().keys[0].value\n",
        "secret",
    ),
    Defect(
        "secure parameter in an output", bicep("settings"), r"\Z", "\noutput all object = told\n", "would show a secret"
    ),
    Defect("secure parameter no more", bicep("settings"), r"@secure\(\)\n", "", "which is not secure"),
    # Versions
    Defect(
        "another api-version",
        bicep("app"),
        r"sites@2024-11-01",
        "sites@2023-12-01",
        "api-versions.json says 2024-11-01",
    ),
    Defect(
        "another api-version in a policy",
        WIRING,
        r"2025-02-15",
        "2024-06-01-preview",
        "api-versions.json says 2025-02-15",
    ),
    Defect(
        "another api-version in a hook",
        "infra/hooks/door.py",
        r"=2024-11-01",
        "=2023-05-01",
        "api-version 2023-05-01",
    ),
    Defect(
        "another api-version in a call", MAIN, r"appsettings', '2024-11-01", "appsettings', '2023-05-01", "2023-05-01"
    ),
    Defect(
        "api-version of nothing",
        "infra/api-versions.json",
        r"\{",
        '{\n  "Microsoft.Cache/redis": "2024-11-01",',
        "nothing uses",
    ),
    # Code and infra apart
    Defect("function renamed in the code", "function_app.py", r'"bury"', '"entomb"', "generated/app.json differ"),
    Defect("column renamed", "infra/generated/log.json", r'"RecordId"', '"RecordID"', "is not what the code says"),
    Defect(
        "action of a role dropped", ROLES, r'"Microsoft.Search/searchServices/read",', "", "is not what the code says"
    ),
    Defect(
        "action with a wildcard",
        ROLES,
        r"Microsoft.Search/searchServices/read",
        "Microsoft.Search/*",
        "wildcard",
        POSTURE,
    ),
    Defect(
        "hook asks for what nobody hands it",
        "infra/hooks/after_deploy.py",
        r"AIRLOCK_APP_ID",
        "AIRLOCK_APPID",
        "AIRLOCK_APPID",
    ),
    Defect(
        "output that a hook needs is gone",
        MAIN,
        r"output AIRLOCK_APP_ID string",
        "output AIRLOCK_ID string",
        "AIRLOCK_APP_ID",
    ),
    Defect(
        "hook remembers for nobody",
        "infra/hooks/before_provision.py",
        r'remember\("AIRLOCK_SYSTEM_TOPIC"',
        'remember("AIRLOCK_TOPIC"',
        "does not take",
    ),
    Defect(
        "script of a hook misspelt",
        "azure.yaml",
        r"after_deploy.py",
        "after_deployment.py",
        "there is no infra/hooks/after_d",
    ),
    Defect("service renamed", "azure.yaml", r"^  airlock:", "  airlocks:", "has the services ['airlocks']"),
    Defect("parameter of azd misspelt", PARAMETERS, r'"storageSku"', '"storageSKU"', "no parameter 'storageSKU'"),
    Defect(
        "defaults apart", PARAMETERS, r"STORAGE_SKU=Standard_ZRS", "STORAGE_SKU=Standard_LRS", "in main.parameters.json"
    ),
    # Types
    Defect(
        "property misspelt", bicep("log"), r"totalRetentionInDays: total", "totalRetentionInDay: total", "has no", TYPES
    ),
    Defect("property in another case", bicep("app"), r"httpsOnly:", "httpsonly:", "it has 'httpsOnly'", TYPES),
    Defect("unknown value", bicep("app"), r"type: 'blobContainer'", "type: 'blob'", "which is not one of", TYPES),
    Defect("value of another type", bicep("app"), r"reserved: true", "reserved: 'yes'", "is a string", TYPES),
    Defect("required property dropped", bicep("events"), r"location: 'global'\n", "", "location is missing", TYPES),
    Defect(
        "read-only property",
        bicep("identity"),
        r"tags: tags",
        "tags: tags\n  properties: {\n    clientId: 'x'\n  }",
        "read-only",
        TYPES,
    ),
    Defect("property misspelt in a policy", WIRING, r'"topicType"', '"topicKind"', "has no 'topicKind'", TYPES),
    Defect(
        "unknown value in a branch",
        bicep("log"),
        r"isPrivate \? null : 'Direct'",
        "isPrivate ? null : 'Indirect'",
        "Indirect",
        TYPES,
    ),
    # Posture
    Defect(
        "shared keys",
        bicep("storage"),
        r"allowSharedKeyAccess: false",
        "allowSharedKeyAccess: true",
        "allowSharedKeyAccess",
        POSTURE,
    ),
    Defect("old TLS", bicep("storage"), r"'TLS1_2'", "'TLS1_0'", "minimumTlsVersion is TLS1_0", POSTURE),
    Defect(
        "open storage",
        bicep("storage"),
        r"isPrivate \? 'Disabled' : 'Enabled'",
        "'Enabled'",
        "publicNetworkAccess",
        POSTURE,
    ),
    Defect(
        "open by default",
        bicep("storage"),
        r"isPrivate \? 'Deny' : 'Allow'",
        "'Allow'",
        "defaultAction is Allow",
        POSTURE,
    ),
    Defect(
        "open app",
        bicep("app"),
        r"isPrivate \? 'Disabled' : 'Enabled'",
        "isPrivate ? 'Enabled' : 'Disabled'",
        "publicNetworkAccess",
        POSTURE,
    ),
    Defect(
        "app in no network",
        MAIN,
        r"subnetId: isPrivate \? network!\.outputs\.appSubnetId : ''",
        "subnetId: ''",
        "in no subnet",
        POSTURE,
    ),
    Defect("HTTP", bicep("app"), r"httpsOnly: true", "httpsOnly: false", "httpsOnly is False", POSTURE),
    Defect(
        "FTP password",
        bicep("app"),
        r"(name: 'ftp'\n  properties: \{\n    allow:) false",
        r"\1 true",
        "allow is True",
        POSTURE,
    ),
    Defect(
        "SCM password",
        bicep("app"),
        r"(resource noScmPassword .* =) \{",
        r"\1 if (false) {",
        "takes passwords over scm",
        POSTURE,
    ),
    Defect(
        "keys of a topic",
        bicep("alerts"),
        r"disableLocalAuth: true",
        "disableLocalAuth: false",
        "disableLocalAuth",
        POSTURE,
    ),
    Defect(
        "keys of the workspace",
        bicep("log"),
        r"disableLocalAuth: true",
        "disableLocalAuth: false",
        "features.disableLocalAuth",
        POSTURE,
    ),
    Defect(
        "keys of Application Insights",
        bicep("telemetry"),
        r"DisableLocalAuth: true",
        "DisableLocalAuth: false",
        "DisableLocalAuth",
        POSTURE,
    ),
    Defect("app without logs", bicep("app"), r"scope: site\n", "scope: plan\n", "has no diagnostic setting", POSTURE),
    Defect(
        "anchors can change",
        bicep("storage"),
        r"(immutabilityPolicies@\S+ =) if \(!anchorsLocked\) \{",
        r"\1 if (false) {",
        "can be changed",
        POSTURE,
    ),
    Defect(
        "topics may write the whole account",
        bicep("delivery-access"),
        r"scope: queue$",
        "scope: account",
        "is not due",
        POSTURE,
    ),
    Defect("lock forgotten", bicep("log"), r"= if \(lock\) \{", "= if (lock && false) {", "is not locked", POSTURE),
    Defect(
        "setting misspelt",
        MAIN,
        r"AIRLOCK_LOGS_RULE:",
        "AIRLOCK_LOG_RULE:",
        "does not know the setting AIRLOCK_LOG_RULE",
        POSTURE,
    ),
    Defect(
        "connection string of the host",
        MAIN,
        r"AzureWebJobsStorage__accountName: storageName",
        "AzureWebJobsStorage: 'DefaultEndpointsProtocol=https;AccountKey=x'",
        "holds a secret",
        POSTURE,
    ),
    Defect(
        "own resource left out",
        MAIN,
        r"      storageId\n(      siteId\n    \])",
        r"\1",
        "is not in AIRLOCK_OWN_RESOURCES",
        POSTURE,
    ),
    Defect(
        "private endpoint dropped",
        MAIN,
        r"  table: 'privatelink.*\n",
        "",
        "no private endpoint leads to table",
        POSTURE,
    ),
    Defect(
        "role dropped",
        bicep("delivery-access"),
        r" +roleIds\['Storage Blob Data Contributor'\]\n",
        "",
        "is missing",
        POSTURE,
    ),
    Defect(
        "role on another scope",
        bicep("storage"),
        r"scope: account(\n +name: guid\()",
        r"scope: blobs\1",
        "is not due",
        POSTURE,
    ),
    Defect(
        "role for somebody else",
        MAIN,
        r"principalId: events\.outputs\.principalId",
        "principalId: identity.outputs.principalId",
        "is not due",
        POSTURE,
    ),
    Defect(
        "role of an owner",
        "infra/builtin-roles.json",
        r"b7e6dc6d-f1e8-4753-8033-0f276bb0955b",
        "8e3af657-a8ff-443c-a75c-2fe8c4bcb635",
        "role Owner",
        POSTURE,
    ),
    Defect("writing in audit mode", bicep("roles"), r"concat\(readers, enforced\)", "roles", "is not due", POSTURE),
    Defect(
        "more actions than declared",
        bicep("roles"),
        r"actions: role\.actions",
        "actions: concat(role.actions, ['Microsoft.Web/sites/read'])",
        "other actions",
        POSTURE,
    ),
    Defect(
        "role for a subscription too many",
        bicep("roles"),
        r"(assignableScopes: \[\n +)subscription\(\)\.id",
        r"\1'/subscriptions/x'",
        "can be assigned in",
        POSTURE,
    ),
    Defect(
        "names of assignments collide",
        bicep("storage"),
        r"guid\(account\.id, principalId, role\)",
        "guid(account.id, principalId)",
        "is deployed already",
        POSTURE,
    ),
    Defect("name of the account too long", MAIN, r"'stairlock\$", "'stairlockstorage$", "is no name for", POSTURE),
    Defect(
        "app before its storage",
        MAIN,
        r"packageContainer: storage\.outputs\.packageContainer",
        "packageContainer: 'https://x'",
        "does not wait",
        POSTURE,
    ),
    Defect(
        "wildcard of the policy",
        ROLLOUT,
        r"Microsoft.EventGrid/systemTopics/write",
        "Microsoft.EventGrid/*",
        "has a wildcard",
        POSTURE,
    ),
    Defect(
        "condition of the policy dropped",
        "infra/rollout/hub-access.bicep",
        r" +conditionVersion: '2.0'\n +condition: ",
        "    description: ",
        "without a condition",
        POSTURE,
    ),
    # Deliveries
    Defect(
        "26th value",
        EVENTS,
        r'"Microsoft.Storage/storageAccounts/delete",',
        f'"Microsoft.Storage/storageAccounts/delete", {MANY},',
        "25 are allowed",
        DELIVERIES,
    ),
    Defect("deletions are missed", EVENTS, r'"/delete",', "", "comes in 0 times", DELIVERIES),
    Defect("jobs come in", EVENTS, r'"/workspaces/jobs/",', "", "jobs/write", DELIVERIES),
    Defect(
        "two subscriptions for one event",
        EVENTS,
        r'"Microsoft.Search/searchServices/"',
        '"Microsoft.Search/searchServices/", "Microsoft.Storage/storageAccounts/w"',
        "2 times",
        DELIVERIES,
    ),
    Defect("operator misspelt", EVENTS, r"StringBeginsWith", "StringStartsWith", "unknown operator", DELIVERIES),
    Defect(
        "function renamed in Bicep",
        MAIN,
        r"functions/on_resource_change'",
        "functions/on_change'",
        "is none for these events",
        DELIVERIES,
    ),
    Defect(
        "identity of dead letters dropped",
        MAIN,
        r"(deadLetterWithResourceIdentity: \{\n) +identity: \{\n.*\n +\}\n",
        r"\1",
        "no identity",
        DELIVERIES,
    ),
    Defect(
        "dead letters in another container",
        MAIN,
        r"names\.deadLetters",
        "names.anchors",
        "nobody reads dead letters",
        DELIVERIES,
    ),
    Defect(
        "another queue",
        MAIN,
        r"queueName: names\.signalsQueue",
        "queueName: 'signal'",
        "there is no queue signal",
        DELIVERIES,
    ),
    Defect("given up early", MAIN, r"maxDeliveryAttempts: 30", "maxDeliveryAttempts: 3", "given up early", DELIVERIES),
    Defect(
        "subscription before the role",
        MAIN,
        r"    events\n    eventsAccess\n",
        "    events\n",
        "does not wait for the role",
        DELIVERIES,
    ),
    Defect(
        "nobody listens to alerts",
        MAIN,
        r"(alert-subscriptions.bicep' = if )\(isPrivate\)",
        r"\1(isPrivate && false)",
        "no alert comes in",
        DELIVERIES,
    ),
    # Policies
    Defect("parameter of the policy misspelt", ROLLOUT, r"queueName: \{", "queue: {", "are not its template's"),
    Defect(
        "parameter of a template misspelt",
        WIRING,
        r"parameters\('families'\)\[copyIndex\(\)\]",
        "parameters('family')[copyIndex()]",
        "uses the parameter family",
    ),
    Defect(
        "role of the reader forgotten",
        "infra/rollout/roles.bicep",
        r"empty\(role\.switches\) \|\| ",
        "",
        "the custom role reader is not defined",
        POSTURE,
    ),
)


@pytest.fixture(scope="module")
def before() -> frozenset[str]:
    return frozenset(problems(REPOSITORY))


def planted(defect: Defect, root: Path) -> Path:
    """A copy of what the checks read, with the defect."""
    for name in _COPIED:
        source = REPOSITORY / name
        copy = shutil.copytree if source.is_dir() else shutil.copy
        copy(source, root / name)
    file = root / defect.file
    text = file.read_text(encoding="utf-8") if file.exists() else ""
    changed, count = re.subn(defect.old, defect.new, text, count=1, flags=re.MULTILINE)
    assert count == 1, f"{defect.file} no longer has {defect.old}"
    assert changed != text
    file.write_text(changed, encoding="utf-8")
    return root


@pytest.mark.parametrize("defect", DEFECTS, ids=lambda defect: defect.name)
def test_a_check_tells(defect: Defect, tmp_path: Path, before: frozenset[str]) -> None:
    if defect.check is types.problems and types.type_data() is None:
        pytest.skip("Azure's type data are not here")
    found = [problem for problem in defect.check(planted(defect, tmp_path)) if problem not in before]
    assert any(defect.told in problem for problem in found), json.dumps(found, indent=2)
