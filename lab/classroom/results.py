"""What a verify found: frozen outcomes that every report is a pure function of."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


class Outcome(StrEnum):
    """What became of a check, or of all the checks of a student."""

    PASSED = "passed"
    FAILED = "failed"
    BLOCKED = "blocked"
    UNKNOWN = "unknown"


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """What stands behind a failure.

    `expected` and `found` are words or values, `output` the last commands that the check ran in the
    guest and what they said, cut short.
    """

    expected: str = ""
    found: str = ""
    output: str = ""


@dataclass(frozen=True, kw_only=True)
class CheckResult:
    """One check on one machine, in the words that its reader is to see.

    `points` is what was earned, None when the check could not be evaluated: unknown is never a
    zero.
    `message` is one line (why it did not pass), `evidence` what is behind it; `blocked_by` are the
    checks that failed (or, for an unknown one, could not be evaluated), because of which this one
    means nothing; a `hidden` one is the teacher's.
    """

    id: str
    step: str
    title: str
    outcome: Outcome
    points: float | None
    max_points: float
    message: str = ""
    evidence: Evidence = Evidence()
    hint: str = ""
    hidden: bool = False
    blocked_by: tuple[str, ...] = ()
    seconds: float = 0.0

    @property
    def stands_for_others(self) -> bool:
        """Whether it stands for checks that were lost: what those are worth is not known."""
        return stands_for_others(self.step, self.outcome)


def stands_for_others(step: str, outcome: Outcome) -> bool:
    """Tell of a result whether it is no check of the guide, but stands for some that were lost."""
    return outcome is Outcome.UNKNOWN and not step


def outcome_of(outcomes: Iterable[Outcome]) -> Outcome:
    """Failed when anything failed, else unknown when anything was unknown, else passed."""
    found = set(outcomes)
    if found & {Outcome.FAILED, Outcome.BLOCKED}:
        return Outcome.FAILED
    return Outcome.UNKNOWN if Outcome.UNKNOWN in found or not found else Outcome.PASSED


@dataclass(frozen=True, kw_only=True)
class StudentResult:
    """Every check of one student's machine, in the guide's order; `at` is when they were run."""

    login: str
    name: str
    machine: str
    checks: tuple[CheckResult, ...]
    at: datetime | None = None

    @property
    def evaluated(self) -> tuple[CheckResult, ...]:
        """The checks that say something about the student's work."""
        return tuple(check for check in self.checks if check.outcome is not Outcome.UNKNOWN)

    @property
    def score(self) -> float:
        """Points earned."""
        return sum(check.points or 0.0 for check in self.evaluated)

    @property
    def max_score(self) -> float:
        """Points that could have been earned in the checks that were evaluated."""
        return sum(check.max_points for check in self.evaluated)

    @property
    def total_points(self) -> float:
        """Points of all checks, those that nobody could evaluate included."""
        return sum(check.max_points for check in self.checks)

    @property
    def is_weighed(self) -> bool:
        """Whether it is known what all checks are worth."""
        return not any(check.stands_for_others for check in self.checks)

    @property
    def complete(self) -> bool:
        """Whether all that is worth points was evaluated."""
        missing = any(it.max_points for it in self.checks if it.outcome is Outcome.UNKNOWN)
        return bool(self.evaluated) and self.is_weighed and not missing

    @property
    def outcome(self) -> Outcome:
        """Of all checks together."""
        return outcome_of(check.outcome for check in self.checks)


@dataclass(frozen=True, kw_only=True)
class LabResult:
    """One lab's students, in the roster's order.

    `steps` are the guide's titles by name, in its order; `language` is the one of all its texts,
    and so the one for what a report says of it.
    """

    lab: str
    students: tuple[StudentResult, ...]
    steps: Mapping[str, str] = field(default_factory=dict)
    language: str = "en"


