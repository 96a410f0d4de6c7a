"""What a doctor looks at: this computer, and the class in a folder where there is one."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from lab.classroom.classes import Classroom, Student
from lab.classroom.config import load_classroom
from lab.classroom.guide import load_guide
from lab.errors import ConfigError, HostError, LabError
from lab.machines.fleet import container_prefix
from lab.machines.providers import AUTO, nearest, provider_named, untried
from lab.machines.providers.base import Guest, Provider
from lab.system.files import LabFolder, read_json
from lab.workflow.holders import all_holders
from lab.workflow.project import PROJECT_FILE
from lab.workflow.provider_choice import (
    machines_by_provider,
    provider_name,
    wanted_provider,
)


@dataclass(frozen=True, kw_only=True)
class Subject:
    """What is looked at.

    Attributes:
        labs_yaml: the file that the class is in, or would be.
        folder: lab's own beside it; None where there is no class.
        classroom: what labs.yaml says, None without one or while it is wrong.
        trouble: what is wrong with labs.yaml or a guide.
        project_id: the mark of this project in the provider's names, "" before the first `lab up`.
        provider: what boots machines here.
    """

    labs_yaml: Path
    folder: LabFolder | None
    classroom: Classroom | None
    trouble: LabError | None
    project_id: str
    provider: Provider

    @property
    def students(self) -> dict[str, Student]:
        """The students of all labs, by their machine's name."""
        labs = self.classroom.labs if self.classroom else ()
        return {student.machine_name: student for lab in labs for student in lab.students}

    @property
    def prefix(self) -> str:
        """What the provider's names of this project's machines begin with."""
        return container_prefix(self.project_id)

    def guests(self) -> dict[str, Guest]:
        """This project's guests by their machine's name; none before the first `lab up`.

        Raises:
            ProcessError: the provider did not answer.
        """
        if not self.project_id:
            return {}
        found = self.provider.guests(self.prefix)
        return {name.removeprefix(self.prefix): guest for name, guest in found.items()}


def subject_of(labs_yaml: Path, provider: Provider | None = None) -> Subject:
    """Read what there is of a class, and change nothing; what is wrong with it is no error here.

    Args:
        labs_yaml: the class.
        provider: what boots its machines; found out unless told.
    """
    labs_yaml = labs_yaml.absolute()
    folder = LabFolder(labs_yaml.parent)
    # A class without its labs.yaml has its machines all the same.
    if not labs_yaml.exists() and not folder.root.exists():
        return Subject(
            labs_yaml=labs_yaml,
            folder=None,
            classroom=None,
            trouble=None,
            project_id="",
            provider=provider or _provider_of(None, folder),
        )
    classroom, trouble = None, None
    try:
        classroom = load_classroom(labs_yaml, holders=all_holders(folder))
        for lab in classroom.labs:
            load_guide(lab.guide, project=classroom.folder)
    except LabError as error:
        trouble = error
    return Subject(
        labs_yaml=labs_yaml,
        folder=folder,
        classroom=classroom,
        trouble=trouble,
        project_id=_id_of(folder),
        provider=provider or _provider_of(classroom, folder),
    )


def _provider_of(classroom: Classroom | None, folder: LabFolder) -> Provider:
    """The class's provider, whether it works or not; where none does, the nearest."""
    wanted = AUTO
    # Labs that want different ones are a finding of their own.
    with suppress(ConfigError):
        wanted = wanted_provider(classroom) if classroom is not None else AUTO
    name = provider_name(wanted, machines_by_provider(folder))
    try:
        return provider_named(name) if name == AUTO else untried(name)
    except HostError:
        return nearest()


def _id_of(folder: LabFolder) -> str:
    try:
        return str(read_json(folder.state / PROJECT_FILE).get("id", ""))
    except LabError:
        # A damaged file is a finding of its own.
        return ""
