"""Reads a class from the CSV that a school's programs export, and tells how it was understood."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from lab.classroom.problems import Problem, quoted
from lab.classroom.roster_columns import (
    WHO,
    Column,
    Role,
    columns_of,
    known_names,
    tells_who,
)
from lab.classroom.roster_entries import Entry, entries_of
from lab.classroom.roster_left_out import students_in
from lab.classroom.roster_logins import Holder, LoginSource, Settled, settle_logins
from lab.classroom.roster_source import (
    MAX_BYTES,
    MAX_TITLE_LINES,
    Row,
    Unreadable,
    is_misread,
    read_table,
)
from lab.errors import ConfigError

_MOST_LINES = 5


@dataclass(frozen=True, kw_only=True)
class Person:
    """Somebody on the roster; what is not known is empty, `line` is where the roster says so."""

    login: str
    name: str
    email: str
    line: int
    id_number: str = ""
    group: str = ""


@dataclass(frozen=True, kw_only=True)
class RosterRow:
    """One line of the roster as it was understood.

    Attributes:
        person: who it is; the login is empty where none could be made.
        source: where the login comes from.
        clashed: the login that it would be, had nobody else wanted it; "" if it is that.
        problem: what is wrong with the line, "" for nothing.
    """

    person: Person
    source: LoginSource
    clashed: str = ""
    problem: str = ""


@dataclass(frozen=True, kw_only=True)
class Roster:
    """A roster, and how it was understood.

    Attributes:
        name: what messages call the file.
        encoding: such as `UTF-8 with BOM`, "" where it could not be told.
        separator: the character between cells, "" where there is no table.
        header_line: the line with the names of the columns, 0 where there is none.
        columns: those that have a name.
        rows: the lines with a student, in their order.
        problems: what is wrong; with one of them nothing is made.
        notes: what is worth a look.
        warnings: whose machine is somebody else's now, or is left: `lab up` says it too.
    """

    name: str
    encoding: str = ""
    separator: str = ""
    header_line: int = 0
    columns: tuple[Column, ...] = ()
    rows: tuple[RosterRow, ...] = ()
    problems: tuple[Problem, ...] = ()
    notes: tuple[Problem, ...] = ()
    warnings: tuple[Problem, ...] = ()

    @property
    def people(self) -> tuple[Person, ...]:
        """Everybody whose line is well."""
        return tuple(row.person for row in self.rows if not row.problem)


def scan_roster(path: Path, *, name: str, holders: Sequence[Holder] = ()) -> Roster:
    """The roster at `path`.

    Args:
        path: the file.
        name: what messages call it.
        holders: who had which login, and keeps it.

    Raises:
        ConfigError: the file cannot be read at all.
    """
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise ConfigError(
            f"{name} cannot be read", details=f"{path}: {error.strerror or error}"
        ) from error
    return parse_roster(raw, name=name, holders=holders)


def parse_roster(raw: bytes, *, name: str, holders: Sequence[Holder] = ()) -> Roster:
    """The roster that `raw` holds; see `scan_roster`."""
    try:
        table = read_table(raw, known_names=known_names)
    except Unreadable as error:
        return _refused(Roster(name=name), [(line, error.why) for line in error.lines])
    roster = Roster(name=name, encoding=table.encoding, separator=table.separator)
    if not table.rows:
        why = "the file is empty: it needs a line of column names and the students"
        return _refused(roster, [(1, why)])
    at = _header_at(table.rows)
    header = table.rows[at]
    columns, doubled = columns_of(header.cells)
    roster = replace(roster, header_line=header.line, columns=columns)
    if doubled or not {column.role for column in columns} & WHO:
        found = ", ".join(quoted(cell) for cell in header.cells if cell) or "nothing"
        nobody = (
            "no column tells who the students are: login, email or name is needed,"
            f" and there is {found}"
        )
        return _refused(roster, [(header.line, why) for why in doubled or [nobody]])
    students, left_out = students_in(table.rows[at + 1 :], columns)
    entries = entries_of(students, columns, width=len(header.cells))
    settled = settle_logins(entries, holders)
    rows = [_row(it) for it in settled]
    notes = [
        *_notes_of_columns(columns, header.line, titles=at),
        *_notes_of_misreading(table.rows),
        *left_out,
        *_notes_of_lone_names(students, columns),
        *_notes_of_user_names(entries),
        *_notes_of_emails(columns, rows),
        *_notes_of_clashes(rows),
        *_notes_of_names(rows),
        *((it.entry.line, text) for it in settled for text in it.notes),
    ]
    warnings = [(it.entry.line, text) for it in settled for text in it.warnings]
    return replace(
        _refused(roster, [(row.person.line, row.problem) for row in rows if row.problem]),
        rows=tuple(rows),
        notes=tuple(Problem(file=name, line=line, text=text) for line, text in notes),
        warnings=tuple(Problem(file=name, line=line, text=text) for line, text in warnings),
    )


def _refused(roster: Roster, problems: Sequence[tuple[int, str]]) -> Roster:
    told = tuple(Problem(file=roster.name, line=line, text=text) for line, text in problems)
    return replace(roster, problems=told)


def _header_at(rows: Sequence[Row]) -> int:
    """Which row names the columns: the first, unless lines of titles stand before it.

    Those have a cell or two with something in them, and the row after them names two columns at
    least. A title of one cell may be a column's name by itself (`Alumnado`).
    """
    for at, row in enumerate(rows[: MAX_TITLE_LINES + 1]):
        filled = sum(bool(cell) for cell in row.cells)
        if tells_who(row.cells) and (known_names(row.cells) > 1 or (at == 0 and filled > 1)):
            return at
        if filled > 2:
            break
    return 0


def _row(settled: Settled) -> RosterRow:
    entry = settled.entry
    return RosterRow(
        person=Person(
            login=settled.login,
            name=entry.name or settled.login,
            email=entry.email,
            line=entry.line,
            id_number=entry.id_number,
            group=entry.group,
        ),
        source=settled.source,
        clashed=settled.clashed,
        problem=settled.problem,
    )


def _notes_of_columns(
    columns: Sequence[Column], line: int, *, titles: int
) -> Iterator[tuple[int, str]]:
    if titles:
        above = "line above is taken for a title"
        if titles > 1:
            above = f"{titles} lines above are taken for titles"
        yield line, f"the columns are named here; the {above}"
    for column in columns:
        if column.role is Role.UNKNOWN:
            ending = f"; {column.note}" if column.note else ""
            yield line, f"column {quoted(column.title)} is none that lab knows{ending}"


def _notes_of_misreading(rows: Sequence[Row]) -> Iterator[tuple[int, str]]:
    found = [(row.line, cell) for row in rows for cell in row.cells if is_misread(cell)]
    lines = list(dict.fromkeys(line for line, _ in found))
    if found:
        others = f", as on {', '.join(map(str, lines[1 : _MOST_LINES + 1]))}" if lines[1:] else ""
        more = ", ..." if len(lines) > _MOST_LINES + 1 else ""
        yield (
            lines[0],
            f"{quoted(found[0][1])} looks like UTF-8 that was read as Windows-1252{others}{more}:"
            " if it is, save the file anew, all of it as UTF-8",
        )


def _notes_of_user_names(entries: Sequence[Entry]) -> Iterator[tuple[int, str]]:
    lines = [entry.line for entry in entries if entry.passed_over and not entry.problem]
    if lines:
        # It may be the number of an identity card: it is not repeated.
        yield (
            lines[0],
            f"no login can be made of the user name here{_and_on(lines[1:])}: it is made of the"
            " email or the name",
        )


def _notes_of_lone_names(
    rows: Sequence[Row], columns: Sequence[Column]
) -> Iterator[tuple[int, str]]:
    """Lines with one cell that has something in it, such as a name or the end of a printed list."""
    sure = {it.index for it in columns if it.role in {Role.LOGIN, Role.IDENTIFIER}}
    lines = [
        row.line
        for row in rows
        if [index in sure for index, cell in enumerate(row.cells) if cell] == [False]
    ]
    # Where there are emails, it is told of those that there is none.
    if 0 < len(lines) < len(rows) and all(column.role is not Role.EMAIL for column in columns):
        yield (
            lines[0],
            f"no more than one cell is filled here{_and_on(lines[1:])}: is it a student?",
        )


def _notes_of_emails(
    columns: Sequence[Column], rows: Sequence[RosterRow]
) -> Iterator[tuple[int, str]]:
    lines = [row.person.line for row in rows if not row.problem and not row.person.email]
    if lines and any(column.role is Role.EMAIL for column in columns):
        yield lines[0], f"no email here{_and_on(lines[1:])}: marks for Moodle need one"


def _and_on(lines: Sequence[int]) -> str:
    if not lines:
        return ""
    more = ", ..." if len(lines) > _MOST_LINES else ""
    return f", nor on {', '.join(map(str, lines[:_MOST_LINES]))}{more}"


def _notes_of_clashes(rows: Sequence[RosterRow]) -> Iterator[tuple[int, str]]:
    for row in rows:
        if row.clashed and not row.problem:
            yield (
                row.person.line,
                f"{quoted(row.clashed)} is somebody else's login too, so this one is"
                f" {quoted(row.person.login)}; to choose another, add a `login` column",
            )


def _notes_of_names(rows: Sequence[RosterRow]) -> Iterator[tuple[int, str]]:
    """Names that several have: two students, or one who is listed twice."""
    lines: dict[str, list[int]] = {}
    for row in rows:
        if not row.problem:
            name = " ".join(unicodedata.normalize("NFC", row.person.name).casefold().split())
            lines.setdefault(name, []).append(row.person.line)
    named = {row.person.line: row.person.name for row in rows}
    for found in lines.values():
        if len(found) > 1:
            others = ", ".join(map(str, found[:_MOST_LINES]))
            more = ", ..." if len(found) > _MOST_LINES else ""
            yield found[1], f"{quoted(named[found[1]])} is on lines {others}{more}"
