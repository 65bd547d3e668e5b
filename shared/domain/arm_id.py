"""ARM resource ids: parsed once, compared without case, rendered only from what was parsed."""

import re
import unicodedata
from dataclasses import dataclass

# Resource names are narrower than this; what matters is what it leaves out: slashes, a dot in front (which could
# climb), percent signs, query and fragment marks, control characters. Group names may be any letters, and Azure names
# some resources of its own with blanks.
_SEGMENT = re.compile(r"[\w$(][\w .()$\-]{0,259}(?<![. ])")
_NAMESPACE = re.compile(r"[A-Za-z0-9]+(?:\.[A-Za-z0-9]+)+")
_SUBSCRIPTION = re.compile(r"[A-Za-z0-9-]{1,64}")
_LONGEST = 2048


@dataclass(frozen=True, slots=True)
class Provider:
    """One `/providers/…` part of an id: `Microsoft.Storage`, then (type, name) pairs from the outside in."""

    namespace: str
    pairs: tuple[tuple[str, str], ...]

    @property
    def type(self) -> str:
        """The full resource type as it was spelt: `Microsoft.Storage/storageAccounts`."""
        return "/".join((self.namespace, *(kind for kind, _ in self.pairs)))

    @property
    def path(self) -> str:
        """The part as it stands in an id, beginning with a slash."""
        return "/".join(("/providers", self.namespace, *(text for pair in self.pairs for text in pair)))


@dataclass(frozen=True, slots=True)
class ArmId:
    """The id of a subscription, a resource group, a resource, a child or an extension of one."""

    subscription: str
    resource_group: str | None = None
    providers: tuple[Provider, ...] = ()

    @property
    def path(self) -> str:
        """The id as it is sent to ARM, in the spelling it came in."""
        group = f"/resourceGroups/{self.resource_group}" if self.resource_group else ""
        return f"/subscriptions/{self.subscription}{group}" + "".join(part.path for part in self.providers)

    @property
    def key(self) -> str:
        """The id in lower case: equal keys are one resource."""
        return self.path.lower()

    @property
    def type(self) -> str:
        """The resource type as it was spelt; `Microsoft.Resources/…` for a subscription or a group."""
        if self.providers:
            return self.providers[-1].type
        kind = "resourceGroups" if self.resource_group else "subscriptions"
        return f"Microsoft.Resources/{kind}"

    @property
    def name(self) -> str:
        """The last name of the id."""
        if self.providers:
            return self.providers[-1].pairs[-1][1]
        return self.resource_group or self.subscription

    @property
    def parent(self) -> "ArmId | None":
        """What the resource is a child or an extension of; None for a subscription."""
        if not self.providers:
            return ArmId(self.subscription) if self.resource_group else None
        *outer, last = self.providers
        if len(last.pairs) > 1:
            return ArmId(self.subscription, self.resource_group, (*outer, Provider(last.namespace, last.pairs[:-1])))
        return ArmId(self.subscription, self.resource_group, tuple(outer))

    def __str__(self) -> str:
        return self.path


def parse_arm_id(text: str) -> ArmId:
    """The id that the text spells.

    Raises ValueError, naming what is wrong, on anything else: other roots, empty or climbing segments, escapes,
    queries, names that no resource can have. The text itself is not repeated in the message: it may be hostile.
    """
    if len(text) > _LONGEST:
        raise ValueError(f"an ARM id has at most {_LONGEST} characters, this one has {len(text)}")
    if unicodedata.normalize("NFC", text) != text:
        raise ValueError("the ARM id has letters that only look like others")
    match text.split("/"):
        case ["", word, subscription, *rest] if word.lower() == "subscriptions":
            pass
        case _:
            raise ValueError("an ARM id begins with /subscriptions/{id}")
    if not _SUBSCRIPTION.fullmatch(subscription):
        raise ValueError("the subscription of the ARM id is not an id")
    group: str | None = None
    match rest:
        case [word, name, *tail] if word.lower() == "resourcegroups":
            group, rest = _segment(name), tail
        case _:
            pass
    return ArmId(subscription, group, _providers(rest))


def extension(scope: ArmId, namespace: str, *pairs: tuple[str, str]) -> ArmId:
    """The id of what a provider keeps under the scope, from (type, name) pairs.

    Every part may come from anywhere, the scope's too: raises ValueError like `parse_arm_id` unless each is one segment
    that such an id can have, so that no part can reach beyond its place.
    """
    built = ArmId(scope.subscription, scope.resource_group or None, (*scope.providers, Provider(namespace, pairs)))
    if parse_arm_id(built.path) != built:
        raise ValueError("a part of the ARM id is more than one segment")
    return built


def _providers(rest: list[str]) -> tuple[Provider, ...]:
    found: list[Provider] = []
    while rest:
        match rest:
            case [word, namespace, *tail] if word.lower() == "providers" and _NAMESPACE.fullmatch(namespace):
                pairs, rest = _pairs(tail)
                found.append(Provider(namespace, pairs))
            case _:
                raise ValueError("a provider part of the ARM id is not /providers/{namespace}/{type}/{name}")
    return tuple(found)


def _pairs(rest: list[str]) -> tuple[tuple[tuple[str, str], ...], list[str]]:
    pairs: list[tuple[str, str]] = []
    while rest and rest[0].lower() != "providers":
        match rest:
            case [kind, name, *tail]:
                pairs.append((_segment(kind), _segment(name)))
                rest = tail
            case _:
                raise ValueError("the ARM id ends in a type without a name")
    if not pairs:
        raise ValueError("a provider part of the ARM id names no resource")
    return tuple(pairs), rest


def _segment(text: str) -> str:
    if not _SEGMENT.fullmatch(text):
        raise ValueError("a segment of the ARM id is empty or has characters that no resource name has")
    return text