class MachineState(StrEnum):
    """Where a student's machine is in its life."""

    MISSING = "missing"
    CREATING = "creating"
    RUNNING = "running"
    STOPPED = "stopped"
    FAILED = "failed"
    ORPHAN = "orphan"
    UNKNOWN = "unknown"


@dataclass(frozen=True, kw_only=True)
class MachineStatus:
    """One machine as `lab status` sees it.

    `step` is the last step that ran (the one that failed, when one did); `ip`, `url` and `step` are
    None while there is none.
    """

    lab: str
    login: str
    machine: str
    provider: str
    state: MachineState
    ip: str | None = None
    url: str | None = None
    step: str | None = None
    steps_done: int = 0
    steps_total: int = 0


class Label(StrEnum):
    """How a machine stands to what labs.yaml wants."""

    OK = "ok"
    MISSING = "missing"
    STOPPED = "stopped"
    HALF_MADE = "half-made"
    DRIFTED = "drifted"
    ORPHAN = "orphan"
    FOREIGN = "foreign"


@dataclass(frozen=True, kw_only=True)
class PlannedMachine:
    """One machine as `lab plan` sees it.

    `why` says what is the matter, and `action` what `lab up` does about it; one that `waits` is as
    labs.yaml says from its next start on. A foreign machine has no lab and no login: it is somebody
    else's.
    """

    lab: str
    login: str
    machine: str
    label: Label
    why: str = ""
    action: str = ""
    waits: bool = False


@dataclass(frozen=True, kw_only=True)
class MachineOutcome:
    """What `lab up` or `lab provision` made of one machine.

    `tail` holds the last lines that the failed step printed, `log` the file with all of them, and
    `retry` the command that takes up this machine where it stopped; `waits` says what it runs with
    where labs.yaml says otherwise, which holds from its next start on.
    """

    machine: str
    lab: str
    login: str
    ok: bool
    changed: bool
    failed_step: str = ""
    message: str = ""
    tail: tuple[str, ...] = ()
    log: str = ""
    retry: str = ""
    waits: str = ""
    ip: str | None = None
    url: str | None = None
    seconds: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Grade:
    """One student's mark in one lab, out of one of their attempts.

    Attributes:
        lab: the lab.
        login: the student.
        name: their name.
        email: byte for byte as the roster has it, "" for none.
        id_number: the school's number of them, "" for none.
        at: when the attempt ended; None when there is none that was evaluated.
        attempts: how many there were on this machine.
        earlier_attempts: how many on earlier machines, of whom has none on this one.
        score: points earned; None when nothing was evaluated.
        max_score: points that could have been earned in what was evaluated.
        total_points: points of all checks, those that nobody could evaluate included.
        is_weighed: whether it is known what all checks are worth.
        mark: the score on the scale, None when nothing was evaluated.
        scale: the highest mark.
        feedback: a line for the student, in their language, without hidden checks.
    """

    lab: str
    login: str
    name: str
    email: str = ""
    id_number: str = ""
    at: datetime | None = None
    attempts: int = 0
    earlier_attempts: int = 0
    score: float | None = None
    max_score: float = 0.0
    total_points: float = 0.0
    is_weighed: bool = True
    mark: float | None = None
    scale: float = 10.0
    feedback: str = ""

    @property
    def complete(self) -> bool:
        """Whether all that is worth points was evaluated."""
        known = self.is_weighed and self.max_score == self.total_points
        return self.score is not None and known


@dataclass(frozen=True, kw_only=True)
class BoxStatus:
    """One box that this computer has; `created` is an ISO 8601 date, empty when nobody noted it."""

    name: str
    provider: str
    version: str
    size_mb: int
    created: str = ""


@dataclass(frozen=True, kw_only=True)
class SnapshotStatus:
    """One snapshot of one machine.

    `created` is when it was taken, None when that is not known; `size_mb` is what it takes of the
    host's disk.
    """

    lab: str
    login: str
    machine: str
    name: str
    created: datetime | None
    size_mb: int
