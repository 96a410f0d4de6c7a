"""A class stays with the provider that it has machines with."""

from __future__ import annotations

from dataclasses import replace

import pytest

from lab.errors import USAGE, HostError, UsageError
from lab.machines.providers.base import Provider
from lab.workflow import provider_choice as module
from lab.workflow.project import Project
from lab.workflow.provider_choice import choose_provider, machines_by_provider, provider_beside
from lab.workflow.records import new_record, write_record
from tests.unit.conftest import FakeProvider

FORGETS = (
    "Where lxc will never be on this computer again, this forgets the machines: "
    "rm -r .lab/state/machines .vagrant"
)


@pytest.fixture(autouse=True)
def broken(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Every provider works but these; `auto` is lxc where that works, else libvirt."""
    names: set[str] = set()

    def named(name: str) -> Provider:
        if name == "auto":
            name = "libvirt" if "lxc" in names else "lxc"
        if name in names:
            raise HostError(f"{name} does not work", hint=f"mend {name}")
        return FakeProvider(name=name)

    monkeypatch.setattr(module, "provider_named", named)
    monkeypatch.setattr(module, "PROVIDERS", ("lxc", "libvirt", "virtualbox"))
    return names


def wanting(project: Project, provider: str) -> Project:
    labs = tuple(it.model_copy(update={"provider": provider}) for it in project.classroom.labs)
    return replace(project, classroom=project.classroom.model_copy(update={"labs": labs}))


def made(project: Project, login: str, provider: str) -> None:
    [machine] = [it for it in project.machines if it.student.login == login]
    write_record(project.folder, replace(new_record(machine), provider=provider))


def chosen(project: Project, *, for_boot: bool = True) -> str:
    return choose_provider(project.classroom, project.folder, for_boot=for_boot).name


def test_a_class_without_machines_has_what_labs_yaml_names(project: Project) -> None:
    assert chosen(wanting(project, "auto")) == "lxc"
    assert chosen(wanting(project, "libvirt")) == "libvirt"


def test_auto_stays_with_the_provider_of_the_machines(project: Project, broken: set[str]) -> None:
    made(project, "ana", "libvirt")
    assert chosen(wanting(project, "auto")) == "libvirt"


def test_auto_does_not_turn_to_another_on_a_bad_morning(project: Project, broken: set[str]) -> None:
    for login in ("ana", "luis"):
        made(project, login, "lxc")
    broken.add("lxc")
    with pytest.raises(HostError) as caught:
        chosen(wanting(project, "auto"), for_boot=False)
    assert caught.value == HostError(
        "lxc does not work",
        details="This class has 2 machines with lxc, and stays with it.",
        hint=f"mend lxc\n{FORGETS}",
    )


def test_another_provider_is_refused_while_there_are_machines(project: Project) -> None:
    made(project, "ana", "lxc")
    with pytest.raises(UsageError) as caught:
        chosen(wanting(project, "libvirt"))
    assert caught.value.exit_code == USAGE
    assert caught.value == UsageError(
        "labs.yaml says `provider: libvirt`, and this class has machines with another",
        details="lxc: hello-ana",
        hint="To keep them, write `provider: lxc`.\n"
        f"To make them anew, without what is on them: lab destroy --yes && lab up\n{FORGETS}",
    )


def test_what_makes_no_machines_serves_those_that_there_are(project: Project) -> None:
    made(project, "ana", "lxc")
    assert chosen(wanting(project, "libvirt"), for_boot=False) == "lxc"


def test_machines_of_earlier_versions_are_lxc_s(project: Project) -> None:
    made(project, "ana", "lxc")
    path = project.folder.machine_state("hello-ana")
    path.write_text(path.read_text().replace('"provider": "lxc",', ""))
    assert machines_by_provider(project.folder) == {"lxc": {"hello-ana"}}


def test_where_lab_s_notes_are_lost_vagrant_s_tell(project: Project) -> None:
    note = project.path / ".vagrant/machines/hello-ana/libvirt/id"
    note.parent.mkdir(parents=True)
    note.write_text("0f2a-uuid")
    assert machines_by_provider(project.folder) == {"libvirt": {"hello-ana"}}


def test_a_machine_that_somebody_had_here_before_lab_is_not_the_class_s(project: Project) -> None:
    note = project.path / ".vagrant/machines/default/virtualbox/id"
    note.parent.mkdir(parents=True)
    note.write_text("0f2a-uuid")
    assert machines_by_provider(project.folder) == {}


def test_a_machine_beside_the_class_s_is_of_their_provider(project: Project) -> None:
    assert provider_beside(project.folder, "auto").name == "lxc"
    made(project, "ana", "libvirt")
    assert provider_beside(project.folder, "auto").name == "libvirt"
    assert provider_beside(project.folder, "lxc").name == "lxc"
