"""The triggers, and what they are made of."""

import functools
import logging
import os
from datetime import UTC, datetime

import azure.functions as func

from shared.domain.signal import fit
from shared.domain.stores import SIGNALS_QUEUE
from shared.pipeline import remediate
from shared.settle import settle
from shared.world import World

app = func.FunctionApp()

_APP_VERSION = "0.1.0"
_STORAGE = "AzureWebJobsStorage"


@functools.cache
def _world() -> World:
    """The one world of this process, made with the first message: the SDKs behind it are most of a cold start."""
    from remediations import load_catalogue
    from shared.azure.arm import ArmClient
    from shared.azure.clients import Clients
    from shared.azure.deliveries import Deliveries
    from shared.azure.keys import AccountKeys
    from shared.azure.ledger import TableLedger
    from shared.azure.log import RemediationLog
    from shared.azure.queue import SignalQueue
    from shared.azure.topic import OutcomeTopic
    from shared.azure.vault import KeyVault
    from shared.domain.settings import read_host_storage, read_settings, with_log
    from shared.turns import Turns

    # The SDKs tell of every request at the level that this app tells of its own doings.
    logging.getLogger("azure").setLevel(logging.WARNING)
    catalogue = load_catalogue()
    settings = with_log(read_settings(os.environ, catalogue))
    options = settings.operational
    clients = Clients(options, read_host_storage(os.environ))
    ledger = TableLedger(clients.ledger(), notifies=bool(options.notify_topic))
    log = RemediationLog(clients.logs, ledger, options.logs_rule, options.logs_stream)
    return World(
        arm=ArmClient(clients.arm(), options.arm_endpoint),
        keys=AccountKeys(clients.keys),
        vault=KeyVault(clients.vault) if options.key_vault_uri else None,
        ledger=ledger,
        log=Deliveries(log, OutcomeTopic(clients.topic, ledger)) if options.notify_topic else log,
        queue=SignalQueue(clients.signals),
        now=lambda: datetime.now(UTC),
        settings=settings,
        catalogue=catalogue,
        app_version=_APP_VERSION,
        turns=Turns(),
    )


@app.function_name("on_resource_change")
@app.event_grid_trigger(arg_name="event")
@app.queue_output(arg_name="signals", queue_name=SIGNALS_QUEUE, connection=_STORAGE)
def on_resource_change(event: func.EventGridEvent, signals: func.Out[str]) -> None:
    """What the subscription's own topic tells of its resources."""
    _pass_on(event, signals)


@app.function_name("on_defender_alert")
@app.event_grid_trigger(arg_name="event")
@app.queue_output(arg_name="signals", queue_name=SIGNALS_QUEUE, connection=_STORAGE)
def on_defender_alert(event: func.EventGridEvent, signals: func.Out[str]) -> None:
    """What comes through the topic of alerts: Defender's, and keys that were found in public."""
    _pass_on(event, signals)


def _pass_on(event: func.EventGridEvent, signals: func.Out[str]) -> None:
    """Event Grid waits 30 seconds and drops what is refused, so an event is only passed on."""
    from shared.azure.intake import raw_event

    signals.set(fit(raw_event(event)))


@app.function_name("remediate")
@app.queue_trigger(arg_name="message", queue_name=SIGNALS_QUEUE, connection=_STORAGE)
async def on_signal(message: func.QueueMessage) -> None:
    """One signal, from reading the resource to the record."""
    await remediate(message.get_body().decode(errors="replace"), _world())


@app.function_name("settle")
@app.timer_trigger(arg_name="timer", schedule="0 * * * * *")
async def on_settle(timer: func.TimerRequest) -> None:  # noqa: ARG001 - the binding wants the name
    """Every minute: what a crash or an outage left open."""
    await settle(_world())
