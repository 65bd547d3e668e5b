"""Keys that were found in public, from the event on the topic to new keys and a record."""

import json
from collections.abc import Sequence

import pytest

from local.arm.service import ArmConfig
from local.contoso import GROUP
from local.faults import Fault
from shared.domain.arm_id import parse_arm_id
from shared.domain.vault import secret_name
from tests.engine.alerts import alert, exposed, told
from tests.engine.running import Body, Running, account, airlock, assert_chained, storage

ALL = {"AIRLOCK_ALLOW_LIST_KEYS": "true"}
PRE_APPROVED = {"airlock-containment": "auto"}


def search(name: str = "srch", **properties: object) -> Body:
    """A search service that takes keys and tokens."""
    own: Body = {
        "provisioningState": "succeeded",
        "status": "running",
        "publicNetworkAccess": "disabled",
        "disableLocalAuth": False,
        "authOptions": {"aadOrApiKey": {"aadAuthFailureMode": "http403"}},
        "privateEndpointConnections": [],
    }
    return {
        "id": f"{GROUP}/Microsoft.Search/searchServices/{name}",
        "name": name,
        "type": "Microsoft.Search/searchServices",
        "location": "westeurope",
        "sku": {"name": "standard"},
        "tags": {},
        "properties": own | properties,
    }


def sound_storage(name: str = "stdata", tags: dict[str, str] | None = None, **properties: object) -> Body:
    own = {"minimumTlsVersion": "TLS1_2", "supportsHttpsTrafficOnly": True, "allowSharedKeyAccess": True}
    return storage(name, tags, **own | properties)


def slots(body: Body) -> tuple[str, str]:
    """The primary and the secondary key's slot."""
    return ("primary", "secondary") if "Search" in body["type"] else ("key1", "key2")


def rotations(running: Running, body: Body) -> tuple[int, int]:
    """How often the primary and the secondary key of the account were regenerated."""
    counted = running.azure.arm.regenerations
    primary, secondary = slots(body)
    return counted[str(body["id"]).lower(), primary], counted[str(body["id"]).lower(), secondary]


def keys_told(running: Running, body: Body, rule: str = "AIR-101") -> list[tuple[str, str]]:
    """What the records say of each key."""
    rows = [row for row in running.records(body) if str(row.get("Ref")) == rule]
    return [(str(row["Changes"][0]["path"]), str(row["Outcome"])) for row in rows]


