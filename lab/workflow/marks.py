"""Marks out of history: which attempts are a student's, which of them counts, and what it is worth.

Whatever is counted is counted in fractions: a sum of tenths is what it is on paper.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from fractions import Fraction
from functools import cached_property
from math import floor

from lab.classroom.choices import Take
from lab.classroom.classes import Classroom, Lab, Student
from lab.classroom.persons import is_another
from lab.classroom.results import Grade, LabResult, Outcome
from lab.classroom.runs import CheckRun, LabRun, Run, StudentRun
from lab.classroom.view import View
from lab.classroom.wording import FALLBACK, Texts, in_language, say

# What a line of feedback names; how many more there are is said.
_MOST_NAMED = 8


@dataclass(frozen=True, kw_only=True)
class Place:
    """A student's place in a lab; `name` is what their machine there is called."""

    lab: Lab
    student: Student

    @property
    def name(self) -> str:
        """What Vagrant calls the machine."""
        return self.student.machine_name


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """A student's machine in one run; `at` is when the last of their checks ended."""

    at: datetime
    run: StudentRun

    @cached_property
    def evaluated(self) -> tuple[CheckRun, ...]:
        """The checks that say something about the student's work."""
        return tuple(it for it in self.run.checks if it.outcome is not Outcome.UNKNOWN)

    @cached_property
    def score(self) -> Fraction:
        """Points earned."""
        return _sum(check.points or 0.0 for check in self.evaluated)

    @cached_property
    def max_score(self) -> Fraction:
        """Points that could have been earned in what was evaluated."""
        return _sum(check.max_points for check in self.evaluated)

    @cached_property
    def total_points(self) -> Fraction:
        """Points of all checks."""
        return _sum(check.max_points for check in self.run.checks)

    @property
    def is_weighed(self) -> bool:
        """Whether it is known what all checks are worth: not where a file could not be read."""
        return not any(check.stands_for_others for check in self.run.checks)

    @property
    def is_judged(self) -> bool:
        """Whether anything worth points was evaluated; in a guide without points, anything."""
        worthless = self.is_weighed and not self.total_points
        return bool(self.max_score) or (worthless and bool(self.evaluated))

    def mark(self, scale: float) -> float | None:
        """The score on a scale, two decimals, half up; None where no point could be earned."""
        if not self.max_score:
            return None
        exact = self.score / self.max_score * Fraction(repr(scale))
        return floor(exact * 100 + Fraction(1, 2)) / 100


@dataclass(frozen=True, kw_only=True)
class Marking:
    """How a teacher wants marks to be made.

    Attributes:
        take: which attempt counts.
        until: the last moment that counts; None for no end.
        scale: the highest mark.
        language: of feedback; None for each lab's own.
        identities: of each machine that exists now, by its name; "" where that is not known.
    """

    take: Take = Take.LAST
    until: datetime | None = None
    scale: float = 10.0
    language: str | None = None
    identities: Mapping[str, str] = field(default_factory=dict)

    def identity_now(self, place: Place) -> str:
        """The machine that a student has now; "" where it is not known, or does not matter.

        What is made of a machine after the window has closed does not matter.
        """
        return "" if self.until else self.identities.get(place.name, "")


def places_of(classroom: Classroom) -> tuple[Place, ...]:
    """Every student's place in every lab, in the order of labs.yaml and of the roster."""
    return tuple(Place(lab=lab, student=it) for lab in classroom.labs for it in lab.students)


class Book:
    """All attempts until a moment, by lab and login, oldest first."""

    def __init__(self, runs: Sequence[Run], *, until: datetime | None = None) -> None:
        self._until = until
        self._attempts: dict[tuple[str, str], list[Attempt]] = defaultdict(list)
        self._steps: dict[str, dict[str, Texts]] = defaultdict(dict)
        for run in runs:
            for lab in run.labs:
                self._add(lab, run.at)

    def _add(self, lab: LabRun, at: datetime) -> None:
        # A moment of their own: nobody else's slow machine is to cost anybody a deadline.
        told = [Attempt(at=it.at or at, run=it) for it in lab.students]
        counted = [it for it in told if self._until is None or it.at <= self._until]
        if counted:
            # The titles and the order that a guide had last; below them what it had before.
            self._steps[lab.lab] = {**lab.steps, **self._steps[lab.lab], **lab.steps}
        for attempt in counted:
            self._attempts[lab.lab, attempt.run.login].append(attempt)

    def of(self, lab: str, login: str) -> tuple[Attempt, ...]:
        """A student's attempts in a lab, those in which nothing was evaluated among them."""
        return tuple(self._attempts.get((lab, login), ()))

    def steps_of(self, lab: str) -> Mapping[str, Texts]:
        """The titles of a lab's steps."""
        return self._steps.get(lab, {})

    @property
    def places(self) -> tuple[tuple[str, str], ...]:
        """Each lab and login that there are attempts of."""
        return tuple(self._attempts)


def counting(attempts: Sequence[Attempt], *, identity_now: str = "") -> tuple[Attempt, ...]:
    """The attempts that count: evaluated, and of one machine.

    That machine is the one that exists now; where none does, or it is not known which, the one of
    the newest attempt. A machine that was made anew inherits nothing. An attempt of which it is not
    known whose it is counts, unless one of another machine came after it.
    """
    evaluated = [attempt for attempt in attempts if attempt.is_judged]
    known = [it.run.identity for it in evaluated if it.run.identity]
    machine = identity_now or (known[-1] if known else "")
    others = [place for place, it in enumerate(evaluated) if it.run.identity not in {"", machine}]
    after = max(others, default=-1)
    return tuple(
        attempt
        for place, attempt in enumerate(evaluated)
        if place > after or (machine and attempt.run.identity == machine)
    )


