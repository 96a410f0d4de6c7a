"""`lab halt` and `lab destroy`: machines of this project only, and only those that are meant."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress

from lab.errors import LabError, MachineError, ProcessError
from lab.machines.fleet import Machine
from lab.machines.providers.base import Guest
from lab.machines.vagrant import Vagrant
from lab.system.files import remove_tree
from lab.workflow.files import write_vagrantfile
from lab.workflow.holders import note_holders
from lab.workflow.observer import Observer
from lab.workflow.project import Project
from lab.workflow.reconcile import find, orphans_of
from lab.workflow.records import forget


def halt(project: Project, machines: Sequence[Machine], *, observer: Observer) -> list[str]:
    """Stop the machines that are not off, those that were frozen or paused too; their names.

    Raises:
        LabError: some run on, the others are stopped; or Vagrant cannot be used at all.
    """
    guests = project.provider.guests(project.prefix)
    found = find(project, machines, guests)
    on = [it for it in machines if _is_on(it, guests) and not found[it.name].foreign]
    if not on:
        return []
    observer.started(len(on), "stopping")
    write_vagrantfile(project)
    # Vagrant does nothing to what does not run, or waits for it to answer.
    if running := [machine for machine in on if found[machine.name].running]:
        _halt_through_vagrant(project, running)
    failures = _halt_through_provider(project, on)
    for machine in on:
        left = machine.name in failures
        observer.done(machine.name, ok=not left, summary="runs on" if left else "stopped")
    observer.finished()
    if failures:
        raise MachineError(
            f"Stopped {len(on) - len(failures)} of {len(on)} machines; "
            f"these run on: {', '.join(failures)}",
            details="\n".join(f"{name}: {error.in_words()}" for name, error in failures.items()),
            hint=f"Try those again: lab halt {' '.join(failures)}",
            log=project.folder.logs / "vagrant.log",
        )
    return [machine.name for machine in on]


def destroy(project: Project, machines: Sequence[Machine], *, observer: Observer) -> list[str]:
    """Remove machines with all that is on them, and what lab keeps of them.

    Who had which login stays noted, as marks do.

    Returns:
        The names of those that there were.

    Raises:
        LabError: one is still there afterwards.
    """
    guests = project.provider.guests(project.prefix)
    found = find(project, machines, guests)
    # What stands in a machine's place and is not lab's stays.
    machines = [machine for machine in machines if not found[machine.name].foreign]
    there = [machine for machine in machines if machine.container in guests]
    observer.started(len(there), "destroying")
    if there:
        write_vagrantfile(project)
        _destroy_through_vagrant(project, there)
    # Of what was never made, too: the host may have been told of it.
    project.provider.clear([machine.container for machine in machines])
    note_holders(project.folder)
    for machine in machines:
        _forget(project, machine.name)
    for machine in there:
        observer.done(machine.name, ok=True, summary="destroyed")
    observer.finished()
    return [machine.name for machine in there]


def destroy_orphans(project: Project, names: Collection[str], *, observer: Observer) -> list[str]:
    """Remove those of this project's machines that labs.yaml no longer names; their names.

    Args:
        project: whose machines.
        names: the orphans that are meant; another that there is stays.
        observer: told of each.

    Raises:
        LabError: one could not be removed.
    """
    orphans = {name: it for name, it in orphans_of(project).items() if name in names}
    observer.started(len(orphans), "destroying orphans")
    note_holders(project.folder)
    for name, container in orphans.items():
        project.provider.remove(container)
        _forget(project, name)
        observer.done(name, ok=True, summary="destroyed")
    observer.finished()
    return list(orphans)


def _forget(project: Project, name: str) -> None:
    """Remove what lab and Vagrant keep of a machine that is no more."""
    forget(project.folder, name)
    remove_tree(project.folder.ssh / name)
    remove_tree(project.path / ".vagrant" / "machines" / name)


def _is_on(machine: Machine, guests: Mapping[str, Guest]) -> bool:
    guest = guests.get(machine.container)
    return guest is not None and guest.state != "stopped"


def _halt_through_vagrant(project: Project, machines: Sequence[Machine]) -> None:
    """Stop machines, as far as Vagrant does.

    It stops at the first one that it cannot halt, and passes over what it has lost.
    """
    # A Vagrant that cannot be used at all is told instead: its own words say what mends it.
    with suppress(ProcessError):
        _vagrant(project).halt(
            [machine.name for machine in machines], patience=project.provider.patience
        )


def _halt_through_provider(project: Project, machines: Sequence[Machine]) -> dict[str, LabError]:
    """Stop those that are on still; why some run on, by name."""
    failures: dict[str, LabError] = {}
    guests = project.provider.guests(project.prefix)
    for machine in machines:
        if _is_on(machine, guests):
            try:
                project.provider.halt(machine.container)
            except ProcessError as error:
                failures[machine.name] = error
    return failures


def _destroy_through_vagrant(project: Project, machines: Sequence[Machine]) -> None:
    """Vagrant first, so that its own notes stay right.

    What it has lost track of goes through the provider.
    """
    failure: LabError | None = None
    try:
        _vagrant(project).destroy([machine.name for machine in machines])
    except LabError as error:
        failure = error
    left = project.provider.guests(project.prefix)
    for machine in machines:
        if machine.container in left:
            try:
                project.provider.remove(machine.container)
            except LabError as error:
                raise error from failure


def _vagrant(project: Project) -> Vagrant:
    return Vagrant(project.path, log=project.folder.logs / "vagrant.log")
