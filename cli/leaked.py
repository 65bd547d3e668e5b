"""What was found where it does not belong: one key, or a scanner's report. Keys come in, hashes go out.

The input is hostile and secret at once: nothing that it holds stands in a message, and no key in a place.
"""

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum

from cli.documents import STANDARD_INPUT, UnusableInput
from shared.domain.arm_id import ArmId
from shared.domain.body import Json, JsonObject, as_list, as_object, as_text, at
from shared.domain.exposure import Exposure
from shared.domain.redact import redact
from shared.domain.secret import digest

MOST_BYTES = 1024 * 1024
MOST_FINDINGS = 1000
_LONGEST_TEXT = 8 * 1024
_LONGEST_PLACE = 240
# Keys of Azure accounts are 32 hex digits, 52 or 84 letters and digits, or 88 characters of base64. What is shorter
# or otherwise spelt is no such key but may be a password, and the hash of a weak one gives it away.
_KEY = "[A-Za-z0-9+/]{32,128}={0,2}"
_ALONE = re.compile(_KEY)
# `api-key: …`, `Authorization: Bearer …`, `export NAME="…"`, `"name": "…"`, `…;AccountKey=…;`. A key alone is none of
# these though it may end in `=`. Everything is bounded, so that no input takes long.
_ASSIGNED = re.compile(
    r"(?:^|[\s;:,'\"`({])[\w.-]{1,64}+['\"]?+\s{0,16}+[=:]\s{0,16}+(?:(?:Bearer|ApiKey)\s{1,4}+)?+['\"]?+"
    rf"({_KEY})(?=$|[\s;,'\"`)}}\\])",
    re.IGNORECASE,
)
_QUOTES = " \t\r\n'\"`,;"
# Shorter ones are words, and would be masked in every place that has the word.
_SHORTEST_MASKED = 8
_MASK = "[redacted]"
_COMMIT = re.compile(r"[0-9a-f]{12,64}")
_INK = re.compile(r"[^ \t\r\n]")


class Format(StrEnum):
    """What the input is."""

    AUTO = "auto"
    TEXT = "text"
    GITLEAKS = "gitleaks"
    GITHUB = "github"


class Skip(StrEnum):
    """Why a finding of a report is not told of."""

    REDACTED = "redacted"
    RESOLVED = "resolved"
    NO_KEY = "not like a key of an Azure account"


@dataclass(frozen=True, slots=True)
class Leaked:
    """The exposures, one for each distinct key, and why each of the other findings is none."""

    exposures: tuple[Exposure, ...]
    skipped: tuple[Skip, ...] = ()


@dataclass(frozen=True, slots=True)
class _Finding:
    """One finding while its keys are in our hands. `secrets` is all that must not show in any place."""

    place: str = field(repr=False)
    secrets: frozenset[str] = field(repr=False)
    keys: tuple[str, ...] = field(repr=False)
    skip: Skip | None = None


def read_leaked(raw: bytes, kind: Format, *, found_at: str = "", resource: ArmId | None = None) -> Leaked:
    """The exposures that the input tells of, in its order.

    A text is one key, or a line that holds one: a connection string, a header, an assignment. A report is what
    gitleaks or GitHub secret scanning writes as JSON. `found_at` stands before every place that a report names;
    `resource` is what all the keys are said to open.

    Raises UnusableInput, which repeats nothing of the input, for anything else, for more than MOST_BYTES or
    MOST_FINDINGS, and for a report whose every secret is redacted.
    """
    if len(raw) > MOST_BYTES:
        raise _unusable(f"is larger than {MOST_BYTES // 1024**2} MB")
    text = _text(raw)
    if not text.strip():
        raise _unusable("is empty")
    found = list(_findings(text, kind))
    skipped = tuple(finding.skip for finding in found if finding.skip)
    exposures = tuple(_exposures(found, found_at, resource))
    if not exposures and Skip.REDACTED in skipped:
        raise _unusable("no secret in the report is shown: make it without hiding them")
    return Leaked(exposures, skipped)


def _unusable(reason: str, place: str = "") -> UnusableInput:
    return UnusableInput(STANDARD_INPUT, place, reason)


def _text(raw: bytes) -> str:
    # PowerShell's pipe may write UTF-16.
    encoding = json.detect_encoding(raw).removesuffix("-sig")
    try:
        return raw.decode(encoding).removeprefix("\ufeff")
    except UnicodeDecodeError:
        raise _unusable("is not text") from None


def _findings(text: str, kind: Format) -> Iterator[_Finding]:
    if kind is Format.TEXT or (kind is Format.AUTO and text.lstrip()[0] not in "[{"):
        yield _alone(text)
        return
    items = list(_items(text))
    if len(items) > MOST_FINDINGS:
        raise _unusable(f"holds {len(items)} findings, and {MOST_FINDINGS} at most can be told at once")
    for number, item in enumerate(items, 1):
        body = as_object(item)
        match kind, body:
            case ((Format.AUTO | Format.GITLEAKS), {"Secret": str()}):
                yield _gitleaks(body)
            case ((Format.AUTO | Format.GITHUB), {"secret_type": str()}):
                yield _github(body)
            case _:
                raise _unusable(f"is no finding of {_SCANNERS[kind]}", f"item {number}")


