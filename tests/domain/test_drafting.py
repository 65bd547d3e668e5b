"""From what happened to the records that say so."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

import pytest

from shared.domain.act import Act, RegenerateKey
from shared.domain.arm_id import parse_arm_id
from shared.domain.body import Json, JsonObject
from shared.domain.decision import Verdict
from shared.domain.drafting import (
    Scene,
    Stamp,
    applied,
    finished,
    interrupted,
    of_act,
    of_decision,
    of_fix,
    of_incident,
    of_proposal,
    of_signal,
    of_unreadable,
    once_approved,
    performed,
    refused,
    shows_fix,
)
from shared.domain.evidence import snapshot
from shared.domain.failure import Cause
from shared.domain.incident import Incident
from shared.domain.ledger import Entry
from shared.domain.mode import Mode
from shared.domain.orders import Approval
from shared.domain.proposal import Proposal, propose
from shared.domain.record import GENESIS, LONGEST_SEALED, Outcome, Record, record_from_json, seal
from shared.domain.resource import Resource
from shared.domain.resource_types import COGNITIVE_ACCOUNTS, STORAGE
from shared.domain.signal import Signal, Unreadable, parse_message, put_back
from shared.domain.undo import UNDO
from tests.domain.events import EVENT, read
from tests.domain.making import NOW, SUBSCRIPTION, TARGET, decision, finding, record, resource, signal
from tests.domain.test_incident import CATALOGUE, incident, leak, settings_of
from tests.remediations import bodies

STAMP = Stamp("1.2.3", "0123456789ab")
KEY = "c2VjcmV0" * 10 + "c2VjcmQ=="
FIXED: JsonObject = {"properties": {"isSftpEnabled": False}}
OPEN: JsonObject = {"properties": {"isSftpEnabled": True}}
SECOND = timedelta(seconds=1)


def test_of_signal() -> None:
    told = of_signal(signal(time=NOW - SECOND, attempt=3), STAMP, NOW, Outcome.COMPLIANT, "compliant", "all is well")
    assert (told.outcome, told.reason_code, told.reason) == (Outcome.COMPLIANT, "compliant", "all is well")
    assert (told.signal_id, told.cause, told.signal_kind) == ("event-1", "event-1", "ResourceChange")
    assert (told.time_generated, told.signal_time, told.total_ms) == (NOW, NOW - SECOND, 1000)
    assert (told.resource_id, told.resource_type) == (TARGET.path, "Microsoft.Storage/storageAccounts")
    assert (told.subscription_id, told.resource_group) == (SUBSCRIPTION, "rg-ai-prod")
    assert (told.actor, told.attempt) == ("dana@contoso.com", 3)
    assert (told.app_version, told.settings_digest) == ("1.2.3", "0123456789ab")


def test_of_signal_is_about_the_resource_that_was_looked_at() -> None:
    lock = parse_arm_id(f"{TARGET.path}/providers/Microsoft.Authorization/locks/l")
    told = of_signal(signal(target=lock), STAMP, NOW, Outcome.GONE, "gone", "gone", TARGET)
    assert told.resource_id == TARGET.path
    assert of_signal(signal(target=lock), STAMP, NOW, Outcome.GONE, "gone", "gone").resource_id == lock.path


def test_of_signal_about_a_subscription() -> None:
    told = of_signal(
        signal(target=parse_arm_id("/subscriptions/S-1")), STAMP, NOW, Outcome.IGNORED, "ignored.type", "x"
    )
    assert (told.subscription_id, told.resource_group) == ("s-1", "")


def test_no_time_is_negative() -> None:
    told = of_signal(signal(time=NOW + SECOND), STAMP, NOW, Outcome.COMPLIANT, "compliant", "x")
    assert told.total_ms == 0


def test_reasons_are_redacted_wherever_they_come_from() -> None:
    assert KEY not in of_signal(signal(), STAMP, NOW, Outcome.IGNORED, "x", f"key {KEY}").reason
    assert KEY not in of_unreadable(Unreadable("x", f"key {KEY}", NOW), STAMP, NOW).reason
    assert KEY not in refused(record(), Cause("arm.x", f"key {KEY}")).reason
    assert KEY not in applied(record(), None, (), f"key {KEY}").reason


def test_of_unreadable() -> None:
    found = parse_message('{"id": "event-9", "eventType": "x", "topic": "/subscriptions/S-1"}', NOW)
    assert isinstance(found, Unreadable)
    told = of_unreadable(found, STAMP, NOW + SECOND)
    assert (told.outcome, told.reason_code) == (Outcome.UNREADABLE, "unreadable.event-type")
    assert (told.signal_id, told.subscription_id, told.time_generated) == ("event-9", "s-1", NOW + SECOND)
    assert told.record_id == of_unreadable(found, STAMP, NOW).record_id


def test_of_what_tells_no_subscription() -> None:
    found = parse_message("?", NOW)
    other = parse_message("??", NOW)
    assert isinstance(found, Unreadable)
    assert isinstance(other, Unreadable)
    assert of_unreadable(found, STAMP, NOW).subscription_id == ""
    assert of_unreadable(found, STAMP, NOW).record_id != of_unreadable(other, STAMP, NOW).record_id


@pytest.mark.parametrize(
    "verdict, outcome",
    [
        (Verdict.AUDIT, Outcome.AUDITED),
        (Verdict.ADVISE, Outcome.ADVISED),
        (Verdict.EXEMPT, Outcome.EXEMPT),
        (Verdict.REFUSED, Outcome.REFUSED),
        (Verdict.NEEDS_APPROVAL, Outcome.AWAITING_APPROVAL),
        (Verdict.CONTESTED, Outcome.CONTESTED),
        (Verdict.HELD, Outcome.HELD),
        (Verdict.OVER_BUDGET, Outcome.OVER_BUDGET),
        (Verdict.FIX, Outcome.FIX_UNVERIFIED),
    ],
)
def test_of_decision(verdict: Verdict, outcome: Outcome) -> None:
    live = bodies.resource(STORAGE, bodies.storage())
    told = of_decision(signal(time=NOW - SECOND), STAMP, live, decision(verdict), NOW)
    assert (told.outcome, told.reason_code) == (outcome, verdict.value)
    assert (told.remediation, told.ref, told.rule) == ("disable-sftp", "AIR-900", "AIR-900/storage")
    assert (told.severity, told.mode, told.location) == ("low", "enforce", "westeurope")
    assert told.changes == [{"path": "properties.isSftpEnabled", "actual": True, "desired": False}]
    assert (told.controls, told.evidence, told.detect_ms) == (["MCSB IM-1"], None, 1000)
    seal(told, TARGET.key, GENESIS)


def test_every_verdict_has_an_outcome() -> None:
    outcomes = {of_decision(signal(), STAMP, resource({}), decision(verdict), NOW).outcome for verdict in Verdict}
    assert len(outcomes) == len(Verdict)


@pytest.mark.parametrize("actor, claimed", [("dana@contoso.com", "dana@contoso.com"), ("", "nobody")])
def test_a_contested_fix_names_the_claimed_actor(actor: str, claimed: str) -> None:
    told = of_decision(signal(actor=actor), STAMP, resource({}), decision(Verdict.CONTESTED), NOW)
    assert told.reason == f"SFTP is off; the last change is claimed by {claimed}"


def test_who_uses_the_resource_is_told() -> None:
    users = frozenset(parse_arm_id(str(body["id"])) for body in (bodies.workspace(), bodies.account()))
    told = of_decision(signal(), STAMP, resource({}, attached_to=users), decision(), NOW)
    assert told.evidence == {"attachedTo": [bodies.account()["id"], bodies.workspace()["id"]]}


def test_finished() -> None:
    told = finished(record(signal_time=NOW - SECOND), NOW + SECOND, timedelta(milliseconds=1500))
    assert (told.time_generated, told.total_ms, told.fix_ms) == (NOW + SECOND, 2000, 1500)
    assert finished(record(fix_ms=7), NOW).fix_ms == 7
    assert finished(record(signal_time=None), NOW).total_ms is None


def test_refused() -> None:
    told = refused(record(), Cause("arm.scope-locked", "there is a lock", "request-1"))
    assert (told.outcome, told.reason_code, told.reason) == (Outcome.REFUSED, "arm.scope-locked", "there is a lock")
    assert told.arm_request_ids == ["request-1"]
    assert refused(record(), Cause("arm.x", "x")).arm_request_ids is None


@pytest.mark.parametrize(
    "body, failure, outcome, code",
    [
        (FIXED, None, Outcome.FIXED, "fixed"),
        ({"properties": {"isSftpEnabled": "FALSE"}}, None, Outcome.FIXED, "fixed"),
        (OPEN, None, Outcome.FIX_UNVERIFIED, "fix.unverified"),
        ({}, None, Outcome.FIX_UNVERIFIED, "fix.unverified"),
        (None, None, Outcome.FIX_UNVERIFIED, "fix.unverified"),
        (FIXED, "Conflict", Outcome.FAILED, "arm.operation-failed"),
        (None, "Conflict", Outcome.FAILED, "arm.operation-failed"),
    ],
)
def test_applied(body: JsonObject | None, failure: str | None, outcome: Outcome, code: str) -> None:
    told = applied(record(), body, ("request-1", "request-2"), failure)
    assert (told.outcome, told.reason_code) == (outcome, code)
    assert told.arm_request_ids == ["request-1", "request-2"]
    assert told.reason


@pytest.mark.parametrize(
    "body, outcome, code",
    [(FIXED, Outcome.FIXED, "fixed"), (OPEN, Outcome.FIX_UNVERIFIED, "fix.interrupted")],
)
def test_interrupted(body: JsonObject, outcome: Outcome, code: str) -> None:
    told = interrupted(record(evidence={"attachedTo": ["x"]}), body)
    assert (told.outcome, told.reason_code) == (outcome, code)
    assert told.evidence == {"attachedTo": ["x"], "interrupted": True}
    assert interrupted(record(), body).evidence == {"interrupted": True}


def test_a_body_that_could_not_be_read_shows_no_fix() -> None:
    """What is written may be a null, which an empty body seems to hold."""
    emptied: list[Json] = [{"path": "properties.authOptions", "actual": {"apiKeyOnly": {}}, "desired": None}]
    assert interrupted(record(changes=emptied), {}).outcome is Outcome.FIX_UNVERIFIED


@pytest.mark.parametrize(
    "changes, body, shown",
    [
        ([{"path": "properties.a", "desired": None}], {"properties": {"b": 1}}, True),
        ([{"path": "properties.a", "desired": None}], {"properties": {"a": 1}}, False),
        (
            [{"path": "properties.a", "desired": 1}, {"path": "properties.b", "desired": 2}],
            {"properties": {"a": 1}},
            False,
        ),
        ([{"path": "properties.a", "desired": []}], {"properties": {"a": []}}, True),
        ([{"path": "properties.a", "desired": []}], {"properties": {}}, False),
        (["odd"], {}, True),
    ],
)
def test_shows_fix(changes: list[Json], body: JsonObject, shown: bool) -> None:  # noqa: FBT001 # a column of the table
    assert shows_fix(replace(record(), changes=changes), body) is shown


@pytest.mark.parametrize("letter", ["a", "é", "\U0001d538"])
def test_the_longest_claims_can_still_be_sealed(letter: str) -> None:
    path = f"/subscriptions/S-1/providers/Microsoft.Storage/{letter * 250}/{letter}" + f"/{letter * 250}/{letter}" * 6
    claims = {"operation": letter * 256, "actor": letter * 256, "id": letter * 128, "correlation_id": letter * 64}
    try:
        target = parse_arm_id(path)
    except ValueError:
        return  # a name that no resource has makes no record about a resource
    told = of_signal(signal(target=target, **claims), STAMP, NOW, Outcome.IGNORED, "ignored.type", letter * 9_000)
    row = seal(told, TARGET.key, GENESIS)
    assert len(str(row.columns["Sealed"])) <= LONGEST_SEALED


# From here on: incidents and acts.

ACCOUNT = bodies.resource(COGNITIVE_ACCOUNTS, bodies.account(disableLocalAuth=False))
SPENDING = "AI.Azure_DOWVolumeAnomaly"


def scene(told: Incident | None = None, resource: Resource = ACCOUNT, **changes: object) -> Scene:
    """The scene of an incident, looked at a second after its signal; `changes` are of the signal."""
    heard = signal(target=None, cause="alert a", **changes)
    return Scene(heard, STAMP, resource, told or leak(), NOW + SECOND)


def proposals(at: Scene, environment: Mapping[str, str] | None = None) -> dict[str, Proposal]:
    """What the real catalogue proposes there, by the names of the responses."""
    deployment: JsonObject = {
        "id": f"{at.resource.id.path}/deployments/gpt-4.1",
        "name": "gpt-4.1",
        "sku": {"name": "GlobalStandard", "capacity": 100},
        "properties": {},
    }
    children = {"deployments": [deployment]}
    found = propose(at.resource, at.incident, children, CATALOGUE, settings_of(environment))
    return {each.response.name: each for each in found}


def rotating(at: Scene | None = None) -> tuple[Record, tuple[RegenerateKey, ...]]:
    """The draft of the rotation of an exposed key's account, and its acts."""
    place = at or scene()
    proposal = proposals(place)["rotate-exposed-keys"]
    acts = tuple(act for act in proposal.plan.acts if isinstance(act, RegenerateKey))
    return of_proposal(place, proposal), acts


