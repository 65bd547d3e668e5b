"""`airlock rules` and `airlock explain`: the catalogue, as its own metadata tells it."""

import difflib
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from cli import output
from cli.output import Format, folded
from remediations import load_catalogue
from shared.domain.body import Json, JsonObject
from shared.domain.catalogue import Catalogue
from shared.domain.containment import CONTAINMENT_TAG, CONTAINMENT_VALUE
from shared.domain.decision import guards_of
from shared.domain.drift import Finding
from shared.domain.guards import NOT_OUR_OWN
from shared.domain.incident import AlertRow, row_for
from shared.domain.mode import Mode
from shared.domain.remediation import FixMode, Remediation, Rule, Source
from shared.domain.resource_types import ResourceType
from shared.domain.response import Response
from shared.domain.settings import switch

type Act = Remediation | Response

_MODES = f"{Mode.OFF}, {Mode.AUDIT} or {Mode.ENFORCE}"
_TAGGED = f"where tagged {CONTAINMENT_TAG}={CONTAINMENT_VALUE}"
# From which likeness on an alert type that no row names by itself is more likely a slip than a new one.
_LIKE = 0.85


def rules(format_: Annotated[Format, typer.Option("--format", help="What to print.")] = Format.TABLE) -> None:
    """List the remediations and responses with their settings."""
    acts = _acts(load_catalogue())
    if format_ is Format.JSON:
        listed: list[Json] = [_as_json(act) for act in acts]
        output.print_json(listed)
        return
    console = output.console()
    for act in acts:
        types = ", ".join(kind.suffix for kind in _types(act))
        _head(console, act, [switch(act), f"TYPE: {types}"])
    closing = (
        f"Each setting takes {_MODES}; with _TYPE behind its name it counts for that type alone. AIRLOCK_MODE is what "
        "counts where none is set; off there wins over everything. A response is done where an alert or an exposed key "
        "asks for it, which explain tells."
    )
    output.say(console, *folded(closing, console))


def explain(
    name: Annotated[
        str,
        typer.Argument(
            metavar="REF|NAME|ALERT_TYPE",
            help="As rules lists it, or an alert's type: AIR-001, enforce-tls, KV_TORAccess.",
        ),
    ],
) -> None:
    """Tell all about a remediation, a response or an alert type."""
    catalogue = load_catalogue()
    console = output.console()
    found = _called(name, catalogue)
    if isinstance(found, AlertRow):
        _explain_alert(name.strip(), found, catalogue, console)
    else:
        _explain_act(found, catalogue, console)


def _explain_act(act: Act, catalogue: Catalogue, console: Console) -> None:
    _head(console, act, [])
    _section(console, "Why", [act.why])
    _section(console, "Whom it disrupts", [act.disrupts])
    _section(console, f"Settings: {_MODES}", [switch(act), *(_switch(act, kind) for kind in _types(act))])
    if isinstance(act, Remediation):
        _section(console, "What must hold before a fix", [_guards(act, rule) for rule in act.rules])
    else:
        guards = (NOT_OUR_OWN, *act.guards)
        _section(console, "What must hold before it is done", [", ".join(guard.name for guard in guards)])
        _section(console, "Permissions beside reading the resource", [_permissions(act, kind) for kind in act.types])
    for title, alerts in _leading_to(act, catalogue.alerts):
        _section(console, title, alerts)
    _section(console, "Controls", [", ".join(act.controls)])
    if isinstance(act, Remediation):
        _section(console, "Built-in Azure policies", act.policies)
    _sources(console, act.sources)


def _explain_alert(name: str, row: AlertRow, catalogue: Catalogue, console: Console) -> None:
    exact = next((each for each in row.types if each.lower() == name.lower()), "")
    head = Text.assemble((exact or output.printable(name), "bold"), "  ", output.severity(row.severity))
    _section(console, head, [row.title])
    if not exact:
        _section(console, "No row names this type by itself", _instead(name, row, catalogue))
    nothing = "nothing" if row.blocked else "nothing but a look at the resource, as after any change"
    _section(console, "What is done where the settings enforce it", _named(_automatic(row), catalogue) or [nothing])
    if asked := _named(_on_approval(row), catalogue):
        _section(console, "What waits for a person's approval", asked)
    if freed := _named(row.auto_when_tagged, catalogue):
        _section(console, f"What needs none {_TAGGED}", freed)
    _section(console, "Why", [row.reason])
    _section(console, "What people do", [row.advice])
    if row.atlas:
        _section(console, "MITRE ATLAS", [", ".join(row.atlas)])
    _sources(console, [row.source])


