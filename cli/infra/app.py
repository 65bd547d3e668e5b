"""What the deployment must call as the app does: its functions, its stores, and the role of its operators."""

from function_app import app
from shared.domain import stores
from shared.domain.body import Json
from shared.domain.catalogue import Catalogue
from shared.domain.operator import ROLE
from shared.domain.settings import valid_names


def app_names(catalogue: Catalogue) -> Json:
    """Functions by name, every setting that the app reads, and all stores that have to be there before it starts."""
    functions: list[Json] = [*sorted(str(each.get_function_name()) for each in app.get_functions())]
    return {
        "functions": functions,
        "settings": list(valid_names(catalogue)),
        "signalsQueue": stores.SIGNALS_QUEUE,
        "poisonQueue": stores.POISON_QUEUE,
        "ledgerTable": stores.LEDGER_TABLE,
        "deadLetters": stores.DEAD_LETTERS,
        "buried": stores.BURIED,
        "anchors": stores.ANCHORS,
        "operatorRole": ROLE,
    }
