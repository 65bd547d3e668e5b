"""`airlock approve`, `undo`, `hold`, `release`, `replay`: what only operators may order, sent to the deployed app."""

import asyncio
import json
import logging
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import typer

from cli import output
from cli.documents import UnusableInput, is_nested_beyond
from cli.files import read_events
from cli.output import counted, folded
from shared.domain import operator
from shared.domain.body import JsonObject
from shared.domain.failure import AirlockError, TryAgain
from shared.domain.operator import OperatorAct

_APP, _AUDIENCE = "AIRLOCK_APP", "AIRLOCK_OPERATOR_AUDIENCE"
_AUDIENCES = re.compile(r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}|api://[A-Za-z0-9][\w./-]*", re.ASCII)
# Azure's own events are some ten levels deep; what is far beyond is made to break whoever walks it.
_DEEPEST = 100
_MOST_RECORDS = 20
# What stands around the events of a request.
_AROUND = 64

_RecordId = Annotated[str, typer.Argument(metavar="RECORD_ID", help="The RecordId of a row of the log.")]
_App = Annotated[
    str, typer.Option("--app", metavar="URL", envvar=_APP, help="The function app: https://NAME.azurewebsites.net.")
]
_Audience = Annotated[
    str,
    typer.Option(
        "--audience", metavar="ID", envvar=_AUDIENCE, help="The app registration of operators: client id or api://..."
    ),
]
_AsJson = Annotated[bool, typer.Option("--json", help="Print the app's answer as JSON and nothing else.")]


@dataclass(frozen=True, slots=True)
class _Target:
    """Where requests go, and what the token is for."""

    app: str
    audience: str

    @property
    def host(self) -> str:
        return urlsplit(self.app).netloc


@dataclass(frozen=True, slots=True)
class _Done:
    """What the app said to the requests that it took."""

    texts: tuple[str, ...]
    records: tuple[str, ...]


def approve(record_id: _RecordId, *, app: _App = "", audience: _Audience = "", as_json: _AsJson = False) -> None:
    """Let through, once, what a record waits for.

    The record's outcome is AwaitingApproval. Airlock looks at the resource again at once; if it still needs the same
    values, they are written. The word is good for 24 hours and for exactly these values. Your object id stands in the
    log.
    """
    _order(_target(app, audience), [_about(OperatorAct.APPROVE, record_id)], as_json=as_json)


def undo(
    record_id: _RecordId,
    *,
    hold: Annotated[str, typer.Option(metavar="SPAN", help="How long to leave the rule alone then. Default 7d.")] = "",
    app: _App = "",
    audience: _Audience = "",
    as_json: _AsJson = False,
) -> None:
    """Put back what a fix replaced, and hold its rule.

    The record is that of the fix; what comes of it is a record of its own, Undone. The rule leaves the resource alone
    for the time of the hold, or the fix would come again. A SPAN is like 90m, 12h, 7d or 2w, at most 90 days.
    """
    body = _about(OperatorAct.UNDO, record_id) | _span("hold", hold, "--hold")
    _order(_target(app, audience), [body], as_json=as_json)


def hold(
    record_id: _RecordId,
    *,
    for_: Annotated[
        str, typer.Option("--for", metavar="SPAN", help="How long to leave the rule alone. Default 7d.")
    ] = "",
    app: _App = "",
    audience: _Audience = "",
    as_json: _AsJson = False,
) -> None:
    """Leave a record's rule alone on its resource for a time.

    What it would have fixed is recorded as Held meanwhile. A SPAN is like 90m, 12h, 7d or 2w, at most 90 days.
    """
    body = _about(OperatorAct.HOLD, record_id) | _span("for", for_, "--for")
    _order(_target(app, audience), [body], as_json=as_json)


def release(record_id: _RecordId, *, app: _App = "", audience: _Audience = "", as_json: _AsJson = False) -> None:
    """End a hold, and look at the resource at once.

    The record is any of that rule on that resource, such as that of the hold. It also forgets that the rule was fixed
    again and again, so that a contested fix no longer waits.
    """
    _order(_target(app, audience), [_about(OperatorAct.RELEASE, record_id)], as_json=as_json)


def replay(
    what: Annotated[str, typer.Argument(metavar="RECORD_ID|FILE|buried|dead-letters", help="What comes again.")],
    *,
    app: _App = "",
    audience: _Audience = "",
    as_json: _AsJson = False,
) -> None:
    """Have events dealt with that could not be before.

    RECORD_ID is a record with outcome DeadLettered; buried is all that such records kept, dead-letters all that Event
    Grid could not deliver. A FILE (- for standard input) holds events as a JSON array, as JSON lines, or one alone,
    as they were raised or as Event Grid dead-letters them. Events only make Airlock look: to send one twice does no
    harm.
    """
    target = _target(app, audience)
    if what in operator.STORES:
        _order(target, [{"act": OperatorAct.REPLAY, "store": what}], as_json=as_json)
        return
    try:
        record_id = operator.parse_record_id(what)
    except ValueError:
        _order(target, list(_batches(_events(Path(what)))), as_json=as_json)
    else:
        _order(target, [{"act": OperatorAct.REPLAY, "record": record_id}], as_json=as_json)


