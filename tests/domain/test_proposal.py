"""What is proposed about an incident on a resource: every verdict, from raw bodies and alerts."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.act import Command, RegenerateKey
from shared.domain.body import JsonObject
from shared.domain.catalogue import Catalogue
from shared.domain.change import Change
from shared.domain.decision import Verdict
from shared.domain.guards import Guard
from shared.domain.incident import Incident
from shared.domain.mode import Mode
from shared.domain.orders import Approval, fingerprint
from shared.domain.proposal import Proposal, Word, propose, wanted
from shared.domain.resource import Resource
from shared.domain.resource_types import COGNITIVE_ACCOUNTS, ML_WORKSPACES, RAI_POLICIES, SEARCH, STORAGE
from shared.domain.settings import Settings
from tests.domain.making import NOW
from tests.domain.test_incident import CATALOGUE, incident, leak, settings_of, tagged
from tests.engine.alerts import TOR
from tests.hostile import mutated
from tests.remediations import bodies

ROTATE, TAG, CAP, PAUSE = "rotate-exposed-keys", "tag-incident", "cap-deployments", "pause-deployments"
SPENDING = "AI.Azure_DOWVolumeAnomaly"
SUSPICIOUS_KEYS = "AI.Azure_AccessFromAnonymizedIP"
KEYED = bodies.resource(COGNITIVE_ACCOUNTS, bodies.account(disableLocalAuth=False))
KEYLESS = bodies.resource(COGNITIVE_ACCOUNTS, bodies.account(disableLocalAuth=True))
SERVICE = bodies.resource(SEARCH, bodies.search(disableLocalAuth=False))
BUCKET = bodies.resource(STORAGE, bodies.storage())


def with_row(
    respond: Sequence[str] = (), on_approval: Sequence[str] = (), auto: Sequence[str] = (), kind: str = TOR
) -> Incident:
    """An alert whose row names these responses."""
    told = incident(dict(KEYED.body), kind=kind)
    row = replace(
        told.row, respond=tuple(respond), respond_on_approval=tuple(on_approval), auto_when_tagged=tuple(auto)
    )
    return replace(told, row=row)


def proposed(
    resource: Resource = KEYED, told: Incident | None = None, settings: Settings | None = None
) -> dict[str, Proposal]:
    """The proposals by the names of their responses."""
    found = propose(
        resource, told or with_row([ROTATE]), {}, CATALOGUE, settings if settings is not None else settings_of()
    )
    assert len({each.response.name for each in found}) == len(found)
    return {each.response.name: each for each in found}


@pytest.mark.parametrize(
    "resource, told, settings, verdict, code",
    [
        (KEYED, with_row([ROTATE]), settings_of(), Verdict.FIX, "respond"),
        (SERVICE, with_row([ROTATE]), settings_of(), Verdict.FIX, "respond"),
        (BUCKET, with_row([ROTATE]), settings_of(), Verdict.FIX, "respond"),
        (KEYED, with_row([], [ROTATE]), settings_of(), Verdict.NEEDS_APPROVAL, "approval.needed"),
        (KEYED, with_row([ROTATE], [ROTATE]), settings_of(), Verdict.FIX, "respond"),
        # A plan without acts comes before everything else.
        (KEYLESS, with_row([ROTATE]), settings_of(), Verdict.ADVISE, "response.nothing-to-do"),
        (KEYLESS, with_row([], [ROTATE]), settings_of(), Verdict.ADVISE, "response.nothing-to-do"),
        (KEYLESS, with_row([ROTATE]), settings_of(mode=Mode.AUDIT), Verdict.ADVISE, "response.nothing-to-do"),
        # The owner's tag stands for approval where the row allows that, and nowhere else.
        (
            tagged(KEYED, airlock_containment="auto"),
            with_row([], [ROTATE], [ROTATE]),
            settings_of(),
            Verdict.FIX,
            "respond",
        ),
        (
            tagged(KEYED, airlock_containment="auto"),
            with_row([], [ROTATE]),
            settings_of(),
            Verdict.NEEDS_APPROVAL,
            "approval.needed",
        ),
        (KEYED, with_row([], [ROTATE], [ROTATE]), settings_of(), Verdict.NEEDS_APPROVAL, "approval.needed"),
        # Audit is told before refusal and approval.
        (KEYED, with_row([ROTATE]), settings_of(mode=Mode.AUDIT), Verdict.AUDIT, "audit"),
        (KEYED, with_row([], [ROTATE]), settings_of(mode=Mode.AUDIT), Verdict.AUDIT, "audit"),
        (KEYED, with_row([ROTATE]), settings_of({"AIRLOCK_TYPO": "1"}), Verdict.AUDIT, "audit"),
        (
            KEYED,
            with_row([ROTATE]),
            settings_of({"AIRLOCK_ROTATE_EXPOSED_KEYS": "audit"}),
            Verdict.AUDIT,
            "audit",
        ),
        (
            KEYED,
            with_row([ROTATE]),
            settings_of({"AIRLOCK_ROTATE_EXPOSED_KEYS_COGNITIVE_ACCOUNTS": "audit"}),
            Verdict.AUDIT,
            "audit",
        ),
        (
            KEYED,
            with_row([ROTATE]),
            settings_of({"AIRLOCK_ROTATE_EXPOSED_KEYS_SEARCH": "audit"}),
            Verdict.FIX,
            "respond",
        ),
        # Never our own.
        (
            KEYED,
            with_row([ROTATE]),
            settings_of({"AIRLOCK_OWN_RESOURCES": KEYED.id.name}),
            Verdict.REFUSED,
            "guard.not-our-own",
        ),
        (
            KEYED,
            with_row([], [ROTATE]),
            settings_of({"AIRLOCK_OWN_RESOURCES": KEYED.id.path}),
            Verdict.REFUSED,
            "guard.not-our-own",
        ),
        (
            BUCKET,
            with_row([ROTATE]),
            settings_of({"AzureWebJobsStorage__accountName": BUCKET.id.name}),
            Verdict.REFUSED,
            "guard.not-our-own",
        ),
    ],
)
def test_every_verdict(resource: Resource, told: Incident, settings: Settings, verdict: Verdict, code: str) -> None:
    proposal = proposed(resource, told, settings)[ROTATE]
    assert (proposal.verdict, proposal.code) == (verdict, code)
    assert proposal.reason
    assert proposal.mode is settings.mode_for(proposal.response, resource.type)
    assert all(act.mode is proposal.mode for act in proposal.plan.acts)


@pytest.mark.parametrize(
    "told, settings, words",
    [
        (with_row([ROTATE]), settings_of(mode=Mode.AUDIT), ("audit mode, so not done: regenerate Key2, then Key1",)),
        (
            with_row([], [ROTATE]),
            settings_of(mode=Mode.AUDIT),
            ("audit mode, so not done: regenerate Key2, then Key1; it would wait for approval",),
        ),
        (
            with_row([ROTATE]),
            settings_of({"AIRLOCK_OWN_RESOURCES": KEYED.id.name}, Mode.AUDIT),
            ("audit mode, so not done: ", "; it would be refused: "),
        ),
        (with_row([ROTATE]), settings_of({"AIRLOCK_X": "1"}), ("settings have problems, so nothing enforces",)),
        (with_row([], [ROTATE]), settings_of(), ("a person has to approve this: regenerate Key2, then Key1",)),
        (with_row([ROTATE]), settings_of(), ("regenerate Key2, then Key1",)),
    ],
)
def test_why_is_said(told: Incident, settings: Settings, words: Sequence[str]) -> None:
    reason = proposed(KEYED, told, settings)[ROTATE].reason
    assert [word for word in words if word not in reason] == []
    if len(words) == 1 and words[0].endswith(("Key1", "approval")):
        assert reason == words[0]


@pytest.mark.parametrize(
    "environment",
    [
        {"AIRLOCK_ROTATE_EXPOSED_KEYS": "off"},
        {"AIRLOCK_ROTATE_EXPOSED_KEYS_COGNITIVE_ACCOUNTS": "off"},
        {"AIRLOCK_ROTATE_EXPOSED_KEYS": "off", "AIRLOCK_TYPO": "1"},
        {"AIRLOCK_MODE": "off"},
        {"AIRLOCK_MODE": "off", "AIRLOCK_ROTATE_EXPOSED_KEYS": "enforce"},
    ],
)
def test_what_is_off_is_not_proposed(environment: Mapping[str, str]) -> None:
    found = proposed(KEYED, with_row([ROTATE, TAG]), settings_of(environment))
    assert ROTATE not in found
    assert (TAG in found) is ("AIRLOCK_MODE" not in environment)


def test_what_the_row_does_not_name_is_not_proposed() -> None:
    assert proposed(told=with_row()) == {}
    # A standing approval alone names nothing.
    auto = with_row([], [], [ROTATE])
    assert proposed(tagged(KEYED, airlock_containment="auto"), auto) == {}
    assert proposed(told=with_row(["no-such-response"])) == {}


def test_what_does_not_know_the_type_is_not_proposed() -> None:
    told = with_row([ROTATE, TAG, CAP, PAUSE])
    workspace = bodies.resource(ML_WORKSPACES, bodies.workspace())
    policy = bodies.resource(RAI_POLICIES, bodies.rai_policy())
    assert proposed(workspace, told).keys() == {TAG}
    assert proposed(policy, told).keys() == set()
    assert proposed(SERVICE, told).keys() == {ROTATE, TAG}
    assert proposed(KEYED, told).keys() == {ROTATE, TAG, CAP, PAUSE}


def test_proposals_come_in_the_order_of_the_catalogue() -> None:
    for respond in ([PAUSE, CAP, TAG, ROTATE], [TAG, PAUSE, ROTATE, CAP]):
        found = propose(KEYED, with_row(respond[:2], respond[2:]), {}, CATALOGUE, settings_of())
        refs = [each.response.ref for each in found]
        assert refs == sorted(refs)
        assert len(refs) == 4


def test_a_guard_of_the_response_is_asked_too_but_after_our_own() -> None:
    shut = Guard("shut", lambda *_: "somebody must open this first")
    rotate = next(each for each in CATALOGUE.responses if each.name == ROTATE)
    guarded = Catalogue((), (replace(rotate, guards=(shut,)),))
    (found,) = propose(KEYED, with_row([ROTATE]), {}, guarded, settings_of())
    assert (found.verdict, found.code, found.reason) == (
        Verdict.REFUSED,
        "guard.shut",
        "somebody must open this first",
    )
    own = settings_of({"AIRLOCK_OWN_RESOURCES": KEYED.id.name})
    assert propose(KEYED, with_row([ROTATE]), {}, guarded, own)[0].code == "guard.not-our-own"
    audit = propose(KEYED, with_row([ROTATE]), {}, guarded, settings_of(mode=Mode.AUDIT))[0]
    assert audit.verdict is Verdict.AUDIT
    assert audit.reason.endswith("; it would be refused: somebody must open this first")


def test_an_exposed_key_is_answered_without_a_person() -> None:
    found = proposed(KEYED, leak())
    assert found[ROTATE].verdict is Verdict.FIX
    acts = found[ROTATE].plan.acts
    assert [act.slot for act in acts if isinstance(act, RegenerateKey)] == ["Key2", "Key1"]


def test_the_real_map_on_a_raw_alert() -> None:
    found = proposed(KEYED, incident(dict(KEYED.body), kind=SUSPICIOUS_KEYS))
    assert {name: each.verdict for name, each in found.items()} == {
        TAG: Verdict.FIX,
        ROTATE: Verdict.NEEDS_APPROVAL,
    }
    (tag,) = found[TAG].plan.acts
    assert isinstance(tag, Command)


def test_deployments_that_nobody_could_list_are_no_reason_to_act() -> None:
    found = proposed(KEYED, incident(dict(KEYED.body), kind=SPENDING))
    assert {found[CAP].verdict, found[PAUSE].verdict} == {Verdict.ADVISE}


@pytest.mark.parametrize("names", [(), (ROTATE,), (TAG, ROTATE, "x"), (CAP, PAUSE)])
def test_wanted(names: Sequence[str]) -> None:
    found = wanted(iter(names), KEYED, CATALOGUE, settings_of())
    assert {each.name for each in found} == {*names} - {"x"}
    assert wanted(names, KEYED, CATALOGUE, settings_of(mode=Mode.OFF)) == []


@given(
    mutated([dict(KEYED.body), dict(bodies.account())]),
    st.lists(st.sampled_from([ROTATE, TAG, CAP, PAUSE]), unique=True),
    st.lists(st.sampled_from([ROTATE, TAG, CAP, PAUSE]), unique=True),
    st.lists(st.sampled_from([ROTATE, TAG, CAP, PAUSE]), unique=True),
    st.sampled_from(Mode),
)
def test_acts_are_performed_only_in_mode_enforce_and_with_approval(
    body: dict[str, object], respond: list[str], on_approval: list[str], auto: list[str], mode: Mode
) -> None:
    resource = Resource(KEYED.id, COGNITIVE_ACCOUNTS, body)  # type: ignore[arg-type] # JSON all the same
    settings = settings_of(mode=mode)
    for proposal in propose(resource, with_row(respond, on_approval, auto), {}, CATALOGUE, settings):
        name = proposal.response.name
        assert name in {*respond, *on_approval}
        assert mode is not Mode.OFF
        if proposal.verdict is Verdict.FIX:
            assert mode is Mode.ENFORCE
            assert proposal.plan.acts
            assert name in respond or (name in auto and resource.tags.get("airlock-containment") == "auto")


# From here on: a person's word.

SECOND = timedelta(seconds=1)
KEYS = (Change("keys.Key2", None, "regenerated"), Change("keys.Key1", None, "regenerated"))
WORD = Approval("AIR-101/cognitive-accounts", fingerprint(KEYS), NOW + SECOND, "oid", "f" * 32)
WAITS = with_row([], [ROTATE])


def with_word(
    *approvals: Approval,
    resource: Resource = KEYED,
    told: Incident = WAITS,
    settings: Settings | None = None,
    deployments: Sequence[JsonObject] = (),
) -> dict[str, Proposal]:
    """The proposals by the names of their responses, where people approved that much."""
    children = {"deployments": deployments}
    found = propose(resource, told, children, CATALOGUE, settings or settings_of(), Word(approvals, NOW))
    return {each.response.name: each for each in found}


def deployment(name: str = "gpt") -> JsonObject:
    """A deployment of the account, as ARM lists it."""
    place = f"{KEYED.id.path}/deployments/{name}"
    return {"id": place, "name": name, "sku": {"name": "GlobalStandard", "capacity": 100}, "properties": {}}


def test_the_rule_of_the_word_is_the_rotation_s() -> None:
    rotate = next(each for each in CATALOGUE.responses if each.name == ROTATE)
    assert rotate.rule_id(COGNITIVE_ACCOUNTS) == WORD.rule


def test_a_person_s_word_lets_a_response_through() -> None:
    before, after = with_word()[ROTATE], with_word(WORD)[ROTATE]
    assert (before.verdict, before.approval) == (Verdict.NEEDS_APPROVAL, None)
    assert (after.verdict, after.code, after.approval) == (Verdict.FIX, "respond", WORD)
    assert after.reason == "regenerate Key2, then Key1"
    assert after.plan == before.plan


@pytest.mark.parametrize(
    "word",
    [
        replace(WORD, until=NOW),
        replace(WORD, until=NOW - SECOND),
        replace(WORD, rule="AIR-101/storage"),
        replace(WORD, wanted=fingerprint(KEYS[:1])),
        replace(WORD, wanted=fingerprint(())),
    ],
    ids=["just over", "over", "another type's", "one key of two", "nothing"],
)
def test_no_other_word_does(word: Approval) -> None:
    assert with_word(word)[ROTATE].verdict is Verdict.NEEDS_APPROVAL


def test_what_needs_no_word_uses_none() -> None:
    found = with_word(WORD, told=with_row([ROTATE]))[ROTATE]
    assert (found.verdict, found.approval) == (Verdict.FIX, None)


@pytest.mark.parametrize(
    "settings, verdict",
    [
        (settings_of(mode=Mode.AUDIT), Verdict.AUDIT),
        (settings_of({"AIRLOCK_TYPO": "1"}), Verdict.AUDIT),
        (settings_of({"AIRLOCK_OWN_RESOURCES": KEYED.id.name}), Verdict.REFUSED),
    ],
)
def test_a_word_outranks_neither_mode_nor_guard(settings: Settings, verdict: Verdict) -> None:
    found = with_word(WORD, settings=settings)[ROTATE]
    assert (found.verdict, found.approval) == (verdict, None)


def test_a_word_makes_nothing_of_a_plan_without_acts() -> None:
    assert with_word(WORD, resource=KEYLESS)[ROTATE].verdict is Verdict.ADVISE


def test_what_has_become_another_plan_needs_another_word() -> None:
    """Another deployment has come since."""
    told = with_row([], [CAP])
    seen = with_word(told=told, deployments=[deployment()])[CAP]
    word = Approval(seen.response.rule_id(COGNITIVE_ACCOUNTS), fingerprint(seen.changes), NOW + SECOND, "oid", "f" * 32)
    assert with_word(word, told=told, deployments=[deployment()])[CAP].verdict is Verdict.FIX
    more = [deployment(), deployment("o3")]
    assert with_word(word, told=told, deployments=more)[CAP].verdict is Verdict.NEEDS_APPROVAL


def test_a_proposal_changes_what_all_of_its_acts_change() -> None:
    assert with_word()[ROTATE].changes == KEYS
    assert with_word(resource=KEYLESS)[ROTATE].changes == ()
    two = [deployment(), deployment("o3")]
    capped = with_word(told=with_row([], [CAP]), deployments=two)[CAP]
    assert len(capped.plan.acts) == 2
    assert capped.changes == tuple(
        change for act in capped.plan.acts if isinstance(act, Command) for change in act.changes
    )
    assert fingerprint(capped.changes) != fingerprint(capped.changes[:1])


@given(
    st.lists(st.sampled_from([WORD, replace(WORD, until=NOW), replace(WORD, rule="AIR-102/storage")]), max_size=3),
    st.lists(st.sampled_from([ROTATE, TAG, CAP, PAUSE]), unique=True),
    st.sampled_from(Mode),
)
def test_a_word_changes_nothing_but_what_waits_for_it(
    words: list[Approval], on_approval: list[str], mode: Mode
) -> None:
    told, settings = with_row([TAG], on_approval), settings_of(mode=mode)
    before = with_word(told=told, settings=settings)
    after = with_word(*words, told=told, settings=settings)
    assert before.keys() == after.keys()
    for name, proposal in after.items():
        if proposal != before[name]:
            assert before[name].verdict is Verdict.NEEDS_APPROVAL
            assert (proposal.verdict, proposal.approval, name) == (Verdict.FIX, WORD, ROTATE)
