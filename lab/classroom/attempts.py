"""What a student's history is made of: each time that their machine was verified."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from lab.classroom.choices import Take
from lab.classroom.results import Outcome


@dataclass(frozen=True, kw_only=True)
class HistoryAttempt:
    """One `lab verify` of a student's machine.

    Attributes:
        at: when it ended.
        machine: what Vagrant calls the machine.
        name: who was verified, as the roster had them then.
        anothers: that is another person than has the login now, so that it does not count.
        identity: which machine it was, of those that were made under that name; "" for not known.
        made_anew: it is not the machine of the attempt before.
        evaluated: anything could be; where nothing could it is no attempt, and does not count.
        counts: it is of the machine whose attempts make the mark.
        taken_as: the ways of taking an attempt that take this one.
        score: points earned; None when nothing was evaluated.
        max_score: points that could have been earned in what was evaluated.
        total_points: points of all checks.
        is_weighed: whether it is known what all checks are worth.
        mark: the score on the scale; None where there is none.
        outcome: of all checks together.
        turned_passed: the checks that pass now and did not in the attempt before, by id.
        turned_failed: those that fail now and did not.
        blocked_by_those: how many others are blocked by these.
    """

    at: datetime
    machine: str
    name: str = ""
    anothers: bool = False
    identity: str = ""
    made_anew: bool = False
    evaluated: bool = True
    counts: bool = True
    taken_as: tuple[Take, ...] = ()
    score: float | None = None
    max_score: float = 0.0
    total_points: float = 0.0
    is_weighed: bool = True
    mark: float | None = None
    outcome: Outcome = Outcome.UNKNOWN
    turned_passed: tuple[str, ...] = ()
    turned_failed: tuple[str, ...] = ()
    blocked_by_those: int = 0

    @property
    def complete(self) -> bool:
        """Whether all that is worth points was evaluated."""
        known = self.is_weighed and self.max_score == self.total_points
        return self.score is not None and known


@dataclass(frozen=True, kw_only=True)
class StudentHistory:
    """A student's attempts in one lab, oldest first; `scale` is the highest mark."""

    lab: str
    login: str
    name: str
    attempts: tuple[HistoryAttempt, ...]
    scale: float = 10.0
