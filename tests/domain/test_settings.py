"""App settings: read once, told together, and never enforcing on a misunderstanding."""

import re
import string
from collections.abc import Iterator, Mapping
from dataclasses import fields, replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remediations import load_catalogue
from shared.domain.baseline import Baseline
from shared.domain.mode import Mode
from shared.domain.remediation import Remediation
from shared.domain.resource_types import COGNITIVE_ACCOUNTS, SEARCH, ResourceType
from shared.domain.response import Response
from shared.domain.settings import (
    HostStorage,
    Operational,
    Settings,
    read_host_storage,
    read_settings,
    switch,
    switches,
    valid_names,
    with_log,
)
from tests.domain.making import CATALOGUE, REMEDIATION, RULE

CATALOG = load_catalogue()
NAMES = valid_names(CATALOG)
# Every operational setting: a text that differs from its default, and what it comes to.
SAMPLES: Mapping[str, tuple[str, object]] = {
    "quiet_seconds": ("0", timedelta()),
    "lease_seconds": ("60", timedelta(seconds=60)),
    "grace_seconds": ("0", timedelta()),
    "allow_isolation": ("true", True),
    "allow_lists": ("off", False),
    "exemption_tags": ("On", True),
    "min_ipv4_prefix": ("16", 16),
    "allow_list_keys": ("yes", True),
    "key_vault_uri": ("https://kv-keys.vault.azure.net/", "https://kv-keys.vault.azure.net"),
    "max_fixes_per_hour": ("7", 7),
    "own_resources": ("stairlock, KV-airlock,,", frozenset({"stairlock", "kv-airlock"})),
    "arm_endpoint": ("https://management.usgovcloudapi.net/", "https://management.usgovcloudapi.net"),
    "client_id": ("client-1", "client-1"),
    "tenant_id": ("99999999-8888-7777-6666-55555555555F", "99999999-8888-7777-6666-55555555555f"),
    "operator_audience": ("api://0a0b0c0d-1111-2222-3333-444444444444/", "api://0a0b0c0d-1111-2222-3333-444444444444"),
    "entra_endpoint": ("https://login.microsoftonline.us/", "https://login.microsoftonline.us"),
    "logs_endpoint": (
        "https://dce.westeurope-1.ingest.monitor.azure.com",
        "https://dce.westeurope-1.ingest.monitor.azure.com",
    ),
    "logs_rule": ("dcr-1", "dcr-1"),
    "logs_stream": ("Custom-Other_CL", "Custom-Other_CL"),
    "app": ("https://airlock-contoso.azurewebsites.net", "https://airlock-contoso.azurewebsites.net"),
    "logs_query_endpoint": ("https://api.loganalytics.us", "https://api.loganalytics.us"),
    "alerts_topic": (
        "https://alerts.westeurope-1.eventgrid.azure.net/api/events",
        "https://alerts.westeurope-1.eventgrid.azure.net/api/events",
    ),
    "notify_topic": (
        "https://contoso.westeurope-1.eventgrid.azure.net/api/events",
        "https://contoso.westeurope-1.eventgrid.azure.net/api/events",
    ),
}
MODES = ("off", "audit", "enforce", " Enforce ", "AUDIT")
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
names = st.sampled_from(NAMES) | st.builds("AIRLOCK_{}".format, texts) | texts
environments = st.dictionaries(names, st.sampled_from(MODES) | texts, max_size=6)


def named(option: str) -> str:
    return f"AIRLOCK_{option.upper()}"


def modes(settings: Settings) -> set[Mode]:
    """The modes of everything that Airlock can do."""
    fixes = {settings.mode_of(remediation, rule) for remediation in CATALOG.remediations for rule in remediation.rules}
    return fixes | {settings.mode_for(response, kind) for response in CATALOG.responses for kind in response.types}


def test_no_two_settings_share_a_name() -> None:
    assert len(set(NAMES)) == len(NAMES)
    assert all(re.fullmatch(r"AIRLOCK_[A-Z0-9]+(_[A-Z0-9]+)*", name) for name in NAMES)


def test_every_operational_setting_has_a_sample() -> None:
    assert SAMPLES.keys() == {option.name for option in fields(Operational)}


