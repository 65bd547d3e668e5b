"""The choices that a security team makes about the baseline itself, as rules and guards see them."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Baseline:
    """How strict the desired state is.

    `allow_lists`: a narrow allow-list with default deny counts as not public. `allow_isolation`: a resource may be
    closed although nothing could reach it afterwards. `min_ipv4_prefix`: a range with a shorter prefix than this is
    as good as the internet. `protected`: names, types with names (`microsoft.storage/
    storageaccounts/x`) and ARM ids in lower case that are never written to, our own first.
    `hostile`: the addresses that an attack under way comes from, which no rule may let in; empty in peace.
    """

    allow_lists: bool = True
    allow_isolation: bool = False
    min_ipv4_prefix: int = 8
    protected: frozenset[str] = frozenset()
    hostile: frozenset[str] = frozenset()
