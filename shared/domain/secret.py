"""A key while it is in our hands: compared and fingerprinted, never shown."""

import hashlib
import hmac
from dataclasses import dataclass, field

# Enough to tell two keys of one account apart, and nothing that helps to find a key.
_SHOWN_DIGITS = 12


def digest(secret: str) -> str:
    """The full SHA-256 of a secret, in lower-case hex: what an exposed one is matched by. Never recorded."""
    return hashlib.sha256(secret.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Secret:
    """A live key. Its value is in no text that is made of it."""

    value: str = field(repr=False)

    @property
    def fingerprint(self) -> str:
        """Twelve hex digits that tell this key from another one: what the ledger and records of dead keys keep."""
        return digest(self.value)[:_SHOWN_DIGITS]

    def matches(self, sha256: str) -> bool:
        """Whether the key is the one with that full SHA-256, in constant time."""
        return hmac.compare_digest(digest(self.value).encode(), sha256.encode())
