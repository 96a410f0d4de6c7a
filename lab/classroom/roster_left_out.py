"""Which lines of a roster are no students: the teachers of a course, and what is printed below."""

from __future__ import annotations

import re
from collections.abc import Sequence

from lab.classroom.problems import quoted
from lab.classroom.roster_columns import Column, Role, plain
from lab.classroom.roster_source import Row

_STUDENT = re.compile(r"student|estudiant|estudant|alumn|learner")
_STAFF = re.compile(
    r"teacher|profesor|docent|instructor|tutor|manager|gestor|xestor|creator|creador|admin"
    r"|observ|guest|invitad|convidad|mentor"
)
# `Total: 28`, `Página 1`, `28/03/2026`: what no name looks like.
_TOTAL = re.compile(r"(sub)?tota(l|is|les)\b", re.IGNORECASE)
_PRINTED = re.compile(r".*:|(page|página|páxina|pág)\b|[\W\d]+$", re.IGNORECASE)
# Whoever has one of these is a person.
_CERTAIN = frozenset({Role.LOGIN, Role.EMAIL, Role.IDENTIFIER})

Note = tuple[int, str]


def students_in(
    rows: Sequence[Row], columns: Sequence[Column]
) -> tuple[tuple[Row, ...], tuple[Note, ...]]:
    """The rows that are students', and of each that is left out its line and why."""
    role = next((it.index for it in columns if it.role is Role.ROLE), len(columns))
    said = {row.line: "".join(row.cells[role : role + 1]) for row in rows}
    # A column of roles in a team speaks of no students.
    of_a_course = any(_STUDENT.search(plain(text)) for text in said.values())
    students, notes = [], []
    for row in rows:
        words = plain(said[row.line])
        if _is_printed(row, columns):
            text = quoted(" ".join(cell for cell in row.cells if cell))
            notes.append((row.line, f"{text} is no student: left out"))
        elif words and not _STUDENT.search(words) and (of_a_course or _STAFF.search(words)):
            notes.append((row.line, f"{quoted(said[row.line])} is no student's role: left out"))
        else:
            students.append(row)
    return tuple(students), tuple(notes)


def _is_printed(row: Row, columns: Sequence[Column]) -> bool:
    """Whether a row is what a program prints around a list: a cell, or a total and its number."""
    certain = {it.index for it in columns if it.role in _CERTAIN}
    filled = {index: cell for index, cell in enumerate(row.cells) if cell}
    if len(columns) == 1 or certain & filled.keys():
        return False
    first, *others = filled.values()
    if _TOTAL.match(first):
        return len(others) < 2 and all(map(str.isdigit, others))
    return bool(_PRINTED.match(first)) and not others