def test_an_incident_is_told_with_what_a_person_has_to_do() -> None:
    told = incident(dict(ACCOUNT.body), severity="High")
    drafted = of_incident(scene(told), {"a": 1})
    assert (drafted.outcome, drafted.reason_code) == (Outcome.ADVISED, "incident.confirmed")
    assert drafted.reason.startswith(told.title)
    assert (drafted.severity, drafted.evidence, drafted.rule) == ("high", {"a": 1}, "")
    assert (drafted.resource_id, drafted.location) == (ACCOUNT.id.path, ACCOUNT.location)
    assert (drafted.cause, drafted.detect_ms) == ("alert a", 1000)


@pytest.mark.parametrize(
    "told, environment, name, outcome",
    [
        (leak(), {}, "rotate-exposed-keys", Outcome.UNCONFIRMED),
        (leak(), {"AIRLOCK_ROTATE_EXPOSED_KEYS": "audit"}, "rotate-exposed-keys", Outcome.AUDITED),
        (leak(), {"AIRLOCK_OWN_RESOURCES": ACCOUNT.id.name}, "rotate-exposed-keys", Outcome.REFUSED),
        (incident(kind=SPENDING), {}, "rotate-exposed-keys", Outcome.AWAITING_APPROVAL),
        (incident(kind=SPENDING), {}, "cap-deployments", Outcome.AWAITING_APPROVAL),
        (incident(kind=SPENDING), {}, "tag-incident", Outcome.UNCONFIRMED),
    ],
)
def test_of_proposal(told: Incident, environment: Mapping[str, str], name: str, outcome: Outcome) -> None:
    place = scene(told)
    proposal = proposals(place, environment)[name]
    drafted = of_proposal(place, proposal)
    assert drafted.outcome is outcome
    assert (drafted.reason_code, drafted.reason) == (proposal.code, proposal.reason)
    assert (drafted.remediation, drafted.ref) == (name, proposal.response.ref)
    assert drafted.rule == f"{proposal.response.ref}/cognitive-accounts"
    assert (drafted.mode, drafted.severity) == (proposal.mode.value, told.severity.value)
    assert drafted.evidence == {"incident": told.name}
    assert drafted.controls == list(proposal.response.controls)
    assert drafted.changes
    seal(drafted, ACCOUNT.id.key, GENESIS)


