"""From an alert in any of its forms to one Alert: whatever the object, an alert or a sentence."""

import json
import time
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.alert import Alert, AlertStatus, essence, is_alert, parse_alert
from shared.domain.arm_id import ArmId, parse_arm_id
from shared.domain.body import Json, JsonObject, as_object, overlay
from shared.domain.remediation import Severity
from tests.domain.events import CLOUD_EVENT, DATA, EVENT, LONG, NOTIFICATION, spelt_out
from tests.domain.making import arm_ids
from tests.hostile import NASTY, anything, places, put
from tests.tracing import untraced

SUBSCRIPTION = "11111111-2222-3333-4444-555555555555"
GROUP = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg-ai-prod"
ACCOUNT = f"{GROUP}/providers/Microsoft.CognitiveServices/accounts/aoai-prod-weu"
NAME = "2518298467986649999_4d25bfef-2d77-4a08-adc0-3e35715cc92a"
ALERT_ID = f"{GROUP}/providers/Microsoft.Security/locations/westeurope/alerts/{NAME}"
LINK = (
    f"https://portal.azure.com/#blade/Microsoft_Azure_Security_AzureDefenderForData/AlertBlade/alertId/{NAME}"
    f"/subscriptionId/{SUBSCRIPTION}/resourceGroup/rg-ai-prod/referencedFrom/alertDeepLink/location/westeurope"
)
SUSPICIOUS = "AI.Azure_AccessFromSuspiciousIP"
TITLE = "Suspicious IP access detected"

ARM: JsonObject = {
    "id": ALERT_ID,
    "name": NAME,
    "type": "Microsoft.Security/Locations/alerts",
    "properties": {
        "version": "2022-01-01",
        "alertType": SUSPICIOUS,
        "systemAlertId": NAME,
        "alertDisplayName": TITLE,
        "severity": "High",
        "intent": "Execution, Reconnaissance",
        "startTimeUtc": "2026-11-23T11:00:00.1234567Z",
        "endTimeUtc": "2026-11-23T11:30:00Z",
        "resourceIdentifiers": [
            {"azureResourceId": ACCOUNT, "type": "AzureResource"},
            {"workspaceId": "w-1", "workspaceSubscriptionId": SUBSCRIPTION, "type": "LogAnalytics"},
        ],
        "status": "Active",
        "alertUri": LINK,
        "entities": [
            {"address": "203.0.113.9", "location": {"countryCode": "gb", "asn": 6584}, "type": "ip"},
            {"name": "dana", "upnSuffix": "contoso.com", "type": "account"},
        ],
        "isIncident": False,
        "extendedProperties": {"effectiveAzureResourceId": ACCOUNT, "clientPort": 944},
        "compromisedEntity": "aoai-prod-weu",
    },
}
EXPORT: JsonObject = {
    "VendorName": "Microsoft",
    "AlertType": SUSPICIOUS,
    "StartTimeUtc": "2026-11-23T11:00:00.123456Z",
    "EndTimeUtc": "2026-11-23T11:30:00Z",
    "Severity": "High",
    "Status": "New",
    "IsIncident": False,
    "SystemAlertId": NAME,
    "Intent": "Execution, Reconnaissance",
    "AzureResourceId": ACCOUNT,
    "WorkspaceId": None,
    "AlertDisplayName": TITLE,
    "Entities": [
        {
            "$id": "4",
            "CloudResource": {"$id": "5", "ResourceId": ACCOUNT, "Metadata": {"x": True}, "Type": "azure-resource"},
            "Type": "ai-model-deployment",
        },
        {"$ref": "5"},
        {"$id": "6", "SourceAddress": {"$id": "7", "Address": "203.0.113.9", "Type": "ip"}, "Type": "network"},
        {"$id": "8", "Name": "dana", "UPNSuffix": "contoso.com", "Host": {"$ref": "4"}, "Type": "account"},
    ],
    "ExtendedProperties": {"EffectiveAzureResourceId": ACCOUNT, "Client port": "944", "Nothing": None},
    "ResourceIdentifiers": [
        {"$id": "2", "AzureResourceId": ACCOUNT, "Type": "AzureResource", "AzureResourceTenantId": "t-1"},
        {"$id": "3", "AadTenantId": "t-1", "Type": "AAD"},
    ],
    "AlertUri": LINK,
}
WORKFLOW: JsonObject = {
    "VendorName": "Microsoft",
    "AlertType": SUSPICIOUS,
    "StartTimeUtc": "2026-11-23T11:00:00.123456",
    "EndTimeUtc": "2026-11-23T11:30:00",
    "Severity": "High",
    "Status": "New",
    "SystemAlertId": NAME,
    "AzureResourceId": ACCOUNT,
    "AzureResourceSubscriptionId": SUBSCRIPTION,
    "WorkspaceId": "w-1",
    "Intent": "Execution, Reconnaissance",
    "AlertDisplayName": TITLE,
    "ExtendedProperties": {"Process Path": "c:\\temp\\svchost.exe", "PID": 944},
    "Entities": [{"Type": "Ip", "Address": "203.0.113.9"}, {"Type": "account", "Name": "dana@contoso.com"}],
    "ResourceIdentifiers": [],
}
ACTIVITY: JsonObject = {
    "correlationId": NAME,
    "eventName": {"value": TITLE, "localizedValue": TITLE},
    "category": {"value": "Security", "localizedValue": "Security"},
    "eventTimestamp": "2026-11-23T11:00:00.123456Z",
    "id": f"{ALERT_ID}/events/{NAME}/ticks/637128967568010350",
    "level": "Informational",
    "operationName": {"value": "Microsoft.Security/locations/alerts/activate/action", "localizedValue": "Activate"},
    "resourceId": ALERT_ID,
    "status": {"value": "Active", "localizedValue": "Active"},
    "properties": {"severity": "High", "intent": '["Execution", "Reconnaissance"]', "compromisedEntity": "aoai-prod"},
}
ROW: JsonObject = {
    "TenantId": "w-1",
    "DisplayName": TITLE,
    "AlertName": TITLE,
    "AlertSeverity": "High",
    "AlertType": SUSPICIOUS,
    "VendorOriginalId": NAME,
    "SystemAlertId": "50396c5f-2cb6-9d2f-e601-9f430bf17869",
    "ResourceId": f"/SUBSCRIPTIONS/{SUBSCRIPTION}/RESOURCEGROUPS/rg-ai-prod{ACCOUNT.removeprefix(GROUP)}",
    "StartTime": "2026-11-23 11:00:00.123456+00:00",
    "EndTime": "2026-11-23 11:30:00+00:00",
    "ExtendedProperties": json.dumps({"EffectiveAzureResourceId": ACCOUNT}),
    "Entities": json.dumps([{"$id": "3", "Address": "203.0.113.9", "Type": "ip"}]),
    "IsIncident": "True",
    "AlertLink": LINK,
    "Status": "New",
    "Tactics": "Execution, Reconnaissance",
    "Type": "SecurityAlert",
}
FORMS = {"arm": ARM, "export": EXPORT, "workflow": WORKFLOW, "activity": ACTIVITY, "row": ROW}


