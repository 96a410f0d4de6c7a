"""A project: what of it is made, what is only read, and whom a target means."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from lab.errors import USAGE, ConfigError, HostError, LabError, UsageError
from lab.machines.fleet import Machine
from lab.machines.providers.base import Provider
from lab.machines.ssh import write_config
from lab.workflow import provider_choice
from lab.workflow.project import Project, open_project, select
from lab.workflow.records import new_record, write_record

TWO = """
defaults: {domain: example.org, guide: tiny}
labs:
  web: {guide: tiny, domain: example.org, students: [ana, luis]}
  db: {guide: tiny, domain: example.org, students: [ana, alba]}
"""
needs_ssh_keygen = pytest.mark.skipif(
    shutil.which("ssh-keygen") is None, reason="there is no ssh-keygen on this host"
)


@pytest.fixture
def labs(classroom: Callable[..., Project], monkeypatch: pytest.MonkeyPatch) -> Path:
    """A labs.yaml with its guide, and nothing of lab's beside it."""
    made = classroom()
    shutil.rmtree(made.folder.root)
    monkeypatch.setattr(provider_choice, "provider_named", lambda _: made.provider)
    return made.classroom.path


def test_looking_at_a_project_makes_nothing(labs: Path) -> None:
    before = sorted(labs.parent.iterdir())
    found = open_project(labs)
    assert sorted(labs.parent.iterdir()) == before
    assert [machine.name for machine in found.machines] == [
        "hello-ana",
        "hello-luis",
        "hello-marta",
    ]
    assert found.prefix == "lab-none-"
    assert found.machines[0].keys.student_public == ""
    assert found.path == labs.parent


@needs_ssh_keygen
def test_a_project_keeps_its_id_and_its_keys(labs: Path) -> None:
    first = open_project(labs, for_boot=True)
    assert len(first.id) == 6
    assert first.machines[0].container == f"lab-{first.id}-hello-ana"
    for again in (open_project(labs), open_project(labs, for_boot=True)):
        assert (again.id, again.machines) == (first.id, first.machines)
    assert json.loads((labs.parent / ".lab/state/project.json").read_text()) == {
        "id": first.id,
        "path": str(labs.parent),
    }
    assert first.machines[0].keys.student_public.startswith("ssh-ed25519 ")


@needs_ssh_keygen
def test_a_copy_of_a_project_does_not_take_its_machines(labs: Path, tmp_path: Path) -> None:
    open_project(labs, for_boot=True)
    shutil.copytree(labs.parent, tmp_path / "copy")
    with pytest.raises(UsageError, match="is a copy of"):
        open_project(tmp_path / "copy" / "labs.yaml")


def worked_on(labs: Path) -> Path:
    """The folder of a class whose machine Vagrant has made."""
    first = open_project(labs, for_boot=True)
    note = labs.parent / ".vagrant/machines/hello-ana/lxc/id"
    note.parent.mkdir(parents=True)
    note.write_text(first.machines[0].container)
    (note.parent / "vagrant_cwd").write_text(str(labs.parent))
    return labs.parent


PROJECT = ".lab/state/project.json"


@needs_ssh_keygen
@pytest.mark.parametrize("lost_there", [[], [PROJECT], [".lab"]])
@pytest.mark.parametrize("lost_here", [[".lab"], [PROJECT]])
def test_a_copy_that_lacks_lab_s_notes_does_not_take_the_machines(
    labs: Path, tmp_path: Path, lost_here: list[str], lost_there: list[str]
) -> None:
    original, copy = worked_on(labs), tmp_path / "copy"
    shutil.copytree(original, copy)
    for folder, lost in ((copy, lost_here), (original, lost_there)):
        for name in lost:
            shutil.rmtree(folder / name) if name == ".lab" else (folder / name).unlink()
    for for_boot in (False, True):
        with pytest.raises(UsageError) as caught:
            open_project(copy / "labs.yaml", for_boot=for_boot)
    assert caught.value.message == f"This folder is a copy of {original}, whose machines these are"
    assert f"{copy}/.vagrant" in caught.value.hint
    assert not (copy / PROJECT).exists()


@needs_ssh_keygen
def test_a_copy_whose_note_is_damaged_does_not_take_the_machines(
    labs: Path, tmp_path: Path
) -> None:
    original, copy = worked_on(labs), tmp_path / "copy"
    shutil.copytree(original, copy)
    (copy / PROJECT).write_text('{"id": ')
    with pytest.raises(UsageError, match="is a copy of"):
        open_project(copy / "labs.yaml", for_boot=True)


@needs_ssh_keygen
def test_a_copy_of_lab_s_folder_alone_is_known_by_its_ssh_config(
    labs: Path, tmp_path: Path
) -> None:
    original, copy = worked_on(labs), tmp_path / "copy"
    project = open_project(labs)
    write_record(project.folder, new_record(project.machines[0]))
    write_config(project.folder, project.machines, {})
    shutil.copytree(original, copy)
    shutil.rmtree(copy / ".vagrant")
    (copy / PROJECT).unlink()
    with pytest.raises(UsageError, match="is a copy of"):
        open_project(copy / "labs.yaml")


