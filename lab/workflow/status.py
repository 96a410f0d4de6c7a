"""`lab status`: one query to the provider, and what lab noted last; no Vagrant, no SSH."""

from __future__ import annotations

from collections.abc import Sequence

from lab.classroom.results import MachineState, MachineStatus
from lab.machines.fleet import Machine
from lab.machines.providers.base import Guest
from lab.workflow.project import Project
from lab.workflow.records import MachineRecord, all_records

_STATES = {"running": MachineState.RUNNING, "stopped": MachineState.STOPPED}


def status(project: Project, machines: Sequence[Machine], *, orphans: bool) -> list[MachineStatus]:
    """Where each machine is, in the order of labs.yaml.

    With `orphans`, then this project's machines that labs.yaml no longer names.

    Raises:
        ProcessError: the provider did not answer.
        LabError: what lab noted of a machine is damaged.
    """
    guests = project.provider.guests(project.prefix)
    records = all_records(project.folder)
    rows = [
        _row(project, machine, guests.get(machine.container), records.get(machine.name))
        for machine in machines
    ]
    if orphans:
        rows += [
            _orphan(project, name, guests[container], records.get(name))
            for name, container in _orphans(project, guests).items()
        ]
    return rows


def orphans_of(project: Project) -> dict[str, str]:
    """This project's machines that labs.yaml no longer names: the provider's name by theirs."""
    return _orphans(project, project.provider.guests(project.prefix))


def _orphans(project: Project, guests: dict[str, Guest]) -> dict[str, str]:
    wanted = {machine.container for machine in project.machines}
    return {name.removeprefix(project.prefix): name for name in guests if name not in wanted}


def _row(
    project: Project, machine: Machine, guest: Guest | None, record: MachineRecord | None
) -> MachineStatus:
    state = (
        MachineState.MISSING if guest is None else _STATES.get(guest.state, MachineState.UNKNOWN)
    )
    if guest is not None and record is None:
        state = MachineState.CREATING
    elif (
        guest is not None and record is not None and record.failed and state is MachineState.RUNNING
    ):
        state = MachineState.FAILED
    return MachineStatus(
        lab=machine.lab.name,
        login=machine.student.login,
        machine=machine.name,
        provider=project.provider.name,
        state=state,
        ip=(guest.ip or None) if guest else None,
        url=machine.url if guest else None,
        step=(record.step or None) if record and guest else None,
        steps_done=record.steps_done if record and guest else 0,
        steps_total=len(machine.steps),
    )


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
        step=(record.step or None) if record else None,
        steps_done=record.steps_done if record else 0,
    )