def with_properties(**members: Json) -> JsonObject:
    return as_object(overlay(ARM, {"properties": members}))


def exported(**members: Json) -> JsonObject:
    return EXPORT | members


def same_alert(left: Alert, right: Alert) -> bool:
    """Whether both agree in all that a queue message has to keep."""
    return told(left) == told(right) and right.resources == left.resources[: len(right.resources)]


def told(alert: Alert) -> tuple[object, ...]:
    return alert.name, alert.id, alert.type, alert.severity, alert.status, alert.is_open


@pytest.mark.parametrize("form", FORMS)
def test_every_form_tells_the_same_alert(form: str) -> None:
    assert is_alert(FORMS[form])
    alert = parse_alert(FORMS[form])
    assert (alert.name, alert.title, alert.severity) == (NAME, TITLE, Severity.HIGH)
    assert alert.type == ("" if form == "activity" else SUSPICIOUS)
    assert (alert.status, alert.is_open) == (AlertStatus.ACTIVE, True)
    assert alert.intent == ("Execution", "Reconnaissance")
    assert alert.started == datetime(2026, 11, 23, 11, 0, 0, 123456, UTC)
    assert alert.unusable == ()
    assert alert.is_incident is (form == "row")


@pytest.mark.parametrize("form", ["arm", "export", "activity", "row"])
def test_where_arm_has_the_alert(form: str) -> None:
    assert parse_alert(FORMS[form]).id == parse_arm_id(ALERT_ID)


