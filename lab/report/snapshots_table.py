"""`lab snapshot list` for a person: what is kept of each machine, and the room that it takes."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.text import Text

from lab.classroom.results import SnapshotStatus
from lab.report.layout import Column, amount, cell, table


def snapshots_table(rows: Sequence[SnapshotStatus], *, console: Console) -> None:
    """Print a row a snapshot and what they take together, or how to get the first one."""
    if not rows:
        console.print(Text("There are no snapshots yet. Next: lab snapshot save NAME"))
        return

    def column(title: str, *cells: Text, right: bool = False) -> Column:
        return Column(title=title, cells=cells, right=right)

    several = len({row.lab for row in rows}) > 1
    lab = [column("lab", *(cell(row.lab) for row in rows))] if several else []
    columns = [
        *lab,
        column("login", *(cell(row.login) for row in rows)),
        column("snapshot", *(cell(row.name) for row in rows)),
        column(
            "created",
            *(
                Text(f"{row.created.astimezone():%Y-%m-%d %H:%M}" if row.created else "-")
                for row in rows
            ),
        ),
        column("size", *(Text(f"{row.size_mb} MB") for row in rows), right=True),
    ]
    console.print(table(columns, console=console))
    console.print()
    total_mb = sum(row.size_mb for row in rows)
    console.print(Text(f"{amount(len(rows), 'snapshot')}, {total_mb} MB"))
