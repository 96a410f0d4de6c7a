"""Stopping and destroying: this project's machines only, and only those that are meant."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from lab.errors import LabError, MachineError, ProcessError
from lab.machines.providers.base import Guest
from lab.workflow import lifecycle
from lab.workflow.lifecycle import destroy, destroy_orphans, halt
from lab.workflow.project import Project
from lab.workflow.records import all_records, new_record, write_record


@pytest.fixture
def vagrant(project: Project, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What Vagrant is told, and in `deaf` the machines that it does nothing to."""
    told: dict[str, Any] = {"halt": [], "destroy": [], "deaf": set(), "error": None}

    class FakeVagrant:
        def __init__(self, *_: object, **__: object) -> None:
            pass

        def halt(self, names: Sequence[str], *, patience: float) -> None:
            told["halt"].append(list(names))
            for name in set(names) - told["deaf"]:
                project.provider.add(f"lab-c0ffee-{name}", state="stopped")
            if told["error"]:
                raise told["error"]

        def destroy(self, names: Sequence[str]) -> None:
            told["destroy"].append(list(names))
            for name in set(names) - told["deaf"]:
                project.provider.found.pop(f"lab-c0ffee-{name}", None)
            if told["error"]:
                raise told["error"]

    monkeypatch.setattr(lifecycle, "Vagrant", FakeVagrant)
    return told


def exist(project: Project, *logins: str) -> None:
    for login in logins:
        project.provider.add(f"lab-c0ffee-hello-{login}")
    for machine in project.machines:
        write_record(project.folder, new_record(machine))


def test_only_what_runs_is_stopped(project: Project, vagrant: dict[str, Any], witness: Any) -> None:
    exist(project, "ana")
    project.provider.found["lab-c0ffee-hello-luis"] = Guest(name="x", state="stopped")
    assert halt(project, project.machines, observer=witness) == ["hello-ana"]
    assert vagrant["halt"] == [["hello-ana"]]
    assert halt(project, project.machines[1:], observer=witness) == []
    assert vagrant["halt"] == [["hello-ana"]]


def test_what_is_frozen_or_paused_is_stopped_without_vagrant(
    project: Project, vagrant: dict[str, Any], witness: Any
) -> None:
    exist(project, "ana", "luis")
    project.provider.add("lab-c0ffee-hello-luis", state="unknown")
    assert halt(project, project.machines, observer=witness) == ["hello-ana", "hello-luis"]
    assert vagrant["halt"] == [["hello-ana"]]
    assert {guest.state for guest in project.provider.found.values()} == {"stopped"}
    project.provider.add("lab-c0ffee-hello-luis", state="unknown")
    # Without names it would be all that Vagrant stops.
    assert halt(project, project.machines, observer=witness) == ["hello-luis"]
    assert vagrant["halt"] == [["hello-ana"]]


@pytest.mark.parametrize("error", [None, ProcessError("vagrant halt failed")])
def test_what_vagrant_does_not_stop_is_stopped_through_the_provider(
    project: Project, vagrant: dict[str, Any], witness: Any, error: LabError | None
) -> None:
    exist(project, "ana", "luis", "marta")
    vagrant["deaf"], vagrant["error"] = {"hello-luis", "hello-marta"}, error
    names = ["hello-ana", "hello-luis", "hello-marta"]
    assert halt(project, project.machines, observer=witness) == names
    assert {guest.state for guest in project.provider.found.values()} == {"stopped"}


def test_what_cannot_be_stopped_is_named_and_the_others_are_stopped(
    project: Project, vagrant: dict[str, Any], witness: Any
) -> None:
    exist(project, "ana", "luis", "marta")
    vagrant["deaf"] = {"hello-luis", "hello-marta"}
    project.provider.stubborn.add("lab-c0ffee-hello-luis")
    with pytest.raises(MachineError) as caught:
        halt(project, project.machines, observer=witness)
    assert caught.value == MachineError(
        "Stopped 2 of 3 machines; these run on: hello-luis",
        details="hello-luis: lab-c0ffee-hello-luis could not be stopped",
        hint="Try those again: lab halt hello-luis",
        log=project.folder.logs / "vagrant.log",
    )
    assert witness.of_kind("done") == [
        ("hello-ana", True, "stopped"),
        ("hello-luis", False, "runs on"),
        ("hello-marta", True, "stopped"),
    ]


