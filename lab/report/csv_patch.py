"""Changes single cells of a CSV, and not one byte beside them."""

from __future__ import annotations

import codecs
import re
from collections.abc import Mapping
from dataclasses import dataclass

from lab.classroom.roster_source import Unreadable

_UTF16 = {codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}


@dataclass(frozen=True)
class Cell:
    """A cell: where it stands in the text, from `start` up to `end`, and what it says."""

    start: int
    end: int
    text: str
    quoted: bool


@dataclass(frozen=True)
class Record:
    """The cells of one record, and the line that it begins on."""

    line: int
    cells: tuple[Cell, ...]


def records_of(text: str, separator: str) -> tuple[Record, ...]:
    """The records of a CSV as RFC 4180 has it; line ends of any kind, empty lines left out.

    Raises:
        Unreadable: a quote stands where none may, or is never closed.
    """
    quoted = re.compile('"([^"]*(?:""[^"]*)*)"')
    bare = re.compile(f'[^"{re.escape(separator)}\r\n]*')
    line_end = re.compile("\r\n|\r|\n")
    records: list[Record] = []
    cells: list[Cell] = []
    at, line, next_line = 0, 1, 1
    while at < len(text) or cells:
        match = quoted.match(text, at) or bare.match(text, at)
        assert match is not None
        is_quoted = match.re is quoted
        said = match[1].replace('""', '"') if is_quoted else match[0]
        cells.append(Cell(match.start(), match.end(), said, is_quoted))
        next_line += len(line_end.findall(match[0]))
        at = match.end()
        if text.startswith(separator, at):
            at += 1
            continue
        ended = line_end.match(text, at)
        if ended is None and at < len(text):
            raise Unreadable("a quote stands where none may, or is never closed", next_line)
        at = ended.end() if ended else at
        if len(cells) > 1 or cells[0].text:
            records.append(Record(line, tuple(cells)))
        next_line += 1
        cells, line = [], next_line
    return tuple(records)


def patched(text: str, changes: Mapping[Cell, str], separator: str) -> str:
    """The text with other words in some cells, quoted as they were or where they have to be."""
    parts, at = [], 0
    for cell in sorted(changes, key=lambda it: it.start):
        parts += [text[at : cell.start], _written(changes[cell], cell, separator)]
        at = cell.end
    return "".join([*parts, text[at:]])


def encoded_as(text: str, raw: bytes) -> bytes:
    """The text in the encoding of `raw`, with its byte-order mark if it has one.

    A character that Windows-1252 lacks becomes an HTML reference, as Moodle reads feedback as HTML.
    """
    for mark, encoding in _UTF16.items():
        if raw.startswith(mark):
            return mark + text.encode(encoding)
    if raw.startswith(codecs.BOM_UTF8):
        return codecs.BOM_UTF8 + text.encode()
    try:
        raw.decode()
    except UnicodeDecodeError:
        return text.encode("cp1252", "xmlcharrefreplace")
    return text.encode()


def _written(words: str, cell: Cell, separator: str) -> str:
    # PHP's `fputcsv`, which writes Moodle's files, quotes what has a space in it too.
    if cell.quoted or separator in words or re.search(r'[\s"\\]', words):
        return '"' + words.replace('"', '""') + '"'
    return words
