"""`lab grades --format json`: one object a student and lab, in the roster's order."""

from __future__ import annotations

from collections.abc import Sequence

from lab.classroom.results import Grade
from lab.report.json_document import document, number


def grades_json(grades: Sequence[Grade]) -> str:
    """Return the marks as JSON; `at`, `score` and `mark` are null where nothing was evaluated."""
    return document({"grades": [_grade(grade) for grade in grades]})


def _grade(grade: Grade) -> dict[str, object]:
    return {
        "lab": grade.lab,
        "login": grade.login,
        "name": grade.name,
        "email": grade.email,
        "id_number": grade.id_number,
        "mark": None if grade.mark is None else number(grade.mark),
        "scale": number(grade.scale),
        "score": None if grade.score is None else number(grade.score),
        "max_score": number(grade.max_score),
        "total_points": number(grade.total_points),
        "complete": grade.complete,
        "attempts": grade.attempts,
        "at": None if grade.at is None else grade.at.isoformat(),
        "feedback": grade.feedback,
    }
