"""What a test's end means for the student: never a zero for what nobody saw."""

from __future__ import annotations

from dataclasses import replace

import pytest

from lab.checks.outcomes import EVIDENCE_CHARACTERS, blocked_by, result_of, unknown
from lab.checks.spec import CheckSpec
from lab.classroom.results import CheckResult, Evidence, Outcome
from lab.errors import ConnectionLost

SPEC = CheckSpec(
    id="web.up",
    step="web",
    title={"en": "Up", "es": "Arriba"},
    points=2.0,
    hint={"en": "Start it", "es": "Arráncalo"},
)
PASSED = CheckResult(
    id="web.up",
    step="web",
    title="Up",
    outcome=Outcome.PASSED,
    points=2.0,
    max_points=2.0,
    seconds=0.123,
)


def result(error: BaseException | None, language: str = "en") -> CheckResult:
    return result_of(SPEC, error, language=language, seconds=0.12345)


def test_a_check_that_holds() -> None:
    assert result(None) == PASSED


def test_a_check_that_does_not_hold_is_told_in_its_author_s_words() -> None:
    error = AssertionError("nginx is not running\nassert False\n +  where False = x")
    assert result(error, "es") == replace(
        PASSED,
        title="Arriba",
        outcome=Outcome.FAILED,
        points=0.0,
        message="nginx is not running",
        evidence=Evidence(output="nginx is not running\nassert False\n +  where False = x"),
        hint="Arráncalo",
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the check's condition does not hold"),
        ("assert 1 == 2", "the check's condition does not hold"),
        ("  expected this\n  but found that  \n\nmore", "expected this but found that"),
        ("x" * 1000, "x" * 400),
    ],
)
def test_the_message_is_one_line(text: str, message: str) -> None:
    assert result(AssertionError(text)).message == message


def test_pytest_fail_is_a_failure_and_skip_says_nothing() -> None:
    assert result(pytest.fail.Exception("no")).outcome is Outcome.FAILED
    skipped = result(pytest.skip.Exception("not here"))
    assert (skipped.outcome, skipped.points) == (Outcome.UNKNOWN, None)
    assert skipped.message == "not evaluated: not here"


def test_a_lost_connection_is_not_the_student_s() -> None:
    lost = result(ConnectionLost("No SSH connection to x", details="No route"))
    assert (lost.outcome, lost.points) == (Outcome.UNKNOWN, None)
    assert lost.message == "No SSH connection to x: No route"
    assert result(ConnectionLost("No SSH")).message == "No SSH"


@pytest.mark.parametrize(
    "error", [TypeError("no\nwhy"), RuntimeError("no\nwhy"), SystemExit("no\nwhy")]
)
def test_a_check_that_breaks_is_not_the_student_s(error: BaseException) -> None:
    broken = result(error)
    assert (broken.outcome, broken.points) == (Outcome.UNKNOWN, None)
    assert broken.message == f"the check itself went wrong: {type(error).__name__}: no why"
    assert broken.evidence.output == "no\nwhy"


def test_evidence_is_bounded() -> None:
    assert len(result(AssertionError("x\n" * 10_000)).evidence.output) == EVIDENCE_CHARACTERS


@pytest.mark.parametrize(
    ("outcomes", "expected", "message"),
    [
        ({"a": Outcome.PASSED, "b": Outcome.PASSED}, None, ""),
        ({"a": Outcome.FAILED, "b": Outcome.PASSED}, Outcome.BLOCKED, "blocked by a"),
        ({"a": Outcome.PASSED, "b": Outcome.BLOCKED}, Outcome.BLOCKED, "blocked by b"),
        ({"a": Outcome.UNKNOWN, "b": Outcome.FAILED}, Outcome.UNKNOWN, "a could not be evaluated"),
        ({"b": Outcome.FAILED}, Outcome.UNKNOWN, "a could not be evaluated"),
    ],
)
def test_a_check_behind_others(
    outcomes: dict[str, Outcome], expected: Outcome | None, message: str
) -> None:
    found = blocked_by(replace(SPEC, after=("a", "b")), outcomes, language="en")
    if expected is None:
        assert found is None
        return
    assert found is not None
    assert (found.outcome, found.message) == (expected, message)
    assert found.points == (None if expected is Outcome.UNKNOWN else 0.0)
    assert found.max_points == 2.0


def test_what_could_not_be_evaluated_has_no_points() -> None:
    found = unknown(SPEC, "the machine is stopped", language="en")
    assert (found.outcome, found.points, found.message, found.seconds) == (
        Outcome.UNKNOWN,
        None,
        "the machine is stopped",
        0.0,
    )
