"""The `$filter` language: every filter reads back as itself, and no text breaks the reader."""

import contextlib
import operator
from datetime import UTC, datetime
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from local.storage.moment import Moment, moment, parse_moment
from local.storage.odata import (
    And,
    Comparison,
    Constant,
    Filter,
    FilterError,
    Not,
    Operator,
    Or,
    necessary,
    parse,
)

KEYWORDS = ("and", "or", "not", "true", "false")
OPERATORS: tuple[Operator, ...] = ("eq", "ne", "gt", "ge", "lt", "le")

FRAGMENTS = [
    "a",
    "eq",
    "ne",
    "(",
    ")",
    "not",
    "and",
    "or",
    "''",
    "'x'",
    "1",
    "2L",
    "3.5",
    "X'0'",
    "guid'x'",
    "true",
    "-",
]

names = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,8}", fullmatch=True).filter(lambda name: name not in KEYWORDS)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
instants = st.datetimes(datetime(1700, 1, 1), datetime(9000, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 # naive bounds
constants: st.SearchStrategy[Constant] = (
    texts
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(-1e30, 1e30, allow_subnormal=False)
    | st.binary(max_size=8)
    | st.uuids()
    | st.builds(lambda instant, tick: Moment(moment(instant).ticks + tick), instants, st.integers(0, 9))
)
comparisons = st.builds(
    Comparison, names | st.sampled_from(["PartitionKey", "RowKey"]), st.sampled_from(OPERATORS), constants
)
filters: st.SearchStrategy[Filter] = st.recursive(
    comparisons,
    lambda inner: (
        st.builds(Not, inner)
        | st.builds(And, st.lists(inner, min_size=2, max_size=3).map(tuple))
        | st.builds(Or, st.lists(inner, min_size=2, max_size=3).map(tuple))
    ),
    max_leaves=12,
)


def written_constant(constant: Constant) -> str:
    plain = constant.hex() if isinstance(constant, bytes) else str(constant)
    forms: dict[type, str] = {
        bool: plain.lower(),
        int: f"{plain}L",
        float: f"{plain}d",
        bytes: f"X'{plain}'",
        UUID: f"guid'{plain}'",
        Moment: f"datetime'{plain}'",
        str: "'" + plain.replace("'", "''") + "'",
    }
    return forms[type(constant)]


def written(found: Filter) -> str:
    match found:
        case Comparison(name, spelled, constant):
            return f"{name} {spelled} {written_constant(constant)}"
        case Not(operand):
            return f"not ({written(operand)})"
        case And(operands):
            return " and ".join(f"({written(operand)})" for operand in operands)
        case Or(operands):
            return " or ".join(f"({written(operand)})" for operand in operands)


@settings(deadline=None)
@given(filters)
def test_every_filter_reads_back_as_itself(found: Filter) -> None:
    assert parse(written(found)) == found


@settings(deadline=None)
@given(st.text(max_size=60) | st.lists(st.sampled_from(FRAGMENTS)).map(" ".join))
def test_any_text_is_a_filter_or_an_error(text: str) -> None:
    with contextlib.suppress(FilterError):
        assert parse(text).matches({"a": 1}.get) in (True, False)


@settings(deadline=None)
@given(filters, texts, texts)
def test_an_index_that_narrows_loses_no_match(found: Filter, partition_key: str, row_key: str) -> None:
    entity: dict[str, Constant] = {"PartitionKey": partition_key, "RowKey": row_key}
    if found.matches(entity.get):
        assert all(bound.matches(entity.get) for bound in necessary(found, frozenset(entity)))


@settings(deadline=None)
@given(st.sampled_from(OPERATORS), st.integers(-5, 5) | st.floats(-5, 5), st.integers(-5, 5) | st.floats(-5, 5))
def test_numbers_compare_whatever_their_width(spelled: Operator, left: float, right: float) -> None:
    assert Comparison("n", spelled, right).matches({"n": left}.get) is getattr(operator, spelled)(left, right)


def test_and_binds_closer_than_or() -> None:
    one, two, three = (Comparison("n", "eq", number) for number in (1, 2, 3))
    assert parse("n eq 1 or n eq 2 and n eq 3") == Or((one, And((two, three))))
    assert parse("(n eq 1 or n eq 2) and n eq 3") == And((Or((one, two)), three))
    assert parse("not n eq 1 and n eq 2") == And((Not(one), two))


def test_a_constant_may_stand_on_the_left() -> None:
    assert parse("5 lt n") == Comparison("n", "gt", 5)


def test_keys_of_a_conjunction_narrow_and_those_of_a_disjunction_do_not() -> None:
    keys = frozenset({"PartitionKey", "RowKey"})
    bounds = necessary(parse("PartitionKey eq 'p' and (RowKey ge 'a' and n eq 1)"), keys)
    assert [(bound.name, bound.operator) for bound in bounds] == [("PartitionKey", "eq"), ("RowKey", "ge")]
    assert necessary(parse("PartitionKey eq 'p' or RowKey eq 'r'"), keys) == ()
    assert necessary(parse("not (PartitionKey eq 'p')"), keys) == ()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "n",
        "n eq n",
        "1 eq 1",
        "n EQ 1",
        "n eq 'x",
        "n eq null",
        "n eq 2147483648",
        "n eq 9223372036854775808L",
        "n eq 1.5L",
        "n eq datetime'yesterday'",
        "n eq datetime'1600-01-01T00:00:00Z'",
        "n eq guid'1'",
        "n eq X'abc'",
        "n eq binary'?'",
        "n eq time'PT1S'",
        "n eq 1and n eq 2",
        "(" * 65 + "n eq 1" + ")" * 65,
        "not " * 100_000 + "n eq 1",
        "(" * 100_000,
    ],
)
def test_what_is_not_a_filter(text: str) -> None:
    with pytest.raises(FilterError):
        parse(text)


@pytest.mark.parametrize(
    "text,canonical",
    [
        ("2026-01-02T03:04:05.1234567Z", "2026-01-02T03:04:05.1234567Z"),
        ("2026-01-02T03:04:05.120Z", "2026-01-02T03:04:05.12Z"),
        ("2026-01-02T03:04", "2026-01-02T03:04:00Z"),
        ("2026-01-02T03:04:05+02:00", "2026-01-02T01:04:05Z"),
        ("1601-01-01T00:00:00Z", "1601-01-01T00:00:00Z"),
    ],
)
def test_instants_are_written_in_utc_without_idle_digits(text: str, canonical: str) -> None:
    assert str(parse_moment(text)) == canonical


@pytest.mark.parametrize(
    "text", ["9999-12-31T23:59:59-01:00", "2026-02-30T00:00:00Z", "2026-01-01", "\uff12026-01-01T00:00Z"]
)
def test_what_is_not_an_instant(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_moment(text)
