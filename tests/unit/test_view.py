"""What somebody is to see of a run: their language, and the hints and checks meant for them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from lab.classroom.results import CheckResult, Evidence, LabResult, Outcome, StudentResult
from lab.classroom.runs import CheckRun, LabRun, StudentRun
from lab.classroom.view import Audience, Hints, View

AT = datetime(2026, 11, 30, 12, tzinfo=UTC)
FAILED = CheckRun(
    id="web.up",
    step="web",
    title={"en": "Up", "es": "Arriba"},
    outcome=Outcome.FAILED,
    points=0.0,
    max_points=2.0,
    message={"en": "expected up; found down", "es": "se esperaba up; se encontró down"},
    expected={"en": "up"},
    found="down",
    output="$ echo down\ndown",
    hint={"en": "Look", "es": "Mira"},
    full_hint={"en": "Start it", "es": "Arráncalo"},
    seconds=0.5,
)
HIDDEN = replace(FAILED, id="web.secret", hidden=True)
BEHIND = CheckRun(
    id="web.answers",
    step="web",
    title={"en": "Answers"},
    outcome=Outcome.BLOCKED,
    points=0.0,
    max_points=1.0,
    blocked_by=("web.up", "web.secret"),
)
SEEN = CheckResult(
    id="web.up",
    step="web",
    title="Up",
    outcome=Outcome.FAILED,
    points=0.0,
    max_points=2.0,
    message="expected up; found down",
    evidence=Evidence(expected="up", found="down", output="$ echo down\ndown"),
    hint="Look",
    seconds=0.5,
)
IN_SPANISH = replace(SEEN, title="Arriba", message="se esperaba up; se encontró down", hint="Mira")


def lab_of(*checks: CheckRun, lang: str | None = None) -> LabRun:
    student = StudentRun(
        login="ana", name="Ana", machine="web-ana", identity="lxc:1", checks=checks
    )
    steps = {"web": {"en": "The web", "es": "La web"}, "app": {"en": "The app"}}
    return LabRun(lab="web", students=(student,), steps=steps, lang=lang)


def seen(view: View, *checks: CheckRun) -> tuple[CheckResult, ...]:
    return view.of_lab(lab_of(*checks)).students[0].checks


def test_a_teacher_sees_all_of_it() -> None:
    assert View().of_labs([lab_of(FAILED)], at=AT) == (
        LabResult(
            lab="web",
            language="en",
            steps={"web": "The web", "app": "The app"},
            students=(
                StudentResult(login="ana", name="Ana", machine="web-ana", checks=(SEEN,), at=AT),
            ),
        ),
    )


@pytest.mark.parametrize(
    ("asked", "of_the_lab", "language"),
    [
        (None, None, "en"),
        (None, "es", "es"),
        ("en", "es", "en"),
        ("es", None, "es"),
        ("es", "en", "es"),
    ],
)
def test_the_language_is_the_one_asked_for_else_the_lab_s_own_else_english(
    asked: str | None, of_the_lab: str | None, language: str
) -> None:
    found = View(language=asked).of_lab(lab_of(FAILED, lang=of_the_lab))
    assert found.language == language
    assert found.students[0].checks == (IN_SPANISH if language == "es" else SEEN,)
    # What its author wrote in one language only is told in that one.
    assert found.steps == {"web": "La web" if language == "es" else "The web", "app": "The app"}


@pytest.mark.parametrize(
    ("hints", "both", "short_only", "full_only"),
    [
        (Hints.NONE, "", "", ""),
        (Hints.SHORT, "Look", "Look", ""),
        (Hints.FULL, "Start it", "Look", "Start it"),
    ],
)
def test_how_much_help_there_is(hints: Hints, both: str, short_only: str, full_only: str) -> None:
    found = seen(View(hints=hints), FAILED, replace(FAILED, full_hint={}), replace(FAILED, hint={}))
    assert [check.hint for check in found] == [both, short_only, full_only]


def test_who_passed_needs_no_hint() -> None:
    passed = replace(FAILED, outcome=Outcome.PASSED, points=2.0)
    assert seen(View(hints=Hints.FULL), passed)[0].hint == ""


def test_a_blocked_check_names_what_stands_before_it() -> None:
    assert seen(View(language="es"), BEHIND)[0] == CheckResult(
        id="web.answers",
        step="web",
        title="Answers",
        outcome=Outcome.BLOCKED,
        points=0.0,
        max_points=1.0,
        message="bloqueada por web.up, web.secret",
        blocked_by=("web.up", "web.secret"),
    )


def test_a_check_behind_an_unknown_one_names_that() -> None:
    behind = replace(BEHIND, outcome=Outcome.UNKNOWN, points=None, blocked_by=("web.up",))
    [found] = seen(View(), behind)
    assert (found.message, found.blocked_by) == ("could not be evaluated: web.up", ("web.up",))


def test_a_teacher_sees_hidden_checks_marked_as_such() -> None:
    assert seen(View(), HIDDEN) == (replace(SEEN, id="web.secret", hidden=True),)


@pytest.mark.parametrize("hints", Hints)
@pytest.mark.parametrize("outcome", Outcome)
def test_a_student_learns_of_a_hidden_check_only_what_became_of_it(
    hints: Hints, outcome: Outcome
) -> None:
    points = {Outcome.PASSED: 2.0, Outcome.UNKNOWN: None}.get(outcome, 0.0)
    hidden = replace(HIDDEN, outcome=outcome, points=points, blocked_by=("web.up",))
    view = View(language="es", hints=hints, audience=Audience.STUDENT)
    _, found = seen(view, replace(HIDDEN, id="web.other"), hidden)
    assert found == CheckResult(
        id="hidden-2",
        step="web",
        title="Una comprobación oculta",
        outcome=outcome,
        points=points,
        max_points=2.0,
        hidden=True,
    )


def test_what_a_hidden_check_blocks_does_not_name_it_to_a_student() -> None:
    view = View(audience=Audience.STUDENT)
    _, _, blocked, unknown = seen(
        view, FAILED, HIDDEN, BEHIND, replace(BEHIND, outcome=Outcome.UNKNOWN, points=None)
    )
    assert (blocked.message, blocked.blocked_by) == (
        "blocked by web.up, hidden-1",
        ("web.up", "hidden-1"),
    )
    assert unknown.message == "could not be evaluated: web.up, hidden-1"
    assert "secret" not in repr((blocked, unknown))


def test_what_is_not_in_the_run_is_called_by_no_name_before_students() -> None:
    """A hidden check whose mark is broken is not there, and is still named by what is behind it."""
    behind = replace(BEHIND, blocked_by=("web.up", "web.secret", "web.other"))
    _, found = seen(View(audience=Audience.STUDENT), FAILED, behind)
    assert found.blocked_by == ("web.up", "hidden")
    assert found.message == "blocked by web.up, hidden"
    assert seen(View(), FAILED, behind)[1].blocked_by == behind.blocked_by


@pytest.mark.parametrize("hidden", [True, False])
def test_a_student_sees_of_lost_checks_only_that_there_are_some(hidden: bool) -> None:
    """What stands for them names files and checks, hidden ones as well."""
    lost = CheckRun(
        id="test_web.py::test_secret",
        step="",
        title={"en": "test_web.py::test_secret could not be read"},
        outcome=Outcome.UNKNOWN,
        points=None,
        max_points=0.0,
        message={"en": "secret: no mark"},
        output="secret",
        hint={"en": "secret"},
        hidden=hidden,
    )
    again = replace(lost, id="test_app.py")
    found = seen(View(audience=Audience.STUDENT, hints=Hints.FULL), lost, again)
    one = CheckResult(
        id="checks-1",
        step="",
        title="Some checks could not be run",
        outcome=Outcome.UNKNOWN,
        points=None,
        max_points=0.0,
    )
    assert found == (one, replace(one, id="checks-2"))
    assert seen(View(), lost)[0].message == "secret: no mark"


def test_each_student_s_own_moment_goes_before_the_run_s() -> None:
    run = lab_of(FAILED)
    later = AT.replace(hour=13)
    run = replace(run, students=(*run.students, replace(run.students[0], at=later)))
    assert [it.at for it in View().of_lab(run, at=AT).students] == [AT, later]


def test_hidden_checks_count_for_everybody() -> None:
    run = lab_of(replace(FAILED, outcome=Outcome.PASSED, points=2.0), HIDDEN, BEHIND)
    for audience in Audience:
        student = View(audience=audience).of_lab(run).students[0]
        assert (student.score, student.max_score, student.outcome) == (2.0, 5.0, Outcome.FAILED)