@pytest.mark.parametrize("form", ["arm", "export", "workflow", "row"])
def test_whom_it_is_about_and_where_from(form: str) -> None:
    alert = parse_alert(FORMS[form])
    assert [resource.key for resource in alert.resources] == [ACCOUNT.lower()]
    assert alert.addresses == ("203.0.113.9",)
    assert alert.accounts == (() if form == "row" else ("dana@contoso.com",))
    assert alert.ended == datetime(2026, 11, 23, 11, 30, tzinfo=UTC)


def test_the_activity_log_does_not_name_the_resource() -> None:
    alert = parse_alert(ACTIVITY)
    assert (alert.resources, alert.ended) == ((), None)
    assert alert.extended is not None
    assert alert.extended["compromisedEntity"] == "aoai-prod"


def test_extended_properties_become_texts() -> None:
    assert parse_alert(ARM).extended == {"effectiveAzureResourceId": ACCOUNT, "clientPort": "944"}
    assert parse_alert(EXPORT).extended == {"EffectiveAzureResourceId": ACCOUNT, "Client port": "944"}
    assert parse_alert(exported(ExtendedProperties={"a": {"b": [True]}})).extended == {"a": '{"b": [true]}'}
    assert parse_alert(exported(ExtendedProperties="{")).extended is None


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("spell", [str.upper, str.lower])
def test_names_of_properties_are_compared_without_case(form: str, spell: type[str]) -> None:
    def respelt(value: Json) -> Json:
        match value:
            case dict():
                return {spell(name): respelt(child) for name, child in value.items()}
            case list():
                return [respelt(item) for item in value]
            case _:
                return value

    respelt_form = as_object(respelt(FORMS[form]))
    assert told(parse_alert(respelt_form)) == told(parse_alert(FORMS[form]))
    assert parse_alert(respelt_form).resources == parse_alert(FORMS[form]).resources


@pytest.mark.parametrize(
    "data",
    [
        {},
        EVENT,
        CLOUD_EVENT,
        NOTIFICATION,
        DATA,
        as_object(NOTIFICATION["data"]),
        DATA | {"operationName": "Microsoft.Security/locations/alerts/dismiss/action", "properties": {}},
        DATA | {"operationName": "Microsoft.Security/locations/alerts/activate/action"},
        ARM | {"type": "Microsoft.Security/assessments"},
        ARM | {"type": None},
        ARM | {"properties": None},
        ACTIVITY | {"properties": "{}"},
        EXPORT | {"SystemAlertId": ""},
        EXPORT | {"AlertType": None},
        {"type": "object", "properties": {"SystemAlertId": {"type": "string"}}},
        {"event": EXPORT},
        {"records": [EXPORT]},
    ],
)
def test_what_is_no_alert(data: JsonObject) -> None:
    assert not is_alert(data)
    with pytest.raises(ValueError, match="no alert"):
        parse_alert(data)
    with pytest.raises(ValueError, match="no alert"):
        parse_alert(essence(data))


@pytest.mark.parametrize("name", [None, "", " ", "\n", 7, []])
def test_an_alert_without_a_name_is_refused(name: Json) -> None:
    nameless = with_properties(systemAlertId=name) | {"id": None, "name": name, "properties": {}}
    for data in (nameless, essence(nameless)):
        assert is_alert(data)
        with pytest.raises(ValueError, match="has no name"):
            parse_alert(data)


@pytest.mark.parametrize(
    "word, severity",
    [
        ("Informational", Severity.INFO),
        ("low", Severity.LOW),
        (" Medium ", Severity.MEDIUM),
        ("HIGH", Severity.HIGH),
        ("Critical", Severity.MEDIUM),
        ("", Severity.MEDIUM),
        (None, Severity.MEDIUM),
        (4, Severity.MEDIUM),
    ],
)
def test_severity(word: Json, severity: Severity) -> None:
    assert parse_alert(with_properties(severity=word)).severity is severity
    assert parse_alert(exported(Severity=word)).severity is severity
    assert parse_alert(ROW | {"AlertSeverity": word}).severity is severity


