"""What an incident's record keeps: enough to understand it, small whatever is reported, and never a secret."""

import json
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.body import Json, JsonObject, as_list, as_object
from shared.domain.drafting import Scene, Stamp, of_incident
from shared.domain.evidence import cleaned, snapshot
from shared.domain.incident import Incident
from shared.domain.proposal import propose
from shared.domain.record import GENESIS, LONGEST_SEALED, Row, seal
from shared.domain.resource import Resource
from shared.domain.resource_types import COGNITIVE_ACCOUNTS, STORAGE
from shared.domain.response import Children
from shared.domain.secret import digest
from tests.domain.making import NOW, signal
from tests.domain.test_incident import CATALOGUE, KEY, incident, leak, settings_of
from tests.engine.alerts import alert
from tests.hostile import anything, mutated
from tests.remediations import bodies

ACCOUNT = bodies.resource(COGNITIVE_ACCOUNTS, bodies.account())
BUCKET = bodies.resource(STORAGE, bodies.storage())
PATH = ACCOUNT.id.path
GROUP = PATH.rpartition("/providers/")[0]


def deployment(name: str = "gpt", **more: Json) -> JsonObject:
    """A model deployment of the account."""
    own: JsonObject = {"model": {"name": "gpt-4.1"}, "raiPolicyName": "strict", "provisioningState": "Succeeded"}
    return {
        "id": f"{PATH}/deployments/{name}",
        "name": name,
        "sku": {"name": "GlobalStandard", "capacity": 100},
        "properties": own,
        **more,
    }


def evidence(told: Incident, resource: Resource = ACCOUNT, children: Children | None = None) -> JsonObject:
    """The snapshot, with the proposals that the real catalogue makes."""
    found = children or {}
    return snapshot(told, resource, found, propose(resource, told, found, CATALOGUE, settings_of()))


def sealed(told: Incident, resource: Resource = ACCOUNT, children: Children | None = None) -> Row:
    """The incident's record as it is sent."""
    scene = Scene(signal(), Stamp("1.2.3", "0123456789ab"), resource, told, NOW + timedelta(seconds=1))
    return seal(of_incident(scene, evidence(told, resource, children)), resource.id.key, GENESIS)


def assert_whole(row: Row, told: Incident) -> None:
    """The row holds the evidence itself, and not only the word that there was some."""
    assert len(str(row.columns["Sealed"])) <= LONGEST_SEALED
    kept = as_object(row.columns["Evidence"])
    assert kept.get("incident") == told.name, kept.get("cut")
    assert "resource" in kept


class TestWhatIsKept:
    def test_of_an_alert(self) -> None:
        report = alert(
            dict(ACCOUNT.body),
            addresses=("203.0.113.7",),
            entities=[
                {"type": "ip", "address": "203.0.113.7"},
                {"type": "account", "name": "dana", "upnSuffix": "contoso.com"},
            ],
        )
        told = incident(body=report)
        kept = evidence(told, children={"deployments": [deployment()], "raiPolicies": []})
        assert kept["incident"] == "2518298467986649999_4d25bfef"
        reported = as_object(kept["alert"])
        assert (reported["type"], reported["title"]) == ("AI.Azure_AccessFromAnonymizedIP", "Something happened")
        assert (reported["addresses"], reported["resources"]) == (["203.0.113.7"], [PATH])
        assert any("dana" in str(name) for name in as_list(reported["accounts"]))
        assert reported["started"] == reported["ended"] == "2026-11-24T08:00:00+00:00"
        assert kept["atlas"] == [*told.row.atlas]
        assert kept["children"] == {
            "deployments": [
                {
                    "name": "gpt",
                    "sku": {"name": "GlobalStandard", "capacity": 100},
                    "properties.model": {"name": "gpt-4.1"},
                    "properties.raiPolicyName": "strict",
                }
            ],
            "raiPolicies": [],
        }

    def test_of_the_resource_as_it_was_found(self) -> None:
        acls = bodies.acls("Deny", "203.0.113.0/24")
        body = bodies.account(networkAcls=acls, publicNetworkAccess="Enabled", disableLocalAuth=False)
        kept = as_object(evidence(incident(dict(body)), bodies.resource(COGNITIVE_ACCOUNTS, body))["resource"])
        assert kept["properties.publicNetworkAccess"] == "Enabled"
        assert kept["properties.disableLocalAuth"] is False
        assert kept["properties.networkAcls"] == acls
        assert "properties.endpoint" not in kept

    def test_of_what_is_done(self) -> None:
        told = incident(dict(ACCOUNT.body))
        kept = as_object(evidence(told)["responses"])
        assert str(kept["tag-incident"]).startswith("fix: tag the resource")
        assert str(kept["rotate-exposed-keys"]).partition(":")[0] in {"needs-approval", "advise"}

    def test_of_an_exposed_key_only_where_it_was_found(self) -> None:
        told = leak("contoso/app config.py:3")
        kept = evidence(told)
        assert (kept["foundAt"], kept["incident"]) == ("contoso/app config.py:3", told.name)
        assert "alert" not in kept
        assert digest(KEY) not in json.dumps(kept)
        assert digest(KEY)[:12] not in json.dumps(kept)

    def test_what_could_not_be_read_is_told_by_its_absence(self) -> None:
        assert evidence(incident(PATH))["children"] == {}

    def test_times_that_nobody_told_are_none(self) -> None:
        reported = as_object(evidence(incident(PATH, startTimeUtc=None, endTimeUtc="soon"))["alert"])
        assert (reported["started"], reported["ended"]) == (None, None)