def test_every_verdict_on_a_response_has_an_outcome() -> None:
    proposal = proposals(scene())["rotate-exposed-keys"]
    outcomes = {of_proposal(scene(), replace(proposal, verdict=verdict)).outcome for verdict in Verdict}
    assert len(outcomes) == len(Verdict)
    assert Outcome.FIXED not in outcomes
    assert Outcome.FIX_UNVERIFIED not in outcomes


def test_nothing_to_do_changes_nothing() -> None:
    keyless = bodies.resource(COGNITIVE_ACCOUNTS, bodies.account(disableLocalAuth=True))
    place = scene(resource=keyless)
    drafted = of_proposal(place, proposals(place)["rotate-exposed-keys"])
    assert (drafted.outcome, drafted.reason_code, drafted.changes) == (Outcome.ADVISED, "response.nothing-to-do", [])


def test_a_proposal_tells_all_of_its_acts_and_an_act_only_its_own() -> None:
    drafted, acts = rotating()
    keys = [{"path": f"keys.{slot}", "actual": None, "desired": "regenerated"} for slot in ("Key2", "Key1")]
    assert drafted.changes == keys
    assert [of_act(drafted, act).changes for act in acts] == [[keys[0]], [keys[1]]]


def test_an_act_is_unconfirmed_until_it_is_known_how_it_ended() -> None:
    drafted, acts = rotating()
    for act in acts:
        draft = of_act(drafted, act)
        assert (draft.outcome, draft.reason_code) == (Outcome.UNCONFIRMED, "act.unconfirmed")
        assert "interrupted" in draft.reason
        assert (draft.rule, draft.cause, draft.evidence) == (drafted.rule, drafted.cause, drafted.evidence)
        assert record_from_json(draft.as_json()) == draft, "it comes back from the ledger"


