"""What a rehearsal shows at its end: a line for each drifted property, what was done, and the reasons below."""

from collections.abc import Iterator

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from cli import output
from cli.ending import Ending, Verdict, time_to_fix
from cli.incidents import CONFIRMED, Told, is_of_incident, time_taken
from cli.output import folded, shown
from cli.rehearsal import Played
from shared.domain.body import JsonObject, as_list, as_object, as_text
from shared.domain.record import Outcome
from shared.domain.signal import SignalKind

_STYLES = {
    Outcome.FIXED: "green",
    Outcome.COMPLIANT: "green",
    Outcome.AUDITED: "cyan",
    Outcome.REFUSED: "yellow",
    Outcome.EXEMPT: "yellow",
    Outcome.CONTESTED: "magenta",
    Outcome.FAILED: "red",
    Outcome.FIX_UNVERIFIED: "red",
    Outcome.UNCONFIRMED: "red",
    Outcome.AWAITING_APPROVAL: "yellow",
    Outcome.ADVISED: "cyan",
}
_SPEAK_FOR_THEMSELVES = {Outcome.FIXED, Outcome.COMPLIANT}
_WITHOUT_CHANGES = {Outcome.IGNORED: "not acted upon", Outcome.COMPLIANT: "looked at as after any change"}
_WAITS = "Airlock asks for half an hour and ignores it then, which the rehearsal does not wait for"
_NAME, _NARROWEST = 17, 20

type _Line = tuple[Text, Text, Text, Text]


def report(verdict: Verdict, played: Played, console: Console) -> RenderableType:
    """The whole of it: the table, the incidents, the reasons, the figures, and what was not as promised."""
    notes: dict[str, int] = {}
    table = _table("Resource", "What drifted", "Done")
    for ending in verdict.endings:
        for row in _cells(ending, played, notes):
            table.add_row(*row)
    incidents = list(_incidents(verdict, played, notes, console))
    broken = (
        *verdict.broken,
        *(f"{_name(each.resource)}: {each.broken}" for each in verdict.endings if each.broken),
        *(f"{output.printable(each.title)}: {each.broken}" for each in verdict.incidents if each.broken),
    )
    below = [
        Text(),
        *(line for reason, number in notes.items() for line in _note(number, reason, console)),
        Text(),
        *folded(Text(_figures(verdict.summary), style="bold"), console),
        *(line for problem in broken for line in folded(Text(f"Not as promised: {problem}", style="red"), console)),
    ]
    return Group(*([table] if verdict.endings else []), *incidents, *below)


def _table(*titles: str) -> Table:
    """Four columns, the last of them for times; without titles it has no head."""
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), show_header=bool(titles))
    resource, what, done = titles or ("", "", "")
    table.add_column(resource, no_wrap=True, max_width=_NAME)
    table.add_column(what, overflow="fold")
    table.add_column(done, no_wrap=True)
    table.add_column("Time" if titles else "", justify="right", no_wrap=True)
    return table


def _incidents(verdict: Verdict, played: Played, notes: dict[str, int], console: Console) -> Iterator[RenderableType]:
    """A headline for each incident, and below it a line for each thing that was done about it."""
    drift = (row for ending in verdict.endings for row in ending.rows if row.get("Rule") and not is_of_incident(row))
    repeats = set(map(_finding, drift))
    lines = [(told, list(_answers(told, repeats, played, notes))) for told in verdict.incidents]
    done, time = (max((len(line[cell]) for _, answers in lines for line in answers), default=0) for cell in (2, 3))
    for told, answers in lines:
        yield Text()
        yield from folded(Text(output.printable(told.title), style="bold"), console)
        table = _table()
        # Equal columns for all incidents, so that they read as one table.
        widths = (_NAME, max(console.width - _NAME - done - time - 3, _NARROWEST), done, time)
        for column, width in zip(table.columns, widths, strict=True):
            column.width = width
        for line in answers:
            table.add_row(*line)
        yield table


def _answers(told: Told, repeats: set[tuple[str, ...]], played: Played, notes: dict[str, int]) -> Iterator[_Line]:
    """The lines of one incident. Drift that it does not ask about, and that the table of drift shows, is left out."""
    if told.waits:
        yield Text(), Text("Defender does not know it"), _noted(Text("Waiting", style="yellow"), _WAITS, notes), Text()
    shown = ""
    for row in told.rows:
        if _finding(row) in repeats and row.get("Remediation") not in told.asks:
            continue
        name = _name(as_text(row.get("ResourceId")))
        outcome = Outcome(as_text(row.get("Outcome")))
        took = time_taken(row, played.given)
        time = Text(f"{took} ms" if took is not None else "")
        yield Text(name if name != shown else "", style="bold"), _answer(row, outcome), _done(row, outcome, notes), time
        shown = name
    touched = {as_text(row.get("ResourceId")).lower() for row in told.rows}
    for forged in told.forged:
        done = Text("Touched", style="red") if forged.key in touched else Text("Untouched", style="green")
        yield Text(forged.name, style="bold"), Text("named by a forged event only"), done, Text()


