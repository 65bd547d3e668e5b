"""Small complete values for the domain tests, and strategies for the larger ones."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime

from hypothesis import strategies as st

from shared.domain.arm_id import ArmId, Provider, parse_arm_id
from shared.domain.baseline import Baseline
from shared.domain.body import JsonObject
from shared.domain.catalogue import Catalogue
from shared.domain.change import Change
from shared.domain.decision import Decision, Verdict
from shared.domain.drift import Finding
from shared.domain.mode import Mode
from shared.domain.record import Outcome, Record
from shared.domain.remediation import FixMode, Remediation, Rule, Severity, Source
from shared.domain.resource import Resource
from shared.domain.resource_types import STORAGE, ResourceType
from shared.domain.signal import Signal, SignalKind

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
TODAY = NOW.date()
SUBSCRIPTION = "11111111-2222-3333-4444-555555555555"
TARGET = parse_arm_id(
    f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg-ai-prod/providers/Microsoft.Storage/storageAccounts/stmlprodweu"
)


def always(desired: JsonObject) -> Callable[[Resource, Baseline], JsonObject]:
    """A `desired` that wants the same of every body."""
    return lambda _resource, _baseline: desired


RULE = Rule(
    type=STORAGE,
    desired=always({"properties": {"isSftpEnabled": False}}),
    defaults={"properties": {"isSftpEnabled": False}},
    actions=("Microsoft.Storage/storageAccounts/write",),
)


def remediation(name: str = "disable-sftp", ref: str = "AIR-900", rules: tuple[Rule, ...] = (RULE,)) -> Remediation:
    """A remediation with one rule for storage accounts."""
    return Remediation(
        ref=ref,
        name=name,
        title="SFTP is off",
        why="It signs in with passwords.",
        disrupts="Clients of SFTP.",
        severity=Severity.LOW,
        controls=("MCSB IM-1",),
        policies=(),
        sources=(Source("https://learn.microsoft.com/", date(2026, 11, 23)),),
        rules=rules,
    )


REMEDIATION = remediation()
CATALOGUE = Catalogue((REMEDIATION,))


def finding(rule: Rule = RULE, *changes: Change) -> Finding:
    """A finding of that rule; by default that SFTP is on."""
    told = changes or (Change("properties.isSftpEnabled", actual=True, desired=False),)
    return Finding(remediation(rules=(rule,)), rule, told)


def decision(verdict: Verdict = Verdict.FIX, mode: Mode = Mode.ENFORCE, found: Finding | None = None) -> Decision:
    """A decision about the finding."""
    return Decision(found or finding(), mode, verdict, verdict.value, "SFTP is off")


def rule_in(mode: FixMode) -> Rule:
    """The rule under another fix mode."""
    return replace(RULE, mode=mode)


def resource(body: JsonObject, kind: ResourceType = STORAGE, attached_to: frozenset[ArmId] = frozenset()) -> Resource:
    """A resource of that type with exactly that body."""
    target = parse_arm_id(f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg-ai-prod/providers/{kind.name}/stmlprodweu")
    return Resource(target, kind, body, attached_to)


def signal(**changes: object) -> Signal:
    """A change of the storage account, heard of at NOW."""
    told = Signal(
        kind=SignalKind.RESOURCE_CHANGE,
        id="event-1",
        cause="event-1",
        time=NOW,
        received=NOW,
        target=TARGET,
        raw={},
        operation="Microsoft.Storage/storageAccounts/write",
        actor="dana@contoso.com",
    )
    return replace(told, **changes)  # type: ignore[arg-type] # each test names fields of Signal


def record(**changes: object) -> Record:
    """A record of a fix of the storage account."""
    told = Record(
        time_generated=NOW,
        signal_time=NOW,
        subscription_id=SUBSCRIPTION,
        resource_id=TARGET.path,
        rule="AIR-900/storage",
        outcome=Outcome.FIX_UNVERIFIED,
        changes=[{"path": "properties.isSftpEnabled", "actual": True, "desired": False}],
        cause="event-1",
        reason="SFTP is off",
    )
    return replace(told, **changes)  # type: ignore[arg-type] # each test names fields of Record


words = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_-]{0,20}", fullmatch=True).filter(
    lambda word: word.lower() != "providers"
)
namespaces = st.from_regex(r"[A-Za-z0-9]{1,12}\.[A-Za-z0-9]{1,12}", fullmatch=True)
providers = st.builds(Provider, namespaces, st.lists(st.tuples(words, words), min_size=1, max_size=3).map(tuple))
arm_ids = st.builds(
    ArmId,
    st.uuids().map(str),
    st.none() | words,
    st.lists(providers, max_size=2).map(tuple),
)
moments = st.datetimes(datetime(1990, 1, 1), datetime(2090, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 # naive bounds
