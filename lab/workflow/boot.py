"""Boots machines: one call of Vagrant for all that do not run.

A machine that lets SSH in can be worked on while the rest still boots.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Mapping, Sequence

from lab.errors import LabError, MachineError
from lab.machines import ssh
from lab.machines.fleet import Machine
from lab.machines.providers.base import Guest
from lab.machines.vagrant import Vagrant
from lab.system.files import write_atomically
from lab.workflow.connect import addresses_of
from lab.workflow.project import Project

# Booting is waiting for the guest; Vagrant gives up on each machine by itself long before this.
_TIMEOUT_S = 600.0
_TIMEOUT_PER_MACHINE_S = 20.0
_LOOK_AGAIN_S = 0.2
# What Vagrant has seen booting has let it in by SSH already.
_SSH_TIMEOUT_S = 30.0
# What Vagrant says when the provider has started a guest.
_STARTED = "Waiting for machine to boot"


class Boot:
    """The booting of some of a project's machines, and where all of them are.

    Attributes:
        waiting: the machines that did not run, and are booted.
        addresses: where each machine is, by name; those that are booted as far as that is known.
    """

    def __init__(
        self, project: Project, machines: Sequence[Machine], guests: Mapping[str, Guest]
    ) -> None:
        self._project = project
        self.waiting = tuple(it for it in machines if not _is_running(guests.get(it.container)))
        self.addresses = addresses_of(project, guests) | {
            it.name: it.address.partition("/")[0] for it in self.waiting if it.address
        }
        self._failures: dict[str, str] = {}
        self._started: set[str] = set()
        self._ended = threading.Event()
        if not self.waiting:
            self._ended.set()
        ssh.write_config(project.folder, project.machines, self.addresses)

    def prepare(self, guests: Mapping[str, Guest]) -> None:
        """See that there is room, and that Vagrant knows of what there is.

        Raises:
            HostError: the host's limits do not allow so many machines.
            LabError: the remains of an earlier run could not be removed.
        """
        if not self.waiting:
            return
        provider = self._project.provider
        new = sum(machine.container not in guests for machine in self.waiting)
        # The limits are the host's: every project's machines count.
        provider.check_room(len(provider.guests("lab-")) + new)
        for machine in self.waiting:
            _mend_vagrants_memory(self._project, machine, guests.get(machine.container))

    def run(self) -> None:
        """Have Vagrant boot the machines.

        Raises:
            LabError: Vagrant cannot be used at all.
        """
        names = [machine.name for machine in self.waiting]
        vagrant = Vagrant(self._project.path, log=self._project.folder.logs / "vagrant.log")

        def hear(name: str, said: str) -> None:
            if name in names:
                self._log(name, said)
                if said.startswith(_STARTED):
                    self._started.add(name)

        try:
            failures = vagrant.up(
                names,
                provider=self._project.provider.name,
                on_line=hear,
                timeout_s=_TIMEOUT_S + _TIMEOUT_PER_MACHINE_S * len(names),
            )
            for name, why in failures.items():
                self._log(name, why)
            if any(not machine.address for machine in self.waiting):
                self._find_addresses()
            self._failures = failures
        except LabError as error:
            self._failures = dict.fromkeys(names, f"{error.message}\n{error.details}".strip())
            raise
        finally:
            self._ended.set()

    def wait_for(self, machine: Machine, tell: Callable[[str], None]) -> None:
        """Wait until a machine lets SSH in.

        Raises:
            MachineError: it did not boot, or cannot be worked with.
        """
        if machine not in self.waiting:
            if machine.name not in self.addresses:
                raise MachineError("it is running, without an address")
            return
        tell("booting")
        self._wait_for_start(machine)
        deadline = math.inf
        while True:
            address = self.addresses.get(machine.name)
            if self._ended.is_set():
                if why := self._failures.get(machine.name):
                    raise MachineError(why)
                if not address:
                    raise MachineError("it is running, without an address")
                deadline = min(deadline, time.monotonic() + _SSH_TIMEOUT_S)
            if address and ssh.listens(address):
                return
            if time.monotonic() > deadline:
                raise MachineError("it boots, and its SSH server does not answer")
            time.sleep(_LOOK_AGAIN_S)

    @property
    def ended(self) -> bool:
        """Whether Vagrant is through with all of them."""
        return self._ended.is_set()

    def wait_for_end(self, machine: Machine) -> None:
        """Wait until Vagrant is through.

        Raises:
            MachineError: it did not get this machine to boot.
        """
        self._ended.wait()
        if why := self._failures.get(machine.name):
            raise MachineError(why)

    def _wait_for_start(self, machine: Machine) -> None:
        """Wait until a machine may be asked: a question that nobody is there for takes longer."""
        while machine.name not in self._started or not machine.address:
            if self._ended.wait(_LOOK_AGAIN_S):
                return

    def _find_addresses(self) -> None:
        """Ask the provider where the machines are that were not told their addresses."""
        guests = self._project.provider.guests(self._project.prefix)
        self.addresses |= addresses_of(self._project, guests)
        ssh.write_config(self._project.folder, self._project.machines, self.addresses)

    def _log(self, machine: str, text: str) -> None:
        with self._project.folder.log_of(machine).open("a", encoding="utf-8") as log:
            log.write(f"{text}\n")


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
        write_atomically(note, guest.name)
    else:
        project.provider.remove(guest.name)


def _is_running(guest: Guest | None) -> bool:
    return guest is not None and guest.state == "running"
