"""Settings: every valid name enumerated once, read once, frozen; a problem anywhere means that nothing enforces."""

import difflib
import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from datetime import timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from shared.domain.baseline import Baseline
from shared.domain.remediation import Catalogue, Remediation, Rule

PREFIX = "AIRLOCK_"


class Mode(StrEnum):
    """What Airlock may do: nothing at all, look and record, or fix as well."""

    OFF = "off"
    AUDIT = "audit"
    ENFORCE = "enforce"


@dataclass(frozen=True, slots=True)
class Operational:
    """The settings that are not remediation switches. Each field is the app setting `AIRLOCK_<FIELD>`.

    `cloud` is the Azure Resource Manager endpoint, `logs_endpoint` with `logs_rule` (the immutable id of the data
    collection rule) and `logs_stream` where records go. `client_id` picks a user-assigned identity, empty for the
    system-assigned one. `own_resources` are names or ids, separated by commas, that are never written to.
    `lease_seconds` is how long one worker may keep a resource to itself, `grace_seconds` how long after a change a read
    may still miss it: ARM is consistent within a session only.
    """

    quiet_seconds: timedelta = timedelta(seconds=30)
    lease_seconds: timedelta = timedelta(seconds=120)
    grace_seconds: timedelta = timedelta(seconds=60)
    allow_isolation: bool = False
    allow_lists: bool = True
    exemption_tags: bool = False
    min_ipv4_prefix: int = 8
    own_resources: frozenset[str] = frozenset()
    arm_endpoint: str = "https://management.azure.com"
    client_id: str = ""
    logs_endpoint: str = ""
    logs_rule: str = ""
    logs_stream: str = "Custom-AirlockRemediation_CL"


@dataclass(frozen=True, slots=True)
class Settings:
    """What the app settings say.

    `overrides` maps a switch (`AIRLOCK_ENFORCE_TLS`, `AIRLOCK_ENFORCE_TLS_STORAGE`) to its mode. `problems` are
    sentences about names and values that could not be understood.
    """

    mode: Mode = Mode.AUDIT
    overrides: Mapping[str, Mode] = field(default_factory=lambda: MappingProxyType({}))
    operational: Operational = Operational()
    problems: tuple[str, ...] = ()

    def mode_of(self, remediation: Remediation, rule: Rule) -> Mode:
        """The mode that counts: off wins over all, the most specific switch over the default, a problem over
        enforce."""
        if self.mode is Mode.OFF:
            return Mode.OFF
        name = switch(remediation)
        mode = self.overrides.get(f"{name}_{rule.type.suffix}", self.overrides.get(name, self.mode))
        return Mode.AUDIT if mode is Mode.ENFORCE and self.problems else mode

    @property
    def baseline(self) -> Baseline:
        """What of the settings rules and guards see."""
        chosen = self.operational
        return Baseline(
            allow_lists=chosen.allow_lists,
            allow_isolation=chosen.allow_isolation,
            min_ipv4_prefix=chosen.min_ipv4_prefix,
            protected=chosen.own_resources,
        )

    def effective(self) -> dict[str, str]:
        """Every setting that is not at its default, by its app setting name, in words."""
        told = {f"{PREFIX}MODE": self.mode.value}
        told |= {name: mode.value for name, mode in sorted(self.overrides.items())}
        default = Operational()
        for option in fields(Operational):
            value = getattr(self.operational, option.name)
            if value != getattr(default, option.name):
                told[_name(option.name)] = _spell(value)
        return told

    @property
    def digest(self) -> str:
        """Twelve hex digits that change with any effective setting or problem."""
        told = json.dumps([self.effective(), self.problems], sort_keys=True)
        return hashlib.sha256(told.encode()).hexdigest()[:12]


def switch(remediation: Remediation) -> str:
    """The app setting that sets a remediation's mode."""
    return PREFIX + remediation.name.upper().replace("-", "_")


def switches(catalogue: Catalogue) -> Iterator[str]:
    """Every valid switch: per remediation, and per remediation and resource type."""
    for remediation in catalogue.remediations:
        yield switch(remediation)
        for rule in remediation.rules:
            yield f"{switch(remediation)}_{rule.type.suffix}"


def valid_names(catalogue: Catalogue) -> tuple[str, ...]:
    """Every app setting that Airlock reads under its own prefix."""
    return (f"{PREFIX}MODE", *switches(catalogue), *(_name(option.name) for option in fields(Operational)))


