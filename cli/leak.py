"""`airlock leak`: tells Airlock of a key that was found where it does not belong."""

import asyncio
import getpass
import logging
import sys
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Annotated
from urllib.parse import urlsplit

import typer
from rich.console import Console
from rich.text import Text

from cli import output
from cli.documents import STANDARD_INPUT, UnusableInput
from cli.leaked import MOST_BYTES, Format, Leaked, read_leaked
from cli.output import counted, folded
from shared.domain.arm_id import ArmId, parse_arm_id
from shared.domain.body import Json
from shared.domain.exposure import Exposure
from shared.domain.failure import AirlockError

# How many places are told by name before the rest is only counted; the JSON output lists all.
_MOST_NAMES = 20
_TOPIC = "AIRLOCK_ALERTS_TOPIC"
_PATH = "/api/events"


def leak(  # noqa: PLR0913 - one parameter for each option
    context: typer.Context,
    *,
    topic: Annotated[
        str, typer.Option(metavar="URL", envvar=_TOPIC, help="Where the Event Grid topic takes events.")
    ] = "",
    found_at: Annotated[
        str, typer.Option(metavar="TEXT", help="Where it was found; goes before the places of a report.")
    ] = "",
    resource: Annotated[str, typer.Option(metavar="ARM_ID", help="The account that it opens, if known.")] = "",
    format_: Annotated[Format, typer.Option("--format", help="What the input is.")] = Format.AUTO,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be told, and tell nobody.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print what was told as JSON and nothing else.")] = False,
) -> None:
    """Tell Airlock of exposed keys, read from standard input.

    Takes one key, or a line that holds one; the JSON report of gitleaks; or GitHub's secret scanning alerts. Without
    a pipe it asks, and does not show what is typed. Only the SHA-256 of each key leaves this machine, as an event
    with your Entra identity. Ends with 0 when all is told, 1 when the topic did not take it, 2 for unusable input.
    """
    if context.args:
        # Shells keep arguments, every user of the machine can read them, and an error that names one tells more.
        raise UnusableInput(STANDARD_INPUT, "", "is where the key comes from: it must never be an argument")
    endpoint = "" if dry_run and not topic else _endpoint(topic)
    leaked = read_leaked(_read(format_), format_, found_at=found_at, resource=_resource(resource))
    if leaked.exposures and not dry_run:
        _publish(endpoint, leaked.exposures)
    if as_json:
        output.print_json(_as_json(leaked, dry_run=dry_run))
        return
    console = output.console()
    output.say(console, *_lines(leaked, console, "" if dry_run else endpoint))


def _endpoint(topic: str) -> str:
    """The topic's https address. Raises BadParameter for anything that a token should not be sent to."""
    if not topic:
        raise typer.BadParameter(f"name the topic, here or in {_TOPIC}", param_hint="--topic")
    try:
        parts = urlsplit(topic)
        usable = parts.scheme == "https" and parts.hostname and parts.port != 0 and topic.isascii()
    except ValueError:
        usable = False
    if not usable or "@" in parts.netloc or parts.query or parts.fragment or not topic.isprintable() or " " in topic:
        raise typer.BadParameter(f"must be https://host{_PATH}", param_hint="--topic")
    return f"https://{parts.netloc}{parts.path if parts.path.strip('/') else _PATH}"


def _resource(text: str) -> ArmId | None:
    try:
        return parse_arm_id(text) if text else None
    except ValueError as problem:
        raise typer.BadParameter(str(problem), param_hint="--resource") from None


def _read(kind: Format) -> bytes:
    """Standard input, or one line that nobody sees being typed."""
    if not sys.stdin.isatty():
        return sys.stdin.buffer.read(MOST_BYTES + 1)
    if kind not in {Format.AUTO, Format.TEXT}:
        raise UnusableInput(STANDARD_INPUT, "", "is a terminal: pipe the report in")
    try:
        with warnings.catch_warnings(action="error", category=getpass.GetPassWarning):
            return getpass.getpass("Key (not shown): ").encode(errors="replace")
    except (EOFError, getpass.GetPassWarning):
        raise UnusableInput(STANDARD_INPUT, "", "is a terminal that cannot be read without showing") from None


def _publish(endpoint: str, exposures: Sequence[Exposure]) -> None:
    """Tells the topic, or ends the command with 1 and what a person has to do."""
    from shared.azure import exposures as azure  # noqa: PLC0415 - slow to load, and only wanted here

    advice = {
        azure.NO_TOKEN: "there is no Entra token: run az login, then this again",
        azure.NOT_ALLOWED: "it refused this identity: az login as one with the role EventGrid Data Sender on the topic",
        azure.NOT_FOUND: "there is none at that address: az eventgrid topic show --query endpoint tells it",
        azure.NOT_TAKEN: "it does not take CloudEvents: it needs the input schema CloudEventSchemaV1_0",
    }
    # The SDKs warn of every kind of sign-in that they tried, a screenful; the advice is one line.
    logging.getLogger("azure").addHandler(logging.NullHandler())
    try:
        asyncio.run(azure.publish_exposures(endpoint, exposures, datetime.now(UTC)))
    except AirlockError as failure:
        why = advice.get(failure.cause.code, f"{failure.cause.text}; telling again does no harm")
        output.complain(f"the topic {urlsplit(endpoint).netloc} was not told: {why}")
        raise typer.Exit(1) from None


def _as_json(leaked: Leaked, *, dry_run: bool) -> Json:
    findings: list[Json] = [{"foundAt": told.found_at, "cause": told.cause} for told in leaked.exposures]
    published = 0 if dry_run else len(findings)
    return {"published": published, "skipped": len(leaked.skipped), "findings": findings}


def _lines(leaked: Leaked, console: Console, endpoint: str) -> Iterator[Text]:
    """What was told, or without an endpoint what would be. No key and no hash is in it."""
    number = len(leaked.exposures)
    keys = counted(number, "key") if number else "no key"
    told = f"Told {urlsplit(endpoint).netloc} of {keys}" if endpoint else f"Dry run: would tell of {keys}"
    places = [exposure.found_at for exposure in leaked.exposures if exposure.found_at]
    yield from folded(Text(f"{told}{':' if places else '.'}", style="bold"), console)
    for place in places[:_MOST_NAMES]:
        yield from folded(output.printable(place), console, 2)
    if len(places) > _MOST_NAMES:
        yield from folded(f"and {len(places) - _MOST_NAMES} more, which --json lists", console, 2)
    if leaked.skipped:
        why = ", ".join(f"{many} {skip}" for skip, many in Counter(leaked.skipped).items())
        yield from folded(f"Skipped {counted(len(leaked.skipped), 'finding')}: {why}.", console)
    if number and endpoint:
        happens = "Airlock rotates the account whose current key matches; see the log for the outcome"
        yield from folded(f"{happens}, Fixed or Refused.", console)
