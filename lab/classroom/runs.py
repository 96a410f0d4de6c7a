"""One `lab verify` as it is kept: every language, every hint, hidden checks and all.

Reports do not read this: `lab.classroom.view` makes of it the results that somebody is to see.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from lab.classroom.results import Outcome, stands_for_others
from lab.classroom.wording import Texts


@dataclass(frozen=True, kw_only=True)
class CheckRun:
    """One check on one machine.

    Attributes:
        id: its own, unique in the guide.
        step: the guide's step that it is bound to.
        title: what it is about.
        outcome: what became of it.
        points: what was earned; None when it could not be evaluated.
        max_points: its weight.
        message: one line, why it did not pass.
        expected: what should be.
        found: what is.
        output: the last commands that it ran in the guest and what they said, cut short.
        hint: teaches where to look, and does not give the answer away.
        full_hint: gives the answer away; empty where the author wrote but one hint.
        hidden: for the teacher alone.
        blocked_by: the checks that failed (or, for an unknown one, could not be evaluated), because
            of which this one means nothing: those at the root of it, which are behind no other.
        seconds: how long it took.
    """

    id: str
    step: str
    title: Texts
    outcome: Outcome
    points: float | None
    max_points: float
    message: Texts = field(default_factory=dict)
    expected: Texts = field(default_factory=dict)
    found: str = ""
    output: str = ""
    hint: Texts = field(default_factory=dict)
    full_hint: Texts = field(default_factory=dict)
    hidden: bool = False
    blocked_by: tuple[str, ...] = ()
    seconds: float = 0.0

    @property
    def stands_for_others(self) -> bool:
        """Whether it stands for checks that were lost: what those are worth is not known."""
        return stands_for_others(self.step, self.outcome)


@dataclass(frozen=True, kw_only=True)
class StudentRun:
    """Every check of one student's machine.

    Attributes:
        login: the student's.
        name: their name then.
        machine: what Vagrant calls the machine.
        email: byte for byte as the roster had it; "" where that is not known.
        id_number: the school's number of them; "" where that is not known.
        identity: tells this machine from one that was made anew under the same name; "" where that
            is not known.
        at: when the last of their checks ended, with its time zone; None where only the run's own
            moment is known.
        checks: in the guide's order.
    """

    login: str
    name: str
    machine: str
    email: str = ""
    id_number: str = ""
    identity: str = ""
    at: datetime | None = None
    checks: tuple[CheckRun, ...] = ()


@dataclass(frozen=True, kw_only=True)
class LabRun:
    """One lab's students in the roster's order; `steps` are the guide's titles in its order."""

    lab: str
    students: tuple[StudentRun, ...]
    steps: Mapping[str, Texts] = field(default_factory=dict)
    lang: str | None = None


@dataclass(frozen=True, kw_only=True)
class Run:
    """One `lab verify`, and when it ended (with its time zone)."""

    at: datetime
    labs: tuple[LabRun, ...]
