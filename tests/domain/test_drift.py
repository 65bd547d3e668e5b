"""The difference between what is and what is wanted."""

from shared.domain.baseline import Baseline
from shared.domain.body import JsonObject
from shared.domain.catalogue import Catalogue
from shared.domain.change import Change
from shared.domain.drift import Finding, as_fixed, changes, evaluate
from shared.domain.resource_types import SEARCH
from tests.domain.making import CATALOGUE, REMEDIATION, RULE, finding, resource

SFTP_ON = Change("properties.isSftpEnabled", actual=True, desired=False)


def test_changes_name_what_differs() -> None:
    body: JsonObject = {"properties": {"a": "Deny", "b": {"c": 1, "d": [1]}, "n": None}}
    desired: JsonObject = {"properties": {"a": "DENY", "b": {"c": "true", "d": []}, "n": None, "x": {"y": 2}}}
    assert list(changes(body, desired)) == [
        Change("properties.b.d", [1], []),
        Change("properties.x.y", None, 2),
    ]


def test_nothing_wanted_is_nothing_found() -> None:
    assert list(changes({"properties": {"a": 1}}, {})) == []


def test_evaluate() -> None:
    on, off = resource({"properties": {"isSftpEnabled": "true"}}), resource({"properties": {"isSftpEnabled": 0}})
    told = Change("properties.isSftpEnabled", actual="true", desired=False)
    assert evaluate(on, CATALOGUE, Baseline()) == (Finding(REMEDIATION, RULE, (told,)),)
    assert evaluate(off, CATALOGUE, Baseline()) == ()
    assert evaluate(on, Catalogue(()), Baseline()) == ()
    assert evaluate(resource(on.body, SEARCH), CATALOGUE, Baseline()) == ()


def test_a_finding_in_words_of_records() -> None:
    assert finding().rule_id == "AIR-900/storage"
    assert SFTP_ON.as_json() == {"path": "properties.isSftpEnabled", "actual": True, "desired": False}


def test_as_fixed() -> None:
    live = resource({"name": "x", "properties": {"isSftpEnabled": True, "z": 1}})
    deep = finding(RULE, SFTP_ON, Change("properties.networkAcls.ipRules", None, []))
    after = as_fixed(live, [deep, finding(RULE, Change("sku.name", None, "S0"))])
    assert after.body == {
        "name": "x",
        "properties": {"isSftpEnabled": False, "z": 1, "networkAcls": {"ipRules": []}},
        "sku": {"name": "S0"},
    }
    assert live.body == {"name": "x", "properties": {"isSftpEnabled": True, "z": 1}}
