"""`lab snapshot`: machines' disks as they once were, each kept with its machine."""

from __future__ import annotations

import difflib
import fnmatch
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime

from lab.classroom.results import SnapshotStatus
from lab.errors import LabError, MachineError, UsageError
from lab.machines.fleet import Machine
from lab.machines.services import note_what_is_down
from lab.system import process
from lab.workflow.connect import write_ssh_config
from lab.workflow.observer import Observer
from lab.workflow.project import Project
from lab.workflow.put_back import INTERRUPTED, side_by_side
from lab.workflow.reconcile import find

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
            f"There is a snapshot {name} already of {listed(having)}",
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
    targets = [it.target for it in machines if it.name in failed]
    raise kind(
        f"{did} {len(machines) - len(failed)} of {len(machines)} machines; "
        f"not these: {listed(list(failed))}",
        details="\n".join(f"{name}: {why}" for name, why in failed.items()),
        hint=f"Try those again: {again} {' '.join(targets)}",
    )


def listed(names: Sequence[str]) -> str:
    """The first few of the names, and how many there are besides."""
    shown = ", ".join(names[:_MOST_NAMED])
    return shown + (f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else "")
