"""What commands that bring machines up end with: a summary, and the exit code that goes with it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import typer

from lab.cli import options
from lab.cli.options import Format
from lab.errors import INTERRUPTED, NOT_ALL_WELL

if TYPE_CHECKING:
    from lab.classroom.results import MachineOutcome


def end_with(
    outcomes: Sequence[MachineOutcome], output: Format, *, interrupted: bool = False
) -> None:
    """Show what became of each machine, and end the command unless all is well.

    Raises:
        typer.Exit: a machine failed, or somebody stopped it.
    """
    if output is Format.JSON:
        from lab.report.up_json import up_json

        typer.echo(up_json(outcomes))
    else:
        from lab.report.up_summary import up_summary

        up_summary(outcomes, console=options.stdout_console())
    if interrupted:
        raise typer.Exit(INTERRUPTED)
    if not all(outcome.ok for outcome in outcomes):
        raise typer.Exit(NOT_ALL_WELL)
