"""The check of bodies: on a type of our own, and on Azure's where its data are."""

import pytest

from tests.infra.bicep import Runtime, Value
from tests.infra.bicep.reading import read
from tests.infra.bicep.syntax import Resource
from tests.infra.types import Check, TypeData, problems_as_written, type_data, writings

PASSWORDS = "Microsoft.Web/sites/basicPublishingCredentialsPolicies"
OURS = TypeData(
    {
        "text": {"k": "str"},
        "number": {"k": "int"},
        "truth": {"k": "bool"},
        "any": {"k": "any"},
        "on": {"k": "lit", "v": "On"},
        "off": {"k": "lit", "v": "Off"},
        "closed": {"k": "union", "e": ["on", "off"]},
        "open": {"k": "union", "e": ["on", "off", "text"]},
        "texts": {"k": "arr", "i": "text"},
        "tags": {"k": "obj", "p": {}, "a": "text"},
        "small": {"k": "obj", "p": {"kind": {"t": "on", "f": 1}, "size": {"t": "number", "f": 1}}},
        "large": {"k": "obj", "p": {"kind": {"t": "off", "f": 1}}},
        "sized": {"k": "disc", "d": "kind", "p": {"name": {"t": "text", "f": 0}}, "e": {"On": "small", "Off": "large"}},
        "body": {
            "k": "obj",
            "p": {
                "name": {"t": "text", "f": 1},
                "state": {"t": "text", "f": 2},
                "count": {"t": "number", "f": 0},
                "isOn": {"t": "truth", "f": 0},
                "closed": {"t": "closed", "f": 0},
                "open": {"t": "open", "f": 0},
                "texts": {"t": "texts", "f": 0},
                "tags": {"t": "tags", "f": 0},
                "sized": {"t": "sized", "f": 0},
                "free": {"t": "any", "f": 0},
            },
        },
    },
    {"our.own/type@1": "body"},
)


@pytest.mark.parametrize(
    "more,told",
    [
        ({}, []),
        ({"count": 1, "isOn": True, "closed": "On", "texts": ["a"], "tags": {"x": "y"}, "free": [1]}, []),
        (
            {"count": Runtime("x"), "closed": Runtime("x"), "texts": [Runtime("x")], "closed2": None},
            ["T has no 'closed2'"],
        ),
        ({"ison": True}, ["T has no 'ison', it has 'isOn'"]),
        ({"state": "x"}, ["T.state is read-only"]),
        ({"name": None}, []),
        ({"count": True}, ["T.count is a bool, a int is due"]),
        ({"count": "1"}, ["T.count is a string, a int is due"]),
        ({"texts": "a"}, ["T.texts is a string, a array is due"]),
        ({"texts": ["a", 1]}, ["T.texts[1] is a int, a string is due"]),
        ({"tags": {"x": 1}}, ["T.tags.x is a int, a string is due"]),
        ({"closed": "on"}, ["T.closed is 'on', which is not one of ['On', 'Off']"]),
        ({"open": "Else"}, ["T.open is 'Else', which is not one of ['On', 'Off']"]),
        ({"open": "⟨something⟩"}, []),
        ({"closed": 1}, ["T.closed is a int, one of ['On', 'Off'] is due"]),
        ({"sized": {"kind": "On", "size": 1, "name": "x"}}, []),
        ({"sized": {"kind": "On"}}, ["T.sized.size is missing"]),
        ({"sized": {"kind": "Off", "size": 1}}, ["T.sized has no 'size'"]),
        ({"sized": {"kind": "Half"}}, ["T.sized.kind is 'Half', which is not one of ['Off', 'On']"]),
        ({"sized": {}}, ["T.sized.kind is None, which is not one of ['Off', 'On']"]),
    ],
)
def test_body(more: dict[str, Value], told: list[str]) -> None:
    assert list(Check(OURS, "T").body("body", {"name": "x", **more})) == told


def test_required_and_long_names() -> None:
    assert list(Check(OURS, "T").body("body", {})) == ["T.name is missing"]
    assert list(Check(OURS, "T").body("body", {"name": "a/b/c"})) == []


def test_only_rules_of_data_collection_may_have_what_the_data_do_not_know() -> None:
    rule = Check(OURS, "Microsoft.Insights/dataCollectionRules")
    assert list(rule.body("body", {"name": "x", "open": "Direct"})) == []
    assert list(rule.body("body", {"name": "x", "open": "Indirect"})) != []
    assert list(rule.body("body", {"name": "x", "closed": "Direct"})) != []


def resource(body: str) -> Resource:
    (found,) = read(f"resource r 'our.own/type@1' = {{\n{body}\n}}\n").of(Resource)
    return found


def test_every_branch_is_looked_at() -> None:
    body = resource(
        "  name: 'x'\n  count: a ? 1 : b ? 'two' : c\n  closed: d ? 'On' : 'Of'\n  texts: [for e in f: g ? e : 5]"
    )
    assert sorted(set(problems_as_written(OURS, "body", "T", body.body))) == [
        "T.closed is 'Of', which is not one of ['On', 'Off']",
        "T.count is a string, a int is due",
        "T.texts[0] is a int, a string is due",
    ]


def test_writings_grow_slowly() -> None:
    body = resource("\n".join(f"  p{number}: a ? {number} : true" for number in range(200)))
    assert len(writings(body.body)) == 64


@pytest.mark.parametrize(
    "type_,version,body,told",
    [
        (
            "Microsoft.Storage/storageAccounts",
            "2025-06-01",
            {"name": "st", "location": "x", "kind": "StorageV2", "sku": {"name": "Standard_LRS"}, "properties": {}},
            [],
        ),
        (
            "Microsoft.Storage/storageAccounts",
            "2025-06-01",
            {
                "name": "st",
                "kind": "StorageV2",
                "sku": {"name": "Standard_LRS"},
                "properties": {"allowBlobPublicAcess": 1},
            },
            [
                "Microsoft.Storage/storageAccounts.properties has no 'allowBlobPublicAcess'",
                "Microsoft.Storage/storageAccounts.location is missing",
            ],
        ),
        (
            PASSWORDS,
            "2024-11-01",
            {"name": "sftp", "properties": {"allow": False}},
            [f"{PASSWORDS}.name is 'sftp', which is not one of ['ftp', 'scm']"],
        ),
    ],
)
def test_types_of_azure(type_: str, version: str, body: dict[str, Value], told: list[str]) -> None:
    data = type_data()
    if data is None:
        pytest.skip("Azure's type data are not here")
    number = data.find(type_, version)
    assert number is not None
    assert sorted(Check(data, type_).body(number, body)) == sorted(told)
