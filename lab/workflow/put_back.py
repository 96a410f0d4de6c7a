"""Gives machines another disk and boots them again; each on its own, and no failure is another's.

Whatever cuts it off: a machine has one of the two disks, and `lab up` goes on with it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from lab.classroom.results import MachineOutcome
from lab.errors import LabError
from lab.machines.fleet import Machine
from lab.machines.providers.base import Guest
from lab.machines.services import note_what_is_down
from lab.system import parallel, process
from lab.workflow.connect import write_ssh_config
from lab.workflow.observer import Observer
from lab.workflow.prepare import refusals
from lab.workflow.project import Project
from lab.workflow.reconcile import find
from lab.workflow.records import Stage, read_record, write_record
from lab.workflow.run import Interruption, UpOptions
from lab.workflow.up import bring_up, room_for

INTERRUPTED = "it was interrupted"
_Tell = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class Change:
    """What happens to a machine's disk while the machine is stopped.

    Attributes:
        name: what is done, in a word: `resetting`.
        again: the command that does it, to which a target is added.
        saves: whether what was there is kept.
        do: does it to a guest.
    """

    name: str
    again: str
    saves: bool
    do: Callable[[str], None]


def put_back(
    project: Project,
    machines: Sequence[Machine],
    change: Change,
    *,
    observer: Observer,
    options: UpOptions,
) -> list[MachineOutcome]:
    """Stop machines, change their disks, and bring them up again.

    Those that do not exist, or that lab leaves as they are, are left to `bring_up`.

    Returns:
        One outcome a machine, in their order.

    Raises:
        HostError: they do not fit on the host; nothing has been changed.
        LabError: Vagrant cannot be used at all.
        Interruption: somebody stopped it.
    """
    room = room_for(project, machines, overcommit=True)
    if room.fit < room.of:
        raise room.refusal()
    guests = project.provider.guests(project.prefix)
    found = find(project, machines, guests)
    refused = refusals(found)
    there = [it for it in machines if it.name not in refused and not found[it.name].to_be_made]
    write_ssh_config(project, guests)
    began = time.monotonic()
    outcomes = _change_disks(project, there, guests, change, observer=observer, jobs=options.jobs)
    going = [machine for machine in machines if machine.name not in outcomes]
    seconds = round(time.monotonic() - began, 1)
    interrupted = any(outcome.message == INTERRUPTED for outcome in outcomes.values())
    if interrupted:
        outcomes |= {it.name: _not_done(project, it, INTERRUPTED, "lab up") for it in going}
    elif going:
        # They ran before, or it has been seen that they fit.
        options = replace(options, overcommit=True)
        try:
            brought_up = bring_up(project, going, observer=observer, options=options)
        except Interruption as stop:
            brought_up, interrupted = list(stop.outcomes.values()), True
        outcomes |= {
            it.machine: replace(it, seconds=round(it.seconds + seconds, 1)) for it in brought_up
        }
    if interrupted:
        raise Interruption({it.name: outcomes[it.name] for it in machines})
    return [outcomes[machine.name] for machine in machines]


def _change_disks(
    project: Project,
    machines: Sequence[Machine],
    guests: Mapping[str, Guest],
    change: Change,
    *,
    observer: Observer,
    jobs: int,
) -> dict[str, MachineOutcome]:
    """What became of the machines whose disks could not be changed, by name."""

    def work(machine: Machine, tell: _Tell) -> None:
        _change_disk(project, machine, guests[machine.container].state, change, tell)

    failed = side_by_side(machines, work, what=change.name, observer=observer, jobs=jobs)
    return {
        it.name: _not_done(project, it, failed[it.name], change.again)
        for it in machines
        if it.name in failed
    }


def _change_disk(
    project: Project, machine: Machine, state: str, change: Change, tell: _Tell
) -> None:
    if state == "running" and change.saves:
        # One that cannot be asked is saved as it is.
        with suppress(LabError):
            note_what_is_down(machine, project.folder)
    if state != "stopped":
        tell("stopping")
        project.provider.halt(machine.container)
    # What it has done then is asked of it when it runs again.
    record = read_record(project.folder, machine.name)
    if record is not None:
        write_record(
            project.folder,
            replace(record, stage=Stage.BOOTED, failed_step="", steps={}, variables={}),
        )
    tell(change.name)
    change.do(machine.container)


def side_by_side(
    machines: Sequence[Machine],
    work: Callable[[Machine, _Tell], None],
    *,
    what: str,
    observer: Observer,
    jobs: int,
) -> dict[str, str]:
    """Do something to many machines at a time.

    An interruption ends it; those that it cut off have `INTERRUPTED` as their reason.

    Args:
        machines: which.
        work: does it to one machine, in a thread, and tells how far it is.
        what: what is done, in words.
        observer: told of each.
        jobs: how many at a time.

    Returns:
        Why it failed, by the names of the machines with which it did.
    """
    failed: dict[str, str] = {}

    def done(machine: Machine, result: parallel.Done[None]) -> None:
        if result.error is not None:
            failed[machine.name] = _why(result.error)
        observer.done(
            machine.name,
            ok=result.error is None,
            summary=failed[machine.name].splitlines()[0] if result.error else "done",
        )

    if not machines:
        return failed
    observer.started(len(machines), what)
    try:
        parallel.run_all(
            machines,
            work,
            workers=jobs,
            on_news=lambda machine, text: observer.machine(machine.name, text),
            on_done=done,
        )
    except parallel.Stopped as stop:
        for machine, result in zip(machines, stop.results, strict=True):
            if result.error is not None:
                failed[machine.name] = _why(result.error)
    finally:
        observer.finished()
    return failed


def _why(error: Exception) -> str:
    if isinstance(error, process.Interrupted):
        return INTERRUPTED
    if isinstance(error, LabError):
        return error.in_words()
    # Even a bug of lab's own, met on one machine, does not stop the others.
    return f"lab met a bug of its own: {error!r}"


def _not_done(project: Project, machine: Machine, why: str, command: str) -> MachineOutcome:
    lines = why.splitlines()
    return MachineOutcome(
        machine=machine.name,
        lab=machine.lab.name,
        login=machine.student.login,
        ok=False,
        changed=False,
        message=lines[0],
        tail=tuple(lines[1:]),
        log=str(project.folder.log_of(machine.name)),
        retry=f"{command} {machine.lab.name}/{machine.student.login}",
    )
