"""Fills the grading worksheet of a Moodle assignment: its grades and feedback, and nothing else.

What Moodle does with it is in mod/assign/gradingtable.php and mod/assign/feedback/offline: columns
are known by their names in the site's language, an empty grade is passed over, and so is one above
the maximum. Feedback is HTML. With a scale in the place of a maximum, grades are words.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import floor

from lab.classroom.classes import Student
from lab.classroom.problems import quoted
from lab.classroom.results import Grade
from lab.classroom.roster_columns import NAMES, Role, plain
from lab.classroom.roster_source import Unreadable, decode, separator_of
from lab.errors import ConfigError, UsageError
from lab.report.cells import html_cell
from lab.report.csv_patch import Cell, Record, encoded_as, patched, records_of

# Names as `plain` writes them, in English and in Spanish (Moodle's language pack `es`).
_COLUMNS: Mapping[str, frozenset[str]] = {
    "identifier": frozenset({"identifier", "identificador"}),
    "email": frozenset().union(*NAMES[Role.EMAIL]),
    "id_number": frozenset().union(*NAMES[Role.ID_NUMBER]),
    "grade": frozenset({"grade", "calificacion"}),
    "maximum": frozenset({"maximum grade", "calificacion maxima"}),
    "scale": frozenset({"scale", "escala"}),
    "changeable": frozenset({"grade can be changed", "la calificacion puede ser cambiada"}),
    "feedback": frozenset({"feedback comments", "comentarios de retroalimentacion"}),
}
_OF_NAME = {name: column for column, names in _COLUMNS.items() for name in names}
# Sites and versions word it differently: `la calificacion se puede cambiar`.
_CHANGEABLE = re.compile(r"(?=.*\b(grade|calificacion)\b)(?=.*\b(chang|cambi)).*")
# What says who somebody is, in words.
_TELLING: Mapping[str, str] = {"email": "email", "id_number": "id number"}
_NUMBER = re.compile(r"\d+(?:[.,]\d+)?")
_HINT = (
    "in Moodle, the assignment's submissions: Download grading worksheet (the assignment needs"
    " the feedback type Offline grading worksheet); take the file as it comes"
)


@dataclass(frozen=True, kw_only=True)
class FilledWorksheet:
    """A worksheet with grades in it.

    Attributes:
        raw: the file.
        filled: the logins of those whose row has a grade now.
        missing: the logins of those who were evaluated and have no row.
        replaced: the logins of those who had another grade in their row.
        notes: what else was left alone, and why.
    """

    raw: bytes
    filled: tuple[str, ...]
    missing: tuple[str, ...]
    replaced: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def fill_worksheet(
    raw: bytes, grades: Sequence[Grade], *, name: str, roster: Sequence[Student] = ()
) -> FilledWorksheet:
    """Return the worksheet with the grades of one lab in it.

    Only cells for grade and feedback are written, in rows that have the email or the id number of
    one of them, and nothing that says otherwise; every other byte stays. The mark is the share of
    the points that were earned, of the maximum that the row says, with two decimals.

    Args:
        raw: the file as Moodle gave it.
        grades: of one lab.
        name: what messages call the file.
        roster: everybody in the lab, so that nobody's row is taken for another's.

    Raises:
        ConfigError: it is no worksheet, or one for other than numbers.
        UsageError: the grades are of several labs.
    """
    labs = sorted({grade.lab for grade in grades})
    if len(labs) > 1:
        raise UsageError(
            f"A worksheet is for one assignment, and these are the marks of {', '.join(labs)}",
            hint="name one lab",
        )
    try:
        text, _ = decode(raw)
        separator = separator_of(text, _known_names)
        records = records_of(text, separator)
    except Unreadable as error:
        raise ConfigError(
            f"{name} cannot be read as a worksheet",
            details=f"{name}:{error.lines[0]}: {error.why}",
            hint=_HINT,
        ) from error
    marked = [grade for grade in grades if grade.mark is not None]
    filling = _Filling(records, marked, (*grades, *roster), name)
    filling.fill()
    changes = {cell: words for cell, words in filling.changes.items() if words != cell.text}
    return FilledWorksheet(
        raw=encoded_as(patched(text, changes, separator), raw) if changes else raw,
        filled=tuple(filling.filled),
        missing=tuple(grade.login for grade in filling.grades if grade.login not in filling.met),
        replaced=tuple(filling.replaced),
        notes=tuple(filling.notes),
    )


class _Filling:
    """One worksheet and what is to be written into it."""

    def __init__(
        self,
        records: Sequence[Record],
        grades: Sequence[Grade],
        people: Sequence[Grade | Student],
        name: str,
    ) -> None:
        self.name = name
        self.grades = grades
        self._people = {person.login: person for person in people}
        self.changes: dict[Cell, str] = {}
        self.filled: list[str] = []
        self.replaced: list[str] = []
        self.met: set[str] = set()
        self.notes: list[str] = []
        self._header = [cell.text.strip() for cell in records[0].cells] if records else []
        self._rows = records[1:]
        self._columns = self._known_columns(records[0].line if records else 1)
        self._comma = any(
            "," in self._cell(row, column)
            for row in self._rows
            for column in ("grade", "maximum")
            if _NUMBER.fullmatch(self._cell(row, column))
        )

    def fill(self) -> None:
        """Note what is to be written, row by row."""
        if "feedback" not in self._columns:
            self.notes.append(f"{self.name} has no column for feedback: only grades are written")
        graded = {grade.login for grade in self.grades}
        rows_of: dict[str, list[Record]] = {}
        nobody = []
        for row in self._rows:
            noted = len(self.notes)
            login = self._login_of(row)
            if not login and len(self.notes) == noted:
                nobody.append(row.line)
            elif login in graded:
                rows_of.setdefault(login, []).append(row)
        for grade in self.grades:
            rows = rows_of.get(grade.login, [])
            self.met |= {grade.login} if rows else set()
            if len(rows) > 1:
                lines = ", ".join(str(row.line) for row in rows)
                self._note(rows[0], f"{grade.login} is on lines {lines}: left alone")
            elif rows:
                self._fill_row(rows[0], grade)
        if nobody:
            lines = ", ".join(map(str, nobody[:5])) + (", ..." if len(nobody) > 5 else "")
            self.notes.append(f"{self.name}: nobody on the roster is on these lines: {lines}")

    def _fill_row(self, row: Record, grade: Grade) -> None:
        if self._cell(row, "changeable").casefold() == "no":
            self._note(row, f"Moodle says that the grade of {grade.login} cannot be changed")
            return
        mark, before = self._mark(row, grade), self._cell(row, "grade")
        self.changes[row.cells[self._columns["grade"]]] = mark
        if before != mark and _NUMBER.fullmatch(before):
            self.replaced.append(grade.login)
        if "feedback" in self._columns and grade.feedback:
            self.changes[row.cells[self._columns["feedback"]]] = html_cell(grade.feedback)
        self.filled.append(grade.login)

    def _mark(self, row: Record, grade: Grade) -> str:
        written = self._cell(row, "maximum")
        maximum = Fraction(written.replace(",", ".")) if _NUMBER.fullmatch(written) else Fraction(0)
        if not maximum:
            raise ConfigError(
                f"{self.name} is for other than numbers",
                details=f"{self.name}:{row.line}: the maximum grade is {quoted(written)}",
                hint="give the assignment a maximum of points in Moodle, and download it again",
            )
        # Half up, out of exact numbers, as marks are made everywhere else.
        share = Fraction(repr(grade.score or 0.0)) / Fraction(repr(grade.max_score))
        cents = floor(share * maximum * 100 + Fraction(1, 2))
        mark = f"{cents // 100}.{cents % 100:02}"
        return mark.replace(".", ",") if self._comma else mark

    def _login_of(self, row: Record) -> str:
        """Whose row it is; "" for nobody's, or where email and id number say different things."""
        if len(row.cells) != len(self._header):
            self._note(row, f"there are {len(row.cells)} cells, not {len(self._header)}")
            return ""
        told = {field: self._cell(row, field).casefold() for field in _TELLING}
        found = [
            login
            for login, person in self._people.items()
            if any(value and value == _known(person, field) for field, value in told.items())
        ]
        if len(found) > 1:
            self._note(row, f"the email and the id number are those of {' and '.join(found)}")
            return ""
        for login in found:
            for field, words in _TELLING.items():
                known = _known(self._people[login], field)
                if told[field] and known and told[field] != known:
                    self._note(row, f"the {words} is not the one of {login}: left alone")
                    return ""
        return next(iter(found), "")

    def _cell(self, row: Record, column: str) -> str:
        index = self._columns.get(column, len(row.cells))
        return row.cells[index].text.strip() if index < len(row.cells) else ""

    def _known_columns(self, line: int) -> dict[str, int]:
        columns: dict[str, int] = {}
        for index, title in enumerate(self._header):
            column = _column_of(plain(title))
            if column:
                columns.setdefault(column, index)
        if "scale" in columns and "maximum" not in columns:
            raise ConfigError(
                f"{self.name} is for a scale: its grades are words, and lab's are numbers",
                hint="give the assignment a maximum of points in Moodle, and download it again",
            )
        wanted = ["identifier", "grade", "maximum"]
        if not columns.keys() >= set(wanted) or not columns.keys() & {"email", "id_number"}:
            found = ", ".join(quoted(title) for title in self._header if title) or "nothing"
            raise ConfigError(
                f"{self.name} is not a grading worksheet that lab can fill",
                details=f"{self.name}:{line}: `Identifier`, `Grade`, `Maximum Grade` and one of"
                " `Email address` or `ID number` are needed (or the same in Spanish),"
                f" and there is {found}",
                hint=_HINT,
            )
        return columns

    def _note(self, row: Record, text: str) -> None:
        self.notes.append(f"{self.name}:{row.line}: {text}")


def _column_of(name: str) -> str | None:
    known = _OF_NAME.get(name)
    return known or ("changeable" if _CHANGEABLE.fullmatch(name) else None)


def _known(person: Grade | Student, field: str) -> str:
    value: str = getattr(person, field)
    return value.strip().casefold()


def _known_names(cells: Sequence[str]) -> int:
    return sum(plain(cell) in _OF_NAME for cell in cells)
