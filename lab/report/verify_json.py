"""`lab verify --format json`: the stable, versioned contract that scripts and gradebooks read."""

from __future__ import annotations

from lab.classroom.results import CheckResult, LabResult, StudentResult
from lab.report.json_document import document, number


def verify_json(results: tuple[LabResult, ...]) -> str:
    """Return the results as JSON, in the order that they came in.

    `points` is null for a check that could not be evaluated, and `score` for a student of whom
    nothing could be: unknown is never a zero. `at` is ISO 8601, null where nobody noted it.
    """
    return document({"labs": [_lab(result) for result in results]})


def _lab(result: LabResult) -> dict[str, object]:
    return {"lab": result.lab, "students": [_student(student) for student in result.students]}


def _student(student: StudentResult) -> dict[str, object]:
    return {
        "login": student.login,
        "machine": student.machine,
        "score": number(student.score) if student.evaluated else None,
        "max_score": number(student.max_score),
        "total_points": number(student.total_points),
        "complete": student.complete,
        "outcome": student.outcome.value,
        "at": None if student.at is None else student.at.isoformat(),
        "checks": [_check(check) for check in student.checks],
    }


def _check(check: CheckResult) -> dict[str, object]:
    return {
        "id": check.id,
        "step": check.step,
        "title": check.title,
        "outcome": check.outcome.value,
        "points": None if check.points is None else number(check.points),
        "max_points": number(check.max_points),
        "message": check.message,
        "hint": check.hint,
        "seconds": number(check.seconds, digits=3),
        "hidden": check.hidden,
        "blocked_by": list(check.blocked_by),
        "evidence": {
            "expected": check.evidence.expected,
            "found": check.evidence.found,
            "output": check.evidence.output,
        },
    }
