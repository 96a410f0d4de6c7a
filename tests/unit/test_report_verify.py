"""What `lab verify` tells: scores, states of steps, who blocks whom, which command is next."""

from __future__ import annotations

import io
import json

import pytest

from lab.classroom.results import CheckResult, LabResult, Outcome, StudentResult
from lab.report.console import console_for
from lab.report.verify_json import verify_json
from lab.report.verify_matrix import StepState, score, step_names, step_state
from lab.report.verify_table import verify_table


def check(
    identity: str, outcome: Outcome = Outcome.PASSED, *, points: float = 1.0, message: str = ""
) -> CheckResult:
    earned = {Outcome.PASSED: points, Outcome.UNKNOWN: None}.get(outcome, 0.0)
    return CheckResult(
        id=identity,
        step=identity.partition(".")[0],
        title=identity,
        outcome=outcome,
        points=earned,
        max_points=points,
        message=message,
    )


def student(*checks: CheckResult, login: str = "ana") -> StudentResult:
    return StudentResult(login=login, name="", machine=f"x-{login}", checks=checks)


def lines_of(*students: StudentResult) -> list[str]:
    stream = io.StringIO()
    lab = LabResult(lab="x", students=students)
    verify_table((lab,), console=console_for(stream, {"COLUMNS": "120"}))
    return [line.rstrip() for line in stream.getvalue().splitlines()]


def test_json_is_the_contract_in_whole() -> None:
    checks = (
        check("a.ok", points=0.1),
        check("a.no", Outcome.FAILED, points=0.2, message="é"),
        check("b.lost", Outcome.UNKNOWN, points=2),
    )

    document = json.loads(verify_json((LabResult(lab="x", students=(student(*checks),)),)))

    common = {"hint": "", "seconds": 0}
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
                        "outcome": "failed",
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
        ([check("a"), check("b", Outcome.UNKNOWN)], "1/1"),
        ([check("a", Outcome.UNKNOWN)], "-"),
    ],
)
def test_score(checks: list[CheckResult], text: str) -> None:
    assert score(student(*checks)) == text


def test_blocked_checks_stand_on_one_line_with_what_blocks_them() -> None:
    lines = lines_of(
        student(
            check("a.b", Outcome.FAILED),
            check("c.d", Outcome.BLOCKED, message="needs a.b, which did not pass."),
            check("c.e", Outcome.BLOCKED, message="after a.b"),
            check("c.f", Outcome.BLOCKED, message="a reason of its own"),
            check("c.g", Outcome.BLOCKED),
        )
    )

    assert [line for line in lines if "blocked: " in line] == [
        "  - blocked: c.d, c.e (by a.b)",
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
                "x: 1 of 2 students have everything; eva: 1 not evaluated",
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


def test_nothing_verified_is_said() -> None:
    stream = io.StringIO()

    verify_table((), console=console_for(stream, {}))

    assert stream.getvalue() == "Nothing was verified: no lab has a student.\n"
