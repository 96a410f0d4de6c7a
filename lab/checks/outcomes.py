"""What a test's end means: passed, failed, blocked or unknown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from lab.checks.comparisons import Comparison
from lab.checks.evidence import (
    MESSAGE_CHARACTERS,
    OUTPUT_CHARACTERS,
    NotAsExpected,
    NotEvaluated,
    in_words,
    shortened,
)
from lab.checks.spec import CheckSpec
from lab.classroom.results import Outcome
from lab.classroom.runs import CheckRun
from lab.classroom.wording import FALLBACK, Texts, say_in_all
from lab.errors import ConnectionLost, LabError


def result_of(
    spec: CheckSpec,
    error: BaseException | None,
    *,
    seconds: float,
    compared: Comparison | None = None,
    transcript: str = "",
) -> CheckRun:
    """A check that ran: an assertion is the student's, any other exception leaves it unknown.

    Args:
        spec: the check.
        error: what ended it; None when it holds.
        seconds: how long it took.
        compared: the values for which a plain assertion failed, where they are known.
        transcript: what it asked the guest and was answered; not kept of one that holds.
    """
    seconds = round(seconds, 3)
    if error is None:
        return replace(_result(spec, Outcome.PASSED), seconds=seconds)
    if not isinstance(error, AssertionError | pytest.fail.Exception):
        return replace(_unknown_for(spec, error, transcript), seconds=seconds)
    expected: Texts = compared.expected if compared else {}
    found = compared.found if compared else ""
    own = _first_paragraph(str(error).strip())
    if isinstance(error, NotAsExpected):
        expected, found = error.expected, error.found
        message = in_words(expected, found)
    elif own:
        message = {FALLBACK: own}
    else:
        message = in_words(expected, found) if compared else say_in_all("checks.does_not_hold")
    return replace(
        _result(spec, Outcome.FAILED, message),
        expected=dict(expected),
        found=found,
        output=transcript,
        seconds=seconds,
    )


def _unknown_for(spec: CheckSpec, error: BaseException, transcript: str) -> CheckRun:
    """A check that an exception ended which says nothing of the student's work."""
    text = str(error).strip()
    output = transcript
    if isinstance(error, ConnectionLost):
        message = say_in_all("checks.connection_lost", why=error.details or error.message)
    elif isinstance(error, NotEvaluated):
        message = say_in_all("checks.not_evaluated", why=error.why)
    elif isinstance(error, LabError):
        why = f"{error.message}: {error.details}" if error.details else error.message
        message = say_in_all("checks.not_evaluated", why=why)
    elif isinstance(error, pytest.skip.Exception):
        message = say_in_all("checks.not_evaluated", why=text)
    else:
        why = f"{type(error).__name__}: {_first_paragraph(text)}"
        message = say_in_all("checks.went_wrong", why=why)
        output = f"{transcript}\n{text}".strip()
    result = _result(spec, Outcome.UNKNOWN, message)
    return replace(result, output=shortened(output, OUTPUT_CHARACTERS))


def behind_others(spec: CheckSpec, known: Mapping[str, CheckRun]) -> CheckRun | None:
    """The result of a check that means nothing, because of others that it comes after.

    Args:
        spec: the check.
        known: what became of the checks before it, by id.

    Returns:
        A blocked one where another failed: whatever else there is, it cannot hold. Else an unknown
        one where another could not be evaluated, or was not read at all. Both name the checks at
        the root of it, and not those that are themselves behind one, nor those that were not read:
        such a one may be hidden. None when it may run.
    """
    failed: dict[str, None] = {}
    unseen: dict[str, None] = {}
    unread = False
    for other in spec.after:
        result = known.get(other)
        if result is None:
            unread = True
        elif result.outcome in {Outcome.FAILED, Outcome.BLOCKED}:
            failed |= dict.fromkeys(result.blocked_by or (other,))
        elif result.outcome is Outcome.UNKNOWN:
            unseen |= dict.fromkeys(result.blocked_by or (other,))
    if not failed and not unseen:
        return unknown(spec, say_in_all("checks.behind_unread")) if unread else None
    outcome = Outcome.BLOCKED if failed else Outcome.UNKNOWN
    # The view says which ones, in the words of its reader, for whom some may have no name.
    return replace(_result(spec, outcome), blocked_by=tuple(failed or unseen))


def unknown(spec: CheckSpec, why: Texts) -> CheckRun:
    """A check that could not be evaluated."""
    return _result(spec, Outcome.UNKNOWN, why)


def _result(spec: CheckSpec, outcome: Outcome, message: Texts | None = None) -> CheckRun:
    points = {Outcome.PASSED: spec.points, Outcome.UNKNOWN: None}.get(outcome, 0.0)
    return CheckRun(
        id=spec.id,
        step=spec.step,
        title=spec.title,
        outcome=outcome,
        points=points,
        max_points=spec.points,
        message={
            language: shortened(text, MESSAGE_CHARACTERS)
            for language, text in (message or {}).items()
        },
        hint={} if outcome is Outcome.PASSED else spec.hint,
        full_hint={} if outcome is Outcome.PASSED else spec.full_hint,
        hidden=spec.hidden,
    )


def _first_paragraph(text: str) -> str:
    """The author's own sentence; how pytest took the assertion apart is on the lines after it."""
    lines = []
    for line in text.splitlines():
        if not line.strip() or line.startswith("assert "):
            break
        lines.append(line.strip())
    return " ".join(lines)
