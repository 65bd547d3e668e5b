"""No secret survives, and what is none does."""

import base64
import json
import time
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.arm_id import ArmId
from shared.domain.redact import one_line, redact
from tests.domain.making import arm_ids

alphanumeric = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
storage_keys = st.binary(min_size=64, max_size=64).map(lambda key: base64.b64encode(key).decode())


def base64url(length: int) -> st.SearchStrategy[str]:
    return st.text(f"{alphanumeric}-_", min_size=length, max_size=length)


planted = {
    "cognitive key, 32 hex": st.text("0123456789abcdef", min_size=32, max_size=32),
    "cognitive key, 84 letters": st.text(alphanumeric, min_size=84, max_size=84),
    "search key, 52 letters": st.text(alphanumeric, min_size=52, max_size=52),
    "storage key": storage_keys,
    "client secret": st.builds("{}8Q~{}".format, base64url(3), base64url(34)),
    "event grid key": st.binary(min_size=32, max_size=32).map(lambda key: base64.b64encode(key).decode()),
    "token": st.builds("eyJ{}.eyJ{}.{}".format, base64url(40), base64url(60), base64url(43)),
}
# What stands around a secret ends and begins with something that no key holds.
around = st.text(max_size=20).map(lambda text: f"{text} ")


@pytest.mark.parametrize("kind", planted)
@given(data=st.data())
def test_no_planted_secret_survives(kind: str, data: st.DataObject) -> None:
    secret = data.draw(planted[kind])
    for before, after in (('"key1":"', '"'), ("key is ", "."), ("(", ")"), ("=", "&x=1"), ("", "")):
        text = f"{data.draw(around)}{before}{secret}{after} {data.draw(around)}"
        shown = redact(text, 10_000)
        assert not any(secret[at : at + 12] in shown for at in range(0, len(secret) - 12, 4)), shown


@given(storage_keys)
def test_no_part_of_an_address_or_connection_string_that_signs_survives(key: str) -> None:
    quoted = key.replace("+", "%2B").replace("/", "%2F").replace("=", "%3D")
    for text in (
        f"https://stmlprodweu.blob.core.windows.net/data?sv=2024-11-04&se=2027-01-01&sr=c&sp=rl&sig={quoted}",
        f"https://stmlprodweu.blob.core.windows.net/data?sig={quoted}&sv=2024-11-04",
        f"https://app.azurewebsites.net/api/operate?code=x&key={key}",
        f"DefaultEndpointsProtocol=https;AccountName=stmlprodweu;AccountKey={key};EndpointSuffix=core.windows.net",
        f"Endpoint=sb://ns.servicebus.windows.net/;SharedAccessKeyName=Root;SharedAccessKey={key}",
        f"BlobEndpoint=https://x.blob.core.windows.net/;SharedAccessSignature=sv=2024-11-04&SIG={quoted}",
        f"Authorization: Bearer {key}",
        json.dumps({"keys": [{"keyName": "key1", "value": key}]}),
    ):
        shown = redact(text)
        assert key[:16] not in shown
        assert quoted[:16] not in shown
        assert "[redacted]" in shown


def test_a_password_in_a_connection_string_does_not_survive() -> None:
    assert "hunter2!" not in redact("Server=tcp:x.database.windows.net;User ID=app;Password=hunter2!;Encrypt=True")


@given(arm_ids)
def test_arm_ids_stay_as_they_are(arm_id: ArmId) -> None:
    assert redact(arm_id.path) == arm_id.path
    assert redact(f"'{arm_id.path}' is locked.") == f"'{arm_id.path}' is locked."


@pytest.mark.parametrize(
    "sentence",
    [
        "",
        "every rule of its type is satisfied",
        "no rule judges resources of type Microsoft.KeyVault/vaults",
        "AIRLOCK_DISABLE_LOCAL_AUTHENTICATION_COGNITIVE_ACCOUNTS: wants off, audit or enforce",
        "409 RequestConflict: Cannot modify '/subscriptions/11111111-2222-3333-4444-555555555555/resourceGroups/rg'",
        "2026-12-24 waits for the new hub, ticket OPS-4711 (Straße 東京)",
    ],
)
def test_ordinary_sentences_stay_as_they_are(sentence: str) -> None:
    assert redact(sentence) == sentence


@given(st.text())
def test_what_is_shown_has_no_control_characters(text: str) -> None:
    for shown in (redact(text), one_line(text)):
        assert not {unicodedata.category(letter) for letter in shown} & {"Cc", "Cs", "Zl", "Zp"}


@given(st.text(min_size=1), st.integers(1, 40))
def test_what_is_shown_is_as_long_as_asked_for_at_most(text: str, longest: int) -> None:
    assert len(redact(text * 9, longest)) <= longest
    assert len(one_line(text * 9, longest)) <= longest


def test_what_was_cut_says_so() -> None:
    assert redact("one two three", 8) == "one two…"


@pytest.mark.parametrize("text", ["a+", "a/", "eyJ-", "eyJ", "key=", "sig=", "bearer ", "=", "\x00"])
def test_a_long_text_takes_no_longer_than_its_length(text: str) -> None:
    began = time.process_time()
    redact(text * (12_000 // len(text)))
    assert time.process_time() - began < 0.5