@pytest.mark.parametrize("option", SAMPLES)
def test_every_operational_setting_is_read(option: str) -> None:
    text, value = SAMPLES[option]
    settings = read_settings({named(option): f" {text} "}, CATALOG)
    assert settings.problems == ()
    assert getattr(settings.operational, option) == value
    assert getattr(Operational(), option) != value
    assert named(option) in settings.effective()


@pytest.mark.parametrize("option", SAMPLES)
def test_what_is_told_of_a_setting_reads_back(option: str) -> None:
    settings = read_settings({named(option): SAMPLES[option][0]}, CATALOG)
    again = read_settings(settings.effective(), CATALOG)
    assert again.operational == settings.operational
    assert again.digest == settings.digest


def test_nothing_set_is_audit() -> None:
    settings = read_settings({"PATH": "/bin", "WEBSITE_INSTANCE_ID": "x"}, CATALOG)
    assert settings == Settings()
    assert modes(settings) == {Mode.AUDIT}
    assert settings.effective() == {"AIRLOCK_MODE": "audit"}


@pytest.mark.parametrize(
    "environment, mode",
    [
        ({}, Mode.AUDIT),
        ({"AIRLOCK_MODE": "enforce"}, Mode.ENFORCE),
        ({"AIRLOCK_MODE": "off"}, Mode.OFF),
        ({"AIRLOCK_DISABLE_SFTP": "enforce"}, Mode.ENFORCE),
        ({"AIRLOCK_MODE": "enforce", "AIRLOCK_DISABLE_SFTP": "audit"}, Mode.AUDIT),
        ({"AIRLOCK_MODE": "enforce", "AIRLOCK_DISABLE_SFTP": "off"}, Mode.OFF),
        ({"AIRLOCK_DISABLE_SFTP": "off", "AIRLOCK_DISABLE_SFTP_STORAGE": "enforce"}, Mode.ENFORCE),
        ({"AIRLOCK_DISABLE_SFTP": "enforce", "AIRLOCK_DISABLE_SFTP_STORAGE": "audit"}, Mode.AUDIT),
        ({"AIRLOCK_MODE": "off", "AIRLOCK_DISABLE_SFTP_STORAGE": "enforce"}, Mode.OFF),
        ({"AIRLOCK_MODE": "enforce", "AIRLOCK_TYPO": "1"}, Mode.AUDIT),
        ({"AIRLOCK_DISABLE_SFTP_STORAGE": "enforce", "AIRLOCK_TYPO": "1"}, Mode.AUDIT),
        ({"AIRLOCK_DISABLE_SFTP": "off", "AIRLOCK_TYPO": "1"}, Mode.OFF),
        ({"AIRLOCK_MODE": "off", "AIRLOCK_TYPO": "1"}, Mode.OFF),
    ],
)
def test_the_mode_that_counts(environment: Mapping[str, str], mode: Mode) -> None:
    assert read_settings(environment, CATALOGUE).mode_of(REMEDIATION, RULE) is mode


ROTATE = next(each for each in CATALOG.responses if each.name == "rotate-exposed-keys")


