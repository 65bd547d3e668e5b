"""Timers: on startup, each second, never by themselves, failing."""

import logging

import azure.functions as func
from azure.functions.timer import TimerRequest

app = func.FunctionApp()
log = logging.getLogger("timers")
attempts: list[int] = []


@app.timer_trigger(arg_name="timer", schedule="0 0 0 1 1 *", run_on_startup=True)
def on_startup(timer: TimerRequest) -> None:
    log.info("started up, past due %s, next %s", timer.past_due, timer.schedule_status["Next"])


@app.timer_trigger(arg_name="_timer", schedule="%EVERY%")
async def often(_timer: func.TimerRequest) -> None:
    log.info("tick")


@app.timer_trigger(arg_name="_timer", schedule="0 0 0 30 2 *")
def never(_timer: func.TimerRequest) -> None:
    raise LookupError("asked for anyway")


@app.timer_trigger(arg_name="_timer", schedule="0 0 0 30 2 *")
@app.retry(
    strategy="exponential_backoff", max_retry_count="2", minimum_interval="00:00:00", maximum_interval="00:00:01"
)
def stubborn(_timer: func.TimerRequest, context: func.Context) -> None:
    attempts.append(context.retry_context.retry_count)
    if len(attempts) < 3:
        raise TimeoutError("not yet")
    log.info("attempts %s", attempts)
