"""`lab verify --isolation` for a person: who reaches whom, and who gets in where nobody should."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.text import Text

from lab.classroom.isolation import MachineIsolation
from lab.classroom.results import Outcome
from lab.report.layout import Column, amount, block, cell, listing, table

_STYLES = {Outcome.PASSED: "green", Outcome.FAILED: "red", Outcome.UNKNOWN: "magenta"}


def isolation_table(rows: Sequence[MachineIsolation], *, console: Console) -> None:
    """Print a row a machine, then in full what is wrong, what is open and what nobody knows."""
    console.print(table(_columns(rows), console=console))
    console.print()
    for row in rows:
        lines = _lines(row)
        if lines:
            console.print(Text.assemble(cell(f"{row.lab}/{row.login}", "bold")))
            for line in lines:
                console.print(block(line, indent=2))
            console.print()
    console.print(Text(_counts(rows), style="bold"))
    console.print(Text(f"Next: {_next(rows)}"))


def _columns(rows: Sequence[MachineIsolation]) -> list[Column]:
    return [
        Column(title="lab", cells=tuple(cell(row.lab) for row in rows)),
        Column(title="login", cells=tuple(cell(row.login) for row in rows)),
        Column(
            title="result",
            cells=tuple(Text(row.outcome.value, style=_STYLES[row.outcome]) for row in rows),
        ),
        Column(title="isolation", cells=tuple(Text(_on(row.isolated)) for row in rows)),
        Column(title="internet", cells=tuple(Text(_on(row.internet)) for row in rows)),
        Column(
            title="kept from",
            cells=tuple(Text(str(len(row.kept_from))) for row in rows),
            right=True,
        ),
        Column(
            title="reaches",
            cells=tuple(
                cell(listing([it.machine for it in row.reaches], most=3) or "-") for row in rows
            ),
            shrinks=1,
        ),
    ]


def _on(wanted: bool) -> str:  # noqa: FBT001 (a word for it)
    return "on" if wanted else "off"


def _lines(row: MachineIsolation) -> list[str]:
    lines = [
        f"reaches {it.machine}: {', '.join(it.ways)}"
        + (" (neighbours: isolation off)" if it.allowed else "")
        for it in row.reaches
    ]
    lines += [
        f"does not reach {it}, though they are neighbours (isolation off)" for it in row.unreached
    ]
    lines += [it.text for it in row.findings]
    lines += [
        f"unknown whether it reaches {it.machine}: {it.why}" if it.machine else f"unknown: {it.why}"
        for it in row.untried
    ]
    return lines


def _counts(rows: Sequence[MachineIsolation]) -> str:
    kept = sum(len(row.kept_from) for row in rows)
    open_ = sum(it.allowed for row in rows for it in row.reaches)
    reached = sum(not it.allowed for row in rows for it in row.reaches)
    unreached = sum(len(row.unreached) for row in rows)
    unknown = sum(len(row.untried) for row in rows)
    findings = sum(len(row.findings) for row in rows)
    told = [f"{amount(kept + open_ + unreached + reached, 'pair')} tried: {kept} kept apart"]
    told += [f"{open_} open by isolation: off"] if open_ else []
    told += [f"{unreached} not reached by neighbours"] if unreached else []
    told += [f"{reached} reached where nobody should"] if reached else []
    told += [f"{findings} wrong by themselves"] if findings else []
    told += [f"{unknown} unknown"] if unknown else []
    return ", ".join(told)


def _next(rows: Sequence[MachineIsolation]) -> str:
    outcomes = {row.outcome for row in rows}
    kinds = {it.kind for row in rows for it in row.findings}
    if kinds - {"internet"}:
        return "lab destroy LOGIN and lab up LOGIN make a machine anew, with keys of its own"
    if Outcome.FAILED in outcomes:
        return (
            "lab up, which sets this computer's rules again (where labs.yaml has changed since a "
            "machine started: lab halt, then lab up)"
        )
    if Outcome.UNKNOWN in outcomes:
        return "lab up, so that all machines run and answer; then lab verify --isolation"
    return "lab verify"
