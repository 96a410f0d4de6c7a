"""What every student lacks, check by check, and the sentence that sums up a lab."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from rich.console import Console, RenderableType
from rich.text import Text

from lab.classroom.results import CheckResult, LabResult, Outcome, StudentResult
from lab.report.layout import amount, block, cell, listing, marked
from lab.report.text import inert_line
from lab.report.verify_matrix import STYLES, score, symbols

_WORD = re.compile(r"[\w.-]*\w")


def details(student: StudentResult, *, console: Console) -> Iterator[RenderableType]:
    """Yield what to print about one student; nothing when every check passed."""
    if student.outcome is Outcome.PASSED:
        return
    signs = symbols(console)
    named = f" ({inert_line(student.name)})" if student.name else ""
    yield Text(f"{inert_line(student.login)}{named}: {score(student)}", style="bold")
    if not student.checks:
        yield _mark(signs, Outcome.UNKNOWN, "no check was run")
    for check in _having(student, Outcome.FAILED):
        yield _mark(signs, Outcome.FAILED, f"{inert_line(check.id)}: {inert_line(check.title)}")
        if check.message:
            yield block(check.message, indent=4)
        if check.hint:
            yield block(f"hint: {check.hint}", indent=4, style="cyan")
    for cause, ids in _grouped(_having(student, Outcome.BLOCKED), student):
        yield _mark(signs, Outcome.BLOCKED, f"blocked: {', '.join(ids)}{cause}")
    yield from _unknown(student, signs)


def summary(lab: LabResult) -> Iterator[RenderableType]:
    """Yield the lab's closing sentence and the next command to try."""
    name = inert_line(lab.lab)
    if not lab.students:
        yield Text(f"{name}: no students")
        return
    lacking = [s for s in lab.students if s.outcome is not Outcome.PASSED]
    total = len(lab.students)
    has = "has" if total == 1 else "have"
    sentence = f"{name}: {total - len(lacking)} of {amount(total, 'student')} {has} everything"
    counts = [f"{inert_line(s.login)}: {_counts(s)}" for s in lacking]
    if counts:
        sentence += "; " + listing(counts, between="; ")
    yield Text(sentence, style="bold")
    if lacking:
        yield Text(f"Next: {_next_command(name, lacking)}")


def _next_command(lab: str, lacking: Sequence[StudentResult]) -> str:
    target = f"{lab}/{inert_line(lacking[0].login)}" if len(lacking) == 1 else lab
    if all(student.outcome is Outcome.UNKNOWN for student in lacking):
        return f"lab up {target}, then lab verify {target}"
    failed = next(s for s in lacking if s.outcome is Outcome.FAILED)
    return f"lab ssh {lab}/{inert_line(failed.login)} to look, then lab verify {target}"


def _counts(student: StudentResult) -> str:
    words = {
        Outcome.FAILED: "failed",
        Outcome.BLOCKED: "blocked",
        Outcome.UNKNOWN: "not evaluated",
    }
    counted = {outcome: len(_having(student, outcome)) for outcome in words}
    told = [f"{count} {words[outcome]}" for outcome, count in counted.items() if count]
    return ", ".join(told) or "nothing was evaluated"


def _unknown(student: StudentResult, signs: dict[Outcome, str]) -> Iterator[RenderableType]:
    unknown = _having(student, Outcome.UNKNOWN)
    reasons = dict.fromkeys(check.message for check in unknown)
    for reason in reasons:
        ids = [inert_line(check.id) for check in unknown if check.message == reason]
        whole = len(ids) == len(student.checks) and len(ids) > 1
        which = f"all {len(ids)} checks" if whole else ", ".join(ids)
        why = f": {inert_line(reason)}" if reason else ""
        yield _mark(signs, Outcome.UNKNOWN, f"not evaluated: {which}{why}")


def _grouped(
    checks: Iterable[CheckResult], student: StudentResult
) -> Iterator[tuple[str, list[str]]]:
    known = {check.id for check in student.checks}
    groups: dict[str, list[str]] = {}
    for check in checks:
        groups.setdefault(_cause(check, known), []).append(inert_line(check.id))
    yield from groups.items()


def _cause(check: CheckResult, known: set[str]) -> str:
    named = [word for word in _WORD.findall(check.message) if word in known and word != check.id]
    if named:
        return inert_line(f" (by {', '.join(dict.fromkeys(named))})")
    return inert_line(f" ({check.message})") if check.message else ""


def _having(student: StudentResult, outcome: Outcome) -> list[CheckResult]:
    return [check for check in student.checks if check.outcome is outcome]


def _mark(signs: dict[Outcome, str], outcome: Outcome, text: str) -> RenderableType:
    return marked(Text(signs[outcome], style=STYLES[outcome]), cell(text))
