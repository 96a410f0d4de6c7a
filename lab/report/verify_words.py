"""What every report of a verify says alike, in the lab's language: scores, outcomes, counts."""

from __future__ import annotations

from collections.abc import Sequence

from lab.classroom.results import CheckResult, Outcome, StudentResult
from lab.classroom.wording import say
from lab.report.text import inert_block

_DECIMAL_COMMA = ("es",)


def in_points(value: float, language: str) -> str:
    """Return points as a reader of the language writes them: `2.5`, `2,5`."""
    text = f"{value:.2f}".rstrip("0").rstrip(".")
    return text.replace(".", ",") if language in _DECIMAL_COMMA else text


def score(student: StudentResult, language: str) -> str:
    """Return `31/34`, `31/34 of 60` when not all of the 60 were evaluated, a dash when none was.

    Where it is not known what all checks are worth that is `31/34 of ?`.
    """
    if not student.evaluated:
        return "-"
    text = f"{in_points(student.score, language)}/{in_points(student.max_score, language)}"
    if student.complete:
        return text
    total = in_points(student.total_points, language) if student.is_weighed else "?"
    return say("reports.score_of", language, score=text, total=total)


def whole_score(student: StudentResult, language: str) -> str:
    """Return `31/34`, and in brackets how much of all could not be evaluated."""
    if not missing_points("reports.points_not_evaluated", student, language):
        return score(student, language)
    bare = "-"
    if student.evaluated:
        bare = f"{in_points(student.score, language)}/{in_points(student.max_score, language)}"
    return f"{bare} ({missing_points('reports.points_not_evaluated', student, language)})"


def missing_points(key: str, student: StudentResult, language: str) -> str:
    """Return the text `key` with the points not evaluated and all points; "" when none lacks."""
    if student.evaluated and not student.is_weighed:
        return say("reports.points_not_known", language)
    missing = _missing(student)
    if not missing:
        return ""
    return say(
        key,
        language,
        missing=in_points(missing, language),
        total=in_points(student.total_points, language),
    )


def check_outcome(outcome: Outcome, language: str) -> str:
    """Return the word for what became of a check."""
    return say(f"reports.check_{outcome.value}", language)


def student_outcome(outcome: Outcome, language: str) -> str:
    """Return the word for what became of all checks of a student."""
    return say(f"reports.student_{outcome.value}", language)


def counted(key: str, count: int, language: str, **values: object) -> str:
    """Return the text `key_one` or `key_many`, whichever the count asks for."""
    return say(f"{key}_{'one' if count == 1 else 'many'}", language, n=count, **values)


def counts(student: StudentResult, language: str) -> list[str]:
    """Return `2 failed`, `1 blocked` and so on: what the student lacks, without what is nought."""
    return [
        counted(f"reports.count_{outcome.value}", count, language)
        for outcome in (Outcome.FAILED, Outcome.BLOCKED, Outcome.UNKNOWN)
        if (count := sum(check.outcome is outcome for check in student.checks))
    ]


def at_most(words: Sequence[str], most: int, language: str, *, between: str) -> str:
    """Return at most `most` of the words, and how many more there are."""
    shown = between.join(words[:most])
    more = len(words) - most
    return say("reports.and_more", language, listed=shown, n=more) if more > 0 else shown


def says_hidden(check: CheckResult, language: str) -> bool:
    """Tell whether a reader must be told that a check is hidden; a student's title says it."""
    return check.hidden and check.title != say("checks.hidden", language)


def found_words(check: CheckResult, language: str) -> str:
    """Return what was found; where something was expected, and nothing found, the word for that."""
    expected, found = (
        inert_block(text).strip("\n") for text in (check.evidence.expected, check.evidence.found)
    )
    return found or (say("checks.nothing_found", language) if expected else "")


def repeats_evidence(check: CheckResult, language: str) -> bool:
    """Tell whether the message says but what is expected and found, or which checks block it."""
    if check.blocked_by:
        return True
    if not check.evidence.expected:
        return False
    expected, found = check.evidence.expected, found_words(check, language)
    both = say("checks.as_expected", language, expected=expected, found=found)
    told, message = (" ".join(inert_block(text).split()) for text in (both, check.message))
    return told == message


def _missing(student: StudentResult) -> float:
    return sum(c.max_points for c in student.checks if c.outcome is Outcome.UNKNOWN)