def test_acts_of_one_signal_are_records_of_their_own() -> None:
    drafted, acts = rotating()
    ids = {of_act(drafted, act).record_id for act in acts}
    assert len(ids | {drafted.record_id}) == len(acts) + 1


def ended(draft: Record, **evidence: Json) -> tuple[Record, ...]:
    """Every way in which an act may end."""
    return (
        draft,
        performed(draft, Outcome.FIXED, "key.regenerated", "it is dead", **evidence),
        performed(draft, Outcome.FIX_UNVERIFIED, "key.unverified", "it is not", **evidence),
        performed(draft, Outcome.AWAITING_APPROVAL, "approval.rotated-lately", "wait", **evidence),
        refused(draft, Cause("arm.scope-locked", "there is a lock", "request-1")),
    )


def test_a_record_of_an_act_has_one_id_whichever_delivery_made_it() -> None:
    """Another event of the same cause, another time, another attempt, by another version: the same row."""
    first, acts = rotating()
    later = Scene(
        signal(target=None, cause="alert a", id="event-2", attempt=7, received=NOW + timedelta(hours=6)),
        Stamp("9.9.9", "f" * 12),
        ACCOUNT,
        leak(),
        NOW + timedelta(hours=6),
    )
    again, acts_again = rotating(later)
    assert acts == acts_again
    for act in acts:
        for one, other in zip(
            ended(of_act(first, act), deadKey="0" * 12),
            ended(of_act(again, act), deadKey="f" * 12, interrupted=True),
            strict=True,
        ):
            assert one.record_id == finished(other, NOW + timedelta(hours=6), SECOND).record_id


