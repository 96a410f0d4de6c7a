"""How machines stand to what labs.yaml wants, and what `lab plan` says of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from lab.classroom.results import Label, PlannedMachine
from lab.errors import ConnectionLost
from lab.machines.fleet import Machine
from lab.machines.steps import StepReport
from lab.workflow import plan as module
from lab.workflow.plan import plan
from lab.workflow.project import Project
from lab.workflow.reconcile import digests_of_variables, size_of
from lab.workflow.records import MachineRecord, Stage, new_record, write_record
from lab.workflow.up import drifted, unfinished
from tests.unit.conftest import LABS

STEPS = ("base", "web", "account", "app")
KEPT = tuple(StepReport(word="kept", step=name) for name in STEPS)
Says = Callable[[str], tuple[StepReport, ...]]


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What machines that run say of their steps; all well unless a test says otherwise."""
    said: dict[str, Any] = {}

    def look(machine: Machine, _: object) -> tuple[StepReport, ...]:
        answer = said.get(machine.name, KEPT)
        if isinstance(answer, Exception):
            raise answer
        return tuple(answer)

    monkeypatch.setattr(module.kit, "look", look)
    return said


def todo(**reasons: str) -> list[StepReport]:
    return [
        StepReport(word="todo", step=name, reason=reasons[name])
        if name in reasons
        else StepReport(word="kept", step=name)
        for name in STEPS
    ]


def noted(project: Project, machine: Machine, **changes: Any) -> MachineRecord:
    """A machine that lab brought all the way."""
    record = replace(
        new_record(machine),
        stage=Stage.READY,
        size=size_of(machine),
        steps={step.name: step.digest for step in machine.steps},
        variables=digests_of_variables(machine),
    )
    record = replace(record, **changes)
    write_record(project.folder, record)
    return record


def ana(project: Project, witness: Any, **options: Any) -> tuple[str, str, str]:
    """Ana's label, why, and what would be done."""
    [row] = plan(project, project.machines[:1], observer=witness, jobs=2, **options)
    assert (row.lab, row.login, row.machine) == ("hello", "ana", "hello-ana")
    return row.label.value, row.why, row.action


@pytest.mark.usefixtures("answers")
def test_a_machine_that_was_never_made(project: Project, witness: Any) -> None:
    assert ana(project, witness) == ("missing", "", "create it")


@pytest.mark.usefixtures("answers")
@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"stage": Stage.BOOTED, "steps": {}},
        {"stage": Stage.CREATING},
        {"stage": Stage.FAILED, "steps": {}, "failed_step": "base"},
    ],
)
def test_a_machine_that_is_gone(project: Project, witness: Any, changes: dict[str, Any]) -> None:
    noted(project, project.machines[0], **changes)
    assert ana(project, witness) == ("missing", "it was made, and is gone", "create it")


@pytest.mark.usefixtures("answers")
@pytest.mark.parametrize("stage", [Stage.CREATING, Stage.FAILED])
def test_a_machine_whose_making_came_to_nothing_was_never_there(
    project: Project, witness: Any, stage: Stage
) -> None:
    noted(project, project.machines[0], stage=stage, steps={})
    assert ana(project, witness) == ("missing", "", "create it")


@pytest.mark.usefixtures("answers")
def test_a_machine_as_it_should_be(project: Project, witness: Any) -> None:
    noted(project, project.machines[0])
    project.provider.add(project.machines[0].container)
    assert ana(project, witness) == ("ok", "", "nothing")


@pytest.mark.usefixtures("answers")
def test_a_machine_that_is_halted(project: Project, witness: Any) -> None:
    noted(project, project.machines[0])
    project.provider.add(project.machines[0].container, state="stopped")
    assert ana(project, witness) == ("stopped", "", "start it")
    project.provider.add(project.machines[0].container, state="unknown")
    assert ana(project, witness) == ("stopped", "it is unknown", "start it")


