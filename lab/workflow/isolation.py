"""`lab verify --isolation`: every machine tries to reach every other, and nobody else gets in."""

from __future__ import annotations

import secrets
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from lab.classroom.isolation import (
    IsolationFinding,
    MachineIsolation,
    Reach,
    Untried,
    nothing_evaluated,
)
from lab.classroom.results import Outcome
from lab.errors import NOT_ALL_WELL, NOTHING_EVALUATED, OK, LabError, UsageError
from lab.machines import logins, neighbours
from lab.machines.fleet import Machine
from lab.machines.neighbours import HOST, Heard, Listener, Place, Tries
from lab.machines.providers.base import Guest
from lab.system import parallel, process
from lab.workflow.connect import write_ssh_config
from lab.workflow.observer import Observer
from lab.workflow.project import Project

# A guest that nobody asks any more stops listening by itself.
_LISTENS_S = 300.0
_LISTENS_PER_MACHINE_S = 10.0
_WORDS = ("first", "last")
_ADMIN = "vagrant"
_BEHIND_PORTS = "it has a network of its own, which only ports of this computer lead to"

_Value = TypeVar("_Value")


@dataclass(frozen=True)
class _Probe:
    """What one machine was found to be from outside and in.

    Attributes:
        tries: what it reached, as far as it knows; None where it could not be asked.
        why: why not, "" where it could.
        doors: its accounts' doors, by user.
    """

    tries: Tries | None
    why: str
    doors: Mapping[str, logins.Door]


@dataclass
class _Proof:
    """One proof: where all machines are, and what they said, by name."""

    project: Project
    guests: Mapping[str, Guest]
    observer: Observer
    jobs: int
    mark: str = field(default_factory=lambda: secrets.token_hex(8))
    places: dict[str, Place] = field(default_factory=dict)
    not_listening: dict[str, str] = field(default_factory=dict)
    probes: dict[str, _Probe] = field(default_factory=dict)
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
        neighbours.speak(addresses, mark=self.mark, word=_WORDS[0])
        with tempfile.TemporaryDirectory() as folder:
            self._try(trying, Path(folder))
        neighbours.speak(addresses, mark=self.mark, word=_WORDS[1])
        ended = self._each(
            listening,
            "asking what arrived",
            lambda it: neighbours.hear(
                self.project.folder, it, mark=self.mark, patience=self._patience
            ),
        )
        self.heard = {name: value for name, (value, _) in ended.items() if value is not None}

    def address(self, machine: Machine) -> str:
        """Where a machine runs, "" where it does not."""
        guest = self.guests.get(machine.container)
        return guest.ip if guest is not None and guest.state == "running" else ""

    @property
    def _patience(self) -> float:
        return self.project.provider.patience

    def _listen(self, running: Sequence[Machine]) -> None:
        lasts_s = _LISTENS_S + _LISTENS_PER_MACHINE_S * len(running)

        def listen(machine: Machine) -> Listener:
            return neighbours.listen(
                self.project.folder,
                machine,
                mark=self.mark,
                address=self.address(machine),
                lasts_s=lasts_s * self._patience,
                patience=self._patience,
            )

        reachable = [it for it in running if not it.ports]
        ended = self._each(reachable, "listening", listen)
        for number, machine in enumerate(running):
            listener, why = ended.get(machine.name, (None, _BEHIND_PORTS))
            if listener is None:
                self.not_listening[machine.name] = why
            else:
                self.places[machine.name] = Place(
                    number=number, address=self.address(machine), listener=listener
                )

    def _try(self, trying: Sequence[Machine], folder: Path) -> None:
        """Have machines try all others, and see whom they let in."""
        insecure = logins.write_keys(logins.INSECURE_KEYS, folder)

        def probe(machine: Machine) -> _Probe:
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
                        patience=self._patience,
                    )
                except process.Interrupted:
                    raise
                except LabError as error:
                    why = error.in_words()
            offered = insecure | self._neighbours_keys(machine)
            doors = {
                user: logins.ask(
                    self.address(machine),
                    port=machine.ssh_port,
                    user=user,
                    known_as=machine.name,
                    known_hosts=self.project.folder.ssh / "known_hosts",
                    offered=offered,
                    patience=self._patience,
                )
                for user in (machine.student.login, _ADMIN, "root")
            }
            return _Probe(tries, why, doors)

        for name, (value, why) in self._each(trying, "trying", probe).items():
            self.probes[name] = value if value is not None else _Probe(None, why, {})

    def _neighbours_keys(self, machine: Machine) -> dict[str, Path]:
        """The keys of the machine after this one: each machine's are tried at one other."""
        machines = self.project.machines
        after = machines[(machines.index(machine) + 1) % len(machines)]
        if after == machine:
            return {}
        paths = [after.keys.folder / f"{kind}.pub" for kind in ("student", "admin")]
        return {_bare(it.read_text(encoding="utf-8")): it for it in paths if it.exists()}

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