@needs_ssh_keygen
def test_a_moved_project_that_lost_its_note_keeps_its_machines(labs: Path, tmp_path: Path) -> None:
    original, moved = worked_on(labs), tmp_path / "moved"
    project_id = open_project(labs).id
    original.rename(moved)
    shutil.rmtree(moved / ".lab")
    found = open_project(moved / "labs.yaml", for_boot=True)
    assert (found.id, found.moved_from) == (project_id, str(original))
    again = open_project(moved / "labs.yaml")
    assert (again.id, again.moved_from) == (project_id, "")


@needs_ssh_keygen
def test_a_project_that_lost_its_note_where_it_is_keeps_its_machines(labs: Path) -> None:
    folder = worked_on(labs)
    project_id = open_project(labs).id
    (folder / PROJECT).unlink()
    found = open_project(labs, for_boot=True)
    assert (found.id, found.moved_from) == (project_id, "")
    assert json.loads((folder / PROJECT).read_text()) == {"id": project_id, "path": str(folder)}


def test_a_moved_project_keeps_its_machines(labs: Path, tmp_path: Path) -> None:
    first = open_project(labs, for_boot=True)
    labs.parent.rename(tmp_path / "moved")
    assert open_project(tmp_path / "moved" / "labs.yaml").prefix == first.prefix
    assert open_project(tmp_path / "moved" / "labs.yaml").prefix == first.prefix


@pytest.mark.usefixtures("labs")
def test_what_the_provider_lacks_is_the_project_s_lack(
    labs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lacking(name: str) -> Provider:
        raise HostError(f"no {name}")

    monkeypatch.setattr(provider_choice, "provider_named", lacking)
    with pytest.raises(HostError, match="no auto"):
        open_project(labs)


def test_labs_on_different_providers_are_refused(labs: Path) -> None:
    lab = "{guide: tiny, domain: a.org, students: [ana], provider: %s}"
    labs.write_text(f"labs:\n  a: {lab % 'lxc'}\n  b: {lab % 'libvirt'}\n")
    with pytest.raises(ConfigError) as caught:
        open_project(labs)
    assert caught.value.exit_code == USAGE
    assert caught.value.message == "The labs want different providers: libvirt, lxc"


@pytest.mark.parametrize("file", ["project.json"])
def test_a_damaged_memory_is_told_and_makes_no_second_fleet(labs: Path, file: str) -> None:
    state = labs.parent / ".lab" / "state"
    state.mkdir(parents=True)
    (state / file).write_text('{"id": ')
    for for_boot in (False, True):
        with pytest.raises(LabError, match="is damaged"):
            open_project(labs, for_boot=for_boot)
    assert (state / file).read_text() == '{"id": '


@pytest.fixture
def machines(classroom: Callable[..., Project]) -> tuple[Machine, ...]:
    return classroom(TWO.replace("defaults: {domain: example.org, guide: tiny}\n", "")).machines


def names(machines: Iterable[Machine]) -> list[str]:
    return [machine.name for machine in machines]


@pytest.mark.parametrize(
    ("targets", "meant"),
    [
        ([], ["web-ana", "web-luis", "db-ana", "db-alba"]),
        (["web"], ["web-ana", "web-luis"]),
        (["ana"], ["web-ana", "db-ana"]),
        (["db/ana"], ["db-ana"]),
        (["web-luis"], ["web-luis"]),
        (["a*"], ["web-ana", "db-ana", "db-alba"]),
        (["*/ana"], ["web-ana", "db-ana"]),
        (["db/*"], ["db-ana", "db-alba"]),
        (["luis", "db/alba", "luis"], ["web-luis", "db-alba"]),
        (["*"], ["web-ana", "web-luis", "db-ana", "db-alba"]),
        (["[al]*"], ["web-ana", "web-luis", "db-ana", "db-alba"]),
    ],
)
def test_whom_a_target_means(
    machines: tuple[Machine, ...], targets: list[str], meant: list[str]
) -> None:
    assert names(select(machines, targets)) == meant


@pytest.mark.parametrize(
    ("target", "ending"),
    [
        ("anna", "; did you mean ana?"),
        ("wbe", "; did you mean web?"),
        ("web/lui", "; did you mean web/luis?"),
        ("ANA", ""),
        ("../../x", ""),
        ("", ""),
    ],
)
def test_a_target_that_means_nobody_is_told(
    machines: tuple[Machine, ...], target: str, ending: str
) -> None:
    with pytest.raises(UsageError) as caught:
        select(machines, ["ana", target])
    assert caught.value.exit_code == USAGE
    assert caught.value.message == f"No lab and no student is called {target!r}{ending}"
    assert "lab status" in caught.value.hint
