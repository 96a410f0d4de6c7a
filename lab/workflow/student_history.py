"""A student's attempts as they are told: what each found and changed, and which counts."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace

from lab.classroom.attempts import HistoryAttempt, StudentHistory
from lab.classroom.choices import Take
from lab.classroom.results import Outcome, outcome_of
from lab.workflow.marks import Attempt, Book, Place, chosen, counting, own


def history_of(
    lab: str,
    login: str,
    *,
    place: Place | None,
    book: Book,
    identities: Mapping[str, str],
    scale: float,
) -> StudentHistory:
    """All that was ever verified of a student in a lab, oldest first.

    Args:
        lab: the lab's name.
        login: the student's.
        place: theirs in labs.yaml; None for who is no longer there.
        book: all attempts.
        identities: of each machine that exists now, by its name.
        scale: the highest mark.
    """
    attempts = book.of(lab, login)
    theirs = own(place, book) if place else attempts
    counted = counting(theirs, identity_now=identities.get(place.name, "") if place else "")
    name = place.student.name if place else attempts[-1].run.name
    told = []
    before: Attempt | None = None
    machine = ""
    for attempt in attempts:
        another = not any(it is attempt for it in theirs)
        made_anew = _is_another_machine(machine, attempt.run.identity)
        machine = attempt.run.identity or machine
        made = _told(attempt, another=another, made_anew=made_anew)
        if attempt.is_judged:
            made = replace(made, mark=attempt.mark(scale), score=float(attempt.score))
            taken_as = tuple(take for take in Take if chosen(counted, take) is attempt)
            made = replace(made, taken_as=taken_as, counts=any(it is attempt for it in counted))
            if before and _are_comparable(before, attempt):
                failed = _turned(before, attempt, Outcome.FAILED)
                made = replace(
                    made,
                    turned_passed=_turned(before, attempt, Outcome.PASSED),
                    turned_failed=failed,
                    blocked_by_those=_blocked_by(failed, attempt),
                )
            before = attempt
        told.append(made)
    return StudentHistory(lab=lab, login=login, name=name, attempts=tuple(told), scale=scale)


def _told(attempt: Attempt, *, another: bool, made_anew: bool) -> HistoryAttempt:
    """The attempt without a mark, and without what it changed."""
    return HistoryAttempt(
        at=attempt.at,
        machine=attempt.run.machine,
        name=attempt.run.name,
        anothers=another,
        identity=attempt.run.identity,
        made_anew=made_anew,
        evaluated=attempt.is_judged,
        counts=False,
        max_score=float(attempt.max_score),
        total_points=float(attempt.total_points),
        is_weighed=attempt.is_weighed,
        outcome=outcome_of(check.outcome for check in attempt.run.checks),
    )


def _are_comparable(before: Attempt, now: Attempt) -> bool:
    """Whether it is one machine: what stood on another says nothing of what was done on this."""
    return not _is_another_machine(before.run.identity, now.run.identity)


def _is_another_machine(before: str, now: str) -> bool:
    return bool(before and now) and before != now


def _blocked_by(failed: Collection[str], attempt: Attempt) -> int:
    return sum(
        check.outcome is Outcome.BLOCKED and not {*failed}.isdisjoint(check.blocked_by)
        for check in attempt.run.checks
    )


def _turned(before: Attempt, now: Attempt, outcome: Outcome) -> tuple[str, ...]:
    had = {check.id for check in before.run.checks if check.outcome is outcome}
    return tuple(
        check.id for check in now.run.checks if check.outcome is outcome and check.id not in had
    )
