"""Cells of a CSV that a spreadsheet opens: text stays text, whatever it begins with."""

from __future__ import annotations

import csv
import html
import io
from collections.abc import Iterable, Sequence
from datetime import datetime

from lab.report.text import inert_line

# What Excel, LibreOffice and Google Sheets take for the beginning of a formula (OWASP).
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def inert_cell(text: str) -> str:
    """Return text from outside as one line that no spreadsheet takes for a formula.

    Not for numbers and emails, which importers compare byte for byte.
    """
    line = inert_line(text)
    begins = text.startswith(_FORMULA) or line.lstrip().startswith(_FORMULA)
    return f"'{line}" if begins else line


def html_cell(text: str) -> str:
    """Return text from outside as a line that is inert in a spreadsheet, and read as HTML too."""
    return html.escape(inert_cell(text), quote=False)


def in_local_time(at: datetime | None) -> str:
    """Return a moment as ISO 8601 in this computer's time, to the second; "" for none."""
    return "" if at is None else at.astimezone().isoformat(timespec="seconds")


def csv_text(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table as CSV: commas, LF, quotes where they are needed."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return out.getvalue()
