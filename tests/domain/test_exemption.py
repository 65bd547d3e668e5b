"""Exemption tags: which count, and what is said of those that do not."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.body import Json
from shared.domain.exemption import Exemption, exemption
from tests.domain.making import REMEDIATION, TODAY, resource

TAG = "airlock-exempt-disable-sftp"
NO_DATE = "it does not begin with a date (YYYY-MM-DD)"


def read(text: Json, tag: str = TAG, *, allowed: bool = True) -> Exemption | None:
    return exemption(resource({"tags": {tag: text}}), REMEDIATION, TODAY, allowed=allowed)


@pytest.mark.parametrize(
    "text",
    [
        f"{TODAY} the last day",
        f"{TODAY + timedelta(days=180)} half a year",
        f"  {TODAY + timedelta(days=30)}   waits for the vendor  ",
    ],
)
def test_counts(text: str) -> None:
    assert read(text) == Exemption(text)


@pytest.mark.parametrize(
    "text, problem",
    [
        ("", NO_DATE),
        ("waits for the vendor", NO_DATE),
        ("forever", NO_DATE),
        ("2026-13-01 no such month", NO_DATE),
        ("2026-11-31 no such day", NO_DATE),
        ("31.12.2026 another spelling", NO_DATE),
        ("2026-12-24T00:00 a time", NO_DATE),
        ("2026-11-22 yesterday", "it ended on 2026-11-22"),
        ("2027-05-23 181 days", "it would last until 2027-05-23, more than 180 days away"),
        ("9999-12-31 forever", "it would last until 9999-12-31, more than 180 days away"),
        ("20261224 in another form", NO_DATE),
        ("2026-W52-4 in another form", NO_DATE),
        ("2026-12-24", "it gives no reason after the date"),
        ("2026-12-24   ", "it gives no reason after the date"),
    ],
)
def test_does_not_count(text: str, problem: str) -> None:
    assert read(text) == Exemption(text, problem)


def test_no_tag_counts_while_tags_are_off() -> None:
    claim = read("2026-12-24 waits for the vendor", allowed=False)
    assert claim == Exemption("2026-12-24 waits for the vendor", "AIRLOCK_EXEMPTION_TAGS is off")


@pytest.mark.parametrize("tag", ["airlock-exempt-enforce-tls", "airlock-exempt-", "airlock-exempt-disable-sftp-2"])
def test_another_remediation_s_tag_is_none(tag: str) -> None:
    assert read("2026-12-24 waits for the vendor", tag) is None


def test_tag_names_have_no_case() -> None:
    assert read("2026-12-24 waits for the vendor", TAG.upper()) is not None


@pytest.mark.parametrize("text", [None, 5, True, [], {}])
def test_what_is_no_text_is_no_tag(text: Json) -> None:
    assert read(text) is None


@given(st.text())
def test_any_text_is_judged(text: str) -> None:
    claim = read(text)
    assert claim is not None
    assert len(claim.text) <= 256
