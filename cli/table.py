"""What a rehearsal shows at its end: a line for each drifted property, what was done, and the reasons below."""

from collections.abc import Iterator

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from cli import output
from cli.ending import Ending, Verdict, time_to_fix
from cli.output import folded, shown
from cli.rehearsal import Played
from shared.domain.body import JsonObject, as_list, as_object, as_text
from shared.domain.record import Outcome

_STYLES = {
    Outcome.FIXED: "green",
    Outcome.COMPLIANT: "green",
    Outcome.AUDITED: "cyan",
    Outcome.REFUSED: "yellow",
    Outcome.EXEMPT: "yellow",
    Outcome.CONTESTED: "magenta",
    Outcome.FAILED: "red",
    Outcome.FIX_UNVERIFIED: "red",
}
_SPEAK_FOR_THEMSELVES = {Outcome.FIXED, Outcome.COMPLIANT}


def report(verdict: Verdict, played: Played, console: Console) -> RenderableType:
    """The whole of it: the table, the reasons, the figures, and what was not as promised."""
    notes: dict[str, int] = {}
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("Resource", no_wrap=True, max_width=17)
    table.add_column("What drifted", overflow="fold")
    table.add_column("Done", no_wrap=True)
    table.add_column("Time", justify="right", no_wrap=True)
    for ending in verdict.endings:
        for row in _cells(ending, played, notes):
            table.add_row(*row)
    broken = (*verdict.broken, *(f"{_name(each.resource)}: {each.broken}" for each in verdict.endings if each.broken))
    below = [
        Text(),
        *(line for reason, number in notes.items() for line in _note(number, reason, console)),
        Text(),
        *folded(Text(_figures(verdict.summary), style="bold"), console),
        *(line for problem in broken for line in folded(Text(f"Not as promised: {problem}", style="red"), console)),
    ]
    return Group(table, *below)


def _cells(ending: Ending, played: Played, notes: dict[str, int]) -> Iterator[tuple[Text, Text, Text, Text]]:
    """The table's rows for one resource: every finding that had a record, or else what the resource's own says."""
    last = {(as_text(row.get("Rule")), as_text(row.get("Outcome"))): row for row in ending.rows}
    found = [row for row in last.values() if row.get("Rule")] or list(last.values())[-1:]
    name = Text(_name(ending.resource), style="bold")
    for row in found:
        outcome = Outcome(as_text(row.get("Outcome")))
        took = time_to_fix(row, played.given)
        yield name, _drift(row), _done(row, outcome, notes), Text(f"{took} ms" if took is not None else "")
        name = Text()


def _drift(row: JsonObject) -> Text:
    changes = [as_object(change) for change in as_list(row.get("Changes"))]
    told = (f"{_short(change)}: {_brief(change, 'actual')} -> {_brief(change, 'desired')}" for change in changes)
    return Text("\n".join(told) or "-")


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
    return text.append(f" [{notes.setdefault(output.printable(reason), len(notes) + 1)}]", style="dim")


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
        f"mode {summary['mode']}, {summary['seconds']} s.",
        f"Records: {records}.",
    ]
    if summary["p50_ms"] is not None:
        told.append(f"From event to verified fix: median {summary['p50_ms']} ms, p95 {summary['p95_ms']} ms.")
    return " ".join(told)
