"""What must never leave: keys, tokens, SAS, connection strings, in any text that came from outside."""

import re

_MASK = "[redacted]"
_SECRETS = re.compile(
    r"(?<![\w-])eyJ[\w-]{8,}(?:\.[\w-]*){1,4}"  # JSON web tokens
    r"|(?<=sig=)[^&\s\"']+"  # shared access signatures
    r"|(?<=key=)[^;&\s\"']+"  # AccountKey=, SharedAccessKey=, code keys in URLs
    r"|(?<=password=)[^;&\s\"']+"
    r"|(?<=pwd=)[^;&\s\"']+"
    r"|(?<=bearer )\S+"
    r"|[\w~.-]{3}[0-9]Q~[\w~.-]{20,}"  # client secrets of Entra applications
    r"|(?<![A-Za-z0-9+/])[A-Za-z0-9+/]{32,}={1,2}"  # padded base64 of 24 bytes or more: storage keys
    r"|(?<![A-Za-z0-9])[A-Za-z0-9]{32,}(?![A-Za-z0-9])",  # the keys of AI services, search and functions
    re.IGNORECASE,
)
# Control characters, and those that turn or hide what stands beside them.
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]+")


def redact(text: str, longest: int = 1024) -> str:
    """The text on one line, without anything that could be a secret, cut to `longest` characters.

    Masks too much rather than too little: an undashed GUID is masked too.
    """
    masked = _SECRETS.sub(_MASK, _CONTROL.sub(" ", text))
    return masked if len(masked) <= longest else masked[: longest - 1] + "…"


def one_line(text: str, longest: int = 256) -> str:
    """A claimed name or id made safe to store: no control characters, cut to `longest` characters."""
    return _CONTROL.sub(" ", text)[:longest]
