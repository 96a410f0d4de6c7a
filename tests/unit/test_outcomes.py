"""What a test's end means for the student: never a zero for what nobody saw."""

from __future__ import annotations

from dataclasses import replace

import pytest

from lab.checks.evidence import OUTPUT_CHARACTERS, NotAsExpected, NotEvaluated
from lab.checks.outcomes import behind_others, result_of, unknown
from lab.checks.spec import CheckSpec
from lab.classroom.results import Outcome
from lab.classroom.runs import CheckRun
from lab.classroom.wording import say_in_all
from lab.errors import ConnectionLost, LabError

SPEC = CheckSpec(
    id="web.up",
    step="web",
    title={"en": "Up", "es": "Arriba"},
    points=2.0,
    hint={"en": "Look at the service", "es": "Mira el servicio"},
    full_hint={"en": "Start it", "es": "Arráncalo"},
    hidden=True,
)
PASSED = CheckRun(
    id="web.up",
    step="web",
    title={"en": "Up", "es": "Arriba"},
    outcome=Outcome.PASSED,
    points=2.0,
    max_points=2.0,
    hidden=True,
    seconds=0.123,
)
FAILED = replace(
    PASSED, outcome=Outcome.FAILED, points=0.0, hint=SPEC.hint, full_hint=SPEC.full_hint
)
UNKNOWN = replace(FAILED, outcome=Outcome.UNKNOWN, points=None)


def result(error: BaseException | None) -> CheckRun:
    return result_of(SPEC, error, seconds=0.12345)


def test_a_check_that_holds() -> None:
    assert result(None) == PASSED


def test_a_check_that_does_not_hold_is_told_in_its_author_s_words() -> None:
    error = AssertionError("nginx is not running\nassert False\n +  where False = x")
    assert result(error) == replace(FAILED, message={"en": "nginx is not running"})


def test_what_nobody_could_see_is_unknown_in_every_language() -> None:
    error = NotEvaluated({"en": "too slow", "es": "demasiado lento"})
    assert result(error) == replace(
        UNKNOWN,
        message={"en": "not evaluated: too slow", "es": "no evaluada: demasiado lento"},
    )


def test_what_was_expected_and_what_was_found_make_the_message_in_every_language() -> None:
    error = NotAsExpected({"en": "an active nginx", "es": "un nginx activo"}, "in\nactive")
    assert result(error) == replace(
        FAILED,
        message={
            "en": "expected an active nginx; found in active",
            "es": "se esperaba un nginx activo; se encontró in active",
        },
        expected={"en": "an active nginx", "es": "un nginx activo"},
        found="in\nactive",
    )
    assert result(NotAsExpected({"en": "a group"}, "")).message == {
        "en": "expected a group; found nothing",
        "es": "se esperaba a group; se encontró nada",
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("  expected this\n  but found that  \n\nmore", "expected this but found that"),
        ("x" * 1000, f"{'x' * 198} […] {'x' * 197}"),
    ],
)
def test_the_message_is_one_line(text: str, message: str) -> None:
    assert result(AssertionError(text)).message == {"en": message}


@pytest.mark.parametrize("text", ["", "assert 1 == 2"])
def test_a_condition_without_words(text: str) -> None:
    assert result(AssertionError(text)).message == say_in_all("checks.does_not_hold")


def test_pytest_fail_is_a_failure_and_skip_says_nothing() -> None:
    assert result(pytest.fail.Exception("no")).outcome is Outcome.FAILED
    assert result(pytest.skip.Exception("not here")) == replace(
        UNKNOWN, message={"en": "not evaluated: not here", "es": "no evaluada: not here"}
    )


def test_a_lost_connection_is_not_the_student_s() -> None:
    assert result(ConnectionLost("No SSH connection to x", details="No route")) == replace(
        UNKNOWN, message=say_in_all("checks.connection_lost", why="No route")
    )
    assert result(ConnectionLost("No SSH")).message["es"].endswith("máquina: No SSH")
    assert result(LabError("No", details="why")).message["es"] == "no evaluada: No: why"


@pytest.mark.parametrize(
    "error", [TypeError("no\nwhy"), RuntimeError("no\nwhy"), SystemExit("no\nwhy")]
)
def test_a_check_that_breaks_is_not_the_student_s(error: BaseException) -> None:
    assert result(error) == replace(
        UNKNOWN,
        message=say_in_all("checks.went_wrong", why=f"{type(error).__name__}: no why"),
        output="no\nwhy",
    )


def test_what_went_wrong_is_bounded() -> None:
    assert len(result(RuntimeError("x\n" * 10_000)).output) == OUTPUT_CHARACTERS


def known(**outcomes: tuple[Outcome, tuple[str, ...]]) -> dict[str, CheckRun]:
    return {
        name: replace(PASSED, id=name, outcome=outcome, blocked_by=roots)
        for name, (outcome, roots) in outcomes.items()
    }


HELD = (Outcome.PASSED, ())
BROKE = (Outcome.FAILED, ())
LOST = (Outcome.UNKNOWN, ())


@pytest.mark.parametrize(
    ("before", "outcome", "roots"),
    [
        ({"a": BROKE, "b": HELD}, Outcome.BLOCKED, ("a",)),
        ({"a": BROKE, "b": BROKE}, Outcome.BLOCKED, ("a", "b")),
        ({"a": HELD, "b": (Outcome.BLOCKED, ("x", "y"))}, Outcome.BLOCKED, ("x", "y")),
        (
            {"a": (Outcome.BLOCKED, ("x", "y")), "b": (Outcome.BLOCKED, ("y", "z"))},
            Outcome.BLOCKED,
            ("x", "y", "z"),
        ),
        ({"a": LOST, "b": HELD}, Outcome.UNKNOWN, ("a",)),
        ({"a": (Outcome.UNKNOWN, ("x",)), "b": LOST}, Outcome.UNKNOWN, ("x", "b")),
        # Whatever a is: behind b it cannot hold.
        ({"a": LOST, "b": BROKE}, Outcome.BLOCKED, ("b",)),
        ({"a": BROKE, "b": LOST}, Outcome.BLOCKED, ("a",)),
        # a was not read: it is run later, or does not exist, and may be hidden.
        ({"b": LOST}, Outcome.UNKNOWN, ("b",)),
        ({"b": BROKE}, Outcome.BLOCKED, ("b",)),
    ],
)
def test_a_check_behind_others_names_those_at_the_root(
    before: dict[str, tuple[Outcome, tuple[str, ...]]], outcome: Outcome, roots: tuple[str, ...]
) -> None:
    found = behind_others(replace(SPEC, after=("a", "b")), known(**before))
    expected = FAILED if outcome is Outcome.BLOCKED else UNKNOWN
    assert found == replace(expected, outcome=outcome, blocked_by=roots, seconds=0.0)


def test_a_check_behind_one_that_was_not_read_is_unknown() -> None:
    found = behind_others(replace(SPEC, after=("a", "b")), known(b=HELD))
    assert found == unknown(SPEC, say_in_all("checks.behind_unread"))


def test_a_check_behind_others_that_hold_is_run() -> None:
    assert behind_others(replace(SPEC, after=("a", "b")), known(a=HELD, b=HELD)) is None
    assert behind_others(SPEC, {}) is None


def test_what_could_not_be_evaluated_has_no_points() -> None:
    why = {"en": "the machine is stopped", "es": "la máquina está parada"}
    assert unknown(SPEC, why) == replace(UNKNOWN, message=why, seconds=0.0)