class TestNoSecrets:
    @pytest.mark.parametrize(
        "more",
        [
            {"alertDisplayName": f"Key {KEY} was used"},
            {"entities": [{"type": "account", "name": KEY}]},
            {"entities": [{"type": "account", "name": f"AccountKey={KEY};x"}]},
            {"extendedProperties": {"Key": KEY}},
            {"description": KEY},
        ],
    )
    def test_of_an_alert(self, more: dict[str, Any]) -> None:
        told = incident(PATH, **more)
        assert KEY not in json.dumps(evidence(told))
        assert KEY not in str(sealed(told).columns)

    @pytest.mark.parametrize("field", ["alertType", "intent"])
    def test_of_the_words_of_an_alert(self, field: str) -> None:
        """They are Defender's own, and still come from outside."""
        more: dict[str, Any] = {field: KEY}
        told = incident(body=alert(PATH, **more))
        assert KEY not in json.dumps(evidence(told))

    @pytest.mark.parametrize(
        "path", ["publicNetworkAccess", "networkAcls", "disableLocalAuth", "minimumTlsVersion", "authOptions"]
    )
    @pytest.mark.parametrize("value", [KEY, [KEY], {"a": [{"b": KEY}]}, {KEY: 1}, f"x key={KEY} y"])
    def test_of_the_resource(self, path: str, value: Json) -> None:
        more: dict[str, Any] = {path: value}
        resource = bodies.resource(COGNITIVE_ACCOUNTS, bodies.account(**more))
        assert KEY not in json.dumps(evidence(incident(PATH), resource))

    @pytest.mark.parametrize(
        "more",
        [
            {"name": KEY},
            {"sku": {"name": KEY}},
            {"sku": KEY},
            {"properties": {"model": {"source": KEY}}},
            {"properties": {"raiPolicyName": KEY}},
            {"properties": {"deploymentState": [KEY]}},
        ],
    )
    def test_of_the_children(self, more: JsonObject) -> None:
        kept = evidence(incident(PATH), children={"deployments": [deployment() | more]})
        assert KEY not in json.dumps(kept)

    @given(anything, st.sampled_from([KEY, f"key={KEY}", f"Bearer {KEY}", f"a {KEY}\x00b"]))
    def test_of_anything(self, value: Json, secret: str) -> None:
        planted: tuple[Json, ...] = (
            [value, secret],
            {"a": value, "b": {"c": secret}},
            {secret: value},
            [[{"x": [secret]}]],
        )
        for each in planted:
            assert KEY not in json.dumps(cleaned(each))


