"""docs/reference.md: what catalogue, settings and log schema say, for people. Run as a module to write it."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import fields
from pathlib import Path

from remediations import load_catalogue
from shared.domain.arm_id import parse_arm_id
from shared.domain.catalogue import Catalogue
from shared.domain.containment import CONTAINMENT_TAG, CONTAINMENT_VALUE
from shared.domain.exposure import SECRET_EXPOSED, Exposure
from shared.domain.incident import AlertRow
from shared.domain.record import TABLE, schema
from shared.domain.remediation import Remediation, Source
from shared.domain.resource_types import COGNITIVE_ACCOUNTS, RESOURCE_TYPES, ResourceType
from shared.domain.response import Response
from shared.domain.secret import digest
from shared.domain.settings import Operational, option, spelt, switch

_MODES = "`off`, `audit`, `enforce`"
_TAG = f"`{CONTAINMENT_TAG}={CONTAINMENT_VALUE}`"
FILE = Path(__file__).resolve().parent.parent / "docs" / "reference.md"


def reference() -> str:
    """The whole page."""
    catalogue = load_catalogue()
    parts = (
        _head(),
        _settings(catalogue),
        _remediations(catalogue),
        _responses(catalogue),
        _alerts(catalogue),
        _exposed(),
        _types(),
        _columns(),
    )
    return "\n".join(line for part in parts for line in part)


def _head() -> Iterator[str]:
    yield "# Reference"
    yield ""
    yield "Made from the code by `make generate`; a test keeps it equal."
    yield ""


def _settings(catalogue: Catalogue) -> Iterator[str]:
    yield "## Settings"
    yield ""
    yield "App settings of the function app, read once at start. An unknown name or value means that nothing enforces;"
    yield "the log then says what is wrong. `AIRLOCK_MODE=off` wins over everything."
    yield ""
    yield "| Setting | Values | Default | Meaning |"
    yield "|---|---|---|---|"
    yield f"| `AIRLOCK_MODE` | {_MODES} | `audit` | What Airlock may do: nothing, look and record, or fix as well. |"
    for remediation in catalogue.remediations:
        yield _switched(remediation, (rule.type for rule in remediation.rules))
    for response in catalogue.responses:
        yield _switched(response, response.types)
    for each in fields(Operational):
        default = spelt(getattr(Operational(), each.name))
        told = option(each.name)
        shown = f"`{default}`" if default else ""
        yield f"| `AIRLOCK_{each.name.upper()}` | {told.values} | {shown} | {told.meaning} |"
    yield ""


def _switched(act: Remediation | Response, types: Iterable[ResourceType]) -> str:
    suffixes = ", ".join(f"`_{kind.suffix}`" for kind in types)
    what = f"The mode of {act.ref}; for one type alone with {suffixes} behind the name."
    return f"| `{switch(act)}` | {_MODES} | `AIRLOCK_MODE` | {what} |"


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
    yield from _sources(remediation.sources)


def _sources(sources: Iterable[Source]) -> Iterator[str]:
    for source in sources:
        yield f"* <{source.url}> (reviewed {source.reviewed})"
    yield ""


def _responses(catalogue: Catalogue) -> Iterator[str]:
    yield "## Responses"
    yield ""
    yield "What is done once about an incident: an alert that Defender confirms, or an exposed key that still works."
    yield "The alerts below name them. They are switched like remediations; in audit mode they are only recorded."
    yield ""
    for response in catalogue.responses:
        yield from _response(response)


def _response(response: Response) -> Iterator[str]:
    yield f"### {response.ref} {response.name}"
    yield ""
    yield f"{response.title}. {response.why}"
    yield ""
    yield f"*Whom it disrupts:* {response.disrupts}"
    yield ""
    yield f"*Switch:* `{switch(response)}`. *Controls:* {', '.join(response.controls)}."
    yield ""
    yield "| Type | Permissions beside reading the type |"
    yield "|---|---|"
    for kind in response.types:
        yield f"| {kind.name} | {', '.join(f'`{action}`' for action in response.actions[kind.name])} |"
    yield ""
    yield from _sources(response.sources)


def _alerts(catalogue: Catalogue) -> Iterator[str]:
    yield "## Alerts"
    yield ""
    yield "What an alert leads to, by its type. `*` stands for anything; a line without it counts before one with it."
    yield "What is on approval is recorded and waits for a person; where it is marked so, a tag by the resource's owner"
    yield "is a standing approval. `airlock explain <alert type>` tells the reason of each line, and what people do."
    yield ""
    yield "| Alert type | Automatic | On approval | Why nothing |"
    yield "|---|---|---|---|"
    for row in catalogue.alerts:
        told = _led_to(row)
        for each in row.types:
            yield f"| `{each}` | {told} |"
    yield ""


def _led_to(row: AlertRow) -> str:
    automatic = row.respond + row.contain
    asked = row.respond_on_approval + row.contain_on_approval
    marked = [f"{name} ({_TAG})" if name in row.auto_when_tagged else name for name in asked]
    return f"{', '.join(automatic) or '-'} | {', '.join(marked) or '-'} | {'' if automatic or asked else row.reason}"


def _exposed() -> Iterator[str]:
    account = parse_arm_id(
        "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg-ai"
        f"/providers/{COGNITIVE_ACCOUNTS.name}/aoai"
    )
    yield f"## The event `{SECRET_EXPOSED}`"
    yield ""
    yield "A CloudEvent that tells of a key found where it does not belong; `airlock leak` sends it. In its `data`,"
    yield "`sha256` is that of the key in hex, `foundAt` the place in words, and `resourceId` the account that it is"
    yield "said to open, if anybody knows."
    yield ""
    yield "```json"
    yield json.dumps(Exposure(digest("not a key"), "contoso/app config.py:3", account).as_json(), indent=2)
    yield "```"
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
