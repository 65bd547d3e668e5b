"""The reader of Bicep on small files, good and bad."""

import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.infra.__main__ import main
from tests.infra.bicep import Deployed, Evaluated, Surroundings, Value, check, evaluate
from tests.infra.bicep.reading import read
from tests.infra.bicep.scopes import resource_id
from tests.infra.bicep.syntax import Var, show
from tests.infra.bicep.values import Fault

GROUP = "/subscriptions/5b4c1f6e-1111-4222-8333-aa24f5b6c7d8/resourceGroups/rg-airlock"
STORAGE = """
resource storage 'Microsoft.Storage/storageAccounts@2025-06-01' = {
  name: 'stone'
  location: 'westeurope'
  properties: {
    minimumTlsVersion: 'TLS1_2'
  }
}
"""


def wrote(directory: Path, text: str, **modules: str) -> Path:
    for name, module in modules.items():
        (directory / f"{name}.bicep").write_text(module, encoding="utf-8")
    main_file = directory / "main.bicep"
    main_file.write_text(text, encoding="utf-8")
    return main_file


def rendered(directory: Path, text: str, given_: dict[str, Value] | None = None, **modules: str) -> Evaluated:
    """What the file comes to; there must be nothing wrong with it."""
    file = wrote(directory, text, **modules)
    evaluated = evaluate(file, given_)
    assert [str(problem) for problem in (*check(file), *evaluated.problems)] == []
    return evaluated


def wrong(directory: Path, text: str, given_: dict[str, Value] | None = None, **modules: str) -> list[str]:
    """What is wrong with the file: place and text, without the directory."""
    file = wrote(directory, text, **modules)
    found = {*check(file), *evaluate(file, given_).problems}
    return [f"{each.file.name}:{each.line}:{each.column}: {each.text}" for each in sorted(found)]


def value(directory: Path, expression: str, before: str = "", **given_: Value) -> Value:
    """What one expression comes to."""
    text = f"{before}\nvar it = {expression}\noutput it object = {{\n  v: it\n}}\n"
    evaluated = evaluate(wrote(directory, text), given_)
    assert evaluated.problems == ()
    found = evaluated.deployment.outputs["it"]
    assert isinstance(found, dict)
    return found["v"]


def by_name(evaluated: Evaluated, name: str) -> Deployed:
    return next(each for each in evaluated.deployment.resources if each.name == name)


# Reading


@pytest.mark.parametrize(
    "text,meant",
    [
        ("a ?? b.c", "a ?? b.c"),
        ("a ?? b[0].c", "a ?? b[0].c"),
        ("a ? b : c.d[0]", "a ? b : c.d[0]"),
        ("filter(a, b => b.c == 1 && !b.d)", "filter(a, (b) => b.c == 1 && !b.d)"),
        ("a.?b ?? c[?'d'].e", "a.?b ?? c[?'d'].e"),
        ("sys.length(a) - 1", "length(a) - 1"),
        ("a!.b", "a.b"),
    ],
)
def test_members_bind_tighter_than_operators(text: str, meant: str) -> None:
    (var,) = read(f"var it = {text}").of(Var)
    assert show(var.value) == meant


@pytest.mark.parametrize(
    "text,place",
    [
        ("var a = {\n  b: [\n}\n", "main.bicep:"),
        ("var a = (1\n", "main.bicep:"),
        ("var a = b\n  + c\n", "main.bicep:2:3: '+' and both its operands must stand on one line"),
        ("resource a 'b/c@1' = 5\n", "main.bicep:1:1: no Bicep"),
        ("var a = 'b\\q'\n", "main.bicep:1:9: unknown escape"),
    ],
)
def test_what_is_no_bicep_is_told_with_its_place(text: str, place: str, tmp_path: Path) -> None:
    assert wrong(tmp_path, text)[0].startswith(place)


# Expressions


