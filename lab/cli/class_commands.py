"""Commands for running a class: from an empty folder to thirty machines, and back."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lab.cli import options
from lab.cli.options import DEFAULT_STEP_JOBS, LABS_YAML, Format
from lab.errors import NOT_ALL_WELL, UsageError

if TYPE_CHECKING:
    from lab.workflow.up import UpOptions


def init(
    folder: Annotated[
        Path, typer.Argument(help="Where to write labs.yaml; made if missing.")
    ] = Path(),
    box: Annotated[
        str, typer.Option(help="The box of the class: a profile of lab's, or one of your own.")
    ] = "ubuntu-18.04",
) -> None:
    """Write a labs.yaml for a sample class of three, to edit.

    Example: lab init my-class --box debian-12
    """
    from lab.classroom.shipped import sample_labs_yaml, shipped
    from lab.system.files import write_atomically

    path = folder / "labs.yaml"
    if path.exists():
        raise UsageError(
            f"{path} is there already",
            hint="Edit it; or write another one: lab init another-class",
        )
    write_atomically(path, sample_labs_yaml(box=box))
    # What labs.yaml's first line tells editors to look at.
    schema = shipped("labs.schema.json").read_text(encoding="utf-8")
    write_atomically(folder / "labs.schema.json", schema)
    where = f"cd {folder} && " if folder != Path() else ""
    typer.echo(
        f"Wrote {path}. Put your students into it, then: {where}lab validate && lab up", err=True
    )


def validate(file: options.File = LABS_YAML) -> None:
    """Check labs.yaml, roster and guide; every problem at once.

    Example: lab validate
    """
    from lab.classroom.config import load_classroom
    from lab.classroom.guide import load_guide

    classroom = load_classroom(file)
    for lab in classroom.labs:
        guide = load_guide(lab.guide, project=classroom.folder)
        typer.echo(
            f"{lab.name}: {len(lab.students)} students, "
            f"guide {guide.name} ({len(guide.steps)} steps), box {lab.box}"
        )


def up(
    targets: options.Targets = None,
    file: options.File = LABS_YAML,
    jobs: options.Jobs = DEFAULT_STEP_JOBS,
    provision: Annotated[bool, typer.Option(help="Run the guide's steps too.")] = True,
    bake: Annotated[
        bool, typer.Option(help="Do the steps that all share once, for two machines or more.")
    ] = True,
    output: options.Output = Format.TABLE,
    wait: options.Wait = "0s",
) -> None:
    """Bring the machines up: box, boot, and the steps not yet done.

    The steps that are the same for every student are done once, and the machines are clones of the
    result. What is done already is left alone, so the same command goes on after a failure.

    Example: lab up

    Example: lab up ana hellopython/luis
    """
    from lab.workflow.up import UpOptions

    _bring_up(
        targets,
        file,
        UpOptions(jobs=jobs, provision=provision, bake=bake),
        operation="up",
        output=output,
        wait=wait,
    )


def provision(
    targets: options.Targets = None,
    file: options.File = LABS_YAML,
    jobs: options.Jobs = DEFAULT_STEP_JOBS,
    step: Annotated[
        list[str] | None, typer.Option(help="Only this step; may be given several times.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Run steps that are done again.")] = False,
    output: options.Output = Format.TABLE,
    wait: options.Wait = "0s",
) -> None:
    """Run the guide's steps on machines that are up.

    Example: lab provision ana --step vhost --force
    """
    from lab.workflow.up import UpOptions

    wanted = UpOptions(jobs=jobs, boot=False, force=force, only=tuple(step or ()))
    _bring_up(targets, file, wanted, operation="provision", output=output, wait=wait)


def bake(
    targets: options.Targets = None,
    file: options.File = LABS_YAML,
    wait: options.Wait = "0s",
) -> None:
    """Do the steps that all students share, ahead of `lab up`.

    The machines are then clones of the result; `lab up` does it by itself for two machines or more.

    Example: lab bake
    """
    from lab.workflow.bake import bake_ahead
    from lab.workflow.project import select

    select(options.project_of(file).machines, targets or ())
    with options.locked(file, "bake", wait), options.progress() as live:
        project = options.project_of(file, for_boot=True)
        boxes = bake_ahead(project, select(project.machines, targets or ()), observer=live)
    for box in boxes:
        typer.echo(f"{box} is ready.", err=True)


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
    from lab.workflow.connect import ssh_command

    argv = ssh_command(
        options.project_of(file), target, tuple(command or ()), admin=admin, tty=sys.stdin.isatty()
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


def halt(
    targets: options.Targets = None, file: options.File = LABS_YAML, wait: options.Wait = "0s"
) -> None:
    """Stop machines; `lab up` starts them again as they were.

    Example: lab halt
    """
    from lab.workflow import lifecycle
    from lab.workflow.project import select

    select(options.project_of(file).machines, targets or ())
    with options.locked(file, "halt", wait), options.progress() as live:
        project = options.project_of(file)
        stopped = lifecycle.halt(project, select(project.machines, targets or ()), observer=live)
    typer.echo(
        f"Stopped {len(stopped)} machines." if stopped else "No machine was running.", err=True
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
    """Remove machines for good, students' work included.

    Example: lab destroy ana

    Example: lab destroy --orphans --yes
    """
    from lab.workflow import lifecycle
    from lab.workflow.project import select
    from lab.workflow.status import orphans_of

    project = options.project_of(file)
    chosen = select(project.machines, targets or ())
    names = list(orphans_of(project)) if orphans else [machine.name for machine in chosen]
    _confirm(names, yes=yes)
    with options.locked(file, "destroy", wait), options.progress() as live:
        project = options.project_of(file)
        if orphans:
            gone = lifecycle.destroy_orphans(project, observer=live)
        else:
            chosen = select(project.machines, targets or ())
            gone = lifecycle.destroy(project, chosen, observer=live)
    typer.echo(
        f"Destroyed {len(gone)} machines." if gone else "There was no machine to destroy.", err=True
    )


def _bring_up(
    targets: list[str] | None,
    file: Path,
    wanted: UpOptions,
    *,
    operation: str,
    output: Format,
    wait: str,
) -> None:
    from lab.workflow.project import select
    from lab.workflow.up import bring_up, check_steps

    # Before anything is made or waited for: a wrong labs.yaml or target changes nothing.
    machines = select(options.project_of(file).machines, targets or ())
    check_steps(machines, wanted.only)
    with options.locked(file, operation, wait), options.progress() as live:
        project = options.project_of(file, for_boot=True)
        machines = select(project.machines, targets or ())
        outcomes = bring_up(project, machines, observer=live, options=wanted)
    if output is Format.JSON:
        from lab.report.up_json import up_json

        typer.echo(up_json(outcomes))
    else:
        from lab.report.up_summary import up_summary

        up_summary(outcomes, console=options.stdout_console())
    if not all(outcome.ok for outcome in outcomes):
        raise typer.Exit(NOT_ALL_WELL)


def _confirm(names: list[str], *, yes: bool) -> None:
    if yes or not names:
        return
    shown = ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
    if not sys.stdin.isatty():
        raise UsageError(
            f"This would destroy {shown}, and there is nobody here to ask",
            hint="Say so beforehand: add --yes",
        )
    typer.confirm(f"Destroy {shown}, with all that is on them?", abort=True, err=True)


def register(app: typer.Typer) -> None:
    """Add these commands to `lab`."""
    for command in (init, validate, up, provision, bake, status, ssh, logs, halt, destroy):
        app.command()(command)
