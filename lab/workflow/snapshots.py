"""`lab snapshot`: machines' disks as they once were, each kept with its machine."""

from __future__ import annotations

import difflib
import fnmatch
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime

from lab.classroom.results import MachineOutcome, SnapshotStatus
from lab.classroom.runs import Run
from lab.errors import LabError, MachineError, UsageError
from lab.machines import kit
from lab.machines.fleet import Machine
from lab.machines.services import note_what_is_down, wait_for_services
from lab.system import process
from lab.workflow.connect import write_ssh_config
from lab.workflow.identity import identities
from lab.workflow.observer import Observer
from lab.workflow.project import Project
from lab.workflow.put_back import INTERRUPTED, Change, going_on, put_back, side_by_side
from lab.workflow.reconcile import find
from lab.workflow.records import Stage, read_record, write_record
from lab.workflow.reset import logins_with_attempts
from lab.workflow.run import Interruption, UpOptions

_NAME = re.compile(r"[a-z0-9][-a-z0-9._]{0,39}")
_MOST_NAMED = 5


def check_name(name: str) -> None:
    """See that a snapshot can have that name.

    Raises:
        UsageError: it cannot.
    """
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"{name!r} is no name for a snapshot",
            hint="At most 40 of a-z, 0-9, '-', '.' and '_', with a letter or a digit first.",
        )


def refuse_target_as_name(machines: Sequence[Machine], name: str) -> None:
    """See that a snapshot of everybody is not called as a student or a lab: one of those was meant.

    Raises:
        UsageError: it is.
    """
    if any(name in {it.student.login, it.lab.name} for it in machines):
        raise UsageError(
            f"{name} is a student or a lab, and this would save everybody under that name",
            hint=f"The snapshot's name comes first: lab snapshot save NAME {name}",
        )


def name_before(what: str, now: datetime) -> str:
    """What a snapshot is called that is taken before something: `before-reset-DATE-TIME`."""
    return f"before-{what}-{now:%Y%m%d-%H%M%S}"


def list_snapshots(project: Project, machines: Sequence[Machine]) -> list[SnapshotStatus]:
    """The machines' snapshots, machine by machine, each oldest first.

    Raises:
        HostError: the provider keeps none.
        ProcessError: it did not answer.
    """
    project.provider.require_snapshots()
    found = project.provider.snapshots(project.prefix)
    return [
        SnapshotStatus(
            lab=machine.lab.name,
            login=machine.student.login,
            machine=machine.name,
            name=it.name,
            created=datetime.fromtimestamp(int(it.created), UTC) if it.created else None,
            size_mb=it.size_mb,
        )
        for machine in machines
        for it in found.get(machine.container, ())
    ]


def save(
    project: Project,
    machines: Sequence[Machine],
    name: str,
    *,
    force: bool,
    observer: Observer,
    jobs: int,
) -> int:
    """Keep machines as they are now; how many.

    One that runs stands still while its disk is copied.

    Args:
        project: whose machines.
        machines: which of them.
        name: the snapshots' name.
        force: replace those of that name that there are.
        observer: told of each.
        jobs: how many machines at a time.

    Raises:
        UsageError: there are some of that name, or it is none; nothing was saved.
        HostError: the provider keeps no snapshots.
        MachineError: some could not be saved; the others are.
        Interrupted: somebody stopped it; with who is saved, and the command for the others.
    """
    check_name(name)
    having = _having(project, machines, name)
    if having and not force:
        raise UsageError(
            f"There is a snapshot {name} already of {_listed(having)}",
            hint="Take another name; or say that it may be replaced: --force",
        )
    guests = project.provider.guests(project.prefix)
    found = find(project, machines, guests)
    write_ssh_config(project, guests)

    def work(machine: Machine, tell: Callable[[str], None]) -> None:
        _require_made(found[machine.name].foreign, found[machine.name].to_be_made)
        if found[machine.name].running:
            # One that cannot be asked is saved as it is.
            with suppress(LabError):
                note_what_is_down(machine, project.folder)
        tell("saving")
        project.provider.save_snapshot(machine.container, name)

    failed = side_by_side(machines, work, what="saving", observer=observer, jobs=jobs)
    again = f"lab snapshot save {'--force ' if force else ''}{name}"
    _raise_if_any(machines, failed, did="Saved", again=again)
    return len(machines)


