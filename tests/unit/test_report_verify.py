"""What `lab verify` tells: scores, states of steps, who blocks whom, which command is next."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from datetime import datetime, timedelta, timezone

import pytest

from lab.classroom.results import CheckResult, Evidence, LabResult, Outcome, StudentResult
from lab.report.class_figures import StepState, step_names, step_state
from lab.report.console import console_for
from lab.report.verify_json import verify_json
from lab.report.verify_table import verify_table
from lab.report.verify_words import score, whole_score

NO_EVIDENCE = Evidence()


def check(
    identity: str,
    outcome: Outcome = Outcome.PASSED,
    *,
    points: float = 1.0,
    message: str = "",
    blocked_by: tuple[str, ...] = (),
    hidden: bool = False,
    title: str = "",
    evidence: Evidence = NO_EVIDENCE,
) -> CheckResult:
    earned = {Outcome.PASSED: points, Outcome.UNKNOWN: None}.get(outcome, 0.0)
    return CheckResult(
        id=identity,
        step=identity.partition(".")[0],
        title=title or identity,
        outcome=outcome,
        points=earned,
        max_points=points,
        message=message,
        blocked_by=blocked_by,
        hidden=hidden,
        evidence=evidence,
    )


AT = datetime(2026, 11, 30, 23, 59, tzinfo=timezone(timedelta(hours=1)))


def student(*checks: CheckResult, login: str = "ana", at: datetime | None = None) -> StudentResult:
    return StudentResult(login=login, name="", machine=f"x-{login}", checks=checks, at=at)


def lines_of(*students: StudentResult, language: str = "en") -> list[str]:
    stream = io.StringIO()
    lab = LabResult(lab="x", students=students, language=language)
    verify_table((lab,), console=console_for(stream, {"COLUMNS": "120"}))
    return [line.rstrip() for line in stream.getvalue().splitlines()]


def test_json_is_the_contract_in_whole() -> None:
    checks = (
        check("a.ok", points=0.1),
        check(
            "a.no",
            Outcome.FAILED,
            points=0.2,
            message="é",
            hidden=True,
            evidence=Evidence(expected="x", found="y", output="$ z"),
        ),
        check("b.lost", Outcome.UNKNOWN, points=2),
    )

    document = json.loads(verify_json((LabResult(lab="x", students=(student(*checks, at=AT),)),)))

    nothing = {"expected": "", "found": "", "output": ""}
    common = {"hint": "", "seconds": 0, "hidden": False, "blocked_by": [], "evidence": nothing}
    assert document == {
        "version": 1,
        "labs": [
            {
                "lab": "x",
                "students": [
                    {
                        "login": "ana",
                        "machine": "x-ana",
                        "score": 0.1,
                        "max_score": 0.3,
                        "total_points": 2.3,
                        "complete": False,
                        "outcome": "failed",
                        "at": "2026-11-30T23:59:00+01:00",
                        "checks": [
                            {
                                **common,
                                "id": "a.ok",
                                "step": "a",
                                "title": "a.ok",
                                "outcome": "passed",
                                "points": 0.1,
                                "max_points": 0.1,
                                "message": "",
                            },
                            {
                                **common,
                                "id": "a.no",
                                "step": "a",
                                "title": "a.no",
                                "outcome": "failed",
                                "points": 0,
                                "max_points": 0.2,
                                "message": "é",
                                "hidden": True,
                                "evidence": {"expected": "x", "found": "y", "output": "$ z"},
                            },
                            {
                                **common,
                                "id": "b.lost",
                                "step": "b",
                                "title": "b.lost",
                                "outcome": "unknown",
                                "points": None,
                                "max_points": 2,
                                "message": "",
                            },
                        ],
                    }
                ],
            }
        ],
    }


def test_json_of_a_student_of_whom_nothing_was_evaluated_has_no_zero() -> None:
    lab = LabResult(lab="x", students=(student(check("a.b", Outcome.UNKNOWN)),))

    ana = json.loads(verify_json((lab,)))["labs"][0]["students"][0]

    assert (ana["score"], ana["max_score"], ana["outcome"]) == (None, 0, "unknown")


def test_json_of_nothing() -> None:
    assert json.loads(verify_json(())) == {"version": 1, "labs": []}


@pytest.mark.parametrize(
    ("outcomes", "state"),
    [
        ([Outcome.PASSED, Outcome.PASSED], StepState(Outcome.PASSED, 2)),
        ([Outcome.PASSED, Outcome.FAILED, Outcome.FAILED], StepState(Outcome.FAILED, 2)),
        ([Outcome.BLOCKED, Outcome.UNKNOWN], StepState(Outcome.BLOCKED, 1)),
        ([Outcome.PASSED, Outcome.UNKNOWN], StepState(Outcome.UNKNOWN, 1)),
    ],
)
def test_a_step_shows_its_worst_outcome(outcomes: list[Outcome], state: StepState) -> None:
    checks = [check(f"app.{number}", outcome) for number, outcome in enumerate(outcomes)]

    assert step_state(student(*checks, check("other.a")), "app") == state


def test_a_step_without_checks_is_empty_and_a_student_without_any_is_unknown() -> None:
    assert step_state(student(check("a.b")), "c") is None
    assert step_state(student(), "c") == StepState(Outcome.UNKNOWN, 0)


def test_steps_are_in_the_order_of_the_student_with_the_most() -> None:
    few = student(check("b.1"), check("z.1"), login="few")
    most = student(check("a.1"), check("b.1"), check("c.1"), login="most")

    assert step_names(LabResult(lab="x", students=(few, most))) == ("a", "b", "c", "z")


@pytest.mark.parametrize(
    ("checks", "text"),
    [
        ([check("a", points=31), check("b", Outcome.FAILED, points=3)], "31/34"),
        ([check("a", points=0.1), check("b", points=0.2)], "0.3/0.3"),
        ([check("a"), check("b", Outcome.UNKNOWN, points=2)], "1/1 of 3"),
        ([check("a", Outcome.UNKNOWN)], "-"),
        ([], "-"),
    ],
)
def test_score(checks: list[CheckResult], text: str) -> None:
    assert score(student(*checks), "en") == text


@pytest.mark.parametrize(
    ("checks", "english", "spanish"),
    [
        ([check("a", points=0.5)], "0.5/0.5", "0,5/0,5"),
        (
            [check("a"), check("b", Outcome.UNKNOWN, points=2.5)],
            "1/1 (2.5 of 3.5 points not evaluated)",
            "1/1 (2,5 de 3,5 puntos sin evaluar)",
        ),
        (
            [check("a", Outcome.UNKNOWN)],
            "- (1 of 1 points not evaluated)",
            "- (1 de 1 puntos sin evaluar)",
        ),
        ([], "-", "-"),
    ],
)
def test_a_score_says_what_was_not_evaluated(
    checks: list[CheckResult], english: str, spanish: str
) -> None:
    assert whole_score(student(*checks), "en") == english
    assert whole_score(student(*checks), "es") == spanish


def test_blocked_checks_stand_on_one_line_with_what_blocks_them() -> None:
    lines = lines_of(
        student(
            check("a.b", Outcome.FAILED),
            check("c.d", Outcome.BLOCKED, message="blocked by a.b", blocked_by=("a.b",)),
            check("c.e", Outcome.BLOCKED, blocked_by=("a.b",), hidden=True),
            check("c.f", Outcome.BLOCKED, message="a reason of its own"),
            check("c.g", Outcome.BLOCKED),
        )
    )

    assert [line for line in lines if "blocked: " in line] == [
        "  - blocked: c.d, c.e (hidden) (by a.b)",
        "  - blocked: c.f (a reason of its own)",
        "  - blocked: c.g",
    ]


@pytest.mark.parametrize(
    ("students", "closing"),
    [
        (
            [student(check("a"))],
            ["x: 1 of 1 student has everything"],
        ),
        (
            [student(check("a")), student(check("a", Outcome.UNKNOWN), login="eva")],
            [
                "x: 1 of 2 students have everything; eva: 1 not evaluated (1 of 1 points)",
                "Next: lab up x/eva, then lab verify x/eva",
            ],
        ),
        (
            [student(check("a", Outcome.FAILED), login=f"s{n}") for n in range(7)],
            [
                "x: 0 of 7 students have everything; "
                + "; ".join(f"s{n}: 1 failed" for n in range(5))
                + " and 2 more",
                "Next: lab ssh x/s0 to look, then lab verify x",
            ],
        ),
    ],
)
def test_closing_sentence_and_next_command(
    students: list[StudentResult], closing: list[str]
) -> None:
    assert lines_of(*students)[-len(closing) :] == closing


def test_a_score_out_of_what_nobody_knows_is_no_full_score() -> None:
    """What stands for a file of checks that could not be read is worth nothing itself."""
    lost = replace(check("test_web.py", Outcome.UNKNOWN, points=0), step="")
    ana = student(check("a.b"), lost)
    assert (score(ana, "en"), score(ana, "es")) == ("1/1 of ?", "1/1 de ?")
    assert whole_score(ana, "en") == "1/1 (how many points there are in all is not known)"
    assert whole_score(student(lost), "en") == "-"


def test_nothing_verified_is_said() -> None:
    stream = io.StringIO()

    verify_table((), console=console_for(stream, {}))

    assert stream.getvalue() == "Nothing was verified: no lab has a student.\n"


def test_unknown_checks_stand_by_reason_or_by_what_they_depend_on() -> None:
    lines = lines_of(
        student(
            check("a.b", Outcome.UNKNOWN, message="SSH was lost"),
            check("a.c", Outcome.UNKNOWN, message="SSH was lost"),
            check("c.d", Outcome.UNKNOWN, message="x", blocked_by=("a.b",)),
            check("c.e", Outcome.UNKNOWN, message="y", blocked_by=("a.b",)),
            check("c.f", Outcome.UNKNOWN),
        )
    )

    assert [line for line in lines if line.startswith("  ?")] == [
        "  ? not evaluated: a.b, a.c: SSH was lost",
        "  ? not evaluated: c.d, c.e (depends on a.b)",
        "  ? not evaluated: c.f",
    ]


@pytest.mark.parametrize(
    ("title", "line"),
    [
        ("It answers", "  ✗ a.b (oculta): It answers"),
        ("Una comprobación oculta", "  ✗ a.b: Una comprobación oculta"),
    ],
)
def test_a_hidden_check_is_marked_unless_its_title_says_it(title: str, line: str) -> None:
    failed = check("a.b", Outcome.FAILED, hidden=True, title=title)

    assert line in lines_of(student(failed), language="es")


def test_a_lab_in_spanish_has_its_words_in_spanish() -> None:
    lines = lines_of(
        student(check("a.b", Outcome.FAILED), check("a.c")),
        student(check("a.b"), check("a.c"), login="eva"),
        language="es",
    )

    assert lines[1] == "usuario  nombre  a   puntos  resultado"
    assert lines[-2:] == [
        "x: 1 de 2 estudiantes con todo correcto; ana: 1 fallida",
        "Siguiente: lab ssh x/ana para mirar, y después lab verify x/ana",
    ]
