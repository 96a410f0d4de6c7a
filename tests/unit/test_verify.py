"""Verifying a class: who is asked, and whose results are whose."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from lab.checks.request import Request, Target
from lab.classroom.results import Outcome
from lab.classroom.runs import CheckRun, LabRun, StudentRun
from lab.classroom.view import View
from lab.classroom.wording import say_in_all
from lab.errors import NOT_ALL_WELL, NOTHING_EVALUATED, OK
from lab.workflow import verify as module
from lab.workflow.identity import identities
from lab.workflow.project import Project
from lab.workflow.verify import exit_code_of, verify

TWO = """
labs:
  web:
    guide: tiny
    box: debian-12
    domain: example.org
    students: [{login: ana, name: Ana Núñez, email: Ana@example.org, id_number: "0101"}, luis]
  db: {guide: tiny, domain: example.org, lang: es, vars: {python: "3.7"}, students: [ana]}
"""
Tell = Callable[[str, CheckRun | None], None]


def check(outcome: Outcome, check_id: str = "web.up") -> CheckRun:
    points = {Outcome.PASSED: 1.0, Outcome.UNKNOWN: None}.get(outcome, 0.0)
    return CheckRun(
        id=check_id, step="web", title={"en": "Up"}, outcome=outcome, points=points, max_points=1.0
    )


def without_moments(lab: LabRun) -> LabRun:
    return replace(lab, students=tuple(replace(it, at=None) for it in lab.students))


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Request]:
    """What the checks process is asked; everything passes but what luis does."""
    requests: list[Request] = []

    def answer(request: Request, *, log: object, tell: Tell) -> dict[str, tuple[CheckRun, ...]]:
        del log
        requests.append(request)
        found = {}
        for target in request.targets:
            result = check(Outcome.FAILED if target.login == "luis" else Outcome.PASSED)
            tell(target.machine, result)
            tell(target.machine, None)
            found[target.machine] = (result,)
        return found

    monkeypatch.setattr(module, "run_checks", answer)
    return requests


def test_a_class_is_asked_lab_by_lab(
    classroom: Callable[..., Project], asked: list[Request], witness: Any
) -> None:
    project = classroom(TWO)
    ana, luis, other_ana = project.machines
    project.provider.add(ana.container, ip="10.0.3.1")
    project.provider.add(luis.container, state="stopped")
    run = verify(project, project.machines, observer=witness, jobs=3)
    web, db = asked
    assert (web.project, web.checks, web.steps, web.jobs) == (
        str(project.path),
        str(ana.guide.checks),
        ("base", "web", "account", "app"),
        3,
    )
    assert web.targets == (
        Target(
            machine="web-ana",
            address="10.0.3.1",
            login="ana",
            name="Ana Núñez",
            email="Ana@example.org",
            vhost="tiny.ana.example.org",
            vars={"python": "3.11"},
        ),
        Target(
            machine="web-luis",
            address="",
            login="luis",
            name="luis",
            email="",
            vhost="tiny.luis.example.org",
            vars={"python": "3.11"},
            unreachable={
                "en": "the machine is stopped: lab up",
                "es": "la máquina está parada: lab up",
            },
        ),
    )
    assert [target.unreachable for target in db.targets] == [say_in_all("checks.no_machine")]
    assert db.targets[0].vars == {"python": "3.7"}
    steps = {step.name: step.title for step in ana.guide.steps}
    assert run.at.tzinfo is not None
    who = {("web", "ana"): {"name": "Ana Núñez", "email": "Ana@example.org", "id_number": "0101"}}
    moments = [student.at for lab in run.labs for student in lab.students]
    assert moments == sorted(it for it in moments if it and it <= run.at)
    assert moments[0] != moments[1]
    assert tuple(without_moments(lab) for lab in run.labs) == tuple(
        LabRun(
            lab=lab,
            lang=lang,
            steps=steps,
            students=tuple(
                StudentRun(
                    login=login,
                    **who.get((lab, login), {"name": login}),
                    machine=f"{lab}-{login}",
                    identity=identity,
                    checks=(one,),
                )
                for login, identity, one in students
            ),
        )
        for lab, lang, students in (
            (
                "web",
                None,
                [
                    ("ana", f"fake:{ana.container}", check(Outcome.PASSED)),
                    ("luis", f"fake:{luis.container}", check(Outcome.FAILED)),
                ],
            ),
            ("db", "es", [("ana", "", check(Outcome.PASSED))]),
        )
    )
    assert witness.of_kind("done") == [
        ("web-ana", True, "1 of 1 checks passed"),
        ("web-luis", False, "0 of 1 checks passed"),
        ("db-ana", True, "1 of 1 checks passed"),
    ]
    assert other_ana.name == "db-ana"
    assert "Host web-ana\n" in (project.folder.ssh / "config").read_text()


def test_which_machine_it_is_is_the_provider_s_word(classroom: Callable[..., Project]) -> None:
    project = classroom(TWO)
    ana, luis, db = project.machines
    project.provider.add(ana.container, state="stopped")
    project.provider.add(luis.container, started=False)
    assert identities(project, project.machines) == {
        ana.name: f"fake:{ana.container}",
        luis.name: "",
        db.name: "",
    }


def test_a_machine_without_an_address_is_not_asked(
    project: Project, asked: list[Request], witness: Any
) -> None:
    project.provider.add(project.machines[0].container, ip="")
    verify(project, project.machines[:1], observer=witness, jobs=1)
    assert asked[0].targets[0].unreachable == say_in_all("checks.no_address")


def test_a_lab_whose_checks_cannot_be_run_is_unknown_and_the_others_are_not(
    classroom: Callable[..., Project], witness: Any
) -> None:
    project = classroom(TWO)
    for machine in project.machines:
        project.provider.add(machine.container, ip="127.0.0.254")
    checks = project.machines[0].guide.checks
    checks.mkdir()
    (checks / "conftest.py").write_text("import os; os._exit(7)\n")
    run = verify(project, project.machines, observer=witness, jobs=1)
    whys = {
        (student.machine, check.id, check.outcome, check.message["en"])
        for lab in run.labs
        for student in lab.students
        for check in student.checks
    }
    assert whys == {
        (
            machine.name,
            "checks",
            Outcome.UNKNOWN,
            "the process that runs the checks ended too soon, with exit code 7",
        )
        for machine in project.machines
    }
    assert [summary for _, _, summary in witness.of_kind("done")] == [
        "not evaluated: the process that runs the checks ended too soon, with exit code 7"
    ] * 3


PASSED, FAILED, BLOCKED, UNKNOWN = Outcome


@pytest.mark.parametrize(
    ("students", "code"),
    [
        ([[PASSED, PASSED], [PASSED]], OK),
        ([[PASSED], [FAILED]], NOT_ALL_WELL),
        ([[PASSED], [BLOCKED]], NOT_ALL_WELL),
        ([[PASSED], [UNKNOWN]], NOT_ALL_WELL),
        ([[UNKNOWN], [FAILED]], NOT_ALL_WELL),
        ([[UNKNOWN], [UNKNOWN]], NOTHING_EVALUATED),
        ([[], []], NOTHING_EVALUATED),
        ([], NOTHING_EVALUATED),
    ],
)
def test_the_exit_code(students: list[list[Outcome]], code: int) -> None:
    run = LabRun(
        lab="web",
        students=tuple(
            StudentRun(
                login=str(number), name="", machine="", checks=tuple(check(it) for it in outcomes)
            )
            for number, outcomes in enumerate(students)
        ),
    )
    assert exit_code_of(View().of_labs([run])) == code


def test_a_student_of_whom_nothing_is_known_is_not_all_well() -> None:
    students = (
        StudentRun(login="a", name="", machine="", checks=(check(PASSED),)),
        StudentRun(login="b", name="", machine="", checks=()),
    )
    assert exit_code_of(View().of_labs([LabRun(lab="web", students=students)])) == NOT_ALL_WELL
