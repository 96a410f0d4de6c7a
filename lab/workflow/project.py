"""A project: labs.yaml with its machines, the provider that boots them, and lab's own folder."""

from __future__ import annotations

import difflib
import fnmatch
import re
import secrets
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol, TypeVar

from lab.classroom.classes import Classroom, Lab, Student
from lab.classroom.config import load_classroom
from lab.classroom.guide import load_guide
from lab.errors import LabError, UsageError
from lab.machines.fleet import Machine, build_machine, container_prefix
from lab.machines.keys import MachineKeys, ensure_keys, read_keys
from lab.machines.providers.base import Provider
from lab.machines.steps import read_contents
from lab.system.files import LabFolder, read_json, write_json
from lab.workflow.holders import all_holders
from lab.workflow.provider_choice import choose_provider
from lab.workflow.records import all_records

PROJECT_FILE = "project.json"


class Named(Protocol):
    """What a target can name: a machine, or a student's place in a lab."""

    @property
    def name(self) -> str:
        """What Vagrant calls the machine."""

    @property
    def lab(self) -> Lab:
        """The lab."""

    @property
    def student(self) -> Student:
        """The student."""


_Named = TypeVar("_Named", bound=Named)


@dataclass(frozen=True, kw_only=True)
class Project:
    """All that a workflow needs to know.

    `machines` are those of labs.yaml, in its order; `moved_from` is the folder that the project was
    in when it was last worked on, where that is another one, else "".
    """

    id: str
    classroom: Classroom
    folder: LabFolder
    provider: Provider
    machines: tuple[Machine, ...]
    moved_from: str = ""

    @property
    def path(self) -> Path:
        """The folder of labs.yaml."""
        return self.classroom.folder

    @property
    def prefix(self) -> str:
        """What the provider's names of this project's machines begin with."""
        return container_prefix(self.id)


def open_project(labs_yaml: Path, *, for_boot: bool = False) -> Project:
    """The project of a labs.yaml.

    Args:
        labs_yaml: its path.
        for_boot: whether machines may be made, so that `.lab/` and SSH keys are made too.

    Raises:
        ConfigError: labs.yaml, a roster or a guide is wrong.
        UsageError: machines may be made, and the class has machines with another provider.
        HostError: the provider does not work on this host.
    """
    folder = LabFolder(labs_yaml.absolute().parent)
    classroom = load_classroom(labs_yaml, holders=all_holders(folder))
    guides = {lab.name: load_guide(lab.guide, project=classroom.folder) for lab in classroom.labs}
    contents = {name: read_contents(guide) for name, guide in guides.items()}
    provider = choose_provider(classroom, folder, for_boot=for_boot)
    if for_boot:
        folder.create()
    project_id, moved_from = _project_id(folder, create=for_boot)
    machines = [
        build_machine(
            lab,
            student,
            guides[lab.name],
            project_id=project_id,
            provider=provider,
            keys=_keys_of(student, folder, for_boot=for_boot),
            contents=contents[lab.name],
        )
        for lab in classroom.labs
        for student in lab.students
    ]
    # A machine stays a clone of the box that it was made of.
    boxes = {name: record.box for name, record in all_records(folder).items() if record.box}
    machines = [replace(it, box=boxes.get(it.name, it.box)) for it in machines]
    return Project(
        id=project_id,
        classroom=classroom,
        folder=folder,
        provider=provider,
        machines=tuple(machines),
        moved_from=moved_from,
    )


def select(machines: Sequence[_Named], targets: Sequence[str]) -> tuple[_Named, ...]:
    """The machines that are meant: all for no target, else those of each target.

    A target is a `LAB`, a `LOGIN`, a `LAB/LOGIN` or a glob.

    Raises:
        UsageError: a target names no machine; with what comes near.
    """
    if not targets:
        return tuple(machines)
    chosen: set[str] = set()
    for target in targets:
        found = {machine.name for machine in machines if _matches(machine, target)}
        if not found:
            raise _no_such_target(machines, target)
        chosen |= found
    return tuple(machine for machine in machines if machine.name in chosen)


