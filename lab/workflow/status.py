"""`lab status`: one query to the provider, and what lab noted last; no Vagrant, no SSH."""

from __future__ import annotations

from collections.abc import Sequence

from lab.classroom.results import MachineState, MachineStatus
from lab.machines.fleet import Machine
from lab.machines.providers.base import Guest
from lab.workflow.project import Project
from lab.workflow.reconcile import Found, find, strays
from lab.workflow.records import MachineRecord, Stage, all_records

_STATES = {"running": MachineState.RUNNING, "stopped": MachineState.STOPPED}


def status(project: Project, machines: Sequence[Machine], *, orphans: bool) -> list[MachineStatus]:
    """Where each machine is, in the order of labs.yaml.

    With `orphans`, then this project's machines that labs.yaml no longer names.

    Raises:
        ProcessError: the provider did not answer.
    """
    guests = project.provider.guests(project.prefix)
    rows = [_row(project, it) for it in find(project, machines, guests).values()]
    if orphans:
        records = all_records(project.folder)
        left, _ = strays(project, guests)
        rows += [
            _orphan(project, name, guests[container], records.get(name))
            for name, container in left.items()
        ]
    return rows


def _row(project: Project, found: Found) -> MachineStatus:
    machine, guest = found.machine, found.guest
    known = found.record if guest is not None else None
    stand = [it.name for it in machine.steps if known and known.steps.get(it.name) == it.digest]
    return MachineStatus(
        lab=machine.lab.name,
        login=machine.student.login,
        machine=machine.name,
        provider=project.provider.name,
        state=_state(found),
        ip=(guest.ip or None) if guest else None,
        url=machine.url if guest and not found.foreign else None,
        step=(known.failed_step if known else "") or (stand[-1] if stand else None),
        steps_done=len(stand),
        steps_total=len(machine.steps),
    )


def _state(found: Found) -> MachineState:
    guest = found.guest
    if guest is None:
        return MachineState.MISSING
    if found.foreign:
        return MachineState.UNKNOWN
    stage = found.record.stage if found.record is not None else None
    # One that stands still and has started once is being made by nobody any more.
    if stage is Stage.CREATING and not (guest.started and guest.state == "stopped"):
        return MachineState.CREATING
    if stage is Stage.FAILED and found.running:
        return MachineState.FAILED
    return _STATES.get(guest.state, MachineState.UNKNOWN)


def _orphan(
    project: Project, name: str, guest: Guest, record: MachineRecord | None
) -> MachineStatus:
    return MachineStatus(
        lab=record.lab if record else "",
        login=record.login if record else "",
        machine=name,
        provider=project.provider.name,
        state=MachineState.ORPHAN,
        ip=guest.ip or None,
        step=(record.failed_step or next(reversed([*record.steps]), None)) if record else None,
        steps_done=len(record.steps) if record else 0,
    )
