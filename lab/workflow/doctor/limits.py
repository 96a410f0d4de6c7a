"""Whether the class fits: what the provider says of the host's limits, against the whole roster."""

from __future__ import annotations

import shlex
from collections.abc import Mapping

from lab.classroom.classes import MachineSize
from lab.machines.health import Command, Verdict, note, ok, problem, unknown
from lab.machines.providers.base import Limit
from lab.report.layout import amount
from lab.workflow.admission import quantity
from lab.workflow.doctor.subject import Subject

_SYSCTL = "sudo sysctl -w "
# A class of the usual size, for a computer that has no labs.yaml yet.
_USUAL_CLASS = 30


def class_fits(subject: Subject) -> Verdict:
    """Whether every limit is enough for the machines of labs.yaml that do not run yet.

    Without a labs.yaml: for thirty machines of the usual size, and then too little is a note.
    """
    started = _to_be_started(subject)
    limits = subject.provider.capacity()
    if not limits:
        return unknown("The provider does not say what this computer has")
    needs = [subject.provider.needs(size, new=new) for size, new in started]
    short = [limit for limit in limits if _needed(limit, needs) > limit.free]
    if not short:
        return ok(f"{amount(len(started), 'machine')} more can be started")
    found = "\n".join(
        f"{limit.name}: {amount(len(started), 'machine')} more need "
        f"{quantity(_needed(limit, needs), limit)}, {quantity(limit.free, limit)} are free"
        for limit in short
    )
    hints = [limit.hint_for(_needed(limit, needs)) for limit in short]
    commands = tuple(command for hint in hints if (command := _safe(hint)) is not None)
    # Half of a fix would look like all of it.
    commands = commands if len(commands) == len(short) else ()
    fix = "\n".join(dict.fromkeys(hint for hint in hints if hint))
    if subject.classroom is None:
        return note(f"For a class of {_USUAL_CLASS}: {found}", fix=fix, commands=commands)
    return problem(
        found,
        why="`lab up` starts only as many as fit, when asked to (lab up --fit).",
        fix=fix or "Smaller machines (`memory:` in labs.yaml), or fewer on this computer",
        commands=commands,
    )


def _to_be_started(subject: Subject) -> list[tuple[MachineSize, bool]]:
    """The size of each machine that does not run, and whether it must still be made."""
    if subject.classroom is None:
        return [(MachineSize(), True)] * _USUAL_CLASS
    there = subject.guests()
    return [
        (student.machine, name not in there)
        for name, student in subject.students.items()
        if name not in there or there[name].state != "running"
    ]


def _needed(limit: Limit, needs: list[Mapping[str, float]]) -> float:
    return sum(it.get(limit.name, 0) for it in needs)


def _safe(hint: str) -> Command | None:
    """The hint as a command, where it raises a limit of the kernel and nothing else."""
    if not hint.startswith(_SYSCTL) or "\n" in hint:
        return None
    return Command(argv=tuple(shlex.split(hint)[1:]), as_root=True)
