"""The overview of a verified lab: a row a student, a column a step; it needs no colour."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rich.console import Console, Group, RenderableType
from rich.text import Text

from lab.classroom.results import LabResult, Outcome, StudentResult
from lab.classroom.wording import say
from lab.report.class_figures import step_names, step_state
from lab.report.layout import (
    NARROWEST_NAME,
    Column,
    cell,
    natural_width,
    speaks_unicode,
    table,
)
from lab.report.verify_words import score, student_outcome

STYLES = {
    Outcome.PASSED: "green",
    Outcome.FAILED: "red",
    Outcome.BLOCKED: "yellow",
    Outcome.UNKNOWN: "magenta",
}
_READABLE_NAME = 12


def symbols(console: Console) -> dict[Outcome, str]:
    """Return one sign an outcome, told apart by shape and not by colour."""
    unicode = speaks_unicode(console)
    return {
        Outcome.PASSED: "✓" if unicode else "ok",
        Outcome.FAILED: "✗" if unicode else "x",
        Outcome.BLOCKED: "-",
        Outcome.UNKNOWN: "?",
    }


def matrix(lab: LabResult, *, console: Console) -> RenderableType:
    """Return the lab's overview in the roomiest of its three forms that fits the console.

    Steps head the columns by name, else by number with a list of them above, else one column tells
    in words what is not passed. The students' names are cut short, and at last left out, before
    logins or steps are.
    """
    steps = step_names(lab)
    signs = symbols(console)
    legend = _legend(signs, lab.language)
    by_name = _with_steps(lab, steps, steps, signs)
    if _fits(by_name, gap=2, width=console.width, name_at_least=_READABLE_NAME):
        return Group(table(by_name, console=console), legend)
    by_number = _with_steps(lab, steps, [str(n) for n in range(1, len(steps) + 1)], signs)
    listed = ", ".join(f"{n}={cell(s)}" for n, s in enumerate(steps, start=1))
    numbers = Text(f"{say('reports.steps', lab.language)}: {listed}")
    if _fits(by_number, gap=1, width=console.width, name_at_least=NARROWEST_NAME):
        return Group(numbers, table(by_number, console=console, gap=1), legend)
    nameless = [column for column in by_number if not column.shrinks]
    if natural_width(nameless, gap=1) <= console.width:
        return Group(numbers, table(nameless, console=console, gap=1), legend)
    return Group(table(_in_words(lab, steps, signs), console=console, gap=1), legend)


def _fits(columns: Sequence[Column], *, gap: int, width: int, name_at_least: int) -> bool:
    spare = sum(max(c.width - name_at_least, 0) for c in columns if c.shrinks)
    return natural_width(columns, gap=gap) - spare <= width


def _with_steps(
    lab: LabResult, steps: Sequence[str], titles: Sequence[str], signs: dict[Outcome, str]
) -> list[Column]:
    columns = []
    for step, title in zip(steps, titles, strict=True):
        cells = tuple(_sign(student, step, signs) for student in lab.students)
        columns.append(Column(title=str(cell(title)), cells=cells))
    return [*_who(lab), *columns, *_sum(lab)]


def _in_words(lab: LabResult, steps: Sequence[str], signs: dict[Outcome, str]) -> list[Column]:
    def lacking(student: StudentResult) -> Text:
        states = [(step, step_state(student, step)) for step in steps]
        words = [
            f"{cell(step)} {_sign(student, step, signs)}"
            for step, state in states
            if state is not None and state.outcome is not Outcome.PASSED
        ]
        return Text(", ".join(words))

    login, _name = _who(lab)
    title = say("reports.not_passed", lab.language)
    return [login, *_sum(lab), Column(title=title, cells=_cells(lab, lacking))]


def _who(lab: LabResult) -> tuple[Column, Column]:
    login, name = say("reports.login", lab.language), say("reports.name", lab.language)
    return (
        Column(title=login, cells=_cells(lab, lambda s: cell(s.login))),
        Column(title=name, cells=_cells(lab, lambda s: cell(s.name)), shrinks=1),
    )


def _sum(lab: LabResult) -> tuple[Column, Column]:
    def outcome(student: StudentResult) -> Text:
        word = student_outcome(student.outcome, lab.language)
        return Text(word, style=STYLES[student.outcome])

    return (
        Column(
            title=say("reports.score", lab.language),
            cells=_cells(lab, lambda s: Text(score(s, lab.language))),
            right=True,
        ),
        Column(title=say("reports.outcome", lab.language), cells=_cells(lab, outcome)),
    )


def _cells(lab: LabResult, show: Callable[[StudentResult], Text]) -> tuple[Text, ...]:
    return tuple(show(student) for student in lab.students)


def _sign(student: StudentResult, step: str, signs: dict[Outcome, str]) -> Text:
    state = step_state(student, step)
    if state is None:
        return Text("")
    count = str(state.count) if state.outcome is Outcome.FAILED else ""
    return Text(signs[state.outcome] + count, style=STYLES[state.outcome])


def _legend(signs: dict[Outcome, str], language: str) -> Text:
    counting = {**signs, Outcome.FAILED: f"{signs[Outcome.FAILED]}n"}
    words = [
        f"{sign} {say(f'reports.legend_{outcome.value}', language)}"
        for outcome, sign in counting.items()
    ]
    return Text("   ".join(words), style="dim")
