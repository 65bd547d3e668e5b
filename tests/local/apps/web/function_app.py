"""HTTP functions of every kind."""

import json
import logging
import os
import time
from pathlib import Path

import azure.functions as func

app = func.FunctionApp()


@app.route(route="echo/{kind:alpha}/{id?}", methods=["POST"])
def echo(req: func.HttpRequest) -> func.HttpResponse:
    told = {
        "method": req.method,
        "route": dict(req.route_params),
        "query": dict(req.params),
        "header": req.headers.get("X-Asked"),
        "body": req.get_json(),
    }
    return func.HttpResponse(json.dumps(told), mimetype="application/json", status_code=201)


@app.route(route="open", auth_level=func.AuthLevel.ANONYMOUS)
async def open_(req: func.HttpRequest) -> func.HttpResponse:
    headers = {"X-Answer": "yes", "Set-Cookie": "session=abc; Path=/; HttpOnly; SameSite=Lax"}
    return func.HttpResponse(f"hello {req.get_body().decode()}", headers=headers)


@app.route(route="text", auth_level=func.AuthLevel.ANONYMOUS)
def text(req: func.HttpRequest) -> str:
    return str(req.params["say"])


@app.route(route="environment", trigger_arg_name="_req", auth_level=func.AuthLevel.ANONYMOUS)
def environment(_req: func.HttpRequest) -> func.HttpResponse:
    told = {
        "variables": dict(os.environ),
        "home": [str(path) for path in Path.home().iterdir()],
        "cwd": str(Path.cwd()),
    }
    return func.HttpResponse(json.dumps(told))


@app.route(route="fails", trigger_arg_name="_req", auth_level=func.AuthLevel.ANONYMOUS)
def fails(_req: func.HttpRequest) -> func.HttpResponse:
    raise RuntimeError("not today")


@app.route(route="admin", trigger_arg_name="_req", auth_level=func.AuthLevel.ADMIN)
def admin(_req: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse("master")


@app.route(route="pid", trigger_arg_name="_req", auth_level=func.AuthLevel.ANONYMOUS)
def pid(_req: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse(str(os.getpid()))


@app.route(route="hang", trigger_arg_name="_req", auth_level=func.AuthLevel.ANONYMOUS)
async def hang(_req: func.HttpRequest) -> func.HttpResponse:
    """Block the worker's loop, as a function that forgot to await does."""
    logging.getLogger("web").info("hanging")
    time.sleep(600)  # noqa: ASYNC251 -- that it blocks is the point
    raise AssertionError("still here")
