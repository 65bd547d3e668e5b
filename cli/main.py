"""The operator's `airlock` command: what it consists of, and how it ends."""

import importlib.metadata
import sys
from typing import Annotated

import typer

from cli import output
from cli.catalogue import explain, rules
from cli.check import check
from cli.documents import UnusableInput
from cli.leak import leak
from cli.log import log_commands
from cli.operate import approve, hold, release, replay, undo
from cli.rehearse import rehearse

_UNUSABLE = 2


def run() -> None:
    """The console command. Input that cannot be used ends it with 2 and one line on standard error."""
    output.prepare_streams()
    try:
        command()(prog_name="airlock")
    except UnusableInput as unusable:
        output.complain(str(unusable))
        sys.exit(_UNUSABLE)


def command() -> typer.Typer:
    """The command with all that it can do. Plain help, and no traceback that shows what variables held."""
    app = typer.Typer(
        name="airlock",
        callback=_airlock,
        no_args_is_help=True,
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )

    # Offline: nothing but files and the catalogue.
    app.command()(check)
    app.command()(rules)
    app.command()(explain)

    # On a local Azure, which only this command needs.
    app.command()(rehearse)

    # To Azure: a topic, with the token of whoever runs it.
    app.command(context_settings={"allow_extra_args": True})(leak)  # it refuses them, and repeats none

    # On files, or on a Log Analytics workspace with the token of whoever runs it.
    app.add_typer(log_commands(), name="log")

    # To the deployed app, with the token of whoever runs it.
    for act in (approve, undo, hold, release, replay):
        app.command()(act)

    return app


def _tell_version(wanted: bool) -> None:  # noqa: FBT001 - typer calls it with the option's value alone
    if wanted:
        typer.echo(f"airlock {importlib.metadata.version('airlock')}")
        raise typer.Exit


def _airlock(
    *,
    _version: Annotated[
        bool, typer.Option("--version", callback=_tell_version, is_eager=True, help="Tell the version and end.")
    ] = False,
) -> None:
    """Keep Azure AI resources inside a zero-trust baseline."""


if __name__ == "__main__":
    run()