class TestRotation:
    @pytest.mark.parametrize("body", [account(), search(), sound_storage()], ids=lambda body: body["name"])
    @pytest.mark.parametrize("which", [0, 1], ids=["primary", "secondary"])
    async def test_the_account_that_the_key_opens_gets_new_keys_and_then_does_without(
        self, body: Body, which: int
    ) -> None:
        async with airlock([body]) as running:
            key = running.azure.key_of(body["id"], slots(body)[which])
            await running.tell(exposed(key, body))
            assert rotations(running, body) == (1, 1)
            assert key not in {running.azure.key_of(body["id"], slot) for slot in slots(body)}
            assert {outcome for _, outcome in keys_told(running, body)} == {"Fixed"}
            rows = [row for row in running.records(body) if row.get("Ref") == "AIR-101"]
            assert all(len(row["Evidence"]["deadKey"]) == 12 for row in rows)
            assert {row["SignalKind"] for row in rows} == {"SecretExposed"}
            live = running.live(body)
            assert live.get("disableLocalAuth") is True or live.get("allowSharedKeyAccess") is False
            assert_chained(running.azure.logs.rows)

    async def test_the_secondary_goes_first_and_keys_before_they_are_turned_off(self) -> None:
        body = account()
        async with airlock([body]) as running:
            await running.tell(exposed(running.azure.key_of(body["id"], "key1"), body))
            assert [path for path, _ in keys_told(running, body)] == ["keys.Key2", "keys.Key1"]
            writes = [line.rpartition("/")[2] for line in running.writes()]
            assert writes.index("regenerateKey") < writes.index("oai")

    async def test_query_keys_of_a_search_service_are_told_to_survive(self) -> None:
        body = search()
        async with airlock([body]) as running:
            await running.tell(exposed(running.azure.key_of(body["id"], "primary"), body))
            rows = [row for row in running.records(body) if row.get("Ref") == "AIR-101"]
            assert rows[0]["Evidence"]["survivingQueryKeys"] == ["(default)", "reporting"]

    async def test_told_twice_it_rotates_once(self) -> None:
        body = account()
        async with airlock([body]) as running:
            event = exposed(running.azure.key_of(body["id"], "key1"), body)
            await running.tell(event)
            before = running.records()
            await running.tell(event, event | {"id": "leak-event-2"})
            assert rotations(running, body) == (1, 1)
            assert running.records() == before

    async def test_a_second_rotation_within_a_day_waits_for_a_person(self) -> None:
        body = account(customSubDomainName=None)  # so that its keys stay on
        async with airlock([body]) as running:
            await running.tell(exposed(running.azure.key_of(body["id"], "key1"), body))
            await running.tell(exposed(running.azure.key_of(body["id"], "key1"), body))
            assert rotations(running, body) == (1, 1)
            assert [outcome for _, outcome in keys_told(running, body)] == ["Fixed"] * 2 + ["AwaitingApproval"] * 2

    async def test_a_resource_that_is_our_own_keeps_its_keys(self) -> None:
        body = account()
        async with airlock([body], settings={"AIRLOCK_OWN_RESOURCES": "oai"}) as running:
            await running.tell(exposed(running.azure.key_of(body["id"], "key1"), body))
            assert rotations(running, body) == (0, 0)
            assert dict.fromkeys(outcome for _, outcome in keys_told(running, body)) == {"Refused": None}

    async def test_a_regeneration_that_arm_refuses_is_recorded_and_counts_for_nothing(self) -> None:
        body = account()
        denied = Fault(
            service="arm", method="POST", path_contains="regenerateKey", times=2, status=403, code="AuthorizationFailed"
        )
        async with airlock([body], denied) as running:
            event = exposed(running.azure.key_of(body["id"], "key1"), body)
            await running.tell(event)
            assert [outcome for _, outcome in keys_told(running, body)] == ["Refused"] * 2
            assert rotations(running, body) == (0, 0)

    @pytest.mark.parametrize(
        "again",
        [
            Fault(
                service="arm", method="POST", path_contains="regenerateKey", status=429, headers={"Retry-After": "1"}
            ),
            Fault(service="arm", method="POST", path_contains="regenerateKey", status=500, after_effect=True),
            Fault(service="arm", method="POST", path_contains="regenerateKey", kind="reset", after_effect=True),
            Fault(service="arm", method="POST", path_contains="regenerateKey", kind="reset", after_effect=True, skip=1),
            Fault(service="arm", method="POST", path_contains="listKeys", status=503, skip=1),
        ],
        ids=["throttled", "failed after", "lost answer", "lost second answer", "list failed"],
    )
    async def test_a_bad_answer_does_not_make_a_key_be_regenerated_twice(self, again: Fault) -> None:
        body = account()
        async with airlock([body], again) as running:
            await running.tell(exposed(running.azure.key_of(body["id"], "key1"), body))
            assert rotations(running, body) == (1, 1)
            assert {outcome for _, outcome in keys_told(running, body)} == {"Fixed"}
            assert_chained(running.azure.logs.rows)

    async def test_a_regeneration_that_cannot_be_seen_ends_unconfirmed(self) -> None:
        body = account()
        lost = Fault(service="arm", method="POST", path_contains="regenerateKey", status=500, after_effect=True)
        denied = Fault(
            service="arm",
            method="POST",
            path_contains="listKeys",
            skip=2,
            times=None,
            status=403,
            code="AuthorizationFailed",
        )
        async with airlock([body], lost, denied) as running:
            await running.tell(exposed(running.azure.key_of(body["id"], "key1"), body))
            assert {outcome for _, outcome in keys_told(running, body)} == {"Unconfirmed"}
            assert rotations(running, body) == (0, 1)


class TestSearch:
    async def test_the_account_is_found_among_all_by_its_current_key(self) -> None:
        others: Sequence[Body] = [account(f"oai{number}") for number in range(3)]
        wanted = search()
        async with airlock([*others, wanted, sound_storage()], settings=ALL) as running:
            await running.tell(exposed(running.azure.key_of(wanted["id"], "primary")))
            assert rotations(running, wanted) == (1, 1)
            assert sum(running.azure.arm.regenerations.values()) == 2

    async def test_pages_of_accounts_and_accounts_without_keys_are_passed_through(self) -> None:
        others = [account(f"oai{number}", disableLocalAuth=number % 2 == 0) for number in range(5)]
        paged = ArmConfig(operation_seconds=0.05, page_size=2)
        async with airlock(others, settings=ALL, arm=paged) as running:
            await running.tell(exposed(running.azure.key_of(others[3]["id"], "key2")))
            assert rotations(running, others[3]) == (1, 1)

    async def test_a_key_that_nobody_may_search_for_is_refused_with_what_to_do(self) -> None:
        body = account()
        async with airlock([body]) as running:
            await running.tell(exposed(running.azure.key_of(body["id"], "key1")))
            (row,) = running.records_of("SecretExposed")
            assert (row["Outcome"], row["ReasonCode"]) == ("Refused", "secret.search-off")
            assert "AIRLOCK_ALLOW_LIST_KEYS" in str(row["Reason"])
            assert running.writes() == []

    async def test_a_key_that_opens_nothing(self) -> None:
        async with airlock([account(), sound_storage(tags={})], settings=ALL) as running:
            outside = running.azure.key_of(sound_storage()["id"], "key1")
            await running.tell(exposed("0" * 32), exposed(outside, event_id="leak-2"))
            for row in running.records_of("SecretExposed"):
                assert (row["Outcome"], row["ReasonCode"]) == ("Refused", "secret.no-match")
                assert str(row["Reason"]).startswith("no current key matches")
            assert not running.azure.arm.regenerations.total()

    async def test_audit_mode_lists_no_key(self) -> None:
        body = account()
        async with airlock([body], mode="audit", settings=ALL) as running:
            await running.tell(exposed(running.azure.key_of(body["id"], "key1"), body))
            (row,) = running.records_of("SecretExposed")
            assert row["Outcome"] == "Audited"
            assert running.writes() == []

    @pytest.mark.parametrize("data", [{}, {"sha256": "x"}, {"sha256": "a" * 64, "resourceId": "/../x"}])
    async def test_an_event_that_names_no_key(self, data: Body) -> None:
        async with airlock([account()]) as running:
            await running.tell(exposed("x") | {"data": data})
            assert running.outcomes() == {"Unreadable": 1}