@pytest.mark.parametrize(
    "word, status",
    [
        ("New", AlertStatus.ACTIVE),
        ("active", AlertStatus.ACTIVE),
        ("InProgress", AlertStatus.IN_PROGRESS),
        ("In Progress", AlertStatus.IN_PROGRESS),
        ("Resolved", AlertStatus.RESOLVED),
        ("Dismissed", AlertStatus.DISMISSED),
        ("Reopened?", AlertStatus.DISMISSED),
        (7, AlertStatus.DISMISSED),
        (["Active"], AlertStatus.DISMISSED),
    ],
)
def test_status(word: Json, status: AlertStatus) -> None:
    for data in (with_properties(status=word), exported(Status=word), ACTIVITY | {"status": {"value": word}}):
        alert = parse_alert(data)
        assert alert.status is status
        assert alert.is_open is (status in {AlertStatus.ACTIVE, AlertStatus.IN_PROGRESS})


@pytest.mark.parametrize("absent", [None, ""])
def test_an_event_without_a_status_is_of_a_new_alert_but_arm_tells_it_always(absent: Json) -> None:
    assert parse_alert(exported(Status=absent)).is_open
    assert parse_alert(ROW | {"Status": absent}).is_open
    assert parse_alert(ACTIVITY | {"status": absent}).is_open
    assert not parse_alert(with_properties(status=absent)).is_open


@pytest.mark.parametrize(
    "intent, expected",
    [
        ("Persistence", ("Persistence",)),
        ("Persistence,CredentialAccess, Persistence", ("Persistence", "CredentialAccess")),
        ('["Persistence", 7, ""]', ("Persistence",)),
        (["Persistence", None], ("Persistence",)),
        ("[" * 100_000, ("[" * 128,)),
        ("forged\nline", ("forged line",)),
        (None, ()),
        (7, ()),
        ({}, ()),
    ],
)
def test_intent(intent: Json, expected: tuple[str, ...]) -> None:
    assert parse_alert(exported(Intent=intent)).intent == expected


@pytest.mark.parametrize(
    "text, moment",
    [
        ("2026-11-23T11:00:00.0000000Z", datetime(2026, 11, 23, 11, tzinfo=UTC)),
        ("2026-11-23T13:00:00+02:00", datetime(2026, 11, 23, 11, tzinfo=UTC)),
        ("2099-11-23T11:00:00", datetime(2099, 11, 23, 11, tzinfo=UTC)),
        ("9999-12-31T23:59:59-23:59", None),
        ("0001-01-01T00:00:00+23:59", None),
        ("yesterday", None),
        ("\ud800", None),
        ("x" * 1_000_000, None),
        (1_700_000_000, None),
        (None, None),
    ],
)
def test_times(text: Json, moment: datetime | None) -> None:
    alert = parse_alert(exported(StartTimeUtc=text, EndTimeUtc=text))
    assert (alert.started, alert.ended) == (moment, moment)


@pytest.mark.parametrize(
    "address, expected",
    [
        ("203.0.113.9", ("203.0.113.9",)),
        ("2001:DB8:0::1", ("2001:db8::1",)),
        ("::ffff:203.0.113.9", ("203.0.113.9",)),
        ("fe80::1%eth0\nforged", ()),
        ("203.0.113.9:443", ()),
        ("<script>", ()),
        ("1" * 1_000_000, ()),
        (7, ()),
        (None, ()),
    ],
)
def test_addresses(address: Json, expected: tuple[str, ...]) -> None:
    for entity in ({"Type": "ip", "Address": address}, {"type": "IP", "address": address}):
        assert parse_alert(exported(Entities=[entity, entity])).addresses == expected
    assert parse_alert(exported(Entities=[{"Type": "host", "Address": address}])).addresses == ()


@pytest.mark.parametrize(
    "account, expected",
    [
        ({"Name": "dana", "UPNSuffix": "contoso.com"}, ("dana@contoso.com",)),
        ({"name": "dana@contoso.com", "upnSuffix": "contoso.com"}, ("dana@contoso.com",)),
        ({"Name": "dana"}, ("dana",)),
        ({"AadUserId": "object-1", "DisplayName": "Dana"}, ("object-1",)),
        ({"Name": 7, "Sid": "S-1-5-21"}, ("S-1-5-21",)),
        ({"Name": "dana\r\nforged"}, ("dana forged",)),
        ({"Name": "a1" * 16}, ("[redacted]",)),
        ({}, ()),
    ],
)
def test_accounts(account: JsonObject, expected: tuple[str, ...]) -> None:
    assert parse_alert(exported(Entities=[account | {"Type": "account"}])).accounts == expected
    assert parse_alert(exported(Entities=[account | {"Type": "process"}])).accounts == ()


