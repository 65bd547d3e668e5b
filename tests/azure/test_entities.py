"""How entries and rows stand in the table: whatever an entry holds comes back, within the service's limits."""

import json
import zlib
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.azure.entities import (
    Entity,
    attachment_row,
    entry_entity,
    entry_row,
    intention_row,
    quiet_row,
    read_entry,
    read_row,
    row_entity,
    shard,
    unsent_row,
)
from shared.domain.arm_id import ArmId
from shared.domain.contest import Attempt
from shared.domain.ledger import Entry, Intention, Version
from shared.domain.record import Outcome
from shared.domain.rotation import Rotation
from tests.azure.making import NOW, SECOND, TARGET, concluded, incompressible, record
from tests.domain.making import arm_ids, moments

# learn.microsoft.com/rest/api/storageservices/, "Understanding the Table service data model", read 2026-11-23.
MOST_PROPERTIES = 252
LONGEST_BINARY = 64 * 1024
LONGEST_TEXT = 32 * 1024

texts = st.text(max_size=20)
drafts = st.builds(
    record,
    st.integers(0, 9),
    moments,
    reason=texts,
    actor=texts,
    outcome=st.sampled_from(Outcome),
    changes=st.none() | st.just([{"path": "a", "actual": None, "desired": [1, {"b": False}]}]),
    evidence=st.none() | st.dictionaries(texts, texts, max_size=2),
    total_ms=st.none() | st.integers(0, 10**9),
    attempt=st.integers(1, 9),
    signal_time=st.none() | moments,
)
entries = st.builds(
    Entry,
    key=texts,
    watermark=st.none() | moments,
    held_until=st.none() | moments,
    holder=texts,
    intention=st.none() | st.builds(Intention, texts, moments, st.lists(drafts, max_size=2).map(tuple)),
    head=st.text("0123456789abcdef", min_size=64, max_size=64),
    remembered=st.lists(texts, max_size=3).map(tuple),
    names=st.frozensets(texts, max_size=3),
    settings_digest=texts,
    history=st.lists(st.builds(Attempt, texts, moments), max_size=3).map(tuple),
    rotations=st.lists(
        st.builds(Rotation, texts, texts, st.text("0123456789abcdef", max_size=12), moments, st.booleans()), max_size=4
    ).map(tuple),
    performed=st.lists(texts, max_size=3).map(tuple),
    returns=st.lists(moments, max_size=3).map(tuple),
)


class Stored(dict[str, Any]):
    """An entity as the SDK answers it."""

    metadata: Mapping[str, str] = {"etag": "tag"}


def kept(entity: Entity) -> bool:
    """Whether the service takes the entity."""
    assert len(entity) <= MOST_PROPERTIES
    for value in entity.values():
        assert len(value) <= (LONGEST_BINARY if isinstance(value, bytes) else LONGEST_TEXT)
    return True


@given(entries)
def test_an_entry_comes_back(entry: Entry) -> None:
    entity = entry_entity(entry)
    assert kept(entity)
    version = Version("tag", entry.intention is not None)
    assert read_entry(entry.key, [Stored(entity)]) == replace(entry, version=version)


def test_as_many_rotations_as_are_ever_remembered_come_back() -> None:
    rotations = tuple(
        Rotation(f"secret {number:032x}", slot, f"{number:012x}", NOW + number * SECOND, ended=number % 2 == 0)
        for number in range(32)
        for slot in ("key2", "key1")
    )
    entity = entry_entity(Entry(TARGET.key, rotations=rotations))
    assert kept(entity)
    assert read_entry(TARGET.key, [Stored(entity)]).rotations == rotations


def test_an_entry_from_before_there_were_rotations_has_none() -> None:
    before = entry_entity(Entry(TARGET.key, rotations=(Rotation("a", "Key1", "0" * 12, NOW),)))
    state = json.loads(zlib.decompress(before["Data0"]))
    del state["state"]["rotations"]
    old = Stored(before | {"Data0": zlib.compress(json.dumps(state).encode())})
    assert read_entry(TARGET.key, [old]).rotations == ()


@settings(max_examples=20)
@given(texts, st.frozensets(arm_ids, max_size=3), moments, moments)
def test_what_stands_beside_an_entry_comes_back_without_one(
    key: str, owners: frozenset[ArmId], first: datetime, last: datetime
) -> None:
    rows = [Stored(RowKey=attachment_row(key, owner), Owner=owner.path) for owner in owners]
    rows.append(Stored(RowKey=quiet_row(key), First=first.isoformat(), Last=last.isoformat()))
    entry = read_entry(key, rows)
    assert {owner.key for owner in entry.attached_to} == {owner.key for owner in owners}
    assert replace(entry, attached_to=frozenset()) == Entry(key, first_signal=first, last_signal=last)


@pytest.mark.parametrize("size", [0, 1, 50_000, 61_439, 61_440, 61_441, 200_000])
def test_a_large_intention_is_cut_into_properties_that_the_service_takes(size: int) -> None:
    entry = Entry(TARGET.key, intention=Intention(incompressible(size), NOW, ()))
    entity = entry_entity(entry)
    assert kept(entity)
    assert read_entry(entry.key, [Stored(entity)]).intention == entry.intention


def test_a_row_comes_back() -> None:
    _, rows = concluded(Entry(TARGET.key), 3)
    for row in rows:
        entity = row_entity(row)
        assert kept(entity)
        assert read_row(Stored(entity)) == row


@given(st.lists(st.integers(0, 10**7), min_size=2, max_size=5, unique=True))
def test_row_keys_of_unsent_rows_sort_by_time(microseconds: list[int]) -> None:
    rows = [concluded(Entry(TARGET.key), 1, NOW + at * SECOND / 10**6)[1][0] for at in microseconds]
    by_key = sorted(rows, key=unsent_row)
    assert by_key == sorted(rows, key=lambda row: str(row.columns["TimeGenerated"]))


@given(texts, texts)
def test_the_rows_of_one_entry_stand_together_and_apart_from_those_of_others(key: str, other: str) -> None:
    own = [entry_row(key), quiet_row(key), attachment_row(key, TARGET)]
    first, until = entry_row(key), f"{entry_row(key)}~"
    assert all(first <= name < until for name in own)
    assert not first <= intention_row(key) < until
    assert shard(key) in "0123456789abcdef"
    if other != key:
        assert not any(first <= name < until for name in (entry_row(other), quiet_row(other)))
