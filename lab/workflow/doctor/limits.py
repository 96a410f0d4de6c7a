"""Whether the class fits: what the provider says of the host's limits, against the whole roster."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence

from lab.classroom.classes import MachineSize
from lab.machines.admission import quantity
from lab.machines.health import Command, Verdict, note, ok, problem, unknown
from lab.machines.providers.base import Limit
from lab.report.layout import amount
from lab.workflow.doctor.subject import Subject

# A class of the usual size, for a computer that has no labs.yaml yet.
USUAL_CLASS = 30
# What raises a limit of the kernel, and what keeps it over a reboot.
_SYSCTL = re.compile(r"sudo (sysctl -w [a-z0-9_.]+=[0-9]+)\s*(?:\((.*)\))?")


def kernel_limits(subject: Subject) -> Verdict:
    """Whether the kernel's own limits, such as inotify's, are high enough for the class.

    They cost nothing to raise, so that is a safe fix; until the next boot.
    """
    started, short, count = _short(subject, of_kernel=True)
    if not short:
        return _enough(started, count)
    matches = [match for hint in _hints(short, started) if (match := _SYSCTL.match(hint))]
    commands = tuple(Command(argv=tuple(shlex.split(match[1])), as_root=True) for match in matches)
    found = _told(subject, short, started)
    if subject.classroom is None:
        return note(found, commands=commands)
    kept = "\n".join(match[2] for match in matches if match[2])
    return problem(
        found, why=f"systemd in a machine does not start without.\n{kept}", commands=commands
    )


def class_fits(subject: Subject) -> Verdict:
    """Whether memory, disk and addresses are enough for the machines that do not run yet.

    Without a labs.yaml: for thirty machines of the usual size, and then too little is a note.
    """
    started, short, count = _short(subject, of_kernel=False)
    if not short:
        return _enough(started, count)
    fix = "\n".join(dict.fromkeys(hint for hint in _hints(short, started) if hint))
    found = _told(subject, short, started)
    if subject.classroom is None:
        return note(found, fix=fix)
    return problem(
        found,
        why="`lab up` starts only as many as fit, when asked to: lab up --fit",
        fix=fix or "Smaller machines (`memory:` in labs.yaml), or fewer on this computer",
    )


def _short(
    subject: Subject, *, of_kernel: bool
) -> tuple[list[Mapping[str, float]], list[Limit], int]:
    """What each machine to be started needs, the limits too low for all, and of how many."""
    limits = [
        limit
        for limit in subject.provider.capacity()
        if (_SYSCTL.match(limit.hint_for(1)) is not None) == of_kernel
    ]
    needs = [subject.provider.needs(size, new=new) for size, new in _to_be_started(subject)]
    return needs, [limit for limit in limits if _needed(limit, needs) > limit.free], len(limits)


def _to_be_started(subject: Subject) -> list[tuple[MachineSize, bool]]:
    """The size of each machine that does not run, and whether it must still be made."""
    if subject.classroom is None:
        return [(MachineSize(), True)] * USUAL_CLASS
    there = subject.guests()
    return [
        (student.machine, name not in there)
        for name, student in subject.students.items()
        if name not in there or there[name].state != "running"
    ]


def _enough(started: Sequence[object], limits: int) -> Verdict:
    if not limits:
        return unknown("The provider does not say what this computer allows")
    if not started:
        return ok("all machines run")
    return ok(f"enough for {amount(len(started), 'more machine')}")


def _told(subject: Subject, short: Sequence[Limit], needs: Sequence[Mapping[str, float]]) -> str:
    lines = [
        f"{limit.name}: {amount(len(needs), 'more machine')} would take "
        f"{quantity(_needed(limit, needs), limit)}, and {quantity(limit.free, limit)} are free"
        for limit in short
    ]
    head = [f"For a class of {USUAL_CLASS}:"] if subject.classroom is None else []
    return "\n".join([*head, *lines])


def _hints(short: Sequence[Limit], needs: Sequence[Mapping[str, float]]) -> list[str]:
    return [limit.hint_for(_needed(limit, needs)) for limit in short]


def _needed(limit: Limit, needs: Sequence[Mapping[str, float]]) -> float:
    return sum(it.get(limit.name, 0) for it in needs)
