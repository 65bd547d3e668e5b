"""Settings: every valid name enumerated once, read once, frozen; a problem anywhere means that nothing enforces."""

import difflib
import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import timedelta
from types import MappingProxyType
from typing import Any
from urllib.parse import urlsplit

from shared.domain.baseline import Baseline
from shared.domain.catalogue import Catalogue
from shared.domain.mode import Mode
from shared.domain.remediation import Remediation, Rule
from shared.domain.resource_types import STORAGE, ResourceType
from shared.domain.response import Response

PREFIX = "AIRLOCK_"
_GUID = r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}"


@dataclass(frozen=True, slots=True)
class Option:
    """How an operational setting is read (ValueError says what it wants), and what people are told of it."""

    read: Callable[[str], Any]
    values: str
    meaning: str


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
    if not re.fullmatch(r"https://[A-Za-z0-9.-]+(?::\d+)?(?:/[\w./-]*)?", text):
        raise ValueError("wants an https:// address")
    return text.rstrip("/")


def _https_or_none(text: str) -> str:
    return _https(text) if text else ""


def _guid_or_none(text: str) -> str:
    if text and not re.fullmatch(_GUID, text):
        raise ValueError("wants a GUID or nothing")
    return text.lower()


def _audience_or_none(text: str) -> str:
    if re.fullmatch(_GUID, text):
        return text.lower()
    if text and not re.fullmatch(r"api://[A-Za-z0-9][A-Za-z0-9._/-]*", text):
        raise ValueError("wants the client id of the app registration, or its api:// address")
    return text.rstrip("/")


def _names(text: str) -> frozenset[str]:
    return frozenset(part.strip().lower() for part in text.split(",") if part.strip())


def _option[T](default: T, read: Callable[[str], T], values: str, meaning: str) -> T:
    option: T = field(default=default, metadata={"option": Option(read, values, meaning)})
    return option


@dataclass(frozen=True, slots=True)
class Operational:
    """The settings that are not remediation switches. Each field is the app setting `AIRLOCK_<FIELD>`."""

    quiet_seconds: timedelta = _option(
        timedelta(seconds=30),
        _seconds(0, 300),
        "0 to 300",
        "How long a resource must be left alone before it is looked at, so that no fix meets a deployment.",
    )
    grace_seconds: timedelta = _option(
        timedelta(seconds=60),
        _seconds(0, 600),
        "0 to 600",
        "How long after a change a read may still miss it; a second look follows then.",
    )
    lease_seconds: timedelta = _option(
        timedelta(seconds=120),
        _seconds(5, 3600),
        "5 to 3600",
        "How long a fix under way keeps others off the resource if its worker dies. Under 90 only for rehearsals.",
    )
    allow_lists: bool = _option(
        True,
        _switched,
        "`true`, `false`",
        "Whether a narrow allow-list that denies the rest counts as not public.",
    )
    allow_isolation: bool = _option(
        False,
        _switched,
        "`true`, `false`",
        "Whether a resource may be closed although nothing could reach it afterwards.",
    )
    exemption_tags: bool = _option(
        False,
        _switched,
        "`true`, `false`",
        "Whether tags `airlock-exempt-<remediation>` = `YYYY-MM-DD reason` count. Owners can set them themselves.",
    )
    min_ipv4_prefix: int = _option(
        8, _whole(1, 32), "1 to 32", "An allowed range with a shorter prefix is as good as the whole internet."
    )
    allow_list_keys: bool = _option(
        False,
        _switched,
        "`true`, `false`",
        "Whether the keys of every account in scope may be listed to find the one that an exposed key opens.",
    )
    key_vault_uri: str = _option(
        "",
        _https_or_none,
        "`https://` address or empty",
        "The vault that fresh keys are written to before the old ones die. Without it, nowhere.",
    )
    max_fixes_per_hour: int = _option(
        100,
        _whole(1, 100_000),
        "1 to 100000",
        "How many resources of one subscription are fixed within an hour of the clock; a fifth is kept for critical"
        " rules and confirmed incidents.",
    )
    own_resources: frozenset[str] = _option(
        frozenset(),
        _names,
        "names or ARM ids, with commas",
        "What Airlock must never write to, beside the storage and the app it runs on.",
    )
    arm_endpoint: str = _option(
        "https://management.azure.com", _https, "`https://` address", "Azure Resource Manager of the cloud."
    )
    client_id: str = _option("", str, "GUID", "The user-assigned identity to use; without it the system-assigned one.")
    tenant_id: str = _option(
        "",
        _guid_or_none,
        "GUID or empty",
        "The Entra tenant whose people and applications may operate Airlock. Without it nobody can.",
    )
    operator_audience: str = _option(
        "",
        _audience_or_none,
        "GUID, `api://...`, or empty",
        "The app registration that operators get tokens for: its client id, or its `api://` address. Without it nobody"
        " can operate Airlock.",
    )
    entra_endpoint: str = _option(
        "https://login.microsoftonline.com", _https, "`https://` address", "Microsoft Entra of the cloud."
    )
    logs_endpoint: str = _option("", _https, "`https://` address", "The Logs Ingestion endpoint.")
    logs_rule: str = _option("", str, "`dcr-...`", "The immutable id of the data collection rule.")
    logs_stream: str = _option("Custom-AirlockRemediation_CL", str, "`Custom-...`", "The stream of that rule.")
    alerts_topic: str = _option(
        "",
        _https_or_none,
        "`https://` address or empty",
        "The endpoint of the custom topic that `airlock leak` tells of exposed keys. The app itself does not use it.",
    )
    app: str = _option(
        "",
        _https_or_none,
        "`https://` address or empty",
        "The address of the deployed app, for `airlock approve` and its like. The app itself does not use it.",
    )
    logs_query_endpoint: str = _option(
        "",
        _https_or_none,
        "`https://` address or empty",
        "Where `airlock log verify` asks Log Analytics in a cloud of its own. The app itself does not use it.",
    )
    notify_topic: str = _option(
        "",
        _https_or_none,
        "`https://` address or empty",
        "The endpoint of an Event Grid custom topic (CloudEvents 1.0) that is told of every record from severity medium"
        " up.",
    )


