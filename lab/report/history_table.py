"""`lab history` for a person: each attempt, what it changed, and which one counts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import Console, RenderableType
from rich.text import Text

from lab.classroom.attempts import HistoryAttempt, StudentHistory
from lab.classroom.wording import say
from lab.report.layout import Column, cell, table
from lab.report.mark_words import in_mark, points
from lab.report.verify_words import at_most, in_points

# They end in what differs.
_IDENTITY_LETTERS = 8
_MOST_NAMED = 6


def history_table(histories: Sequence[StudentHistory], *, language: str, console: Console) -> None:
    """Print a student's attempts lab by lab, oldest first, with a line where machines change."""
    for number, history in enumerate(histories):
        if number:
            console.print()
        console.print(_heading(history, language))
        for line in _lines(history, language, console=console):
            console.print(line)


def _heading(history: StudentHistory, language: str) -> Text:
    who = f"  {history.name}" if history.name != history.login else ""
    scale = say("grades.marks_of", language, scale=in_points(history.scale, language))
    return cell(f"{history.lab}/{history.login}{who}", "bold") + Text(f"  {scale}", style="dim")


def _lines(history: StudentHistory, language: str, *, console: Console) -> Iterator[RenderableType]:
    for number, attempts in enumerate(_machines(history.attempts)):
        if number:
            yield cell(say("grades.made_anew", language), "yellow")
        yield table(_columns(attempts, language), console=console)
    if not any(attempt.counts for attempt in history.attempts):
        yield cell(say("grades.none_yet", language), "yellow")


def _machines(attempts: Sequence[HistoryAttempt]) -> list[list[HistoryAttempt]]:
    """The attempts on one machine after the other."""
    machines: list[list[HistoryAttempt]] = []
    for attempt in attempts:
        if attempt.made_anew or not machines:
            machines.append([])
        machines[-1].append(attempt)
    return machines


def _columns(attempts: Sequence[HistoryAttempt], language: str) -> list[Column]:
    def words(key: str) -> str:
        return say(f"grades.{key}", language)

    def column(title: str, *cells: Text, right: bool = False) -> Column:
        return Column(title=title, cells=cells, right=right)

    return [
        column(words("when"), *(Text(f"{it.at.astimezone():%Y-%m-%d %H:%M}") for it in attempts)),
        column(
            words("machine"), *(cell(it.identity[-_IDENTITY_LETTERS:] or "-") for it in attempts)
        ),
        column(
            words("only_mark"),
            *(in_mark(it.mark, language) for it in attempts),
            right=True,
        ),
        column(
            words("points"),
            *(points(it, language) for it in attempts),
        ),
        column(words("taken"), *(_taken(it, language) for it in attempts)),
        column(words("changed"), *(_changed(it, language) for it in attempts)),
    ]


def _taken(attempt: HistoryAttempt, language: str) -> Text:
    if attempt.anothers:
        return cell(say("grades.anothers", language, name=attempt.name), "dim")
    if attempt.evaluated and not attempt.counts:
        return Text(say("grades.not_counted", language), style="dim")
    return Text(", ".join(say(f"grades.{it.value}", language) for it in attempt.taken_as) or "-")


def _changed(attempt: HistoryAttempt, language: str) -> Text:
    told = [
        say(key, language, checks=at_most(checks, _MOST_NAMED, language, between=", "))
        for key, checks in (
            ("grades.turned_passed", attempt.turned_passed),
            ("grades.turned_failed", attempt.turned_failed),
        )
        if checks
    ]
    if attempt.blocked_by_those:
        told[-1] += say("grades.and_blocks", language, count=attempt.blocked_by_those)
    return cell("; ".join(told))