def delete(
    project: Project, machines: Sequence[Machine], pattern: str, *, observer: Observer, jobs: int
) -> list[str]:
    """Remove the machines' snapshots of a name, or whose names match a pattern.

    Returns:
        The name of each one that was removed, machine by machine.

    Raises:
        UsageError: there is none.
        MachineError: some could not be removed.
        Interrupted: somebody stopped it; with the command for the others.
    """
    doomed = matching(project, machines, pattern)
    there = [machine for machine in machines if machine.name in doomed]

    def work(machine: Machine, tell: Callable[[str], None]) -> None:
        for name in doomed[machine.name]:
            tell(f"removing {name}")
            project.provider.delete_snapshot(machine.container, name)

    failed = side_by_side(there, work, what="removing snapshots", observer=observer, jobs=jobs)
    _raise_if_any(there, failed, did="Cleared", again=f"lab snapshot delete '{pattern}'")
    return [name for names in doomed.values() for name in names]


def matching(
    project: Project, machines: Sequence[Machine], pattern: str
) -> dict[str, tuple[str, ...]]:
    """The names of the snapshots that match a pattern, by machine; those without any are left out.

    Raises:
        UsageError: no machine has one; with what comes near.
        HostError: the provider keeps none.
    """
    project.provider.require_snapshots()
    found = project.provider.snapshots(project.prefix)
    theirs = {it.name: [kept.name for kept in found.get(it.container, ())] for it in machines}
    matched = {
        machine: tuple(name for name in names if fnmatch.fnmatchcase(name, pattern))
        for machine, names in theirs.items()
    }
    if not any(matched.values()):
        known = sorted({name for names in theirs.values() for name in names})
        is_name = _NAME.fullmatch(pattern) is not None
        near = difflib.get_close_matches(pattern, known, n=1) if is_name else []
        raise UsageError(
            f"No machine here has a snapshot {pattern!r}"
            + (f"; did you mean {near[0]}?" if near else ""),
            hint="`lab snapshot list` lists them, `lab snapshot save NAME` makes one.",
        )
    return {machine: names for machine, names in matched.items() if names}


def restore(  # noqa: PLR0913 (what a restore is made of)
    project: Project,
    machines: Sequence[Machine],
    name: str,
    *,
    runs: Sequence[Run],
    keep_as: str | None,
    observer: Observer,
    options: UpOptions,
) -> list[MachineOutcome]:
    """Put machines back to a snapshot, boot them, and wait until their services run.

    No step is run. Each is the machine again that it was when the snapshot was taken (see
    `lab.workflow.identity`). Keys and address stay.

    Args:
        project: whose machines.
        machines: which of them; those without such a snapshot are left as they are, and fail.
        name: the snapshot's.
        runs: what was verified on them.
        keep_as: the snapshot that keeps what is on them now; None drops that.
        observer: told of the progress.
        options: how they are brought up.

    Returns:
        One outcome a machine, in their order.

    Raises:
        UsageError: no machine has such a snapshot.
        HostError: they do not fit on the host, or the provider cannot; nothing has been changed.
        LabError: none of them can be booted, or the provider did not answer; see `put_back`.
        Interruption: somebody stopped it.
    """
    check_name(name)
    having = matching(project, machines, name)
    before = identities(project, machines)
    counted = logins_with_attempts(project, machines, runs)
    again = " ".join(["lab snapshot restore", *([] if keep_as else ["--discard"]), name])
    change = Change(
        name="restoring",
        again=again,
        # Steps would overwrite what was restored.
        goes_on="lab up --no-provision",
        saves=keep_as is not None,
        do=lambda guest: project.provider.restore_snapshot(guest, name, keep_as=keep_as),
    )
    going = [machine for machine in machines if machine.name in having]
    options = replace(options, provision=False, bake=False)
    try:
        told = put_back(project, going, change, observer=observer, options=options)
    except Interruption as stop:
        raise Interruption(_all_of(machines, list(stop.outcomes.values()), name)) from stop
    outcomes = _all_of(machines, told, name)
    up = [machine for machine in going if outcomes[machine.name].ok]
    unwell = _see_to(project, up, observer=observer, jobs=options.jobs)
    outcomes |= {it: _unwell(outcomes[it], why, change) for it, why in unwell.items()}
    if INTERRUPTED in unwell.values():
        raise Interruption(outcomes)
    now = identities(project, going)
    others = [it for it in going if before[it.name] and now[it.name] not in {"", before[it.name]}]
    _tell_of_identities(counted, logins_with_attempts(project, others, runs), others, observer)
    return [outcomes[machine.name] for machine in machines]


