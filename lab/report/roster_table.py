"""`lab roster check` for a person: what each column is taken for, then row by row."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.text import Text

from lab.classroom.roster import Roster, RosterRow
from lab.classroom.roster_columns import Role
from lab.classroom.roster_source import SEPARATORS
from lab.report.layout import Column, amount, block, cell, table
from lab.report.text import inert_line

_STYLES = {Role.UNKNOWN: "yellow", Role.UNUSED: "dim"}


def roster_table(roster: Roster, *, console: Console) -> None:
    """Print how a roster was understood, what is wrong with it and what is worth a look."""
    console.print(Text(_heading(roster), style="bold"))
    console.print()
    if roster.columns:
        console.print(table(_columns(roster), console=console))
        console.print()
    if roster.rows:
        console.print(table(_rows(roster.rows), console=console))
        console.print()
    for problem in roster.problems:
        console.print(block(str(problem), indent=0, style="red"))
    for warning in roster.warnings:
        console.print(block(f"warning: {warning}", indent=0, style="yellow"))
    for note in roster.notes:
        console.print(block(f"note: {note}", indent=0, style="yellow"))
    if roster.problems or roster.warnings or roster.notes:
        console.print()
    count = f"{amount(len(roster.people), 'student')}, {amount(len(roster.problems), 'problem')}"
    console.print(Text(count, style="bold"))


def _heading(roster: Roster) -> str:
    told = [roster.encoding, SEPARATORS.get(roster.separator, "")]
    told += [f"columns named on line {roster.header_line}"] if roster.header_line else []
    known = ", ".join(word for word in told if word)
    return inert_line(roster.name) + (f": {known}" if known else "")


def _columns(roster: Roster) -> list[Column]:
    return [
        Column(title="column", cells=tuple(cell(it.title) for it in roster.columns)),
        Column(
            title="taken for",
            cells=tuple(
                cell(
                    f"{it.role}: {it.note}" if it.note else it.role,
                    _STYLES.get(it.role, "green"),
                )
                for it in roster.columns
            ),
        ),
    ]


def _rows(rows: Sequence[RosterRow]) -> list[Column]:
    people = [row.person for row in rows]
    columns = [
        Column(title="line", cells=tuple(Text(str(it.line)) for it in people), right=True),
        Column(title="login", cells=tuple(cell(it.login or "-") for it in people)),
        Column(title="from", cells=tuple(_origin(row) for row in rows)),
        Column(title="name", cells=tuple(cell(it.name) for it in people), shrinks=2),
    ]
    # What tells namesakes apart keeps its room longest.
    for title, shrinks, values in (
        ("email", 1, [it.email for it in people]),
        ("id number", 1, [it.id_number for it in people]),
        ("group", 3, [it.group for it in people]),
    ):
        if any(values):
            columns.append(
                Column(title=title, cells=tuple(cell(it) for it in values), shrinks=shrinks)
            )
    return columns


def _origin(row: RosterRow) -> Text:
    if row.problem:
        return Text("problem", style="red")
    return Text(f"{row.source}, clash", style="yellow") if row.clashed else Text(row.source)
