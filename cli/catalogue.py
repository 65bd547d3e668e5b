"""`airlock rules` and `airlock explain`: the catalogue, as its own metadata tells it."""

import difflib
from collections.abc import Iterable
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from cli import output
from cli.output import Format, folded
from remediations import load_catalogue
from shared.domain.body import Json, JsonObject
from shared.domain.catalogue import Catalogue
from shared.domain.decision import guards_of
from shared.domain.drift import Finding
from shared.domain.mode import Mode
from shared.domain.remediation import FixMode, Remediation, Rule
from shared.domain.settings import switch

_MODES = f"{Mode.OFF}, {Mode.AUDIT} or {Mode.ENFORCE}"


def rules(format_: Annotated[Format, typer.Option("--format", help="What to print.")] = Format.TABLE) -> None:
    """List the remediations and the settings that switch them."""
    catalogue = load_catalogue()
    if format_ is Format.JSON:
        listed: list[Json] = [_as_json(remediation) for remediation in catalogue.remediations]
        output.print_json(listed)
        return
    console = output.console()
    for remediation in catalogue.remediations:
        types = ", ".join(rule.type.suffix for rule in remediation.rules)
        _head(console, remediation, [switch(remediation), f"TYPE: {types}"])
    closing = (
        f"Each setting takes {_MODES}; with _TYPE behind its name it counts for that type alone. AIRLOCK_MODE is what "
        "counts where none is set; off there wins over everything."
    )
    output.say(console, *folded(closing, console))


def explain(
    name: Annotated[str, typer.Argument(metavar="REF|NAME", help="As rules lists them: AIR-001 or enforce-tls.")],
) -> None:
    """Tell all about one remediation: why, for whom, how."""
    remediation = _called(name, load_catalogue())
    console = output.console()
    switches = [switch(remediation), *(_switch(remediation, rule) for rule in remediation.rules)]
    _head(console, remediation, [])
    _section(console, "Why", [remediation.why])
    _section(console, "Whom it disrupts", [remediation.disrupts])
    _section(console, f"Settings: {_MODES}", switches)
    _section(console, "What must hold before a fix", [_guards(remediation, rule) for rule in remediation.rules])
    _section(console, "Controls", [", ".join(remediation.controls)])
    _section(console, "Built-in Azure policies", remediation.policies)
    output.say(console, Text("Sources, with the day a person last read them"))
    # The terminal may wrap an address, we must not: it could not be copied any more.
    output.say(console, *(Text(f"  {source.reviewed}  {source.url}") for source in remediation.sources))


def _called(name: str, catalogue: Catalogue) -> Remediation:
    """The remediation of that ref, rule id or name. Raises BadParameter with the nearest if there is none."""
    wanted = name.strip().lower().partition("/")[0]
    known = {word: found for found in catalogue.remediations for word in (found.ref.lower(), found.name)}
    if wanted not in known:
        near = known[difflib.get_close_matches(wanted, known, n=1, cutoff=0.0)[0]]
        raise typer.BadParameter(f"there is no such remediation; the nearest is {near.ref} {near.name}")
    return known[wanted]


def _switch(remediation: Remediation, rule: Rule) -> str:
    return f"{switch(remediation)}_{rule.type.suffix}"


def _guards(remediation: Remediation, rule: Rule) -> str:
    names = ", ".join(guard.name for guard in guards_of(Finding(remediation, rule, ())))
    told = "" if rule.mode is FixMode.AUTO else f" ({rule.mode})"
    return f"{rule.type.slug}{told}: {names}"


def _as_json(remediation: Remediation) -> JsonObject:
    types: list[Json] = [
        {"type": rule.type.name, "setting": _switch(remediation, rule), "fix": rule.mode.value}
        for rule in remediation.rules
    ]
    return {
        "ref": remediation.ref,
        "name": remediation.name,
        "title": remediation.title,
        "severity": remediation.severity.value,
        "setting": switch(remediation),
        "types": types,
    }


def _head(console: Console, remediation: Remediation, lines: Iterable[str]) -> None:
    name = Text.assemble((f"{remediation.ref} {remediation.name}", "bold"), "  ", output.severity(remediation.severity))
    _section(console, name, [remediation.title, *lines])


def _section(console: Console, title: str | Text, lines: Iterable[str]) -> None:
    """The title, the lines moved in under it, a blank line."""
    output.say(console, *folded(title, console), *(part for line in lines for part in folded(line, console, 2)), Text())