def _matches(machine: Named, target: str) -> bool:
    lab, login = machine.lab.name, machine.student.login
    names = (f"{lab}/{login}",) if "/" in target else (lab, login, machine.name)
    return any(fnmatch.fnmatchcase(name, target) for name in names)


def _no_such_target(machines: Sequence[Named], target: str) -> UsageError:
    known = {
        name
        for it in machines
        for name in (it.lab.name, it.student.login, f"{it.lab.name}/{it.student.login}")
    }
    near = difflib.get_close_matches(target, known, n=1)
    return UsageError(
        f"No lab and no student is called {target!r}"
        + (f"; did you mean {near[0]}?" if near else ""),
        hint="`lab status` lists them; "
        "a target is LAB, LOGIN, LAB/LOGIN or a pattern such as 'a*'.",
    )


def _project_id(folder: LabFolder, *, create: bool) -> tuple[str, str]:
    """The mark of this project in the provider's names, and the folder that it was moved from.

    The mark is made once, and moves with the folder.

    Raises:
        UsageError: the folder is a copy of one whose machines these are.
        LabError: the note of it is damaged, and nothing else tells it.
    """
    here = str(folder.project.resolve())
    project_id, folders, noted = _identity(folder)
    if not project_id:
        if not create:
            return "none", ""
        project_id = secrets.token_hex(3)
    others = [path for path in folders if path != here]
    for other in others:
        _refuse_copy(folder, other, project_id)
    if create and (others or not noted):
        write_json(folder.state / PROJECT_FILE, {"id": project_id, "path": here})
    return project_id, others[0] if others else ""


def _identity(folder: LabFolder) -> tuple[str, list[str], bool]:
    """A project's mark, "" for none yet, where it was worked on, and whether project.json says so.

    Where project.json is lost or damaged, what lab and Vagrant noted of the machines tells it: else
    the whole class would be left behind as nobody's machines.

    Raises:
        LabError: project.json is damaged, and nothing else tells the mark.
    """
    known, damage = {}, None
    try:
        known = read_json(folder.state / PROJECT_FILE)
    except LabError as error:
        damage = error
    if known.get("id"):
        return str(known["id"]), [str(known["path"])] if known.get("path") else [], True
    project = folder.project
    names = [
        *project.glob(".vagrant/machines/*/*/id"),
        *(folder.state / "machines").glob("*.json"),
    ]
    marks = _in_files(names, r"\blab-([0-9a-f]{6})-")
    if not marks:
        if damage is not None:
            raise damage
        return "", [], False
    folders = [
        *_in_files(project.glob(".vagrant/machines/*/*/vagrant_cwd"), r"\A(/[^\0]*)"),
        *_in_files([folder.ssh / "config"], r'UserKnownHostsFile "?(/[^\0\n]+)/\.lab/'),
    ]
    resolved = dict.fromkeys(str(Path(path).resolve()) for path in folders)
    return marks[0], list(resolved), False


def _in_files(paths: Iterable[Path], pattern: str) -> list[str]:
    """What a pattern finds in files; those that cannot be read are left out."""
    found = []
    for path in paths:
        with suppress(OSError):
            text = path.read_text(encoding="utf-8", errors="replace")
            if match := re.search(pattern, text):
                found.append(match[1].strip())
    return found


def _refuse_copy(folder: LabFolder, other: str, project_id: str) -> None:
    """A folder that was moved keeps its machines; one that was copied has none of its own yet."""
    if _identity(LabFolder(Path(other)))[0] == project_id:
        notes = [it for it in (folder.root, folder.project / ".vagrant") if it.exists()]
        raise UsageError(
            f"This folder is a copy of {other}, whose machines these are",
            hint="Work there; or make this one a class of its own: "
            f"rm -r {' '.join(map(str, notes))}",
        )


def _keys_of(student: Student, folder: LabFolder, *, for_boot: bool) -> MachineKeys:
    keys_folder = folder.ssh / student.machine_name
    if for_boot:
        return ensure_keys(keys_folder, hostname=student.machine_name)
    return read_keys(keys_folder)