_SCANNERS = {
    Format.AUTO: "gitleaks or of GitHub secret scanning",
    Format.GITLEAKS: "gitleaks",
    Format.GITHUB: "GitHub secret scanning",
}


def _alone(text: str) -> _Finding:
    line = text.strip()
    if len(line.splitlines()) > 1 or len(line) > _LONGEST_TEXT:
        raise _unusable("holds more than one key in one line, and is no report of gitleaks or GitHub secret scanning")
    keys = _keys(line)
    if not keys:
        raise _unusable("holds no key of an Azure account: 32 letters and digits or more, alone or behind a name")
    if len(keys) > 1:
        raise _unusable("holds several keys: give them one by one, or as a report")
    return _Finding("", frozenset({line, *keys}), keys)


def _items(text: str) -> Iterator[Json]:
    """The findings of every JSON value: tools that read page by page write several, or lists of lists."""
    for value in _values(text):
        match value:
            case list() | {"alerts": list()}:
                listed = value if isinstance(value, list) else as_list(as_object(value)["alerts"])
                for item in listed:
                    yield from item if isinstance(item, list) else [item]
            case _:
                yield value


def _values(text: str) -> Iterator[Json]:
    end = 0
    decoder = json.JSONDecoder()
    while ink := _INK.search(text, end):
        try:
            value, end = decoder.raw_decode(text, ink.start())
        except json.JSONDecodeError as problem:
            # Its own words may quote a letter of the input.
            raise _unusable("is not JSON", f"line {problem.lineno}, column {problem.colno}") from None
        except (ValueError, RecursionError):
            raise _unusable("is not JSON that a scanner writes") from None
        yield value


def _gitleaks(body: JsonObject) -> _Finding:
    """A finding as gitleaks 8 writes it. `--redact` leaves REDACTED, or with a percentage the beginning and dots."""
    secret, match = as_text(body.get("Secret")), as_text(body.get("Match"))
    line, commit = body.get("StartLine"), as_text(body.get("Commit"))
    # A rule may have caught a part of a connection string, or all of it, and the key is what opens the account.
    keys = tuple(dict.fromkeys((*_keys(secret), *_ASSIGNED.findall(match))))
    hidden = secret in {"", "REDACTED"} or secret.endswith("...")
    place = _line(as_text(body.get("File")), line, commit)
    return _Finding(place, _masked(secret, keys), keys, None if keys else Skip.REDACTED if hidden else Skip.NO_KEY)


def _github(body: JsonObject) -> _Finding:
    """An alert as the REST API answers it; `hide_secret` leaves its secret out."""
    secret = as_text(body.get("secret"))
    keys = _keys(secret)
    place = as_text(body.get("html_url")) or _github_line(body)
    if as_text(body.get("state")) == "resolved":
        return _Finding(place, _masked(secret, keys), (), Skip.RESOLVED)
    return _Finding(place, _masked(secret, keys), keys, None if keys else Skip.NO_KEY if secret else Skip.REDACTED)


def _github_line(body: JsonObject) -> str:
    first = as_object(body.get("first_location_detected"))
    line = _line(as_text(first.get("path")), first.get("start_line"), as_text(first.get("commit_sha")))
    return " ".join(part for part in (as_text(at(body, "repository.full_name")), line) if part)


def _line(file: str, line: Json, commit: str) -> str:
    """`deploy.env:3 0123456789ab`, as far as it is known."""
    known = isinstance(line, int) and line > 0
    return " ".join(
        part
        for part in (f"{file}:{line}" if file and known else file, commit[:12] if _COMMIT.fullmatch(commit) else "")
        if part
    )


def _keys(secret: str) -> tuple[str, ...]:
    """The distinct keys that the text is, or holds behind a name."""
    bare = secret.strip(_QUOTES)
    return (bare,) if _ALONE.fullmatch(bare) else tuple(dict.fromkeys(_ASSIGNED.findall(secret)))


def _masked(secret: str, keys: Iterable[str]) -> frozenset[str]:
    bare = secret.strip(_QUOTES)
    return frozenset({*keys, bare} if len(bare) >= _SHORTEST_MASKED else keys)


def _exposures(found: list[_Finding], found_at: str, resource: ArmId | None) -> Iterator[Exposure]:
    # The longest first: what another one is a part of would else be left in pieces.
    secrets = sorted({secret for finding in found for secret in finding.secrets}, key=len, reverse=True)
    places: dict[str, dict[str, None]] = {}
    for finding in found:
        place = _place(f"{found_at} {finding.place}".strip(), secrets)
        for key in finding.keys:
            places.setdefault(digest(key), {})[place] = None
    for sha256, named in places.items():
        first, *more = [place for place in named if place] or [""]
        yield Exposure(sha256, f"{first} and {len(more)} more" if more else first, resource)


def _place(text: str, secrets: Iterable[str]) -> str:
    # Masked before it is cut: half a key would not be known for one.
    for secret in secrets:
        text = text.replace(secret, _MASK)
    return redact(text, _LONGEST_PLACE)