def option(name: str) -> Option:
    """What belongs to the operational setting of that field. Raises KeyError for no such field."""
    told: Option = Operational.__dataclass_fields__[name].metadata["option"]
    return told


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
        return self.mode_for(remediation, rule.type)

    def mode_for(self, act: Remediation | Response, kind: ResourceType) -> Mode:
        """The mode that counts for a remediation or a response on resources of that type."""
        if self.mode is Mode.OFF:
            return Mode.OFF
        name = switch(act)
        mode = self.overrides.get(f"{name}_{kind.suffix}", self.overrides.get(name, self.mode))
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
        for each in fields(Operational):
            value = getattr(self.operational, each.name)
            if value != getattr(default, each.name):
                told[_name(each.name)] = spelt(value)
        return told

    @property
    def digest(self) -> str:
        """Twelve hex digits that change with any effective setting or problem."""
        told = json.dumps([self.effective(), self.problems], sort_keys=True)
        return hashlib.sha256(told.encode()).hexdigest()[:12]


def with_log(settings: Settings) -> Settings:
    """The settings as a deployed app takes them: nothing enforces as long as records have nowhere to go."""
    enforces = Mode.ENFORCE in {settings.mode, *settings.overrides.values()}
    told = settings.operational.logs_endpoint and settings.operational.logs_rule
    if told or not enforces:
        return settings
    problem = f"{PREFIX}LOGS_ENDPOINT, {PREFIX}LOGS_RULE: both are needed before anything enforces"
    return replace(settings, problems=(*settings.problems, problem))


def switch(act: Remediation | Response) -> str:
    """The app setting that sets the mode of a remediation or a response."""
    return PREFIX + act.name.upper().replace("-", "_")


def switches_of(act: Remediation | Response) -> Iterator[str]:
    """Every valid switch of a remediation or a response: the one for all types, then one for each type."""
    kinds = act.types if isinstance(act, Response) else tuple(rule.type for rule in act.rules)
    yield switch(act)
    yield from (f"{switch(act)}_{kind.suffix}" for kind in kinds)


def switches(catalogue: Catalogue) -> Iterator[str]:
    """Every valid switch of the catalogue."""
    acts: tuple[Remediation | Response, ...] = (*catalogue.remediations, *catalogue.responses)
    for act in acts:
        yield from switches_of(act)


def valid_names(catalogue: Catalogue) -> tuple[str, ...]:
    """Every app setting that Airlock reads under its own prefix."""
    return (f"{PREFIX}MODE", *switches(catalogue), *(_name(each.name) for each in fields(Operational)))


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
    for each in fields(Operational):
        name = _name(each.name)
        if name in given:
            try:
                options[each.name] = option(each.name).read(given[name].strip())
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


def spelt(value: object) -> str:
    """A value as an app setting spells it."""
    match value:
        case bool():
            return "true" if value else "false"
        case timedelta():
            return f"{value.total_seconds():g}"
        case frozenset():
            return ",".join(sorted(value))
        case _:
            return str(value)


@dataclass(frozen=True, slots=True)
class HostStorage:
    """The storage that the Functions host runs on, which holds our queue, ledger and blobs too.

    Either `connection` (a connection string, as Core Tools and Azurite use) or the addresses of the services.
    """

    account: str = ""
    tables: str = ""
    queues: str = ""
    blobs: str = ""
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

    connection = environment.get(prefix, "").rstrip("; ")
    return HostStorage(account, address("table"), address("queue"), address("blob"), connection)


def _host_resources(environment: Mapping[str, str]) -> frozenset[str]:
    """The names of the resources that the Functions host itself runs on, as its own settings tell them."""
    storage = read_host_storage(environment)
    addresses = (storage.tables, storage.queues, storage.blobs)
    named_hosts = [urlsplit(address).hostname or "" for address in addresses]
    hosts = {host.split(".", 1)[0] for host in named_hosts if not host.replace(".", "").isdecimal()}
    parts = (part.partition("=") for part in storage.connection.split(";"))
    named = {value.strip() for name, _, value in parts if name.strip().lower() == "accountname"}
    site = environment.get("WEBSITE_SITE_NAME", "")
    accounts = {f"{STORAGE.name}/{name}" for name in {storage.account, *hosts, *named} if name}
    # With its type: somebody could else give an account of another type that name to be left alone.
    return frozenset(name.lower() for name in {*accounts, f"Microsoft.Web/sites/{site}" if site else ""} if name)
