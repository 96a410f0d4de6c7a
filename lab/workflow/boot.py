"""Boots machines: a call of Vagrant for as many as the host can take at a time.

A machine that lets SSH in can be worked on while others still boot, and while the next wait for
their turn. What hangs holds up nobody else.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress

from lab.errors import LabError, MachineError
from lab.machines import ssh
from lab.machines.fleet import Machine
from lab.machines.providers.base import Guest
from lab.machines.vagrant import Vagrant, VagrantKilled
from lab.system import process
from lab.system.output import append
from lab.workflow.connect import addresses_of, write_ssh_config
from lab.workflow.making import STARTED, made_alone
from lab.workflow.pace import Pace
from lab.workflow.project import Project

_LOOK_AGAIN_S = 0.2
# What Vagrant has seen booting has let it in by SSH already.
_SSH_TIMEOUT_S = 30.0
# What Vagrant says when a guest has let it in.
_LET_IN = "Machine booted and ready"
# A guest that boots for longer than this is looked at, whether it still runs.
_LOOK_AFTER_S = 5.0
_LOOK_EVERY_S = 3.0
# A machine that has not let Vagrant in so long after its start keeps the next wave no longer.
_LAGGARD_S = 30.0


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
            it.name: it.known_at for it in self.waiting if it.known_at
        }
        # What became of each machine that nothing more is done for: why it failed, "" for well.
        self._verdicts: dict[str, str] = {}
        self._started: dict[str, float] = {}
        self._took_s: dict[str, float] = {}
        self._let_in: set[str] = set()
        self._waves: list[_Wave] = []
        self._tell: Callable[[str], None] = lambda _: None
        ssh.write_config(project.folder, project.machines, self.addresses)

    def run(self, tell: Callable[[str], None]) -> None:
        """Have Vagrant boot the machines, as many at a time as the host can take.

        Args:
            tell: told, from any thread, what all of them wait for; "" when that is over.

        Raises:
            LabError: Vagrant cannot be used at all.
            Interrupted: lab was interrupted.
        """
        self._tell = tell
        left = list(self.waiting)
        try:
            while left and not any(wave.error for wave in self._waves):
                machines = left[: self._next(len(left))]
                left = left[len(machines) :]
                wave = _Wave(machines, self._boot)
                self._waves.append(wave)
                while not wave.ended and not self._may_go_on(machines):
                    process.pause(_LOOK_AGAIN_S)
                self._report(machines)
        finally:
            # After an interruption too: their programs are being ended just now.
            for wave in self._waves:
                wave.wait()
            error = next((wave.error for wave in self._waves if wave.error), None)
            why = error.in_words() if isinstance(error, LabError) else "its turn did not come"
            self._judge(self.waiting, dict.fromkeys((it.name for it in left), why))
        if error is not None:
            raise error

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
                deadline = min(deadline, time.monotonic() + _SSH_TIMEOUT_S * machine.patience)
            if address and ssh.listens(address, machine.ssh_port, timeout_s=machine.patience):
                began = self._started.get(machine.name, time.monotonic())
                self._took_s[machine.name] = time.monotonic() - began
                return
            if time.monotonic() > deadline:
                raise MachineError("it boots, and its SSH server does not answer")
            if address and time.monotonic() > look_at:
                self._give_up_if_stopped(machine)
                look_at = time.monotonic() + _LOOK_EVERY_S
            process.pause(_LOOK_AGAIN_S * machine.patience)

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

    def _boot(self, machines: Sequence[Machine], stop: threading.Event) -> None:
        """Boot some machines at once; each has a verdict then, whatever happens."""
        try:
            with made_alone(self._project.provider, operation="up", tell=self._tell) as made:
                self._judge(machines, self._call_vagrant(machines, stop, made=made))
        except VagrantKilled as error:
            if stop.is_set():
                self._judge(machines, {})
            elif len(machines) == 1:
                self._judge(machines, {machines[0].name: error.in_words()})
            else:
                # One of them may be what brings Vagrant down: from here each has its own.
                for machine in machines:
                    self._boot([machine], stop)
        except LabError as error:
            self._judge(machines, dict.fromkeys((it.name for it in machines), error.in_words()))
            raise

    def _call_vagrant(
        self, machines: Sequence[Machine], stop: threading.Event, *, made: Callable[[], None]
    ) -> Mapping[str, str]:
        """What went wrong, by machine; `made` is called when one has been made."""
        names = {machine.name for machine in machines}
        vagrant = Vagrant(self._project.path, log=self._project.folder.logs / "vagrant.log")

        def hear(name: str, said: str) -> None:
            if name in names:
                self._log(name, said)
                if said.startswith(STARTED):
                    made()
                    self._started.setdefault(name, time.monotonic())
                if said.startswith(_LET_IN):
                    self._let_in.add(name)
                    self._stop_waves_of_the_dead()

        failures = vagrant.up(
            [machine.name for machine in machines],
            provider=self._project.provider.name,
            on_line=hear,
            boot_timeout_s=self._timeout_s,
            stop=stop,
        )
        if any(not machine.known_at for machine in machines):
            self._find_addresses()
        return failures if not stop.is_set() else {}

    def _judge(self, machines: Iterable[Machine], failures: Mapping[str, str]) -> None:
        for machine in machines:
            why = failures.get(machine.name, "")
            # First of all, as somebody waits for it; and who knew better before is right.
            if machine.name not in self._verdicts:
                self._verdicts[machine.name] = why
                if why:
                    self._log(machine.name, why)

    def _failed(self, machine: Machine) -> bool:
        return bool(self._verdicts.get(machine.name))

    def _report(self, machines: Sequence[Machine]) -> None:
        """Have the pace learn from a wave, where all of it has booted by now."""
        if not self._project.provider.one_by_one:
            self._pace.report(
                slowest_s=max((self._took_s.get(it.name, 0.0) for it in machines), default=0.0),
                late=sum(it.name in self._started and self._failed(it) for it in machines),
            )

    def _next(self, waiting: int) -> int:
        """How many machines the next Vagrant boots."""
        return 1 if self._project.provider.one_by_one else self._pace.next(waiting)

    def _may_go_on(self, machines: Sequence[Machine]) -> bool:
        """Whether another Vagrant may begin beside the one that is at work on these."""
        if not self._project.provider.one_by_one:
            return self._only_laggards_are_left(machines)
        # What has started is made: it only boots, as many at a time as the host can take.
        booting = sum(
            not (wave.ended or self._only_laggards_are_left(wave.machines)) for wave in self._waves
        )
        started = all(it.name in self._started for it in machines)
        return started and booting < self._pace.next(len(self.waiting))

    def _only_laggards_are_left(self, machines: Sequence[Machine]) -> bool:
        now = time.monotonic()
        return all(
            it.name in self._verdicts
            or it.name in self._let_in
            or now - self._started.get(it.name, now) > _LAGGARD_S * it.patience
            for it in machines
        )

    def _wait_for_start(self, machine: Machine) -> None:
        """Wait until a machine may be asked: a question that nobody is there for takes longer."""
        while machine.name not in self._started or not machine.known_at:
            if self.through_with(machine):
                return
            process.pause(_LOOK_AGAIN_S)

    def _give_up_if_stopped(self, machine: Machine) -> None:
        """See whether a machine that boots runs at all: Vagrant would wait for it to the last."""
        guest = self._project.provider.guests(machine.container).get(machine.container)
        if machine.name in self._started and (guest is None or guest.state == "stopped"):
            self._judge([machine], {machine.name: "it stopped while it booted"})
            self._stop_waves_of_the_dead()

    def _stop_waves_of_the_dead(self) -> None:
        """End each Vagrant that waits for nobody but machines that do not run any more."""
        for wave in self._waves:
            through = all(it.name in self._let_in or self._failed(it) for it in wave.machines)
            if through and any(map(self._failed, wave.machines)):
                wave.stop.set()

    def _find_addresses(self) -> None:
        """Ask the provider where the machines are that were not told their addresses."""
        guests = self._project.provider.guests(self._project.prefix)
        self.addresses |= addresses_of(self._project, guests)
        write_ssh_config(self._project, guests)

    def _log(self, machine: str, text: str) -> None:
        # A log that cannot be written is no reason for a machine not to boot.
        with suppress(LabError):
            append(self._project.folder.log_of(machine), f"{text}\n")


class _Wave:
    """Machines that one Vagrant boots, in a thread of its own.

    Attributes:
        machines: those.
        stop: ends the Vagrant.
        error: why it could not be used at all.
    """

    def __init__(
        self,
        machines: Sequence[Machine],
        boot: Callable[[Sequence[Machine], threading.Event], None],
    ) -> None:
        self.machines = tuple(machines)
        self.stop = threading.Event()
        self.error: Exception | None = None
        self._thread = threading.Thread(target=self._run, args=(boot,), daemon=True)
        self._thread.start()

    @property
    def ended(self) -> bool:
        """Whether its Vagrant has ended."""
        return not self._thread.is_alive()

    def wait(self) -> None:
        """Wait until it has ended."""
        self._thread.join()

    def _run(self, boot: Callable[[Sequence[Machine], threading.Event], None]) -> None:
        try:
            boot(self.machines, self.stop)
        except Exception as error:  # noqa: BLE001 (raised by who started the wave)
            self.error = error


def not_running(machines: Sequence[Machine], guests: Mapping[str, Guest]) -> tuple[Machine, ...]:
    """The machines that do not run, or are not there at all."""
    running = {guest.name for guest in guests.values() if guest.state == "running"}
    return tuple(machine for machine in machines if machine.container not in running)
