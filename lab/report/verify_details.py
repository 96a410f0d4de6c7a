"""What every student lacks, check by check, and the sentence that sums up a lab."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import Console, RenderableType
from rich.text import Text

from lab.classroom.results import CheckResult, LabResult, Outcome, StudentResult
from lab.classroom.wording import say
from lab.report.layout import block, cell, marked
from lab.report.text import inert_line
from lab.report.verify_matrix import STYLES, symbols
from lab.report.verify_words import (
    at_most,
    counted,
    counts,
    missing_points,
    says_hidden,
    whole_score,
)

_MOST_STUDENTS = 5


def details(student: StudentResult, language: str, *, console: Console) -> Iterator[RenderableType]:
    """Yield what to print about one student; nothing when every check passed."""
    if student.outcome is Outcome.PASSED:
        return
    signs = symbols(console)
    named = f" ({inert_line(student.name)})" if student.name else ""
    who = f"{inert_line(student.login)}{named}"
    yield Text(f"{who}: {whole_score(student, language)}", style="bold")
    if not student.checks:
        yield _mark(signs, Outcome.UNKNOWN, say("reports.no_check", language))
    for check in _having(student, Outcome.FAILED):
        title = f"{_id(check, language)}: {inert_line(check.title)}"
        yield _mark(signs, Outcome.FAILED, title)
        if check.message:
            yield block(check.message, indent=4)
        if check.hint:
            hint = say("reports.hint_line", language, hint=check.hint)
            yield block(hint, indent=4, style="cyan")
    for cause, ids in _blocked(student, language).items():
        line = counted("reports.blocked_line", len(ids), language, ids=", ".join(ids))
        why = f" ({inert_line(cause)})" if cause else ""
        yield _mark(signs, Outcome.BLOCKED, f"{line}{why}")
    yield from _unknown(student, signs, language)


def summary(lab: LabResult) -> Iterator[RenderableType]:
    """Yield the lab's closing sentence and the next command to try."""
    name, language = inert_line(lab.lab), lab.language
    if not lab.students:
        yield Text(f"{name}: {say('reports.no_students', language)}")
        return
    lacking = [s for s in lab.students if s.outcome is not Outcome.PASSED]
    total = len(lab.students)
    complete = total - len(lacking)
    everything = counted("reports.have_everything", total, language, complete=complete)
    sentence = f"{name}: {everything}"
    if lacking:
        told = [f"{inert_line(s.login)}: {_counts(s, language)}" for s in lacking]
        sentence += "; " + at_most(told, _MOST_STUDENTS, language, between="; ")
    yield Text(sentence, style="bold")
    if lacking:
        command = _next_command(name, lacking, language)
        yield Text(say("reports.next", language, command=command))


def _next_command(lab: str, lacking: Sequence[StudentResult], language: str) -> str:
    target = f"{lab}/{inert_line(lacking[0].login)}" if len(lacking) == 1 else lab
    if all(student.outcome is Outcome.UNKNOWN for student in lacking):
        return say("reports.up_then_verify", language, target=target)
    failed = next(s for s in lacking if s.outcome is Outcome.FAILED)
    machine = f"{lab}/{inert_line(failed.login)}"
    return say("reports.look_then_verify", language, machine=machine, target=target)


def _counts(student: StudentResult, language: str) -> str:
    told = ", ".join(counts(student, language)) or say("reports.nothing_evaluated", language)
    missing = missing_points("reports.of_points", student, language)
    return f"{told} ({missing})" if missing else told


def _unknown(
    student: StudentResult, signs: dict[Outcome, str], language: str
) -> Iterator[RenderableType]:
    groups: dict[tuple[str, bool], list[str]] = {}
    for check in _having(student, Outcome.UNKNOWN):
        behind = bool(check.blocked_by)
        cause = _roots("reports.behind", check, language) if behind else check.message
        groups.setdefault((cause, behind), []).append(_id(check, language))
    for (cause, behind), ids in groups.items():
        which = ", ".join(ids)
        if len(ids) == len(student.checks) and len(ids) > 1:
            which = say("reports.all_checks", language, n=len(ids))
        line = say("reports.unknown_line", language, ids=which)
        why = f" ({cause})" if behind else f": {inert_line(cause)}" if cause else ""
        yield _mark(signs, Outcome.UNKNOWN, f"{line}{why}")


def _blocked(student: StudentResult, language: str) -> dict[str, list[str]]:
    """The blocked checks by what blocks them: one broken thing is one line."""
    groups: dict[str, list[str]] = {}
    for check in _having(student, Outcome.BLOCKED):
        cause = check.message
        if check.blocked_by:
            cause = _roots("reports.by", check, language)
        groups.setdefault(cause, []).append(_id(check, language))
    return groups


def _roots(key: str, check: CheckResult, language: str) -> str:
    return say(key, language, ids=", ".join(map(inert_line, check.blocked_by)))


def _id(check: CheckResult, language: str) -> str:
    shown = inert_line(check.id)
    if says_hidden(check, language):
        return f"{shown} ({say('reports.hidden', language)})"
    return shown


def _having(student: StudentResult, outcome: Outcome) -> list[CheckResult]:
    return [check for check in student.checks if check.outcome is outcome]


def _mark(signs: dict[Outcome, str], outcome: Outcome, text: str) -> RenderableType:
    return marked(Text(signs[outcome], style=STYLES[outcome]), cell(text))
