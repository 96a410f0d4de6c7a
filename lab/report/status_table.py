"""`lab status` for a person: where every machine is, and what to do about it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

from rich.console import Console
from rich.text import Text

from lab.classroom.results import MachineState, MachineStatus
from lab.report.layout import Column, cell, natural_width, table

_STYLES = {
    MachineState.RUNNING: "green",
    MachineState.CREATING: "cyan",
    MachineState.FAILED: "red",
    MachineState.MISSING: "yellow",
    MachineState.ORPHAN: "yellow",
    MachineState.STOPPED: "dim",
    MachineState.UNKNOWN: "magenta",
}
# The first of these that some machine is in decides which command is named.
_NEXT = (
    (MachineState.FAILED, "lab logs LOGIN says why one failed; lab up goes on where it stopped"),
    (MachineState.UNKNOWN, "lab logs LOGIN says what was last done to one"),
    (MachineState.MISSING, "lab up creates the missing"),
    (MachineState.STOPPED, "lab up starts the stopped"),
    (
        MachineState.ORPHAN,
        "lab destroy --orphans removes machines whose student has left the roster",
    ),
)


def status_table(rows: Sequence[MachineStatus], *, console: Console) -> None:
    """Print a row a machine and a count of every state.

    The provider, then the sites' addresses are left out when the console is too narrow for them;
    the line below says where they are to be had.
    """
    if not rows:
        console.print(Text("There are no machines yet. Next: lab up"))
        return
    columns = _columns(rows)
    left_out: list[str] = []
    for title in ("provider", "url"):
        if natural_width(columns) > console.width and any(c.title == title for c in columns):
            columns = [column for column in columns if column.title != title]
            left_out.append(title)
    console.print(table(columns, console=console))
    if "url" in left_out:
        console.print(Text("Sites: lab status --format json, or a wider terminal", style="dim"))
    console.print()
    console.print(Text(_counts(rows), style="bold"))
    console.print(Text(f"Next: {_next(rows)}"))


def _columns(rows: Sequence[MachineStatus]) -> list[Column]:
    def column(title: str, show: Callable[[MachineStatus], Text], **how: bool) -> Column:
        return Column(title=title, cells=tuple(show(row) for row in rows), **how)

    columns = [
        column("lab", lambda row: cell(row.lab)),
        column("login", lambda row: cell(row.login)),
        column("state", lambda row: Text(row.state.value, style=_STYLES[row.state])),
        column("steps", lambda row: Text(_steps(row)), right=True),
        column("last step", lambda row: cell(row.step or "-")),
        column("address", lambda row: cell(row.ip or "-")),
        column("provider", lambda row: cell(row.provider)),
        column("url", lambda row: cell(row.url or "-")),
    ]
    return columns[1:] if len({row.lab for row in rows}) == 1 else columns


def _steps(row: MachineStatus) -> str:
    # How many an orphan would have, no labs.yaml says.
    unknown = "?" if row.state is MachineState.ORPHAN else 0
    return f"{row.steps_done}/{row.steps_total or unknown}"


def _counts(rows: Sequence[MachineStatus]) -> str:
    counted = Counter(row.state for row in rows)
    told = ", ".join(f"{counted[state]} {state.value}" for state in MachineState if counted[state])
    lab = f"{cell(rows[0].lab)}: " if len({row.lab for row in rows}) == 1 else ""
    return lab + told


def _next(rows: Sequence[MachineStatus]) -> str:
    states = {row.state for row in rows}
    return next((advice for state, advice in _NEXT if state in states), "lab verify")