@pytest.mark.parametrize(
    "expression,due",
    [
        ("1 + 2 * 3 - -4", 11),
        ("-7 / 2", -3),
        ("-7 % 2", -1),
        ("1 < 2 && !(2 >= 3) || false", True),
        ("'A' =~ 'a' && 'A' != 'a'", True),
        ("1 == true", False),
        ("null ?? 'x'", "x"),
        ("'a${1 + 1}b${true}'", "a2bTrue"),
        ("'''\none ${two}\n'''", "one ${two}\n"),
        ("'it\\'s \\u{41}\\n'", "it's A\n"),
        ("{ a: 1, 'b-${1}': 2 }", {"a": 1, "b-1": 2}),
        ("[for (x, i) in ['a', 'b']: '${x}${i}']", ["a0", "b1"]),
        ("[for i in range(1, 2): [for j in range(0, i): j]]", [[0], [0, 1]]),
        ("{ a: { b: 1 } }.a.b", 1),
        ("{}.?a.b.c ?? 'none'", "none"),
        ("{ a: 1 }[?'b'] ?? 2", 2),
        ("[1, 2][1]", 2),
        ("union({ a: { b: 1 } }, { a: { c: 2 } })", {"a": {"b": 1, "c": 2}}),
        ("union([1, 2], [2, 3])", [1, 2, 3]),
        ("intersection([1, 2], [2, 3])", [2]),
        ("concat(['a'], ['b'])", ["a", "b"]),
        ("concat('a', 'b')", "ab"),
        ("contains({ Key: 1 }, 'key')", True),
        ("contains('abc', 'b')", True),
        ("contains([1, 2], 3)", False),
        ("empty('') && empty([]) && empty({}) && empty(null)", True),
        ("length('abc') + length([1])", 4),
        ("'${first('abc')}${last('abc')}'", "ac"),
        ("first([])", None),
        ("filter([1, 2, 3], x => x > 1)", [2, 3]),
        ("map(['a'], (x, i) => '${x}${i}')", ["a0"]),
        ("reduce([1, 2, 3], 0, (sum, each) => sum + each)", 6),
        ("sort([3, 1, 2], (a, b) => a < b)", [1, 2, 3]),
        ("toObject(['a', 'b'], x => x, x => 1)", {"a": 1, "b": 1}),
        ("mapValues({ a: 1 }, x => x + 1)", {"a": 2}),
        ("groupBy(['aa', 'b', 'ab'], x => first(x))", {"a": ["aa", "ab"], "b": ["b"]}),
        ("items({ b: 2, a: 1 })", [{"key": "a", "value": 1}, {"key": "b", "value": 2}]),
        ("objectKeys({ b: 2, a: 1 })", ["a", "b"]),
        ("split('a,b;c', [',', ';'])", ["a", "b", "c"]),
        ("join(['a', 'b'], '-')", "a-b"),
        ("replace(toUpper('abc'), 'B', toLower('X'))", "AxC"),
        ("startsWith('ABC', 'ab') && endsWith('ABC', 'bc')", True),
        ("take('abc', 2)", "ab"),
        ("skip([1, 2, 3], 1)", [2, 3]),
        ("substring('abcdef', 2, 3)", "cde"),
        ("indexOf('abc', 'C')", 2),
        ("padLeft(7, 3, '0')", "007"),
        ("format('{0}-{1}', 'a', 2)", "a-2"),
        ("string({ a: [1, true, null] })", '{"a":[1,true,null]}'),
        ("int('5') + 1", 6),
        ("bool('TRUE')", True),
        ("json('{\"a\": [1]}').a[0]", 1),
        ("base64ToString(base64('ä'))", "ä"),
        ("min(3, 1) + max([2, 5])", 6),
        ("flatten([[1], [2, 3]])", [1, 2, 3]),
        ("trim('  a ')", "a"),
        ("uri('https://a/b/', 'c')", "https://a/b/c"),
        ("uriComponent('a b/c')", "a%20b%2Fc"),
        ("cidrSubnet('10.0.0.0/24', 26, 1)", "10.0.0.64/26"),
        ("coalesce(null, 'a')", "a"),
        ("shallowMerge([{ a: 1 }, { b: 2 }])", {"a": 1, "b": 2}),
        ("length(uniqueString('a'))", 13),
        ("guid('a') == guid('a') && guid('a') != guid('b')", True),
        ("environment().suffixes.storage", "core.windows.net"),
        ("resourceGroup().name", "rg-airlock"),
        ("resourceId('A.B/c', 'd')", f"{GROUP}/providers/A.B/c/d"),
        ("resourceId('other', 'A.B/c/d', 'e', 'f')", f"{GROUP.replace('rg-airlock', 'other')}/providers/A.B/c/e/d/f"),
        ("tenantResourceId('A.B/c', 'd')", "/providers/A.B/c/d"),
        ("extensionResourceId('/x', 'A.B/c', 'd')", "/x/providers/A.B/c/d"),
        ("subscriptionResourceId('A.B/c', 'd')", f"{GROUP.partition('/resourceGroups')[0]}/providers/A.B/c/d"),
    ],
)
def test_expression(expression: str, due: Value, tmp_path: Path) -> None:
    assert value(tmp_path, expression) == due