class TestSmall:
    """A record whose evidence does not fit is sealed without it: whoever attacks could choose to leave no trace."""

    @given(mutated([bodies.account(), bodies.storage()]))
    def test_of_any_body(self, body: JsonObject) -> None:
        told = incident(PATH)
        assert_whole(sealed(told, Resource(ACCOUNT.id, COGNITIVE_ACCOUNTS, body)), told)

    @given(anything, st.lists(st.dictionaries(st.sampled_from(["name", "sku", "properties"]), anything), max_size=5))
    def test_of_any_child(self, sku: Json, found: list[JsonObject]) -> None:
        told = incident(PATH)
        children = {"deployments": [*found, deployment(sku=sku)], "raiPolicies": found}
        assert_whole(sealed(told, children=children), told)

    @given(
        st.lists(st.text(), max_size=50),
        st.lists(st.text(), max_size=50),
        st.text(),
        st.dictionaries(st.text(), st.text()),
    )
    def test_of_any_alert(self, accounts: list[str], intent: list[str], title: str, extended: dict[str, str]) -> None:
        entities = [{"type": "account", "name": name} for name in accounts]
        report = alert(
            PATH, alertDisplayName=title, entities=entities, extendedProperties=extended, intent=",".join(intent)
        )
        told = incident(body=report)
        assert_whole(sealed(told), told)

    @pytest.mark.parametrize("letter", ["a", "資"])
    def test_of_an_alert_with_as_many_and_as_long_names_as_there_can_be(self, letter: str) -> None:
        entities = [{"type": "account", "name": f"{number} " + f"{letter} " * 128} for number in range(1000)]
        addresses = [
            {"type": "ip", "address": f"2001:db8:ffff:ffff:ffff:ffff:ffff:{number:x}"} for number in range(999)
        ]
        named = [f"{GROUP}/providers/Microsoft.Search/searchServices/{letter * 250}{number}" for number in range(32)]
        intent = ",".join(f"{number}{letter * 120}" for number in range(64))
        report = alert(PATH, *named, entities=[*entities, *addresses], alertDisplayName=letter * 9000, intent=intent)
        told = incident(body=report)
        assert_whole(sealed(told), told)

    def test_of_ids_as_long_as_they_can_be(self) -> None:
        below = "/".join(f"t/{letter * 240}" for letter in "abcdefg")
        named = [f"{GROUP}/providers/Microsoft.Search/searchServices/s{number}/{below}" for number in range(32)]
        told = incident(PATH, *named)
        assert len(told.alert.resources if told.alert else ()) == 32
        assert_whole(sealed(told), told)

    @pytest.mark.parametrize("count", [10, 100, 400])
    def test_of_a_storage_account_with_as_many_network_rules_as_azure_takes(self, count: int) -> None:
        """400 IP rules and 400 networks (learn.microsoft.com/azure/storage/common/storage-network-security-limitations,
        read 2026-11-24): nothing hostile, only a large company."""
        subnets = [
            f"/subscriptions/11111111-2222-3333-4444-555555555555/resourceGroups/rg-network-{number:03}/providers"
            f"/Microsoft.Network/virtualNetworks/vnet-spoke-{number:03}-westeurope/subnets/snet-workload-{number:03}"
            for number in range(count)
        ]
        ranges = [f"203.0.{number // 250}.{number % 250}" for number in range(count)]
        body = bodies.storage(networkAcls=bodies.storage_acls("Deny", *ranges, subnets=subnets))
        told = incident(dict(BUCKET.body))
        assert_whole(sealed(told, bodies.resource(STORAGE, body)), told)

    @pytest.mark.parametrize("count", [0, 1, 20, 21, 500])
    def test_of_so_many_children(self, count: int) -> None:
        told = incident(PATH)
        found: Sequence[JsonObject] = [deployment(f"gpt-{number}") for number in range(count)]
        kept = evidence(told, children={"deployments": found})
        assert len(as_list(as_object(kept["children"])["deployments"])) == min(count, 20)
        assert_whole(sealed(told, children={"deployments": found, "raiPolicies": found}), told)

    @pytest.mark.parametrize("depth", [10, 100, 2000])
    def test_of_what_is_nested_deeply(self, depth: int) -> None:
        """What `json.loads` reads at all must not end the worker."""
        acls: Json = json.loads("[" * depth + "]" * depth)
        told = incident(PATH)
        resource = bodies.resource(COGNITIVE_ACCOUNTS, bodies.account(networkAcls=acls))
        kept = snapshot(told, resource, {}, ())
        assert kept["incident"] == told.name


def test_texts_are_on_one_line_and_short() -> None:
    assert cleaned({"a": ["x\ny" + "z " * 999, None, True, 7, 1.5]}) == {
        "a": ["x y" + "z " * 126 + "…", None, True, 7, 1.5]
    }


@given(anything)
def test_what_holds_no_long_text_stays_as_it_is(value: Json) -> None:
    shown = cleaned(value)
    assert type(shown) is type(value)
    assert isinstance(value, str | list | dict) or shown == value