@pytest.mark.parametrize(
    "environment, accounts, search",
    [
        ({}, "audit", "audit"),
        ({"AIRLOCK_MODE": "enforce"}, "enforce", "enforce"),
        ({"AIRLOCK_MODE": "off"}, "off", "off"),
        ({"AIRLOCK_ROTATE_EXPOSED_KEYS": "enforce"}, "enforce", "enforce"),
        ({"AIRLOCK_MODE": "enforce", "AIRLOCK_ROTATE_EXPOSED_KEYS": "audit"}, "audit", "audit"),
        ({"AIRLOCK_MODE": "enforce", "AIRLOCK_ROTATE_EXPOSED_KEYS": "off"}, "off", "off"),
        ({"AIRLOCK_ROTATE_EXPOSED_KEYS_SEARCH": "enforce"}, "audit", "enforce"),
        ({"AIRLOCK_MODE": "enforce", "AIRLOCK_ROTATE_EXPOSED_KEYS_SEARCH": "off"}, "enforce", "off"),
        ({"AIRLOCK_ROTATE_EXPOSED_KEYS": "off", "AIRLOCK_ROTATE_EXPOSED_KEYS_SEARCH": "enforce"}, "off", "enforce"),
        ({"AIRLOCK_ROTATE_EXPOSED_KEYS": "enforce", "AIRLOCK_ROTATE_EXPOSED_KEYS_SEARCH": "audit"}, "enforce", "audit"),
        ({"AIRLOCK_ROTATE_EXPOSED_KEYS_COGNITIVE_ACCOUNTS": "enforce"}, "enforce", "audit"),
        # Off wins over everything.
        ({"AIRLOCK_MODE": "off", "AIRLOCK_ROTATE_EXPOSED_KEYS": "enforce"}, "off", "off"),
        ({"AIRLOCK_MODE": "off", "AIRLOCK_ROTATE_EXPOSED_KEYS_SEARCH": "enforce"}, "off", "off"),
        # With a problem anywhere nothing enforces, and what is off stays off.
        ({"AIRLOCK_MODE": "enforce", "AIRLOCK_TYPO": "1"}, "audit", "audit"),
        ({"AIRLOCK_ROTATE_EXPOSED_KEYS_SEARCH": "enforce", "AIRLOCK_TYPO": "1"}, "audit", "audit"),
        ({"AIRLOCK_MODE": "enforce", "AIRLOCK_ROTATE_EXPOSED_KEYS": "on"}, "audit", "audit"),
        ({"AIRLOCK_MODE": "enforce", "AIRLOCK_ROTATE_EXPOSED_KEYS": "off", "AIRLOCK_TYPO": "1"}, "off", "off"),
        ({"AIRLOCK_MODE": "off", "AIRLOCK_TYPO": "1"}, "off", "off"),
        # The switches of others are theirs.
        ({"AIRLOCK_TAG_INCIDENT": "enforce", "AIRLOCK_ENFORCE_TLS": "enforce"}, "audit", "audit"),
    ],
)
def test_the_mode_of_a_response(environment: Mapping[str, str], accounts: str, search: str) -> None:
    settings = read_settings(environment, CATALOG)
    assert settings.mode_for(ROTATE, COGNITIVE_ACCOUNTS).value == accounts
    assert settings.mode_for(ROTATE, SEARCH).value == search


def acts_with_types() -> Iterator[tuple[Remediation | Response, ResourceType]]:
    """Everything that can be switched, with each type that it can be switched for."""
    for remediation in CATALOG.remediations:
        yield from ((remediation, rule.type) for rule in remediation.rules)
    for response in CATALOG.responses:
        yield from ((response, kind) for kind in response.types)


def test_every_switch_turns_its_own_act_and_no_other() -> None:
    """Remediations and responses share one space of names: none may be another's name with a type behind it."""
    pairs = tuple(acts_with_types())
    for name in switches(CATALOG):
        settings = read_settings({name: "enforce"}, CATALOG)
        assert settings.problems == ()
        turned = {(act.name, kind.name) for act, kind in pairs if settings.mode_for(act, kind) is Mode.ENFORCE}
        own = {(act.name, kind.name) for act, kind in pairs if name in {switch(act), f"{switch(act)}_{kind.suffix}"}}
        assert turned == own, name
        assert len({act for act, _ in turned}) == 1, name


def test_every_switch_is_spelt_by_its_act() -> None:
    spelt = {f"AIRLOCK_{act.name.upper().replace('-', '_')}" for act, _ in acts_with_types()}
    suffixed = {f"AIRLOCK_{act.name.upper().replace('-', '_')}_{kind.suffix}" for act, kind in acts_with_types()}
    assert {*switches(CATALOG)} == spelt | suffixed
    assert not spelt & suffixed
    assert not (spelt | suffixed) & {named(option.name) for option in fields(Operational)}


@given(st.dictionaries(st.sampled_from(tuple(switches(CATALOG))), st.sampled_from(["off", "audit", "enforce"])))
def test_off_wins_over_any_switches(chosen: Mapping[str, str]) -> None:
    off = read_settings({**chosen, "AIRLOCK_MODE": "off"}, CATALOG)
    broken = read_settings({**chosen, "AIRLOCK_MODE": "enforce", "AIRLOCK_TYPO": "1"}, CATALOG)
    whole = read_settings({**chosen, "AIRLOCK_MODE": "enforce"}, CATALOG)
    for act, kind in acts_with_types():
        assert off.mode_for(act, kind) is Mode.OFF
        wanted = whole.mode_for(act, kind)
        assert broken.mode_for(act, kind) is (Mode.AUDIT if wanted is Mode.ENFORCE else wanted)


