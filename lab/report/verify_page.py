"""What is on the page of a verify: every text made inert, every number written out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from lab.classroom.results import CheckResult, LabResult, Outcome, StudentResult
from lab.classroom.wording import say
from lab.report.class_figures import (
    BINS,
    all_checks,
    distribution,
    hardest,
    median_share,
    progress,
    step_names,
)
from lab.report.text import inert_block, inert_line
from lab.report.verify_words import (
    check_outcome,
    counted,
    counts,
    found_words,
    in_points,
    repeats_evidence,
    says_hidden,
    score,
    student_outcome,
    whole_score,
)

SIGNS = {Outcome.PASSED: "✓", Outcome.FAILED: "✗", Outcome.BLOCKED: "–", Outcome.UNKNOWN: "?"}
_ORDER = (Outcome.FAILED, Outcome.BLOCKED, Outcome.UNKNOWN, Outcome.PASSED)
_MOST_HARDEST = 10
# What fits into a heading above columns of a cell's width.
_CHARACTERS_A_COLUMN = 3


@dataclass(frozen=True, kw_only=True)
class Root:
    """A check that blocks another; `anchor` is None where the page does not have it."""

    id: str
    anchor: str | None


@dataclass(frozen=True, kw_only=True)
class Check:
    """One check of one student, with all that stands behind its outcome."""

    anchor: str
    id: str
    title: str
    outcome: Outcome
    word: str
    points: str
    hidden: bool
    message: str
    expected: str
    found: str
    output: str
    hint: str
    roots: tuple[Root, ...]


@dataclass(frozen=True, kw_only=True)
class Group:
    """Checks of one student with one outcome and, but for failures, with one cause."""

    outcome: Outcome
    checks: tuple[Check, ...]
    cause: str = ""
    roots: tuple[Root, ...] = ()

    @property
    def alike(self) -> bool:
        """Whether what is said above the checks need not be said of each."""
        return bool(self.cause or self.roots)


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One check in a student's row; `outcome` None where the check is not one of theirs."""

    outcome: Outcome | None
    anchor: str
    word: str


@dataclass(frozen=True, kw_only=True)
class Student:
    """One student's row and evidence; `groups` are their checks, the worst first."""

    anchor: str
    login: str
    name: str
    machine: str
    at: datetime | None
    outcome: Outcome
    word: str
    points: float
    score: str
    whole_score: str
    failed: int
    counts: str
    cells: tuple[Cell, ...]
    groups: tuple[Group, ...]


@dataclass(frozen=True, kw_only=True)
class Column:
    """One check at the head of the matrix."""

    id: str
    title: str
    hidden: bool


@dataclass(frozen=True, kw_only=True)
class Step:
    """One step: its columns, and how far the class (or a single student) has come with it."""

    number: int
    title: str
    heading: str
    columns: tuple[Column, ...]
    part: int
    whole: int
    unknown: int

    @property
    def percent(self) -> float:
        """The part of the whole, 0 to 100."""
        return round(100 * self.part / self.whole, 1) if self.whole else 0.0


@dataclass(frozen=True, kw_only=True)
class Hard:
    """One of the hardest checks: `failed` of `judged` students fail it."""

    id: str
    title: str
    hidden: bool
    failed: int
    judged: int
    blocked: str
    percent: float


@dataclass(frozen=True, kw_only=True)
class Lab:
    """One lab's part of the page."""

    anchor: str
    name: str
    language: str
    first_at: datetime | None
    last_at: datetime | None
    students: tuple[Student, ...]
    steps: tuple[Step, ...]
    hardest: tuple[Hard, ...]
    complete: int
    incomplete_unknown: int
    median: int | None
    bins: tuple[tuple[int, int, int], ...]

    @property
    def one(self) -> Student | None:
        """The only student, None when there are more or none."""
        return self.students[0] if len(self.students) == 1 else None

    def say(self, key: str, **values: object) -> str:
        """A text of the catalogue in the lab's language."""
        return say(f"reports.{key}", self.language, **values)


def page(results: Sequence[LabResult]) -> tuple[Lab, ...]:
    """Return what the page shows of each lab."""
    return tuple(_lab(lab, f"l{number}") for number, lab in enumerate(results))


def _lab(lab: LabResult, anchor: str) -> Lab:
    columns = all_checks(lab)
    times = [student.at for student in lab.students if student.at is not None]
    middle = median_share(lab)
    width = 100 // BINS
    return Lab(
        anchor=anchor,
        name=inert_line(lab.lab),
        language=lab.language,
        first_at=min(times, default=None),
        last_at=max(times, default=None),
        students=tuple(
            _student(student, columns, lab, f"{anchor}s{number}")
            for number, student in enumerate(lab.students)
        ),
        steps=_steps(lab, columns),
        hardest=_hardest(lab),
        complete=sum(student.outcome is Outcome.PASSED for student in lab.students),
        incomplete_unknown=sum(len(s.evaluated) < max(len(s.checks), 1) for s in lab.students),
        median=None if middle is None else round(100 * middle),
        bins=tuple(
            (place * width, (place + 1) * width, count)
            for place, count in enumerate(distribution(lab))
        ),
    )


def _steps(lab: LabResult, checks: Sequence[CheckResult]) -> tuple[Step, ...]:
    return tuple(
        _step(lab, step, number, [check for check in checks if check.step == step])
        for number, step in enumerate(step_names(lab), start=1)
    )


