"""Turns the bytes of a CSV into rows with their lines, whatever program saved it."""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

MAX_BYTES = 5_000_000
# A class of a thousand is far below; each line costs time and memory, above all one with a problem.
MAX_LINES = 10_000
MAX_COLUMNS = 1_000
# Exports that are printed as they are begin with the school's name, the year, the group.
MAX_TITLE_LINES = 10

SEPARATORS = {",": "comma", ";": "semicolon", "\t": "tab"}

_MAX_HEADER_CHARACTERS = 20_000
_WINDOWS = "Windows-1252"
_BOM = "\ufeff"
# .xlsx and .ods are ZIP archives; .xls is a compound file.
_SPREADSHEETS = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")
# The two bytes that a letter such as `í` is in UTF-8, read as two letters of Windows-1252.
_MISREAD = re.compile(f"[ÂÃ][{re.escape(bytes(range(0x80, 0xC0)).decode('cp1252', 'ignore'))}]")


class Unreadable(Exception):
    """Why the bytes are no table; `lines` are those that show it."""

    def __init__(self, why: str, *lines: int) -> None:
        super().__init__(why)
        self.why = why
        self.lines = lines or (1,)


@dataclass(frozen=True, kw_only=True)
class Row:
    """The cells of one record, without the spaces around them, and the line that it begins on."""

    line: int
    cells: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Table:
    """What a CSV holds; empty rows are left out.

    Attributes:
        encoding: its name for a person, such as `UTF-8 with BOM`.
        separator: the character between cells.
        rows: the records in their order.
    """

    encoding: str
    separator: str
    rows: tuple[Row, ...]


# How many column names a list of cells holds.
KnownNames = Callable[[list[str]], int]


def read_table(raw: bytes, *, known_names: KnownNames) -> Table:
    """The table that `raw` holds.

    Args:
        raw: the file.
        known_names: counts what is known as a column's name, by which the separator is told.

    Raises:
        Unreadable: it holds none, or a part that cannot be read.
    """
    if len(raw) > MAX_BYTES:
        raise Unreadable(f"the file is larger than {MAX_BYTES // 1_000_000} MB")
    text, encoding = decode(raw)
    if max(text.count("\n"), text.count("\r")) > MAX_LINES:
        raise Unreadable(f"the file has more than {MAX_LINES} lines", MAX_LINES + 1)
    if "\0" in text:
        lines = [number for number, line in enumerate(text.split("\n"), 1) if "\0" in line]
        raise Unreadable("this line holds a NUL character", *lines)
    # Excel writes `sep=;` first when it was told to.
    declared = re.match(r"sep=([,;\t])(?:\r\n|\n|\r)", text)
    body = text[declared.end() :] if declared else text
    separator = declared[1] if declared else separator_of(body, known_names)
    rows = tuple(
        row for row in _rows(body, separator, first=2 if declared else 1) if any(row.cells)
    )
    return Table(encoding=encoding, separator=separator, rows=rows)


def decode(raw: bytes) -> tuple[str, str]:
    """The text of `raw` without its byte-order mark, and its encoding's name for a person.

    Raises:
        Unreadable: it is in no encoding that lab knows, or no text at all.
    """
    if raw.startswith(_SPREADSHEETS):
        raise Unreadable("this is a spreadsheet, not CSV: save it as CSV")
    try:
        if raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            return raw.decode("utf-16"), "UTF-16"
        try:
            text = raw.decode("utf-8")
        except UnicodeDecodeError:
            return raw.decode("cp1252"), _WINDOWS
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise Unreadable(
            "this is neither UTF-8 nor Windows-1252: save it as UTF-8", line
        ) from error
    return (text[1:], "UTF-8 with BOM") if text.startswith(_BOM) else (text, "UTF-8")


def is_misread(text: str) -> bool:
    """Whether some of it looks like UTF-8 that was read as Windows-1252, such as `MarÃ­a`."""
    return _MISREAD.search(text) is not None


def separator_of(text: str, known_names: KnownNames) -> str:
    """The one that splits a line into the most known names, else the first line into most cells.

    The first line that has a name decides: further down stands what people are called. Where that
    is all it has, it may be a title, and a line that has two goes before it.
    """
    lines = [line for line in _first_lines(text) if line.strip("".join(SEPARATORS) + " ")]
    title = ""
    for line in lines[: MAX_TITLE_LINES + 1]:
        split = {separator: _split(line, separator) for separator in SEPARATORS}
        known = {separator: known_names(cells) for separator, cells in split.items()}
        best = max(SEPARATORS, key=lambda it: (known[it], len(split[it])))
        if known[best] > 1 or (known[best] and not title and sum(map(bool, split[best])) > 1):
            return best
        title = title or (best if known[best] else "")
    if title:
        return title
    first = lines[0] if lines else ""
    return max(SEPARATORS, key=lambda it: len(_split(first, it)))


def _first_lines(text: str) -> list[str]:
    lines = text[: 50 * _MAX_HEADER_CHARACTERS].splitlines()
    return [line[:_MAX_HEADER_CHARACTERS] for line in lines]


def _split(line: str, separator: str) -> list[str]:
    try:
        return next(csv.reader([line], delimiter=separator), [])
    except csv.Error:
        return []


def _rows(text: str, separator: str, *, first: int) -> Iterator[Row]:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    line = first
    try:
        for cells in reader:
            if len(cells) > MAX_COLUMNS:
                raise csv.Error(f"more than {MAX_COLUMNS} cells")
            yield Row(line=line, cells=tuple(cell.strip() for cell in cells))
            line = reader.line_num + first
    except csv.Error as error:
        raise Unreadable(f"this cannot be read as CSV: {error}", line) from error
