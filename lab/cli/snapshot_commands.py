"""Commands that keep machines as they are, and put them back: to a snapshot, or to fresh."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lab.cli import options
from lab.cli.options import DEFAULT_STEP_JOBS, LABS_YAML, Format
from lab.cli.outcomes import end_with
from lab.errors import LabError

if TYPE_CHECKING:
    from lab.classroom.results import MachineOutcome
    from lab.machines.fleet import Machine
    from lab.workflow.project import Project

snapshot_app = typer.Typer(
    no_args_is_help=True, help="Machines as they once were, and putting them back to that."
)
Name = Annotated[str, typer.Argument(help="What the snapshot is called, such as before-exam.")]
Discard = Annotated[
    bool, typer.Option("--discard", help="Do not keep what is on the machines now as a snapshot.")
]
_LOSS = "without keeping what is on them now"
_KEPT = "keeping what is on them now as snapshots"


@snapshot_app.command("save")
def save(
    name: Name,
    targets: options.Targets = None,
    force: Annotated[
        bool, typer.Option("--force", help="Replace snapshots of that name that there are.")
    ] = False,
    file: options.File = LABS_YAML,
    jobs: options.Jobs = DEFAULT_STEP_JOBS,
    wait: options.Wait = "0s",
) -> None:
    """Keep machines as they are now.

    A machine that runs stands still for a moment, while its disk is copied, and goes on. Memory is
    not kept: what is restored has booted anew.

    Example: lab snapshot save before-exam

    Example: lab snapshot save before-exam ana hellopython/luis
    """
    from lab.report.layout import amount
    from lab.workflow import snapshots
    from lab.workflow.project import select

    snapshots.check_name(name)
    project = options.project_of(file)
    select(project.machines, targets or ())
    if not targets:
        snapshots.refuse_target_as_name(project.machines, name)
    with options.locked(file, "snapshot save", wait), options.progress() as live:
        project = options.project_of(file)
        machines = select(project.machines, targets or ())
        saved = snapshots.save(project, machines, name, force=force, observer=live, jobs=jobs)
    options.tell(f"Saved {amount(saved, 'machine')} as {name}.")


@snapshot_app.command("list")
def list_snapshots(
    targets: options.Targets = None,
    file: options.File = LABS_YAML,
    output: options.Output = Format.TABLE,
) -> None:
    """List the snapshots of machines, with the room that they take.

    Example: lab snapshot list

    Example: lab snapshot list ana --format json
    """
    from lab.workflow.project import select
    from lab.workflow.snapshots import list_snapshots as find_snapshots

    project = options.project_of(file)
    rows = find_snapshots(project, select(project.machines, targets or ()))
    if output is Format.JSON:
        from lab.report.snapshots_json import snapshots_json

        typer.echo(snapshots_json(rows))
    else:
        from lab.report.snapshots_table import snapshots_table

        snapshots_table(rows, console=options.stdout_console())


@snapshot_app.command("restore")
def restore(
    name: Name,
    targets: options.Targets = None,
    discard: Discard = False,
    yes: options.Yes = False,
    file: options.File = LABS_YAML,
    jobs: options.Jobs = DEFAULT_STEP_JOBS,
    output: options.Output = Format.TABLE,
    wait: options.Wait = "0s",
) -> None:
    """Put machines back to a snapshot, boot them, and wait until their services run.

    What is on them now is kept as the snapshot before-restore-DATE-TIME, unless --discard is given.
    More than one machine is asked for. No step is run.

    Example: lab snapshot restore before-exam --yes

    Example: lab snapshot restore before-exam ana --discard --yes
    """
    from lab.cli.marking import runs_in
    from lab.workflow import restore as workflow
    from lab.workflow import snapshots
    from lab.workflow.project import select
    from lab.workflow.run import UpOptions

    snapshots.check_name(name)
    project = options.project_of(file)
    machines = select(project.machines, targets or ())
    doomed = snapshots.matching(project, machines, name)
    asked = list(doomed) if discard or len(doomed) > 1 else []
    options.confirm("restore", asked, loss=_LOSS if discard else _KEPT, yes=yes)
    keep_as = None if discard else snapshots.name_before("restore", datetime.now())

    def work(project: Project, machines: tuple[Machine, ...]) -> list[MachineOutcome]:
        with options.progress() as live:
            return workflow.restore(
                project,
                machines,
                name,
                runs=runs_in(project.folder),
                keep_as=keep_as,
                observer=live,
                options=UpOptions(jobs=jobs),
            )

    _put_back(
        file,
        targets,
        work,
        operation="snapshot restore",
        keep_as=keep_as,
        wait=wait,
        output=output,
    )


@snapshot_app.command("delete")
def delete(
    name: Annotated[
        str, typer.Argument(help="Which snapshots: a name, or a pattern such as 'before-reset-*'.")
    ],
    targets: options.Targets = None,
    yes: options.Yes = False,
    file: options.File = LABS_YAML,
    jobs: options.Jobs = DEFAULT_STEP_JOBS,
    wait: options.Wait = "0s",
) -> None:
    """Remove snapshots for good; the machines are left as they are.

    Example: lab snapshot delete before-exam

    Example: lab snapshot delete 'before-reset-*' ana --yes
    """
    from lab.report.layout import amount
    from lab.workflow import snapshots
    from lab.workflow.project import select

    project = options.project_of(file)
    machines = select(project.machines, targets or ())
    doomed = snapshots.matching(project, machines, name)
    rows = [
        row
        for row in snapshots.list_snapshots(project, machines)
        if row.name in doomed.get(row.machine, ())
    ]
    having = Counter(row.name for row in rows)
    shown = [f"{it} of {amount(count, 'machine')}" for it, count in having.items()]
    total_mb = sum(row.size_mb for row in rows)
    options.confirm("delete", shown, loss=f"{total_mb} MB in all, for good", yes=yes)
    with options.locked(file, "snapshot delete", wait), options.progress() as live:
        project = options.project_of(file)
        machines = select(project.machines, targets or ())
        gone = snapshots.delete(project, machines, name, observer=live, jobs=jobs)
    options.tell(f"Removed {amount(len(gone), 'snapshot')}: {', '.join(dict.fromkeys(gone))}.")


def reset(
    targets: Annotated[
        list[str],
        typer.Argument(
            metavar="TARGET",
            help="LOGIN, LAB/LOGIN, LAB or a pattern such as 'a*'; one at least.",
        ),
    ],
    discard: Discard = False,
    yes: options.Yes = False,
    file: options.File = LABS_YAML,
    jobs: options.Jobs = DEFAULT_STEP_JOBS,
    offline: options.Offline = False,
    output: options.Output = Format.TABLE,
    wait: options.Wait = "0s",
) -> None:
    """Put a machine back to fresh: a new clone with the steps done, as after lab up.

    What is on it now is kept as the snapshot before-reset-DATE-TIME, unless --discard is given. It
    is another machine then, which what was verified before does not count for.

    Example: lab reset ana

    Example: lab reset hellopython --discard --yes
    """
    from lab.cli.marking import runs_in
    from lab.workflow import reset as workflow
    from lab.workflow.project import select
    from lab.workflow.run import UpOptions
    from lab.workflow.snapshots import name_before

    project = options.project_of(file)
    machines = select(project.machines, targets)
    cannot = workflow.not_resettable(project, machines)
    able = [it.name for it in machines if it.container not in cannot]
    asked = able if discard or len(machines) > 1 else []
    options.confirm("reset", asked, loss=_LOSS if discard else _KEPT, yes=yes)
    keep_as = None if discard else name_before("reset", datetime.now())

    def work(project: Project, machines: tuple[Machine, ...]) -> list[MachineOutcome]:
        with options.progress() as live:
            return workflow.reset(
                project,
                machines,
                runs=runs_in(project.folder),
                keep_as=keep_as,
                observer=live,
                options=UpOptions(jobs=jobs, offline=offline),
            )

    _put_back(file, targets, work, operation="reset", keep_as=keep_as, wait=wait, output=output)


def _put_back(
    file: Path,
    targets: list[str] | None,
    work: Callable[[Project, tuple[Machine, ...]], list[MachineOutcome]],
    *,
    operation: str,
    keep_as: str | None,
    wait: str,
    output: Format,
) -> None:
    """Do it under the lock, say how to undo it, and end as `lab up` does."""
    from lab.workflow.project import select
    from lab.workflow.run import Interruption

    interrupted, kept_of = False, None
    try:
        with options.locked(file, operation, wait):
            project = options.project_of(file, for_boot=True)
            try:
                outcomes = work(project, select(project.machines, targets or ()))
            except Interruption as stop:
                outcomes, interrupted = list(stop.outcomes.values()), True
            finally:
                # Whatever ended it: disks may have been changed before.
                kept_of = _who_has(project, keep_as) if keep_as is not None else None
        end_with(outcomes, output, interrupted=interrupted)
    finally:
        if kept_of:
            whose = kept_of[0] if len(kept_of) == 1 else "they"
            everybody = len(kept_of) == len(project.machines)
            words = ["lab", "snapshot", "restore", str(keep_as), *([] if everybody else kept_of)]
            options.tell(f"What {whose} had: {shlex.join(words)}")


def _who_has(project: Project, name: str) -> list[str]:
    """The targets that name those who have a snapshot."""
    from lab.system import process
    from lab.workflow.snapshots import list_snapshots as find_snapshots

    several = len({it.lab.name for it in project.machines}) > 1
    # Also after an interruption; where nothing answers, it is said already what hinders.
    with process.cleaning_up(), suppress(LabError):
        return [
            f"{it.lab}/{it.login}" if several else it.login
            for it in find_snapshots(project, project.machines)
            if it.name == name
        ]
    return []


def register(app: typer.Typer) -> None:
    """Add these commands to `lab`."""
    app.command()(reset)
    app.add_typer(snapshot_app, name="snapshot")
