"""`airlock log`: whether the remediation log is still what Airlock wrote."""

import asyncio
import logging
import re
from collections.abc import Iterable, Iterator
from contextlib import aclosing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import typer
from rich.console import Console
from rich.text import Text

from cli import output
from cli.exported import read_anchors, read_rows
from cli.files import files_below
from cli.output import counted, folded
from shared.domain.anchor import Anchor
from shared.domain.body import Json
from shared.domain.failure import AirlockError
from shared.domain.link import Link, examine, shown
from shared.domain.record import FORGOTTEN_AFTER, TABLE
from shared.domain.verification import ANCHORS, Kind, Problem, Report, judge

# How many problems are told in words before the rest is only counted; the JSON output lists all.
_MOST_PROBLEMS = 50
_ENDPOINT = "AIRLOCK_LOGS_QUERY_ENDPOINT"
_DEFAULT_SPAN = "30d"
_WORKSPACE = re.compile(r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}", re.ASCII)
_SPAN = re.compile(r"(\d{1,5})([mhdw])", re.ASCII)
_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_UNUSABLE = 2


def log_commands() -> typer.Typer:
    """The commands below `airlock log`."""
    app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, pretty_exceptions_enable=False)
    app.callback(help="Look after the remediation log.")(lambda: None)
    app.command()(verify)
    return app


def verify(  # noqa: PLR0913 - one parameter for each option
    files: Annotated[
        list[Path] | None,
        typer.Argument(metavar="FILE", help="Exported rows as JSON, directories of such files, or - for stdin."),
    ] = None,
    *,
    workspace: Annotated[
        str, typer.Option(metavar="ID", help="Read the rows from this Log Analytics workspace instead.")
    ] = "",
    anchors: Annotated[
        Path | None, typer.Option(metavar="PATH", help="The anchors: a directory of downloaded blobs, or a file.")
    ] = None,
    since: Annotated[
        str,
        typer.Option(
            metavar="TIME",
            help=f"Where the rows begin: 12h, 30d, 2026-11-01. For --workspace {_DEFAULT_SPAN} if unsaid.",
        ),
    ] = "",
    endpoint: Annotated[str, typer.Option(metavar="URL", envvar=_ENDPOINT, hidden=True)] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON and nothing else.")] = False,
) -> None:
    """Find rows of the log that were changed, removed or put in.

    Takes rows of AirlockRemediation_CL as az monitor log-analytics query, the query API or a data export write them,
    whole and in any order. Download the anchors first, from the container airlock-anchors: rows that are younger do no
    harm. Ends with 0 if the log is intact, 1 if it was tampered with, 2 for unusable input.
    """
    if bool(files) == bool(workspace):
        raise typer.BadParameter("give either files or --workspace", param_hint="FILE")
    now = datetime.now(UTC)
    begin = _since(since or (_DEFAULT_SPAN if workspace else ""), now)
    anchored, unreadable = read_anchors(anchors) if anchors else ((), ())
    if begin is not None and workspace:
        links = _read_workspace(_workspace(workspace), begin, now, _endpoint(endpoint))
    else:
        links = [examine(row) for file in files_below(files or ()) for row in read_rows(file)]
    report = _report(links, anchored, unreadable, begin)
    if not report.rows and not report.heads:
        where = f"workspace {workspace}" if workspace else "the input"
        output.complain(f"{where} has no row of {TABLE}, and no anchor tells of one: there is nothing to verify")
        raise typer.Exit(_UNUSABLE)
    if as_json:
        output.print_json(_as_json(report, begin))
    else:
        console = output.console()
        output.say(console, *_lines(report, begin, console))
    raise typer.Exit(0 if report.intact else 1)


def _report(
    links: Iterable[Link], anchors: Iterable[Anchor], unreadable: Iterable[Problem], since: datetime | None
) -> Report:
    report = judge(links, anchors, since)
    return replace(report, problems=(*unreadable, *report.problems))


def _workspace(text: str) -> str:
    if not _WORKSPACE.fullmatch(text):
        hint = "is the workspace's id, a GUID: az monitor log-analytics workspace show --query customerId tells it"
        raise typer.BadParameter(hint, param_hint="--workspace")
    return text


def _since(text: str, now: datetime) -> datetime | None:
    """The time that a span before now, a date or a time means; None for no text."""
    if not text:
        return None
    try:
        if span := _SPAN.fullmatch(text):
            begin = now - timedelta(**{_UNITS[span[2]]: int(span[1])})
        else:
            moment = datetime.fromisoformat(text)
            begin = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise typer.BadParameter("is like 90m, 12h, 30d, 2w or 2026-11-01", param_hint="--since") from None
    if not _EPOCH <= begin < now:
        raise typer.BadParameter("lies in the future, or before 1970", param_hint="--since")
    return begin


def _endpoint(text: str) -> str:
    """The https address without a path. Raises BadParameter for anything that a token should not be sent to."""
    if not text:
        return ""
    try:
        parts = urlsplit(text)
        usable = parts.scheme == "https" and parts.hostname and parts.port != 0 and text.isascii()
    except ValueError:
        usable = False
    if not usable or "@" in parts.netloc or parts.path.strip("/") or parts.query or parts.fragment or " " in text:
        raise typer.BadParameter("must be https://host", param_hint=_ENDPOINT)
    return f"https://{parts.netloc}"