@pytest.mark.parametrize(
    "expression,told",
    [
        ("missing", "unknown name 'missing'"),
        ("missing(1)", "unknown function 'missing'"),
        ("length()", "length does not take 0 arguments"),
        ("length(1)", "an int where an array is due"),
        ("{ a: 1 }.b", "no property 'b' among a"),
        ("[1][1]", "no item 1 among 1"),
        ("null.a", "a null has no property 'a'"),
        ("'a' + 1", "string + int is not possible"),
        ("!1", "! takes no int"),
        ("1 ? 2 : 3", "a bool is due"),
        ("[for x in 5: x]", "the loop runs over an int"),
        ("json('{')", "no JSON"),
        ("int('a')", "'a' is no int"),
        ("'${[1]}'", "an array cannot stand in a string"),
        ("filter([1], x => x)", "an int where a bool is due"),
        ("substring('abc', 2, 5)", "outside of 'abc'"),
        ("format('{1}', 'a')", "there is no argument 1"),
        ("loadTextContent('absent.txt')", "absent.txt: No such file"),
        ("{ a: 1, a: 2 }", "'a' is said twice"),
        ("it", "depends on itself"),
        ("subscription('a', 'b')", "takes no such arguments"),
        ("managementGroup().name", "this file deploys to a resourceGroup"),
        ("true ? 1 : missing", "unknown name 'missing'"),
        ("map([1], x => y)", "unknown name 'y'"),
    ],
)
def test_what_cannot_be_worked_out(expression: str, told: str, tmp_path: Path) -> None:
    found = wrong(tmp_path, f"var it = {expression}\noutput o object = {{\n  it: it\n}}\n")
    assert any(told in problem and problem.startswith("main.bicep:1:") for problem in found), found


