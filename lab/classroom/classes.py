"""A class as the rest of lab sees it: frozen, complete, every default merged."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import SecretStr

from lab.classroom.fields import Frozen


class MachineSize(Frozen):
    """What a machine has."""

    cpus: int = 1
    memory_mb: int = 512
    disk_gb: int = 8


class GuestSettings(Frozen):
    """What guests get from the teacher's computer; `host` means "as it is on this computer"."""

    ca_certificates: Literal["host"] | Path | None = None
    apt_mirror: str | None = None
    pip_index: SecretStr | None = None
    proxy: SecretStr | None = None


class Student(Frozen):
    """A person with a machine; in `vars` their own lie over the lab's.

    `email` and `id_number` are byte for byte as the roster has them, "" for none.
    """

    login: str
    name: str
    email: str
    vhost: str
    machine: MachineSize
    vars: dict[str, str]
    machine_name: str
    id_number: str = ""


class Lab(Frozen):
    """A guide given to students; `domain` is empty when a `vhost:` template does without.

    `isolated` keeps each machine from those of other students; `internet` lets machines reach
    further than the computer that they run on.
    """

    name: str
    guide: str
    box: str
    provider: str
    domain: str
    machine: MachineSize
    vars: dict[str, str]
    guest: GuestSettings
    students: tuple[Student, ...]
    lang: str | None = None
    isolated: bool = True
    internet: bool = True


class Classroom(Frozen):
    """Everything that a labs.yaml says; `path` is that file, absolute.

    `notes` are what is worth a look on its rosters, each with its place, and `warnings` whose
    machine is somebody else's now, or is left.
    """

    path: Path
    labs: tuple[Lab, ...]
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def folder(self) -> Path:
        """Where labs.yaml stands, with `.lab/`, rosters and the teacher's own guides beside it."""
        return self.path.parent