def _called(name: str, catalogue: Catalogue) -> Act | AlertRow:
    """What has that ref, rule id or name, or the row of that alert type. Raises BadParameter with the nearest if there
    is none."""
    text = name.strip().lower()
    wanted = text.partition("/")[0]
    known = {word: act for act in _acts(catalogue) for word in (act.ref.lower(), act.name)}
    if wanted in known:
        return known[wanted]
    if (row := row_for(text, catalogue.alerts)) is not None:
        return row
    told = {word: f"{act.ref} {act.name}" for word, act in known.items()}
    told |= {each.lower(): each for row in catalogue.alerts for each in row.types}
    near = told[difflib.get_close_matches(wanted, told, n=1, cutoff=0.0)[0]]
    raise typer.BadParameter(f"there is no such remediation, response or alert type; the nearest is {near}")


def _instead(name: str, row: AlertRow, catalogue: Catalogue) -> Iterator[str]:
    """The pattern by which the row counts for a type that none names, and the type that may have been meant."""
    yield f"it counts as {next(each for each in row.types if replace(row, types=(each,)).is_about(name))}"
    exact = {each.lower(): each for other in catalogue.alerts for each in other.types if "*" not in each}
    for near in difflib.get_close_matches(name.lower(), exact, n=1, cutoff=_LIKE):
        yield f"the nearest that has one is {exact[near]}"


def _leading_to(act: Act, rows: Iterable[AlertRow]) -> Iterator[tuple[str, list[str]]]:
    """The alert types that lead to a remediation or response, by what it takes."""
    for title, names_of in (
        ("Alerts that lead to it", _automatic),
        ("Alerts that lead to it on approval", _on_approval),
        (f"Alerts that lead to it, without approval {_TAGGED}", lambda row: row.auto_when_tagged),
    ):
        if types := [each for row in rows if act.name in names_of(row) for each in row.types]:
            yield title, types


def _automatic(row: AlertRow) -> tuple[str, ...]:
    return row.respond + row.contain


def _on_approval(row: AlertRow) -> tuple[str, ...]:
    return row.respond_on_approval + row.contain_on_approval


def _named(names: Iterable[str], catalogue: Catalogue) -> list[str]:
    """The responses and remediations of those names as they are listed, in the order of the names."""
    known = {act.name: f"{act.ref} {act.name}" for act in _acts(catalogue)}
    return [known[name] for name in names]


def _acts(catalogue: Catalogue) -> tuple[Act, ...]:
    return (*catalogue.remediations, *catalogue.responses)


def _types(act: Act) -> Iterable[ResourceType]:
    return act.types if isinstance(act, Response) else [rule.type for rule in act.rules]


def _switch(act: Act, kind: ResourceType) -> str:
    return f"{switch(act)}_{kind.suffix}"


def _guards(remediation: Remediation, rule: Rule) -> str:
    names = ", ".join(guard.name for guard in guards_of(Finding(remediation, rule, ())))
    told = "" if rule.mode is FixMode.AUTO else f" ({rule.mode})"
    return f"{rule.type.slug}{told}: {names}"


def _permissions(response: Response, kind: ResourceType) -> str:
    return f"{kind.slug}: {', '.join(response.actions[kind.name])}"


def _as_json(act: Act) -> JsonObject:
    own: JsonObject = {"ref": act.ref, "name": act.name, "title": act.title, "setting": switch(act)}
    types: list[Json]
    if isinstance(act, Response):
        types = [{"type": kind.name, "setting": _switch(act, kind)} for kind in act.types]
        return {"kind": "response", **own, "types": types}
    types = [{"type": rule.type.name, "setting": _switch(act, rule.type), "fix": rule.mode.value} for rule in act.rules]
    return {"kind": "remediation", **own, "severity": act.severity.value, "types": types}


def _head(console: Console, act: Act, lines: Iterable[str]) -> None:
    # How bad an incident is, its alert says and not the response to it.
    told = output.severity(act.severity) if isinstance(act, Remediation) else Text("response", style="dim")
    _section(console, Text.assemble((f"{act.ref} {act.name}", "bold"), "  ", told), [act.title, *lines])


def _section(console: Console, title: str | Text, lines: Iterable[str]) -> None:
    """The title, the lines moved in under it, a blank line."""
    output.say(console, *folded(title, console), *(part for line in lines for part in folded(line, console, 2)), Text())


def _sources(console: Console, sources: Iterable[Source]) -> None:
    output.say(console, Text("Sources, with the day a person last read them"))
    # The terminal may wrap an address, we must not: it could not be copied any more.
    output.say(console, *(Text(f"  {source.reviewed}  {source.url}") for source in sources))
