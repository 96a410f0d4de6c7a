"""Commands for the machines that there are: where they are, getting in, and their end."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lab.cli import options
from lab.cli.options import LABS_YAML, Format, confirm_destroying
from lab.errors import NOT_ALL_WELL

if TYPE_CHECKING:
    from lab.workflow.handout import Handouts


class PageFormat(StrEnum):
    """What handouts are written as."""

    HTML = "html"
    PDF = "pdf"
    BOTH = "both"


def status(
    targets: options.Targets = None,
    file: options.File = LABS_YAML,
    output: options.Output = Format.TABLE,
) -> None:
    """Show where every machine is.

    Example: lab status --format json
    """
    from lab.workflow.project import select
    from lab.workflow.status import status as find_status

    project = options.project_of(file)
    rows = find_status(project, select(project.machines, targets or ()), orphans=not targets)
    if output is Format.JSON:
        from lab.report.status_json import status_json

        typer.echo(status_json(rows))
    else:
        from lab.report.status_table import status_table

        status_table(rows, console=options.stdout_console())


def ssh(
    target: Annotated[str, typer.Argument(help="LOGIN or LAB/LOGIN.")],
    command: Annotated[
        list[str] | None, typer.Argument(help="A command to run there, after --.")
    ] = None,
    admin: Annotated[
        bool, typer.Option("--admin", help="As vagrant, who may sudo, instead of as the student.")
    ] = False,
    file: options.File = LABS_YAML,
) -> None:
    """Open a shell on a student's machine, as the student.

    Example: lab ssh ana

    Example: lab ssh ana --admin -- sudo systemctl status nginx
    """
    from lab.workflow.connect import not_ready, ssh_command

    project = options.project_of(file)
    argv = ssh_command(project, target, tuple(command or ()), admin=admin, tty=sys.stdin.isatty())
    if not admin and (unready := not_ready(project, target)):
        options.tell(
            f"warning: {unready}'s steps are not all done: lab up {unready} goes on with them, "
            f"lab ssh --admin {unready} gets in before."
        )
    from lab.system import process

    raise typer.Exit(process.run_attached(argv))


def logs(
    targets: options.Targets = None,
    lines: Annotated[
        int, typer.Option("--lines", "-n", min=1, help="How many of the last lines.")
    ] = 50,
    file: options.File = LABS_YAML,
) -> None:
    """Show the last lines that Vagrant and the steps said.

    Example: lab logs ana -n 200
    """
    from lab.report.text import inert_block
    from lab.workflow.connect import log_tails

    for heading, text in log_tails(options.project_of(file), targets or (), lines=lines):
        typer.echo(inert_block(f"== {heading}\n{text}"))


def handout(
    targets: options.Targets = None,
    file: options.File = LABS_YAML,
    folder: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            envvar="LAB_HANDOUT_OUTPUT",
            help="The folder for them; handouts/ beside labs.yaml by default.",
        ),
    ] = None,
    pages: Annotated[
        PageFormat,
        typer.Option(
            "--format",
            envvar="LAB_HANDOUT_FORMAT",
            help="A page that holds the student's key (html), one to print with the key as a "
            "file beside it (pdf), or both.",
        ),
    ] = PageFormat.BOTH,
    via: Annotated[
        str,
        typer.Option(
            envvar="LAB_VIA",
            metavar="[USER@]HOST[:PORT]",
            help="Where students come in through; {login} as USER is each one's own account there.",
        ),
    ] = "",
    contact: Annotated[
        str, typer.Option(envvar="LAB_CONTACT", help="Whom students ask, in your words.")
    ] = "",
    lang: options.Lang = None,
) -> None:
    """Write a page for each student: how to get into their machine, and what to do there.

    The HTML page and the key file let whoever has them in: give each to its student only.

    Example: lab handout

    Example: lab handout ana --lang es --contact 'Marta Ruiz, room 12'

    Example: lab handout --via '{login}@lab.example.org' --format html
    """
    from lab.workflow.handout import FOLDER, FORMATS, Wanted, make_handouts
    from lab.workflow.project import select

    project = options.project_of(file)
    wanted = Wanted(
        folder=folder or file.parent / FOLDER,
        formats=FORMATS if pages is PageFormat.BOTH else (pages.value,),
        language=lang,
        via=via,
        contact=contact,
    )
    machines = select(project.machines, targets or ())
    with options.progress() as live:
        made = make_handouts(project, machines, wanted=wanted, observer=live)
    _show_handouts(made)
    if made.without:
        raise typer.Exit(NOT_ALL_WELL)


def _show_handouts(made: Handouts) -> None:
    """The pages on stdout, and all that there is to say of them beside it."""
    from lab.report.text import inert_line

    for page in made.pages:
        typer.echo(inert_line(str(page)))
    for it in made.without:
        typer.echo(f"No handout for {it.target}: {it.why}. Next: lab up {it.target}", err=True)
    if made.unfinished:
        typer.echo(
            "The steps of these are not all done, and the student may not get in yet: "
            f"lab up {' '.join(made.unfinished)}",
            err=True,
        )
    for path in made.left_over:
        typer.echo(inert_line(f"Of nobody in labs.yaml any more: {path}"), err=True)
    if made.pages:
        typer.echo(
            "Each .html and .key opens its student's machine: give it to nobody else.", err=True
        )


def halt(
    targets: options.Targets = None, file: options.File = LABS_YAML, wait: options.Wait = "0s"
) -> None:
    """Stop machines; `lab up` starts them again as they were.

    Example: lab halt
    """
    from lab.report.layout import amount
    from lab.workflow import lifecycle
    from lab.workflow.project import select

    select(options.project_of(file).machines, targets or ())
    with options.locked(file, "halt", wait), options.progress() as live:
        project = options.project_of(file)
        stopped = lifecycle.halt(project, select(project.machines, targets or ()), observer=live)
    typer.echo(
        f"Stopped {amount(len(stopped), 'machine')}." if stopped else "No machine was running.",
        err=True,
    )


def destroy(
    targets: options.Targets = None,
    orphans: Annotated[
        bool, typer.Option("--orphans", help="Those that labs.yaml no longer names, instead.")
    ] = False,
    yes: options.Yes = False,
    file: options.File = LABS_YAML,
    wait: options.Wait = "0s",
) -> None:
    """Remove machines for good, students' work and snapshots included.

    Example: lab destroy ana

    Example: lab destroy --orphans --yes
    """
    from lab.report.layout import amount
    from lab.workflow import lifecycle
    from lab.workflow.project import select
    from lab.workflow.reconcile import orphans_of

    project = options.project_of(file)
    selected = select(project.machines, targets or ())
    names = list(orphans_of(project)) if orphans else [machine.name for machine in selected]
    confirm_destroying(names, yes=yes)
    with options.locked(file, "destroy", wait), options.progress() as live:
        # Whoever held the lock may have made others since it was asked about these.
        project = options.project_of(file)
        if orphans:
            gone = lifecycle.destroy_orphans(project, names, observer=live)
        else:
            chosen = [machine for machine in project.machines if machine.name in names]
            gone = lifecycle.destroy(project, chosen, observer=live)
    typer.echo(
        f"Destroyed {amount(len(gone), 'machine')}."
        if gone
        else "There was no machine to destroy.",
        err=True,
    )
    if gone and any(project.folder.runs.glob("*.json")):
        options.tell(
            "What was verified stays in `lab history`; a machine that is made anew begins without."
        )


def register(app: typer.Typer) -> None:
    """Add these commands to `lab`."""
    for command in (status, ssh, logs, handout, halt, destroy):
        app.command()(command)