def test_resources_come_in_the_order_of_trust_and_each_once() -> None:
    named = [f"{GROUP}/providers/Microsoft.Storage/storageAccounts/st{number}" for number in range(7)]
    alert = parse_alert(
        exported(
            ResourceIdentifiers=[
                {"Type": "AzureResource", "AzureResourceId": named[0]},
                {"Type": "AzureResource", "ResourceId": named[1]},
                {"Type": "AAD", "AzureResourceId": f"{named[1]}ignored"},
            ],
            AzureResourceId=named[2],
            ResourceId=named[3],
            ExtendedProperties={"EffectiveAzureResourceId": named[4]},
            Entities=[
                {"Type": "azure-resource", "ResourceId": named[5]},
                {
                    "Type": "azure-resource",
                    "ResourceId": named[0].upper().replace("/SUBSCRIPTIONS/", "/subscriptions/"),
                },
                {"Type": "host", "ResourceId": f"{named[1]}ignored"},
                {"type": "x", "cloudResource": {"resourceId": named[6]}},
            ],
        )
    )
    # What entities mention beside them took part, and is not what the alert is about.
    assert [resource.path for resource in alert.resources] == named[:5]


def test_where_the_alert_names_no_resource_its_entities_do() -> None:
    named = [f"{GROUP}/providers/Microsoft.Storage/storageAccounts/st{number}" for number in range(2)]
    entities: list[Json] = [
        {"Type": "azure-resource", "ResourceId": named[0]},
        {"Type": "azure-resource", "ResourceId": named[0].upper().replace("/SUBSCRIPTIONS/", "/subscriptions/")},
        {"Type": "host", "ResourceId": f"{named[1]}ignored"},
        {"type": "x", "cloudResource": {"resourceId": named[1]}},
    ]
    bare = exported(ResourceIdentifiers=[], AzureResourceId=None, ExtendedProperties={}, Entities=entities)
    assert [resource.path for resource in parse_alert(bare).resources] == named


def test_a_resource_may_be_in_the_entities_alone() -> None:
    bare = exported(ResourceIdentifiers=None, AzureResourceId=None, ExtendedProperties=None)
    assert [resource.path for resource in parse_alert(bare).resources] == [ACCOUNT]


def test_a_resource_may_be_in_the_extended_properties_alone() -> None:
    bare = ROW | {"ResourceId": "", "Entities": ""}
    assert [resource.path for resource in parse_alert(bare).resources] == [ACCOUNT]


@pytest.mark.parametrize(
    "trick",
    [
        f"{ACCOUNT}/../secret-name",
        f"{ACCOUNT}/secret-name/..",
        f"{ACCOUNT}%2fsecret-name",
        f"{ACCOUNT}?secret-name=1",
        f"{ACCOUNT}#secret-name",
        "https://secret-name.example/",
        f"https://secret-name.example{ACCOUNT}",
        "/providers/Microsoft.Management/managementGroups/secret-name",
        "secret-name",
        f"{ACCOUNT}\nsecret-name",
        f"/subscriptions/{'secret-name' * 1_000}",
    ],
)
def test_a_malformed_resource_is_told_in_a_sentence_that_does_not_repeat_it(trick: str) -> None:
    for data in (
        exported(AzureResourceId=trick, Entities=[{"Type": "azure-resource", "ResourceId": trick}]),
        with_properties(resourceIdentifiers=[{"type": "AzureResource", "azureResourceId": trick}] * 2),
    ):
        alert = parse_alert(data)
        assert [resource.path for resource in alert.resources] == [ACCOUNT]
        assert len(alert.unusable) == 1
        assert "ARM id" in alert.unusable[0]
        assert "secret-name" not in alert.unusable[0]


def link(
    name: str = NAME, subscription: str = SUBSCRIPTION, group: str = "rg-ai-prod", location: str = "westeurope"
) -> str:
    return (
        f"https://portal.azure.com/#blade/X/AlertBlade/alertId/{name}/subscriptionId/{subscription}"
        f"/resourceGroup/{group}/referencedFrom/alertDeepLink/location/{location}"
    )


