"""Where every machine is: what the provider has, and what lab noted last."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from lab.classroom.results import MachineState, MachineStatus
from lab.machines.fleet import Machine
from lab.machines.providers.base import Guest
from lab.workflow.project import Project
from lab.workflow.reconcile import orphans_of
from lab.workflow.records import Stage, new_record, write_record
from lab.workflow.status import status

CONTAINER = "lab-c0ffee-hello-ana"


def ana(**changes: Any) -> MachineStatus:
    values: dict[str, Any] = {
        "lab": "hello",
        "login": "ana",
        "machine": "hello-ana",
        "provider": "lxc",
        "state": MachineState.MISSING,
        "steps_total": 4,
    }
    return MachineStatus(**(values | changes))


URL = "http://tiny.ana.example.org/"
STEPS = ("base", "web", "account", "app")


def noted(project: Project, machine: Machine, *, steps: tuple[str, ...] = (), **more: Any) -> None:
    stood = {step.name: step.digest for step in machine.steps if step.name in steps}
    write_record(project.folder, replace(new_record(machine), steps=stood, **more))


@pytest.mark.parametrize(
    ("guest", "record", "expected"),
    [
        (None, None, ana()),
        (None, {"steps": STEPS, "stage": Stage.READY}, ana()),
        (("running", "10.0.3.1"), None, ana(state=MachineState.RUNNING, ip="10.0.3.1", url=URL)),
        (
            ("running", "10.0.3.1"),
            {"steps": STEPS, "stage": Stage.READY},
            ana(state=MachineState.RUNNING, ip="10.0.3.1", url=URL, step="app", steps_done=4),
        ),
        (
            ("running", ""),
            {"steps": STEPS[:1], "failed_step": "web", "stage": Stage.FAILED},
            ana(state=MachineState.FAILED, url=URL, step="web", steps_done=1),
        ),
        (
            ("stopped", ""),
            {"steps": STEPS[:1], "failed_step": "web", "stage": Stage.FAILED},
            ana(state=MachineState.STOPPED, url=URL, step="web", steps_done=1),
        ),
        (("unknown", ""), {"stage": Stage.READY}, ana(state=MachineState.UNKNOWN, url=URL)),
        (("running", ""), {}, ana(state=MachineState.CREATING, url=URL)),
        (("stopped", ""), {}, ana(state=MachineState.STOPPED, url=URL)),
    ],
)
def test_where_a_machine_is(
    project: Project,
    guest: tuple[str, str] | None,
    record: dict[str, Any] | None,
    expected: MachineStatus,
) -> None:
    if guest is not None:
        project.provider.found[CONTAINER] = Guest(
            name=CONTAINER, state=guest[0], ip=guest[1], started=True
        )
    if record is not None:
        noted(project, project.machines[0], **record)
    assert status(project, project.machines[:1], orphans=False) == [expected]


@pytest.mark.parametrize("state", ["running", "stopped"])
def test_one_that_has_not_started_yet_is_being_made(project: Project, state: str) -> None:
    project.provider.add(CONTAINER, state=state, ip="", started=False)
    noted(project, project.machines[0])
    [row] = status(project, project.machines[:1], orphans=False)
    assert row == ana(state=MachineState.CREATING, url=URL)


def test_a_guest_in_its_place_that_lab_did_not_make_is_not_the_student_s(
    project: Project,
) -> None:
    project.provider.add(CONTAINER, started=False)
    [row] = status(project, project.machines[:1], orphans=False)
    assert row == ana(state=MachineState.UNKNOWN, ip="10.0.0.9")


def test_orphans_come_last_and_only_when_asked_for(project: Project) -> None:
    for name in ("lab-c0ffee-hello-zoe", CONTAINER, "lab-other-hello-ana", "precious"):
        project.provider.add(name)
    rows = status(project, project.machines, orphans=True)
    assert [(row.machine, row.state.value) for row in rows] == [
        ("hello-ana", "running"),
        ("hello-luis", "missing"),
        ("hello-marta", "missing"),
        ("hello-zoe", "orphan"),
    ]
    assert rows[-1] == MachineStatus(
        lab="",
        login="",
        machine="hello-zoe",
        provider="lxc",
        state=MachineState.ORPHAN,
        ip="10.0.0.9",
    )
    assert len(status(project, project.machines, orphans=False)) == 3
    assert orphans_of(project) == {"hello-zoe": "lab-c0ffee-hello-zoe"}


def test_an_orphan_is_known_by_what_was_noted(project: Project) -> None:
    marta = project.machines[2]
    noted(project, marta, steps=STEPS)
    project.provider.add(marta.container)
    shrunk = type(project)(**{**vars(project), "machines": project.machines[:2]})
    [row] = status(shrunk, [], orphans=True)
    assert (row.lab, row.login, row.step, row.steps_done) == ("hello", "marta", "app", 4)