@pytest.mark.parametrize(
    "name, text",
    [
        ("AIRLOCK_TENANT_ID", "contoso.com"),
        ("AIRLOCK_TENANT_ID", "common"),
        ("AIRLOCK_TENANT_ID", "99999999-8888-7777-6666-55555555555"),
        ("AIRLOCK_OPERATOR_AUDIENCE", "airlock"),
        ("AIRLOCK_OPERATOR_AUDIENCE", "api://"),
        ("AIRLOCK_OPERATOR_AUDIENCE", "https://airlock.contoso.com"),
        ("AIRLOCK_OPERATOR_AUDIENCE", "api://a b"),
        ("AIRLOCK_ENTRA_ENDPOINT", ""),
        ("AIRLOCK_ENTRA_ENDPOINT", "http://login.microsoftonline.com"),
    ],
)
def test_who_may_operate_is_said_exactly_or_not_at_all(name: str, text: str) -> None:
    settings = read_settings({"AIRLOCK_MODE": "enforce", name: text}, CATALOG)
    assert [problem.partition(":")[0] for problem in settings.problems] == [name]
    assert settings.operational == Operational()


def test_without_tenant_or_audience_nobody_may_operate() -> None:
    settings = read_settings({"AIRLOCK_TENANT_ID": "", "AIRLOCK_OPERATOR_AUDIENCE": " "}, CATALOG)
    assert settings == Settings()


@given(environments)
def test_any_environment_is_read(environment: Mapping[str, str]) -> None:
    settings = read_settings(environment, CATALOG)
    given_ = {name for name in environment if name.upper().startswith("AIRLOCK_")}
    if given_ - set(NAMES):
        assert settings.problems
    if settings.problems:
        assert Mode.ENFORCE not in modes(settings)
    if environment.get("AIRLOCK_MODE", "").strip().lower() == "off":
        assert modes(settings) == {Mode.OFF}
    assert settings.digest == read_settings(environment, CATALOG).digest
    assert isinstance(settings.baseline, Baseline)


@given(st.sampled_from(NAMES), texts)
def test_a_value_that_is_not_understood_enforces_nothing(name: str, text: str) -> None:
    settings = read_settings({"AIRLOCK_MODE": "enforce", name: text}, CATALOG)
    if settings.problems:
        assert [problem.partition(":")[0] for problem in settings.problems] == [name]
        assert Mode.ENFORCE not in modes(settings)


@pytest.mark.parametrize(
    "name, nearest",
    [
        ("AIRLOCK_MOD", "AIRLOCK_MODE"),
        ("airlock_mode", "AIRLOCK_MODE"),
        ("AIRLOCK_ENFORCE_TSL", "AIRLOCK_ENFORCE_TLS"),
        ("AIRLOCK_ENFORCE_TLS_STORAGES", "AIRLOCK_ENFORCE_TLS_STORAGE"),
        ("AIRLOCK_DISABLE_LOCAL_AUTHENTICATION_SEARCHES", "AIRLOCK_DISABLE_LOCAL_AUTHENTICATION_SEARCH"),
        ("AIRLOCK_ALLOW_LIST", "AIRLOCK_ALLOW_LISTS"),
    ],
)
def test_an_unknown_name_is_told_with_the_nearest(name: str, nearest: str) -> None:
    (problem,) = read_settings({name: "enforce"}, CATALOG).problems
    assert problem == f"{name} is not a setting of Airlock; the nearest is {nearest}"


@given(st.builds("AIRLOCK_{}".format, st.text(string.ascii_uppercase + "_", max_size=20)))
def test_every_unknown_name_is_told_with_a_valid_one(name: str) -> None:
    for problem in read_settings({name: "x"}, CATALOG).problems:
        assert name in problem
        assert name in NAMES or problem.rpartition(" ")[2] in NAMES


