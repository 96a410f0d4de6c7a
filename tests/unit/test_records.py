"""What lab remembers of a machine, and what it makes of a memory that is damaged."""

from __future__ import annotations

import json

import pytest

from lab.errors import LabError
from lab.workflow.project import Project
from lab.workflow.records import MachineRecord, all_records, forget, read_record, write_record


def test_a_record_comes_back(project: Project) -> None:
    ana = project.machines[0]
    assert read_record(project.folder, ana.name) is None
    write_record(project.folder, ana, ip="10.0.3.1", step="app", steps_done=4, failed=True)
    expected = MachineRecord(
        lab="hello",
        login="ana",
        machine="hello-ana",
        container="lab-c0ffee-hello-ana",
        box="lab/debian-12",
        ip="10.0.3.1",
        step="app",
        steps_done=4,
        failed=True,
    )
    assert read_record(project.folder, ana.name) == expected
    assert all_records(project.folder) == {"hello-ana": expected}


def test_a_newer_lab_s_record_is_read_too(project: Project) -> None:
    ana = project.machines[0]
    write_record(project.folder, ana)
    path = project.folder.machine_state(ana.name)
    path.write_text(json.dumps({**json.loads(path.read_text()), "mood": "fine"}))
    record = read_record(project.folder, ana.name)
    assert record is not None
    assert record.login == "ana"


def test_what_is_forgotten_is_gone(project: Project) -> None:
    for machine in project.machines[:2]:
        write_record(project.folder, machine)
    for _ in range(2):
        forget(project.folder, "hello-ana")
    assert list(all_records(project.folder)) == ["hello-luis"]


def test_nothing_was_noted_yet(project: Project) -> None:
    assert all_records(project.folder) == {}


@pytest.mark.parametrize("content", ["", "{", "[]"])
def test_a_damaged_record_is_told_with_its_path(project: Project, content: str) -> None:
    path = project.folder.machine_state("hello-ana")
    path.parent.mkdir()
    path.write_text(content)
    for read in (
        lambda: read_record(project.folder, "hello-ana"),
        lambda: all_records(project.folder),
    ):
        with pytest.raises(LabError) as caught:
            read()
        assert str(path) in caught.value.message


def test_a_record_that_lacks_something_is_damaged(project: Project) -> None:
    path = project.folder.machine_state("hello-ana")
    path.parent.mkdir()
    path.write_text('{"lab": "hello"}')
    with pytest.raises(LabError, match="damaged"):
        all_records(project.folder)
