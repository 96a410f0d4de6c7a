"""Gives machines another disk and boots them again; each on its own, and no failure is another's.

Whatever cuts it off: a machine has one of the two disks, and the change says how to go on with it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from copy import copy
from dataclasses import dataclass, field, replace

from lab.classroom.results import MachineOutcome
from lab.errors import LabError, MachineError
from lab.machines.fleet import Machine
from lab.machines.providers.base import Guest
from lab.machines.services import note_what_is_down
from lab.system import parallel, process
from lab.workflow.connect import write_ssh_config
from lab.workflow.observer import Observer
from lab.workflow.prepare import refusals, require_for_boot
from lab.workflow.project import Project
from lab.workflow.reconcile import Found, find
from lab.workflow.records import Stage, read_record, write_record
from lab.workflow.run import Interruption, UpOptions
from lab.workflow.up import bring_up, room_for

INTERRUPTED = "it was interrupted"
_MAY_BE_STOPPED = "It may be off now: lab status says so, and lab up --no-provision starts it."
_Tell = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class Change:
    """What happens to a machine's disk while the machine is stopped.

    Attributes:
        name: what is done, in a word: `resetting`.
        again: the command that does it, to which a target is added.
        goes_on: the command that goes on with a machine whose disk is changed, in the same way.
        saves: whether what was there is kept.
        do: does it to a guest.
        cannot: why it cannot be done to guests, by the provider's name for them.
        warn: is told of the machines to which it is about to be done.
    """

    name: str
    again: str
    goes_on: str
    saves: bool
    do: Callable[[str], None]
    cannot: Mapping[str, str] = field(default_factory=dict)
    warn: Callable[[Sequence[Machine]], None] = lambda _machines: None


def put_back(
    project: Project,
    machines: Sequence[Machine],
    change: Change,
    *,
    observer: Observer,
    options: UpOptions,
) -> list[MachineOutcome]:
    """Stop machines, change their disks, and bring them up again.

    Those that do not exist, or to which it cannot be done, fail and are left as they are. What ran
    and could not be changed runs again in the end, where it can be booted.

    Returns:
        One outcome a machine, in their order.

    Raises:
        HostError: they do not fit on the host, or cannot be there as labs.yaml wants them; nothing
            has been changed.
        LabError: the provider does not answer, and nothing has been changed; or none of them can be
            booted, all have their other disks, and the hint ends with the command that goes on.
        Interruption: somebody stopped it.
    """
    guests = project.provider.guests(project.prefix)
    found = find(project, machines, guests)
    outcomes = _left_alone(project, found, change.cannot)
    room = room_for(project, _without(machines, outcomes), overcommit=True)
    if room.fit < room.of:
        raise room.refusal()
    there = _without(machines, outcomes)
    # All of them boot again, those that run too.
    require_for_boot(project, there, guests, doomed=[it.name for it in there])
    write_ssh_config(project, guests)
    change.warn(there)
    began = time.monotonic()
    failed = _change_disks(project, there, guests, change, observer=observer, jobs=options.jobs)
    outcomes |= failed
    going = _without(machines, outcomes)
    again = [it for it in there if it.name in failed and found[it.name].running]
    seconds = round(time.monotonic() - began, 1)
    interrupted = any(outcome.message == INTERRUPTED for outcome in outcomes.values())
    if interrupted:
        outcomes |= {it.name: _not_done(project, it, INTERRUPTED, change.goes_on) for it in going}
    else:
        # They ran before, or it has been seen that they fit.
        options = replace(options, overcommit=True)
        try:
            told, interrupted = _bring_up(project, going, observer=observer, options=options)
        except LabError as error:
            if not outcomes:
                raise _going_on_later(error, going, change) from error
            # Of the others there is more to tell, and some may be waiting to run again.
            told = [_not_done(project, it, error.in_words(), change.goes_on) for it in going]
        outcomes |= {
            it.machine: replace(
                it if it.ok else going_on(it, change), seconds=round(it.seconds + seconds, 1)
            )
            for it in told
        }
    if not interrupted:
        booted, interrupted = _boot_again(project, again, observer=observer, options=options)
        outcomes |= {it.machine: _failed_and_booted(failed[it.machine], it) for it in booted}
    if interrupted:
        raise Interruption({it.name: outcomes[it.name] for it in machines})
    return [outcomes[machine.name] for machine in machines]


def _without(machines: Sequence[Machine], names: Collection[str]) -> list[Machine]:
    return [machine for machine in machines if machine.name not in names]


def _left_alone(
    project: Project, found: Mapping[str, Found], cannot: Mapping[str, str]
) -> dict[str, MachineOutcome]:
    """What is told of machines that are not there, or that lab or the provider cannot change."""
    outcomes = {}
    refused = refusals(found)
    for it in found.values():
        machine = it.machine
        if it.to_be_made and not it.foreign:
            outcomes[machine.name] = _not_done(project, machine, "it is not made yet", "lab up")
        elif refusal := refused.get(machine.name):
            left = _not_done(project, machine, refusal.why, "lab up")
            outcomes[machine.name] = replace(left, retry=refusal.retry)
        elif why := cannot.get(machine.container):
            outcomes[machine.name] = _not_done(project, machine, why, "lab up --recreate")
    return outcomes


def _bring_up(
    project: Project, machines: Sequence[Machine], *, observer: Observer, options: UpOptions
) -> tuple[list[MachineOutcome], bool]:
    """What became of the machines, and whether somebody stopped it."""
    if not machines:
        return [], False
    try:
        return bring_up(project, machines, observer=observer, options=options), False
    except Interruption as stop:
        return list(stop.outcomes.values()), True
    except KeyboardInterrupt:
        return [_not_done(project, it, INTERRUPTED, "lab up") for it in machines], True


def _boot_again(
    project: Project, machines: Sequence[Machine], *, observer: Observer, options: UpOptions
) -> tuple[list[MachineOutcome], bool]:
    """Boot machines as they were, as `_bring_up` does; none that cannot be booted hides another."""
    options = replace(options, provision=False, bake=False)
    try:
        return _bring_up(project, machines, observer=observer, options=options)
    except LabError as error:
        return [_not_done(project, it, error.in_words(), "lab up") for it in machines], False


def _going_on_later(error: LabError, machines: Sequence[Machine], change: Change) -> LabError:
    """The error, with the command that goes on with machines whose disks are changed."""
    targets = " ".join(it.target for it in machines)
    told = copy(error)
    told.hint = f"{error.hint}\nThen: " if error.hint else ""
    told.hint += f"{change.goes_on} {targets}"
    return told


def going_on(outcome: MachineOutcome, change: Change) -> MachineOutcome:
    """The outcome of a machine whose disk is changed, with the command that goes on from there."""
    return replace(outcome, retry=f"{change.goes_on} {outcome.lab}/{outcome.login}")


def _failed_and_booted(failed: MachineOutcome, booted: MachineOutcome) -> MachineOutcome:
    if booted.ok:
        return failed
    more = ("it could not be booted again either:", booted.message, *booted.tail)
    return replace(failed, tail=(*failed.tail, *more), log=booted.log)


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
    told = {
        name: f"{why}\n{_MAY_BE_STOPPED}" if why == INTERRUPTED else why
        for name, why in failed.items()
    }
    return {
        it.name: _not_done(project, it, told[it.name], change.again)
        for it in machines
        if it.name in told
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
    tell(change.name)
    intact = False
    try:
        change.do(machine.container)
    except MachineError:
        intact = True
        raise
    finally:
        # Also where it is not known what became of it.
        if not intact:
            _forget_steps(project, machine)


def _forget_steps(project: Project, machine: Machine) -> None:
    """What a machine has done is asked of it when it runs again."""
    record = read_record(project.folder, machine.name)
    if record is not None:
        write_record(
            project.folder,
            replace(record, stage=Stage.BOOTED, failed_step="", steps={}, variables={}),
        )


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
    log = project.folder.log_of(machine.name)
    return MachineOutcome(
        machine=machine.name,
        lab=machine.lab.name,
        login=machine.student.login,
        ok=False,
        changed=False,
        message=lines[0],
        tail=tuple(lines[1:]),
        log=str(log) if log.exists() else "",
        retry=f"{command} {machine.target}",
    )
