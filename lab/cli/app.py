"""Brings the commands together; in the order in which a class meets them."""

from __future__ import annotations

from typing import Annotated

import typer

from lab import __version__
from lab.cli import (
    class_commands,
    grade_commands,
    guide_commands,
    host_commands,
    machine_commands,
    mark_commands,
    roster_commands,
    snapshot_commands,
)

app = typer.Typer(
    name="lab",
    help="A machine for every student of a class, each in a known state and each checked, "
    "through Vagrant.",
    epilog="Start with: lab init, then lab up, then lab verify.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    # Pretty help takes a fifth of a second to import, at each `--help` and each mistyped option.
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:  # noqa: FBT001 (Typer's callback)
    if wanted:
        typer.echo(f"lab {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    _: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Print lab's version."),
    ] = False,
) -> None:
    pass


class_commands.register(app)
roster_commands.register(app)
machine_commands.register(app)
snapshot_commands.register(app)
mark_commands.register(app)
grade_commands.register(app)
guide_commands.register(app)
host_commands.register(app)