def prove_isolation(
    project: Project, machines: Sequence[Machine], *, observer: Observer, jobs: int
) -> tuple[MachineIsolation, ...]:
    """What each machine reaches of the project's machines that run, and whom it lets in.

    Args:
        project: whose machines.
        machines: those that try.
        observer: told of the progress.
        jobs: how many machines at a time.

    Raises:
        UsageError: the provider's machines have no addresses of their own that could be tried.
        ProcessError: the provider did not answer.
        KeyboardInterrupt: somebody stopped it.
    """
    if any(machine.ports for machine in project.machines):
        raise UsageError(
            f"lab cannot try what machines of {project.provider.name} reach of each other",
            hint="They are behind ports of this computer; docs/providers.md says what keeps them "
            "apart.",
        )
    guests = project.provider.guests(project.prefix)
    write_ssh_config(project, guests)
    proof = _Proof(project, guests, observer, jobs)
    proof.run(machines)
    owners = _owners(project.machines)
    return tuple(_row(proof, machine, owners) for machine in machines)


def exit_code_of(rows: Sequence[MachineIsolation]) -> int:
    """0 when all are kept apart, 4 when nothing could be tried, else 1."""
    if nothing_evaluated(rows):
        return NOTHING_EVALUATED
    return OK if all(row.outcome is Outcome.PASSED for row in rows) else NOT_ALL_WELL


def _row(proof: _Proof, machine: Machine, owners: Mapping[str, str]) -> MachineIsolation:
    probe = proof.probes.get(machine.name)
    if probe is None:
        guest = proof.guests.get(machine.container)
        why = f"it is {guest.state}" if guest else "there is no such machine"
        return _as_row(machine, untried=[Untried(machine="", why=why)])
    pairs = _pairs(proof, machine, probe)
    findings, unknown = _of_itself(proof, machine, probe, owners)
    return _as_row(
        machine,
        kept_from=pairs.kept_from,
        reaches=pairs.reaches,
        findings=findings,
        untried=[*pairs.untried, *unknown],
        beyond=_beyond(proof, machine, probe),
    )


def _as_row(
    machine: Machine,
    *,
    kept_from: Sequence[str] = (),
    reaches: Sequence[Reach] = (),
    findings: Sequence[IsolationFinding] = (),
    untried: Sequence[Untried] = (),
    beyond: bool | None = None,
) -> MachineIsolation:
    return MachineIsolation(
        lab=machine.lab.name,
        login=machine.student.login,
        machine=machine.name,
        isolated=machine.lab.isolated,
        internet=machine.lab.internet,
        kept_from=tuple(kept_from),
        reaches=tuple(reaches),
        findings=tuple(findings),
        untried=tuple(untried),
        beyond=beyond,
    )


@dataclass
class _Pairs:
    """What is known of one machine and each of the others."""

    kept_from: list[str] = field(default_factory=list)
    reaches: list[Reach] = field(default_factory=list)
    untried: list[Untried] = field(default_factory=list)


def _pairs(proof: _Proof, machine: Machine, probe: _Probe) -> _Pairs:
    pairs = _Pairs()
    others = [it for it in proof.project.machines if it is not machine and proof.address(it)]
    why = probe.why
    if not why and probe.tries is not None and not probe.tries.gateway:
        why = "its gateway did not answer it"
    if why:
        pairs.untried.append(Untried(machine="", why=why))
    if not others:
        alone = "no other machine runs that it could try to reach"
        pairs.untried.append(Untried(machine="", why=alone))
    for other in others:
        deaf = proof.not_listening.get(other.name) or _deaf(proof.heard.get(other.name))
        if ways := _ways(proof, machine, other, probe):
            allowed = not machine.lab.isolated and not other.lab.isolated
            pairs.reaches.append(Reach(machine=other.name, ways=ways, allowed=allowed))
        elif deaf:
            pairs.untried.append(Untried(machine=other.name, why=deaf))
        elif not why:
            pairs.kept_from.append(other.name)
    return pairs


