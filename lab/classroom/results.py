"""What a verify found: frozen outcomes that every report is a pure function of."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Outcome(StrEnum):
    """What became of a check, or of all the checks of a student."""

    PASSED = "passed"
    FAILED = "failed"
    BLOCKED = "blocked"
    UNKNOWN = "unknown"


@dataclass(frozen=True, kw_only=True)
class CheckResult:
    """One check on one machine.

    `points` is what was earned, None when the check could not be evaluated: unknown is never a
    zero.
    `message` is one line (why it did not pass), `evidence` the longer output behind it.
    """

    id: str
    step: str
    title: str
    outcome: Outcome
    points: float | None
    max_points: float
    message: str = ""
    evidence: str = ""
    hint: str = ""
    seconds: float = 0.0


@dataclass(frozen=True, kw_only=True)
class StudentResult:
    """Every check of one student's machine, in the guide's order."""

    login: str
    name: str
    machine: str
    checks: tuple[CheckResult, ...]

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
    def outcome(self) -> Outcome:
        """Failed when anything failed, else unknown when anything was unknown, else passed."""
        outcomes = {check.outcome for check in self.checks}
        if outcomes & {Outcome.FAILED, Outcome.BLOCKED}:
            return Outcome.FAILED
        if Outcome.UNKNOWN in outcomes or not outcomes:
            return Outcome.UNKNOWN
        return Outcome.PASSED


@dataclass(frozen=True, kw_only=True)
class LabResult:
    """One lab's students, in the roster's order."""

    lab: str
    students: tuple[StudentResult, ...]


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

    `why` says what is the matter, and `action` what `lab up` does about it. A foreign machine has
    no lab and no login: it is somebody else's.
    """

    lab: str
    login: str
    machine: str
    label: Label
    why: str = ""
    action: str = ""


@dataclass(frozen=True, kw_only=True)
class MachineOutcome:
    """What `lab up` or `lab provision` made of one machine.

    `tail` holds the last lines that the failed step printed, `log` the file with all of them, and
    `retry` the command that takes up this machine where it stopped.
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
    ip: str | None = None
    url: str | None = None
    seconds: float = 0.0


@dataclass(frozen=True, kw_only=True)
class BoxStatus:
    """One box that this computer has; `created` is an ISO 8601 date, empty when nobody noted it."""

    name: str
    provider: str
    version: str
    size_mb: int
    created: str = ""
