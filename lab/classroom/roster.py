"""Reads a class from the CSV that a school's programs export, whatever its dialect and headers."""

from __future__ import annotations

import codecs
import csv
import io
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from lab.classroom import logins
from lab.classroom.fields import email as check_email
from lab.classroom.fields import text as check_text
from lab.classroom.problems import Problem, config_error, quoted
from lab.errors import ConfigError

MAX_BYTES = 5_000_000
# A class of a thousand is far below; each line costs time and memory, above all one with a problem.
MAX_LINES = 10_000
MAX_COLUMNS = 1_000

# What exports call each column, as `_header` writes it: lower case, no accents.
COLUMNS: dict[str, frozenset[str]] = {
    "login": frozenset(
        {"login", "username", "user name", "github username", "usuario", "nombre de usuario"}
    ),
    "name": frozenset({"name", "full name", "nombre completo", "nombre y apellidos", "student"}),
    "first": frozenset({"first name", "firstname", "nombre"}),
    "last": frozenset(
        {
            "surname",
            "last name",
            "lastname",
            "apellido",
            "apellidos",
            "apellido s",
            "primer apellido",
        }
    ),
    "second_last": frozenset({"segundo apellido"}),
    "email": frozenset(
        {"email", "e mail", "mail", "email address", "correo", "correo electronico"}
        | {"direccion de correo", "direccion de correo electronico"}
    ),
}
_ROLES = {header: role for role, headers in COLUMNS.items() for header in headers}
_DELIMITERS = ",;\t"
_LOGIN_CELL = re.compile(r"\w[-\w.]*")


@dataclass(frozen=True, kw_only=True)
class Person:
    """Somebody on the roster; `email` may be empty, `line` is where the roster says so."""

    login: str
    name: str
    email: str
    line: int


@dataclass(frozen=True, kw_only=True)
class _Row:
    line: int
    login: str
    name: str
    email: str


def read_roster(path: Path, *, name: str = "") -> tuple[Person, ...]:
    """The people of the roster at `path`, in its order.

    Raises:
        ConfigError: with every problem of every row.
    """
    people, problems = scan_roster(path, name=name or path.name)
    if problems:
        raise config_error(problems, hint="edit the roster, or export it again")
    return people


def scan_roster(path: Path, *, name: str) -> tuple[tuple[Person, ...], list[Problem]]:
    """The people of the roster at `path`, and what is wrong with it under the name `name`.

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
    if len(raw) > MAX_BYTES:
        return (), [_problem(name, 1, f"the file is larger than {MAX_BYTES // 1_000_000} MB")]
    return parse_roster(raw, name=name)


def parse_roster(raw: bytes, *, name: str) -> tuple[tuple[Person, ...], list[Problem]]:
    """The people that `raw` lists, and what is wrong with it."""
    try:
        text = _decode(raw)
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        return (), [
            _problem(name, line, "this is neither UTF-8 nor Windows-1252: save it as UTF-8")
        ]
    if max(text.count("\n"), text.count("\r")) > MAX_LINES:
        return (), [_problem(name, MAX_LINES + 1, f"the file has more than {MAX_LINES} lines")]
    if "\0" in text:
        lines = [number for number, line in enumerate(text.split("\n"), 1) if "\0" in line]
        return (), [_problem(name, line, "this line holds a NUL character") for line in lines]
    table = list(_table(text))
    if table and isinstance(table[-1][1], str):
        line, why = table[-1]
        return (), [_problem(name, line, f"this cannot be read as CSV: {why}")]
    rows = [(line, cells) for line, cells in table if isinstance(cells, list) and any(cells)]
    if not rows:
        return (), [
            _problem(name, 1, "the file is empty: it needs a line of column names and the students")
        ]
    columns, problems = _columns(rows[0], name)
    if problems:
        return (), problems
    return _people(rows[1:], columns, len(rows[0][1]), name)


def _decode(raw: bytes) -> str:
    if raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return raw.decode("utf-16")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        return raw.decode("cp1252")


def _table(text: str) -> Iterator[tuple[int, list[str] | str]]:
    """Each record with the line that it begins on; last, the CSV reader's complaint if any."""
    skipped = 0
    # Excel writes `sep=;` first when it was told to.
    declared = re.match(r"sep=([,;\t])\r?\n", text)
    if declared:
        text, skipped = text[declared.end() :], 1
    delimiter = declared[1] if declared else _delimiter(text)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    line = 1
    try:
        for cells in reader:
            if len(cells) > MAX_COLUMNS:
                raise csv.Error(f"more than {MAX_COLUMNS} cells")
            yield line + skipped, [cell.strip() for cell in cells]
            line = reader.line_num + 1
    except csv.Error as error:
        yield line + skipped, str(error)


