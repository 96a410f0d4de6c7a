"""Verifying a class: who is asked, whose results are whose, and what is kept."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from lab.checks.request import Request, Target
from lab.classroom.results import CheckResult, LabResult, Outcome, StudentResult
from lab.errors import NOT_ALL_WELL, NOTHING_EVALUATED, OK, ProcessError
from lab.workflow import verify as module
from lab.workflow.project import Project
from lab.workflow.verify import exit_code_of, verify

TWO = """
labs:
  web: {guide: tiny, box: debian-12, domain: example.org, students: [ana, luis]}
  db: {guide: tiny, domain: example.org, lang: es, vars: {python: "3.7"}, students: [ana]}
"""
Tell = Callable[[str, CheckResult | None], None]


def check(outcome: Outcome, check_id: str = "web.up") -> CheckResult:
    points = {Outcome.PASSED: 1.0, Outcome.UNKNOWN: None}.get(outcome, 0.0)
    return CheckResult(
        id=check_id, step="web", title="Up", outcome=outcome, points=points, max_points=1.0
    )


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Request]:
    """What the checks process is asked; everything passes but what luis does."""
    requests: list[Request] = []

    def answer(request: Request, *, log: object, tell: Tell) -> dict[str, tuple[CheckResult, ...]]:
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
    results = verify(project, project.machines, observer=witness, jobs=3, language="en")
    web, db = asked
    assert (web.project, web.checks, web.steps, web.jobs, web.language) == (
        str(project.path),
        str(ana.guide.checks),
        ("base", "web", "account", "app"),
        3,
        "en",
    )
    assert db.language == "es"
    assert web.targets == (
        Target(
            machine="web-ana",
            address="10.0.3.1",
            login="ana",
            name="ana",
            email="",
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
            unreachable="the machine is stopped: lab up",
        ),
    )
    assert [target.unreachable for target in db.targets] == ["there is no machine yet: lab up"]
    assert db.targets[0].vars == {"python": "3.7"}
    assert results == tuple(
        LabResult(
            lab=lab,
            students=tuple(
                StudentResult(login=login, name=login, machine=f"{lab}-{login}", checks=(one,))
                for login, one in students
            ),
        )
        for lab, students in (
            ("web", [("ana", check(Outcome.PASSED)), ("luis", check(Outcome.FAILED))]),
            ("db", [("ana", check(Outcome.PASSED))]),
        )
    )
    assert witness.of_kind("done") == [
        ("web-ana", True, "1 of 1 checks passed"),
        ("web-luis", False, "0 of 1 checks passed"),
        ("db-ana", True, "1 of 1 checks passed"),
    ]
    assert other_ana.name == "db-ana"
    assert "Host web-ana\n" in (project.folder.ssh / "config").read_text()


def test_a_machine_without_an_address_is_not_asked(
    project: Project, asked: list[Request], witness: Any
) -> None:
    project.provider.add(project.machines[0].container, ip="")
    verify(project, project.machines[:1], observer=witness, jobs=1, language="en")
    assert asked[0].targets[0].unreachable == "the machine has no address"


def test_every_run_is_kept(project: Project, asked: list[Request], witness: Any) -> None:
    for _ in range(2):
        verify(project, project.machines[:1], observer=witness, jobs=1, language="en")
    runs = sorted(project.folder.runs.iterdir())
    assert len(runs) == len(asked) == 2
    data = json.loads(runs[0].read_text())
    assert data["at"]
    assert data["version"] == 1
    assert data["labs"][0]["students"][0]["login"] == "ana"


def test_checks_that_cannot_be_run_at_all_end_the_verify(
    project: Project, witness: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ProcessError("The checks could not be run")

    monkeypatch.setattr(module, "run_checks", broken)
    with pytest.raises(ProcessError, match="could not be run"):
        verify(project, project.machines, observer=witness, jobs=1, language="en")
    assert list(project.folder.runs.iterdir()) == []


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
    results = tuple(
        StudentResult(
            login=str(number), name="", machine="", checks=tuple(check(it) for it in outcomes)
        )
        for number, outcomes in enumerate(students)
    )
    assert exit_code_of((LabResult(lab="web", students=results),)) == code


def test_a_student_of_whom_nothing_is_known_is_not_all_well() -> None:
    results = (
        StudentResult(login="a", name="", machine="", checks=(check(PASSED),)),
        StudentResult(login="b", name="", machine="", checks=()),
    )
    assert exit_code_of((LabResult(lab="web", students=results),)) == NOT_ALL_WELL
