"""`lab history --format json`: every attempt of a student, lab by lab, oldest first."""

from __future__ import annotations

from collections.abc import Sequence

from lab.classroom.attempts import HistoryAttempt, StudentHistory
from lab.report.json_document import document, number


def history_json(histories: Sequence[StudentHistory]) -> str:
    """Return a student's histories as JSON; score and mark are null where nothing was evaluated."""
    return document({"labs": [_lab(history) for history in histories]})


def _lab(history: StudentHistory) -> dict[str, object]:
    return {
        "lab": history.lab,
        "login": history.login,
        "name": history.name,
        "scale": number(history.scale),
        "attempts": [_attempt(attempt) for attempt in history.attempts],
    }


def _attempt(attempt: HistoryAttempt) -> dict[str, object]:
    return {
        "at": attempt.at.isoformat(),
        "machine": attempt.machine,
        "name": attempt.name,
        "anothers": attempt.anothers,
        "identity": attempt.identity,
        "made_anew": attempt.made_anew,
        "evaluated": attempt.evaluated,
        "counts": attempt.counts,
        "taken_as": [take.value for take in attempt.taken_as],
        "score": None if attempt.score is None else number(attempt.score),
        "max_score": number(attempt.max_score),
        "total_points": number(attempt.total_points),
        "complete": attempt.complete,
        "mark": None if attempt.mark is None else number(attempt.mark),
        "outcome": attempt.outcome.value,
        "turned_passed": list(attempt.turned_passed),
        "turned_failed": list(attempt.turned_failed),
        "blocked_by_those": attempt.blocked_by_those,
    }