@pytest.mark.parametrize(
    "option, texts_",
    [
        ("mode", ["", "on", "enforced", "audit;enforce", "1", "true"]),
        ("quiet_seconds", ["", "-1", "301", "30s", "1.5", "1e2", "9" * 5000, "²", "true"]),
        ("lease_seconds", ["", "4", "3601", "0x20"]),
        ("grace_seconds", ["", "-1", "601"]),
        ("min_ipv4_prefix", ["", "0", "33", "/8"]),
        ("allow_isolation", ["", "maybe", "2", "truee"]),
        ("allow_lists", ["", "none"]),
        ("allow_list_keys", ["", "all"]),
        ("exemption_tags", ["", "enabled"]),
        (
            "arm_endpoint",
            ["", "http://management.azure.com", "management.azure.com", "https://a b", "https://a?x", "https://a#x"],
        ),
        ("logs_endpoint", ["", "http://dce", "https://"]),
        ("key_vault_uri", ["http://kv", "kv.vault.azure.net", "https://", "https://kv/?api-version=x", "https://u@kv"]),
        ("alerts_topic", ["http://contoso", "contoso.eventgrid.azure.net", "https://contoso/api/events?sig=x"]),
        ("notify_topic", ["http://contoso", "contoso.eventgrid.azure.net", "https://contoso/api/events?sig=x"]),
        ("arm_endpoint", ["https://", "https:///", "https://a\nb", "https://user@a", "https://a\x00b"]),
        ("enforce_tls", ["", "on", "true"]),
        ("enforce_tls_storage", ["", "yes"]),
        ("rotate_exposed_keys", ["", "on", "true"]),
        ("rotate_exposed_keys_search", ["", "yes"]),
    ],
)
def test_values_that_are_not_understood(option: str, texts_: list[str]) -> None:
    for text in texts_:
        settings = read_settings({"AIRLOCK_ENFORCE_TLS": "enforce", named(option): text}, CATALOG)
        assert [problem.partition(":")[0] for problem in settings.problems] == [named(option)], repr(text)
        assert Mode.ENFORCE not in modes(settings)
        assert len(settings.problems[0]) < 200


@pytest.mark.parametrize("option", ["key_vault_uri", "alerts_topic", "notify_topic", "app", "logs_query_endpoint"])
def test_an_empty_topic_or_vault_is_none(option: str) -> None:
    """A template sets what it has no value for to nothing."""
    assert read_settings({named(option): " "}, CATALOG) == Settings()


def test_problems_are_told_together_and_in_order() -> None:
    settings = read_settings({"AIRLOCK_Z": "1", "AIRLOCK_MODE": "on", "AIRLOCK_QUIET_SECONDS": "soon"}, CATALOG)
    assert settings.problems == (
        "AIRLOCK_MODE: wants off, audit or enforce",
        "AIRLOCK_QUIET_SECONDS: wants a whole number from 0 to 300",
        settings.problems[2],
    )
    assert settings.problems[2].startswith("AIRLOCK_Z is not")


def test_what_rules_and_guards_see() -> None:
    environment = {
        "AIRLOCK_ALLOW_LISTS": "no",
        "AIRLOCK_ALLOW_ISOLATION": "yes",
        "AIRLOCK_MIN_IPV4_PREFIX": "24",
        "AIRLOCK_OWN_RESOURCES": "Stairlock",
    }
    assert read_settings(environment, CATALOG).baseline == Baseline(
        allow_lists=False, allow_isolation=True, min_ipv4_prefix=24, protected=frozenset({"stairlock"})
    )


def test_the_digest_changes_with_every_effective_setting_and_problem() -> None:
    environments_ = [
        {},
        {"AIRLOCK_MODE": "enforce"},
        {"AIRLOCK_TYPO": "1"},
        *({name: "off"} for name in switches(CATALOG)),
        *({named(option): text} for option, (text, _) in SAMPLES.items()),
    ]
    digests = [read_settings(environment, CATALOG).digest for environment in environments_]
    assert len(set(digests)) == len(environments_)
    assert all(re.fullmatch(r"[0-9a-f]{12}", digest) for digest in digests)


def test_a_setting_at_its_default_is_not_told() -> None:
    assert read_settings({"AIRLOCK_QUIET_SECONDS": "30", "AIRLOCK_MODE": "audit"}, CATALOG).digest == Settings().digest


def test_switches_of_a_remediation() -> None:
    assert switch(REMEDIATION) == "AIRLOCK_DISABLE_SFTP"
    assert list(switches(CATALOGUE)) == ["AIRLOCK_DISABLE_SFTP", "AIRLOCK_DISABLE_SFTP_STORAGE"]


CONNECTION = "DefaultEndpointsProtocol=https;AccountName=StAirlock;AccountKey=c2VjcmV0;EndpointSuffix=core.windows.net"


