"""What a lab's results say of the class: the hardest checks, progress by step, the scores."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from statistics import median

from lab.classroom.results import CheckResult, LabResult, Outcome, StudentResult

BINS = 10
_WORST_FIRST = (Outcome.FAILED, Outcome.BLOCKED, Outcome.UNKNOWN)


@dataclass(frozen=True)
class StepState:
    """The worst outcome among a step's checks, and how many checks have it."""

    outcome: Outcome
    count: int


@dataclass(frozen=True, kw_only=True)
class Hardness:
    """How a check went in the class; the blocked and the unknown say nothing about it."""

    check: CheckResult
    passed: int
    failed: int
    blocked: int
    unknown: int

    @property
    def judged(self) -> int:
        """Of how many students it could be said."""
        return self.passed + self.failed

    @property
    def share(self) -> float:
        """The part of those that fail, 0 to 1."""
        return self.failed / self.judged if self.judged else 0.0


@dataclass(frozen=True, kw_only=True)
class Progress:
    """How many students have all of a step, of those for whom that could be said."""

    step: str
    complete: int
    judged: int
    unknown: int

    @property
    def share(self) -> float:
        """The part of them that has it all, 0 to 1."""
        return self.complete / self.judged if self.judged else 0.0


def step_names(lab: LabResult) -> tuple[str, ...]:
    """Return the lab's steps that have checks, in the guide's order.

    What the guide does not name is ordered as the student with the most of it has it.
    """
    orders = [tuple(dict.fromkeys(c.step for c in student.checks)) for student in lab.students]
    orders.sort(key=len, reverse=True)
    named = tuple(dict.fromkeys(name for order in orders for name in order))
    return (*(s for s in lab.steps if s in named), *(s for s in named if s not in lab.steps))


def all_checks(lab: LabResult) -> tuple[CheckResult, ...]:
    """Return each of the lab's checks once, by step, as the first student who has it has it."""
    fullest = sorted(lab.students, key=lambda student: len(student.checks), reverse=True)
    first: dict[tuple[str, str], CheckResult] = {}
    for student in fullest:
        for check in student.checks:
            first.setdefault((check.step, check.id), check)
    return tuple(
        check for step in step_names(lab) for check in first.values() if check.step == step
    )


def step_state(student: StudentResult, step: str) -> StepState | None:
    """Return what the student has of a step, None when it has no check for them."""
    outcomes = [check.outcome for check in student.checks if check.step == step]
    if not student.checks:
        return StepState(Outcome.UNKNOWN, 0)
    for outcome in _WORST_FIRST:
        if outcome in outcomes:
            return StepState(outcome, outcomes.count(outcome))
    return StepState(Outcome.PASSED, len(outcomes)) if outcomes else None


def progress(lab: LabResult) -> tuple[Progress, ...]:
    """Return each step's progress, in the guide's order."""
    return tuple(_progress(lab, step) for step in step_names(lab))


def _progress(lab: LabResult, step: str) -> Progress:
    found = [state for s in lab.students if (state := step_state(s, step)) is not None]
    unknown = sum(state.outcome is Outcome.UNKNOWN for state in found)
    return Progress(
        step=step,
        complete=sum(state.outcome is Outcome.PASSED for state in found),
        judged=len(found) - unknown,
        unknown=unknown,
    )


def hardest(lab: LabResult, *, most: int) -> tuple[Hardness, ...]:
    """Return at most `most` of the checks that somebody failed, the hardest first."""
    failing = [one for one in _hardness(lab) if one.failed]
    return tuple(sorted(failing, key=lambda one: (-one.share, -one.failed))[:most])


def _hardness(lab: LabResult) -> Iterable[Hardness]:
    outcomes: dict[tuple[str, str], list[Outcome]] = {}
    for student in lab.students:
        for check in student.checks:
            outcomes.setdefault((check.step, check.id), []).append(check.outcome)
    for check in all_checks(lab):
        of_it = outcomes[check.step, check.id]
        yield Hardness(
            check=check,
            passed=of_it.count(Outcome.PASSED),
            failed=of_it.count(Outcome.FAILED),
            blocked=of_it.count(Outcome.BLOCKED),
            unknown=of_it.count(Outcome.UNKNOWN),
        )


def shares(lab: LabResult) -> tuple[float, ...]:
    """Return each evaluated student's score as a part of what could be earned, 0 to 1."""
    return tuple(s.score / s.max_score for s in lab.students if s.max_score > 0)


def median_share(lab: LabResult) -> float | None:
    """Return the median of `shares`, None when nobody was evaluated."""
    found = shares(lab)
    return median(found) if found else None


def distribution(lab: LabResult) -> tuple[int, ...]:
    """Return how many students are in each tenth of the scores; a full score is in the last."""
    # Rounded, so that a sum of tenths that is a hair below 0.3 is not in the tenth below.
    places = [min(int(round(share * BINS, 6)), BINS - 1) for share in shares(lab)]
    return tuple(places.count(place) for place in range(BINS))