@pytest.mark.parametrize(
    "uri, path",
    [
        (link(), ALERT_ID),
        (link(name=NAME.upper()), ALERT_ID),
        (link().replace(f"/subscriptionId/{SUBSCRIPTION}/resourceGroup/rg-ai-prod", ""), ALERT_ID),
        (link(group=""), ALERT_ID),
        (link(subscription="s-2", group=""), f"/subscriptions/s-2{ALERT_ID.removeprefix(GROUP)}"),
        (link(subscription="s-2", group="g"), f"/subscriptions/s-2/resourceGroups/g{ALERT_ID.removeprefix(GROUP)}"),
        (f"https://portal.azure.com/#blade/X/alertId/{NAME}/location/westeurope", ALERT_ID),
    ],
)
def test_an_export_tells_its_place_in_its_link(uri: str, path: str) -> None:
    alert = parse_alert(exported(AlertUri=uri))
    assert alert.id == parse_arm_id(path)
    assert alert.unusable == ()


@pytest.mark.parametrize(
    "uri", [None, "", 7, "https://portal.azure.com", link().partition("/location")[0], link() + "/"]
)
def test_an_export_without_a_location_has_no_id(uri: Json) -> None:
    alert = parse_alert(exported(AlertUri=uri))
    assert (alert.name, alert.id, alert.unusable) == (NAME, None, ())


@pytest.mark.parametrize(
    "uri",
    [
        link(name="another"),
        link(subscription="s_1"),
        link(subscription="%2e%2e"),
        link(group=".."),
        link(group="rg%2Fproviders"),
        link(group="rg?x"),
        link(location=".."),
        link(location="west%2feurope"),
        link(location="."),
        link(location="westeurope\nforged"),
        link(location="l" * 3_000),
    ],
)
def test_a_forged_link_makes_no_id(uri: str) -> None:
    alert = parse_alert(exported(AlertUri=uri))
    assert alert.id is None
    assert len(alert.unusable) == 1


@pytest.mark.parametrize("name", ["..", "a%2fb", "a?b", "a#b", "a\nb", "a" * 300])
def test_a_forged_name_makes_no_id(name: str) -> None:
    alert = parse_alert(exported(SystemAlertId=name, AlertUri=link(name=name)))
    assert alert.id is None
    assert "\n" not in alert.name
    assert len(alert.name) <= 128


@pytest.mark.parametrize(
    "claimed",
    [
        ACCOUNT,
        GROUP,
        f"{GROUP}/providers/Microsoft.Security/locations/westeurope",
        f"{ALERT_ID}/events/e",
        f"{ACCOUNT}/providers/Microsoft.Security/locations/westeurope/alerts/{NAME}",
        f"{ALERT_ID}/../x",
        f"{ALERT_ID}?x=1",
        f"https://management.azure.com{ALERT_ID}",
    ],
)
def test_an_id_that_is_no_alert_s_is_none(claimed: str) -> None:
    alert = parse_alert(ARM | {"id": claimed})
    assert (alert.id, alert.name) == (None, NAME)
    assert len(alert.unusable) == 1
    assert [resource.path for resource in alert.resources] == [ACCOUNT]


def test_the_name_is_the_one_that_arm_has_it_under() -> None:
    alert = parse_alert(ARM | {"name": "another"})
    assert alert.id is not None
    assert alert.name == alert.id.name == NAME


def test_an_alert_may_lie_under_its_subscription() -> None:
    path = ALERT_ID.replace("/resourceGroups/rg-ai-prod", "")
    assert parse_alert(ARM | {"id": path}).id == parse_arm_id(path)


@pytest.mark.parametrize(
    "members",
    [
        {"resourceId": None},
        {"resourceId": None, "id": f"{ALERT_ID}/events/{NAME}"},
        {"resourceId": None, "id": ALERT_ID},
        {"id": None},
        {"id": f"{GROUP}/x"},
        {"resourceId": ALERT_ID.upper().replace(NAME.upper(), NAME)},
        {"operationName": "MICROSOFT.SECURITY/LOCATIONS/ALERTS/ACTIVATE/ACTION"},
        {"correlationId": None},
    ],
)
def test_the_activity_log_tells_the_place_in_two_ways(members: JsonObject) -> None:
    alert = parse_alert(ACTIVITY | members)
    assert alert.id is not None
    assert (alert.name, alert.id.key, alert.unusable) == (NAME, ALERT_ID.lower(), ())


def test_a_group_may_be_called_events() -> None:
    path = ALERT_ID.replace("rg-ai-prod", "events")
    entry = ACTIVITY | {"resourceId": None, "id": f"{path}/events/{NAME}/ticks/1"}
    assert parse_alert(entry).id == parse_arm_id(path)


