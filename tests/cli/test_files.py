"""What people export is read as they have it; everything else is refused with its place."""

import codecs
import io
import json
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from cli import documents
from cli.documents import UnusableInput
from cli.files import files_below, read_estate, read_events, read_exports, resources_to_judge
from cli.report import judge
from remediations import load_catalogue
from shared.domain.baseline import Baseline
from shared.domain.body import Json, JsonObject, as_text, at
from tests.cli.command import EXPORTS

GROUP = "/subscriptions/3f6e0c4e-8a0b-4f6e-9d55-2f1b7c9a1e10/resourceGroups/rg-ai/providers"
ACCOUNT = f"{GROUP}/Microsoft.CognitiveServices/accounts/oai"
STORAGE = f"{GROUP}/Microsoft.Storage/storageAccounts/st"

type Write = Callable[[str | bytes], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes one more file."""

    def write(content: str | bytes) -> Path:
        file = tmp_path / f"{len(list(tmp_path.iterdir()))}.json"
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
        return file

    return write


def resource(id_: str = ACCOUNT, **more: Json) -> JsonObject:
    kind = "/".join(id_.rsplit("/providers/", maxsplit=1)[-1].split("/")[:2])
    return {"id": id_, "name": id_.rsplit("/", 1)[-1], "type": kind, "properties": {}, **more}


def refusal(read: Callable[[Path], object], file: Path) -> str:
    """The message without the file's name, which it has to begin with."""
    with pytest.raises(UnusableInput) as refused:
        read(file)
    name, _, rest = str(refused.value).partition(": ")
    assert name == str(file)
    return rest


@pytest.mark.parametrize(
    "file,names",
    [
        ("az-graph-query.json", ["oai-chat-prod", "foundry-agents", "srch-contracts", "mlw-fraud", "stfraud"]),
        ("az-resource-list.json", ["oai-lab", "mlw-forecast", "stforecast"]),
        ("az-resource-show.json", ["cv-claims"]),
        ("arm-list.json", ["stscans", "stbackup"]),
        ("az-rest-lines.json", ["lang-hr", "pe-lang.11aa", "pe-lang"]),
    ],
)
def test_every_form_of_export_is_read_in_order(file: str, names: list[str]) -> None:
    read = [as_text(body["name"]) for body in read_estate(EXPORTS / file)]
    assert read[: len(names)] == names


@pytest.mark.parametrize("mark,encoding", [(b"", "utf-8"), (codecs.BOM_UTF8, "utf-8"), (b"", "utf-16")])
def test_each_encoding_that_shells_write_is_read(mark: bytes, encoding: str, write: Write) -> None:
    body = resource(tags={"besitzer": "Müller", "所有者": "田中"})
    file = write(mark + json.dumps([body], ensure_ascii=False).replace("\n", "\r\n").encode(encoding))
    assert read_estate(file) == (body,)


def test_pages_behind_one_another_are_one_estate(write: Write) -> None:
    first, second = resource(), resource(STORAGE)
    file = write(json.dumps({"data": [first], "skip_token": "more"}, indent=2) + json.dumps({"data": [second]}))
    (export,) = read_exports([file])
    assert export.bodies == (first, second)
    assert not export.partial


@pytest.mark.parametrize("mark", [{"skip_token": "x"}, {"$skipToken": "x"}, {"nextLink": "https://x"}])
def test_a_page_that_says_that_more_follow_is_partial(mark: JsonObject, write: Write) -> None:
    name = "value" if "nextLink" in mark else "data"
    (export,) = read_exports([write(json.dumps({name: [resource()], **mark}))])
    assert export.partial


@pytest.mark.parametrize(
    "content,message",
    [
        ("", "is empty"),
        (" \r\n\t", "is empty"),
        ("[]", "holds no resource"),
        ('{"data": []}', "holds no resource"),
        ('[\n  {"id": "x",}\n]', "line 2, column 13: not JSON: Illegal trailing comma before end of object"),
        ('[{"id": "x"', "line 1, column 12: not JSON: Expecting ',' delimiter"),
        ("[NaN]", "the value that begins in line 1: not JSON: NaN is not a JSON value"),
        ("\n[1e999]", "the value that begins in line 2: holds a number that is too large"),
        (b'["\xff"]', "byte 2: is not UTF-8 text"),
        (b"\xff\xfe[\x00\x00", "byte 4: is not UTF-16 text"),
        (b"\x00\x01\x02", "line 1, column 1: not JSON: Expecting value"),
        ("7", "$: is neither a resource"),
        ('{"data": {"rows": []}}', "$: is neither a resource"),
        ("[7]", "$[0]: is not a JSON object, so it is no resource"),
        ("[{}]", "$[0].id: a resource needs its ARM id here"),
        ('{"value": [{"id": 7}]}', "$.value[0].id: a resource needs its ARM id here"),
        ('{"data": [{"id": "/subscriptions"}]}', "$.data[0].id: an ARM id begins with /subscriptions/{id}"),
        (json.dumps([resource(f"{ACCOUNT}/projects/..")]), "$[0].id: a segment of the ARM id"),
        (json.dumps([resource(f"{ACCOUNT}/..")]), "$[0].id: the ARM id ends in a type without a name"),
        (json.dumps([resource(ACCOUNT + "%2f")]), "$[0].id: a segment of the ARM id"),
        (json.dumps([resource(), resource(STORAGE, type="Microsoft.Web/sites")]), "$[1].type: is not the type"),
        (json.dumps([resource(type=7)]), "$[0].type: is not the type that the id names"),
        (json.dumps([resource(), resource(ACCOUNT.upper(), type=None)]), "$[1].id: names the same resource as $[0]"),
        (f"{json.dumps(resource())}\n\n{json.dumps(resource())}", "line 3, $.id: names the same resource as line 1, $"),
        (f"{json.dumps(resource())}\n[{{]", "line 2, column 3: not JSON: Expecting property name"),
        ("[" * 200_000, "the value that begins in line 1: nested too deeply"),
        (json.dumps([resource()])[:-2] + ', "x": ' + "[" * 200 + "]" * 200 + "}]", "$[0]: is nested more than 100"),
    ],
)
def test_what_is_no_estate_is_refused_with_its_place(content: str | bytes, message: str, write: Write) -> None:
    assert message in refusal(read_estate, write(content))


def test_a_number_with_too_many_digits_is_refused(write: Write) -> None:
    assert "the value that begins in line 1: " in refusal(read_events, write(f'{{"x": {"9" * 5000}}}'))


def test_what_cannot_be_opened_is_refused(tmp_path: Path) -> None:
    assert refusal(read_estate, tmp_path / "absent.json") == "No such file or directory"
    assert refusal(read_events, tmp_path) == "Is a directory"


def test_a_file_over_the_cap_is_refused(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(documents, "MOST_BYTES", 1024**2)
    assert refusal(read_estate, write(b" " * (1024**2 + 1))) == "is larger than 1 MB"


def test_standard_input_is_a_file_called_dash(monkeypatch: pytest.MonkeyPatch) -> None:
    given = io.TextIOWrapper(io.BytesIO(b'[{"id": 1}]'))
    monkeypatch.setattr(sys, "stdin", given)
    with pytest.raises(UnusableInput, match=r"^standard input: \$\[0\]\.id: "):
        read_estate(Path("-"))


def test_a_resource_stands_in_one_of_the_files(write: Write) -> None:
    first, second = write(json.dumps([resource()])), write(json.dumps({"value": [resource(ACCOUNT.lower())]}))
    with pytest.raises(UnusableInput) as refused:
        read_exports([first, second])
    assert str(refused.value) == f"{second}: $.value[0].id: names the same resource as $[0] in {first}"


def test_names_that_only_other_types_have_make_nothing_unusable(write: Write) -> None:
    other = resource(f"{GROUP}/Microsoft.Insights/actionGroups/Application Insights Smart Detection")
    bodies = read_estate(write(json.dumps([other, resource()])))
    assert bodies[0] == other
    assert [judged.id.path for judged in resources_to_judge(bodies)] == [ACCOUNT]


def test_resource_graph_spells_resource_groups_its_own_way(write: Write) -> None:
    group = {"id": "/subscriptions/s/resourceGroups/rg", "type": "microsoft.resources/subscriptions/resourcegroups"}
    assert read_estate(write(json.dumps([group])))


def test_a_directory_stands_for_the_json_files_below_it(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    (tmp_path / "c.json").mkdir()
    wanted = [tmp_path / "a.json", tmp_path / "b" / "a.json"]
    for file in (*wanted, tmp_path / "notes.txt"):
        file.write_text("{}")
    assert list(files_below([tmp_path])) == wanted
    assert list(files_below([wanted[1], tmp_path, tmp_path / "b" / ".." / "a.json"])) == [wanted[1], wanted[0]]
    assert refusal(lambda path: files_below([path]), tmp_path / "c.json") == "has no *.json file in it or below"


def test_a_dangling_link_is_not_passed_over(tmp_path: Path) -> None:
    (tmp_path / "gone.json").symlink_to(tmp_path / "nowhere")
    assert [refusal(read_estate, file) for file in files_below([tmp_path])] == ["No such file or directory"]


def test_connections_given_apart_are_those_of_their_parent() -> None:
    endpoint: JsonObject = {"id": f"{GROUP}/Microsoft.Network/privateEndpoints/pe"}
    listed: JsonObject = {"id": f"{ACCOUNT}/privateEndpointConnections/a", "properties": {"old": True}}
    apart = [
        resource(
            f"{ACCOUNT}/privateEndpointConnections/a", type=None, properties={"privateEndpoint": {"id": endpoint}}
        ),
        resource(f"{ACCOUNT.upper()}/privateEndpointConnections/b", type=None),
    ]
    owner = resource(properties={"privateEndpointConnections": [listed]})
    (judged,) = resources_to_judge([apart[0], owner, apart[1]])
    assert judged.at("properties.privateEndpointConnections") == apart
    assert at(owner, "properties.privateEndpointConnections") == [listed]


def test_a_body_without_properties_does_not_get_any() -> None:
    bodies = [resource(properties=None), resource(f"{ACCOUNT}/privateEndpointConnections/a", type=None)]
    (judged,) = resources_to_judge(bodies)
    assert judged.body == bodies[0]


def test_storage_knows_which_ai_resources_name_it() -> None:
    workspace = f"{GROUP}/Microsoft.MachineLearningServices/workspaces/mlw"
    bodies = [
        resource(STORAGE),
        resource(STORAGE + "2"),
        resource(properties={"userOwnedStorage": [{"resourceId": STORAGE.upper()}]}),
        resource(workspace, properties={"storageAccount": STORAGE}),
    ]
    first, second, *_ = resources_to_judge(bodies)
    assert {user.path for user in first.attached_to} == {ACCOUNT, workspace}
    assert not second.attached_to


@pytest.mark.parametrize(
    "content,events",
    [
        ('{"anything": true}', [{"anything": True}]),
        (
            '[{"eventType": "x", "id": "1"}, {"specversion": "1.0"}]',
            [{"eventType": "x", "id": "1"}, {"specversion": "1.0"}],
        ),
        ('{"a": 1}\n{"a": 1}\r\n\r\n{"b": []}\n', [{"a": 1}, {"a": 1}, {"b": []}]),
        ('[{"a": 1}]\n[{"b": 2}]', [{"a": 1}, {"b": 2}]),
        ("[]", []),
        ("", []),
    ],
)
def test_events_are_taken_raw_and_in_order(content: str, events: list[JsonObject], write: Write) -> None:
    assert read_events(write(content)) == events


@pytest.mark.parametrize(
    "content,message",
    [
        ("7", "$: is not a JSON object, so it is no event"),
        ('[{}, "x"]', "$[1]: is not a JSON object"),
        ('{}\n{}\n"x"', "line 3, $: is not a JSON object"),
        ('{"a": 1}\n{"b": }', "line 2, column 7: not JSON: Expecting value"),
    ],
)
def test_what_is_no_event_is_refused_with_its_place(content: str, message: str, write: Write) -> None:
    assert message in refusal(read_events, write(content))


def _attempt[Result](read: Callable[[Path], Result], content: bytes) -> Result | None:
    """What is read from a file with that content; None where it is refused."""
    with tempfile.NamedTemporaryFile(suffix=".json") as file:
        file.write(content)
        file.flush()
        try:
            return read(Path(file.name))
        except UnusableInput:
            return None


def _spliced(export: bytes, at_: int, junk: bytes) -> bytes:
    cut = at_ % len(export)
    return export[:cut] + junk + export[cut + len(junk) :]


_DAMAGED = st.builds(
    _spliced,
    st.sampled_from([file.read_bytes() for file in sorted(EXPORTS.iterdir())]),
    st.integers(0, 20_000),
    st.binary(min_size=1, max_size=4) | st.sampled_from([b"null", b"[", b"}", b'"', b"-1", b"1e999", b"\\ud800"]),
)


@given(st.binary(max_size=200) | _DAMAGED)
@example(codecs.BOM_UTF16_LE + b"\x00\xd8")
@example(codecs.BOM_UTF32_BE + b"\xff\xff\xff\xff")
@example(b'{"id": "\\ud800"}')
def test_any_bytes_are_read_or_refused(content: bytes) -> None:
    events = _attempt(read_events, content)
    bodies = _attempt(read_estate, content)
    assert events is None or all(isinstance(event, dict) for event in events)
    assert bodies is None or resources_to_judge(bodies) is not None


_JSON: st.SearchStrategy[Json] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)
_NAMES = [
    *("publicNetworkAccess", "networkAcls", "networkRuleSet", "defaultAction", "ipRules", "value", "disableLocalAuth"),
    *("authOptions", "allowSharedKeyAccess", "minimumTlsVersion", "supportsHttpsTrafficOnly", "userOwnedStorage"),
    *("storageAccount", "resourceId", "provisioningState", "privateEndpointConnections", "isNfsV3Enabled"),
]
_PROPERTIES = st.recursive(
    _JSON | st.sampled_from(["Disabled", "Enabled", "Allow", "Deny", "0.0.0.0/0", "TLS1_3", STORAGE]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(_NAMES), inner, max_size=5),
    max_leaves=12,
)


@given(
    st.sampled_from(["Microsoft.CognitiveServices/accounts", "Microsoft.Search/searchServices"])
    | st.sampled_from(["Microsoft.MachineLearningServices/workspaces", "Microsoft.Storage/storageAccounts"]),
    _PROPERTIES,
    _JSON,
    _JSON,
)
def test_whatever_a_body_holds_it_is_judged(kind: str, properties: Json, tags: Json, any_kind: Json) -> None:
    body = resource(f"{GROUP}/{kind}/x", properties=properties, tags=tags, kind=any_kind)
    bodies = _attempt(read_estate, json.dumps([body]).encode())
    assert bodies == (body,)
    report = judge(resources_to_judge(bodies), load_catalogue(), Baseline())
    assert report.as_json()["resources"] == 1
    assert json.loads(json.dumps(report.as_json(), allow_nan=False)) == report.as_json()
