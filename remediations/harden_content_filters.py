"""AIR-006: the content filters that customers define block attacks and harm, and wait for their own verdict."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

from shared.domain.baseline import Baseline
from shared.domain.body import Json, JsonObject, as_list, as_object, as_text
from shared.domain.remediation import Remediation, Rule, Severity, Source
from shared.domain.resource import Resource
from shared.domain.resource_types import RAI_POLICIES

_SYNCHRONOUS = ("default", "blocking")
# The threshold is the least severity that is blocked, so Low is the strictest and High lets the most through.
_STRICT_ENOUGH = ("low", "medium")
_DROPPED = str.maketrans("", "", " _")


@dataclass(frozen=True, slots=True)
class _Required:
    """A filter that must block, under its documented name. Only the graded ones have a threshold."""

    name: str
    source: str
    graded: bool

    def is_about(self, entry: Json) -> bool:
        """Whether the entry is about this filter, however it is spelt: `protected_material_code`, `IndirectAttack`."""
        named = as_object(entry)
        return (_bare(named.get("name")), _bare(named.get("source"))) == (_bare(self.name), _bare(self.source))

    def hardened(self, entry: Json) -> JsonObject:
        """The entry with the filter on and blocking; everything else of it stays."""
        strict: JsonObject = {**as_object(entry), "enabled": True, "blocking": True}
        if self.graded and as_text(strict.get("severityThreshold")).casefold() not in _STRICT_ENOUGH:
            strict["severityThreshold"] = "Medium"
        return strict


_REQUIRED = (
    *(
        _Required(name, source, graded=True)
        for name in ("Hate", "Sexual", "Violence", "Selfharm")
        for source in ("Prompt", "Completion")
    ),
    _Required("Jailbreak", "Prompt", graded=False),
    _Required("Indirect Attack", "Prompt", graded=False),
    _Required("Protected Material Text", "Completion", graded=False),
    _Required("Protected Material Code", "Completion", graded=False),
)


def _bare(text: Json) -> str:
    return as_text(text).casefold().translate(_DROPPED)


def _policy(policy: Resource, _: Baseline) -> JsonObject:
    """Microsoft's own policies cannot be edited. A mode that nobody knows is not known to wait for the filters."""
    if policy.says("properties.type", "SystemManaged"):
        return {}
    wanted: JsonObject = {"contentFilters": list(_filters(as_list(policy.at("properties.contentFilters"))))}
    if (mode := policy.at("properties.mode")) is not None:
        wanted["mode"] = mode if policy.says("properties.mode", *_SYNCHRONOUS) else "Default"
    return {"properties": wanted}


def _filters(entries: list[Json]) -> Iterator[Json]:
    """What is there in its order, then what is missing."""
    for entry in entries:
        required = next((each for each in _REQUIRED if each.is_about(entry)), None)
        yield required.hardened(entry) if required else entry
    for each in _REQUIRED:
        if not any(each.is_about(entry) for entry in entries):
            yield each.hardened({"name": each.name, "source": each.source})


REMEDIATION = Remediation(
    ref="AIR-006",
    name="harden-content-filters",
    title="Custom content filters block injection, harm and protected material before any answer",
    why="A filter that is off, only annotates, or judges after the fact leaves prompt injection and harmful output to "
    "every single client.",
    disrupts="More prompts and completions are refused, also those of deployments that were granted weaker filters; "
    "streams wait for the filter, so first tokens come later.",
    severity=Severity.HIGH,
    controls=(
        "MCSB AI-2",
        "NIST 800-53 SI-3",
        "NIST 800-53 SI-4",
        "NIST 800-53 SI-10",
        "ISO 27001 A.8.7",
        "ISO 27001 A.8.16",
        "MITRE ATLAS AML.T0051",
        "MITRE ATLAS AML.T0054",
    ),
    policies=(
        "f3a9c2e0-7b4d-4d8f-9c3a-2e1f6b9a8d4e",
        "af253d37-136a-42f8-a1fc-30010c083d41",
        "930f48f9-f07e-427c-9494-52603581c6a9",
        "c1ad46c6-37f8-4af0-9c71-c208375c87dd",
    ),
    sources=(
        Source(
            "https://learn.microsoft.com/azure/ai-foundry/openai/concepts/default-safety-policies", date(2026, 11, 24)
        ),
        Source(
            "https://learn.microsoft.com/azure/templates/microsoft.cognitiveservices/accounts/raipolicies",
            date(2026, 11, 24),
        ),
    ),
    rules=(
        Rule(
            type=RAI_POLICIES,
            desired=_policy,
            defaults={"properties": {"mode": "Default", "contentFilters": []}},
            actions=("Microsoft.CognitiveServices/accounts/raiPolicies/write",),
        ),
    ),
)
