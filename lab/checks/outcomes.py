"""What a test's end means: passed, failed, blocked or unknown."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from lab.checks.spec import CheckSpec, in_language
from lab.classroom.results import CheckResult, Evidence, Outcome
from lab.errors import LabError

EVIDENCE_CHARACTERS = 4000
_MESSAGE_CHARACTERS = 400


def result_of(
    spec: CheckSpec, error: BaseException | None, *, language: str, seconds: float
) -> CheckResult:
    """A check that ran: an assertion is the student's, any other exception leaves it unknown."""
    if error is None:
        return _result(spec, Outcome.PASSED, language=language, seconds=seconds)
    text = str(error).strip()
    if isinstance(error, AssertionError | pytest.fail.Exception):
        message = _first_paragraph(text) or "the check's condition does not hold"
        outcome = Outcome.FAILED
    elif isinstance(error, LabError):
        message = f"{error.message}: {error.details}" if error.details else error.message
        outcome = Outcome.UNKNOWN
    elif isinstance(error, pytest.skip.Exception):
        message, outcome = f"not evaluated: {text}", Outcome.UNKNOWN
    else:
        message = f"the check itself went wrong: {type(error).__name__}: {_first_paragraph(text)}"
        outcome = Outcome.UNKNOWN
    return _result(
        spec, outcome, language=language, seconds=seconds, message=message, evidence=text
    )


def blocked_by(
    spec: CheckSpec, outcomes: Mapping[str, Outcome], *, language: str
) -> CheckResult | None:
    """The result of a check that means nothing yet, because of one that it comes after.

    None when it may run.
    What stands behind an unknown check is unknown too: nobody has seen whether it holds.
    """
    for other in spec.after:
        outcome = outcomes.get(other, Outcome.UNKNOWN)
        if outcome in {Outcome.FAILED, Outcome.BLOCKED}:
            return _result(spec, Outcome.BLOCKED, language=language, message=f"blocked by {other}")
        if outcome is Outcome.UNKNOWN:
            return _result(
                spec, Outcome.UNKNOWN, language=language, message=f"{other} could not be evaluated"
            )
    return None


def unknown(spec: CheckSpec, why: str, *, language: str) -> CheckResult:
    """A check that could not be evaluated."""
    return _result(spec, Outcome.UNKNOWN, language=language, message=why)


def _result(
    spec: CheckSpec,
    outcome: Outcome,
    *,
    language: str,
    seconds: float = 0.0,
    message: str = "",
    evidence: str = "",
) -> CheckResult:
    points = {Outcome.PASSED: spec.points, Outcome.UNKNOWN: None}.get(outcome, 0.0)
    return CheckResult(
        id=spec.id,
        step=spec.step,
        title=in_language(spec.title, language),
        outcome=outcome,
        points=points,
        max_points=spec.points,
        message=message[:_MESSAGE_CHARACTERS],
        evidence=Evidence(output=evidence[:EVIDENCE_CHARACTERS]),
        hint="" if outcome is Outcome.PASSED else in_language(spec.hint, language),
        seconds=round(seconds, 3),
    )


def _first_paragraph(text: str) -> str:
    """The author's own sentence; how pytest took the assertion apart is on the lines after it."""
    lines = []
    for line in text.splitlines():
        if not line.strip() or line.startswith("assert "):
            break
        lines.append(line.strip())
    return " ".join(lines)
