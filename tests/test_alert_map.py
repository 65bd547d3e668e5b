"""The alert map: what every alert leads to, said a second time by hand, and held against the facts it was made from."""

import json
import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from remediations import load_catalogue
from remediations.alerts import load_alerts
from remediations.alerts.exposed_key import EXPOSED_KEY
from shared.domain.body import Json
from shared.domain.incident import AlertRow, row_for
from shared.domain.redact import redact

ROWS = load_alerts()
CATALOGUE = load_catalogue()
FACTS = Path(__file__).parents[2] / "shared" / "facts" / "baseline.json"

ROTATE, TAG, CAP, PAUSE = "rotate-exposed-keys", "tag-incident", "cap-deployments", "pause-deployments"
CLOSE, DENY, KEYLESS = "disable-public-network-access", "restrict-network-rules", "disable-local-authentication"
PRIVATE, FILTERS = "disallow-blob-public-access", "harden-content-filters"


@dataclass(frozen=True, slots=True)
class Spec:
    """What an alert leads to. Nothing named is nothing done."""

    respond: tuple[str, ...] = ()
    contain: tuple[str, ...] = ()
    respond_on_approval: tuple[str, ...] = ()
    contain_on_approval: tuple[str, ...] = ()
    blocked: bool = False


def spec_of(row: AlertRow) -> Spec:
    """The part of a row that drives the automation."""
    return Spec(row.respond, row.contain, row.respond_on_approval, row.contain_on_approval, row.blocked)


NOTHING = Spec()
BLOCKED = Spec(blocked=True)
MARKED = Spec(respond=(TAG,))
HARDENED = Spec(respond=(TAG,), contain=(FILTERS,))
CLOSED = Spec(respond=(TAG,), contain=(CLOSE, DENY))
CLOSED_AND_KEYS = replace(CLOSED, respond_on_approval=(ROTATE,), contain_on_approval=(KEYLESS,))
SPENDING = Spec(respond=(TAG,), respond_on_approval=(ROTATE, CAP, PAUSE))
MADE_PRIVATE = Spec(respond=(TAG,), contain=(PRIVATE,))
STORAGE_FROM_ADDRESS = Spec(respond=(TAG,), respond_on_approval=(ROTATE,), contain_on_approval=(CLOSE, DENY))
STORAGE_APPLICATION = Spec(respond_on_approval=(ROTATE,))
STORAGE_EXFILTRATION = Spec(respond=(TAG,), respond_on_approval=(ROTATE,), contain_on_approval=(CLOSE,))
TOOLKIT = Spec(respond=(TAG,), respond_on_approval=(ROTATE,))
KEYS_ON_APPROVAL = Spec(respond_on_approval=(ROTATE,))
CREDENTIALS_READ = Spec(respond_on_approval=(ROTATE,), contain_on_approval=(KEYLESS,))

