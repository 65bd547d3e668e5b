"""docs/reference.md: what catalogue, settings and log schema say, for people. Run as a module to write it."""

from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

from remediations import load_catalogue
from shared.domain.catalogue import Catalogue
from shared.domain.record import TABLE, schema
from shared.domain.remediation import Remediation
from shared.domain.resource_types import RESOURCE_TYPES
from shared.domain.settings import Operational, option, spelt, switch

FILE = Path(__file__).resolve().parent.parent / "docs" / "reference.md"


def reference() -> str:
    """The whole page."""
    catalogue = load_catalogue()
    parts = (_head(), _settings(catalogue), _remediations(catalogue), _types(), _columns())
    return "\n".join(line for part in parts for line in part)


def _head() -> Iterator[str]:
    yield "# Reference"
    yield ""
    yield "Made from the code by `make docs`; a test keeps it equal."
    yield ""


def _settings(catalogue: Catalogue) -> Iterator[str]:
    yield "## Settings"
    yield ""
    yield "App settings of the function app, read once at start. An unknown name or value means that nothing enforces;"
    yield "the log then says what is wrong. `AIRLOCK_MODE=off` wins over everything."
    yield ""
    modes = "`off`, `audit`, `enforce`"
    yield "| Setting | Values | Default | Meaning |"
    yield "|---|---|---|---|"
    yield f"| `AIRLOCK_MODE` | {modes} | `audit` | What Airlock may do: nothing, look and record, or fix as well. |"
    for remediation in catalogue.remediations:
        suffixes = ", ".join(f"`_{rule.type.suffix}`" for rule in remediation.rules)
        what = f"The mode of {remediation.ref}; for one type alone with {suffixes} behind the name."
        yield f"| `{switch(remediation)}` | {modes} | `AIRLOCK_MODE` | {what} |"
    for each in fields(Operational):
        default = spelt(getattr(Operational(), each.name))
        told = option(each.name)
        shown = f"`{default}`" if default else ""
        yield f"| `AIRLOCK_{each.name.upper()}` | {told.values} | {shown} | {told.meaning} |"
    yield ""


def _remediations(catalogue: Catalogue) -> Iterator[str]:
    yield "## Remediations"
    yield ""
    for remediation in catalogue.remediations:
        yield from _remediation(remediation)


def _remediation(remediation: Remediation) -> Iterator[str]:
    yield f"### {remediation.ref} {remediation.name}"
    yield ""
    yield f"{remediation.title}. {remediation.why}"
    yield ""
    yield f"*Whom it disrupts:* {remediation.disrupts}"
    yield ""
    yield f"*Severity:* {remediation.severity.value}. *Controls:* {', '.join(remediation.controls)}."
    yield ""
    yield "| Type | Guards before a fix | Permissions beside reading the type and private endpoints |"
    yield "|---|---|---|"
    for rule in remediation.rules:
        guards = ", ".join(f"`{guard.name}`" for guard in rule.guards) or "-"
        yield f"| {rule.type.name} | {guards} | {', '.join(f'`{action}`' for action in rule.actions)} |"
    yield ""
    yield "Built-in Azure Policy definitions on the same subject: " + ", ".join(
        f"`{id_}`" for id_ in remediation.policies
    )
    yield ""
    for source in remediation.sources:
        yield f"* <{source.url}> (reviewed {source.reviewed})"
    yield ""


def _types() -> Iterator[str]:
    yield "## Resource types"
    yield ""
    yield "| Type | api-version | Judged |"
    yield "|---|---|---|"
    for kind in RESOURCE_TYPES:
        when = "when tagged `airlock=protect` or used by an AI resource" if kind.attachable else "always"
        yield f"| {kind.name} | {kind.api_version} | {when} |"
    yield ""


def _columns() -> Iterator[str]:
    yield f"## The log, `{TABLE}`"
    yield ""
    yield "One row for each decision. A row may be sent twice: queries take `arg_max(TimeGenerated, *) by RecordId`."
    yield ""
    yield "| Column | Type |"
    yield "|---|---|"
    for column, kind in schema().items():
        yield f"| {column} | {kind} |"
    yield ""


if __name__ == "__main__":
    FILE.parent.mkdir(exist_ok=True)
    FILE.write_text(reference(), encoding="utf-8")