def _see_to(
    project: Project, machines: Sequence[Machine], *, observer: Observer, jobs: int
) -> dict[str, str]:
    """Wait for the services of machines that have booted, and note how far their steps are.

    Returns:
        What is the matter, by the names of those with which something is.
    """
    behind: list[str] = []
    differing: list[str] = []

    def work(machine: Machine, tell: Callable[[str], None]) -> None:
        tell("waiting for its services")
        down = wait_for_services(machine, project.folder)
        target = f"{machine.lab.name}/{machine.student.login}"
        todo = _note_steps(project, machine)
        if changed := [step for step, reason in todo.items() if reason == "broken"]:
            differing.append(f"{target} ({', '.join(changed)})")
        if len(changed) < len(todo):
            behind.append(target)
        if down:
            raise MachineError(f"it runs, but for {', '.join(down)}")

    unwell = side_by_side(machines, work, what="waiting for services", observer=observer, jobs=jobs)
    if behind:
        observer.note(
            f"steps that are newer than the snapshot, or that it has not: lab up {_listed(behind)}"
        )
    if differing:
        observer.note(
            "as it was saved, what these steps own differs from the guide; lab up would put the "
            f"guide's own in its place: {_listed(differing)}"
        )
    return unwell


def _note_steps(project: Project, machine: Machine) -> dict[str, str]:
    """Note what a machine's own records say of its steps; which `lab up` would run, and why."""
    reports = kit.look(machine, project.folder)
    digests = {step.name: step.digest for step in machine.steps}
    stand = {it.step: digests[it.step] for it in reports if it.word == "kept"}
    record = read_record(project.folder, machine.name)
    if record is not None:
        stage = Stage.READY if stand == digests else Stage.BOOTED
        write_record(project.folder, replace(record, stage=stage, steps=stand))
    reasons = {it.step: it.reason for it in reports if it.word == "todo"}
    return {name: reasons.get(name, "new") for name in digests if name not in stand}


def _all_of(
    machines: Sequence[Machine], told: Sequence[MachineOutcome], name: str
) -> dict[str, MachineOutcome]:
    """The outcomes, with those of the machines that have no such snapshot."""
    outcomes = {it.machine: it for it in told}
    return {
        it.name: outcomes.get(
            it.name,
            MachineOutcome(
                machine=it.name,
                lab=it.lab.name,
                login=it.student.login,
                ok=False,
                changed=False,
                message=f"left as it is: it has no snapshot {name}",
            ),
        )
        for it in machines
    }


def _unwell(outcome: MachineOutcome, why: str, change: Change) -> MachineOutcome:
    first, *more = why.splitlines()
    unwell = replace(outcome, ok=False, message=first, tail=tuple(more))
    if first == INTERRUPTED:
        return going_on(unwell, change)
    # It runs, and to boot it again would change nothing: what the matter is shows in there.
    return replace(unwell, retry=f"lab ssh {outcome.lab}/{outcome.login} --admin")


def _tell_of_identities(
    counted: Sequence[str], counting: Sequence[str], others: Sequence[Machine], observer: Observer
) -> None:
    """Marks hang on which machine it is: where that has changed, it is said.

    Args:
        counted: whose attempts counted before, as `LAB/LOGIN`.
        counting: whose attempts count now.
        others: the machines that are others now.
        observer: is told.
    """
    if not others:
        return
    targets = [f"{it.lab.name}/{it.student.login}" for it in others]
    observer.note(
        f"the snapshot is of another machine, of before or after a reset: {_listed(targets)}"
    )
    if gone := [it for it in targets if it in counted]:
        observer.note(
            "what was verified on the one that was there stays in `lab history`, and makes no mark "
            f"from now on but with `lab grades --at MOMENT`: {_listed(gone)}"
        )
    if counting:
        observer.note(
            f"what was verified on the one that is there now counts again: {_listed(counting)}"
        )


def _having(project: Project, machines: Sequence[Machine], name: str) -> list[str]:
    return [it.login for it in list_snapshots(project, machines) if it.name == name]


def _require_made(foreign: bool, to_be_made: bool) -> None:  # noqa: FBT001 (two facts of one guest)
    if foreign:
        raise MachineError("lab did not make it, and leaves it alone")
    if to_be_made:
        raise MachineError("there is no such machine", hint="lab up makes it.")


def _raise_if_any(
    machines: Sequence[Machine],
    failed: Mapping[str, str],
    *,
    did: str,
    again: str,
) -> None:
    """Tell of the machines with which something failed.

    Raises:
        Interrupted: somebody stopped it.
        MachineError: some failed.
    """
    if not failed:
        return
    kind = process.Interrupted if INTERRUPTED in failed.values() else MachineError
    targets = [f"{it.lab.name}/{it.student.login}" for it in machines if it.name in failed]
    raise kind(
        f"{did} {len(machines) - len(failed)} of {len(machines)} machines; "
        f"not these: {_listed(list(failed))}",
        details="\n".join(f"{name}: {why}" for name, why in failed.items()),
        hint=f"Try those again: {again} {' '.join(targets)}",
    )


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(names[:_MOST_NAMED])
    return shown + (f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else "")
