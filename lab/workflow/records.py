"""What lab notes of each machine on the host.

A memory for `status`, never the truth about the guest.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

from lab.errors import LabError
from lab.machines.fleet import Machine
from lab.system.files import LabFolder, read_json, remove, write_json


@dataclass(frozen=True, kw_only=True)
class MachineRecord:
    """What became of a machine the last time that lab worked on it.

    `box` is the one that it is a clone of.
    """

    lab: str
    login: str
    machine: str
    container: str
    box: str = ""
    ip: str = ""
    step: str = ""
    steps_done: int = 0
    failed: bool = False


def read_record(folder: LabFolder, machine: str) -> MachineRecord | None:
    """The record of a machine, None when there is none.

    Raises:
        LabError: the file is damaged.
    """
    path = folder.machine_state(machine)
    return _from(path) if path.exists() else None


def all_records(folder: LabFolder) -> dict[str, MachineRecord]:
    """The records of all machines that lab has made and not destroyed, by machine.

    Raises:
        LabError: one of the files is damaged.
    """
    paths = sorted((folder.state / "machines").glob("*.json"))
    return {path.stem: _from(path) for path in paths}


def write_record(
    folder: LabFolder,
    machine: Machine,
    *,
    ip: str = "",
    step: str = "",
    steps_done: int = 0,
    failed: bool = False,
) -> None:
    """Note what became of a machine.

    Raises:
        LabError: it cannot be written.
    """
    record = MachineRecord(
        lab=machine.lab.name,
        login=machine.student.login,
        machine=machine.name,
        container=machine.container,
        box=machine.box,
        ip=ip,
        step=step,
        steps_done=steps_done,
        failed=failed,
    )
    write_json(folder.machine_state(machine.name), asdict(record))


def forget(folder: LabFolder, machine: str) -> None:
    """Drop the record of a machine that is no more."""
    remove(folder.machine_state(machine))


def _from(path: Path) -> MachineRecord:
    data = read_json(path)
    known = MachineRecord.__dataclass_fields__
    try:
        return MachineRecord(**{name: value for name, value in data.items() if name in known})
    except TypeError as error:
        raise LabError(
            f"{path} is damaged: it does not say what it must",
            hint=f"Move it away (mv {path} {path}.damaged) and run the same command again.",
        ) from error
