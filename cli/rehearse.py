"""`airlock rehearse`: the main job on a local Azure, without a subscription."""

import asyncio
import json
import os
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.live import Live
from rich.text import Text

from cli import output
from cli.alerts import read_alerts
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
        typer.Option(
            metavar="FILE",
            help="Event Grid events. Without it: every resource was just written, every alert just raised.",
        ),
    ] = None,
    alerts: Annotated[
        Path | None, typer.Option(metavar="FILE", help="What Defender knows, as az security alert list prints it.")
    ] = None,
    mode: Annotated[Mode | None, typer.Option(help="Sets AIRLOCK_MODE.")] = None,
    chaos: Annotated[int | None, typer.Option(metavar="SEED", help="Azure misbehaves, the same way each time.")] = None,
    out: Annotated[Path | None, typer.Option(metavar="DIR", help="Write records, estate and summary there.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the summary as JSON and nothing else.")] = False,
) -> None:
    """Rehearse the main job on a local Azure.

    Events and alerts go in, drifted resources come out fixed, incidents answered, and the log says what happened. Runs
    the app that ships, in Microsoft's own Functions runtime, against simulated Azure services on this machine. The
    AIRLOCK_* settings of the environment count. Ends with 0 when every resource and every alert that an event named
    ended as the mode promises, 1 when one did not, 2 for unusable input.
    """
    catalogue = load_catalogue()
    chosen = _settings(mode, chaos, bundled=estate is None)
    settings = read_settings(chosen, catalogue)
    waits = settings.operational.quiet_seconds + 2 * settings.operational.grace_seconds
    script = replace(_script(_Given(estate, events, alerts), chosen), chaos=chaos, horizon=timedelta(minutes=1) + waits)
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
        # The local Azure puts its own addresses in place of these.
        usual |= {f"{PREFIX}KEY_VAULT_URI": "https://vault.local", f"{PREFIX}NOTIFY_TOPIC": "https://topic.local"}
        usual["AIRLOCK_EXEMPTION_TAGS"] = "on"
    return usual | given | ({"AIRLOCK_MODE": mode.value} if mode else {})


@dataclass(frozen=True, slots=True)
class _Given:
    """The files that the operator named."""

    estate: Path | None
    events: Path | None
    alerts: Path | None


def _script(given: _Given, settings: dict[str, str]) -> Script:
    today = date.today()  # noqa: DTZ011 - the operator's day
    now = datetime.now(UTC)
    bodies = list(read_estate(given.estate)) if given.estate else contoso.estate(today)
    is_bundled = given.estate is None and given.alerts is None
    known = read_alerts(given.alerts) if given.alerts else contoso.alerts(now) if is_bundled else []
    if given.events is not None:
        return Script(bodies, read_events(given.events), settings, alerts=known)
    written = [resource.body for resource in resources_to_judge(bodies)]
    if not is_bundled:
        raised = [contoso.alert_event(body, now) for body in known]
        return Script(bodies, [contoso.write_event(body, now) for body in written], settings, alerts=known, told=raised)
    deeds = contoso.scenario()
    gone = {deed.id for deed in deeds if deed.method == "DELETE"}
    return Script(
        bodies,
        [contoso.write_event(body, now) for body in written if body["id"] not in gone],
        settings,
        deeds,
        [contoso.write_event(body, now) for body in written if body["id"] in gone],
        alerts=known,
        told=contoso.alert_events(now),
        leaked=contoso.leaks(),
        again=True,
    )


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
