"""`lab verify --format markdown`: the class in a few lines, to be pasted into a chat."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from lab.classroom.results import LabResult, Outcome, StudentResult
from lab.classroom.wording import FALLBACK, say
from lab.report.class_figures import hardest
from lab.report.text import inert_line
from lab.report.verify_words import at_most, counted, says_hidden, whole_score

_SIGNS = {Outcome.PASSED: "✓", Outcome.FAILED: "✗", Outcome.UNKNOWN: "?"}
_MOST_TITLES = 3
_MOST_HARDEST = 5

_MARKUP = re.compile(r"[\\`*_\[\]<>|~&$]")
# Mentions, `#12`, `:smile:`, addresses and bare domains are linked whatever is escaped; a character
# without width in between ends that, as the chats' own libraries do it.
_LINKING = re.compile(r"[@#:](?=\S)|\.(?=[^\W\d_])")
_ZERO_WIDTH_SPACE = "\u200b"


def inert_markdown(text: str) -> str:
    """Return text from outside as one line that a chat shows as it is: no markup, link, mention."""
    line = _LINKING.sub(rf"\g<0>{_ZERO_WIDTH_SPACE}", inert_line(text))
    return _MARKUP.sub(r"\\\g<0>", line).strip()


def verify_markdown(results: Sequence[LabResult]) -> str:
    """Return the results as Markdown: a line a student, then what most of them fail.

    There is no table, which no telephone shows well, and no evidence beyond titles and messages.
    """
    parts = ["\n".join(_lab(lab)) for lab in results]
    return "\n\n".join(parts) or say("reports.nothing_verified", FALLBACK)


def _lab(lab: LabResult) -> Iterator[str]:
    total = len(lab.students)
    complete = sum(student.outcome is Outcome.PASSED for student in lab.students)
    name = inert_markdown(lab.lab)
    if not total:
        yield f"**{name}**: {say('reports.no_students', lab.language)}"
        return
    everything = counted("reports.have_everything", total, lab.language, complete=complete)
    yield f"**{name}**: {everything}"
    yield ""
    for student in lab.students:
        yield f"- {_student(student, lab.language)}"
    hard = hardest(lab, most=_MOST_HARDEST) if total > 1 else ()
    if hard:
        yield ""
        yield f"**{say('reports.hardest', lab.language)}**"
        yield ""
    for one in hard:
        failing = say("reports.share_failing", lab.language, failed=one.failed, n=one.judged)
        blocked = [counted("reports.count_blocked", one.blocked, lab.language)] * bool(one.blocked)
        # No line begins with a title, which could be the mark of a heading or of a list.
        yield f"- {', '.join([failing, *blocked])}: {inert_markdown(one.check.title)}"


def _student(student: StudentResult, language: str) -> str:
    named = f" ({inert_markdown(student.name)})" if student.name else ""
    line = f"{_SIGNS[student.outcome]} {inert_markdown(student.login)}{named}: "
    line += whole_score(student, language)
    told = [text for text in (_failed(student, language), *_rest(student, language)) if text]
    return line + "".join(f"; {text}" for text in told)


def _failed(student: StudentResult, language: str) -> str:
    titles = [
        inert_markdown(check.title)
        + (f" ({say('reports.hidden', language)})" if says_hidden(check, language) else "")
        for check in student.checks
        if check.outcome is Outcome.FAILED
    ]
    if not titles:
        return ""
    listed = at_most(titles, _MOST_TITLES, language, between=", ")
    return f"{counted('reports.count_failed', len(titles), language)}: {listed}"


def _rest(student: StudentResult, language: str) -> Iterator[str]:
    blocked = sum(check.outcome is Outcome.BLOCKED for check in student.checks)
    if blocked:
        yield counted("reports.count_blocked", blocked, language)
    unknown = [check for check in student.checks if check.outcome is Outcome.UNKNOWN]
    if unknown:
        reasons = list(
            dict.fromkeys(
                inert_markdown(c.message) for c in unknown if c.message and not c.blocked_by
            )
        )
        count = counted("reports.count_unknown", len(unknown), language)
        why = at_most(reasons, 1, language, between="; ")
        yield f"{count}: {why}" if why else count
    if not student.checks:
        yield say("reports.no_check", language)