@pytest.mark.parametrize(
    "environment, storage, own",
    [
        ({}, HostStorage(), set()),
        (
            {"AzureWebJobsStorage__accountName": "StAirlock"},
            HostStorage(
                "StAirlock",
                "https://StAirlock.table.core.windows.net",
                "https://StAirlock.queue.core.windows.net",
                "https://StAirlock.blob.core.windows.net",
            ),
            {"stairlock"},
        ),
        (
            {
                "AzureWebJobsStorage__tableServiceUri": "https://sttables.table.core.windows.net",
                "AzureWebJobsStorage__queueServiceUri": "https://stqueues.queue.core.windows.net/",
            },
            HostStorage("", "https://sttables.table.core.windows.net", "https://stqueues.queue.core.windows.net/"),
            {"sttables", "stqueues"},
        ),
        ({"AzureWebJobsStorage": CONNECTION}, HostStorage(connection=CONNECTION), {"stairlock"}),
        (
            {"AzureWebJobsStorage": "UseDevelopmentStorage=true"},
            HostStorage(connection="UseDevelopmentStorage=true"),
            set(),
        ),
        ({"WEBSITE_SITE_NAME": "Func-Airlock"}, HostStorage(), {"func-airlock"}),
    ],
)
def test_the_storage_of_the_host_is_our_own(
    environment: Mapping[str, str], storage: HostStorage, own: set[str]
) -> None:
    assert read_host_storage(environment) == storage
    kind = "microsoft.web/sites" if "WEBSITE_SITE_NAME" in environment else "microsoft.storage/storageaccounts"
    typed = {f"{kind}/{name}" for name in own}
    assert read_settings(environment, CATALOG).operational.own_resources == typed


@pytest.mark.parametrize(
    "environment",
    [
        {"AzureWebJobsStorage__tableServiceUri": "HTTPS://StAirlock.table.core.windows.net"},
        {"AzureWebJobsStorage": CONNECTION.replace("AccountName", "accountname")},
        {"AzureWebJobsStorage": CONNECTION.replace("AccountName", " AccountName")},
        {"AzureWebJobsStorage__blobServiceUri": "https://stairlock.blob.core.windows.net"},
    ],
)
def test_the_storage_of_the_host_is_our_own_in_every_spelling(environment: Mapping[str, str]) -> None:
    own = read_settings(environment, CATALOG).operational.own_resources
    assert "microsoft.storage/storageaccounts/stairlock" in own


def test_own_resources_add_to_what_the_host_tells() -> None:
    environment = {"WEBSITE_SITE_NAME": "func", "AIRLOCK_OWN_RESOURCES": "kv"}
    assert read_settings(environment, CATALOG).operational.own_resources == {"microsoft.web/sites/func", "kv"}


def test_a_connection_string_is_never_shown() -> None:
    environment = {"AzureWebJobsStorage": CONNECTION}
    settings = read_settings(environment, CATALOG)
    assert "c2VjcmV0" not in f"{read_host_storage(environment)!r} {settings!r} {settings.effective()}"


def test_settings_by_hand_have_no_overrides() -> None:
    assert replace(Settings(), mode=Mode.ENFORCE).mode_of(REMEDIATION, RULE) is Mode.ENFORCE


@pytest.mark.parametrize(
    "chosen, told",
    [
        ({"AIRLOCK_MODE": "enforce"}, True),
        ({"AIRLOCK_ENFORCE_TLS": "enforce"}, True),
        ({"AIRLOCK_MODE": "enforce", "AIRLOCK_LOGS_RULE": "dcr-1"}, True),
        (
            {"AIRLOCK_MODE": "enforce", "AIRLOCK_LOGS_RULE": "dcr-1", "AIRLOCK_LOGS_ENDPOINT": "https://x.example"},
            False,
        ),
        ({"AIRLOCK_MODE": "audit"}, False),
        ({}, False),
    ],
)
def test_nothing_enforces_while_records_have_nowhere_to_go(chosen: dict[str, str], told: bool) -> None:  # noqa: FBT001 # a column
    settings = with_log(read_settings(chosen, load_catalogue()))
    assert [problem for problem in settings.problems if "AIRLOCK_LOGS_ENDPOINT" in problem] == list(settings.problems)
    assert bool(settings.problems) is told
    remediations = load_catalogue().remediations
    modes = {settings.mode_of(each, rule) for each in remediations for rule in each.rules}
    assert (Mode.ENFORCE in modes) is (not told and chosen.get("AIRLOCK_MODE") == "enforce")