SPECS = {
    # AI workloads
    "AI.Azure_CredentialTheftAttempt": Spec(
        respond=(TAG,), contain=(FILTERS,), respond_on_approval=(ROTATE,), contain_on_approval=(KEYLESS,)
    ),
    "AI.Azure_Jailbreak.ContentFiltering.BlockedAttempt": BLOCKED,
    "AI.Azure_Jailbreak.ContentFiltering.DetectedAttempt": replace(HARDENED, respond_on_approval=(CAP, PAUSE)),
    "AI.Azure_ASCIISmuggling": replace(HARDENED, respond_on_approval=(PAUSE,)),
    "AI.Azure_MaliciousUrl.ModelResponse": Spec(respond=(TAG,), respond_on_approval=(CAP, PAUSE)),
    "AI.Azure_MaliciousUrl.UnknownSource": Spec(respond=(TAG,), respond_on_approval=(CAP,)),
    "AI.Azure_MaliciousUrl.UserPrompt": HARDENED,
    "AI.Azure_AccessFromSuspiciousUserAgent": Spec(
        respond=(TAG,), respond_on_approval=(ROTATE,), contain_on_approval=(CLOSE,)
    ),
    "AI.Azure_AccessFromAnonymizedIP": CLOSED_AND_KEYS,
    "AI.Azure_AccessFromSuspiciousIP": CLOSED_AND_KEYS,
    "AI.Azure_DOWDuplicateRequests": SPENDING,
    "AI.Azure_DOWVolumeAnomaly": SPENDING,
    "AI.Azure_AccessAnomaly": Spec(respond_on_approval=(ROTATE,), contain_on_approval=(CLOSE,)),
    "AI.Azure_AnomalousOperation.InitialAccess": KEYS_ON_APPROVAL,
    "AI.Azure_SensitiveDataAnomaly": Spec(respond_on_approval=(CAP, PAUSE)),
    "AI.Azure_AnomalousToolInvocation": Spec(contain=(FILTERS,), respond_on_approval=(PAUSE,)),
    "AI.Azure_LLMReconnaissance": NOTHING,
    # AI agents
    "AI.Azure_Agentic_Jailbreak": replace(HARDENED, respond_on_approval=(PAUSE,)),
    "AI.Azure_Agentic_BlockedJailbreak": BLOCKED,
    "Azure_Agentic_BlockedJailbreak": BLOCKED,
    "AI.Azure_Agentic_ASCIISmuggling": replace(HARDENED, respond_on_approval=(PAUSE,)),
    "AI.Azure_Agentic_MaliciousUrl.UserPrompt": MARKED,
    "AI.Azure_Agentic_MaliciousUrl.ModelResponse": replace(MARKED, respond_on_approval=(PAUSE,)),
    "AI.Azure_Agentic_MaliciousUrl.ToolOutput": HARDENED,
    "AI.Azure_Agentic_AccessFromSuspiciousIP": CLOSED,
    "AI.Azure_Agentic_AccessFromAnonymizedIP": CLOSED,
    "AI.Azure_Agentic_AccessFromSuspiciousUserAgent": NOTHING,
    "AI.Azure_Agentic_DOWVolumeAnomaly": replace(MARKED, respond_on_approval=(CAP,)),
    "AI.Azure_Agentic_InstructionLeakage": Spec(contain_on_approval=(FILTERS,)),
    "AI.Azure_Agentic_LLMReconaissance": NOTHING,
    "AI.Azure_Agentic_LLMReconnaissance": NOTHING,
    "AI.AIModelScan_MalwareDetected": MARKED,
    # AI alerts that nobody has heard of yet
    "AI.Azure_SomethingNew": NOTHING,
    "AI.Azure_Agentic_SomethingNew": NOTHING,
    "Azure_Agentic_SomethingNew": NOTHING,
    # Storage
    "Storage.Blob_OpenACL": MADE_PRIVATE,
    "Storage.Blob_OpenACL.Sensitive": MADE_PRIVATE,
    "Storage.Blob_OpenContainersScanning.SuccessfulDiscovery": MADE_PRIVATE,
    "Storage.Blob_OpenContainersScanning.FailedAttempt": BLOCKED,
    "Storage.Blob_AnonymousAccessAnomaly": MADE_PRIVATE,
    "Storage.Blob_AnonymousAccessAnomaly.Sensitive": MADE_PRIVATE,
    "Storage.Blob_SuspiciousIp": STORAGE_FROM_ADDRESS,
    "Storage.Blob_SuspiciousIp.Sensitive": STORAGE_FROM_ADDRESS,
    "Storage.Files_SuspiciousIp": STORAGE_FROM_ADDRESS,
    "Storage.Blob_TorAnomaly": STORAGE_FROM_ADDRESS,
    "Storage.Blob_TorAnomaly.Sensitive": STORAGE_FROM_ADDRESS,
    "Storage.Files_TorAnomaly": STORAGE_FROM_ADDRESS,
    "Storage.Blob_SuspiciousApp": STORAGE_APPLICATION,
    "Storage.Blob_SuspiciousApp.Sensitive": STORAGE_APPLICATION,
    "Storage.Blob_ApplicationAnomaly": STORAGE_APPLICATION,
    "Storage.Files_ApplicationAnomaly": STORAGE_APPLICATION,
    "Storage.Blob_DataExfiltration.AmountOfDataAnomaly": STORAGE_EXFILTRATION,
    "Storage.Blob_DataExfiltration.AmountOfDataAnomaly.Sensitive": STORAGE_EXFILTRATION,
    "Storage.Blob_DataExfiltration.NumberOfBlobsAnomaly": STORAGE_EXFILTRATION,
    "Storage.Blob_DataExfiltration.NumberOfBlobsAnomaly.Sensitive": STORAGE_EXFILTRATION,
    "Storage.Files_DataExfiltration.AmountOfDataAnomaly": STORAGE_EXFILTRATION,
    "Storage.Files_DataExfiltration.NumberOfFilesAnomaly": STORAGE_EXFILTRATION,
    "Storage.Blob_DeletionAnomaly": Spec(respond=(TAG,), contain_on_approval=(CLOSE,)),
    "Storage.Files_DeletionAnomaly": Spec(respond=(TAG,), contain_on_approval=(CLOSE,)),
    "Storage.Blob_MalwareHashReputation": MARKED,
    "Storage.Files_MalwareHashReputation": MARKED,
    "Storage.Blob_AM.MalwareFound": MARKED,
    "Storage.File_AM.MalwareFound": MARKED,
    "Storage.Blob_MalwareDownload": MARKED,
    # Key vaults
    "KV_SuspiciousIPAccess": MARKED,
    "KV_TORAccess": MARKED,
    "KV_UnusualAccessSuspiciousIP": MARKED,
    "KV_ListGetAnomaly": NOTHING,
    "KV_PutGetAnomaly": NOTHING,
    "KV_OperationVolumeAnomaly": NOTHING,
    "KV_OperationPatternAnomaly": NOTHING,
    "KV_UserAnomaly": NOTHING,
    "KV_AppAnomaly": NOTHING,
    "KV_UserAppAnomaly": NOTHING,
    "KV_AccountVolumeAnomaly": NOTHING,
    "KV_SuspiciousIPAccessDenied": BLOCKED,
    "KV_UserAccessDeniedAnomaly": BLOCKED,
    "KV_AccountVolumeAccessDeniedAnomaly": BLOCKED,
    "KV_SomethingAccessDeniedNew": BLOCKED,
    # Resource Manager
    "ARM_OperationFromSuspiciousIP": KEYS_ON_APPROVAL,
    "ARM_OperationFromSuspiciousProxyIP": KEYS_ON_APPROVAL,
    "ARM_MicroBurst.AZStorageKeysREST": TOOLKIT,
    "ARM_MicroBurst.AzKeyVaultKeysREST": TOOLKIT,
    "ARM_MicroBurst.AzKeyVaultSecretsREST": TOOLKIT,
    "RM_MicroBurst.AzureRmVMBulkCMD": TOOLKIT,
    "ARM_PowerZure.ShowStorageContent": TOOLKIT,
    "ARM_NetSPI.MaintainPersistence": TOOLKIT,
    "ARM_AnomalousServiceOperation.CredentialAccess": CREDENTIALS_READ,
    "ARM_AnomalousOperation.CredentialAccess": CREDENTIALS_READ,
    "ARM_AnomalousOperation.DefenseEvasion": NOTHING,
    "ARM_AnomalousServiceOperation.DefenseEvasion": NOTHING,
    "ARM_AnomalousRBACRoleAssignment": NOTHING,
    "ARM_AnomalousClassicRoleAssignment": NOTHING,
    "ARM_PrivilegedRoleDefinitionCreation": NOTHING,
    "ARM_AnomalousElevateAccess": NOTHING,
    # Keys found in public
    "Airlock.SecretExposed": Spec(respond=(ROTATE, TAG), contain=(KEYLESS,)),
}

