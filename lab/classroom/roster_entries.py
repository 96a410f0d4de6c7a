"""Reads a row of a roster into what it says of a person, and what is wrong with it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from lab.classroom import logins
from lab.classroom.fields import email as check_email
from lab.classroom.fields import text as check_text
from lab.classroom.problems import quoted
from lab.classroom.roster_columns import Column, Role, is_login_column
from lab.classroom.roster_source import Row

_LOGIN_CELL = re.compile(r"\w[-\w.]*")
# DNI and NIE, the latter of which would do as a login.
_IDENTITY_CARD = re.compile(r"[xyz]?\d{7,8}-?[a-z]", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class Entry:
    """What one line says of a person.

    Attributes:
        login: as it is written, "" where it is another program's user name that can be no login.
        problem: what is wrong with the line, "" for nothing.
        is_strict: whether the login is the teacher's word: that of a `login` column.
        passed_over: whether there is a user name that can be no login.
    """

    line: int
    login: str
    name: str
    email: str
    id_number: str
    group: str
    problem: str = ""
    is_strict: bool = False
    passed_over: bool = False

    @property
    def wanted(self) -> str:
        """The login that the line asks for; two lines may ask for the same."""
        return logins.fold(self.login) or logins.derived_login(name=self.name, email=self.email)


def entries_of(rows: Sequence[Row], columns: Sequence[Column], *, width: int) -> tuple[Entry, ...]:
    """What the rows below a line of `width` column names say."""
    entries = [_entry(row, columns, width) for row in rows]
    first: dict[str, int] = {}
    return tuple(
        replace(entry, problem=entry.problem or _twin_problem(entry, first)) for entry in entries
    )


def _entry(row: Row, columns: Sequence[Column], width: int) -> Entry:
    # Only what a role names is ever looked at: a password stays where it is.
    cell = {it.role: row.cells[it.index] for it in columns if it.index < len(row.cells)}
    email, name = cell.get(Role.EMAIL, ""), _name(cell)
    login = cell.get(Role.LOGIN, "")
    is_strict = bool(login) and is_login_column(columns)
    passed_over = bool(login) and not is_strict and not _is_user_name(login)
    identifier = cell.get(Role.IDENTIFIER, "")
    if Role.EMAIL not in cell:
        email = next((text for text in (identifier, "" if is_strict else login) if "@" in text), "")
    entry = Entry(
        line=row.line,
        login="" if passed_over else login,
        name=name or ("" if identifier == email else identifier),
        email=email,
        id_number=cell.get(Role.ID_NUMBER, ""),
        group=cell.get(Role.GROUP, ""),
        is_strict=is_strict,
        passed_over=passed_over,
    )
    return replace(entry, problem=_ragged(row.cells, width) or _problem(entry))


def _is_user_name(text: str) -> bool:
    """Whether another program's user name can be a login: not an email, nor an identity card's."""
    return (
        bool(_LOGIN_CELL.fullmatch(text))
        and not _IDENTITY_CARD.fullmatch(text)
        and not logins.login_problem(logins.fold(text))
    )


def _name(cell: dict[Role, str]) -> str:
    """The name as it is said: first name first."""
    parts = (cell.get(role, "") for role in (Role.FIRST, Role.LAST, Role.SECOND_LAST))
    listed = cell.get(Role.SURNAME_FIRST, "")
    last, comma, first = (part.strip() for part in listed.partition(","))
    said = f"{first} {last}" if comma and first and last and "," not in first else listed
    return cell.get(Role.NAME, "") or " ".join(part for part in parts if part) or said


def _ragged(cells: Sequence[str], width: int) -> str:
    # Spreadsheets pad rows with empty cells; a surplus cell that holds something is an error.
    if len(cells) < width or any(cells[width:]):
        return f"this line has {len(cells)} cells, and the line of column names has {width}"
    return ""


def _problem(entry: Entry) -> str:
    fields = {
        "login": entry.login,
        "name": entry.name,
        "email": entry.email,
        "id number": entry.id_number,
        "group": entry.group,
    }
    for field, value in fields.items():
        try:
            check_text(value)
        except ValueError as error:
            return f"the {field} {error}"
    try:
        check_email(entry.email)
    except ValueError as error:
        return str(error)
    if entry.login:
        # Accents, capitals and dots fold away; a path or a sentence is for the teacher to mend.
        folded = entry.wanted if _LOGIN_CELL.fullmatch(entry.login) else entry.login
        problem = logins.login_problem(folded)
        return f"the login {quoted(entry.login)} {problem}" if problem else ""
    if not entry.wanted:
        return "no login can be made of this email and name: add a `login` column"
    return ""


def _twin_problem(entry: Entry, first: dict[str, int]) -> str:
    """Why an entry cannot have the email that it has: another, noted in `first`, has it."""
    if entry.problem or not entry.email:
        return ""
    line = first.setdefault(entry.email.casefold(), entry.line)
    return f"{quoted(entry.email)} is also the email of line {line}" if line != entry.line else ""