def read_settings(environment: Mapping[str, str], catalogue: Catalogue) -> Settings:
    """The settings that the environment holds. Never raises: what cannot be understood becomes a problem.

    With any problem the mode is at most audit; `AIRLOCK_MODE=off` stays off.
    """
    given = {name: value for name, value in environment.items() if name.upper().startswith(PREFIX)}
    names = valid_names(catalogue)
    problems = [_unknown(name, names) for name in given if name not in names]
    modes: dict[str, Mode] = {}
    for name in (f"{PREFIX}MODE", *switches(catalogue)):
        if name in given:
            try:
                modes[name] = Mode(given[name].strip().lower())
            except ValueError:
                problems.append(f"{name}: wants off, audit or enforce")
    options: dict[str, Any] = {}
    for option in fields(Operational):
        name = _name(option.name)
        if name in given:
            try:
                options[option.name] = _READERS[option.name](given[name].strip())
            except ValueError as problem:
                problems.append(f"{name}: {problem}")
    own = options.get("own_resources", frozenset()) | _host_resources(environment)
    mode = modes.pop(f"{PREFIX}MODE", Mode.AUDIT)
    operational = Operational(**options | {"own_resources": own})
    return Settings(mode, MappingProxyType(modes), operational, tuple(sorted(problems)))


def _unknown(name: str, names: tuple[str, ...]) -> str:
    near = difflib.get_close_matches(name.upper(), names, n=1, cutoff=0.0)
    return f"{name[:80]} is not a setting of Airlock; the nearest is {near[0]}"


def _name(option: str) -> str:
    return PREFIX + option.upper()


def _spell(value: object) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case timedelta():
            return f"{value.total_seconds():g}"
        case frozenset():
            return ",".join(sorted(value))
        case _:
            return str(value)


def _switched(text: str) -> bool:
    match text.lower():
        case "true" | "on" | "1" | "yes":
            return True
        case "false" | "off" | "0" | "no":
            return False
        case _:
            raise ValueError("wants true or false")


def _seconds(least: int, most: int) -> Callable[[str], timedelta]:
    def read(text: str) -> timedelta:
        return timedelta(seconds=_whole(least, most)(text))

    return read


def _whole(least: int, most: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        if not text.isdecimal() or not least <= int(text) <= most:
            raise ValueError(f"wants a whole number from {least} to {most}")
        return int(text)

    return read


def _https(text: str) -> str:
    if not text.startswith("https://") or any(mark in text for mark in "?# "):
        raise ValueError("wants an https:// address")
    return text.rstrip("/")


def _names(text: str) -> frozenset[str]:
    return frozenset(part.strip().lower() for part in text.split(",") if part.strip())


# The readers stand beside the fields they read: a test proves that every field has one.
_READERS: Mapping[str, Callable[[str], Any]] = MappingProxyType(
    {
        "quiet_seconds": _seconds(0, 300),
        "lease_seconds": _seconds(5, 3600),
        "grace_seconds": _seconds(0, 600),
        "allow_isolation": _switched,
        "allow_lists": _switched,
        "exemption_tags": _switched,
        "min_ipv4_prefix": _whole(1, 32),
        "own_resources": _names,
        "arm_endpoint": _https,
        "client_id": str,
        "logs_endpoint": _https,
        "logs_rule": str,
        "logs_stream": str,
    }
)


@dataclass(frozen=True, slots=True)
class HostStorage:
    """The storage that the Functions host runs on, which holds our queue and ledger too.

    Either `connection` (a connection string, as Core Tools and Azurite use) or the addresses of the services.
    """

    account: str = ""
    tables: str = ""
    queues: str = ""
    connection: str = field(default="", repr=False)


def read_host_storage(environment: Mapping[str, str]) -> HostStorage:
    """The `AzureWebJobsStorage` settings, in each form that the host itself understands.

    Source: learn.microsoft.com/azure/azure-functions/functions-reference, "Connecting to host storage with an
    identity", read 2026-11-23.
    """
    prefix = "AzureWebJobsStorage"
    account = environment.get(f"{prefix}__accountName", "")

    def address(service: str) -> str:
        default = f"https://{account}.{service}.core.windows.net" if account else ""
        return environment.get(f"{prefix}__{service}ServiceUri", default)

    return HostStorage(account, address("table"), address("queue"), environment.get(prefix, ""))


def _host_resources(environment: Mapping[str, str]) -> frozenset[str]:
    """The names of the resources that the Functions host itself runs on, as its own settings tell them."""
    storage = read_host_storage(environment)
    hosts = {address.removeprefix("https://").split(".", 1)[0] for address in (storage.tables, storage.queues)}
    parts = (part.partition("=") for part in storage.connection.split(";"))
    named = {value for name, _, value in parts if name == "AccountName"}
    site = environment.get("WEBSITE_SITE_NAME", "")
    return frozenset(name.lower() for name in {storage.account, *hosts, *named, site} if name)
