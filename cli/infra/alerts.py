"""Defender's alerts: which kinds are passed on at all."""

import re

from shared.domain.body import Json
from shared.domain.catalogue import Catalogue
from shared.domain.exposure import SECRET_EXPOSED

# Up to the first dot or underscore: `AI.`, `Azure_`, `Storage.`.
_KIND = re.compile(r"[^._*]+[._]")


def alert_kinds(catalogue: Catalogue) -> list[Json]:
    """What the types of the alerts begin with to which the map has an answer; each kind once, in order."""
    types = sorted(kind for row in catalogue.alerts for kind in row.types if kind != SECRET_EXPOSED)
    return list(dict.fromkeys(found[0] for kind in types if (found := _KIND.match(kind)) is not None))
