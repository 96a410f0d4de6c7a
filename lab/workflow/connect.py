"""`lab ssh` and `lab logs`: one machine from near by."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from lab.errors import MachineError, UsageError
from lab.machines import ssh
from lab.machines.providers.base import Guest
from lab.workflow.project import Project, select
from lab.workflow.records import Stage, read_record


def addresses_of(project: Project, guests: Mapping[str, Guest]) -> dict[str, str]:
    """The address of each of the project's machines that has one, by the machine's name."""
    return {
        machine.name: guests[machine.container].ip
        for machine in project.machines
        if machine.container in guests and guests[machine.container].ip
    }


def write_ssh_config(project: Project, guests: Mapping[str, Guest]) -> None:
    """Write the SSH configuration for where the provider says the machines are.

    One that boots just now, for another lab, is where it was told to be.
    """
    told = {it.name: it.known_at for it in project.machines if it.known_at}
    ssh.write_config(project.folder, project.machines, told | addresses_of(project, guests))


def ssh_command(
    project: Project, target: str, command: Sequence[str], *, admin: bool, tty: bool
) -> list[str]:
    """The `ssh` command that opens a machine, with its configuration up to date.

    Raises:
        UsageError: the target is not one machine.
        MachineError: it is not running.
    """
    machines = select(project.machines, [target])
    if len(machines) > 1:
        names = ", ".join(it.target for it in machines[:5])
        raise UsageError(
            f"{target} is more than one machine: {names}", hint=f"lab ssh {names.split(',')[0]}"
        )
    machine = machines[0]
    guests = project.provider.guests(project.prefix)
    guest = guests.get(machine.container)
    if guest is None or not guest.ip:
        state = guest.state if guest else "not there"
        raise MachineError(f"{machine.name} is {state}", hint=f"lab up {machine.target}")
    write_ssh_config(project, guests)
    alias = machine.name if admin else f"{machine.name}.student"
    return ssh.command_line(project.folder, alias, command, tty=tty and bool(command))


def not_ready(project: Project, target: str) -> str:
    """The machine as a target, where lab has noted that it is not finished; else ""."""
    [machine] = select(project.machines, [target])
    record = read_record(project.folder, machine.name)
    if record is None or record.stage is Stage.READY:
        return ""
    return machine.target


def log_tails(project: Project, targets: Sequence[str], *, lines: int) -> Iterator[tuple[str, str]]:
    """Each machine's name and the last lines of its log; a machine without a log is left out.

    Raises:
        UsageError: a target names no machine, or no machine has a log yet.
    """
    found = False
    for machine in select(project.machines, targets):
        path = project.folder.log_of(machine.name)
        if path.exists():
            found = True
            text = path.read_text(encoding="utf-8", errors="replace")
            yield f"{machine.name} ({path})", "\n".join(text.splitlines()[-lines:])
    if not found:
        raise UsageError("There is no log yet", hint="lab up writes one for each machine.")
