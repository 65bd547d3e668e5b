"""The anchors of the log: always the same bytes, and nothing else reads as one."""

import hashlib
import json
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from shared.domain.anchor import Anchor, parse_anchor
from shared.domain.body import Json
from shared.domain.record import GENESIS
from tests.domain.making import NOW, moments
from tests.hostile import NASTY, anything, places, put

HEAD = "ab" * 32
ANCHOR = Anchor(NOW, GENESIS, {"/subscriptions/s": HEAD, "-": "1" * 64})
digests = st.binary(min_size=32, max_size=32).map(bytes.hex)
anchors = st.builds(Anchor, moments, digests, st.dictionaries(st.text(max_size=12), digests, max_size=3))


def test_an_anchor_as_its_blob_has_it() -> None:
    assert ANCHOR.to_bytes().decode() == (
        f'{{"heads":{{"-":"{"1" * 64}","/subscriptions/s":"{HEAD}"}},'
        f'"previous":"{GENESIS}","schemaVersion":1,"time":"2026-11-23T12:00:00.000000Z"}}'
    )
    assert ANCHOR.digest == hashlib.sha256(ANCHOR.to_bytes()).hexdigest()


@given(anchors)
def test_an_anchor_reads_back_as_itself(anchor: Anchor) -> None:
    assert parse_anchor(anchor.to_bytes()) == anchor
    assert parse_anchor(anchor.to_bytes()).digest == anchor.digest


def test_the_same_moment_is_the_same_blob() -> None:
    local = datetime(2026, 11, 23, 13, tzinfo=timezone(timedelta(hours=1)))
    assert Anchor(local, GENESIS, {}).to_bytes() == Anchor(local.astimezone(UTC), GENESIS, {}).to_bytes()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff\xfe",
        b"null",
        b"[]",
        b"{}",
        b"[" * 100_000,
        b"9" * 5_000,
        ANCHOR.to_bytes() + b"\n",
        b"\xef\xbb\xbf" + ANCHOR.to_bytes(),
        ANCHOR.to_bytes().replace(b",", b", "),
        ANCHOR.to_bytes().replace(b"000000Z", b"0Z"),
        ANCHOR.to_bytes().replace(b"000000Z", b"000000+00:00"),
        ANCHOR.to_bytes().replace(HEAD.encode(), HEAD.upper().encode()),
        ANCHOR.to_bytes().replace(b'"schemaVersion":1', b'"schemaVersion":2'),
        ANCHOR.to_bytes().replace(b'"schemaVersion":1', b'"schemaVersion":true'),
    ],
)
def test_what_is_no_anchor_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"^(is|has) "):
        parse_anchor(data)


@given(st.binary() | anything.map(lambda value: json.dumps(value).encode()))
@example(json.dumps({"schemaVersion": 1, "time": "9999-12-31T23:59:59-14:00", "previous": "", "heads": {}}).encode())
def test_nothing_but_a_value_error_is_raised(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"^(is|has) "):
        parse_anchor(data)


def test_every_part_of_an_anchor_is_looked_at() -> None:
    told: Json = json.loads(ANCHOR.to_bytes())
    for place in places(told):
        for nasty in NASTY:
            data = json.dumps(put(told, place, nasty), sort_keys=True, separators=(",", ":")).encode()
            if place != ("heads",) or nasty != {}:
                with pytest.raises(ValueError, match=r"^(is|has) "):
                    parse_anchor(data)