def test_files_beside_it_are_read(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('{"b": {"c": [1, 2]}}', encoding="utf-8")
    (tmp_path / "a.txt").write_text("text", encoding="utf-8")
    assert value(tmp_path, "loadJsonContent('a.json').b.c[1]") == 2
    assert value(tmp_path, "loadJsonContent('a.json', '$.b.c')") == [1, 2]
    assert value(tmp_path, "loadTextContent('a.txt')") == "text"


def test_own_functions(tmp_path: Path) -> None:
    assert value(tmp_path, "twice('a', 2)", "func twice(a string, b int) string => '${a}${a}${b}'") == "aa2"
    found = wrong(tmp_path, "func f(a string) string => a\noutput o string = f()\n")
    assert found == ["main.bicep:2:19: f takes 1 arguments"]


# Parameters


@pytest.mark.parametrize(
    "param,given_,told",
    [
        ("param a string", None, "the parameter 'a' is not given"),
        ("param a string", 5, "a is an int, a string is due"),
        ("param a int", "5", "a is a string, an int is due"),
        ("param a string = 5", "x", "a is an int, a string is due"),
        ("param a object", [], "a is an array, an object is due"),
        ("param a string[]", ["x", 1], "a[1] is an int, a string is due"),
        ("param a 'x' | 'y'", "z", "a is 'z', which is none of its values"),
        ("@allowed([\n  'x'\n])\nparam a string", "z", "a is 'z', which is not one of ['x']"),
        ("@minLength(2)\nparam a string", "z", "a has the length 1, the minLength is 2"),
        ("@maxValue(2)\nparam a int", 3, "a is 3, the maxValue is 2"),
        ("type t = { b: string, c: int? }\nparam a t", {"b": 1}, "a.b is an int, a string is due"),
        ("type t = { b: string }\nparam a t", {}, "a.b is missing"),
        ("type t = { b: string }\nparam a t", {"b": "", "d": 1}, "a has no property 'd'"),
        ("@wrong()\nparam a string", "x", "unknown decorator 'wrong'"),
        ("param a strung", "x", "unknown type 'strung'"),
    ],
)
def test_parameters_are_checked(param: str, given_: Value, told: str, tmp_path: Path) -> None:
    text = f"{param}\noutput o object = {{\n  a: a\n}}\n"
    found = wrong(tmp_path, text, {} if given_ is None else {"a": given_})
    assert any(told in problem for problem in found), found


def test_parameters_that_may_be_left_out(tmp_path: Path) -> None:
    assert value(tmp_path, "[a, b]", "param a string?\nparam b string = 'x'") == [None, "x"]
    assert value(tmp_path, "a", "param a { x: int }[]", a=[{"x": 1}]) == [{"x": 1}]


def test_what_is_never_used_or_said_twice(tmp_path: Path) -> None:
    text = "param a string = ''\nvar b = 1\nvar b = 2\nfunc f() string => ''\n"
    assert wrong(tmp_path, text, {"z": 1}) == [
        "main.bicep:1:1: there is no parameter 'z'",
        "main.bicep:1:7: 'a' is never used",
        "main.bicep:2:5: 'b' is declared twice",
        "main.bicep:2:5: 'b' is never used",
        "main.bicep:3:5: 'b' is declared twice",
        "main.bicep:3:5: 'b' is never used",
        "main.bicep:4:6: 'f' is never called",
    ]


# Resources


def test_ids_of_children_extensions_and_scopes(tmp_path: Path) -> None:
    text = f"""{STORAGE}
resource blobs 'Microsoft.Storage/storageAccounts/blobServices@2025-06-01' = {{
  parent: storage
  name: 'default'
  resource containers 'containers' = [for name in ['a', 'b']: {{
    name: name
  }}]
}}
resource whole 'Microsoft.Storage/storageAccounts/queueServices/queues@2025-06-01' = {{
  name: '${{storage.name}}/default/q'
}}
resource lock 'Microsoft.Authorization/locks@2020-05-01' = {{
  scope: storage
  name: 'keep'
  properties: {{
    notes: blobs::containers[1].id
  }}
}}
resource other 'Microsoft.Storage/storageAccounts@2025-06-01' existing = {{
  scope: resourceGroup('rg-other')
  name: 'sttwo'
}}
output id string = other.id
"""
    evaluated = rendered(tmp_path, text)
    account = f"{GROUP}/providers/Microsoft.Storage/storageAccounts/stone"
    container = by_name(evaluated, "b")
    assert container.id == f"{account}/blobServices/default/containers/b"
    assert (container.type, container.api_version) == (
        "Microsoft.Storage/storageAccounts/blobServices/containers",
        "2025-06-01",
    )
    assert container.depends_on == (f"{account}/blobServices/default",)
    assert by_name(evaluated, "stone/default/q").id == f"{account}/queueServices/default/queues/q"
    lock = by_name(evaluated, "keep")
    assert (lock.id, lock.scope) == (f"{account}/providers/Microsoft.Authorization/locks/keep", account)
    assert lock.properties == {"notes": container.id}
    assert set(lock.depends_on) == {account, f"{account}/blobServices/default"}
    other = by_name(evaluated, "sttwo")
    assert (other.existing, other.body) == (True, {})
    assert "/resourceGroups/rg-other/" in str(evaluated.deployment.outputs["id"])


def test_conditions_decide_and_loops_repeat(tmp_path: Path) -> None:
    text = """
param names array
resource each 'Microsoft.Storage/storageAccounts@2025-06-01' = [for (name, i) in names: if (i > 0) {
  name: name
  tags: {
    place: string(i)
  }
}]
resource never 'Microsoft.Web/sites@2024-11-01' = if (empty(names)) {
  name: 'never'
}
output second string = each[1].id
output name string = never.name
"""
    evaluated = rendered(tmp_path, text, {"names": ["a", "b", "c"]})
    assert [each.name for each in evaluated.deployment.resources] == ["b", "c"]
    assert by_name(evaluated, "c").body == {"name": "c", "tags": {"place": "2"}}
    assert evaluated.deployment.outputs["name"] == "never"


def test_what_azure_alone_knows_reads_as_what_was_asked(tmp_path: Path) -> None:
    text = f"""{STORAGE}
resource site 'Microsoft.Web/sites@2024-11-01' = {{
  name: 'func'
  properties: {{
    tls: storage.properties.minimumTlsVersion
    blob: storage.properties.primaryEndpoints.blob
    address: 'x-${{storage.properties.primaryEndpoints.blob}}'
    key: storage.listKeys().keys[0].value
    picked: storage.properties.isThere ? 'a' : 'b'
    merged: union({{ a: 1 }}, storage.properties.other)
  }}
}}
"""
    properties = json.loads(json.dumps(by_name(rendered(tmp_path, text), "func").as_json()))["properties"]
    account = f"{GROUP}/providers/Microsoft.Storage/storageAccounts/stone"
    assert properties["tls"] == "TLS1_2"
    assert properties["blob"] == f"⟦{account}.properties.primaryEndpoints.blob⟧"
    assert properties["address"] == f"x-⟦{account}.properties.primaryEndpoints.blob⟧"
    assert "listKeys()" in properties["key"]
    assert properties["picked"].startswith("⟦")
    assert properties["merged"].startswith("⟦")


@pytest.mark.parametrize(
    "text,told",
    [
        (STORAGE + "resource a 'A.B/c@1' = if (storage.properties.x) {\n  name: 'a'\n}\n", "not known at the start"),
        (STORAGE + "var n = storage.properties.x\nresource a 'A.B/c@1' = {\n  name: n\n}\n", "not known at the start"),
        (STORAGE + "resource a 'A.B/c@1' = {\n  name: guid(storage.listKeys().x)\n}\n", "not known at the start"),
        ("resource a 'A.B/c@1' = {\n  name: 'x/y'\n}\n", "A.B/c takes a name of 1 parts, 'x/y' has 2"),
        (STORAGE + "resource a 'A.B/c@1' = {\n  parent: storage\n  name: 'x'\n}\n", "is no child of"),
        ("resource a 'A.B/c@1' = {\n  scope: 5\n  name: 'x'\n}\n", "5 is no scope"),
        ("resource a 'A.B/c@1' = {\n  scope: resourceGroup('x')\n  name: 'x'\n}\n", "needs a module"),
        ("targetScope = 'subscription'\n" + STORAGE, "only a resource group takes a Microsoft.Storage/storageAccounts"),
        ("resource a 'A.B/c@1' = {\n  location: 'x'\n}\n", "a has no name"),
        ("resource a 'A.B/c' = {\n  name: 'x'\n}\n", "has no api-version"),
        ("resource a 'A.B/c@1' existing = {\n  name: 'x'\n}\n", "'a' is never used"),
        (
            "resource a 'A.B/c@1' = if (false) {\n  name: 'x'\n}\noutput o string = a.properties.x\n",
            "a is not deployed here",
        ),
        (
            "resource a 'A.B/c@1' = {\n  name: 'x'\n  p: b.p\n}\nresource b 'A.B/c@1' = {\n  name: 'y'\n  p: a.p\n}\n",
            "depends on itself",
        ),
        ("resource a 'A.B/c@1' = [for i in [1]: {\n  name: 'x'\n}]\noutput o string = a.id\n", "needs an index"),
        ("resource a 'A.B/c@1' = [for i in [1]: {\n  name: 'x'\n}]\noutput o string = a[1].id\n", "none at 1"),
        ("targetScope = 'planet'\n", "unknown targetScope 'planet'"),
    ],
)
def test_resources_that_cannot_be(text: str, told: str, tmp_path: Path) -> None:
    found = wrong(tmp_path, text)
    assert any(told in problem for problem in found), found


# Modules

CALLEE = """
param name string
param size int = 1
resource storage 'Microsoft.Storage/storageAccounts@2025-06-01' = {
  name: name
  sku: {
    size: size
  }
}
output id string = storage.id
output blob string = storage.properties.blob
"""
CALLER = """
targetScope = 'subscription'
resource group 'Microsoft.Resources/resourceGroups@2025-04-01' = {
  name: 'rg-new'
  location: 'westeurope'
}
module one 'callee.bicep' = {
  scope: group
  params: {
    name: 'stone'
  }
}
module many 'callee.bicep' = [for name in ['x', 'y']: if (name != 'x') {
  name: 'many-${name}'
  scope: group
  params: {
    name: '${name}${length(one.outputs.id)}'
    size: 2
  }
}]
module tail 'tail.bicep' = {
  scope: group
  params: {
    blob: one.outputs.blob
  }
  dependsOn: [
    many
  ]
}
output id string = one.outputs.id
"""
TAIL = """
param blob string
resource a 'Microsoft.Web/sites@2024-11-01' = if (!empty(blob)) {
  name: guid(blob)
  properties: {
    blob: blob
  }
}
"""


def test_modules_are_worked_out_where_they_are_deployed(tmp_path: Path) -> None:
    evaluated = rendered(tmp_path, CALLER, callee=CALLEE, tail=TAIL)
    subscription = GROUP.partition("/resourceGroups")[0]
    group = f"{subscription}/resourceGroups/rg-new"
    account = f"{group}/providers/Microsoft.Storage/storageAccounts"
    assert evaluated.deployment.outputs["id"] == f"{account}/stone"
    storage = list(evaluated.deployment.of("microsoft.storage/STORAGEACCOUNTS"))
    assert [(each.module, each.body["sku"]) for each in storage] == [
        (("one",), {"size": 1}),
        (("many[1]",), {"size": 2}),
    ]
    (site,) = evaluated.deployment.of("Microsoft.Web/sites")
    # What was unknown outside of the module is known, whatever it is, once the module starts.
    assert site.properties["blob"] == f"⟨{account}/stone.properties.blob⟩"
    tail = next(each for each in evaluated.deployment.modules if each.module == ("tail",))
    made = f"{group}/providers/Microsoft.Resources/deployments"
    assert set(tail.depends_on) == {group, f"{made}/one", f"{made}/many-y"}


@pytest.mark.parametrize(
    "old,new,told",
    [
        ("callee.bicep' = {", "absent.bicep' = {", "main.bicep:7:8: absent.bicep: No such file or directory"),
        ("name: 'stone'\n", "nam: 'stone'\n", "callee.bicep has no parameter 'nam'"),
        ("    name: 'stone'\n", "", "callee.bicep needs the parameter 'name'"),
        ("size: 2", "size: 'two'", "callee.bicep:3:7: size is a string, an int is due"),
        ("one.outputs.blob", "one.outputs.blog", "one has no output 'blog'"),
        ("'many-${name}'", f"'{'x' * 65}'", "at most 64 characters"),
        (
            "scope: group\n  params: {\n    name: 'stone'",
            "params: {\n    name: 'stone'",
            "its scope here is a subscription",
        ),
        ("(name != 'x')", "(one.outputs.id != 'x')", "not known at the start"),
        ("scope: group\n  params: {\n    blob", "scopes: group\n  params: {\n    blob", "a module has no 'scopes'"),
    ],
)
def test_modules_that_cannot_be(old: str, new: str, told: str, tmp_path: Path) -> None:
    assert old in CALLER
    found = wrong(tmp_path, CALLER.replace(old, new, 1), callee=CALLEE, tail=TAIL)
    assert any(told in problem for problem in found), found


def test_a_module_in_which_something_is_wrong_is_named(tmp_path: Path) -> None:
    found = wrong(tmp_path, CALLER, callee=CALLEE, tail=TAIL + "var a = {\n")
    assert any(problem.startswith("tail.bicep:") for problem in found), found


def test_what_the_surroundings_answer(tmp_path: Path) -> None:
    text = "output mode string = list('${resourceGroup().id}/config/appsettings', '2024-11-01').properties.MODE\n"
    file = wrote(tmp_path, text)
    answered = evaluate(file, where=Surroundings(answers={"/config/appsettings": {"properties": {"MODE": "audit"}}}))
    assert (answered.problems, answered.deployment.outputs) == ((), {"mode": "audit"})


def test_management_groups_deploy_into_resource_groups(tmp_path: Path) -> None:
    text = """
targetScope = 'managementGroup'
module there 'there.bicep' = {
  scope: resourceGroup('0000', 'rg')
}
resource role 'Microsoft.Authorization/roleDefinitions@2022-04-01' = {
  name: guid(managementGroup().id)
}
output id string = role.id
"""
    there = "resource p 'Microsoft.Web/serverfarms@2024-11-01' = {\n  name: 'p'\n}\n"
    evaluated = rendered(tmp_path, text, there=there)
    assert str(evaluated.deployment.outputs["id"]).startswith(
        "/providers/Microsoft.Management/managementGroups/contoso/"
    )
    (plan,) = evaluated.deployment.of("Microsoft.Web/serverfarms")
    assert plan.id == "/subscriptions/0000/resourceGroups/rg/providers/Microsoft.Web/serverfarms/p"


# The whole


@given(st.lists(st.text("abc", min_size=1, max_size=3), min_size=1, max_size=4))
def test_an_id_alternates_kinds_and_names(names: list[str]) -> None:
    type_ = "A.B/" + "/".join(f"kind{place}" for place in range(len(names)))
    assert resource_id("", type_, names).split("/")[4::2] == names
    with pytest.raises(Fault):
        resource_id("", f"{type_}/more", names)


COMMANDED = """param size int
param name string
resource identity 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' = {
  name: '${name}${size}'
  location: 'westeurope'
}
"""


def test_the_command_prints_resources_or_problems(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = wrote(tmp_path, COMMANDED)
    assert main([os.fspath(file), "size=5", "name=st"]) == 0
    assert json.loads(capsys.readouterr().out)["resources"][0]["name"] == "st5"
    assert main([os.fspath(file), "size=five"]) == 1
    assert "main.bicep:1:7: size is a string, an int is due" in capsys.readouterr().out
