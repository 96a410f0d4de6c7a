"""`lab grades --format csv`: a row a student and lab, for a spreadsheet."""

from __future__ import annotations

from collections.abc import Sequence

from lab.classroom.results import Grade
from lab.report.cells import csv_text, in_local_time, inert_cell
from lab.report.json_document import number

HEADER = (
    *("lab", "login", "name", "email", "id_number"),
    *("mark", "scale", "score", "max_score", "total_points"),
    *("complete", "attempts", "at", "feedback"),
)


def grades_csv(grades: Sequence[Grade]) -> str:
    """Return the marks as CSV: numbers with a dot; what nobody evaluated has empty cells."""
    return csv_text(HEADER, (_row(grade) for grade in grades))


def _row(grade: Grade) -> list[str]:
    evaluated = grade.at is not None
    return [
        *(inert_cell(text) for text in (grade.lab, grade.login, grade.name)),
        grade.email,
        inert_cell(grade.id_number),
        "" if grade.mark is None else f"{grade.mark:.2f}",
        str(number(grade.scale)),
        "" if grade.score is None else str(number(grade.score)),
        str(number(grade.max_score)) if evaluated else "",
        str(number(grade.total_points)) if evaluated else "",
        ("true" if grade.complete else "false") if evaluated else "",
        str(grade.attempts),
        in_local_time(grade.at),
        inert_cell(grade.feedback),
    ]
