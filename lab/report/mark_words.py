"""What tables of marks and of attempts say alike: a mark, and the points that it is made of."""

from __future__ import annotations

from rich.text import Text

from lab.classroom.attempts import HistoryAttempt
from lab.classroom.results import Grade
from lab.classroom.wording import say
from lab.report.verify_words import in_points


def in_mark(mark: float | None, language: str) -> Text:
    """Return a mark with its two decimals, `7.50` or `7,50`; a dash where there is none."""
    if mark is None:
        return Text("-", style="dim")
    # A whole number of points has no comma to take over.
    whole, _, decimals = f"{mark:.2f}".partition(".")
    return Text(f"{whole}{in_points(0.5, language)[1]}{decimals}", style="bold")


def points(of: Grade | HistoryAttempt, language: str) -> Text:
    """Return `7 of 10`, and how many of all points could not be evaluated where some could not.

    Where it is not known what all checks are worth that is `7 of ?`.
    """
    score = of.score
    if score is None:
        return Text(say("grades.no_attempt", language), style="dim")
    if not of.is_weighed:
        told = {"score": in_points(score, language), "points": "?"}
        return Text(say("grades.of_points", language, **told), style="yellow")
    told = {"score": in_points(score, language), "points": in_points(of.total_points, language)}
    if of.complete:
        return Text(say("grades.of_points", language, **told))
    left = in_points(of.total_points - of.max_score, language)
    return Text(say("grades.not_evaluated_points", language, **told, missing=left), style="yellow")