def _step(lab: LabResult, step: str, number: int, checks: Sequence[CheckResult]) -> Step:
    part, whole, unknown = _of_class(lab, step)
    if len(lab.students) == 1:
        part, whole, unknown = _of_one(lab.students[0], step)
    heading = f"{number} {inert_line(step)}"
    fits = len(heading) <= _CHARACTERS_A_COLUMN * len(checks)
    return Step(
        number=number,
        title=inert_line(lab.steps.get(step) or step),
        heading=heading if fits else str(number),
        columns=tuple(
            Column(
                id=inert_line(check.id),
                title=inert_line(check.title),
                hidden=says_hidden(check, lab.language),
            )
            for check in checks
        ),
        part=part,
        whole=whole,
        unknown=unknown,
    )


def _of_class(lab: LabResult, step: str) -> tuple[int, int, int]:
    one = next(one for one in progress(lab) if one.step == step)
    return one.complete, one.judged, one.unknown


def _of_one(student: StudentResult, step: str) -> tuple[int, int, int]:
    outcomes = [check.outcome for check in student.checks if check.step == step]
    unknown = outcomes.count(Outcome.UNKNOWN)
    return outcomes.count(Outcome.PASSED), len(outcomes) - unknown, unknown


def _hardest(lab: LabResult) -> tuple[Hard, ...]:
    return tuple(
        Hard(
            id=inert_line(one.check.id),
            title=inert_line(one.check.title),
            hidden=says_hidden(one.check, lab.language),
            failed=one.failed,
            judged=one.judged,
            blocked=counted("reports.count_blocked", one.blocked, lab.language)
            if one.blocked
            else "",
            percent=round(100 * one.share, 1),
        )
        for one in hardest(lab, most=_MOST_HARDEST)
    )


def _student(
    student: StudentResult, columns: Sequence[CheckResult], lab: LabResult, anchor: str
) -> Student:
    anchors = {check.id: f"{anchor}c{place}" for place, check in enumerate(student.checks)}
    checks = [
        _check(check, anchors, f"{anchor}c{place}", lab.language)
        for place, check in enumerate(student.checks)
    ]
    places = {(check.step, check.id): place for place, check in enumerate(student.checks)}
    return Student(
        anchor=anchor,
        login=inert_line(student.login),
        name=inert_line(student.name),
        machine=inert_line(student.machine),
        at=student.at,
        outcome=student.outcome,
        word=student_outcome(student.outcome, lab.language),
        points=student.score if student.evaluated else -1.0,
        score=score(student, lab.language),
        whole_score=whole_score(student, lab.language),
        failed=sum(check.outcome is Outcome.FAILED for check in student.checks),
        counts=", ".join(counts(student, lab.language)),
        cells=tuple(
            _cell(column, places, checks, anchor=anchor, language=lab.language)
            for column in columns
        ),
        groups=_groups(checks),
    )


def _groups(checks: Sequence[Check]) -> tuple[Group, ...]:
    """The checks by outcome; what is blocked or unknown for one reason stands together."""
    groups: dict[tuple[Outcome, str, tuple[Root, ...]], list[Check]] = {}
    for outcome in _ORDER:
        for check in checks:
            if check.outcome is outcome:
                groups.setdefault(_cause(check), []).append(check)
    return tuple(
        Group(outcome=outcome, checks=tuple(alike), cause=cause, roots=roots)
        for (outcome, cause, roots), alike in groups.items()
    )


def _cause(check: Check) -> tuple[Outcome, str, tuple[Root, ...]]:
    if check.outcome in {Outcome.PASSED, Outcome.FAILED}:
        return check.outcome, "", ()
    return check.outcome, "" if check.roots else check.message, check.roots


def _cell(
    column: CheckResult,
    places: dict[tuple[str, str], int],
    checks: Sequence[Check],
    *,
    anchor: str,
    language: str,
) -> Cell:
    if not checks:
        word = check_outcome(Outcome.UNKNOWN, language)
        return Cell(outcome=Outcome.UNKNOWN, anchor=anchor, word=word)
    place = places.get((column.step, column.id))
    if place is None:
        return Cell(outcome=None, anchor=anchor, word=say("reports.page_absent", language))
    check = checks[place]
    return Cell(outcome=check.outcome, anchor=check.anchor, word=check.word)


def _check(check: CheckResult, anchors: dict[str, str], anchor: str, language: str) -> Check:
    points, most = check.points, in_points(check.max_points, language)
    return Check(
        anchor=anchor,
        id=inert_line(check.id),
        title=inert_line(check.title),
        outcome=check.outcome,
        word=check_outcome(check.outcome, language),
        points=f"{'-' if points is None else in_points(points, language)}/{most}",
        hidden=says_hidden(check, language),
        message="" if repeats_evidence(check, language) else inert_block(check.message).strip("\n"),
        expected=inert_block(check.evidence.expected).strip("\n"),
        found=inert_block(found_words(check, language)).strip("\n"),
        output=inert_block(check.evidence.output).strip("\n"),
        hint=inert_block(check.hint).strip("\n"),
        roots=tuple(
            Root(id=inert_line(other), anchor=anchors.get(other)) for other in check.blocked_by
        ),
    )