def test_how_an_act_ended_makes_another_record_of_it() -> None:
    drafted, acts = rotating()
    found = [record.record_id for act in acts for record in ended(of_act(drafted, act))]
    assert len(set(found)) == len(found)


@pytest.mark.parametrize("other", ["cause", "resource", "key"])
def test_ids_differ_by_cause_resource_and_key(other: str) -> None:
    drafted, (secondary, primary) = rotating()
    one = of_act(drafted, secondary)
    match other:
        case "cause":
            two = of_act(replace(drafted, cause="alert b"), secondary)
        case "resource":
            body = bodies.account({"id": f"{ACCOUNT.id.path}2"}, disableLocalAuth=False)
            two = of_act(rotating(scene(resource=bodies.resource(COGNITIVE_ACCOUNTS, body)))[0], secondary)
        case _:
            two = of_act(drafted, primary)
    assert one.record_id != two.record_id


def test_performed_keeps_what_was_known() -> None:
    drafted, (act, _) = rotating()
    told = performed(of_act(drafted, act), Outcome.FIXED, "key.regenerated", f"key {KEY}", deadKey="0" * 12)
    assert (told.outcome, told.reason_code) == (Outcome.FIXED, "key.regenerated")
    assert KEY not in told.reason
    assert told.evidence == {"incident": leak().name, "deadKey": "0" * 12}
    assert performed(record(), Outcome.FIXED, "x", "y", a=1).evidence == {"a": 1}
    assert drafted.evidence == {"incident": leak().name}, "the draft is left as it is"


@pytest.mark.parametrize("body", [None, {}, ACCOUNT.body, {"keys": {"Key2": "other"}}])
def test_a_regeneration_that_was_interrupted_stays_unconfirmed(body: JsonObject | None) -> None:
    drafted, acts = rotating()
    for act in acts:
        told = interrupted(of_act(drafted, act), body)
        assert (told.outcome, told.reason_code) == (Outcome.UNCONFIRMED, "act.unconfirmed")
        assert told.evidence == {"incident": leak().name, "interrupted": True}


def tag_draft() -> tuple[Record, Act, str]:
    """The draft of the tag, its act, and the value."""
    told = incident(dict(ACCOUNT.body))
    place = scene(told)
    proposal = proposals(place)["tag-incident"]
    (act,) = proposal.plan.acts
    return of_act(of_proposal(place, proposal), act), act, told.name


