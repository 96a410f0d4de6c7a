"""Marks for Moodle's gradebook import: a CSV with a column a lab.

What the import does is in Moodle's grade/import/csv/classes/load_data.php: an empty cell erases the
grade that is there, an unknown user ends the whole import, and a row whose user is empty goes to
the user of the row before it. So there is no empty cell in these files.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from lab.classroom.results import Grade
from lab.classroom.wording import say
from lab.errors import ConfigError, UsageError
from lab.report.cells import csv_text, html_cell
from lab.report.moodle_worksheet import FilledWorksheet, fill_worksheet

__all__ = ["FilledWorksheet", "fill_worksheet", "gradebook_csv"]

_MOST_NAMED = 5
_HEADERS = {"email": "grades.moodle_email", "id_number": "grades.moodle_id_number"}


def gradebook_csv(grades: Sequence[Grade], *, language: str) -> str:
    """Return the marks as Moodle imports them, with the feedback of each beside it.

    Students who were not evaluated are left out. A student is told by their email and their id
    number, byte for byte as the roster has them; a column that somebody lacks is left out. Marks
    are on the scale of each grade, with a point and two decimals.

    Args:
        grades: of one lab, or of several in which the same students were evaluated.
        language: of the names of the columns.

    Raises:
        ConfigError: Moodle could not tell who the students are.
        UsageError: there are several labs, and somebody was not evaluated in all of them.
    """
    graded = [grade for grade in grades if grade.mark is not None]
    labs = tuple(dict.fromkeys(grade.lab for grade in graded or grades))
    who = _telling(graded)
    rows: dict[tuple[str, ...], dict[str, Grade]] = {}
    for grade in graded:
        key = tuple(value.casefold() for value in _identity(grade, who))
        other = rows.setdefault(key, {}).setdefault(grade.lab, grade)
        if other is not grade:
            raise ConfigError(
                f"{other.login} and {grade.login} are the same person for Moodle",
                details=" ".join(_identity(grade, who)),
                hint="correct their email or id number on the roster",
            )
    _require_all(rows.values(), labs)
    header = [say(_HEADERS[column], language) for column in who]
    for lab in labs:
        header += [lab, say("grades.moodle_feedback", language, lab=lab)]
    return csv_text(header, [_row(of_labs, labs, who) for of_labs in rows.values()])


def _row(of_labs: dict[str, Grade], labs: Sequence[str], who: Sequence[str]) -> list[str]:
    cells = [*_identity(next(iter(of_labs.values())), who)]
    for lab in labs:
        cells += [f"{of_labs[lab].mark:.2f}", html_cell(of_labs[lab].feedback)]
    return cells


def _telling(graded: Sequence[Grade]) -> tuple[str, ...]:
    """The columns that tell who somebody is: those that everybody has something in.

    Raises:
        ConfigError: there is none.
    """
    who = tuple(field for field in _HEADERS if all(getattr(it, field) for it in graded))
    if who:
        return who
    without = [grade.login for grade in graded if not grade.email]
    raise ConfigError(
        "Moodle could not tell who these students are: there is no email of"
        f" {_listing(without)}, and not everybody has an id number",
        hint="add an email column to the roster, or `email:` under `students:` in labs.yaml",
    )


def _identity(grade: Grade, who: Sequence[str]) -> tuple[str, ...]:
    return tuple(getattr(grade, field) for field in who)


def _require_all(rows: Iterable[Mapping[str, Grade]], labs: Sequence[str]) -> None:
    """See that every row has a mark in every lab.

    Raises:
        UsageError: one has not.
    """
    missing = [
        f"{next(iter(row.values())).login} has no mark in {', '.join(sorted(set(labs) - set(row)))}"
        for row in rows
        if len(row) < len(labs)
    ]
    if missing:
        more = [f"and {len(missing) - _MOST_NAMED} more"] if len(missing) > _MOST_NAMED else []
        raise UsageError(
            "An empty cell would erase a grade that is in Moodle already",
            details="\n".join([*missing[:_MOST_NAMED], *more]),
            hint=f"one file a lab leaves them out: lab grades {labs[0]} --format moodle",
        )


def _listing(words: Sequence[str]) -> str:
    shown = ", ".join(words[:_MOST_NAMED])
    return f"{shown} and {len(words) - _MOST_NAMED} more" if len(words) > _MOST_NAMED else shown
