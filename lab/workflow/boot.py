"""Boots machines: one call of Vagrant for all that do not run; then where they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from lab.machines.fleet import Machine
from lab.machines.providers.base import Guest
from lab.machines.vagrant import Vagrant
from lab.system import parallel
from lab.workflow.connect import write_ssh_config
from lab.workflow.observer import Observer
from lab.workflow.project import Project

# Booting is waiting for the guest; Vagrant gives up on each machine by itself long before this.
_TIMEOUT_S = 600.0
_TIMEOUT_PER_MACHINE_S = 20.0


@dataclass
class Booted:
    """What came of booting.

    Attributes:
        failures: why a machine cannot be worked with, by name.
        now: the machines that were not running before.
        addresses: where each of the project's running machines is, by name.
    """

    failures: dict[str, str] = field(default_factory=dict)
    now: set[str] = field(default_factory=set)
    addresses: dict[str, str] = field(default_factory=dict)


def boot(project: Project, machines: Sequence[Machine], *, observer: Observer) -> Booted:
    """Create and start what is not running, and find out where everything is.

    Raises:
        HostError: the host's limits do not allow so many machines.
        LabError: Vagrant cannot be used at all.
    """
    booted = Booted()
    guests = project.provider.guests(project.prefix)
    waiting = [machine for machine in machines if not _is_running(guests.get(machine.container))]
    if waiting:
        new = sum(machine.container not in guests for machine in waiting)
        # The limits are the host's: every project's machines count.
        project.provider.check_room(len(project.provider.guests("lab-")) + new)
        for machine in waiting:
            _mend_vagrants_memory(project, machine, guests.get(machine.container))
        booted.failures = _vagrant_up(project, waiting, observer=observer)
        booted.now = {machine.name for machine in waiting} - set(booted.failures)
    find_addresses(project, machines, booted)
    return booted


def find_addresses(project: Project, machines: Sequence[Machine], booted: Booted) -> None:
    """Ask the provider where the machines are, and write the SSH configuration for all of them."""
    guests = project.provider.guests(project.prefix)
    booted.addresses = write_ssh_config(project, guests)
    for machine in machines:
        if machine.name not in booted.addresses and machine.name not in booted.failures:
            guest = guests.get(machine.container)
            booted.failures[machine.name] = (
                f"it is {guest.state}, without an address" if guest else "there is no such machine"
            )


def _vagrant_up(
    project: Project, machines: Sequence[Machine], *, observer: Observer
) -> dict[str, str]:
    """Have Vagrant boot machines; what went wrong, by machine."""
    names = [machine.name for machine in machines]
    observer.started(len(names), "booting")
    for name in names:
        observer.machine(name, "booting")
    vagrant = Vagrant(project.path, log=project.folder.logs / "vagrant.log")

    def news(_: object, text: str) -> None:
        name, _, said = text.partition("\t")
        if name in names:
            _append_log(project, name, said)
            if said.startswith("Machine booted and ready"):
                observer.done(name, ok=True, summary="booted")

    done = parallel.run_all(
        [names],
        lambda names, tell: vagrant.up(
            names,
            provider=project.provider.name,
            on_line=lambda name, line: tell(f"{name}\t{line}"),
            timeout_s=_TIMEOUT_S + _TIMEOUT_PER_MACHINE_S * len(names),
        ),
        workers=1,
        on_news=news,
        on_done=lambda _, __: None,
    )[0]
    if done.error is not None:
        raise done.error
    failures = {name: why for name, why in (done.value or {}).items() if name in names}
    for name, why in failures.items():
        _append_log(project, name, why)
        observer.done(name, ok=False, summary="did not boot")
    observer.finished()
    return failures


def _mend_vagrants_memory(project: Project, machine: Machine, guest: Guest | None) -> None:
    """Make Vagrant's note of a machine agree with what the provider has.

    A creation that was cut off leaves a guest that never started: it is removed, to be made anew.
    One that did start may hold a student's work: Vagrant is told of it again.
    """
    if guest is None:
        return
    note = project.path / ".vagrant" / "machines" / machine.name / project.provider.name / "id"
    if note.exists() and note.read_text(encoding="utf-8") == guest.name:
        return
    if project.provider.ever_started(guest.name):
        note.parent.mkdir(parents=True, exist_ok=True)
        note.write_text(guest.name, encoding="utf-8")
    else:
        project.provider.remove(guest.name)


def _is_running(guest: Guest | None) -> bool:
    return guest is not None and guest.state == "running"


def _append_log(project: Project, machine: str, text: str) -> None:
    with project.folder.log_of(machine).open("a", encoding="utf-8") as log:
        log.write(f"{text}\n")
