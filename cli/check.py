"""`airlock check`: the rules that judge live resources, on resources in files."""

import os
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer
from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from cli import output
from cli.documents import file_name
from cli.files import files_below, read_exports, resources_to_judge
from cli.output import Format, folded
from cli.report import Report, judge
from remediations import load_catalogue
from shared.domain.change import Change
from shared.domain.drift import Finding
from shared.domain.resource import Resource
from shared.domain.settings import read_settings

# How many resources a reason lists by name before it only counts; the JSON output lists all.
_MOST_NAMES = 20


def check(
    paths: Annotated[
        list[Path],
        typer.Argument(metavar="PATH", help="JSON files, directories of them, or - for standard input."),
    ],
    format_: Annotated[Format, typer.Option("--format", help="What to print.")] = Format.TABLE,
) -> None:
    """Judge exported resources, offline, by the rules for live ones.

    Takes what az graph query, az resource show and az rest print. The AIRLOCK_* settings of the environment count.
    Ends with 0 without findings, 1 with findings, 2 for unusable input.
    """
    catalogue = load_catalogue()
    settings = read_settings(os.environ, catalogue)
    exports = read_exports(files_below(paths))
    for problem in settings.problems:
        output.complain(f"warning: {problem}")
    for export in exports:
        if export.partial:
            name = file_name(export.path)
            output.complain(f"warning: {name} says that more pages follow: what is in them counts only if given too")
    bodies = [body for export in exports for body in export.bodies]
    report = judge(resources_to_judge(bodies), catalogue, settings.baseline)
    if format_ is Format.JSON:
        output.print_json(report.as_json())
    else:
        console = output.console()
        output.say(console, *lines(report, console))
    raise typer.Exit(1 if report.drifted else 0)


def lines(report: Report, console: Console) -> Iterator[Text]:
    """The report for people: what drifted, a count, what is unknown and why. Every line fits the console."""
    several = len({resource.id.subscription.lower() for resource in report.resources}) > 1
    for resource, findings in report.drifted:
        yield from folded(_heading(resource, several=several), console)
        width = max(len(change.path) for finding in findings for change in finding.changes)
        for finding in findings:
            yield from folded(_title(finding), console, 2)
            for change in finding.changes:
                yield from _change_lines(change, width, console)
        yield Text()
    yield from folded(Text(_count(report), style="bold"), console)
    yield from _unknown_lines(report, console, several=several)


def _change_lines(change: Change, width: int, console: Console) -> Iterator[Text]:
    """The change in one line, the values of one resource under each other; in several lines if it is too long."""
    actual, desired = output.shown(change.actual), output.shown(change.desired)
    line = f"{change.path:<{width}}  {actual} -> {desired}"
    if cell_len(line) <= console.width - 4:
        yield Text(f"    {line}")
        return
    yield from folded(change.path, console, 4)
    yield from folded(actual, console, 6)
    yield from folded(f"-> {desired}", console, 6)


def _unknown_lines(report: Report, console: Console, *, several: bool) -> Iterator[Text]:
    by_reason: defaultdict[str, list[Resource]] = defaultdict(list)
    for resource, reason in report.unknown:
        by_reason[reason].append(resource)
    for reason, resources in by_reason.items():
        yield Text()
        yield from folded(Text(f"Unknown: {reason}.", style="yellow"), console)
        for resource in resources[:_MOST_NAMES]:
            yield from folded(_heading(resource, several=several), console, 2)
        if len(resources) > _MOST_NAMES:
            yield from folded(f"and {len(resources) - _MOST_NAMES} more, which --format json lists", console, 2)


def _heading(resource: Resource, *, several: bool) -> Text:
    """The resource by its short names, and by its subscription where there are several."""
    kind = resource.type.name.removeprefix("Microsoft.")
    where = f"in {output.printable(resource.id.resource_group or 'no resource group')}"
    where = f"\n  {where} of subscription {resource.id.subscription}" if several else f" {where}"
    return Text.assemble((output.printable(resource.id.name), "bold"), f"  {kind}", (where, "dim"))


def _title(finding: Finding) -> Text:
    remediation = finding.remediation
    return Text.assemble(f"{remediation.ref} {remediation.name}  ", output.severity(remediation.severity))


def _count(report: Report) -> str:
    if not report.resources:
        return "No resource of a type that rules judge."
    findings = sum(len(found) for _, found in report.drifted)
    parts = [
        f"{output.counted(findings, 'finding')} on {len(report.drifted)}" if findings else "",
        f"{len(report.good)} good" if report.good else "",
        f"{len(report.unknown)} unknown" if report.unknown else "",
    ]
    return f"{output.counted(len(report.resources), 'resource')}: {', '.join(part for part in parts if part)}."
