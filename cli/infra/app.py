"""What the deployment must call as the app does: its functions, its stores, and the role of its operators."""

import functools

from function_app import app
from shared.domain import stores
from shared.domain.body import Json
from shared.domain.catalogue import Catalogue
from shared.domain.operator import ROLE
from shared.domain.resource_types import RESOURCE_TYPES
from shared.domain.settings import valid_names


def app_names(catalogue: Catalogue) -> Json:
    """Functions by name, types that are always judged, settings that the app reads, and all stores that must be there
    before it starts."""
    functions: list[Json] = [*_functions()]
    ai_types: list[Json] = [kind.name for kind in RESOURCE_TYPES if not kind.attachable and kind.name.count("/") == 1]
    return {
        "functions": functions,
        "aiTypes": ai_types,
        "settings": list(valid_names(catalogue)),
        "signalsQueue": stores.SIGNALS_QUEUE,
        "poisonQueue": stores.POISON_QUEUE,
        "ledgerTable": stores.LEDGER_TABLE,
        "deadLetters": stores.DEAD_LETTERS,
        "buried": stores.BURIED,
        "anchors": stores.ANCHORS,
        "operatorRole": ROLE,
    }


# azure-functions lets an app tell its functions once; the second time it takes them for doubles.
@functools.cache
def _functions() -> tuple[str, ...]:
    return tuple(sorted(str(each.get_function_name()) for each in app.get_functions()))
