"""Whether the class fits: what the provider says of the host's limits, against the whole roster."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence

from lab.classroom.classes import MachineSize
from lab.machines.admission import Use, use_of
from lab.machines.health import Command, Verdict, note, ok, problem, unknown
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
    uses = _uses(subject, of_kernel=True)
    short = _short(uses)
    if not short:
        return _enough(uses)
    matches = [match for hint in _hints(short) if (match := _SYSCTL.match(hint))]
    commands = tuple(Command(argv=tuple(shlex.split(match[1])), as_root=True) for match in matches)
    found = _told(subject, short)
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
    uses = _uses(subject, of_kernel=False)
    short = _short(uses)
    if not short:
        return _enough(uses)
    fix = "\n".join(dict.fromkeys(hint for hint in _hints(short) if hint))
    found = _told(subject, short)
    if subject.classroom is None:
        return note(found, fix=fix)
    return problem(
        found,
        why="`lab up` starts only as many as fit, when asked to: lab up --fit",
        fix=fix or "Smaller machines (`memory:` in labs.yaml), or fewer on this computer",
    )


def _uses(subject: Subject, *, of_kernel: bool) -> list[Use]:
    """What the machines to be started need of the kernel's limits, or of the others."""
    limits = [
        limit
        for limit in subject.provider.capacity()
        if (_SYSCTL.match(limit.hint_for(1)) is not None) == of_kernel
    ]
    needs = [subject.provider.needs(size, new=new) for size, new in _to_be_started(subject)]
    return [use_of(limit, [it.get(limit.name, 0) for it in needs]) for limit in limits]


def _short(uses: Sequence[Use]) -> list[Use]:
    return [use for use in uses if use.fit < use.of]


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


def _enough(uses: Sequence[Use]) -> Verdict:
    if not uses:
        return unknown("The provider does not say what this computer allows")
    if not uses[0].of:
        return ok("all machines run")
    return ok(f"enough for {amount(uses[0].of, 'more machine')}")


def _told(subject: Subject, short: Sequence[Use]) -> str:
    head = [f"For a class of {USUAL_CLASS}:"] if subject.classroom is None else []
    return "\n".join([*head, *map(str, short)])


def _hints(short: Sequence[Use]) -> list[str]:
    return [use.limit.hint_for(use.needed) for use in short]