every_row = pytest.mark.parametrize("row", [pytest.param(row, id=row.types[0]) for row in ROWS])


def the_row(alert_type: str) -> AlertRow:
    """The row that counts for the type; there has to be one."""
    row = row_for(alert_type, ROWS)
    assert row is not None, alert_type
    return row


@pytest.mark.parametrize("alert_type", SPECS)
def test_what_an_alert_leads_to(alert_type: str) -> None:
    row = the_row(alert_type)
    assert spec_of(row) == SPECS[alert_type]
    assert row.reason
    assert the_row(alert_type.upper()) is row


def test_every_type_of_the_map_is_specified_by_hand() -> None:
    patterns = {each for row in ROWS for each in row.types if "*" in each}
    assert {each for row in ROWS for each in row.types} - patterns <= SPECS.keys()
    for row in ROWS:
        for pattern in patterns.intersection(row.types):
            assert any(the_row(each) is row and replace(row, types=(pattern,)).is_about(each) for each in SPECS), (
                pattern
            )


def test_only_these_alerts_act_by_themselves_where_a_tag_allows_it() -> None:
    """The owner's tag `airlock-containment=auto` is a standing approval."""
    allowed = {row.types: row.auto_when_tagged for row in ROWS if row.auto_when_tagged}
    assert allowed == {
        ("AI.Azure_MaliciousUrl.ModelResponse",): (PAUSE,),
        ("AI.Azure_AccessFromAnonymizedIP",): (ROTATE,),
        ("AI.Azure_AccessFromSuspiciousIP",): (ROTATE,),
    }


