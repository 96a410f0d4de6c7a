"""What lab remembers of a machine, and what it makes of a memory that is damaged."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from lab.workflow.project import Project
from lab.workflow.records import (
    MachineRecord,
    Stage,
    all_records,
    forget,
    new_record,
    read_record,
    write_record,
)


def test_a_record_comes_back(project: Project) -> None:
    ana = project.machines[0]
    assert read_record(project.folder, ana.name) is None
    record = replace(
        new_record(ana),
        ip="10.0.3.1",
        stage=Stage.FAILED,
        failed_step="app",
        steps={"web": "d1"},
        variables={"LAB_NAME": "d2"},
        size="cpus 1, memory 512 MB",
    )
    assert record == MachineRecord(
        lab="hello",
        login="ana",
        machine="hello-ana",
        container="lab-c0ffee-hello-ana",
        box="lab/debian-12",
        made_of="debian-12",
        ip="10.0.3.1",
        stage=Stage.FAILED,
        failed_step="app",
        steps={"web": "d1"},
        variables={"LAB_NAME": "d2"},
        size="cpus 1, memory 512 MB",
        name="ana",
    )
    write_record(project.folder, record)
    assert read_record(project.folder, ana.name) == record
    assert all_records(project.folder) == {"hello-ana": record}


def test_what_is_about_to_be_made_is_being_created(project: Project) -> None:
    assert new_record(project.machines[0]).stage is Stage.CREATING


def test_a_newer_lab_s_record_is_read_too(project: Project) -> None:
    ana = project.machines[0]
    write_record(project.folder, new_record(ana))
    path = project.folder.machine_state(ana.name)
    path.write_text(json.dumps({**json.loads(path.read_text()), "mood": "fine"}))
    assert read_record(project.folder, ana.name) == new_record(ana)


def test_what_is_forgotten_is_gone(project: Project) -> None:
    for machine in project.machines[:2]:
        write_record(project.folder, new_record(machine))
    for _ in range(2):
        forget(project.folder, "hello-ana")
    assert list(all_records(project.folder)) == ["hello-luis"]


def test_nothing_was_noted_yet(project: Project) -> None:
    assert all_records(project.folder) == {}


@pytest.mark.parametrize(
    "content", ["", "{", "[]", "\0" * 40, '{"lab": "hello"}', '{"lab": 1, "stage": "dreaming"}']
)
def test_a_damaged_record_is_a_memory_less_and_no_hindrance(project: Project, content: str) -> None:
    write_record(project.folder, new_record(project.machines[1]))
    path = project.folder.machine_state("hello-ana")
    path.write_text(content)
    assert read_record(project.folder, "hello-ana") is None
    assert list(all_records(project.folder)) == ["hello-luis"]
