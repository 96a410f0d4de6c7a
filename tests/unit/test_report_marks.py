"""Marks and histories as tables, CSV and JSON: whole values, and nothing from outside acts."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from rich.console import Console

from lab.classroom.attempts import HistoryAttempt, StudentHistory
from lab.classroom.choices import Take
from lab.classroom.results import Grade, Outcome
from lab.report.console import console_for
from lab.report.grades_csv import grades_csv
from lab.report.grades_json import grades_json
from lab.report.grades_table import grades_table
from lab.report.history_json import history_json
from lab.report.history_table import history_table
from tests.unit.test_report_text import ACTIVE, OUTSIDE

AT = datetime(2026, 11, 30, 12, tzinfo=UTC)
FORMULA = ("=", "+", "-", "@", "\t", "\r")


def a_grade(text: str = "x") -> Grade:
    return Grade(
        lab=text,
        login=text,
        name=text,
        email="ana@example.org",
        id_number=text,
        at=AT,
        attempts=2,
        score=1.5,
        max_score=2.0,
        total_points=3.0,
        mark=7.5,
        feedback=text,
    )


def a_history(text: str = "x") -> StudentHistory:
    attempt = HistoryAttempt(
        at=AT,
        machine=text,
        identity=text,
        taken_as=(Take.LAST, Take.BEST),
        score=1.5,
        max_score=2.0,
        total_points=3.0,
        mark=7.5,
        outcome=Outcome.FAILED,
        turned_passed=(text,),
        turned_failed=(text, text),
    )
    return StudentHistory(lab=text, login=text, name=f"{text}!", attempts=(attempt, attempt))


def drawn(draw: Callable[[Console], None]) -> str:
    stream = io.StringIO()
    draw(console_for(stream, {"COLUMNS": "100"}))
    return stream.getvalue()


@given(OUTSIDE)
def test_nothing_from_outside_acts(text: str) -> None:
    grades, histories = [a_grade(text)], [a_history(text)]
    shown = [
        drawn(lambda console: grades_table(grades, language="es", console=console)),
        drawn(lambda console: history_table(histories, language="es", console=console)),
        grades_json(grades),
        history_json(histories),
        grades_csv(grades),
    ]
    for document in shown:
        assert ACTIVE.findall(document) == []


@given(OUTSIDE)
def test_json_hands_on_every_text_as_it_is(text: str) -> None:
    [grade] = json.loads(grades_json([a_grade(text)]))["grades"]
    [history] = json.loads(history_json([a_history(text)]))["labs"]
    assert (grade["name"], grade["feedback"], history["name"]) == (text, text, f"{text}!")


@given(OUTSIDE)
def test_no_cell_of_a_csv_is_a_formula(text: str) -> None:
    header, row = csv.reader(io.StringIO(grades_csv([a_grade(text)])))
    assert len(header) == len(row)
    assert not any(cell.lstrip(" ").startswith(FORMULA) for cell in row)


@pytest.mark.parametrize(
    ("language", "mark", "points"),
    [("en", "7.50", "1.5 of 3, 1 not evaluated"), ("es", "7,50", "1,5 de 3, 1 sin evaluar")],
)
def test_numbers_are_written_as_the_reader_writes_them(
    language: str, mark: str, points: str
) -> None:
    for text in (
        drawn(lambda console: grades_table([a_grade()], language=language, console=console)),
        drawn(lambda console: history_table([a_history()], language=language, console=console)),
    ):
        assert mark in text
        assert points in text


def test_it_is_told_that_nobody_knows_what_all_points_are() -> None:
    grade = replace(a_grade("ana"), is_weighed=False, max_score=3.0)
    text = drawn(lambda console: grades_table([grade], language="en", console=console))
    assert "1.5 of ?" in text
    assert "Not everything could be evaluated: ana." in text
    assert [row["complete"] for row in csv.DictReader(io.StringIO(grades_csv([grade])))] == [
        "false"
    ]


def test_marks_of_several_labs_say_of_which() -> None:
    grades = [Grade(lab="one", login="ana", name="Ana"), a_grade("two")]
    text = drawn(lambda console: grades_table(grades, language="en", console=console))
    assert text.startswith("lab")
    assert "one: 0 of 1 have a mark" in text
    assert "two: 1 of 1 have a mark" in text


def test_a_new_failure_says_how_much_it_blocks() -> None:
    attempt = HistoryAttempt(at=AT, machine="m", turned_failed=("web.up",), blocked_by_those=10)
    history = StudentHistory(lab="web", login="ana", name="Ana", attempts=(attempt,))

    def shown(language: str) -> str:
        return drawn(lambda console: history_table([history], language=language, console=console))

    assert "fails now: web.up, and blocks 10\n" in shown("en")
    assert "ahora fallidas: web.up, y bloquea 10\n" in shown("es")


def test_attempts_on_an_earlier_machine_are_told() -> None:
    grades = [
        replace(a_grade(login), at=None, score=None, mark=None, attempts=0, earlier_attempts=count)
        for login, count in (("ana", 2), ("luis", 1), ("eva", 0))
    ]
    told = drawn(lambda console: grades_table(grades, language="en", console=console))
    assert (
        "Attempts on an earlier machine: ana (2), luis (1). They do not count: lab history LOGIN\n"
    ) in told
    told = drawn(lambda console: grades_table([a_grade()], language="en", console=console))
    assert "earlier" not in told
