"""`lab verify --format csv`: a row a check, for a spreadsheet or a pivot table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from lab.classroom.results import CheckResult, LabResult, Outcome, StudentResult
from lab.report.cells import csv_text, inert_cell
from lab.report.json_document import number

HEADER = (
    "lab",
    "login",
    "name",
    "step",
    "check",
    "title",
    "outcome",
    "points",
    "max_points",
    "message",
    "blocked_by",
    "hidden",
    "at",
)


def verify_csv(results: Sequence[LabResult]) -> str:
    """Return the results as CSV: UTF-8 text, commas, LF, numbers with a dot, outcomes in English.

    A student without a single check has one row, of outcome `unknown` and without a check.
    """
    return csv_text(
        HEADER, (row for lab in results for student in lab.students for row in _rows(lab, student))
    )


def _rows(lab: LabResult, student: StudentResult) -> Iterator[Sequence[str]]:
    who = [inert_cell(text) for text in (lab.lab, student.login, student.name)]
    at = "" if student.at is None else student.at.isoformat()
    if not student.checks:
        yield [*who, "", "", "", Outcome.UNKNOWN.value, "", "", "", "", "", at]
    for check in student.checks:
        yield [*who, *_of_check(check), at]


def _of_check(check: CheckResult) -> list[str]:
    return [
        inert_cell(check.step),
        inert_cell(check.id),
        inert_cell(check.title),
        check.outcome.value,
        "" if check.points is None else str(number(check.points)),
        str(number(check.max_points)),
        inert_cell(check.message),
        inert_cell(", ".join(check.blocked_by)),
        "true" if check.hidden else "false",
    ]
