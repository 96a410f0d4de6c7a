"""`lab verify --isolation` for a person: who reaches whom, and who gets in where nobody should."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from rich.console import Console
from rich.text import Text

from lab.classroom.isolation import MachineIsolation, Untried
from lab.classroom.results import Outcome
from lab.report.layout import Column, amount, block, cell, listing, table
from lab.report.text import inert_line

# What is wrong with what is on a machine's own disk.
_OF_THE_DISK = frozenset({"others-key", "insecure-key", "password", "host-key"})
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
    for line in _next(rows):
        console.print(Text(inert_line(f"Next: {line}")))


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


def _next(rows: Sequence[MachineIsolation]) -> list[str]:
    """What mends each kind of thing that is wrong, else what makes more known."""
    lines = []
    if any(not it.allowed for row in rows for it in row.reaches) or _with(rows, {"internet"}):
        lines.append(
            "lab up, which sets this computer's rules again (where labs.yaml has changed since a "
            "machine started: lab halt, then lab up)"
        )
    if those := _with(rows, {"others-key", "insecure-key"}):
        lines.append(
            "lab ssh LOGIN --admin, to take those keys out of the accounts' "
            f"~/.ssh/authorized_keys: {listing(those)}"
        )
    if those := _with(rows, {"password"}):
        lines.append(
            "lab ssh LOGIN --admin, to have the SSH server take keys only (sshd_config: "
            f"PasswordAuthentication no, PermitEmptyPasswords no): {listing(those)}"
        )
    if those := _with(rows, {"host-key"}):
        lines.append(
            "lab reset LOGIN, which gives a machine its host key again (lab ssh gets in to none "
            f"that shows another): {listing(those)}"
        )
    if _with(rows, _OF_THE_DISK):
        lines.append(
            "with lab reset LOGIN all of a machine is as it was made; what is on it is kept as a "
            "snapshot, and marks begin anew"
        )
    untried = [it for row in rows for it in row.untried]
    if not lines and not untried and any(row.unreached for row in rows):
        return [
            "lab halt, then lab up, where neighbours started before labs.yaml said isolation: off"
        ]
    return lines or [_to_know_more(untried)]


def _with(rows: Sequence[MachineIsolation], kinds: Collection[str]) -> list[str]:
    """The machines of which something of these kinds was found, as `LAB/LOGIN`."""
    return [
        f"{row.lab}/{row.login}" for row in rows if any(it.kind in kinds for it in row.findings)
    ]


def _to_know_more(untried: Sequence[Untried]) -> str:
    if not untried:
        return "lab verify"
    if all(it.lasting for it in untried):
        return "lab verify; what is unknown here another try would not show either"
    return "lab up, so that all machines run and answer; then lab verify --isolation"