def test_a_row_that_sentinel_has_not_named_again_is_known_by_its_system_id() -> None:
    alert = parse_alert(ROW | {"VendorOriginalId": "", "SystemAlertId": NAME})
    assert alert.id == parse_arm_id(ALERT_ID)


def test_the_old_api_has_other_names() -> None:
    properties: JsonObject = {
        "alertName": "Network_TrafficFromUnrecommendedIP",
        "alertDisplayName": TITLE,
        "reportedSeverity": "Low",
        "state": "Active",
        "associatedResource": ACCOUNT,
        "detectedTimeUtc": "2023-07-01T18:34:03",
    }
    alert = parse_alert(ARM | {"properties": properties})
    assert (alert.type, alert.title) == ("Network_TrafficFromUnrecommendedIP", TITLE)
    assert (alert.severity, alert.is_open) == (Severity.LOW, True)
    assert [resource.path for resource in alert.resources] == [ACCOUNT]
    assert alert.started == datetime(2023, 7, 1, 18, 34, 3, tzinfo=UTC)


def test_references_may_lead_anywhere_and_in_circles() -> None:
    entities: list[Json] = [
        {"$ref": "1"},
        {"$id": "1", "$ref": "2"},
        {"$id": "2", "$ref": "1", "Host": {"$ref": "2"}},
        {"$ref": {"$ref": []}},
        {"$id": "3", "Type": "azure-resource", "ResourceId": {"$ref": "3"}},
        {"$ref": "9"},
        {"$id": "9", "Type": "x", "Inner": [[{"$id": "10", "Type": "azure-resource", "ResourceId": f"{ACCOUNT}2"}]]},
    ]
    bare = exported(ResourceIdentifiers=[], AzureResourceId=None, ExtendedProperties={}, Entities=entities)
    assert [resource.path for resource in parse_alert(bare).resources] == [f"{ACCOUNT}2"]


def test_ten_thousand_entities_are_read_in_bounded_time() -> None:
    entities: list[Json] = []
    for number in range(10_000):
        resource = f"{GROUP}/providers/Microsoft.Storage/storageAccounts/st{number}"
        entities += [
            {"$id": f"{number}", "Type": "ip", "Address": f"203.0.{number // 256}.{number % 256}"},
            {"Type": "account", "Name": f"dana{number}"},
            {"Type": "azure-resource", "ResourceId": resource},
            {"Type": "azure-resource", "ResourceId": "/" * (2_049 + number % 100)},
        ]
    extended: JsonObject = {f"property {number}": "x" * 1_000 for number in range(1_000)}
    intent = ",".join(map(str, range(10_000)))
    data = exported(Entities=entities, ResourceIdentifiers=entities, ExtendedProperties=extended, Intent=intent)
    began = time.perf_counter()
    alert = parse_alert(data)
    assert time.perf_counter() - began < 2
    assert (len(alert.resources), len(alert.addresses), len(alert.accounts)) == (32, 64, 32)
    assert (len(alert.unusable), len(alert.intent)) == (16, 32)
    assert alert.extended is not None
    assert len(alert.extended) == 32
    assert_short(alert)
    assert same_alert(alert, parse_alert(essence(data)))


def test_no_secret_is_read_from_extended_properties_accounts_or_titles() -> None:
    key = "4f" * 16
    connection = "DefaultEndpointsProtocol=https;AccountKey=hunter2;x"
    alert = parse_alert(
        exported(
            ExtendedProperties={"Key": key, key: "x", "Command": connection, "Deep": {"a": [key]}},
            Entities=[{"Type": "account", "Name": key}],
            AlertDisplayName=f"Key {key} leaked",
        )
    )
    for secret in (key, "hunter2"):
        assert secret not in repr(alert)
        assert secret not in json.dumps(essence(exported(AlertDisplayName=f"Key {key} leaked")))


def nested(depth: int) -> Json:
    value: Json = []
    for level in range(depth):
        value = {"a": value} if level % 2 else [value]
    return value


@pytest.mark.parametrize("form", FORMS)
def test_no_value_in_any_field_is_without_an_answer(form: str) -> None:
    deep = nested(100_000)
    nasties: tuple[Json, ...] = (*NASTY, "[" * 100_000, "x" * 1_000_000, 10**5_000, [10**5_000])
    with untraced():
        for place in places(FORMS[form]):
            for nasty in (*nasties, deep):
                answered(as_object(put(FORMS[form], place, nasty)))