def _target(app: str, audience: str) -> _Target:
    """Raises BadParameter for anything that a token should not be sent to or asked for."""
    if not app:
        raise typer.BadParameter(f"name the function app, here or in {_APP}", param_hint="--app")
    try:
        parts = urlsplit(app)
        usable = parts.scheme == "https" and parts.hostname and parts.port != 0 and app.isascii()
    except ValueError:
        usable = False
    if not usable or "@" in parts.netloc or "?" in app or "#" in app or parts.path.strip("/") or not app.isprintable():
        raise typer.BadParameter("must be https://host", param_hint="--app")
    if not _AUDIENCES.fullmatch(audience):
        told = "must be a client id or api://..." if audience else f"name the app registration, here or in {_AUDIENCE}"
        raise typer.BadParameter(told, param_hint="--audience")
    return _Target(f"https://{parts.netloc}", audience.rstrip("/"))


def _about(act: OperatorAct, record_id: str) -> JsonObject:
    try:
        return {"act": act, "record": operator.parse_record_id(record_id)}
    except ValueError as problem:
        raise typer.BadParameter(str(problem), param_hint="RECORD_ID") from None


def _span(field: str, text: str, option: str) -> JsonObject:
    if not text:
        return {}
    try:
        operator.parse_span(text)
    except ValueError as problem:
        raise typer.BadParameter(str(problem), param_hint=option) from None
    return {field: text}


def _events(file: Path) -> list[JsonObject]:
    """The events of the file, as they were raised."""
    events = read_events(file)
    if not events:
        raise UnusableInput(file, "", "holds no event")
    for number, event in enumerate(events, 1):
        if is_nested_beyond(event, _DEEPEST):
            raise UnusableInput(file, f"event {number}", "is nested too deeply")
        if not operator.is_event(event):
            raise UnusableInput(file, f"event {number}", "is neither an Event Grid event nor a CloudEvent")
        if len(_json(operator.undead(event))) > operator.MOST_BYTES - _AROUND - 1:
            raise UnusableInput(file, f"event {number}", f"is larger than {operator.MOST_BYTES // 1024**2} MB")
    return [operator.undead(event) for event in events]


def _batches(events: Sequence[JsonObject]) -> Iterator[JsonObject]:
    """Requests that the app takes: not too many events, and not too large."""
    batch: list[JsonObject] = []
    size = 0
    for event in events:
        own = len(_json(event)) + 1
        if batch and (len(batch) == operator.MOST_EVENTS or size + own > operator.MOST_BYTES - _AROUND):
            yield _replay(batch)
            batch, size = [], 0
        batch.append(event)
        size += own
    yield _replay(batch)


def _replay(events: Sequence[JsonObject]) -> JsonObject:
    return {"act": OperatorAct.REPLAY, "events": [*events]}


def _json(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def _order(target: _Target, bodies: Sequence[JsonObject], *, as_json: bool) -> None:
    """Has the app do it, or ends the command with 1 and what a person has to do."""
    # The SDKs warn of every kind of sign-in that they tried, a screenful; the advice is one line.
    logging.getLogger("azure").addHandler(logging.NullHandler())
    texts: list[str] = []
    records: list[str] = []

    async def send() -> None:
        from shared.azure.operate import order  # noqa: PLC0415 - slow to load, and only wanted here

        async for answer in order(target.app, target.audience, map(_json, bodies)):
            texts.append(answer.text)
            records.extend(answer.records)

    try:
        asyncio.run(send())
    except AirlockError as failure:
        before = f" ({len(texts)} of {len(bodies)} requests were done before)" if texts else ""
        output.complain(f"{target.host} did not do it{before}: {_advice(failure, target)}")
        raise typer.Exit(1) from None
    done = _Done(tuple(dict.fromkeys(texts)), tuple(records))
    if as_json:
        output.print_json({"text": "; ".join(done.texts), "records": [*done.records]})
    else:
        _say(done)


def _advice(failure: AirlockError, target: _Target) -> str:
    """What a person has to do, or the app's own words where these say it."""
    from shared.azure import operate, tokens  # noqa: PLC0415 - as above

    sign_in = f"az login --scope {target.audience}/.default"
    told = failure.cause.text
    advice = {
        operate.NO_TOKEN: f"there is no Entra token for it: run {sign_in}, then this again",
        operate.NOT_LET_IN: f"App Service does not let this identity in: check --audience, and run {sign_in}",
        operate.NOT_AIRLOCK: f"there is no Airlock at that address: {told}",
        tokens.BAD_TOKEN: f"{told}; --audience and its app settings must name the same app registration",
        operate.NOT_ALLOWED: f"{told}: once it is assigned, run {sign_in}, since a token keeps its roles",
    }
    told = advice.get(failure.cause.code, told)
    return f"{told}; asking again does no harm" if isinstance(failure, TryAgain) else told


def _say(done: _Done) -> None:
    console = output.console()
    lines = [line for text in done.texts for line in folded(output.printable(f"{text}."), console)]
    lines += [line for record in done.records[:_MOST_RECORDS] for line in folded(f"record {record}", console, 2)]
    if len(done.records) > _MOST_RECORDS:
        rest = counted(len(done.records) - _MOST_RECORDS, "more record")
        lines += folded(f"and {rest}, which --json lists", console, 2)
    output.say(console, *lines)