def _read_workspace(workspace: str, since: datetime, until: datetime, endpoint: str) -> list[Link]:
    """What is in the workspace, or the end of the command with 2 and what a person has to do."""
    from shared.azure import log_query as azure  # noqa: PLC0415 - slow to load, and only wanted here

    async def read() -> list[Link]:
        links: list[Link] = []
        async with aclosing(azure.read_log(workspace, since, until, endpoint or azure.ENDPOINT)) as slices:
            async for rows in slices:
                links += map(examine, rows)
        return links

    advice = {
        azure.NO_TOKEN: "there is no Entra token: run az login, then this again",
        azure.NOT_ALLOWED: "it refused this identity: az login as one with the role Log Analytics Reader on it",
        azure.NOT_FOUND: "there is none of that id: az monitor log-analytics workspace show --query customerId",
        azure.NO_TABLE: f"it refused the query: does it have the table {TABLE}?",
    }
    # The SDKs warn of every kind of sign-in that they tried, a screenful; the advice is one line.
    logging.getLogger("azure").addHandler(logging.NullHandler())
    try:
        return asyncio.run(read())
    except AirlockError as failure:
        why = advice.get(failure.cause.code, failure.cause.text)
        output.complain(f"workspace {workspace} was not read: {why}")
        raise typer.Exit(_UNUSABLE) from None


def _as_json(report: Report, since: datetime | None) -> Json:
    problems: list[Json] = [problem.as_json() for problem in report.problems]
    return {
        "intact": report.intact,
        "rows": report.rows,
        "records": report.records,
        "copies": report.copies,
        "chains": report.chains,
        "since": shown(since) if since else None,
        "chainsCutByWindow": report.cut,
        "chainsBegunAnew": report.anew,
        "receivedLate": report.late,
        "anchors": report.anchors,
        "anchoredHeads": report.heads,
        "anchoredChains": report.anchored,
        "lastAnchor": shown(report.last_anchor) if report.last_anchor else None,
        "problems": problems,
    }


def _lines(report: Report, since: datetime | None, console: Console) -> Iterator[Text]:
    """The result for people: the verdict, what was looked at, each problem, and what all that proves."""
    number = len(report.problems)
    verdict = "The log is intact." if report.intact else f"The log was tampered with: {counted(number, 'problem')}."
    yield from folded(Text(verdict, style="bold green" if report.intact else "bold red"), console)
    yield from folded(_counts(report), console)
    for problem in report.problems[:_MOST_PROBLEMS]:
        yield Text()
        yield from _problem(problem, console)
    if number > _MOST_PROBLEMS:
        yield Text()
        yield from folded(f"And {counted(number - _MOST_PROBLEMS, 'problem')} more, which --json lists.", console)
    for paragraph in (*_notes(report, since), *_meaning(report, since)):
        yield Text()
        yield from folded(paragraph, console)


def _counts(report: Report) -> str:
    again = f" and {counted(report.copies, 'row')} sent again" if report.copies else ""
    anchors = counted(report.anchors, "anchor") if report.anchors else "no anchors"
    told = f"{counted(report.rows, 'row')}: {counted(report.records, 'record')}{again}"
    return f"{told}, in {counted(report.chains, 'chain')}; {anchors}."


def _problem(problem: Problem, console: Console) -> Iterator[Text]:
    if problem.chain == ANCHORS:
        about = f"anchor {problem.time}"
    elif problem.record_id:
        before = "before " if problem.kind is Kind.MISSING else ""
        about = f"{before}{output.printable(problem.record_id)}  {problem.time}"
    else:
        about = f"anchored {problem.time}" if problem.kind is Kind.CUT_OFF else f"RecordId unknown  {problem.time}"
    yield from folded(Text.assemble((problem.kind.value, "red"), f"  {about.rstrip()}"), console)
    if problem.chain != ANCHORS:
        yield from folded(output.printable(problem.chain), console, 2)
    yield from folded(output.printable(problem.text), console, 2)


def _notes(report: Report, since: datetime | None) -> Iterator[str]:
    """What is no problem, and is to be known."""
    if since is not None and report.cut:
        begin = "begins" if report.cut == 1 else "begin"
        yield f"{counted(report.cut, 'chain')} {begin} before {shown(since)}: what came before was not looked at."
    if report.anew:
        times = counted(report.anew, "time")
        yield f"A forgotten chain began anew {times}, {FORGOTTEN_AFTER.days} days or more after its last row."
    if report.late:
        yield (
            f"{counted(report.late, 'row')} came to Log Analytics more than two days late, so TimeGenerated is the "
            "time of receipt; the sealed time counts."
        )


def _meaning(report: Report, since: datetime | None) -> Iterator[str]:
    """What the result proves, and what it cannot."""
    if report.intact:
        held = ""
        if report.last_anchor is not None:
            chains = f"{report.anchored} of {counted(report.chains, 'chain')}"
            held = f" The newest anchor is of {shown(report.last_anchor)}; {chains} have all that was anchored."
        yield f"Proven: every row says what was sealed, and no chain has a gap or a fork.{held}"
    if {problem.kind for problem in report.problems} & {Kind.MISSING, Kind.CUT_OFF}:
        kept = "" if since else " Where the table keeps rows no longer, say with --since where they begin."
        yield (
            "A row that Airlock has still to send, or that Log Analytics does not show yet, is missing too: verify "
            f"once more in an hour.{kept}"
        )
    if report.anchors:
        unseen = "that nothing behind a chain's last anchor was rewritten or cut off. That takes a newer anchor."
    else:
        unseen = "that no chain was rewritten from some row on, cut off at its end or removed. That takes --anchors."
    yield f"Not proven: {unseen}"
