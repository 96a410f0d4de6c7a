"""The tries of a proof of isolation: who listens, who tries whom, and what they say of it."""

from __future__ import annotations

import secrets
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from lab.errors import LabError
from lab.machines import doors, neighbours
from lab.machines.doors import Door
from lab.machines.fleet import Machine
from lab.machines.neighbours import Heard, Listener, Place, Tries
from lab.machines.providers.base import LOOPBACK, SSH, Guest
from lab.system import parallel, process
from lab.workflow.observer import Observer
from lab.workflow.project import Project

# A guest that nobody asks any more stops listening by itself.
_LISTENS_S = 300.0
_LISTENS_PER_MACHINE_S = 10.0
WORDS = ("first", "last")
_ADMIN = "vagrant"
BEHIND_PORTS = "it has a network of its own, which only ports of this computer lead to"

_Value = TypeVar("_Value")


@dataclass(frozen=True)
class Probe:
    """What one machine was found to be from outside and in.

    Attributes:
        tries: what it reached, as far as it knows; None where it could not be asked.
        why: why not, "" where it could.
        doors: its accounts' doors, by user.
    """

    tries: Tries | None
    why: str
    doors: Mapping[str, Door]


@dataclass
class Proof:
    """One proof: where all machines are, and what they said, by name."""

    project: Project
    guests: Mapping[str, Guest]
    observer: Observer
    jobs: int
    mark: str = field(default_factory=lambda: secrets.token_hex(8))
    places: dict[str, Place] = field(default_factory=dict)
    not_listening: dict[str, str] = field(default_factory=dict)
    probes: dict[str, Probe] = field(default_factory=dict)
    heard: dict[str, Heard] = field(default_factory=dict)
    beyond: tuple[str, ...] = ()

    def run(self, machines: Sequence[Machine]) -> None:
        """Have all that run listen, and `machines` try all others."""
        running = [it for it in self.project.machines if self.address(it)]
        self._listen(running)
        listening = [it for it in running if it.name in self.places]
        trying = [it for it in machines if it in running]
        if any(not machine.lab.internet for machine in trying):
            self.beyond = neighbours.doors_beyond()
        addresses = [place.address for place in self.places.values()]
        neighbours.speak(addresses, mark=self.mark, word=WORDS[0])
        with tempfile.TemporaryDirectory() as folder:
            self._try(trying, Path(folder))
        neighbours.speak(addresses, mark=self.mark, word=WORDS[1])
        ended = self._each(
            listening,
            "asking what arrived",
            lambda it: neighbours.hear(self.project.folder, it, mark=self.mark),
        )
        self.heard = {name: value for name, (value, _) in ended.items() if value is not None}

    def address(self, machine: Machine) -> str:
        """Where a machine answers, "" where it does not run or that is not known."""
        guest = self.guests.get(machine.container)
        if guest is None or guest.state != "running":
            return ""
        # Without a port of the machine's own it is this computer that would be asked.
        return "" if guest.ip == LOOPBACK and SSH not in machine.ports else guest.ip

    def _listen(self, running: Sequence[Machine]) -> None:
        lasts_s = _LISTENS_S + _LISTENS_PER_MACHINE_S * len(running)

        def listen(machine: Machine) -> Listener:
            return neighbours.listen(
                self.project.folder,
                machine,
                mark=self.mark,
                address=self.address(machine),
                lasts_s=lasts_s * machine.patience,
            )

        reachable = [it for it in running if not it.ports]
        ended = self._each(reachable, "listening", listen)
        for number, machine in enumerate(running):
            listener, why = ended.get(machine.name, (None, BEHIND_PORTS))
            if listener is None:
                self.not_listening[machine.name] = why
            else:
                self.places[machine.name] = Place(
                    number=number, address=self.address(machine), listener=listener
                )

    def _try(self, trying: Sequence[Machine], folder: Path) -> None:
        """Have machines try all others, and see whom they let in."""
        insecure = doors.write_keys(doors.INSECURE_KEYS, folder)

        def probe(machine: Machine) -> Probe:
            place, tries = self.places.get(machine.name), None
            why = self.not_listening.get(machine.name, "")
            if place is not None:
                try:
                    tries = neighbours.try_all(
                        self.project.folder,
                        machine,
                        mark=self.mark,
                        own=place,
                        others=[it for it in self.places.values() if it is not place],
                        beyond=() if machine.lab.internet else self.beyond,
                    )
                except process.Interrupted:
                    raise
                except LabError as error:
                    why = error.in_words()
            offered = insecure | self._neighbours_keys(machine)
            asked = {
                user: doors.ask(
                    self.address(machine),
                    port=machine.ssh_port,
                    user=user,
                    known_as=machine.name,
                    known_hosts=self.project.folder.ssh / "known_hosts",
                    offered=offered,
                    patience=machine.patience,
                )
                for user in (machine.student.login, _ADMIN, "root")
            }
            return Probe(tries, why, asked)

        for name, (value, why) in self._each(trying, "trying", probe).items():
            self.probes[name] = value if value is not None else Probe(None, why, {})

    def _neighbours_keys(self, machine: Machine) -> dict[str, Path]:
        """The keys of the machine after this one: each machine's are tried at one other."""
        machines = self.project.machines
        after = machines[(machines.index(machine) + 1) % len(machines)]
        if after == machine:
            return {}
        paths = [after.keys.folder / f"{kind}.pub" for kind in ("student", "admin")]
        return {bare(it.read_text(encoding="utf-8")): it for it in paths if it.exists()}

    def _each(
        self, machines: Sequence[Machine], what: str, work: Callable[[Machine], _Value]
    ) -> dict[str, tuple[_Value | None, str]]:
        """What came of each machine, by name: a value, or why there is none."""
        self.observer.started(len(machines), what)

        def done(machine: Machine, result: parallel.Done[_Value]) -> None:
            if result.error is not None and not isinstance(result.error, LabError):
                raise result.error
            summary = "done" if result.error is None else result.error.message
            self.observer.done(machine.name, ok=result.error is None, summary=summary)

        try:
            ended = parallel.run_all(
                machines,
                lambda machine, _: work(machine),
                workers=self.jobs,
                on_news=lambda machine, text: self.observer.machine(machine.name, text),
                on_done=done,
            )
        finally:
            self.observer.finished()
        return {
            machine.name: (result.value, _why(result.error))
            for machine, result in zip(machines, ended, strict=True)
        }


def bare(key: str) -> str:
    """A public key without its comment."""
    return " ".join(key.split()[:2])


def _why(error: Exception | None) -> str:
    return error.in_words() if isinstance(error, LabError) else ""
