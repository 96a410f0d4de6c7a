"""What lab notes of each machine on the host.

A memory for `status` and `plan`. Of the steps, what the guest says itself is believed before it.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from pathlib import Path

from lab.errors import LabError
from lab.machines.fleet import Machine
from lab.system.files import LabFolder, read_json, remove, write_json


class Stage(StrEnum):
    """How far lab came with a machine the last time.

    Noted before it is begun (`creating`), so that who comes after a crash knows whose it is.
    """

    CREATING = "creating"
    BOOTED = "booted"
    READY = "ready"
    FAILED = "failed"


@dataclass(frozen=True, kw_only=True)
class MachineRecord:
    """What became of a machine the last time that lab worked on it.

    Attributes:
        lab: its lab.
        login: its student.
        machine: what Vagrant calls it.
        container: what the provider calls it.
        provider: what boots it; earlier versions of lab had lxc only, and did not note it.
        box: the Vagrant box that it is a clone of, which may be a bake.
        made_of: the box that labs.yaml named when it was made.
        size: its share of the host and what it may reach, as of its last boot, in words.
        ip: its address.
        stage: how far lab came.
        failed_step: the step that failed, "" where it was not a step that did.
        steps: the digest of each step that stood.
        variables: a short digest of each variable that the steps had.
        name: the student's. This and the next two tell who has the login where the note of all
            logins (`lab.workflow.holders`) was lost.
        email: theirs, "" for none.
        id_number: theirs, "" for none.
    """

    lab: str
    login: str
    machine: str
    container: str
    provider: str = "lxc"
    box: str = ""
    made_of: str = ""
    size: str = ""
    ip: str = ""
    stage: Stage = Stage.CREATING
    failed_step: str = ""
    steps: Mapping[str, str] = field(default_factory=dict)
    variables: Mapping[str, str] = field(default_factory=dict)
    name: str = ""
    email: str = ""
    id_number: str = ""


def new_record(machine: Machine) -> MachineRecord:
    """The record of a machine that is about to be made."""
    return MachineRecord(
        lab=machine.lab.name,
        login=machine.student.login,
        machine=machine.name,
        container=machine.container,
        provider=machine.provider,
        box=machine.box,
        made_of=machine.lab.box,
        name=machine.student.name,
        email=machine.student.email,
        id_number=machine.student.id_number,
    )


def read_record(folder: LabFolder, machine: str) -> MachineRecord | None:
    """The record of a machine; None when there is none, or none that can be read."""
    return _from(folder.machine_state(machine))


def all_records(folder: LabFolder) -> dict[str, MachineRecord]:
    """The records of all machines that lab has made and not destroyed, by machine.

    One that cannot be read is left out: the next `up` writes it anew, from what the guest says.
    """
    paths = sorted((folder.state / "machines").glob("*.json"))
    return {path.stem: record for path in paths if (record := _from(path)) is not None}


def write_record(folder: LabFolder, record: MachineRecord) -> None:
    """Note what became of a machine.

    Raises:
        LabError: it cannot be written.
    """
    write_json(folder.machine_state(record.machine), asdict(record))


def forget(folder: LabFolder, machine: str) -> None:
    """Drop the record of a machine that is no more."""
    remove(folder.machine_state(machine))


def _from(path: Path) -> MachineRecord | None:
    known = MachineRecord.__dataclass_fields__
    # No more than a memory: a disk that failed must not keep a class from its machines.
    with suppress(LabError, TypeError, ValueError):
        data = {name: value for name, value in read_json(path).items() if name in known}
        if data:
            return MachineRecord(**{**data, "stage": Stage(data.get("stage", Stage.CREATING))})
    return None