def test_a_tag_that_was_interrupted_is_proven_by_the_resource() -> None:
    draft, _, value = tag_draft()
    shown = dict(ACCOUNT.body) | {"tags": {"airlock-incident": value}}
    assert interrupted(draft, shown).outcome is Outcome.FIXED
    for body in (None, {}, dict(ACCOUNT.body), dict(ACCOUNT.body) | {"tags": {"airlock-incident": "other"}}):
        assert interrupted(draft, body).outcome is Outcome.UNCONFIRMED


@pytest.mark.parametrize("name", ["cap-deployments", "pause-deployments"])
def test_a_deployment_s_act_is_not_proven_by_its_account(name: str) -> None:
    place = scene(incident(kind=SPENDING))
    proposal = proposals(place)[name]
    (act,) = proposal.plan.acts
    draft = replace(of_act(of_proposal(place, proposal), act), outcome=Outcome.UNCONFIRMED)
    assert interrupted(draft, ACCOUNT.body).outcome is Outcome.UNCONFIRMED


def test_an_act_that_shows_nothing_is_never_proven() -> None:
    """Nothing to compare is no proof."""
    drafted, (act, _) = rotating()
    draft = replace(of_act(drafted, act), changes=[])
    assert interrupted(draft, ACCOUNT.body).outcome is Outcome.UNCONFIRMED


def test_an_incident_s_record_is_the_same_for_every_delivery() -> None:
    told = incident(dict(ACCOUNT.body))
    first, later = scene(told), scene(told, id="event-2", attempt=7)
    evidence = snapshot(told, ACCOUNT, {}, ())
    assert of_incident(first, evidence).record_id == of_incident(later, evidence | {"x": 1}).record_id
    other = scene(told, resource=bodies.resource(STORAGE, bodies.storage()))
    assert of_incident(first, evidence).record_id != of_incident(other, evidence).record_id


# From here on: what operators ordered.

WORD = Approval("AIR-900/storage", "0123456789abcdef", NOW, "oid", "f" * 32)
BACK: list[Json] = [{"path": "properties.isSftpEnabled", "actual": False, "desired": True}]
UNDOING = record(reason_code=UNDO, reason="the fix is taken back", changes=BACK)


@pytest.mark.parametrize(
    "body, failure, outcome, code",
    [
        (OPEN, None, Outcome.UNDONE, "undone"),
        (FIXED, None, Outcome.FIX_UNVERIFIED, "fix.unverified"),
        ({}, None, Outcome.FIX_UNVERIFIED, "fix.unverified"),
        (None, None, Outcome.FIX_UNVERIFIED, "fix.unverified"),
        (OPEN, "Conflict", Outcome.FAILED, "arm.operation-failed"),
    ],
)
def test_a_fix_that_was_taken_back_is_undone(
    body: JsonObject | None, failure: str | None, outcome: Outcome, code: str
) -> None:
    told = applied(UNDOING, body, ("request-1",), failure)
    assert (told.outcome, told.reason_code) == (outcome, code)


@pytest.mark.parametrize(
    "body, outcome, code",
    [
        (OPEN, Outcome.UNDONE, "undone"),
        (FIXED, Outcome.FIX_UNVERIFIED, "fix.interrupted"),
        ({}, Outcome.FIX_UNVERIFIED, "fix.unknown"),
        (None, Outcome.FIX_UNVERIFIED, "fix.unknown"),
    ],
)
def test_a_worker_that_died_while_taking_back_is_told_by_the_resource(
    body: JsonObject | None, outcome: Outcome, code: str
) -> None:
    told = interrupted(UNDOING, body)
    assert (told.outcome, told.reason_code) == (outcome, code)
    assert told.evidence == {"interrupted": True}


def test_only_the_draft_of_an_undo_ends_as_undone() -> None:
    for draft in (record(changes=BACK), record(changes=BACK, reason_code="fix"), record(changes=BACK, reason="undo")):
        assert applied(draft, OPEN, (), None).outcome is Outcome.FIXED
        assert interrupted(draft, OPEN).outcome is Outcome.FIXED


def test_the_draft_of_an_undo_comes_back_from_the_ledger_as_one() -> None:
    undo = replace(decision(), code=UNDO)
    draft = record_from_json(of_fix(signal(), STAMP, resource({}), undo, NOW).as_json())
    assert draft.reason_code == UNDO
    assert applied(draft, FIXED, (), None).outcome is Outcome.UNDONE


