"""`airlock rehearse`: the main job on a local Azure, without a subscription."""

import asyncio
import json
import os
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.live import Live
from rich.text import Text

from cli import output
from cli.ending import Verdict, judge
from cli.files import read_estate, read_events, resources_to_judge
from cli.rehearsal import Played, Script, play
from cli.table import report
from local import contoso
from remediations import load_catalogue
from shared.domain.body import as_text
from shared.domain.mode import Mode
from shared.domain.record import Outcome
from shared.domain.settings import PREFIX, read_settings


def rehearse(  # noqa: PLR0913 - one parameter for each option
    *,
    estate: Annotated[
        Path | None, typer.Option(metavar="FILE", help="ARM resources as az prints them. Without it: a bundled estate.")
    ] = None,
    events: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Event Grid events. Without it: every resource was just written."),
    ] = None,
    mode: Annotated[Mode | None, typer.Option(help="Sets AIRLOCK_MODE.")] = None,
    chaos: Annotated[int | None, typer.Option(metavar="SEED", help="Azure misbehaves, the same way each time.")] = None,
    out: Annotated[Path | None, typer.Option(metavar="DIR", help="Write records, estate and summary there.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the summary as JSON and nothing else.")] = False,
) -> None:
    """Rehearse the main job on a local Azure.

    Events go in, drifted resources come out fixed, and the log says what happened. Runs the app that ships, in
    Microsoft's own Functions runtime, against simulated Azure services on this machine. The AIRLOCK_* settings of the
    environment count. Ends with 0 when every resource that an event named ended as the mode promises, 1 when one did
    not, 2 for unusable input.
    """
    catalogue = load_catalogue()
    chosen = _settings(mode, chaos, bundled=estate is None)
    settings = read_settings(chosen, catalogue)
    waits = settings.operational.quiet_seconds + 2 * settings.operational.grace_seconds
    script = replace(_script(estate, events, chosen, chaos), horizon=timedelta(minutes=1) + waits)
    for problem in settings.problems:
        output.complain(f"warning: {problem}")
    console = output.console()
    played = _played(script, console if console.is_terminal and not as_json else None)
    verdict = judge(played, settings, catalogue)
    if out is not None:
        _write(out, played, verdict)
    if as_json:
        output.print_json(verdict.summary)
    else:
        console.print(report(verdict, played, console))
    raise typer.Exit(verdict.exit)


def _settings(mode: Mode | None, chaos: int | None, *, bundled: bool) -> dict[str, str]:
    """The app settings: those of the environment, and what a rehearsal sets where they are silent."""
    given = {name: value for name, value in os.environ.items() if name.upper().startswith(PREFIX)}
    # Only an Azure that misbehaves answers reads that are behind.
    grace = "0" if chaos is None else "3"
    usual = {"AIRLOCK_QUIET_SECONDS": "0", "AIRLOCK_GRACE_SECONDS": grace, "AIRLOCK_LEASE_SECONDS": "5"}
    if bundled:
        usual["AIRLOCK_EXEMPTION_TAGS"] = "on"
    return usual | given | ({"AIRLOCK_MODE": mode.value} if mode else {})


def _script(estate: Path | None, events: Path | None, settings: dict[str, str], chaos: int | None) -> Script:
    bodies = list(read_estate(estate)) if estate else contoso.estate(date.today())  # noqa: DTZ011 - the operator's day
    if events is not None:
        return Script(bodies, read_events(events), settings, chaos=chaos)
    now = datetime.now(UTC)
    written = [resource.body for resource in resources_to_judge(bodies)]
    if estate is not None:
        return Script(bodies, [contoso.write_event(body, now) for body in written], settings, chaos=chaos)
    deeds = contoso.scenario()
    gone = {deed.id for deed in deeds if deed.method == "DELETE"}
    early = [contoso.write_event(body, now) for body in written if body["id"] not in gone]
    late = [contoso.write_event(body, now) for body in written if body["id"] in gone]
    return Script(bodies, early, settings, deeds, late, chaos)


def _played(script: Script, console: Console | None) -> Played:
    """Plays the script; what happens is shown on the console meanwhile, nowhere without one."""
    if console is None:
        return asyncio.run(play(script, lambda _: None))
    with Live(console=console, transient=True, auto_refresh=False) as live:
        return asyncio.run(play(script, lambda seen: live.update(_progress(seen), refresh=True)))


def _progress(seen: Played) -> Text:
    told = [f"{output.counted(len(seen.events), 'event')}", f"{output.counted(len(seen.rows), 'record')}"]
    fixed = sum(row.get("Outcome") == Outcome.FIXED for row in seen.rows)
    last = as_text(seen.rows[-1].get("ResourceId")).rpartition("/")[2] if seen.rows else "starting"
    return Text(f"  {', '.join(told)}, {fixed} fixed; last: {output.printable(last)}", style="dim")


def _write(out: Path, played: Played, verdict: Verdict) -> None:
    out.mkdir(parents=True, exist_ok=True)
    records = "".join(f"{json.dumps(row, ensure_ascii=False)}\n" for row in played.rows)
    (out / "records.jsonl").write_text(records, encoding="utf-8")
    (out / "estate.json").write_text(json.dumps(played.estate, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    (out / "summary.json").write_text(json.dumps(verdict.summary, indent=2) + "\n", encoding="utf-8")
