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


@dataclass(frozen=True, kw_only=True)
class View:
    """How results are told; `language` None takes each lab's own `lang`, else English."""

    language: str | None = None
    hints: Hints = Hints.SHORT
    audience: Audience = Audience.TEACHER

    def of_lab(self, run: LabRun, *, at: datetime | None = None) -> LabResult:
        """One lab's results as they are to be told; `at` is when its machines were verified."""
        language = self.language or run.lang or FALLBACK
        return LabResult(
            lab=run.lab,
            language=language,
            steps={name: in_language(title, language) for name, title in run.steps.items()},
            students=tuple(
                self.of_student(student, language=language, at=at) for student in run.students
            ),
        )

    def of_labs(
        self, runs: Sequence[LabRun], *, at: datetime | None = None
    ) -> tuple[LabResult, ...]:
        """The same of several labs."""
        return tuple(self.of_lab(run, at=at) for run in runs)

    def of_student(
        self, run: StudentRun, *, language: str, at: datetime | None = None
    ) -> StudentResult:
        """One student's results as they are to be told."""
        names = self._names(run.checks)
        return StudentResult(
            login=run.login,
            name=run.name,
            machine=run.machine,
            at=at,
            checks=tuple(self._of_check(check, names, language) for check in run.checks),
        )

    def _names(self, checks: Sequence[CheckRun]) -> dict[str, str]:
        """What each check is called before this audience, by its id."""
        if self.audience is Audience.TEACHER:
            return {check.id: check.id for check in checks}
        hidden = [check.id for check in checks if check.hidden]
        return {
            check.id: f"hidden-{hidden.index(check.id) + 1}" if check.hidden else check.id
            for check in checks
        }

    def _of_check(self, check: CheckRun, names: Mapping[str, str], language: str) -> CheckResult:
        blocked_by = tuple(names.get(other, other) for other in check.blocked_by)
        bare = CheckResult(
            id=names[check.id],
            step=check.step,
            title=say("checks.hidden", language),
            outcome=check.outcome,
            points=check.points,
            max_points=check.max_points,
            hidden=check.hidden,
        )
        if check.hidden and self.audience is Audience.STUDENT:
            return bare
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
