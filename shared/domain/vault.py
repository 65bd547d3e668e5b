"""How consumers find the key of an account in the vault."""

import hashlib
import re

from shared.domain.arm_id import ArmId

# A secret's name takes letters, digits and dashes, at most 127 of them (learn.microsoft.com/azure/key-vault/general/
# about-keys-secrets-certificates, read 2026-11-24).
_OTHERS = re.compile(r"[^0-9a-z-]+")
_LONGEST_NAME = 100


def secret_name(account: ArmId) -> str:
    """The name of the account's secret: its own name, and eight hex digits of its ARM id, since names repeat.

    The digits are the first of SHA-256 over the id in lower case.
    """
    digits = hashlib.sha256(account.key.encode()).hexdigest()[:8]
    return f"{_OTHERS.sub('-', account.name.lower())[:_LONGEST_NAME]}-{digits}"
