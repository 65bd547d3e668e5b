"""AIR-006 on content filter policies."""

import pytest

from remediations.harden_content_filters import REMEDIATION
from shared.domain.baseline import Baseline
from shared.domain.body import Json, JsonObject, as_list, as_object, at
from shared.domain.resource_types import RAI_POLICIES
from tests.laws import Examples, judge, laws, patch_of
from tests.remediations.bodies import rai_policy, resource

(RULE,) = REMEDIATION.rules
FILTERS = [as_object(each) for each in as_list(at(rai_policy(), "properties.contentFilters"))]
JAILBREAK: JsonObject = {"name": "Jailbreak", "enabled": True, "blocking": True, "source": "Prompt"}


def filters(name: str, side: str = "", **changes: Json) -> list[Json]:
    """The base body's filters with those of that name changed, on one side (`Prompt`) or on both."""
    return [each | changes if each["name"] == name and side in {"", each["source"]} else each for each in FILTERS]


def without(*names: str) -> list[Json]:
    """The base body's filters without those of these names."""
    return [each for each in FILTERS if each["name"] not in names]


# As one service example spells them.
UNDERSCORED: list[Json] = [{**each, "name": str(each["name"]).lower().replace(" ", "_")} for each in FILTERS]
RUN_TOGETHER: list[Json] = [{**each, "name": str(each["name"]).replace(" ", "")} for each in FILTERS]

EXAMPLES = (
    Examples(
        RAI_POLICIES,
        complies={
            "everything blocks": rai_policy(),
            "stricter thresholds": rai_policy(contentFilters=filters("Hate", severityThreshold="Low")),
            "a mode never set": rai_policy(absent=["mode"]),
            "a mode that blocks": rai_policy(mode="Blocking"),
            "names with underscores": rai_policy(contentFilters=UNDERSCORED),
            "names run together": rai_policy(contentFilters=RUN_TOGETHER),
            "another order": rai_policy(contentFilters=[*reversed(FILTERS)]),
            "members and filters that nobody asked for": rai_policy(
                contentFilters=[*FILTERS, {"name": "Spotlighting", "source": "Prompt", "action": "RETRY"}]
            ),
            "no word on who manages it": rai_policy(absent=["type"]),
        },
        drifts={
            "no filter at all": rai_policy(contentFilters=[]),
            "filters never set": rai_policy(absent=["contentFilters"]),
            "jailbreaks let through": rai_policy(contentFilters=filters("Jailbreak", enabled=False, blocking=False)),
            "jailbreaks annotated only": rai_policy(contentFilters=filters("Jailbreak", blocking=False)),
            "a filter that blocks but is off": rai_policy(contentFilters=filters("Jailbreak", enabled=False)),
            "no shield against documents": rai_policy(contentFilters=without("Indirect Attack")),
            "a shield on the wrong side": rai_policy(contentFilters=filters("Indirect Attack", source="Completion")),
            "protected code let through": rai_policy(contentFilters=filters("Protected Material Code", enabled=False)),
            "protected text let through": rai_policy(contentFilters=without("Protected Material Text")),
            "only high severity blocked": rai_policy(contentFilters=filters("Violence", severityThreshold="High")),
            "only high severity blocked, on one side": rai_policy(
                contentFilters=filters("Selfharm", "Completion", severityThreshold="High")
            ),
            "no threshold": rai_policy(contentFilters=filters("Sexual", severityThreshold=None)),
            "a threshold that nobody knows": rai_policy(contentFilters=filters("Sexual", severityThreshold="None")),
            "a filter of whichever source": rai_policy(contentFilters=filters("Jailbreak", source=None)),
            "one of two is off": rai_policy(contentFilters=[*FILTERS, {**JAILBREAK, "enabled": False}]),
            "answers before the filters": rai_policy(mode="Asynchronous_filter"),
            "answers before the filters, by the old name": rai_policy(mode="Deferred"),
            "a mode that nobody knows": rai_policy(mode="Sometimes"),
            "all at once": rai_policy(
                mode="Deferred", contentFilters=without("Jailbreak", "Hate"), customBlocklists=[]
            ),
        },
        not_applicable={
            "Microsoft's own": rai_policy(type="SystemManaged", contentFilters=[], mode="Deferred"),
        },
    ),
)