def test_the_catalogue_has_the_map() -> None:
    assert CATALOGUE.alerts == ROWS
    assert EXPOSED_KEY in ROWS


def test_no_type_stands_in_two_rows() -> None:
    types = [each.lower() for row in ROWS for each in row.types]
    assert len(set(types)) == len(types)


def test_rows_with_exact_types_stand_before_those_with_patterns() -> None:
    has_pattern = [any("*" in each for each in row.types) for row in ROWS]
    assert has_pattern == sorted(has_pattern)


@every_row
def test_a_type_is_answered_by_the_row_that_names_it(row: AlertRow) -> None:
    for each in row.types:
        assert the_row(each.replace("*", "Something")) is row


@every_row
def test_what_a_row_names_is_known(row: AlertRow) -> None:
    responses = {response.name for response in CATALOGUE.responses}
    remediations = {remediation.name for remediation in CATALOGUE.remediations}
    assert responses.issuperset(row.respond + row.respond_on_approval + row.auto_when_tagged)
    assert remediations.issuperset(row.contain + row.contain_on_approval)


@every_row
def test_nothing_is_both_automatic_and_on_approval(row: AlertRow) -> None:
    responses = row.respond + row.respond_on_approval
    remediations = row.contain + row.contain_on_approval
    assert len(set(responses)) == len(responses)
    assert len(set(remediations)) == len(remediations)
    assert set(row.auto_when_tagged) <= {*row.respond_on_approval, *row.contain_on_approval}


@every_row
def test_a_blocked_attempt_drives_nothing(row: AlertRow) -> None:
    if row.blocked:
        assert spec_of(row) == BLOCKED
        assert row.auto_when_tagged == ()


@every_row
def test_prose(row: AlertRow) -> None:
    assert row.title[0].isupper()
    assert not row.title.endswith((".", "!", ":"))
    assert len(row.title) <= 90
    for sentence in (row.reason, row.advice):
        assert sentence[0].isupper()
        assert sentence.endswith(".")
        assert len(sentence) <= 240
    for text in (row.title, row.reason, row.advice):
        assert text == " ".join(text.split())
        assert text == redact(text)


@every_row
def test_atlas_and_source(row: AlertRow) -> None:
    assert len(set(row.atlas)) == len(row.atlas)
    assert all(re.fullmatch(r"AML\.T\d{4}(\.\d{3})?", each) for each in row.atlas)
    assert re.fullmatch(r"https://learn\.microsoft\.com/azure/defender-for-cloud/[a-z-]+", row.source.url)
    assert row.source.reviewed <= datetime.now(UTC).date()


# From here on: the facts that the map was made from, in their own words.

# What an action of the facts is here: the responses and remediations that stand for it, and, where a person has to do
# it, the word that the advice says it with. Evidence and notification go without a name.
ACTS: dict[str, tuple[str, ...]] = {
    "notify": (),
    "evidence": (),
    "tag-quarantine": (TAG,),
    "harden-rai": (FILTERS,),
    "rotate-keys": (ROTATE,),
    "rotate-storage": (ROTATE,),
    "rotate keys of touched AI resources": (ROTATE,),
    "rotate-keys of resources whose keys were listed": (ROTATE,),
    "disable-local-auth": (KEYLESS,),
    "cut-public": (CLOSE,),
    "deny-ip": (DENY,),
    "throttle-deployment": (CAP,),
    "pause-deployment": (PAUSE,),
    "storage-private": (PRIVATE,),
}
ADVISED = {
    "revoke-rbac": "role",
    "revoke-rbac of agent identity": "role",
    "revoke": "access",
    "revoke access of principal": "access",
    "kv-firewall": "firewall",
    "rotate every secret read": "every secret",
    "rotate secrets": "secrets",
    "quarantine blob": "quarantine",
    "enable/extend soft delete": "soft delete",
    "disable the connection": "connection",
    "block promotion; deployment delete by approval": "delete deployments",
    "re-apply baseline: defender-*, *-diagnostic-logs": "Defender plans and diagnostic settings",
}
# Types that the facts name in words.
IN_WORDS = {"malware scan": "Storage.Blob_AM.MalwareFound"}


