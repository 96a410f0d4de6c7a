"""Commands for rosters: what lab makes of a list of students, before anything is made."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lab.cli import options
from lab.cli.options import LABS_YAML, Format
from lab.errors import USAGE

roster_app = typer.Typer(no_args_is_help=True, help="The lists of students that schools export.")


@roster_app.command("check")
def check(
    roster: Annotated[Path, typer.Argument(metavar="FILE", help="The CSV file to look at.")],
    file: options.File = LABS_YAML,
    output: options.Output = Format.TABLE,
) -> None:
    """Show how a roster is understood, column by column and row by row; writes nothing.

    There need not be a labs.yaml. Where there is one, students keep the logins that they had in
    the labs of this roster, or in any where it names none. Exit code 2 when the roster has
    problems.

    Example: lab roster check students.csv

    Example: lab roster check students.csv --format json
    """
    from lab.classroom.config import labs_of_roster
    from lab.classroom.roster import scan_roster
    from lab.system.files import LabFolder
    from lab.workflow.holders import all_holders

    holders = all_holders(LabFolder(file.absolute().parent))
    if labs := labs_of_roster(file.absolute(), roster.absolute()):
        holders = tuple(holder for holder in holders if holder.lab in labs)
    found = scan_roster(roster, name=str(roster), holders=holders)
    if output is Format.JSON:
        from lab.report.roster_json import roster_json

        typer.echo(roster_json(found))
    else:
        from lab.report.roster_table import roster_table

        roster_table(found, console=options.stdout_console())
    if found.problems:
        raise typer.Exit(USAGE)


def register(app: typer.Typer) -> None:
    """Add these commands to `lab`."""
    app.add_typer(roster_app, name="roster")