def test_the_answer_to_a_nasty_object_is_quick_and_short() -> None:
    for name in ("ExtendedProperties", "Entities", "ResourceIdentifiers"):
        assert_short(parse_alert(exported(**{name: nested(100_000)})))
        assert_short(parse_alert(exported(**{name: json.dumps("[" * 100_000)})))


@st.composite
def hostile_alerts(draw: st.DrawFn) -> JsonObject:
    alert: Json = draw(st.sampled_from(list(FORMS.values())))
    for place in draw(st.lists(st.sampled_from(list(places(alert))), max_size=4)):
        alert = put(alert, place, draw(anything | st.sampled_from([*LONG, LINK, ACCOUNT, ALERT_ID])))
    return as_object(alert)


@given(hostile_alerts())
def test_a_hostile_alert_has_an_answer(data: JsonObject) -> None:
    answered(as_object(spelt_out(data)))


@given(st.dictionaries(st.sampled_from([*ARM, *EXPORT, *ACTIVITY, *ROW]) | st.text(max_size=6), anything, max_size=8))
def test_any_object_has_an_answer(data: JsonObject) -> None:
    answered(data)
    answered(ARM | data)
    answered(EXPORT | data)


def answered(data: JsonObject) -> None:
    """That the object is an alert within its bounds or is refused in a sentence, and so is its essence."""
    kept = essence(data)
    assert len(json.dumps(kept)) < 16 * 1024
    try:
        alert = parse_alert(data)
    except ValueError:
        reason = "the alert has no name" if is_alert(data) else "the object is no alert in any form that Defender has"
        for refused in (data, kept):
            with pytest.raises(ValueError, match=f"^{reason}$"):
                parse_alert(refused)
        return
    assert is_alert(data)
    assert_short(alert)
    for again in (parse_alert(kept), parse_alert(essence(kept))):
        assert same_alert(alert, again)


def assert_short(alert: Alert) -> None:
    extended = [text for pair in (alert.extended or {}).items() for text in pair]
    texts = [alert.name, alert.type, alert.title, *alert.intent, *alert.unusable, *alert.addresses, *alert.accounts]
    for text in (*texts, *extended):
        assert isinstance(text, str)
        assert len(text) <= 260
        assert not set(text) & set(map(chr, range(32)))
        text.encode()  # no half of a surrogate pair is left
    assert len(alert.resources) == len({resource.key for resource in alert.resources}) <= 32
    for moment in (alert.started, alert.ended):
        assert moment is None or moment.utcoffset() == timedelta(0)
    assert alert.id is None or parse_arm_id(alert.id.path) == alert.id
    assert all(parse_arm_id(resource.path) == resource for resource in alert.resources)


@given(st.lists(arm_ids, min_size=1, max_size=12), st.sampled_from(["arm", "export"]))
def test_an_essence_keeps_all_resources_that_azure_could_name(resources: list[ArmId], form: str) -> None:
    listed: list[Json] = [{"type": "AzureResource", "azureResourceId": resource.path} for resource in resources]
    place = ("properties", "resourceIdentifiers") if form == "arm" else ("ResourceIdentifiers",)
    data = as_object(put(FORMS[form], place, listed))
    alert = parse_alert(data)
    assert parse_alert(essence(data)).resources == alert.resources


def test_an_essence_is_small_even_if_every_letter_is_spelt_out() -> None:
    wide = "\U0001d538" * 260
    group = f"/subscriptions/{'s' * 64}/resourceGroups/{wide}"
    resources: list[Json] = [
        {"type": "AzureResource", "azureResourceId": f"{group}/providers/Microsoft.X/{wide}/{wide}/y/n{number}"}
        for number in range(32)
    ]
    data = with_properties(alertType=wide, alertDisplayName=wide, resourceIdentifiers=resources) | {
        "id": f"{group}/providers/Microsoft.Security/locations/{wide}/alerts/{wide}"
    }
    answered(data)
    answered(data | {"id": None, "name": wide})


@pytest.mark.parametrize("form", FORMS)
def test_the_essence_is_an_alert_as_arm_answers_it(form: str) -> None:
    alert, again = parse_alert(FORMS[form]), parse_alert(essence(FORMS[form]))
    assert told(again) == told(alert)
    assert (again.resources, again.title, again.is_incident) == (alert.resources, alert.title, alert.is_incident)
