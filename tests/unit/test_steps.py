"""What goes into a step, and what becomes of it."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.classroom.guide import Guide, load_guide
from lab.machines.steps import (
    PlannedStep,
    StepReport,
    parse_report,
    plan_steps,
    read_contents,
    steps_that_stand,
)
from lab.workflow.project import Project

CLASS = {"LAB_PYTHON": "3.11"}
STUDENT = {"LAB_LOGIN": "ana", "LAB_NAME": "Ana"}


@pytest.fixture
def guide(project: Project) -> Guide:
    return load_guide("tiny", project=project.path)


def planned(
    guide: Guide, class_variables: Mapping[str, str], student_variables: Mapping[str, str]
) -> tuple[PlannedStep, ...]:
    return plan_steps(guide, read_contents(guide), class_variables, student_variables)


def changed(guide: Guide, change: Callable[[], object]) -> list[str]:
    """The names of the steps whose digest is another after a change."""
    before = planned(guide, CLASS, STUDENT)
    change()
    after = planned(guide, CLASS, STUDENT)
    return [old.name for old, new in zip(before, after, strict=True) if old != new]


def test_steps_are_planned_in_the_order_of_the_guide(guide: Guide) -> None:
    steps = planned(guide, CLASS, STUDENT)
    assert [(step.name, step.scope) for step in steps] == [
        ("base", "class"),
        ("web", "class"),
        ("account", "student"),
        ("app", "student"),
    ]
    assert len({step.digest for step in steps}) == 4
    assert all(len(step.digest) == 16 for step in steps)
    assert steps == planned(guide, CLASS, STUDENT)
    assert steps[0].argument == f"base:{steps[0].digest}"


@pytest.mark.parametrize(
    ("file", "expected"),
    [
        ("steps/base.sh", ["base", "web", "account", "app"]),
        ("steps/web.sh", ["web", "account", "app"]),
        ("steps/app.sh", ["app"]),
        ("data/words.txt", ["base", "web", "account", "app"]),
        ("data/new.txt", ["base", "web", "account", "app"]),
        ("steps/account.state.sh", ["account", "app"]),
        ("guide.yaml", []),
        ("notes.txt", []),
    ],
)
def test_an_edit_runs_the_step_again_and_what_follows_it(
    guide: Guide, file: str, expected: list[str]
) -> None:
    assert changed(guide, lambda: (guide.folder / file).write_text("another\n")) == expected


def test_an_edit_of_the_same_length_is_seen(guide: Guide) -> None:
    script = guide.folder / "steps" / "app.sh"
    assert changed(guide, lambda: script.write_text("echo pap\n")) == ["app"]


def test_a_new_time_alone_changes_nothing(guide: Guide) -> None:
    assert changed(guide, lambda: os.utime(guide.folder / "steps" / "base.sh", (1, 1))) == []


def test_a_renamed_file_is_a_change(guide: Guide) -> None:
    words = guide.folder / "data" / "words.txt"
    assert changed(guide, lambda: words.rename(words.with_name("verbs.txt")))


def test_what_python_leaves_beside_a_file_changes_nothing(guide: Guide) -> None:
    def run_it_once() -> None:
        cache = guide.folder / "data" / "__pycache__"
        cache.mkdir()
        (cache / "main.cpython-311.pyc").write_bytes(b"x")

    assert changed(guide, run_it_once) == []


def test_where_the_guide_stands_is_no_part_of_it(guide: Guide, tmp_path: Path) -> None:
    moved = tmp_path / "moved" / "provision" / "tiny"
    moved.parent.mkdir(parents=True)
    before = planned(guide, CLASS, STUDENT)
    guide.folder.rename(moved)
    assert planned(load_guide("tiny", project=tmp_path / "moved"), CLASS, STUDENT) == before


def test_a_student_s_own_is_no_part_of_a_class_step(guide: Guide) -> None:
    ana = planned(guide, CLASS, STUDENT)
    luis = planned(guide, CLASS, {**STUDENT, "LAB_LOGIN": "luis"})
    assert ana[:2] == luis[:2]
    assert not set(ana[2:]) & set(luis[2:])


def test_variables_are_part_of_it_whatever_their_order(guide: Guide) -> None:
    plans = {
        planned(guide, variables, {})
        for variables in ({"A": "1", "B": "2"}, {"B": "2", "A": "1"}, {"A": "1", "B": "3"}, {})
    }
    assert len(plans) == 3


@pytest.mark.parametrize(
    ("line", "report"),
    [
        ("start nginx", StepReport(word="start", step="nginx")),
        ("kept nginx", StepReport(word="kept", step="nginx")),
        ("ended app 0 1.250", StepReport(word="ended", step="app", exit_code=0, seconds=1.25)),
        ("ended app 17 0.001", StepReport(word="ended", step="app", exit_code=17, seconds=0.001)),
        ("", None),
        ("start", None),
        ("start nginx now", None),
        ("ended app x 1", None),
        ("ended app -1 1", None),
        ("Reading package lists...", None),
    ],
)
def test_a_line_of_the_runner(line: str, report: StepReport | None) -> None:
    assert parse_report(line) == report


@given(st.text())
def test_any_line_is_a_report_or_none(line: str) -> None:
    report = parse_report(line)
    assert report is None or report.step


@pytest.mark.parametrize(
    "line",
    ["ended app 0 soon", "ended app ² 1", "ended app 0 nan", f"ended app {'9' * 5000} 1"],
)
def test_a_line_that_is_nearly_a_report_is_none(line: str) -> None:
    assert parse_report(line) is None


def test_steps_that_stand_are_those_kept_and_those_that_went_well() -> None:
    lines = ["kept a", "start b", "ended b 0 1.0", "start c", "ended c 1 1.0"]
    reports = [report for line in lines if (report := parse_report(line))]
    assert steps_that_stand(reports) == ("a", "b")
    assert PlannedStep(name="a", scope="class", digest="d").argument == "a:d"
