"""`lab box list` for a person: the boxes that this computer has."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.text import Text

from lab.classroom.results import BoxStatus
from lab.report.layout import Column, cell, table


def boxes_table(rows: Sequence[BoxStatus], *, console: Console) -> None:
    """Print a row a box, or how to get the first one."""
    if not rows:
        console.print(Text("There are no boxes yet. Next: lab box build"))
        return
    columns = [
        Column(title="box", cells=tuple(cell(row.name) for row in rows)),
        Column(title="provider", cells=tuple(cell(row.provider) for row in rows)),
        Column(title="version", cells=tuple(cell(row.version) for row in rows)),
        Column(title="size", cells=tuple(Text(f"{row.size_mb} MB") for row in rows), right=True),
        Column(title="created", cells=tuple(cell(row.created or "-") for row in rows)),
    ]
    console.print(table(columns, console=console))