TestLaws = laws(REMEDIATION, *EXAMPLES)


def fixed(body: JsonObject) -> JsonObject:
    """What is sent to fix the body."""
    return patch_of(resource(RAI_POLICIES, body), judge(REMEDIATION, RULE, Baseline(), body))


def sent_filters(sent: list[Json]) -> list[Json]:
    return as_list(at(fixed(rai_policy(contentFilters=sent)), "properties.contentFilters"))


def test_the_whole_policy_is_sent_without_what_only_the_service_writes() -> None:
    body = rai_policy({"tags": {"owner": "team-language"}}, mode="Deferred", customTopics=[{"topicName": "t"}])
    properties = {name: value for name, value in as_object(body["properties"]).items() if name != "type"}
    assert fixed(body) == {"tags": {"owner": "team-language"}, "properties": properties | {"mode": "Default"}}


def test_what_is_missing_is_appended_under_its_documented_name() -> None:
    assert sent_filters([]) == [
        *(
            {"name": name, "source": source, "enabled": True, "blocking": True, "severityThreshold": "Medium"}
            for name in ("Hate", "Sexual", "Violence", "Selfharm")
            for source in ("Prompt", "Completion")
        ),
        {"name": "Jailbreak", "source": "Prompt", "enabled": True, "blocking": True},
        {"name": "Indirect Attack", "source": "Prompt", "enabled": True, "blocking": True},
        {"name": "Protected Material Text", "source": "Completion", "enabled": True, "blocking": True},
        {"name": "Protected Material Code", "source": "Completion", "enabled": True, "blocking": True},
    ]


def test_other_filters_keep_their_place_and_their_setting() -> None:
    own: JsonObject = {"name": "Profanity", "enabled": False, "source": "Prompt"}
    assert sent_filters([own, *without("Jailbreak")]) == [own, *without("Jailbreak"), JAILBREAK]


@pytest.mark.parametrize("name", ["jailbreak", "JAILBREAK", "Jail_break", "Jail break"])
@pytest.mark.parametrize("source", ["prompt", "PROMPT", "Prompt"])
def test_a_name_keeps_its_spelling_and_its_other_members(name: str, source: str) -> None:
    weak: JsonObject = {"name": name, "source": source, "enabled": True, "blocking": False, "action": "ANNOTATING"}
    sent = sent_filters([weak, *without("Jailbreak")])
    assert sent == [weak | {"blocking": True}, *without("Jailbreak")]


@pytest.mark.parametrize("source", ["Completion", "PreToolCall", "", None])
def test_a_filter_of_another_source_is_another_filter(source: Json) -> None:
    other: JsonObject = {"name": "Jailbreak", "source": source, "enabled": False, "blocking": False}
    assert sent_filters([other, *without("Jailbreak")]) == [other, *without("Jailbreak"), JAILBREAK]


@pytest.mark.parametrize(
    "threshold, becomes",
    [
        ("Low", "Low"),
        ("low", "low"),
        ("Medium", "Medium"),
        ("MEDIUM", "MEDIUM"),
        ("High", "Medium"),
        ("high", "Medium"),
        ("Extreme", "Medium"),
        ("", "Medium"),
        (None, "Medium"),
        (2, "Medium"),
    ],
)
def test_a_threshold_is_lowered_and_never_raised(threshold: Json, becomes: Json) -> None:
    changed = filters("Violence", severityThreshold=threshold, blocking=False)
    sent = [as_object(each) for each in sent_filters(changed)]
    assert [each["severityThreshold"] for each in sent if each["name"] == "Violence"] == [becomes, becomes]


def test_ungraded_filters_get_no_threshold() -> None:
    sent = [as_object(each) for each in sent_filters([])]
    assert sum("severityThreshold" in each for each in sent) == 8
