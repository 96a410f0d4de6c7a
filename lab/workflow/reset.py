"""`lab reset`: a machine as it was when it was made, with what was on it kept as a snapshot."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from lab.classroom.results import MachineOutcome
from lab.classroom.runs import Run
from lab.machines.bakes import bake_for, is_clone_of_bake
from lab.machines.boxes.names import box_name
from lab.machines.fleet import Machine
from lab.workflow.files import write_guest_settings
from lab.workflow.identity import identities
from lab.workflow.marks import Book, Place, counting, own
from lab.workflow.observer import Observer
from lab.workflow.offline import refuse_to_download_for_reset
from lab.workflow.project import Project
from lab.workflow.put_back import Change, put_back
from lab.workflow.reconcile import find
from lab.workflow.run import UpOptions
from lab.workflow.snapshots import listed


def reset(
    project: Project,
    machines: Sequence[Machine],
    *,
    runs: Sequence[Run],
    keep_as: str | None,
    observer: Observer,
    options: UpOptions,
) -> list[MachineOutcome]:
    """Put machines back to fresh clones, boot them and run their steps.

    Each is another machine then (see `lab.workflow.identity`): it inherits no attempts. Keys, name
    and address stay.

    Args:
        project: whose machines.
        machines: which of them; one that is not there fails, and is for `lab up`.
        runs: what was verified on them.
        keep_as: the snapshot that keeps what is on them; None drops that.
        observer: told of the progress.
        options: how they are brought up.

    Returns:
        One outcome a machine, in their order.

    Raises:
        HostError: they do not fit on the host, or something would have to be downloaded offline,
            or the provider cannot; nothing has been changed.
        LabError: none of them can be booted, or the provider did not answer; see `put_back`.
        Interruption: somebody stopped it.
    """
    cannot = not_resettable(project, machines)
    found = find(project, machines, project.provider.guests(project.prefix))
    write_guest_settings(project, offline=options.offline)
    slow = [
        it
        for it in machines
        if it.container not in cannot
        and not found[it.name].to_be_made
        and _runs_class_steps(project, it)
    ]
    if options.offline:
        refuse_to_download_for_reset(
            project, [found[it.name] for it in machines], {it.name for it in slow}, options=options
        )
    if slow:
        names = ", ".join(it.target for it in slow)
        observer.note(
            f"not clones of the class's bake, so that their class steps run again: {names}"
        )
    change = Change(
        name="resetting",
        again="lab reset" if keep_as else "lab reset --discard",
        goes_on="lab up",
        saves=keep_as is not None,
        do=lambda guest: project.provider.renew(guest, keep_as=keep_as),
        cannot=cannot,
        warn=lambda them: _warn_of_attempts(
            logins_with_attempts(project, them, runs), keep_as, observer
        ),
    )
    return put_back(project, machines, change, observer=observer, options=options)


def not_resettable(project: Project, machines: Sequence[Machine]) -> dict[str, str]:
    """Why the provider cannot make machines fresh, by its names for those with which it cannot.

    Raises:
        HostError: it cannot with any machine.
        ProcessError: it did not answer.
    """
    project.provider.require_snapshots()
    found = find(project, machines, project.provider.guests(project.prefix))
    there = [it for it in machines if not (found[it.name].to_be_made or found[it.name].foreign)]
    return dict(project.provider.not_renewable([it.container for it in there]))


def logins_with_attempts(
    project: Project, machines: Sequence[Machine], runs: Sequence[Run]
) -> list[str]:
    """Whose machines have been verified: their attempts would count no more, as `LAB/LOGIN`.

    Raises:
        ProcessError: the provider did not answer.
    """
    book = Book(runs)
    now = identities(project, machines)
    return [
        it.target
        for it in machines
        if now[it.name]
        and counting(own(Place(lab=it.lab, student=it.student), book), identity_now=now[it.name])
    ]


def _warn_of_attempts(losing: Sequence[str], keep_as: str | None, observer: Observer) -> None:
    """Say whose attempts will count no more, and how they can."""
    if not losing:
        return
    observer.note(
        f"a machine that was reset is another one. What was verified of {listed(losing)} stays in "
        "`lab history`, and makes no mark from now on but with `lab grades --at MOMENT`"
        + (
            f", or when it is put back: lab snapshot restore {keep_as} {' '.join(losing)}"
            if keep_as
            else ""
        )
        + "."
    )


def _runs_class_steps(project: Project, machine: Machine) -> bool:
    """Whether a fresh clone has class steps before it: of a box without them, or an old bake."""
    plain = replace(machine, box=box_name(machine.lab.box))
    could = bake_for(plain, project.folder) is not None
    return could and not is_clone_of_bake(machine, project.folder)
