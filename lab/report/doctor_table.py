"""`lab doctor` for a person: what is wrong in full and first, what is well in a line each."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.text import Text

from lab.machines.health import Finding, Health
from lab.report.layout import Column, amount, block, cell, table
from lab.report.text import inert_line

_STYLES = {
    Health.PROBLEM: "red",
    Health.UNKNOWN: "magenta",
    Health.NOTE: "yellow",
    Health.OK: "green",
}


def doctor_table(findings: Sequence[Finding], *, console: Console) -> None:
    """Print each problem, what could not be tried, what is to be noted and what was mended.

    Then what is well, in a line each.
    """
    for outcome in (Health.PROBLEM, Health.UNKNOWN, Health.NOTE):
        for finding in findings:
            if finding.outcome is outcome:
                _print_in_full(finding, console=console)
                console.print()
    for finding in findings:
        if finding.fixed:
            _print_in_full(finding, console=console)
            console.print()
    well = [it for it in findings if it.outcome is Health.OK and not it.fixed]
    if well:
        console.print(table(_columns(well), console=console))
        console.print()
    console.print(Text(_counts(findings), style="bold"))
    console.print(Text(f"Next: {_next(findings)}"))


def _print_in_full(finding: Finding, *, console: Console) -> None:
    word = "fixed" if finding.fixed else finding.outcome.value
    heading = Text(word, style=f"bold {_STYLES[finding.outcome]}")
    heading.append_text(
        Text(f"  {inert_line(finding.title)} ({inert_line(finding.id)})", style="bold")
    )
    console.print(heading)
    console.print(block(finding.found, indent=2))
    if finding.why:
        console.print(block(finding.why, indent=2, style="dim"))
    label = "ran: " if finding.fixed else "fix: "
    for number, line in enumerate(finding.fix.splitlines()):
        # A command that was cut in two is none: it is copied as one line, however long.
        console.print(Text(f"  {'     ' if number else label}{inert_line(line)}"), soft_wrap=True)


def _columns(findings: Sequence[Finding]) -> list[Column]:
    return [
        Column(title="outcome", cells=tuple(Text("ok", style="green") for _ in findings)),
        Column(title="check", cells=tuple(cell(finding.id) for finding in findings)),
        Column(title="found", cells=tuple(cell(finding.found) for finding in findings)),
    ]


def _counts(findings: Sequence[Finding]) -> str:
    counted = {
        outcome: sum(finding.outcome is outcome for finding in findings) for outcome in Health
    }
    fixed = sum(finding.fixed for finding in findings)
    told = [amount(counted[Health.PROBLEM], "problem")]
    told += [f"{counted[Health.UNKNOWN]} unknown"] if counted[Health.UNKNOWN] else []
    told += [amount(counted[Health.NOTE], "note")] if counted[Health.NOTE] else []
    told += [f"{counted[Health.OK]} ok" + (f" ({fixed} fixed)" if fixed else "")]
    return ", ".join(told)


def _next(findings: Sequence[Finding]) -> str:
    problems = [finding for finding in findings if finding.outcome is Health.PROBLEM]
    if any(finding.safe for finding in problems):
        return "lab doctor --fix runs the fixes that harm nobody"
    if problems:
        return "the commands after `fix:`, then lab doctor again"
    return "lab up"
