"""Two Event Grid functions, which say what they got; what is told to fail does so every time."""

import logging

import azure.functions as func

app = func.FunctionApp()
log = logging.getLogger("grids")


@app.event_grid_trigger(arg_name="event")
def on_change(event: func.EventGridEvent) -> None:
    log.info("change %s", event.id)


@app.event_grid_trigger(arg_name="event")
def on_alert(event: func.EventGridEvent) -> None:
    if event.get_json().get("fail"):
        raise ValueError(event.id)
    log.info("alert %s", event.id)
