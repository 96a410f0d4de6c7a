"""`lab roster check --format json`: one object a column, one a line."""

from __future__ import annotations

from collections.abc import Iterable

from lab.classroom.problems import Problem
from lab.classroom.roster import Roster, RosterRow
from lab.classroom.roster_columns import Column, Role
from lab.classroom.roster_source import SEPARATORS
from lab.report.json_document import document


def roster_json(roster: Roster) -> str:
    """Return how a roster was understood as JSON."""
    return document(
        {
            "roster": roster.name,
            "encoding": roster.encoding or None,
            "separator": SEPARATORS.get(roster.separator),
            "header_line": roster.header_line or None,
            "columns": [_column(column) for column in roster.columns],
            "rows": [_row(row) for row in roster.rows],
            "students": len(roster.people),
            "problems": _told(roster.problems),
            "warnings": _told(roster.warnings),
            "notes": _told(roster.notes),
        }
    )


def _column(column: Column) -> dict[str, object]:
    used = column.role not in {Role.UNUSED, Role.UNKNOWN}
    return {
        "column": column.index + 1,
        "title": column.title,
        "used": used,
        "known": column.role is not Role.UNKNOWN,
        "role": column.role.value if used else None,
        "note": column.note or None,
    }


def _row(row: RosterRow) -> dict[str, object]:
    person = row.person
    return {
        "line": person.line,
        "login": person.login or None,
        "login_from": row.source.value if person.login else None,
        "clashed": row.clashed or None,
        "name": person.name,
        "email": person.email,
        "id_number": person.id_number,
        "group": person.group,
        "problem": row.problem or None,
    }


def _told(problems: Iterable[Problem]) -> list[dict[str, object]]:
    return [{"line": problem.line, "text": problem.text} for problem in problems]
