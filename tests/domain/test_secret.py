"""A key in our hands: compared, never shown."""

import dataclasses
import hashlib
import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.act import PublishKey
from shared.domain.mode import Mode
from shared.domain.secret import Secret, digest

KEY = "k" * 52 + "JQQJ99BCAC" + "k" * 22
keys = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=12, max_size=100)


@given(keys)
def test_no_text_that_is_made_of_it_shows_it(key: str) -> None:
    secret = Secret(key)
    for text in (
        repr(secret),
        str(secret),
        f"{secret}",
        f"{secret!r:>100}",
        "{}".format(secret),  # noqa: UP032 - another way to the same text
        "%s %r" % (secret, secret),  # noqa: UP031 - as above
        repr({"Key1": secret}),
        repr([secret]),
        repr((PublishKey("name", Mode.ENFORCE), secret)),
    ):
        assert key not in text


def test_no_logger_shows_it(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    logging.getLogger("airlock").debug("a key: %s, all: %r", Secret(KEY), {"Key1": Secret(KEY)})
    assert caplog.text
    assert KEY not in caplog.text


def test_an_exception_that_holds_it_does_not_show_it() -> None:
    error = ValueError("nothing to see", Secret(KEY))
    assert KEY not in f"{error} {error!r} {error.args}"


def test_it_cannot_be_changed() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        Secret(KEY).value = "other"  # type: ignore[misc] # that it is frozen is what is tested


@given(keys)
def test_the_fingerprint_is_twelve_digits_of_the_hash(key: str) -> None:
    assert Secret(key).fingerprint == hashlib.sha256(key.encode()).hexdigest()[:12]
    assert Secret(key).fingerprint == Secret(key).fingerprint


@given(keys, keys)
def test_only_the_key_itself_matches(key: str, other: str) -> None:
    assert Secret(key).matches(digest(key))
    assert Secret(key).matches(digest(other)) is (key == other)
    assert (Secret(key) == Secret(other)) is (key == other)


@pytest.mark.parametrize(
    "told", ["", KEY, digest(KEY)[:12], digest(KEY).upper(), f"{digest(KEY)} ", "ä" * 64, "0" * 64]
)
def test_nothing_but_the_full_hash_in_lower_case_matches(told: str) -> None:
    assert not Secret(KEY).matches(told)
