"""`lab grades` for a person: each student's mark, what it is made of, and who has none."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rich.console import Console
from rich.text import Text

from lab.classroom.results import Grade
from lab.classroom.wording import say
from lab.report.layout import Column, cell, table
from lab.report.mark_words import in_mark, points
from lab.report.verify_words import at_most, in_points

_MOST_NAMED = 8


def grades_table(grades: Sequence[Grade], *, language: str, console: Console) -> None:
    """Print a row a student and lab, how many have a mark, and whose is out of a part of it all."""
    console.print(table(_columns(grades, language), console=console))
    console.print()
    labs = list(dict.fromkeys(grade.lab for grade in grades))
    for lab in labs:
        ours = [grade for grade in grades if grade.lab == lab]
        marked = sum(grade.mark is not None for grade in ours)
        key = "grades.have_marks" if len(labs) == 1 else "grades.have_marks_in"
        console.print(cell(say(key, language, lab=lab, marked=marked, all=len(ours)), "bold"))
    earlier = {grade.login: grade.earlier_attempts for grade in grades if grade.earlier_attempts}
    if earlier:
        told = [f"{login} ({count})" for login, count in earlier.items()]
        logins = at_most(told, _MOST_NAMED, language, between=", ")
        console.print(cell(say("grades.earlier_machines", language, logins=logins), "yellow"))
    partial = list(dict.fromkeys(grade.login for grade in grades if _lacks(grade)))
    if partial:
        logins = at_most(partial, _MOST_NAMED, language, between=", ")
        console.print(cell(say("grades.incomplete", language, logins=logins), "yellow"))


def _columns(grades: Sequence[Grade], language: str) -> list[Column]:
    def column(
        title: str, show: Callable[[Grade], Text], *, right: bool = False, shrinks: int = 0
    ) -> Column:
        cells = tuple(show(grade) for grade in grades)
        return Column(title=title, cells=cells, right=right, shrinks=shrinks)

    def words(key: str, **values: object) -> str:
        return say(f"grades.{key}", language, **values)

    scale = in_points(grades[0].scale, language) if grades else ""
    columns = [
        column(words("lab"), lambda grade: cell(grade.lab)),
        column(words("login"), lambda grade: cell(grade.login)),
        column(words("name"), lambda grade: cell(grade.name), shrinks=1),
        column(words("mark", scale=scale), lambda grade: in_mark(grade.mark, language), right=True),
        column(
            words("points"),
            lambda it: points(it, language),
        ),
        column(words("attempts"), lambda grade: Text(str(grade.attempts)), right=True),
        column(words("when"), _when),
    ]
    return columns[1:] if len({grade.lab for grade in grades}) <= 1 else columns


def _when(grade: Grade) -> Text:
    return Text(f"{grade.at.astimezone():%Y-%m-%d %H:%M}" if grade.at else "-")


def _lacks(grade: Grade) -> bool:
    return grade.score is not None and not grade.complete
