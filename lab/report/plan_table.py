"""`lab plan` for a person: how each machine stands, and what `lab up` would do."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

from rich.console import Console
from rich.text import Text

from lab.classroom.results import Label, PlannedMachine
from lab.errors import LabError
from lab.report.layout import Column, amount, block, cell, table
from lab.report.text import inert_line

_STYLES = {
    Label.OK: "green",
    Label.MISSING: "cyan",
    Label.STOPPED: "dim",
    Label.HALF_MADE: "red",
    Label.DRIFTED: "yellow",
    Label.ORPHAN: "magenta",
    Label.FOREIGN: "magenta",
}


def plan_table(
    rows: Sequence[PlannedMachine],
    *,
    fits: Sequence[str],
    refusal: LabError | None = None,
    command: str = "lab up",
    console: Console,
) -> None:
    """Print a row a machine, why it is as it is, what does not fit, and the counts.

    Guests that have nothing to do with the class are only counted.

    Args:
        rows: the machines.
        fits: whether they fit, see `report.admission`.
        refusal: what the command would end with instead of doing it.
        command: what would do it.
        console: where to.
    """
    ours = [row for row in rows if row.lab or row.label is not Label.FOREIGN]
    if ours:
        console.print(table(_columns(ours), console=console))
        console.print()
    for row in ours:
        if row.why:
            console.print(block(f"{inert_line(_name(row))}: {inert_line(row.why)}", indent=2))
    for line in fits:
        console.print(block(inert_line(line), indent=2))
    if refusal is not None:
        console.print(block(inert_line(refusal.message), indent=2))
        for line in refusal.details.splitlines():
            console.print(block(inert_line(line), indent=4))
    counted = Counter(row.label for row in ours)
    told = ", ".join(f"{counted[label]} {label.value}" for label in Label if counted[label])
    console.print(Text(told or "labs.yaml names no machine", style="bold"))
    others = len(rows) - len(ours)
    if others:
        guests = amount(others, "guest")
        console.print(Text(f"{guests} on this computer not of this class: never touched"))
    # More than how many fit: what limits, and the options.
    mending = ["one of the options above"] if len(fits) > 1 else []
    mending += [refusal.hint] if refusal is not None else []
    console.print(Text(f"Next: {'; then '.join(mending) or _next(ours, counted, command)}"))


def _columns(rows: Sequence[PlannedMachine]) -> list[Column]:
    def column(title: str, show: Callable[[PlannedMachine], Text]) -> Column:
        return Column(title=title, cells=tuple(show(row) for row in rows))

    lab = [column("lab", lambda row: cell(row.lab or "-"))] if _labs(rows) > 1 else []
    return [
        *lab,
        column("login", lambda row: cell(row.login or row.machine)),
        column("label", lambda row: Text(row.label.value, style=_STYLES[row.label])),
        column("lab up would", lambda row: cell(row.action)),
    ]


def _labs(rows: Sequence[PlannedMachine]) -> int:
    return len({row.lab for row in rows if row.lab})


def _name(row: PlannedMachine) -> str:
    return f"{row.lab}/{row.login}" if row.lab else row.machine


def _next(rows: Sequence[PlannedMachine], counted: Counter[Label], command: str) -> str:
    if any(counted[label] for label in (Label.MISSING, Label.STOPPED, Label.HALF_MADE)):
        return command
    waiting = [row for row in rows if row.waits]
    if waiting and len(waiting) == counted[Label.DRIFTED]:
        several = _labs(rows) > 1
        names = [inert_line(_name(row) if several else row.login) for row in waiting]
        return f"lab halt {' '.join(names)}, then {command}"
    if counted[Label.DRIFTED]:
        return f"{command}, where it says that it would do something"
    if counted[Label.ORPHAN]:
        return "lab destroy --orphans removes machines whose student has left the roster"
    return "lab verify"