def _finding(row: JsonObject) -> tuple[str, ...]:
    """What makes two records of a finding say the same."""
    return tuple(as_text(row.get(name)) for name in ("ResourceId", "Rule", "Outcome", "Reason"))


def _answer(row: JsonObject, outcome: Outcome) -> Text:
    """What a record of an incident says was done, would be, or was seen."""
    changes = [as_object(change) for change in as_list(row.get("Changes"))]
    if changes:
        return Text("\n".join(map(_change, changes)))
    if row.get("ReasonCode") == CONFIRMED:
        is_alert = row.get("SignalKind") == SignalKind.DEFENDER_ALERT.value
        return Text("Defender confirms it" if is_alert else "the key opens this account")
    return Text(_WITHOUT_CHANGES.get(outcome, "-"))


def _change(change: JsonObject) -> str:
    place, _, name = as_text(change.get("path")).rpartition(".")
    if place == "keys":
        return f"{output.printable(name)}: old -> new"
    if place == "tags":
        return f"tag {output.printable(name)}"
    return _told(change)


def _cells(ending: Ending, played: Played, notes: dict[str, int]) -> Iterator[_Line]:
    """The table's rows for one resource: every finding that had a record, or else what the resource's own says."""
    rows = [row for row in ending.rows if not is_of_incident(row)]
    last = {(as_text(row.get("Rule")), as_text(row.get("Outcome"))): row for row in rows}
    found = [row for row in last.values() if row.get("Rule")] or list(last.values())[-1:]
    name = Text(_name(ending.resource), style="bold")
    for row in found:
        outcome = Outcome(as_text(row.get("Outcome")))
        took = time_to_fix(row, played.given)
        yield name, _drift(row), _done(row, outcome, notes), Text(f"{took} ms" if took is not None else "")
        name = Text()


def _drift(row: JsonObject) -> Text:
    changes = [as_object(change) for change in as_list(row.get("Changes"))]
    return Text("\n".join(map(_told, changes)) or "-")


def _told(change: JsonObject) -> str:
    return f"{_short(change)}: {_brief(change, 'actual')} -> {_brief(change, 'desired')}"


def _short(change: JsonObject) -> str:
    return as_text(change.get("path")).rpartition(".")[2]


def _brief(change: JsonObject, side: str) -> str:
    """A value in a cell: what is long is counted."""
    value = change.get(side)
    if isinstance(value, list):
        return output.counted(len(value), "entry").replace("entrys", "entries")
    return "{...}" if isinstance(value, dict) and value else shown(value).replace("(absent)", "unset")


def _done(row: JsonObject, outcome: Outcome, notes: dict[str, int]) -> Text:
    text = Text(outcome.value, style=_STYLES.get(outcome, ""))
    if outcome in _SPEAK_FOR_THEMSELVES:
        return text
    reason = as_text(row.get("Reason")).replace(as_text(row.get("ResourceId")), "the resource")
    return _noted(text, output.printable(reason), notes)


def _noted(text: Text, reason: str, notes: dict[str, int]) -> Text:
    return text.append(f" [{notes.setdefault(reason, len(notes) + 1)}]", style="dim")


def _note(number: int, reason: str, console: Console) -> Iterator[Text]:
    first, *rest = folded(reason, console, 5)
    yield Text(f"{f'[{number}]':<5}").append_text(first[5:])
    yield from rest


def _name(resource_id: str) -> str:
    return output.printable(resource_id.rpartition("/")[2])


def _figures(summary: JsonObject) -> str:
    records = ", ".join(f"{count} {outcome}" for outcome, count in as_object(summary["records"]).items())
    told = [
        f"{summary['resources']} resources, {summary['events']} events, {summary['drifted']} drifted,",
        f"{output.counted(len(as_list(summary['incidents'])), 'incident')}," if summary["incidents"] else "",
        f"mode {summary['mode']}, {summary['seconds']} s.",
        f"Records: {records}.",
    ]
    if summary["p50_ms"] is not None:
        told.append(f"From event to verified fix: median {summary['p50_ms']} ms, p95 {summary['p95_ms']} ms.")
    if summary["repeated"] is not None:
        told.append(f"Incidents told of again added {summary['repeated'] or 'no'} records.")
    if secrets := as_list(summary["secrets"]):
        names = ", ".join(output.printable(as_text(name)) for name in secrets)
        told.append(f"New keys in the vault: {names}.")
    if summary["notified"] is not None:
        told.append(f"The topic for outcomes was told of {summary['notified']} records.")
    return " ".join(filter(None, told))