def test_an_undo_counts_for_no_fight() -> None:
    entry, _ = Entry(TARGET.key).append([applied(UNDOING, OPEN, (), None)])
    assert entry.history == ()


def is_the_same_look(message: str, heard: Signal) -> bool:
    """Whether the message is read as the same signal, as if it came for the first time."""
    later = NOW + timedelta(hours=20)
    found = parse_message(message, later)
    assert isinstance(found, Signal)
    assert found.due is not None
    assert (found.attempt, found.recalled, found.ticket) == (1, False, "")
    kept = ("kind", "id", "cause", "target", "operation", "actor", "alert", "exposure", "received")
    return [getattr(found, name) for name in kept] == [getattr(heard, name) for name in kept]


@pytest.mark.parametrize("verdict", Verdict)
def test_only_what_waits_for_a_person_keeps_what_brings_it_back(verdict: Verdict) -> None:
    heard = replace(read(EVENT), attempt=7, recalled=True)
    told = of_decision(heard, STAMP, resource({}), decision(verdict), NOW)
    assert bool(told.message) is (verdict is Verdict.NEEDS_APPROVAL)
    assert not told.message or is_the_same_look(told.message, heard)
    for later in (finished(told, NOW), record_from_json(told.as_json())):
        assert later.message == told.message


@pytest.mark.parametrize("verdict", Verdict)
def test_only_a_response_that_waits_for_a_person_keeps_what_brings_it_back(verdict: Verdict) -> None:
    place = replace(scene(), signal=replace(read(EVENT), attempt=7))
    told = of_proposal(place, replace(proposals(place)["rotate-exposed-keys"], verdict=verdict))
    assert bool(told.message) is (verdict is Verdict.NEEDS_APPROVAL)
    assert not told.message or is_the_same_look(told.message, place.signal)


def test_no_message_is_a_column_or_makes_another_record() -> None:
    told = of_decision(signal(), STAMP, resource({}), decision(Verdict.NEEDS_APPROVAL), NOW)
    row = seal(told, TARGET.key, GENESIS)
    assert told.message
    assert row.message == told.message
    assert told.message not in str(row.columns)
    assert seal(replace(told, message=""), TARGET.key, GENESIS).columns == row.columns


def test_a_look_that_was_put_back_often_is_a_first_one_once_approved() -> None:
    heard = replace(read(EVENT), attempt=9_999, recalled=True)
    assert is_the_same_look(once_approved(heard, NOW), heard)
    again = parse_message(put_back(heard, "ticket"), NOW)
    assert isinstance(again, Signal)
    assert is_the_same_look(once_approved(again, NOW), heard)


def test_whose_word_let_a_fix_through_is_told() -> None:
    users = frozenset({parse_arm_id(str(bodies.workspace()["id"]))})
    live = resource({}, attached_to=users)
    told = of_fix(signal(), STAMP, live, replace(decision(), approval=WORD), NOW)
    assert told.evidence == {
        "attachedTo": [bodies.workspace()["id"]],
        "approvedBy": "oid",
        "approvalOf": "f" * 32,
    }
    assert applied(told, FIXED, (), None).evidence == told.evidence
    assert interrupted(told, FIXED).evidence == {**(told.evidence or {}), "interrupted": True}
    assert of_fix(signal(), STAMP, resource({}), decision(), NOW).evidence is None


def test_whose_word_let_a_response_through_is_told_with_each_act() -> None:
    place = scene()
    proposal = replace(proposals(place)["rotate-exposed-keys"], approval=WORD)
    told = of_proposal(place, proposal)
    wanted = {"incident": leak().name, "approvedBy": "oid", "approvalOf": "f" * 32}
    assert told.evidence == wanted
    assert told.changes == [change.as_json() for change in proposal.changes]
    for act in proposal.plan.acts:
        assert performed(of_act(told, act), Outcome.FIXED, "x", "y", a=1).evidence == {**wanted, "a": 1}


def test_an_approved_fix_is_another_record_than_the_one_that_waited() -> None:
    waiting = of_decision(signal(), STAMP, resource({}), decision(Verdict.NEEDS_APPROVAL), NOW)
    fix = of_fix(signal(), STAMP, resource({}), decision(Verdict.FIX, Mode.ENFORCE, finding()), NOW)
    assert waiting.record_id != applied(fix, FIXED, (), None).record_id
