"""An event goes to a queue, and from there to another."""

import logging
import sys

import azure.functions as func

app = func.FunctionApp()


@app.event_grid_trigger(arg_name="event")
@app.queue_output(arg_name="signals", queue_name="%SIGNALS%", connection="Storage")
def on_event(event: func.EventGridEvent, signals: func.Out[str]) -> None:
    data = event.get_json()
    if data.get("fail"):
        raise ValueError(f"cannot take {event.id}")
    sys.stdout.write(f"printed {event.id}\n")
    logging.getLogger("app").warning("event %s", event.id)
    signals.set(event.id)


@app.queue_trigger(arg_name="message", queue_name="%SIGNALS%", connection="Storage")
@app.queue_output(arg_name="results", queue_name="results", connection="Storage")
async def on_signal(message: func.QueueMessage, results: func.Out[str]) -> None:
    logging.getLogger("app").info("signal %s", message.id)
    results.set(message.get_body().decode() + " done")
