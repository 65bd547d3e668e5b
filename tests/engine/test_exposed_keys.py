"""Keys that were found in public, from the event on the topic to new keys and a record.

A run costs more than what is played in it, so what needs the same settings is played in one, with an account for each.
"""

import base64
import json
import re
import zlib
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

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


def unpacked(data: bytes) -> list[bytes]:
    """The bytes of a file, and everything in it that is compressed as the ledger compresses: in Base64, behind `eJ`."""
    found = [data]
    for packed in re.findall(rb"eJ[A-Za-z0-9+/]{32,}", data):
        with suppress(zlib.error):  # letters that only look like a beginning
            found.append(zlib.decompressobj().decompress(base64.b64decode(packed[: len(packed) // 4 * 4])))
    return found


def rotations(running: Running, body: Body) -> tuple[int, int]:
    """How often the primary and the secondary key of the account were regenerated."""
    counted = running.azure.arm.regenerations
    primary, secondary = slots(body)
    return counted[str(body["id"]).lower(), primary], counted[str(body["id"]).lower(), secondary]


def keys_told(running: Running, body: Body, rule: str = "AIR-101") -> list[tuple[str, str]]:
    """What the records say of each key."""
    rows = [row for row in running.records(body) if str(row.get("Ref")) == rule]
    return [(str(row["Changes"][0]["path"]), str(row["Outcome"])) for row in rows]


def regenerating(name: str, **how: Any) -> Fault:  # noqa: ANN401 - fields of Fault
    """A fault that meets regenerations of that account's keys alone."""
    return Fault(service="arm", method="POST", path_contains=f"accounts/{name}/regenerateKey", **how)


def listing(name: str, **how: Any) -> Fault:  # noqa: ANN401 - fields of Fault
    """A fault that meets requests for that account's keys alone."""
    return Fault(service="arm", method="POST", path_contains=f"accounts/{name}/listKeys", **how)


def leak(running: Running, body: Body, slot: str | None = None, event_id: str = "") -> Body:
    """The event about the key that the account has now, its primary one unless another is named."""
    key = running.azure.key_of(str(body["id"]), slot or slots(body)[0])
    return exposed(key, body, event_id or f"leak-{body['name']}")


def outcomes(running: Running, *bodies: Body) -> dict[str, set[str]]:
    """What the records say of the keys of each account, by its name."""
    return {str(body["name"]): {outcome for _, outcome in keys_told(running, body)} for body in bodies}


def told_of(running: Running, event_id: str) -> list[Body]:
    """The records of the event that no rule or response is named in."""
    return [row for row in running.records_of("SecretExposed") if row["SignalId"] == event_id]


class TestRotation:
    async def test_the_account_that_the_key_opens_gets_new_keys_and_then_does_without(self) -> None:
        bodies = [
            each
            for which in (0, 1)
            for each in (account(f"oai{which}"), search(f"srch{which}"), sound_storage(f"st{which}"))
        ]
        async with airlock(bodies) as running:
            keys = {
                str(body["name"]): running.azure.key_of(body["id"], slots(body)[which])
                for which in (0, 1)
                for body in bodies
                if str(body["name"]).endswith(str(which))
            }
            await running.tell(*(exposed(keys[body["name"]], body, f"leak-{body['name']}") for body in bodies))
            for body in bodies:
                name = str(body["name"])
                assert rotations(running, body) == (1, 1), name
                assert keys[name] not in {running.azure.key_of(body["id"], slot) for slot in slots(body)}, name
                assert {outcome for _, outcome in keys_told(running, body)} == {"Fixed"}, name
                rows = [row for row in running.records(body) if row.get("Ref") == "AIR-101"]
                assert all(len(row["Evidence"]["deadKey"]) == 12 for row in rows), name
                assert {row["SignalKind"] for row in rows} == {"SecretExposed"}, name
                live = running.live(body)
                assert live.get("disableLocalAuth") is True or live.get("allowSharedKeyAccess") is False, name
            assert_chained(running.azure.logs.rows)
            self.assert_the_secondary_goes_first_and_keys_before_they_are_turned_off(running, bodies[0])
            self.assert_query_keys_of_a_search_service_are_told_to_survive(running, bodies[1])

    def assert_the_secondary_goes_first_and_keys_before_they_are_turned_off(self, running: Running, body: Body) -> None:
        assert [path for path, _ in keys_told(running, body)] == ["keys.Key2", "keys.Key1"]
        own = [line for line in running.writes() if f"{line}/".partition(" ")[2].startswith(f"{body['id']}/")]
        writes = [line.rpartition("/")[2] for line in own]
        assert writes.index("regenerateKey") < writes.index(str(body["name"]))

    def assert_query_keys_of_a_search_service_are_told_to_survive(self, running: Running, body: Body) -> None:
        rows = [row for row in running.records(body) if row.get("Ref") == "AIR-101"]
        assert rows[0]["Evidence"]["survivingQueryKeys"] == ["(default)", "reporting"]

    async def test_keys_that_are_told_of_again_and_alerts_that_rotate(self) -> None:
        twice, stolen, off = account("twice"), account("stolen"), account("off", disableLocalAuth=True)
        kept = account("kept", customSubDomainName=None)  # so that its keys stay on
        stolen["tags"] = off["tags"] = PRE_APPROVED
        reports = {name: alert(body, name=f"1_{name}") for name, body in (("stolen", stolen), ("off", off))}
        async with airlock([twice, kept, stolen, off]) as running:
            await self.assert_told_twice_it_rotates_once(running, twice)
            await self.assert_a_second_rotation_within_a_day_waits_for_a_person(running, kept)
            for report in reports.values():
                running.azure.report_alert(report)
            await running.tell(*(told(report, name) for name, report in reports.items()))
            self.assert_a_stolen_key_is_regenerated_where_the_owner_approved_it_beforehand(running, stolen)
            self.assert_keys_that_are_off_are_not_asked_for(running, off)

    async def assert_told_twice_it_rotates_once(self, running: Running, body: Body) -> None:
        event = leak(running, body)
        await running.tell(event)
        before = running.records()
        await running.tell(event, event | {"id": "leak-event-2"})
        assert rotations(running, body) == (1, 1)
        assert running.records() == before

    async def assert_a_second_rotation_within_a_day_waits_for_a_person(self, running: Running, body: Body) -> None:
        await running.tell(leak(running, body))
        await running.tell(leak(running, body))
        assert rotations(running, body) == (1, 1)
        assert [outcome for _, outcome in keys_told(running, body)] == ["Fixed"] * 2 + ["AwaitingApproval"] * 2

    def assert_a_stolen_key_is_regenerated_where_the_owner_approved_it_beforehand(
        self, running: Running, body: Body
    ) -> None:
        assert rotations(running, body) == (1, 1)
        assert running.live(body)["publicNetworkAccess"] == "Disabled"

    def assert_keys_that_are_off_are_not_asked_for(self, running: Running, body: Body) -> None:
        assert not [line for line in running.writes() if f"{body['id']}/" in line and "Keys" in line]
        assert keys_told(running, body) == []

    async def test_a_bad_answer_does_not_make_a_key_be_regenerated_twice(self) -> None:
        again = [
            regenerating("throttled", status=429, headers={"Retry-After": "1"}),
            regenerating("failed-after", status=500, after_effect=True),
            regenerating("lost-answer", kind="reset", after_effect=True),
            regenerating("lost-second-answer", kind="reset", after_effect=True, skip=1),
            listing("list-failed", status=503, skip=1),
        ]
        denied = {"status": 403, "code": "AuthorizationFailed"}
        refusing = [
            regenerating("refused", times=2, **denied),
            regenerating("unseen", status=500, after_effect=True),
            listing("unseen", skip=2, times=None, **denied),
        ]
        bodies = [account(fault.path_contains.split("/")[1]) for fault in again]
        refused, unseen = account("refused"), account("unseen")
        async with airlock([*bodies, refused, unseen], *again, *refusing) as running:
            await running.tell(*(leak(running, body) for body in (*bodies, refused, unseen)))
            assert {body["name"]: rotations(running, body) for body in bodies} == {
                body["name"]: (1, 1) for body in bodies
            }
            assert outcomes(running, *bodies) == {body["name"]: {"Fixed"} for body in bodies}
            assert_chained(running.azure.logs.rows)
            # A regeneration that ARM refuses is recorded and counts for nothing.
            assert [outcome for _, outcome in keys_told(running, refused)] == ["Refused"] * 2
            assert rotations(running, refused) == (0, 0)
            # One that cannot be seen ends unconfirmed.
            assert outcomes(running, unseen) == {"unseen": {"Unconfirmed"}}
            assert rotations(running, unseen) == (0, 1)


class TestSearch:
    async def test_the_account_is_found_among_all_by_its_current_key(self) -> None:
        others: Sequence[Body] = [account(f"oai{number}") for number in range(3)]
        wanted, unscoped = search(), sound_storage("stother", tags={})
        async with airlock([*others, wanted, sound_storage(), unscoped], settings=ALL) as running:
            await running.tell(exposed(running.azure.key_of(wanted["id"], "primary")))
            assert rotations(running, wanted) == (1, 1)
            assert sum(running.azure.arm.regenerations.values()) == 2
            outside = running.azure.key_of(unscoped["id"], "key1")
            await running.tell(exposed("0" * 32, event_id="no key"), exposed(outside, event_id="outside"))
            for event_id in ("no key", "outside"):
                assert told_of(running, event_id), event_id
                for row in told_of(running, event_id):
                    assert (row["Outcome"], row["ReasonCode"]) == ("Refused", "secret.no-match"), event_id
                    assert str(row["Reason"]).startswith("no current key matches"), event_id
            assert running.azure.arm.regenerations.total() == 2

    async def test_pages_of_accounts_and_accounts_without_keys_are_passed_through(self) -> None:
        others = [account(f"oai{number}", disableLocalAuth=number % 2 == 0) for number in range(5)]
        paged = ArmConfig(operation_seconds=0.05, page_size=2)
        async with airlock(others, settings=ALL, arm=paged) as running:
            await running.tell(exposed(running.azure.key_of(others[3]["id"], "key2")))
            assert rotations(running, others[3]) == (1, 1)

    async def test_what_may_not_be_searched_for_or_is_no_key_is_said_and_brings_no_request(self) -> None:
        body, own = account(), account("own")
        unreadable: dict[str, Body] = {
            "empty": {},
            "no hash": {"sha256": "x"},
            "no resource": {"sha256": "a" * 64, "resourceId": "/../x"},
        }
        async with airlock([body, own], settings={"AIRLOCK_OWN_RESOURCES": "own"}) as running:
            await running.tell(*(exposed("x", event_id=name) | {"data": data} for name, data in unreadable.items()))
            assert running.outcomes() == {"Unreadable": len(unreadable)}
            told_by = [str(row["SignalId"]) for row in running.records() if row["Outcome"] == "Unreadable"]
            assert sorted(told_by) == sorted(unreadable)
            # Nobody may search for the key, so it is refused with what to do.
            await running.tell(exposed(running.azure.key_of(body["id"], "key1"), event_id="search"))
            (row,) = told_of(running, "search")
            assert (row["Outcome"], row["ReasonCode"]) == ("Refused", "secret.search-off")
            assert "AIRLOCK_ALLOW_LIST_KEYS" in str(row["Reason"])
            # A resource that is our own keeps its keys and shows them to nobody.
            await running.tell(leak(running, own))
            (row,) = told_of(running, "leak-own")
            assert (row["Outcome"], row["ReasonCode"]) == ("Refused", "secret.no-match")
            assert "never changes it" in str(row["Reason"])
            assert running.writes() == []

    async def test_audit_mode_lists_no_key(self) -> None:
        body = account()
        async with airlock([body], mode="audit", settings=ALL) as running:
            await running.tell(exposed(running.azure.key_of(body["id"], "key1"), body))
            (row,) = running.records_of("SecretExposed")
            assert row["Outcome"] == "Audited"
            assert running.writes() == []


class TestVault:
    async def test_the_vault_has_a_key_that_works_before_the_primary_dies(self) -> None:
        slow, shut, down = (account(name, customSubDomainName=None) for name in ("slow", "shut", "down"))
        names = {body["name"]: secret_name(parse_arm_id(body["id"])) for body in (slow, shut, down)}
        hung = regenerating("slow", kind="hang", skip=1, seconds=0.5)
        denied = Fault(
            service="vault", method="PUT", path_contains=names["shut"], times=None, status=403, code="Forbidden"
        )
        away = Fault(service="vault", method="PUT", path_contains=names["down"], times=2, status=503)
        async with airlock([slow, shut, down], hung, denied, away, vault=True) as running:
            await running.tell(*(leak(running, body) for body in (slow, shut, down)))
            assert running.azure.vault.versions(names["slow"]) == [running.azure.key_of(slow["id"], "key2")]
            rows = [row for row in running.records(slow) if row.get("Ref") == "AIR-101"]
            assert rows[-1]["Evidence"]["publishedAs"] == names["slow"]
            # A vault that takes nothing keeps the primary alive; one that is down is tried again.
            assert rotations(running, shut) == (0, 1)
            assert keys_told(running, shut) == [("keys.Key2", "Fixed"), ("keys.Key1", "Refused")]
            assert rotations(running, down) == (1, 1)
            assert outcomes(running, down) == {"down": {"Fixed"}}


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
            # The ledger and the queue; the hash itself waits in the queue with its event.
            stored = [part for path in running.azure.directory.iterdir() for part in unpacked(path.read_bytes())]
            assert len(stored) > 10
            assert not [secret for secret in planted if any(secret.encode() in part for part in stored)]
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
