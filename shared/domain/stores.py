"""What Airlock keeps in its own storage account: the one place of these names."""

# Event Grid's, the host's and our own name for where signals wait.
SIGNALS_QUEUE = "signals"
# Where the host moves a message that made the function crash five times (learn.microsoft.com/azure/azure-functions/
# functions-bindings-storage-queue-trigger, "Poison messages", read 2026-11-24).
POISON_QUEUE = f"{SIGNALS_QUEUE}-poison"
LEDGER_TABLE = "AirlockLedger"
# Where Event Grid puts what it could not deliver.
DEAD_LETTERS = "airlock-dead-letters"
# Where `bury` keeps what nobody could deal with, until somebody replays it.
BURIED = "airlock-buried"
# Where the heads of the log's chains are anchored; the deployment makes it immutable.
ANCHORS = "airlock-anchors"