@pytest.mark.usefixtures("answers")
def test_a_machine_whose_making_was_cut_off(project: Project, witness: Any) -> None:
    noted(project, project.machines[0], stage=Stage.CREATING, steps={})
    project.provider.add(project.machines[0].container, state="stopped", started=False)
    assert ana(project, witness) == ("half-made", "its making was cut off", "make it anew")


@pytest.mark.usefixtures("answers")
@pytest.mark.parametrize(
    "changes", [{}, {"stage": Stage.BOOTED}, {"stage": Stage.CREATING}, {"stage": Stage.FAILED}]
)
def test_what_was_made_is_started_though_its_provider_says_that_it_never_was(
    project: Project, witness: Any, changes: dict[str, Any]
) -> None:
    noted(project, project.machines[0], **changes)
    project.provider.add(project.machines[0].container, state="stopped", started=False)
    assert ana(project, witness) == ("stopped", "", "start it")


@pytest.mark.usefixtures("answers")
def test_a_guest_in_its_place_that_lab_did_not_make(project: Project, witness: Any) -> None:
    project.provider.add(project.machines[0].container, started=False)
    assert ana(project, witness) == (
        "foreign",
        "the guest lab-c0ffee-hello-ana is in its place, not of lab's",
        "nothing, ever",
    )


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (todo(app="failed"), ("half-made", "its step app failed", "go on at step app")),
        (
            todo(account="cut-off", app="changed"),
            ("half-made", "its step account was cut off", "go on at step account"),
        ),
        (
            todo(account="new", app="new"),
            ("half-made", "its step account has not run", "go on at step account"),
        ),
        (todo(app="new"), ("drifted", "step app is new", "run again from step app")),
        (
            todo(web="changed", account="changed", app="changed"),
            (
                "drifted",
                "the guide's step web is another than the one that ran",
                "run again from step web",
            ),
        ),
        (
            todo(account="broken"),
            (
                "drifted",
                "what its step account owns was changed in the machine",
                "run again from step account",
            ),
        ),
    ],
)
def test_the_machine_itself_is_believed(
    project: Project,
    witness: Any,
    answers: dict[str, Any],
    said: list[StepReport],
    expected: tuple[str, str, str],
) -> None:
    noted(project, project.machines[0])
    project.provider.add(project.machines[0].container)
    answers["hello-ana"] = said
    assert ana(project, witness) == expected


def test_what_the_machine_says_goes_before_what_lab_noted(
    project: Project, witness: Any, answers: dict[str, Any]
) -> None:
    noted(project, project.machines[0], stage=Stage.FAILED, failed_step="app", steps={})
    project.provider.add(project.machines[0].container)
    assert ana(project, witness)[0] == "ok"
    answers["hello-ana"] = ConnectionLost("No SSH connection to hello-ana")
    assert ana(project, witness) == (
        "half-made",
        "it runs, and cannot be asked by SSH",
        "try to reach it",
    )


@pytest.mark.usefixtures("answers")
@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        (
            {"stage": Stage.FAILED, "failed_step": "app", "steps": STEPS[:3]},
            ("half-made", "its step app failed", "start it, go on at step app"),
        ),
        (
            {"stage": Stage.BOOTED, "steps": ()},
            ("half-made", "its step base has not run", "start it, go on at step base"),
        ),
    ],
)
def test_of_a_machine_that_is_halted_lab_s_notes_have_to_do(
    project: Project, witness: Any, changes: dict[str, Any], expected: tuple[str, str, str]
) -> None:
    machine = project.machines[0]
    stood = {it.name: it.digest for it in machine.steps if it.name in changes["steps"]}
    noted(project, machine, **{**changes, "steps": stood})
    project.provider.add(machine.container, state="stopped")
    assert ana(project, witness) == expected


@pytest.mark.usefixtures("answers")
def test_the_variables_that_changed_are_named(project: Project, witness: Any) -> None:
    machine = project.machines[0]
    variables = {**digests_of_variables(machine), "LAB_PYTHON": "other", "LAB_GONE": "x"}
    steps = {step.name: "other" for step in machine.steps}
    noted(project, machine, variables=variables, steps=steps)
    project.provider.add(machine.container, state="stopped")
    assert ana(project, witness) == (
        "drifted",
        "other than when its step base ran: gone, python",
        "start it, run again from step base",
    )