def chosen(attempts: Sequence[Attempt], take: Take) -> Attempt | None:
    """The attempt that makes the mark, of those that count; None when there is none.

    The best is the one with the largest share of all points, so that what could not be evaluated
    earns nothing in the comparison; then the one of which more was evaluated; then the earlier one.
    One in which it is not even known what all checks are worth comes behind those where it is.
    """
    if take is Take.LAST:
        return attempts[-1] if attempts else None
    return max(attempts, key=_rank, default=None)


def grades(places: Sequence[Place], book: Book, marking: Marking) -> tuple[Grade, ...]:
    """A mark for each place, in their order; without one where nothing was evaluated."""
    return tuple(_grade(place, book, marking) for place in places)


def others(places: Sequence[Place], book: Book) -> tuple[tuple[Place, tuple[Attempt, ...]], ...]:
    """The attempts under a student's login that are another person's, and do not count.

    A login can be given to another person, once its machine is gone.
    """
    told = []
    for place in places:
        attempts = [it for it in _under(place, book) if is_another(it.run, place.student)]
        if attempts:
            told.append((place, tuple(attempts)))
    return tuple(told)


def results(
    places: Sequence[Place], book: Book, marking: Marking, *, view: View
) -> tuple[LabResult, ...]:
    """The attempts that make the marks, as results.

    Of a student without one it is what the newest look at their machine said, if it saw nothing:
    why that was, and no point given or taken.
    """
    labs = {place.lab.name: place.lab for place in places}
    return tuple(
        _lab_result(lab, [it for it in places if it.lab.name == name], book, marking, view=view)
        for name, lab in labs.items()
    )


def _rank(attempt: Attempt) -> tuple[bool, Fraction, Fraction]:
    total = attempt.total_points
    share = attempt.score / total if total else Fraction(0)
    return attempt.is_weighed, share, attempt.max_score


def _sum(values: Iterable[float]) -> Fraction:
    # By way of its shortest writing: 0.1 is a tenth, and not what a float makes of it.
    return sum((Fraction(repr(value)) for value in values), Fraction(0))


def _under(place: Place, book: Book) -> tuple[Attempt, ...]:
    return book.of(place.lab.name, place.student.login)


def own(place: Place, book: Book) -> tuple[Attempt, ...]:
    """The attempts that are this person's, and not of who had their login before."""
    return tuple(it for it in _under(place, book) if not is_another(it.run, place.student))


def _counted_at(place: Place, book: Book, marking: Marking) -> tuple[Attempt, ...]:
    return counting(own(place, book), identity_now=marking.identity_now(place))


def _grade(place: Place, book: Book, marking: Marking) -> Grade:
    lab, student = place.lab, place.student
    attempts = _counted_at(place, book, marking)
    attempt = chosen(attempts, marking.take)
    grade = Grade(
        lab=lab.name,
        login=student.login,
        name=student.name,
        email=student.email,
        id_number=student.id_number,
        attempts=len(attempts),
        scale=marking.scale,
    )
    if attempt is None:
        earlier = sum(it.is_judged for it in own(place, book))
        return replace(grade, earlier_attempts=earlier)
    return replace(
        grade,
        at=attempt.at,
        score=float(attempt.score),
        max_score=float(attempt.max_score),
        total_points=float(attempt.total_points),
        is_weighed=attempt.is_weighed,
        mark=attempt.mark(marking.scale),
        feedback=feedback(attempt, language=marking.language or lab.lang or FALLBACK),
    )


def feedback(attempt: Attempt, *, language: str) -> str:
    """A line for the student: how much holds, and what does not; hidden checks by number alone."""

    def having(outcome: Outcome) -> list[CheckRun]:
        return [check for check in attempt.run.checks if check.outcome is outcome]

    failed, unknown = having(Outcome.FAILED), having(Outcome.UNKNOWN)
    named = [in_language(it.title, language) or it.id for it in failed if not it.hidden]
    words = named[:_MOST_NAMED]
    if len(named) > _MOST_NAMED:
        words.append(say("grades.more", language, count=len(named) - _MOST_NAMED))
    if hidden := len(failed) - len(named):
        words.append(say(f"grades.hidden_{_number(hidden)}", language, count=hidden))
    passed = len(having(Outcome.PASSED))
    told = [say("grades.checks", language, passed=passed, evaluated=len(attempt.evaluated))]
    if words:
        told.append(say("grades.failed", language, titles="; ".join(words)))
    if blocked := len(having(Outcome.BLOCKED)):
        told.append(say("grades.blocked", language, count=blocked))
    if unknown:
        told.append(say("grades.unknown", language, count=len(unknown)))
    return ". ".join(told)


def _number(count: int) -> str:
    return "one" if count == 1 else "many"


def _lab_result(
    lab: Lab, places: Sequence[Place], book: Book, marking: Marking, *, view: View
) -> LabResult:
    students = tuple(_student_run(place, book, marking) for place in places)
    steps = book.steps_of(lab.name)
    return view.of_lab(LabRun(lab=lab.name, students=students, steps=steps, lang=lab.lang))


def _student_run(place: Place, book: Book, marking: Marking) -> StudentRun:
    attempt = chosen(_counted_at(place, book, marking), marking.take)
    if attempt is None:
        newest = own(place, book)[-1:]
        attempt = next((it for it in newest if not it.is_judged), None)
    # As the roster has them now.
    who = StudentRun(login=place.student.login, name=place.student.name, machine=place.name)
    return replace(who, at=attempt.at, checks=attempt.run.checks) if attempt else who