def _ways(proof: _Proof, machine: Machine, other: Machine, probe: _Probe) -> tuple[str, ...]:
    """By which ways one machine reached another, by what it knows and what arrived there."""
    own, its = proof.places.get(machine.name), proof.places.get(other.name)
    if own is None or its is None:
        return ()
    ways = []
    heard = proof.heard.get(other.name)
    if heard is not None:
        ways += ["arp"] if own.address in heard.looked else []
        ways += heard.ways.get(str(own.number), ())
    if probe.tries is not None:
        ways += [f"tcp {port}" for port in probe.tries.opened.get(its.number, ())]
    return tuple(ways)


def _deaf(heard: Heard | None) -> str:
    """Why nothing follows from what a machine did not hear, "" where something does."""
    if heard is None:
        return "it could not be asked what arrived"
    words = heard.ways.get(HOST, ())
    return "" if all(word in words for word in _WORDS) else "it did not hear this computer either"


def _of_itself(
    proof: _Proof, machine: Machine, probe: _Probe, owners: Mapping[str, str]
) -> tuple[list[IsolationFinding], list[Untried]]:
    """What is wrong with a machine by itself, and what nobody knows of it."""
    found, unknown = _of_doors(machine, probe, owners)
    place = proof.places.get(machine.name)
    for user, key in place.listener.keys if place else ():
        found |= _of_key(machine, user, key, owners)
    if _beyond(proof, machine, probe):
        doors = ", ".join(probe.tries.beyond if probe.tries else ())
        found["internet"] = f"it reaches {doors}, and labs.yaml says `internet: off`"
    elif not machine.lab.internet and not proof.beyond:
        why = "this computer reaches nothing beyond itself, so that its own reach says nothing"
        unknown.append(Untried(machine="", why=why))
    return [IsolationFinding(kind=kind.split()[0], text=it) for kind, it in found.items()], unknown


def _beyond(proof: _Proof, machine: Machine, probe: _Probe) -> bool | None:
    """Whether a machine that must not reached further than the host; None for not known."""
    if machine.lab.internet or probe.tries is None or not probe.tries.gateway:
        return None
    return bool(probe.tries.beyond) if proof.beyond else None


def _of_doors(
    machine: Machine, probe: _Probe, owners: Mapping[str, str]
) -> tuple[dict[str, str], list[Untried]]:
    found: dict[str, str] = {}
    unknown = []
    for user, door in probe.doors.items():
        if door.is_another:
            found["host-key"] = "its SSH server shows another host key than the one it was given"
        elif not door.answered:
            unknown.append(Untried(machine="", why=f"its SSH server did not answer for {user}"))
        others = [method for method in door.methods if method != "publickey"]
        if others:
            found[f"password {user}"] = f"{user} may also log in by {', '.join(others)}"
        for key in door.accepted:
            found |= _of_key(machine, user, key, owners)
    return found, unknown


def _of_key(machine: Machine, user: str, key: str, owners: Mapping[str, str]) -> dict[str, str]:
    """What is wrong with a key that opens an account; nothing for one of its own."""
    if key in map(_bare, logins.INSECURE_KEYS):
        return {f"insecure-key {user}": f"{user} takes Vagrant's insecure key, which everybody has"}
    owner = owners.get(key)
    if owner is not None and owner != machine.name:
        return {f"others-key {user} {owner}": f"{user} takes a key of {owner}"}
    return {}


def _owners(machines: Sequence[Machine]) -> dict[str, str]:
    """Whose each public key of lab's is: the machine by the key."""
    owners = {}
    for machine in machines:
        for kind in ("student", "admin"):
            path = machine.keys.folder / f"{kind}.pub"
            if path.exists():
                owners[_bare(path.read_text(encoding="utf-8"))] = machine.name
    return owners


def _bare(key: str) -> str:
    return " ".join(key.split()[:2])


def _why(error: Exception | None) -> str:
    return error.in_words() if isinstance(error, LabError) else ""