class TestVault:
    async def test_the_vault_has_a_key_that_works_before_the_primary_dies(self) -> None:
        body = account(customSubDomainName=None)
        hung = Fault(kind="hang", service="arm", method="POST", path_contains="regenerateKey", skip=1, seconds=0.5)
        async with airlock([body], hung, vault=True) as running:
            await running.tell(exposed(running.azure.key_of(body["id"], "key1"), body))
            name = secret_name(parse_arm_id(body["id"]))
            assert running.azure.vault.versions(name) == [running.azure.key_of(body["id"], "key2")]
            rows = [row for row in running.records(body) if row.get("Ref") == "AIR-101"]
            assert rows[-1]["Evidence"]["publishedAs"] == name

    async def test_a_vault_that_takes_nothing_keeps_the_primary_alive(self) -> None:
        body = account(customSubDomainName=None)
        denied = Fault(service="vault", method="PUT", times=None, status=403, code="Forbidden")
        async with airlock([body], denied, vault=True) as running:
            await running.tell(exposed(running.azure.key_of(body["id"], "key1"), body))
            assert rotations(running, body) == (0, 1)
            assert keys_told(running, body) == [("keys.Key2", "Fixed"), ("keys.Key1", "Refused")]

    async def test_a_vault_that_is_down_is_tried_again(self) -> None:
        body = account(customSubDomainName=None)
        down = Fault(service="vault", method="PUT", times=2, status=503)
        async with airlock([body], down, vault=True) as running:
            await running.tell(exposed(running.azure.key_of(body["id"], "key1"), body))
            assert rotations(running, body) == (1, 1)
            assert {outcome for _, outcome in keys_told(running, body)} == {"Fixed"}


class TestAlertsThatRotate:
    async def test_a_stolen_key_is_regenerated_where_the_owner_approved_it_beforehand(self) -> None:
        body = account()
        body["tags"] = PRE_APPROVED
        report = alert(body)
        async with airlock([body]) as running:
            running.azure.report_alert(report)
            await running.tell(told(report))
            assert rotations(running, body) == (1, 1)
            assert running.live(body)["publicNetworkAccess"] == "Disabled"

    async def test_keys_that_are_off_are_not_asked_for(self) -> None:
        body = account(disableLocalAuth=True)
        body["tags"] = PRE_APPROVED
        report = alert(body)
        async with airlock([body]) as running:
            running.azure.report_alert(report)
            await running.tell(told(report))
            assert not [line for line in running.writes() if "Keys" in line]
            assert keys_told(running, body) == []


class TestSecretsNeverLeave:
    """Promise 10, for keys."""

    async def test_no_key_and_no_hash_of_one_is_in_any_record_log_line_file_or_event(self) -> None:
        bodies = [account(), search(), sound_storage()]
        # Listing one account's keys is an event too: it must not turn off keys that another finding is about.
        settings = ALL | {"AIRLOCK_DISABLE_LOCAL_AUTHENTICATION": "audit"}
        async with airlock(bodies, settings=settings, vault=True, notify=True) as running:
            planted = {running.azure.key_of(body["id"], slot) for body in bodies for slot in slots(body)}
            events = [
                exposed(running.azure.key_of(body["id"], slots(body)[0]), event_id=f"leak-{body['name']}")
                for body in bodies
            ]
            await running.tell(*events)
            planted |= {running.azure.key_of(body["id"], slot) for body in bodies for slot in slots(body)}
            planted |= {str(event["data"]["sha256"]) for event in events}
            assert sum(running.azure.arm.regenerations.values()) == 6
            seen = json.dumps(
                [
                    running.azure.logs.rows,
                    [line.message for line in running.logged],
                    running.azure.notifications.events,
                    [event for event in running.raised if event.get("type") != "Airlock.SecretExposed"],
                    [repr(request) for request in running.azure.arm.requests],
                    running.azure.export(),
                ],
                default=str,
            )
            assert not [secret for secret in planted if secret in seen]
