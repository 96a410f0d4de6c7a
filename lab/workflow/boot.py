"""Boots machines: one call of Vagrant for as many as the host can take at a time.

A machine that lets SSH in can be worked on while others still boot, and while the next wait for
their turn.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence

from lab.errors import LabError, MachineError
from lab.machines import ssh
from lab.machines.fleet import Machine
from lab.machines.providers.base import Guest
from lab.machines.vagrant import Vagrant, VagrantKilled
from lab.system import process
from lab.system.output import append
from lab.workflow.connect import addresses_of, write_ssh_config
from lab.workflow.pace import Pace
from lab.workflow.project import Project

_LOOK_AGAIN_S = 0.2
# What Vagrant has seen booting has let it in by SSH already.
_SSH_TIMEOUT_S = 30.0
# What Vagrant says when the provider has started a guest, and when it has let Vagrant in.
_STARTED = "Waiting for machine to boot"
_LET_IN = "Machine booted and ready"
# A guest that boots for longer than this is looked at, whether it still runs.
_LOOK_AFTER_S = 5.0
_LOOK_EVERY_S = 3.0


class Boot:
    """The booting of some of a project's machines, and where all of them are.

    Args:
        project: whose machines.
        machines: those that are wanted.
        guests: what the provider has.
        pace: how many are booted at a time.
        timeout_s: how long a machine may take from its start to its first SSH login.

    Attributes:
        waiting: the machines that did not run, and are booted.
        addresses: where each machine is, by name; those that are booted as far as that is known.
    """

    def __init__(
        self,
        project: Project,
        machines: Sequence[Machine],
        guests: Mapping[str, Guest],
        *,
        pace: Pace,
        timeout_s: float,
    ) -> None:
        self._project = project
        self._pace = pace
        self._timeout_s = timeout_s
        self.waiting = not_running(machines, guests)
        self.addresses = addresses_of(project, guests) | {
            it.name: it.address.partition("/")[0] for it in self.waiting if it.address
        }
        # What Vagrant made of each machine that it is through with: why it failed, "" for well.
        self._verdicts: dict[str, str] = {}
        self._started: dict[str, float] = {}
        self._let_in: set[str] = set()
        self._wave: tuple[Machine, ...] = ()
        self._stop = threading.Event()
        self._took_s: dict[str, float] = {}
        ssh.write_config(project.folder, project.machines, self.addresses)

    def run(self) -> None:
        """Have Vagrant boot the machines, as many at a time as the host can take.

        Raises:
            LabError: Vagrant cannot be used at all.
        """
        left = list(self.waiting)
        try:
            while left:
                wave = left[: self._pace.next(len(left))]
                left = left[len(wave) :]
                self._boot(wave)
                self._pace.report(
                    slowest_s=max((self._took_s.get(it.name, 0.0) for it in wave), default=0.0),
                    late=sum(bool(self._verdicts[it.name]) for it in wave),
                )
        except LabError as error:
            self._judge(left, error.in_words())
            raise
        finally:
            for machine in self.waiting:
                self._verdicts.setdefault(machine.name, "Vagrant was stopped before its turn")

    def wait_for(self, machine: Machine, tell: Callable[[str], None]) -> None:
        """Wait until a machine lets SSH in.

        Raises:
            MachineError: it did not boot, or cannot be worked with.
            Interrupted: lab was interrupted.
        """
        if machine not in self.waiting:
            if machine.name not in self.addresses:
                raise MachineError("it is running, without an address")
            return
        tell("waiting for its turn")
        self._wait_for_start(machine)
        tell("booting")
        deadline, look_at = math.inf, time.monotonic() + _LOOK_AFTER_S
        while True:
            address = self.addresses.get(machine.name)
            if self.through_with(machine):
                if why := self._verdicts[machine.name]:
                    raise MachineError(why)
                if not address:
                    raise MachineError("it is running, without an address")
                deadline = min(deadline, time.monotonic() + _SSH_TIMEOUT_S)
            if address and ssh.listens(address):
                began = self._started.get(machine.name, time.monotonic())
                self._took_s[machine.name] = time.monotonic() - began
                return
            if time.monotonic() > deadline:
                raise MachineError("it boots, and its SSH server does not answer")
            if address and time.monotonic() > look_at:
                self._give_up_if_stopped(machine)
                look_at = time.monotonic() + _LOOK_EVERY_S
            process.pause(_LOOK_AGAIN_S)

    def through_with(self, machine: Machine) -> bool:
        """Whether Vagrant has nothing more to do with a machine."""
        return machine not in self.waiting or machine.name in self._verdicts

    def wait_for_end(self, machine: Machine) -> None:
        """Wait until Vagrant is through with a machine.

        Raises:
            MachineError: it did not get this machine to boot.
            Interrupted: lab was interrupted.
        """
        while not self.through_with(machine):
            process.pause(_LOOK_AGAIN_S)
        if why := self._verdicts.get(machine.name):
            raise MachineError(why)

    def _boot(self, wave: Sequence[Machine]) -> None:
        """Boot some machines at once; each has a verdict then, whatever happens."""
        self._wave, self._stop = tuple(wave), threading.Event()
        try:
            self._judge_all(wave, self._call_vagrant(wave))
        except VagrantKilled as error:
            if self._stop.is_set():
                self._judge_all(wave, {})
            elif len(wave) == 1:
                self._judge(wave, error.in_words())
            else:
                # One of them may be what brings Vagrant down: from here each has its own.
                for machine in wave:
                    self._boot([machine])
        except LabError as error:
            self._judge(wave, error.in_words())
            raise

    def _call_vagrant(self, wave: Sequence[Machine]) -> Mapping[str, str]:
        names = {machine.name for machine in wave}
        vagrant = Vagrant(self._project.path, log=self._project.folder.logs / "vagrant.log")

        def hear(name: str, said: str) -> None:
            if name in names:
                self._log(name, said)
                if said.startswith(_STARTED):
                    self._started[name] = time.monotonic()
                if said.startswith(_LET_IN):
                    self._let_in.add(name)
                    self._stop_if_none_is_left()

        return vagrant.up(
            [machine.name for machine in wave],
            provider=self._project.provider.name,
            on_line=hear,
            boot_timeout_s=self._timeout_s,
            stop=self._stop,
        )

    def _judge_all(self, wave: Sequence[Machine], failures: Mapping[str, str]) -> None:
        if any(not machine.address for machine in wave):
            self._find_addresses()
        for machine in wave:
            self._judge([machine], failures.get(machine.name, ""))

    def _judge(self, machines: Iterable[Machine], why: str) -> None:
        for machine in machines:
            # First of all, as somebody waits for it: the log may be on a disk that is full.
            if self._verdicts.setdefault(machine.name, why) == why != "":
                self._log(machine.name, why)

    def _wait_for_start(self, machine: Machine) -> None:
        """Wait until a machine may be asked: a question that nobody is there for takes longer."""
        while machine.name not in self._started or not machine.address:
            if self.through_with(machine):
                return
            process.pause(_LOOK_AGAIN_S)

    def _give_up_if_stopped(self, machine: Machine) -> None:
        """See whether a machine that boots runs at all: Vagrant would wait for it to the last."""
        guest = self._project.provider.guests(machine.container).get(machine.container)
        if machine.name in self._started and (guest is None or guest.state == "stopped"):
            self._judge([machine], "it stopped while it booted")
            self._stop_if_none_is_left()

    def _stop_if_none_is_left(self) -> None:
        """End Vagrant when all that it still waits for are machines that do not run any more."""
        if all(it.name in self._let_in or self._verdicts.get(it.name) for it in self._wave) and any(
            self._verdicts.get(it.name) for it in self._wave
        ):
            self._stop.set()

    def _find_addresses(self) -> None:
        """Ask the provider where the machines are that were not told their addresses."""
        guests = self._project.provider.guests(self._project.prefix)
        self.addresses |= addresses_of(self._project, guests)
        write_ssh_config(self._project, guests)

    def _log(self, machine: str, text: str) -> None:
        append(self._project.folder.log_of(machine), f"{text}\n")


def not_running(machines: Sequence[Machine], guests: Mapping[str, Guest]) -> tuple[Machine, ...]:
    """The machines that do not run, or are not there at all."""
    running = {guest.name for guest in guests.values() if guest.state == "running"}
    return tuple(machine for machine in machines if machine.container not in running)