def _delimiter(text: str) -> str:
    """The one that splits the first line into the most known column names, else the most cells."""
    first = next((line for line in text.splitlines() if line.strip(_DELIMITERS + " ")), "")

    def known(delimiter: str) -> tuple[int, int]:
        cells = [cell.strip().strip('"') for cell in first.split(delimiter, MAX_COLUMNS)]
        return sum(_header(cell) in _ROLES for cell in cells), len(cells)

    return max(_DELIMITERS, key=known)


def _header(cell: str) -> str:
    plain = unicodedata.normalize("NFKD", cell.casefold())
    return re.sub("[^a-z0-9]+", " ", "".join(c for c in plain if c.isascii())).strip()


def _columns(header: tuple[int, list[str]], name: str) -> tuple[dict[str, int], list[Problem]]:
    """Which column holds what."""
    line, cells = header
    columns: dict[str, int] = {}
    problems = []
    for index, cell in enumerate(cells):
        role = _ROLES.get(_header(cell))
        if role is None:
            continue
        if role in columns:
            other = quoted(cells[columns[role]])
            problems.append(
                _problem(name, line, f"columns {other} and {quoted(cell)} say the same")
            )
        columns.setdefault(role, index)
    if not columns.keys() & {"login", "email", "name", "first"}:
        found = ", ".join(quoted(cell) for cell in cells if cell) or "nothing"
        problems.append(
            _problem(
                name,
                line,
                "no column tells who the students are: login, email or name is needed,"
                f" and there is {found}",
            )
        )
    return columns, problems


def _people(
    rows: Sequence[tuple[int, list[str]]], columns: dict[str, int], width: int, name: str
) -> tuple[tuple[Person, ...], list[Problem]]:
    good: list[_Row] = []
    problems: list[Problem] = []
    emails: dict[str, int] = {}
    for line, cells in rows:
        row = _row(line, cells, columns)
        why = _ragged(cells, width) or _row_problem(row)
        if not why and row.email:
            first = emails.setdefault(row.email.casefold(), line)
            if first != line:
                why = f"{quoted(row.email)} is also the email of line {first}"
        if why:
            problems.append(_problem(name, line, why))
        else:
            good.append(row)
    people, clashes = _with_logins(good, name)
    return people, [*problems, *clashes]


def _ragged(cells: list[str], width: int) -> str:
    # Spreadsheets pad rows with empty cells; a surplus cell that holds something is an error.
    if len(cells) < width or any(cells[width:]):
        return f"this line has {len(cells)} cells, and the line of column names has {width}"
    return ""


def _row(line: int, cells: list[str], columns: dict[str, int]) -> _Row:
    cell = {role: cells[index] for role, index in columns.items() if index < len(cells)}
    parts = (cell.get("first", ""), cell.get("last", ""), cell.get("second_last", ""))
    full = cell.get("name", "") or " ".join(part for part in parts if part)
    return _Row(line=line, login=cell.get("login", ""), name=full, email=cell.get("email", ""))


def _row_problem(row: _Row) -> str:
    for field, value in (("login", row.login), ("name", row.name), ("email", row.email)):
        try:
            check_text(value)
        except ValueError as error:
            return f"the {field} {error}"
    try:
        check_email(row.email)
    except ValueError as error:
        return str(error)
    if row.login:
        # Accents, capitals and dots fold away; a path or a sentence is for the teacher to mend.
        folded = logins.fold(row.login) if _LOGIN_CELL.fullmatch(row.login) else row.login
        problem = logins.login_problem(folded)
        return f"the login {quoted(row.login)} {problem}" if problem else ""
    if not logins.derived_login(name=row.name, email=row.email):
        return "no login can be made of this email and name: add a `login` column"
    return ""


def _with_logins(rows: Sequence[_Row], name: str) -> tuple[tuple[Person, ...], list[Problem]]:
    wanted = [
        logins.fold(row.login) or logins.derived_login(name=row.name, email=row.email)
        for row in rows
    ]
    named = Counter(unicodedata.normalize("NFC", row.name) for row in rows)
    settled = logins.settle(
        wanted,
        given=[bool(row.login) for row in rows],
        own=[_identity(row, named) for row in rows],
    )
    problems = []
    first: dict[str, int] = {}
    for row, login in zip(rows, settled, strict=True):
        line = first.setdefault(login, row.line)
        if line != row.line:
            problems.append(
                _problem(name, row.line, f"{quoted(login)} is also the login of line {line}")
            )
    people = tuple(
        Person(login=login, name=row.name or login, email=row.email, line=row.line)
        for row, login in zip(rows, settled, strict=True)
    )
    return people, problems


def _identity(row: _Row, named: Counter[str]) -> tuple[str, ...]:
    """What tells a person from all others, in any order and, if it can, in any Unicode form."""
    if row.email:
        return (row.email.casefold(),)
    composed = unicodedata.normalize("NFC", row.name)
    return (composed,) if named[composed] == 1 else (composed, row.name)


def _problem(name: str, line: int, text: str) -> Problem:
    return Problem(file=name, line=line, text=text)