def test_a_vagrant_that_cannot_be_used_is_told_and_nothing_is_stopped(
    project: Project, vagrant: dict[str, Any], witness: Any
) -> None:
    exist(project, "ana")
    vagrant["deaf"], vagrant["error"] = {"hello-ana"}, LabError("its list is damaged")
    with pytest.raises(LabError, match="its list is damaged"):
        halt(project, project.machines, observer=witness)
    assert project.provider.found["lab-c0ffee-hello-ana"].state == "running"


def test_what_is_destroyed_is_gone_with_its_keys_and_notes(
    project: Project, vagrant: dict[str, Any], witness: Any
) -> None:
    exist(project, "ana", "luis")
    notes = project.path / ".vagrant" / "machines"
    for name in ("hello-ana", "hello-luis"):
        (notes / name / "lxc").mkdir(parents=True)
    chosen = project.machines[:1]
    assert destroy(project, chosen, observer=witness) == ["hello-ana"]
    assert vagrant["destroy"] == [["hello-ana"]]
    assert list(project.provider.found) == ["lab-c0ffee-hello-luis"]
    assert sorted(all_records(project.folder)) == ["hello-luis", "hello-marta"]
    assert [path.name for path in notes.iterdir()] == ["hello-luis"]
    assert not chosen[0].keys.folder.exists()
    assert project.machines[1].keys.folder.exists()
    assert project.provider.cleared == ["lab-c0ffee-hello-ana"]


def test_destroying_twice_is_no_error(
    project: Project, vagrant: dict[str, Any], witness: Any
) -> None:
    assert destroy(project, project.machines, observer=witness) == []
    assert vagrant["destroy"] == []


def test_what_vagrant_has_lost_track_of_goes_through_the_provider(
    project: Project, vagrant: dict[str, Any], witness: Any
) -> None:
    exist(project, "ana", "luis")
    vagrant["deaf"] = {"hello-luis"}
    vagrant["error"] = ProcessError("vagrant destroy failed")
    chosen = project.machines[:2]
    assert destroy(project, chosen, observer=witness) == ["hello-ana", "hello-luis"]
    assert project.provider.removed == ["lab-c0ffee-hello-luis"]
    assert project.provider.found == {}


def test_what_cannot_be_removed_is_told_and_stays_known(
    project: Project, vagrant: dict[str, Any], witness: Any
) -> None:
    exist(project, "ana")
    vagrant["deaf"] = {"hello-ana"}
    project.provider.stubborn.add("lab-c0ffee-hello-ana")
    with pytest.raises(LabError, match="could not be removed"):
        destroy(project, project.machines[:1], observer=witness)
    assert "hello-ana" in all_records(project.folder)
    assert project.machines[0].keys.folder.exists()


@pytest.mark.usefixtures("vagrant")
def test_orphans_are_this_project_s_only(project: Project, witness: Any) -> None:
    exist(project, "ana", "zoe")
    project.provider.add("lab-c0ffe-hello-zoe")
    project.provider.add("precious")
    (project.folder.ssh / "hello-zoe").mkdir()
    assert destroy_orphans(project, ["hello-pep"], observer=witness) == []
    assert destroy_orphans(project, ["hello-zoe", "hello-ana"], observer=witness) == ["hello-zoe"]
    assert project.provider.removed == ["lab-c0ffee-hello-zoe"]
    assert sorted(project.provider.found) == [
        "lab-c0ffe-hello-zoe",
        "lab-c0ffee-hello-ana",
        "precious",
    ]
    assert not (project.folder.ssh / "hello-zoe").exists()
    assert destroy_orphans(project, ["hello-zoe"], observer=witness) == []


def test_what_lab_did_not_make_is_neither_stopped_nor_destroyed(
    project: Project, vagrant: dict[str, Any], witness: Any
) -> None:
    for login in ("ana", "zoe"):
        project.provider.add(f"lab-c0ffee-hello-{login}", started=False)
    assert halt(project, project.machines, observer=witness) == []
    assert destroy(project, project.machines, observer=witness) == []
    assert destroy_orphans(project, ["hello-zoe"], observer=witness) == []
    assert (vagrant["halt"], vagrant["destroy"], project.provider.removed) == ([], [], [])
