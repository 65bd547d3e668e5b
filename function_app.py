"""The triggers, and what they are made of."""

import functools
import json
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
    from shared.azure.archive import TableArchive
    from shared.azure.arm import ArmClient
    from shared.azure.blobs import BlobStore
    from shared.azure.budgets import TableBudgets
    from shared.azure.clients import Clients
    from shared.azure.deliveries import Deliveries
    from shared.azure.keys import AccountKeys
    from shared.azure.ledger import TableLedger
    from shared.azure.ledger_table import LedgerTable
    from shared.azure.log import RemediationLog
    from shared.azure.poison import PoisonQueue
    from shared.azure.queue import SignalQueue
    from shared.azure.tokens import EntraTokens
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
    table = LedgerTable(clients.ledger())
    ledger = TableLedger(table, notifies=bool(options.notify_topic))
    log = RemediationLog(clients.logs, ledger, options.logs_rule, options.logs_stream)
    return World(
        arm=ArmClient(clients.arm(), options.arm_endpoint),
        keys=AccountKeys(clients.keys),
        vault=KeyVault(clients.vault) if options.key_vault_uri else None,
        ledger=ledger,
        budgets=TableBudgets(table),
        archive=TableArchive(table),
        blobs=BlobStore(clients.blobs),
        poison=PoisonQueue(clients.poison),
        tokens=EntraTokens(options.tenant_id, options.operator_audience, options.entra_endpoint),
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


@app.function_name("bury")
@app.timer_trigger(arg_name="timer", schedule="30 */5 * * * *")
async def on_bury(timer: func.TimerRequest) -> None:  # noqa: ARG001 - as above
    """Every five minutes: what nobody could deal with."""
    from shared.burying import bury

    await bury(_world())


@app.function_name("sweep")
@app.timer_trigger(arg_name="timer", schedule="0 17 */6 * * *")
async def on_sweep(timer: func.TimerRequest) -> None:  # noqa: ARG001 - as above
    """Four times a day: drift of which no event told."""
    from shared.sweeping import sweep

    await sweep(_world())


@app.function_name("hourly")
@app.timer_trigger(arg_name="timer", schedule="0 3 * * * *")
async def on_hour(timer: func.TimerRequest) -> None:  # noqa: ARG001 - as above
    """Every hour: a sign of life, and the heads of the log's chains where nobody can change them."""
    from shared.hourly import hourly

    await hourly(_world())


# Anonymous for the host: a function key proves nobody. The token is what counts, and we check it ourselves.
@app.function_name("operate")
@app.route(route="operate", methods=["POST"], trigger_arg_name="request", auth_level=func.AuthLevel.ANONYMOUS)
async def on_operate(request: func.HttpRequest) -> func.HttpResponse:
    """What operators order: approve, undo, hold, release, replay."""
    from shared.operating import operate

    reply = await operate(request.get_body(), request.headers.get("Authorization", ""), _world())
    return func.HttpResponse(json.dumps(reply.body), status_code=reply.status, mimetype="application/json")
