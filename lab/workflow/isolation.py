"""`lab verify --isolation`: every machine tries to reach every other, and nobody else gets in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from lab.classroom.isolation import (
    IsolationFinding,
    MachineIsolation,
    Reach,
    Untried,
    nothing_evaluated,
)
from lab.classroom.results import Outcome
from lab.errors import NOT_ALL_WELL, NOTHING_EVALUATED, OK
from lab.machines.doors import INSECURE_KEYS
from lab.machines.fleet import Machine
from lab.machines.neighbours import HOST, Heard
from lab.machines.providers.base import Guest
from lab.workflow.connect import write_ssh_config
from lab.workflow.isolation_tries import BEHIND_PORTS, WORDS, Probe, Proof, bare
from lab.workflow.observer import Observer
from lab.workflow.project import Project

_ONLY_ONE = "the class has no other machine that it could try to reach"
_NOTHING_BEYOND = "this computer reaches nothing beyond itself, so that its own reach says nothing"
# Of these lab can change nothing.
_LASTING = frozenset({BEHIND_PORTS, _ONLY_ONE, _NOTHING_BEYOND})


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
        ProcessError: the provider did not answer.
        KeyboardInterrupt: somebody stopped it.
    """
    guests = project.provider.guests(project.prefix)
    write_ssh_config(project, guests)
    proof = Proof(project, guests, observer, jobs)
    proof.run(machines)
    owners = _owners(project.machines)
    return tuple(_row(proof, machine, owners) for machine in machines)


def exit_code_of(rows: Sequence[MachineIsolation]) -> int:
    """0 when all are kept apart, 4 when nothing could be tried, else 1."""
    if nothing_evaluated(rows):
        return NOTHING_EVALUATED
    return OK if all(row.outcome is Outcome.PASSED for row in rows) else NOT_ALL_WELL


def _row(proof: Proof, machine: Machine, owners: Mapping[str, str]) -> MachineIsolation:
    probe = proof.probes.get(machine.name)
    if probe is None:
        guest = proof.guests.get(machine.container)
        why = _not_asked(guest)
        return _as_row(machine, untried=[_untried(why)])
    pairs = _pairs(proof, machine, probe)
    findings, unknown = _of_itself(proof, machine, probe, owners)
    return _as_row(
        machine,
        kept_from=pairs.kept_from,
        reaches=pairs.reaches,
        unreached=pairs.unreached,
        answered=[user for user, door in probe.doors.items() if door.answered],
        findings=findings,
        untried=[*pairs.untried, *unknown],
        beyond=_beyond(proof, machine, probe),
    )


def _not_asked(guest: Guest | None) -> str:
    if guest is None:
        return "there is no such machine"
    return "where it answers is not known" if guest.state == "running" else f"it is {guest.state}"


def _untried(why: str, *, machine: str = "") -> Untried:
    return Untried(machine=machine, why=why, lasting=why in _LASTING)


def _as_row(  # noqa: PLR0913 (what there is to say of a machine)
    machine: Machine,
    *,
    kept_from: Sequence[str] = (),
    reaches: Sequence[Reach] = (),
    unreached: Sequence[str] = (),
    answered: Sequence[str] = (),
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
        unreached=tuple(unreached),
        answered=tuple(answered),
        findings=tuple(findings),
        untried=tuple(untried),
        beyond=beyond,
    )


@dataclass
class _Pairs:
    """What is known of one machine and each of the others."""

    kept_from: list[str] = field(default_factory=list)
    reaches: list[Reach] = field(default_factory=list)
    unreached: list[str] = field(default_factory=list)
    untried: list[Untried] = field(default_factory=list)


def _pairs(proof: Proof, machine: Machine, probe: Probe) -> _Pairs:
    pairs = _Pairs()
    others = [it for it in proof.project.machines if it is not machine and proof.address(it)]
    why = probe.why
    if not why and probe.tries is not None and not probe.tries.gateway:
        why = "its gateway did not answer it"
    if why:
        pairs.untried.append(_untried(why))
    if not others:
        alone = "no other machine runs that it could try to reach"
        pairs.untried.append(_untried(alone if len(proof.project.machines) > 1 else _ONLY_ONE))
    for other in others:
        deaf = proof.not_listening.get(other.name) or _deaf(proof.heard.get(other.name))
        allowed = not machine.lab.isolated and not other.lab.isolated
        if ways := _ways(proof, machine, other, probe):
            pairs.reaches.append(Reach(machine=other.name, ways=ways, allowed=allowed))
        elif deaf:
            pairs.untried.append(_untried(deaf, machine=other.name))
        elif not why:
            (pairs.unreached if allowed else pairs.kept_from).append(other.name)
    return pairs


def _ways(proof: Proof, machine: Machine, other: Machine, probe: Probe) -> tuple[str, ...]:
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
    return "" if all(word in words for word in WORDS) else "it did not hear this computer either"


def _of_itself(
    proof: Proof, machine: Machine, probe: Probe, owners: Mapping[str, str]
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
        unknown.append(_untried(_NOTHING_BEYOND))
    return [IsolationFinding(kind=kind.split()[0], text=it) for kind, it in found.items()], unknown


def _beyond(proof: Proof, machine: Machine, probe: Probe) -> bool | None:
    """Whether a machine that must not reached further than the host; None for not known."""
    if machine.lab.internet or probe.tries is None or not probe.tries.gateway:
        return None
    return bool(probe.tries.beyond) if proof.beyond else None


def _of_doors(
    machine: Machine, probe: Probe, owners: Mapping[str, str]
) -> tuple[dict[str, str], list[Untried]]:
    found: dict[str, str] = {}
    unknown = []
    for user, door in probe.doors.items():
        if door.is_another:
            found["host-key"] = "its SSH server shows another host key than the one it was given"
        elif not door.answered:
            unknown.append(_untried(f"its SSH server did not answer for {user}"))
        if door.lets_in:
            found[f"password {user}"] = f"{user} is let in without a password or a key"
        others = [method for method in door.methods if method != "publickey"]
        if others:
            found[f"password {user}"] = f"{user} may also log in by {', '.join(others)}"
        for key in door.accepted:
            found |= _of_key(machine, user, key, owners)
    return found, unknown


def _of_key(machine: Machine, user: str, key: str, owners: Mapping[str, str]) -> dict[str, str]:
    """What is wrong with a key that opens an account; nothing for one of its own."""
    if key in map(bare, INSECURE_KEYS):
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
                owners[bare(path.read_text(encoding="utf-8"))] = machine.name
    return owners
