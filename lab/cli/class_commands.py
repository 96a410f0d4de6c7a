"""Commands that make a class: from an empty folder to thirty machines."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lab.cli import options
from lab.cli.options import (
    DEFAULT_STEP_JOBS,
    LABS_YAML,
    Format,
    Targets,
    confirm_destroying,
    seconds,
)
from lab.cli.outcomes import end_with
from lab.errors import UsageError

if TYPE_CHECKING:
    from lab.classroom.classes import Classroom
    from lab.workflow.project import Project
    from lab.workflow.run import UpOptions

Recreate = Annotated[
    bool,
    typer.Option(
        "--recreate",
        help="Destroy and make anew the machines that have drifted; what is on them is lost.",
    ),
]
Overcommit = Annotated[
    bool,
    typer.Option(
        "--overcommit",
        envvar="LAB_OVERCOMMIT",
        help="Start machines although together they may use more memory than there is.",
    ),
]


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
    from lab.system.files import LabFolder
    from lab.workflow.holders import all_holders

    classroom = load_classroom(file, holders=all_holders(LabFolder(file.absolute().parent)))
    _warn_of(classroom)
    for note in classroom.notes:
        options.tell(f"note: {note}")
    for lab in classroom.labs:
        guide = load_guide(lab.guide, project=classroom.folder)
        typer.echo(
            f"{lab.name}: {len(lab.students)} students, "
            f"guide {guide.name} ({len(guide.steps)} steps), box {lab.box}"
        )


def plan(
    targets: Targets = None,
    file: options.File = LABS_YAML,
    jobs: options.Jobs = DEFAULT_STEP_JOBS,
    offline: Annotated[
        bool,
        typer.Option(
            "--offline",
            envvar="LAB_OFFLINE",
            help="Show too what lab up --offline would refuse for: all that it would download.",
        ),
    ] = False,
    output: options.Output = Format.TABLE,
) -> None:
    """Show how each machine stands and what `lab up` would do; changes nothing.

    Labels: ok, missing, stopped, half-made (its making or a step did not end well), drifted (other
    box, steps or variables than now, or changed by somebody), orphan (its student has left the
    roster), foreign (not lab's: never touched).

    Example: lab plan

    Example: lab plan hellopython/ana --format json

    Example: lab plan --offline
    """
    from lab.workflow.run import UpOptions

    _show_plan(targets, file, UpOptions(jobs=jobs, offline=offline), output=output)


def up(
    targets: Targets = None,
    file: options.File = LABS_YAML,
    jobs: options.Jobs = DEFAULT_STEP_JOBS,
    provision: Annotated[bool, typer.Option(help="Run the guide's steps too.")] = True,
    bake: Annotated[
        bool, typer.Option(help="Do the steps that all share once, for two machines or more.")
    ] = True,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only show what would be done, as lab plan does.")
    ] = False,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="Only machines that failed or were cut off.")
    ] = False,
    recreate: Recreate = False,
    fit: Annotated[
        bool, typer.Option("--fit", help="Where not all machines fit, start those that do.")
    ] = False,
    overcommit: Overcommit = False,
    offline: options.Offline = False,
    boot_timeout: Annotated[
        str | None,
        typer.Option(
            envvar="LAB_BOOT_TIMEOUT",
            help="How long a machine may take to boot; by default 5m, and longer where machines "
            "are emulated.",
        ),
    ] = None,
    yes: options.Yes = False,
    output: options.Output = Format.TABLE,
    wait: options.Wait = "0s",
) -> None:
    """Bring the machines up: box, boot, and the steps not yet done.

    The steps that are the same for every student are done once, and the machines are clones of the
    result. What is done already is left alone, so the same command goes on after a failure.

    Example: lab up

    Example: lab up ana hellopython/luis

    Example: lab up --retry-failed
    """
    from lab.workflow.run import UpOptions

    wanted = UpOptions(
        jobs=jobs,
        provision=provision,
        bake=bake,
        fit=fit,
        overcommit=overcommit,
        offline=offline,
        boot_timeout_s=seconds(boot_timeout) if boot_timeout else None,
    )
    if dry_run:
        _show_plan(
            targets, file, wanted, output=output, recreate=recreate, retry_failed=retry_failed
        )
        return
    doomed = _confirm_recreating(targets, file, jobs=jobs, yes=yes) if recreate else ()
    _bring_up(
        targets,
        file,
        wanted,
        operation="up",
        output=output,
        wait=wait,
        doomed=doomed,
        retry_failed=retry_failed,
    )


def provision(
    targets: Targets = None,
    file: options.File = LABS_YAML,
    jobs: options.Jobs = DEFAULT_STEP_JOBS,
    step: Annotated[
        list[str] | None, typer.Option(help="Only this step; may be given several times.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Run steps that are done again.")] = False,
    offline: options.Offline = False,
    output: options.Output = Format.TABLE,
    wait: options.Wait = "0s",
) -> None:
    """Run the guide's steps on machines that are up.

    Example: lab provision ana --step vhost --force
    """
    from lab.workflow.run import UpOptions

    wanted = UpOptions(jobs=jobs, boot=False, force=force, only=tuple(step or ()), offline=offline)
    _bring_up(targets, file, wanted, operation="provision", output=output, wait=wait)


def bake(
    targets: Targets = None,
    file: options.File = LABS_YAML,
    offline: options.Offline = False,
    wait: options.Wait = "0s",
) -> None:
    """Do the steps that all students share, ahead of `lab up`.

    The machines are then clones of the result; `lab up` does it by itself for two machines or more.

    Example: lab bake
    """
    from lab.workflow.bake import bake_ahead
    from lab.workflow.offline import refuse_to_download_for_bakes
    from lab.workflow.project import select

    select(options.project_of(file).machines, targets or ())
    with options.locked(file, "bake", wait), options.progress() as live:
        project = options.project_of(file, for_boot=True)
        machines = select(project.machines, targets or ())
        if offline:
            refuse_to_download_for_bakes(project, machines)
        boxes = bake_ahead(project, machines, observer=live, offline=offline)
    for box in boxes:
        typer.echo(f"{box} is ready.", err=True)


def _tell_of(project: Project) -> None:
    """Say what is to be known before anything is done to the machines."""
    if project.moved_from:
        options.tell(f"This class was moved here from {project.moved_from}.")
    _warn_of(project.classroom)


def _warn_of(classroom: Classroom) -> None:
    for warning in classroom.warnings:
        options.tell(f"warning: {warning}")


def _show_plan(
    targets: list[str] | None,
    file: Path,
    wanted: UpOptions,
    *,
    output: Format,
    recreate: bool = False,
    retry_failed: bool = False,
) -> None:
    from lab.classroom.results import Label
    from lab.workflow.offline import downloads_foreseen, refusal
    from lab.workflow.plan import rows_of, survey
    from lab.workflow.project import select
    from lab.workflow.provider_choice import refuse_other_machines
    from lab.workflow.up import refusal_for, room_for, unfinished

    project = options.project_of(file)
    refuse_other_machines(project.classroom, project.folder)
    machines = select(project.machines, targets or ())
    with options.progress() as live:
        if retry_failed:
            machines = unfinished(project, machines, observer=live, jobs=wanted.jobs)
        strangers = not targets and not retry_failed
        seen = survey(project, machines, observer=live, jobs=wanted.jobs, strangers=strangers)
        rows = rows_of(project, seen, strangers=strangers, recreate=recreate)
        room = room_for(project, machines, recreate=recreate, overcommit=wanted.overcommit)
        anew = {row.machine for row in rows if recreate and row.label is Label.DRIFTED}
        cannot = refusal_for(project, seen, doomed=anew)
        downloads = None
        if wanted.offline:
            downloads = downloads_foreseen(project, seen, doomed=anew, options=wanted)
    if output is Format.JSON:
        from lab.report.admission import fits_json
        from lab.report.plan_json import plan_json

        typer.echo(plan_json(rows, fits=fits_json(room), downloads=downloads))
    else:
        from lab.report.admission import fits_lines
        from lab.report.plan_table import plan_table

        plan_table(
            rows,
            fits=fits_lines(room),
            refusal=refusal(downloads) if downloads else None,
            command="lab up --offline" if wanted.offline else "lab up",
            console=options.stdout_console(),
        )
    if cannot is not None:
        options.complain(cannot)


def _bring_up(
    targets: list[str] | None,
    file: Path,
    wanted: UpOptions,
    *,
    operation: str,
    output: Format,
    wait: str,
    doomed: Collection[str] = (),
    retry_failed: bool = False,
) -> None:
    from lab.workflow.project import select
    from lab.workflow.run import Interruption
    from lab.workflow.up import bring_up, check_steps, drifted, unfinished

    # Before anything is made or waited for: a wrong labs.yaml or target changes nothing.
    machines = select(options.project_of(file).machines, targets or ())
    check_steps(machines, wanted.only)
    with options.locked(file, operation, wait), options.progress() as live:
        project = options.project_of(file, for_boot=True)
        _tell_of(project)
        machines = select(project.machines, targets or ())
        if retry_failed:
            machines = unfinished(project, machines, observer=live, jobs=wanted.jobs)
        if doomed:
            # Whoever held the lock may have mended one since it was asked about.
            drift = drifted(project, machines, observer=live, jobs=wanted.jobs)
            doomed = [machine.name for machine in drift if machine.name in doomed]
        try:
            outcomes = bring_up(project, machines, observer=live, options=wanted, doomed=doomed)
        except Interruption as stop:
            outcomes, interrupted = list(stop.outcomes.values()), True
        else:
            interrupted = False
    if retry_failed and not machines:
        typer.echo("No machine failed the last time.", err=True)
        if output is Format.TABLE:
            return
    end_with(outcomes, output, interrupted=interrupted)


def _confirm_recreating(
    targets: list[str] | None, file: Path, *, jobs: int, yes: bool
) -> list[str]:
    """The names of the machines that are to be made anew."""
    from lab.workflow.project import select
    from lab.workflow.up import drifted

    project = options.project_of(file)
    machines = select(project.machines, targets or ())
    with options.progress() as live:
        gone = drifted(project, machines, observer=live, jobs=jobs)
    names = [machine.name for machine in gone]
    confirm_destroying(names, yes=yes)
    return names


def register(app: typer.Typer) -> None:
    """Add these commands to `lab`."""
    for command in (init, validate, plan, up, provision, bake):
        app.command()(command)
