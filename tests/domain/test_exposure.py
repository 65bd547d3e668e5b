"""Exposed keys as events tell of them: read whatever it is, named so that nobody learns anything of the key."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.arm_id import parse_arm_id
from shared.domain.body import Json, JsonObject
from shared.domain.exposure import Exposure, parse_exposure
from shared.domain.secret import Secret, digest
from tests.domain.making import SUBSCRIPTION, TARGET, arm_ids
from tests.hostile import NASTY, anything

KEY = "k" * 52 + "JQQJ99BCAC" + "k" * 22
SHA256 = digest(KEY)
# The longest run of the hash that a cause or a name may have in common with it.
LONGEST_SHARED = 11
hashes = st.binary(min_size=32, max_size=32).map(bytes.hex)


def runs(text: str) -> set[str]:
    """Every twelve characters of a text that follow each other."""
    length = LONGEST_SHARED + 1
    return {text[start : start + length] for start in range(len(text) - length + 1)}


def test_an_exposure_is_read() -> None:
    told = parse_exposure({"sha256": SHA256, "foundAt": "contoso/app config.py:3", "resourceId": TARGET.path})
    assert told == Exposure(SHA256, "contoso/app config.py:3", TARGET)
    assert Secret(KEY).matches(told.sha256)


@pytest.mark.parametrize("absent", ["", None, 7, [], {}])
def test_where_it_was_and_what_it_opens_need_not_be_told(absent: Json) -> None:
    assert parse_exposure({"sha256": SHA256, "foundAt": absent, "resourceId": absent}) == Exposure(SHA256)
    assert parse_exposure({"sha256": SHA256}) == Exposure(SHA256)


def test_the_case_of_the_hash_does_not_matter() -> None:
    told = parse_exposure({"sha256": SHA256.upper()})
    assert told == Exposure(SHA256)
    assert told.cause == Exposure(SHA256).cause


@pytest.mark.parametrize(
    "sha256",
    [
        None,
        7,
        [],
        [SHA256],
        {"value": SHA256},
        "",
        SHA256[:-1],
        f"{SHA256}0",
        f" {SHA256}",
        f"{SHA256}\n",
        f"0x{SHA256[2:]}",
        f"g{SHA256[1:]}",
        f"\u0660{SHA256[1:]}",
        f"\uff41{SHA256[1:]}",
        KEY,
    ],
)
def test_what_has_no_hash_tells_of_no_key(sha256: Json) -> None:
    with pytest.raises(ValueError, match="sha256") as told:
        parse_exposure({"sha256": sha256})
    assert not isinstance(sha256, str) or not sha256 or sha256 not in str(told.value)


@pytest.mark.parametrize(
    "named", ["nonsense", f"{TARGET.path}/../x", f"{TARGET.path}?x", "/subscriptions/", "x" * 5000]
)
def test_a_resource_that_is_none_is_told_without_repeating_it(named: str) -> None:
    with pytest.raises(ValueError, match="ARM id") as told:
        parse_exposure({"sha256": SHA256, "resourceId": named})
    assert named not in str(told.value)


@pytest.mark.parametrize(
    "place",
    [
        KEY,
        f"config.py: key={KEY}",
        f"https://x/?sig={KEY}",
        SHA256,
        f"{SHA256} in config.py",
        f"a\n{KEY}\x00b",
        f"{KEY}…",
    ],
)
def test_neither_key_nor_hash_stands_where_it_was_found(place: str) -> None:
    told = parse_exposure({"sha256": SHA256, "foundAt": place}).found_at
    assert KEY not in told
    assert SHA256 not in told
    assert told.isprintable()


@given(st.text())
def test_where_it_was_found_is_short_and_on_one_line(place: str) -> None:
    told = parse_exposure({"sha256": SHA256, "foundAt": place}).found_at
    assert len(told) <= 256
    assert not {"\n", "\r", "\u2028", "\x00"} & {*told}
    told.encode()


@given(hashes)
def test_cause_and_name_tell_nothing_of_the_hash(sha256: str) -> None:
    exposure = Exposure(sha256)
    assert not runs(exposure.cause) & runs(sha256)
    assert not runs(exposure.name) & runs(sha256)
    assert exposure.cause != exposure.name


@given(st.lists(hashes, min_size=2, max_size=20, unique=True))
def test_every_key_has_a_cause_and_a_name_of_its_own(found: list[str]) -> None:
    assert len({Exposure(sha256).cause for sha256 in found}) == len(found)
    assert len({Exposure(sha256).name for sha256 in found}) == len(found)


def test_the_cause_is_the_same_wherever_the_key_was_found() -> None:
    exposures = [Exposure(SHA256), Exposure(SHA256, "a"), Exposure(SHA256, "b", TARGET)]
    assert len({each.cause for each in exposures}) == 1
    assert len({each.name for each in exposures}) == 1


def test_cause_and_name_are_made_of_the_hash_s_hash() -> None:
    """Said a second time by hand: what the ledger knows a leak by must never change."""
    twice = hashlib.sha256(SHA256.encode()).hexdigest()
    assert Exposure(SHA256).cause == f"secret {twice[:32]}"
    assert Exposure(SHA256).name == f"exposed-key-{twice[:12]}"


@given(hashes, st.from_regex(r"[a-z/. :0-9]{0,24}", fullmatch=True), st.none() | arm_ids)
def test_what_is_told_reads_back(sha256: str, place: str, resource: object) -> None:
    exposure = Exposure(sha256, place, resource)  # type: ignore[arg-type] # an ArmId or None
    assert parse_exposure(exposure.as_json()) == exposure


@pytest.mark.parametrize("field", ["sha256", "foundAt", "resourceId"])
@pytest.mark.parametrize("value", NASTY)
def test_nasty_fields(field: str, value: Json) -> None:
    data: JsonObject = {"sha256": SHA256, "foundAt": "a", "resourceId": TARGET.path}
    assert_read_or_refused({**data, field: value})


@given(st.dictionaries(st.sampled_from(["sha256", "foundAt", "resourceId"]) | st.text(max_size=6), anything))
def test_any_event_is_read_or_refused(data: JsonObject) -> None:
    assert_read_or_refused(data)
    assert_read_or_refused(data | {"sha256": SHA256})


def assert_read_or_refused(data: JsonObject) -> None:
    try:
        told = parse_exposure(data)
    except ValueError as problem:
        assert str(problem)  # noqa: PT017 - it may be read as well
        return
    assert len(told.sha256) == 64
    assert len(told.found_at) <= 256
    assert told.resource is None or parse_arm_id(told.resource.path) == told.resource


def test_ids_in_another_spelling_are_one_resource() -> None:
    path = TARGET.path.replace(SUBSCRIPTION, SUBSCRIPTION.upper()).replace("resourceGroups", "RESOURCEGROUPS")
    first, second = (parse_exposure({"sha256": SHA256, "resourceId": each}) for each in (path, TARGET.path))
    assert first.resource is not None
    assert second.resource is not None
    assert first.resource.key == second.resource.key
    assert first.cause == second.cause
