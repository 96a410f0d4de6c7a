"""What somebody is to see of a run: their language, and the hints and checks meant for them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from lab.classroom.choices import Audience, Hints
from lab.classroom.results import CheckResult, Evidence, LabResult, Outcome, StudentResult
from lab.classroom.runs import CheckRun, LabRun, StudentRun
from lab.classroom.wording import FALLBACK, in_language, say

__all__ = ["Audience", "Hints", "View"]

# What a student sees in the place of an id.
_HIDDEN = "hidden"
_LOST = "checks"


@dataclass(frozen=True, kw_only=True)
class View:
    """How results are told; `language` None takes each lab's own `lang`, else English."""

    language: str | None = None
    hints: Hints = Hints.SHORT
    audience: Audience = Audience.TEACHER

    def of_lab(self, run: LabRun, *, at: datetime | None = None) -> LabResult:
        """One lab's results as they are to be told; `at` is when its machines were verified."""
        language = self.language or run.lang or FALLBACK
        nameless = _names_for_students(run.students)
        return LabResult(
            lab=run.lab,
            language=language,
            steps={name: in_language(title, language) for name, title in run.steps.items()},
            students=tuple(
                StudentResult(
                    login=student.login,
                    name=student.name,
                    machine=student.machine,
                    at=student.at or at,
                    checks=self._of_checks(student.checks, nameless, language),
                )
                for student in run.students
            ),
        )

    def of_labs(
        self, runs: Sequence[LabRun], *, at: datetime | None = None
    ) -> tuple[LabResult, ...]:
        """The same of several labs."""
        return tuple(self.of_lab(run, at=at) for run in runs)

    def _of_checks(
        self, checks: Sequence[CheckRun], nameless: Mapping[str, str], language: str
    ) -> tuple[CheckResult, ...]:
        if self.audience is Audience.TEACHER:
            return tuple(self._in_full(check, check.blocked_by, language) for check in checks)
        names = {it.id: nameless[it.id] if _is_nameless(it) else it.id for it in checks}
        told = []
        for check in checks:
            if _is_nameless(check):
                told.append(_bare(check, names[check.id], language))
                continue
            # What is not in this run is called by no name: it may be one that is hidden.
            others = [names.get(it) or nameless.get(it, _HIDDEN) for it in check.blocked_by]
            told.append(self._in_full(check, tuple(dict.fromkeys(others)), language))
        return tuple(told)

    def _in_full(self, check: CheckRun, blocked_by: tuple[str, ...], language: str) -> CheckResult:
        message = in_language(check.message, language)
        if blocked_by:
            blocked = check.outcome is Outcome.BLOCKED
            key = "checks.blocked_by" if blocked else "checks.behind_unknown"
            message = say(key, language, ids=", ".join(blocked_by))
        return CheckResult(
            id=check.id,
            step=check.step,
            title=in_language(check.title, language),
            outcome=check.outcome,
            points=check.points,
            max_points=check.max_points,
            message=message,
            evidence=Evidence(
                expected=in_language(check.expected, language),
                found=check.found,
                output=check.output,
            ),
            hint=self._hint(check, language),
            hidden=check.hidden,
            blocked_by=blocked_by,
            seconds=check.seconds,
        )

    def _hint(self, check: CheckRun, language: str) -> str:
        if self.hints is Hints.NONE or check.outcome is Outcome.PASSED:
            return ""
        full = check.full_hint if self.hints is Hints.FULL else {}
        return in_language(full or check.hint, language)


def _is_nameless(check: CheckRun) -> bool:
    """Whether nothing of it is for students: what stands for lost checks may name hidden ones."""
    return check.hidden or check.stands_for_others


def _names_for_students(students: Sequence[StudentRun]) -> dict[str, str]:
    """What a class is told in the place of an id: one number for one check, whosever it is."""
    names: dict[str, str] = {}
    for word, lost in ((_LOST, True), (_HIDDEN, False)):
        ids = dict.fromkeys(
            check.id
            for student in students
            for check in student.checks
            if _is_nameless(check) and check.stands_for_others == lost
        )
        names |= {it: f"{word}-{number}" for number, it in enumerate(ids, start=1)}
    return names


def _bare(check: CheckRun, name: str, language: str) -> CheckResult:
    hidden = not check.stands_for_others
    title = "checks.hidden" if hidden else "checks.lost"
    return CheckResult(
        id=name,
        step=check.step,
        title=say(title, language),
        outcome=check.outcome,
        points=check.points,
        max_points=check.max_points,
        hidden=hidden,
    )
