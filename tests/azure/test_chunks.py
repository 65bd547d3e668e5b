"""How rows are cut into calls."""

import json
from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.azure.chunks import LARGEST, chunks
from shared.domain.record import Row

# The Logs Ingestion API's own limit on the JSON of one call.
LIMIT = 1024 * 1024
PAD = len(json.dumps({"Sealed": ""}))


def row(size: int, letter: str = "x") -> Row:
    """A row whose JSON has that many bytes, at least."""
    return Row("chain", "id", "digest", {"Sealed": letter * max(0, (size - PAD) // len(json.dumps(letter)[1:-1]))})


def sent(rows: Sequence[Row]) -> int:
    """How many bytes the rows are in one call."""
    return len(json.dumps([each.columns for each in rows]).encode())


sizes = st.integers(0, 2000) | st.integers(LARGEST // 3 - 9, LARGEST // 3 + 9) | st.integers(LARGEST - 9, LARGEST + 9)


@settings(max_examples=40)
@given(st.lists(st.builds(row, sizes, st.sampled_from("xé\u2603\U0001f512\n")), max_size=7))
def test_no_call_is_over_the_limit_and_no_row_is_lost_or_moved(rows: list[Row]) -> None:
    found = list(chunks(rows))
    assert [each for chunk in found for each in chunk] == rows
    assert all(found), "a call without rows"
    assert LARGEST < LIMIT
    for chunk in found:
        assert sent(chunk) <= LARGEST or len(chunk) == 1
    for chunk, following in pairwise(found):
        assert sent([*chunk, following[0]]) > LARGEST - 2 * len(chunk) - 4, "a call more than it takes"


@pytest.mark.parametrize("count", [1, 2, 3, 100, 5000])
def test_small_rows_leave_together(count: int) -> None:
    assert [len(chunk) for chunk in chunks([row(100)] * count)] == [count]


def test_very_many_rows_with_their_separators() -> None:
    found = list(chunks([row(PAD)] * 100_000))
    assert sum(map(len, found)) == 100_000
    assert len(found) == 2
    assert max(map(sent, found)) <= LARGEST


def test_a_huge_row_leaves_alone() -> None:
    small, huge = row(100), row(3 * LARGEST)
    assert list(chunks([small, huge, small, small])) == [[small], [huge], [small, small]]
    assert list(chunks([huge, huge])) == [[huge], [huge]]


def test_without_rows_nothing_leaves() -> None:
    assert list(chunks([])) == []