@pytest.mark.usefixtures("answers")
def test_a_machine_of_another_box(project: Project, witness: Any) -> None:
    noted(project, project.machines[0], made_of="debian-11")
    project.provider.add(project.machines[0].container)
    why = "it was made of debian-11; labs.yaml says debian-12 now"
    assert ana(project, witness) == ("drifted", why, "nothing without --recreate")
    assert ana(project, witness, recreate=True)[2] == "destroy it and make it anew"


@pytest.mark.usefixtures("answers")
def test_a_machine_of_another_size(project: Project, witness: Any) -> None:
    noted(project, project.machines[0], size="cpus 1, memory 256 MB, isolation on, internet on")
    project.provider.add(project.machines[0].container)
    assert ana(project, witness) == (
        "drifted",
        "it runs with cpus 1, memory 256 MB, isolation on, internet on; "
        "labs.yaml says cpus 1, memory 512 MB, isolation on, internet on",
        "nothing before its next start: lab halt ana, lab up ana",
    )


@pytest.mark.usefixtures("answers")
def test_a_machine_that_runs_since_before_machines_were_kept_apart(
    project: Project, witness: Any
) -> None:
    container = project.machines[0].container
    noted(project, project.machines[0], size="cpus 1, memory 512 MB")
    project.provider.add(container)
    assert ana(project, witness) == (
        "drifted",
        "it runs with cpus 1, memory 512 MB, isolation off, internet on; "
        "labs.yaml says cpus 1, memory 512 MB, isolation on, internet on",
        "nothing before its next start: lab halt ana, lab up ana",
    )
    project.provider.add(container, state="stopped")
    assert ana(project, witness) == ("stopped", "", "start it")


@pytest.mark.usefixtures("answers")
def test_a_machine_from_before_that_is_to_be_open_is_as_it_should_be(
    classroom: Callable[..., Project], witness: Any
) -> None:
    project = classroom(LABS.replace("box:", "isolation: off\n    box:"))
    noted(project, project.machines[0], size="cpus 1, memory 512 MB")
    project.provider.add(project.machines[0].container)
    assert ana(project, witness) == ("ok", "", "nothing")


@pytest.mark.usefixtures("answers")
def test_orphans_and_strangers_come_last(project: Project, witness: Any) -> None:
    for name in ("lab-c0ffee-hello-zoe", "lab-other-hello-ana", "precious"):
        project.provider.add(name)
    project.provider.add("lab-c0ffee-hello-pep", started=False)
    rows = plan(project, project.machines, observer=witness, jobs=2, strangers=True)
    assert [(row.machine, row.label) for row in rows[3:]] == [
        ("hello-zoe", Label.ORPHAN),
        ("lab-other-hello-ana", Label.FOREIGN),
        ("precious", Label.FOREIGN),
        ("hello-pep", Label.FOREIGN),
    ]
    assert rows[3] == PlannedMachine(
        lab="",
        login="",
        machine="hello-zoe",
        label=Label.ORPHAN,
        action="nothing; lab destroy --orphans removes it",
    )
    assert len(plan(project, project.machines, observer=witness, jobs=2)) == 3


def test_what_is_to_be_tried_again(project: Project, witness: Any, answers: dict[str, Any]) -> None:
    one, two, three = project.machines
    for machine in (two, three):
        project.provider.add(machine.container)
        noted(project, machine)
    noted(project, one, stage=Stage.FAILED)
    answers[three.name] = todo(app="failed")
    assert unfinished(project, project.machines, observer=witness, jobs=2) == (one, three)
    assert unfinished(project, [two], observer=witness, jobs=2) == ()


def test_what_has_drifted(project: Project, witness: Any, answers: dict[str, Any]) -> None:
    one, two, _ = project.machines
    for machine in (one, two):
        project.provider.add(machine.container)
        noted(project, machine)
    answers[two.name] = todo(app="changed")
    assert drifted(project, project.machines, observer=witness, jobs=2) == (two,)