@dataclass(frozen=True, slots=True)
class Fact:
    """One row of the facts."""

    types: tuple[str, ...]
    automatic: tuple[str, ...]
    on_approval: tuple[str, ...]
    atlas: tuple[str, ...]


def texts(value: Json) -> tuple[str, ...]:
    """A JSON list of texts."""
    assert isinstance(value, list)
    return tuple(str(each) for each in value)


def expanded(spelling: str) -> tuple[str, ...]:
    """The alert types that one cell of the facts names; its remarks stand in brackets after a space."""
    if spelling.startswith("leaked-credential finding"):
        return ("Airlock.SecretExposed",)
    types: list[str] = []
    for part in re.sub(r" \(.*\)$", "", spelling).split(" / "):
        if part.startswith("."):
            types += [f"{each}{part}" for each in types]
        elif part == "Storage.Files_*":
            types += [each.replace("Blob_", "Files_") for each in types if not each.endswith(".Sensitive")]
        elif part.endswith("(.Sensitive)"):
            base = part.removesuffix("(.Sensitive)")
            types += [base, f"{base}.Sensitive"]
        else:
            types.append(IN_WORDS.get(part, part))
    return tuple(types)


@pytest.fixture
def facts() -> tuple[Fact, ...]:
    if not FACTS.exists():
        pytest.skip("the facts are not beside the repository")
    content: Json = json.loads(FACTS.read_text(encoding="utf-8"))
    assert isinstance(content, dict)
    rows = content["alerts"]
    assert isinstance(rows, list)
    found: list[Fact] = []
    for row in rows:
        assert isinstance(row, dict)
        actions = (texts(row["automatic"]), texts(row["on_approval"]))
        automatic, on_approval = (tuple(re.sub(r" \(.*\)$", "", action) for action in each) for each in actions)
        types = expanded(str(row["alert_type"]))
        found.append(Fact(types, automatic, on_approval, texts(row["mitre_atlas"])))
    return tuple(found)


def test_expanded() -> None:
    assert expanded("A.B(.Sensitive)") == ("A.B", "A.B.Sensitive")
    assert expanded("A_B.C (incl. d / e)") == ("A_B.C",)
    assert expanded("Storage.Blob_A / Storage.Blob_B / .Sensitive / Storage.Files_*") == (
        "Storage.Blob_A",
        "Storage.Blob_B",
        "Storage.Blob_A.Sensitive",
        "Storage.Blob_B.Sensitive",
        "Storage.Files_A",
        "Storage.Files_B",
    )


def test_every_fact_has_its_row(facts: tuple[Fact, ...]) -> None:
    rows = []
    for fact in facts:
        row = the_row(fact.types[0].replace("*", "Something"))
        assert "AI.*" not in row.types, fact.types
        for each in fact.types:
            assert the_row(each.replace("*", "Something")) is row
        assert row.atlas == fact.atlas
        rows.append(row)
    assert len(rows) == 49
    assert len(set(rows)) == 49
    assert {row.types for row in ROWS} - {row.types for row in rows} == {("AI.*", "Azure_Agentic_*")}


def test_every_action_of_the_facts_is_translated(facts: tuple[Fact, ...]) -> None:
    for fact in facts:
        row = the_row(fact.types[0].replace("*", "Something"))
        automatic = {name for action in fact.automatic if action not in ADVISED for name in ACTS[action]}
        on_approval = {name for action in fact.on_approval if action not in ADVISED for name in ACTS[action]}
        if CLOSE in automatic:  # only alerts about an address close by themselves, and an address can be denied
            automatic.add(DENY)
        if row is EXPOSED_KEY:  # certain, unlike any alert: what the facts leave to a person is guarded and automatic
            automatic.add(KEYLESS)
        assert {*row.respond, *row.contain} == automatic, fact.types
        assert {*row.respond_on_approval, *row.contain_on_approval} == on_approval - automatic, fact.types


def test_what_no_act_does_is_advised(facts: tuple[Fact, ...]) -> None:
    for fact in facts:
        row = the_row(fact.types[0].replace("*", "Something"))
        for action in {*fact.automatic, *fact.on_approval} & ADVISED.keys():
            assert ADVISED[action] in row.advice, fact.types


def test_the_baseline_answers_those_who_loosen_it() -> None:
    assert "whole baseline" in the_row("ARM_AnomalousOperation.DefenseEvasion").reason
